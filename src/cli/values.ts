import { usageError } from '../model/errors.js';

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
