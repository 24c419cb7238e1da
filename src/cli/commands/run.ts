import { isatty } from 'node:tty';
import type { Command } from 'commander';
import { callersOpenFiles, completeSpec, findLauncher } from '../../launch/index.js';
import { guestEnvironment } from '../../model/environment.js';
import { usageError } from '../../model/errors.js';
import { launchAndSettle, warn } from '../bring-up.js';
import { type Context, connectOrStart } from '../context.js';
import { writeLine } from '../output.js';
import { addRunOptions, type RunOptions, readRunOptions } from '../run-options.js';

const HELP_AFTER = `
Everything after the first word that is no option, or after --, is the command; it runs with your files, your user and
your terminal, on a network of its own. Exit status: the command's; 126 not executable, 127 not found, 125 unet failed.

Ports (-p):
  8080:80              every address of this machine, port 8080 -> port 80 inside
  127.0.0.1:8080:80    only this address
  127.0.0.1::80, 80    unet chooses a free port ('unet ps' shows it)
  8000-8010:8000-8010  a range, pairwise;  53:53/udp  UDP

Names and DNS: names of other containers, then whom this machine asks. Each of --dns, --dns-search and --dns-option replaces its
list whole; defaults for all containers are in ~/.config/unet/config.json (keys dns, dns-search, dns-opts) or UNET_OPTS.

Examples:
  unet run -- curl -s https://example.com
  unet run -d --name web -p 8080:8000 -- python3 -m http.server 8000
  unet run -d --name db --expose 5432 -- postgres -D data
  unet run --rm -it --link db:db -- bash`;

export function addRun(program: Command, context: Context, done: (status: number) => void): Command {
  const run = program
    .command('run')
    .description('Run a command on a network of its own')
    .usage('[OPTIONS] -- COMMAND [ARG...]')
    .argument('[command...]', 'the command and its arguments')
    .passThroughOptions()
    .helpOption('--help', 'show this help')
    .option('-d, --detach', "run in the background and print the container's id");
  return addRunOptions(run)
    .addHelpText('after', HELP_AFTER)
    .action(async (argv: string[], options: RunOptions) => {
      done(await runHere(argv, options, context));
    });
}

async function runHere(argv: readonly string[], options: RunOptions, context: Context): Promise<number> {
  const request = readRunOptions(options, argv, context);
  if (request.tty && request.openStdin && !request.detach && !isatty(0)) {
    throw usageError('the input device is not a TTY: leave -t out, or run this at a terminal');
  }
  const launcher = findLauncher(context.env);
  const client = await connectOrStart(context);
  const { id, launch, linkEnv, warnings } = await client.create(request);
  warn(warnings);
  const given = options.workdir === undefined ? request.env : { PWD: request.cwd, ...request.env };
  const env = guestEnvironment(context.env, launch.hostname, linkEnv, given, options.cleanEnv ?? false);

  const status = await launchAndSettle(client, launcher, id, completeSpec(launch, env, callersOpenFiles()));
  if (request.detach && status === 0) writeLine(id);
  return status;
}
