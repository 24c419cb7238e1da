import { usageError } from './errors.js';

export type Environment = Record<string, string>;

/** What `--clean-env` keeps of the caller's environment. */
const CLEAN_KEYS = ['PATH', 'HOME', 'TERM'];

/**
 * Reads one `-e` value: `KEY=VALUE`, or `KEY` alone for the caller's own value (nothing when the caller has none).
 *
 * @throws UnetError USAGE
 */
export function parseEnvOption(text: string, caller: Readonly<NodeJS.ProcessEnv>): Environment {
  const equals = text.indexOf('=');
  const key = equals < 0 ? text : text.slice(0, equals);
  if (key === '' || text.includes('\0')) throw usageError(`invalid environment variable: ${JSON.stringify(text)}`);
  const value = equals < 0 ? caller[key] : text.slice(equals + 1);
  return value === undefined ? {} : { [key]: value };
}

/**
 * Reads an env file: a `KEY=VALUE` or `KEY` a line; blank lines and lines that start with `#` are skipped; the value is
 * taken as it stands, quotes included.
 *
 * @throws UnetError USAGE with the line's number
 */
export function parseEnvFile(content: string, path: string, caller: Readonly<NodeJS.ProcessEnv>): Environment {
  const result: Environment = {};
  for (const [index, raw] of content
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const where = `${path}:${index + 1}`;
    const key = line.split('=', 1)[0] ?? '';
    if (key === '') throw usageError(`${where}: no variable name on line '${line}'`);
    if (/\s/.test(key)) throw usageError(`${where}: variable '${key}' contains whitespaces`);
    Object.assign(result, parseEnvOption(line, caller));
  }
  return result;
}

/** The environment of the guest's first process: the caller's, then HOSTNAME, then what tells of its links, then what was given with `-e`. */
export function guestEnvironment(
  caller: Readonly<NodeJS.ProcessEnv>,
  hostname: string,
  links: Readonly<Environment>,
  given: Readonly<Environment>,
  clean: boolean,
): Environment {
  const base: Environment = {};
  for (const [key, value] of Object.entries(caller)) {
    if (value !== undefined && (!clean || CLEAN_KEYS.includes(key))) base[key] = value;
  }
  return { ...base, HOSTNAME: hostname, ...links, ...given };
}
