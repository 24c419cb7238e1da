import { type DnsLists, NO_DNS_LISTS } from '../model/dns-choice.js';
import { UnetError } from '../model/errors.js';
import type { Paths } from '../model/paths.js';
import { readConfigFile } from './config-file.js';
import { parseUnetOpts } from './unet-opts.js';

const DEFAULT_IDLE_SECONDS = 60;
/** A week; what is longer is meant as "never", which is 0. */
const MAX_IDLE_SECONDS = 7 * 24 * 3600;

/** What the user has set for all containers; read once, when the daemon starts. */
export interface Settings {
  /** Each list whole: of UNET_OPTS, else of the file; null: the host's. */
  readonly dns: DnsLists;
  /** Where settings were found: `UNET_OPTS`, the file's path. The first wins. */
  readonly sources: readonly string[];
}

export const NO_SETTINGS: Settings = { dns: NO_DNS_LISTS, sources: [] };

/**
 * The config file, and over it `UNET_OPTS`, list by list.
 *
 * @throws UnetError DAEMON naming file or variable, what is wrong there, and what to do
 */
export function readSettings(env: Readonly<NodeJS.ProcessEnv>, { configFile }: Pick<Paths, 'configFile'>): Settings {
  const file = readConfigFile(configFile, { mustExist: Boolean(env['UNET_CONFIG']) });
  const variable = parseUnetOpts(env['UNET_OPTS'] ?? '');
  return {
    dns: {
      servers: variable.servers ?? file?.servers ?? null,
      search: variable.search ?? file?.search ?? null,
      options: variable.options ?? file?.options ?? null,
    },
    sources: [...(env['UNET_OPTS']?.trim() ? ['UNET_OPTS'] : []), ...(file === null ? [] : [configFile])],
  };
}

/**
 * `UNET_IDLE_SECONDS`: after how long without containers and requests the daemon ends. 0: it stays.
 *
 * @throws UnetError DAEMON
 */
export function idleSeconds(env: Readonly<NodeJS.ProcessEnv>): number {
  const text = env['UNET_IDLE_SECONDS'];
  if (text === undefined || text === '') return DEFAULT_IDLE_SECONDS;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= MAX_IDLE_SECONDS) return seconds;
  throw new UnetError(
    'DAEMON',
    `invalid UNET_IDLE_SECONDS '${text}': give seconds from 0 (never) to ${MAX_IDLE_SECONDS}`,
  );
}
