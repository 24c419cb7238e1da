import type { Command } from 'commander';
import { type Context, connectIfRunning } from '../context.js';
import { writeLine } from '../output.js';

export function addVersion(program: Command, context: Context): Command {
  return program
    .command('version')
    .description('Show the version of unet and of its running daemon')
    .action(async () => {
      writeLine(`unet ${context.version}`);
      const client = await connectIfRunning(context);
      if (!client) return;
      const { version, pid } = await client.version();
      writeLine(`daemon ${version} (pid ${pid})`);
    });
}
