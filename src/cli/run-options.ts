import { readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { CreateContainer } from '../api/types.js';
import { parseContainerName } from '../model/container-name.js';
import { type Environment, parseEnvFile, parseEnvOption } from '../model/environment.js';
import { messageOf, UnetError, usageError } from '../model/errors.js';
import { NO_FAULTS, parseFaults } from '../model/fault-spec.js';
import { mergeHostAccess, NO_HOST_ACCESS, parseHostAccess } from '../model/host-access.js';
import { parseHostname, parseMtu } from '../model/limits.js';
import { parsePortSpec, requireCarried } from '../model/port-spec.js';
import type { Context } from './context.js';

/** The options of `run` as commander hands them over. */
export interface RunOptions {
  readonly name?: string;
  readonly rm?: true;
  readonly detach?: true;
  readonly interactive?: true;
  readonly tty?: true;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly cleanEnv?: true;
  readonly workdir?: string;
  readonly hostname?: string;
  readonly user: string;
  readonly publish?: readonly string[];
  readonly mtu?: string;
  readonly hostAccess?: readonly string[];
  readonly offload: string;
  readonly fault?: readonly string[];
  readonly net: string;
}

/** Of a value of `-p`. */
export const PORT_FORM = '[[ADDRESS:]PORT:]CONTAINER-PORT[/udp]';

const USERS = ['self', 'root'] as const;
const DEFAULT_NETWORKS = ['bridge', 'default'];

/**
 * Turns the command line of `run` into a request. Nothing is started yet: whatever is wrong is a usage error.
 *
 * @throws UnetError USAGE or INVALID
 */
export function readRunOptions(options: RunOptions, argv: readonly string[], context: Context): CreateContainer {
  const [program] = argv;
  if (program === undefined || program === '') {
    throw usageError("no command given: unet run [OPTIONS] -- COMMAND [ARG...] (see 'unet run --help')");
  }
  requireDefaultNetwork(options.net);
  return {
    name: options.name === undefined ? null : parseContainerName(options.name),
    argv: [...argv],
    cwd: fromHere(options.workdir ?? '.', context),
    env: givenEnvironment(options, context),
    detach: options.detach ?? false,
    autoRemove: options.rm ?? false,
    openStdin: options.interactive ?? false,
    tty: options.tty ?? false,
    user: oneOf('--user', options.user, USERS),
    hostname: options.hostname === undefined ? null : parseHostname(options.hostname),
    network: 'bridge',
    ports: readPorts(options.publish ?? []),
    mtu: options.mtu === undefined ? null : parseMtu(options.mtu),
    hostAccess: readHostAccess(options.hostAccess ?? []),
    offload: oneOf('--offload', options.offload, ['on', 'off']) === 'on',
    faults: options.fault === undefined ? null : { ...NO_FAULTS, ...parseFaults(options.fault) },
  };
}

function readPorts(specs: readonly string[]): CreateContainer['ports'] {
  const requests = specs.flatMap(readPort);
  requireCarried(requests);
  return requests.map((request) => ({ ...request }));
}

/** What is wrong, in Docker's words, and how it would be right. */
function readPort(spec: string): ReturnType<typeof parsePortSpec> {
  try {
    return parsePortSpec(spec);
  } catch (error) {
    throw new UnetError('INVALID', `${messageOf(error)}; give -p ${PORT_FORM}, ports 1 to 65535`, { cause: error });
  }
}

function readHostAccess(values: readonly string[]): CreateContainer['hostAccess'] {
  const { all, ports } = values.map(parseHostAccess).reduce(mergeHostAccess, NO_HOST_ACCESS);
  return { all, ports: [...ports] };
}

/** Files first, then -e, each overriding what came before it. */
function givenEnvironment({ env = [], envFile = [] }: RunOptions, context: Context): Environment {
  const fromFiles = envFile.map((path) => parseEnvFile(readEnvFile(fromHere(path, context)), path, context.env));
  const fromOptions = env.map((text) => parseEnvOption(text, context.env));
  return Object.assign({}, ...fromFiles, ...fromOptions);
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

function requireDefaultNetwork(name: string): void {
  if (DEFAULT_NETWORKS.includes(name)) return;
  throw new UnetError(
    'INVALID',
    `network ${name} not found: there is only the default network so far; leave --net out`,
  );
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw usageError(`invalid ${option} '${value}': give ${allowed.join(' or ')}`);
  return found;
}
