import type { Command } from 'commander';
import { UnetError, usageError } from '../../model/errors.js';
import { bringUp } from '../bring-up.js';
import { type Context, connectOrStart } from '../context.js';
import { forEachInTurn } from '../each-container.js';

interface StartOptions {
  readonly attach?: true;
  readonly interactive?: true;
}

const HELP_AFTER = `
The command runs again with the options that it was made with and the environment of this shell. Its address may be another
than before; its log goes on. Containers are started one after the other, so name those that others link to first.`;

export function addStart(program: Command, context: Context, done: (status: number) => void): Command {
  return program
    .command('start')
    .description('Start containers that were created or have ended')
    .usage('[OPTIONS] CONTAINER...')
    .argument('<container...>', 'names or ids')
    .option(
      '-a, --attach',
      "in the foreground, as 'unet run': its input, output and exit status are yours, and no log is kept",
    )
    .option('-i, --interactive', 'the same: in the foreground standard input is always yours')
    .addHelpText('after', HELP_AFTER)
    .action(async (refs: string[], { attach, interactive }: StartOptions) => {
      done(await (attach || interactive ? startAttached(refs, context) : start(refs, context)));
    });
}

async function start(refs: readonly string[], context: Context): Promise<number> {
  const client = await connectOrStart(context);
  return forEachInTurn(refs, async (ref) => {
    const status = await bringUp(client, ref, { attach: false }, context);
    return status === 0 || status === null;
  });
}

async function startAttached(refs: readonly string[], context: Context): Promise<number> {
  const [ref, ...others] = refs;
  if (ref === undefined || others.length > 0) {
    throw usageError('you cannot start and attach multiple containers at once');
  }
  const client = await connectOrStart(context);
  const status = await bringUp(client, ref, { attach: true }, context);
  if (status !== null) return status;
  throw new UnetError('CONFLICT', `container "${ref}" runs already; 'unet logs -f ${ref}' shows what it prints`);
}
