/**
 * What went wrong, in a word that a program can test. It travels over the control API as `error.code`.
 *
 * - `USAGE`: the command line is wrong (exit status 125 of every verb).
 * - `INVALID`: a request is malformed or asks for something impossible.
 * - `NOT_FOUND`, `AMBIGUOUS`: no container, or more than one, goes by that name.
 * - `CONFLICT`: the container, its name or its state stands in the way.
 * - `UNAVAILABLE`: the daemon or its network engine cannot serve this now; trying again may help.
 * - `DAEMON`: the daemon could not be started or reached.
 * - `LAUNCH`: the command could not be started in its namespaces.
 * - `REFUSED`: the other side is not who it should be (owner, mode, user namespace).
 * - `INTERNAL`: a defect of unet.
 */
export type ErrorCode =
  | 'USAGE'
  | 'INVALID'
  | 'NOT_FOUND'
  | 'AMBIGUOUS'
  | 'CONFLICT'
  | 'UNAVAILABLE'
  | 'DAEMON'
  | 'LAUNCH'
  | 'REFUSED'
  | 'INTERNAL';

/** An error with one line for the user: what is wrong and, where it is not plain, what to do. */
export class UnetError extends Error {
  override readonly name = 'UnetError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A command line that cannot be meant: nothing was started. */
export function usageError(message: string): UnetError {
  return new UnetError('USAGE', message);
}

/** The text of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}

/** `code` of a Node or addon error (`ENOENT`, `EADDRINUSE`, …), else undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
