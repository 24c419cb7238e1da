import { UnetError } from '../model/errors.js';

const DEFAULT_IDLE_SECONDS = 60;
/** A week; what is longer is meant as "never", which is 0. */
const MAX_IDLE_SECONDS = 7 * 24 * 3600;

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
