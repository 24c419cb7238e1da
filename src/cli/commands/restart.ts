import type { Command } from 'commander';
import { bringUp } from '../bring-up.js';
import { type Context, connectOrStart } from '../context.js';
import { forEachInTurn } from '../each-container.js';
import { wholeNumber } from '../values.js';

const MAX_SECONDS = 3600;

export function addRestart(program: Command, context: Context, done: (status: number) => void): Command {
  return program
    .command('restart')
    .description('Stop containers and start them again, in the background')
    .usage('[OPTIONS] CONTAINER...')
    .argument('<container...>', 'names or ids')
    .option('-t, --time <seconds>', 'how long to wait before SIGKILL', '10')
    .action(async (refs: string[], { time }: { time: string }) => {
      const seconds = wholeNumber('--time', time, MAX_SECONDS);
      const client = await connectOrStart(context);
      done(
        await forEachInTurn(refs, async (ref) => {
          const { id } = await client.inspect(ref);
          await client.stop(id, seconds, { keep: true });
          const status = await bringUp(client, id, { attach: false }, context);
          return status === 0 || status === null;
        }),
      );
    });
}
