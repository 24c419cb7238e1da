import type { Command } from 'commander';
import { type Context, connectOrStart } from '../context.js';

export function addRename(program: Command, context: Context): Command {
  return program
    .command('rename')
    .description('Give a container another name; its hostname and the links to it stay')
    .usage('CONTAINER NEW-NAME')
    .argument('<container>', 'name or id')
    .argument('<new-name>', 'letters, digits and _ . -')
    .action(async (ref: string, name: string) => {
      const client = await connectOrStart(context);
      await client.rename(ref, name);
    });
}
