import { Command, CommanderError } from 'commander';
import { EXIT_OWN_FAILURE } from '../launch/index.js';
import { messageOf, UnetError } from '../model/errors.js';
import { addCreate } from './commands/create.js';
import { addDaemon } from './commands/daemon.js';
import { addDns } from './commands/dns.js';
import { addDoctor } from './commands/doctor.js';
import { addFault } from './commands/fault.js';
import { addInspect } from './commands/inspect.js';
import { addLogs } from './commands/logs.js';
import { addPs } from './commands/ps.js';
import { addRename } from './commands/rename.js';
import { addRestart } from './commands/restart.js';
import { addRm } from './commands/rm.js';
import { addRun } from './commands/run.js';
import { addStart } from './commands/start.js';
import { addStop } from './commands/stop.js';
import { addVersion } from './commands/version.js';
import type { Context } from './context.js';
import { complain, OutputClosed, writeErr, writeOut } from './output.js';

const HELP_AFTER = `
'unet run -- COMMAND' is all you need to begin. What needs a daemon starts it by itself.
'unet COMMAND --help' tells more about each.`;

/** What a shell would show for a process that ended by SIGPIPE. */
const EXIT_OUTPUT_CLOSED = 141;

/**
 * argv in, exit status out. Errors are one line on stderr.
 *
 * @param argv without node and script
 */
export async function main(argv: readonly string[], context: Context): Promise<number> {
  let status = 0;
  const verb = { name: '' };
  const program = buildProgram(context, verb, (result) => {
    status = result;
  });
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: 'user' });
    return status;
  } catch (error) {
    return report(error, verb.name);
  }
}

function buildProgram(context: Context, verb: { name: string }, done: (status: number) => void): Command {
  const program = new Command('unet')
    .description('Networks for your programs, without root: own address, published ports, names')
    .usage('COMMAND')
    .version(`unet ${context.version}`, '-v, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .enablePositionalOptions()
    .configureOutput({ writeOut, writeErr, outputError: () => {} })
    .addHelpText('after', HELP_AFTER)
    .exitOverride();
  addRun(program, context, done);
  addCreate(program, context);
  addPs(program, context);
  addInspect(program, context, done);
  addLogs(program, context);
  addStart(program, context, done);
  addStop(program, context, done);
  addRestart(program, context, done);
  addRm(program, context, done);
  addRename(program, context);
  addFault(program, context);
  addDns(program, context);
  addDoctor(program, context, done);
  addDaemon(program, context, done);
  addVersion(program, context);
  noteVerb(program, verb);
  return program;
}

/** Remembers which command an error came from. */
function noteVerb(command: Command, verb: { name: string }): void {
  command.exitOverride((error) => {
    verb.name = pathOf(command);
    throw error;
  });
  command.hook('preAction', (_, action) => {
    verb.name = pathOf(action);
  });
  for (const child of command.commands) noteVerb(child, verb);
}

function pathOf(command: Command): string {
  return command.parent?.parent ? `${pathOf(command.parent)} ${command.name()}` : command.parent ? command.name() : '';
}

function report(error: unknown, verb: string): number {
  if (error instanceof OutputClosed) return EXIT_OUTPUT_CLOSED;
  if (error instanceof CommanderError) return reportUsage(error, verb);
  try {
    complain(messageOf(error));
  } catch {
    // Nobody reads our errors either.
  }
  const isUsage = error instanceof UnetError && error.code === 'USAGE';
  if (!(error instanceof UnetError)) logDefect(error);
  return verb === 'run' || isUsage ? EXIT_OWN_FAILURE : 1;
}

function reportUsage(error: CommanderError, verb: string): number {
  // Help that was asked for is no error; help because no command was given is none either.
  if (error.exitCode === 0 || error.code === 'commander.help') return 0;
  const what = messageOf(error).replace(/^error: /, '');
  complain(`${what} (see 'unet ${verb === '' ? '' : `${verb} `}--help')`);
  return EXIT_OWN_FAILURE;
}

/** A stack trace is of use to whoever mends unet, and to nobody else. */
function logDefect(error: unknown): void {
  if (process.env['UNET_DEBUG'] && error instanceof Error) writeErr(`${error.stack}\n`);
}
