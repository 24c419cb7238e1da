import { errnoOf } from '../model/errors.js';

/** The error codes of the engine, one table on both sides of the border. */
export const NATIVE_ERROR_CODES = [
  /** The engine is gone; a `fatal` event says why. */
  'ESTOPPED',
  /** Unknown endpoint or network. */
  'ENOENT',
  'EEXIST',
  'EINVAL',
  'EADDRINUSE',
  'EACCES',
  'EADDRNOTAVAIL',
  'EMFILE',
] as const;
export type NativeErrorCode = (typeof NATIVE_ERROR_CODES)[number];

export function nativeCodeOf(error: unknown): NativeErrorCode | undefined {
  const code = errnoOf(error);
  return NATIVE_ERROR_CODES.find((known) => known === code);
}
