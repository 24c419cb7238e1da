import type { Command } from 'commander';
import { UnetError } from '../../model/errors.js';
import { type Context, connectOrStart } from '../context.js';
import { forEachContainer } from '../each-container.js';

interface RmOptions {
  readonly force?: boolean;
  readonly link?: boolean;
}

export function addRm(program: Command, context: Context, done: (status: number) => void): Command {
  return program
    .command('rm')
    .description('Remove containers that have ended, with their logs; or links')
    .usage('[OPTIONS] CONTAINER...')
    .argument('<container...>', 'names or ids; with --link, links by their names: PARENT/ALIAS')
    .option('-f, --force', 'kill those that run, and do not mind those that do not exist')
    .option('-l, --link', 'remove links, and leave both containers')
    .action(async (refs: string[], { force = false, link = false }: RmOptions) => {
      const client = await connectOrStart(context);
      const isMissing = (error: unknown) => error instanceof UnetError && error.code === 'NOT_FOUND';
      done(
        await forEachContainer(
          refs,
          (ref) => (link ? client.unlink(...splitLinkName(ref)) : client.remove(ref, force)),
          (error) => force && isMissing(error),
        ),
      );
    });
}

/** `web/db`, with or without a slash in front. Without a slash inside it is a container's own name, which the daemon refuses. */
function splitLinkName(text: string): [parent: string, alias: string] {
  const name = text.replace(/^\//, '');
  const slash = name.indexOf('/');
  return slash < 0 ? [name, ''] : [name.slice(0, slash), name.slice(slash + 1)];
}
