import { UnetError } from './errors.js';
import { ADJECTIVES, NOUNS } from './words.js';

const NAME = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** A DNS label holds 63 octets; a longer name could never be resolved. */
export const MAX_NAME_LENGTH = 63;
const TRIES_WITH_DIGIT = 5;

/**
 * Checks a name given with `--name` and takes off the one leading slash that Docker accepts.
 *
 * @throws UnetError INVALID
 */
export function parseContainerName(text: string): string {
  if (!NAME.test(text)) {
    throw new UnetError('INVALID', `Invalid container name (${text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  const name = text.startsWith('/') ? text.slice(1) : text;
  if (name.length > MAX_NAME_LENGTH) {
    throw new UnetError('INVALID', `Invalid container name (${text}): at most ${MAX_NAME_LENGTH} characters`);
  }
  return name;
}

/**
 * A name such as `brave_otter` that is not taken; after a clash the same idea with a digit; in the end `fallback`, which
 * cannot clash (the short id).
 *
 * @param random a number in [0, 1)
 */
export function generateContainerName(
  isTaken: (name: string) => boolean,
  fallback: string,
  random: () => number = Math.random,
): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? 'plain';
  const draw = () => `${pick(ADJECTIVES)}_${pick(NOUNS)}`;
  const first = draw();
  if (!isTaken(first)) return first;
  for (let attempt = 0; attempt < TRIES_WITH_DIGIT; attempt++) {
    const name = `${draw()}${Math.floor(random() * 10)}`;
    if (!isTaken(name)) return name;
  }
  return fallback;
}
