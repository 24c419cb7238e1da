import { isatty } from 'node:tty';
import type { Command } from 'commander';
import type { Client } from '../../api/index.js';
import { callersOpenFiles, completeSpec, findLauncher, runLauncher } from '../../launch/index.js';
import { guestEnvironment } from '../../model/environment.js';
import { usageError } from '../../model/errors.js';
import { type Context, connectOrStart } from '../context.js';
import { complain, writeLine } from '../output.js';
import { PORT_FORM, type RunOptions, readRunOptions } from '../run-options.js';
import { collect } from '../values.js';

/** The command has ended or started; how long the daemon may take to have noticed. */
const SETTLE_MILLISECONDS = 5000;

const HELP_AFTER = `
Everything after the first word that is no option, or after --, is the command; it runs with your files, your user and
your terminal, on a network of its own. Exit status: the command's; 126 not executable, 127 not found, 125 unet failed.

Ports (-p):
  8080:80              every address of this machine, port 8080 -> port 80 inside
  127.0.0.1:8080:80    only this address
  127.0.0.1::80, 80    unet chooses a free port ('unet ps' shows it)
  8000-8010:8000-8010  a range, pairwise;  53:53/udp  UDP

Examples:
  unet run -- curl -s https://example.com
  unet run -d --name web -p 8080:8000 -- python3 -m http.server 8000
  unet run --rm -it -- bash`;

export function addRun(program: Command, context: Context, done: (status: number) => void): Command {
  return program
    .command('run')
    .description('Run a command on a network of its own')
    .usage('[OPTIONS] -- COMMAND [ARG...]')
    .argument('[command...]', 'the command and its arguments')
    .passThroughOptions()
    .helpOption('--help', 'show this help')
    .option('--name <name>', 'name of the container (default: one is made up)')
    .option('--rm', 'remove the container when it has ended')
    .option('-d, --detach', "run in the background and print the container's id")
    .option('-i, --interactive', 'with -d: keep standard input open (in the foreground it is always yours)')
    .option('-t, --tty', 'with -d: give the command a terminal (in the foreground it has yours)')
    .option('-e, --env <KEY=VALUE>', 'set an environment variable; KEY alone takes yours', collect)
    .option('--env-file <file>', 'read environment variables from a file', collect)
    .option('--clean-env', 'do not inherit the environment, but for PATH, HOME and TERM')
    .option('-w, --workdir <dir>', 'working directory of the command (default: this one)')
    .option('-h, --hostname <name>', "host name inside (default: the container's short id)")
    .option('-u, --user <user>', 'self: your own uid; root: uid 0 inside, still you outside', 'self')
    .option('-p, --publish <port>', `publish a port: ${PORT_FORM}`, collect)
    .option('--mtu <bytes>', 'MTU of the interface, 68 to 65520 (default: 1500)')
    .option(
      '--host-access <ports>',
      "open ports of this machine's loopback at host.unet.internal: PORT[,PORT...] or all",
      collect,
    )
    .option('--offload <on|off>', 'off: plain frames, to find out whether offloads are to blame', 'on')
    .option(
      '--fault <spec>',
      "a bad network: delay=50ms,loss=1%,rate=10mbit and more (see 'unet fault --help')",
      collect,
    )
    .option('--net, --network <network>', 'network to join; so far only the default one, bridge', 'bridge')
    .addHelpText('after', HELP_AFTER)
    .action(async (argv: string[], options: RunOptions & { network: string }) => {
      done(await run(argv, { ...options, net: options.network }, context));
    });
}

async function run(argv: readonly string[], options: RunOptions, context: Context): Promise<number> {
  const request = readRunOptions(options, argv, context);
  if (request.tty && request.openStdin && !request.detach && !isatty(0)) {
    throw usageError('the input device is not a TTY: leave -t out, or run this at a terminal');
  }
  const launcher = findLauncher(context.env);
  const client = await connectOrStart(context);
  const { id, launch, linkEnv, warnings } = await client.create(request);
  for (const warning of warnings) complain(`warning: ${warning}`);
  const given = options.workdir === undefined ? request.env : { PWD: request.cwd, ...request.env };
  const env = guestEnvironment(context.env, launch.hostname, linkEnv, given, options.cleanEnv ?? false);

  // From here on the standard streams belong to the command.
  const status = await runLauncher(launcher, completeSpec(launch, env, callersOpenFiles()));
  const isRunning = request.detach && status === 0;
  await settled(client, id, launch.ticket, isRunning ? 'started' : 'ended');
  if (isRunning) writeLine(id);
  return status;
}

/**
 * Waits until the daemon has seen what we have seen, so that the next command finds the name free, or the container listed.
 * A daemon that died in the meantime is no reason to fail: the command's status stands.
 */
async function settled(client: Client, id: string, ticket: string, until: 'started' | 'ended'): Promise<void> {
  await client.wait(id, until, { launcherEnded: true, ticket, timeout: SETTLE_MILLISECONDS }).catch(() => {});
}
