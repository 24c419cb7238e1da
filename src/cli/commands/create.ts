import type { Command } from 'commander';
import { usageError } from '../../model/errors.js';
import { warn } from '../bring-up.js';
import { type Context, connectOrStart } from '../context.js';
import { writeLine } from '../output.js';
import { addRunOptions, type RunOptions, readRunOptions } from '../run-options.js';

const HELP_AFTER = `
It has its name, and others can link to it; 'unet start' runs it. All options are as for 'unet run', whose help tells more.

Example:
  unet create --name web -p 8080:8000 -- python3 -m http.server 8000
  unet start web`;

export function addCreate(program: Command, context: Context): Command {
  const create = program
    .command('create')
    .description('Make a container that is started later')
    .usage('[OPTIONS] -- COMMAND [ARG...]')
    .argument('[command...]', 'the command and its arguments')
    .passThroughOptions()
    .helpOption('--help', 'show this help');
  return addRunOptions(create)
    .addHelpText('after', HELP_AFTER)
    .action(async (argv: string[], options: RunOptions) => {
      if (argv.length === 0) throw usageError('no command given: unet create [OPTIONS] -- COMMAND [ARG...]');
      // A start goes to the background unless it says otherwise.
      const request = { ...readRunOptions(options, argv, context), detach: true };
      const client = await connectOrStart(context);
      const { id, warnings } = await client.make(request);
      warn(warnings);
      writeLine(id);
    });
}
