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
  const value = equals < 0 ? ownValue(caller, key) : text.slice(equals + 1);
  return value === undefined ? {} : { [key]: value };
}

/**
 * Reads an env file: a `KEY=VALUE` or `KEY` a line; blank lines and lines that start with `#` are skipped; the value is
 * taken as it stands, quotes included.
 *
 * @throws UnetError USAGE with the line's number
 */
export function parseEnvFile(content: string, path: string, caller: Readonly<NodeJS.ProcessEnv>): Environment {
  const pairs: [string, string][] = [];
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
    pairs.push(...Object.entries(parseEnvOption(line, caller)));
  }
  return Object.fromEntries(pairs);
}

/** The environment of the guest's first process: the caller's, then HOSTNAME, then what tells of its links, then what was given with `-e`. */
export function guestEnvironment(
  caller: Readonly<NodeJS.ProcessEnv>,
  hostname: string,
  links: Readonly<Environment>,
  given: Readonly<Environment>,
  clean: boolean,
): Environment {
  const kept = Object.entries(caller).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && (!clean || CLEAN_KEYS.includes(entry[0])),
  );
  return { ...Object.fromEntries(kept), HOSTNAME: hostname, ...links, ...given };
}

/** Variables may be called as an object's own inheritance is (`constructor`, `__proto__`): never looked up, and never set, through it. */
function ownValue(caller: Readonly<NodeJS.ProcessEnv>, key: string): string | undefined {
  return Object.hasOwn(caller, key) ? caller[key] : undefined;
}
