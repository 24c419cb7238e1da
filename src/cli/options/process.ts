import { readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { Command } from 'commander';
import type { CreateContainer } from '../../api/types.js';
import { parseContainerName } from '../../model/container-name.js';
import { type Environment, parseEnvFile, parseEnvOption } from '../../model/environment.js';
import { messageOf, usageError } from '../../model/errors.js';
import type { Context } from '../context.js';
import { collect, oneOf } from '../values.js';

/** What the command is given but for its network. */
export interface ProcessOptions {
  readonly name?: string;
  readonly rm?: true;
  readonly interactive?: true;
  readonly tty?: true;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly cleanEnv?: true;
  readonly workdir?: string;
  readonly user: string;
}

const USERS = ['self', 'root'] as const;

export function addProcessOptions(command: Command): Command {
  return command
    .option('--name <name>', 'name of the container (default: one is made up)')
    .option('--rm', 'remove the container when it has ended')
    .option('-i, --interactive', 'in the background: keep standard input open (in the foreground it is always yours)')
    .option('-t, --tty', 'in the background: give the command a terminal (in the foreground it has yours)')
    .option('-e, --env <KEY=VALUE>', 'set an environment variable; KEY alone takes yours', collect)
    .option('--env-file <file>', 'read environment variables from a file', collect)
    .option('--clean-env', 'do not inherit the environment, but for PATH, HOME and TERM')
    .option('-w, --workdir <dir>', 'working directory of the command (default: this one)')
    .option('-u, --user <user>', 'self: your own uid; root: uid 0 inside, still you outside', 'self');
}

type ProcessPart = Pick<
  CreateContainer,
  'name' | 'cwd' | 'env' | 'autoRemove' | 'openStdin' | 'tty' | 'user' | 'cleanEnv'
>;

/** @throws UnetError USAGE or INVALID */
export function readProcessOptions(options: ProcessOptions, context: Context): ProcessPart {
  return {
    name: options.name === undefined ? null : parseContainerName(options.name),
    cwd: fromHere(options.workdir ?? '.', context),
    env: givenEnvironment(options, context),
    autoRemove: options.rm ?? false,
    openStdin: options.interactive ?? false,
    tty: options.tty ?? false,
    user: oneOf('--user', options.user, USERS),
    cleanEnv: options.cleanEnv ?? false,
  };
}

/** Files first, then -e, each overriding what came before it. */
function givenEnvironment({ env = [], envFile = [] }: ProcessOptions, context: Context): Environment {
  const fromFiles = envFile.map((path) => parseEnvFile(readEnvFile(fromHere(path, context)), path, context.env));
  const fromOptions = env.map((text) => parseEnvOption(text, context.env));
  // Not Object.assign: a variable may be called __proto__.
  return Object.fromEntries([...fromFiles, ...fromOptions].flatMap(Object.entries<string>));
}

function fromHere(path: string, { cwd }: Context): string {
  if (isAbsolute(path)) return resolve(path);
  try {
    return resolve(cwd(), path);
  } catch {
    throw usageError('the working directory does not exist any more; change to another, or choose one with -w');
  }
}

function readEnvFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`cannot read the env file: ${messageOf(error)}`);
  }
}
