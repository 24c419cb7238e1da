import type { Command } from 'commander';
import { UnetError } from '../../model/errors.js';
import { type Context, connectOrStart } from '../context.js';
import { forEachContainer } from '../each-container.js';

export function addRm(program: Command, context: Context, done: (status: number) => void): Command {
  return program
    .command('rm')
    .description('Remove containers that have ended, with their logs')
    .usage('[OPTIONS] CONTAINER...')
    .argument('<container...>', 'names or ids')
    .option('-f, --force', 'kill those that run, and do not mind those that do not exist')
    .action(async (refs: string[], { force = false }: { force?: boolean }) => {
      const client = await connectOrStart(context);
      const isMissing = (error: unknown) => error instanceof UnetError && error.code === 'NOT_FOUND';
      done(
        await forEachContainer(
          refs,
          (ref) => client.remove(ref, force),
          (error) => force && isMissing(error),
        ),
      );
    });
}
