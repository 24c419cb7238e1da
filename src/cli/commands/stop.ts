import type { Command } from 'commander';
import { type Context, connectOrStart } from '../context.js';
import { forEachContainer } from '../each-container.js';
import { wholeNumber } from '../values.js';

const MAX_SECONDS = 3600;

export function addStop(program: Command, context: Context, done: (status: number) => void): Command {
  return program
    .command('stop')
    .description('Stop running containers: SIGTERM, and SIGKILL after a while')
    .usage('[OPTIONS] CONTAINER...')
    .argument('<container...>', 'names or ids')
    .option('-t, --time <seconds>', 'how long to wait before SIGKILL', '10')
    .action(async (refs: string[], { time }: { time: string }) => {
      const seconds = wholeNumber('--time', time, MAX_SECONDS);
      const client = await connectOrStart(context);
      done(await forEachContainer(refs, (ref) => client.stop(ref, seconds)));
    });
}
