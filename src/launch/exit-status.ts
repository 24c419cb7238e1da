import { constants } from 'node:os';

/** Exit status of `run` when unet itself failed, and of every verb when the command line was wrong. */
export const EXIT_OWN_FAILURE = 125;

/** The status a shell would show for a process that ended this way. */
export function shellStatus(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return signal === null ? EXIT_OWN_FAILURE : 128 + constants.signals[signal];
}
