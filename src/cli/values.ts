import { messageOf, UnetError, usageError } from '../model/errors.js';

/** Gathers an option that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** @throws UnetError USAGE */
export function wholeNumber(option: string, text: string, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= max) return value;
  throw usageError(`invalid ${option} '${text}': give a whole number from 0 to ${max}`);
}

/** @throws UnetError USAGE */
export function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw usageError(`invalid ${option} '${value}': give ${allowed.join(' or ')}`);
  return found;
}

/**
 * Reads each value: what is wrong, in Docker's words, and how it would be right.
 *
 * @throws UnetError INVALID
 */
export function readEach<T>(values: readonly string[], parse: (text: string) => T, advice: string): T[] {
  try {
    return values.map(parse);
  } catch (error) {
    throw new UnetError('INVALID', `${messageOf(error)}; give ${advice}`, { cause: error });
  }
}

/** What is wrong with the parts of a command line is wrong with the command line, whoever else reads them (Decision 11: status 125). */
export function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UnetError) || error.code !== 'INVALID') throw error;
    throw new UnetError('USAGE', error.message, { cause: error });
  }
}
