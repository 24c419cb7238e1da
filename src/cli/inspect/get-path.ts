import { UnetError } from '../../model/errors.js';
import { nearest } from '../nearest.js';

/**
 * Follows `NetworkSettings.Ports.80/tcp.0.HostPort` into a JSON document: keys of objects, numbers into lists. A key may have dots in it:
 * the longest that is there is taken.
 *
 * @returns a text as it is, all else as JSON
 * @throws UnetError NOT_FOUND with the key that was probably meant
 */
export function getPath(document: unknown, path: string): string {
  const parts = path.replace(/^\./, '').split('.');
  let value = document;
  for (let at = 0; at < parts.length; ) {
    const taken = isObject(value) ? longestKey(value, parts.slice(at)) : 1;
    const key = parts.slice(at, at + taken).join('.');
    const holder = parts.slice(0, at).join('.');
    if (taken === 0 || !has(value, key)) throw unknownKey(value, holder, parts[at] ?? '');
    value = (value as Readonly<Record<string, unknown>>)[key];
    at += taken;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function has(value: unknown, key: string): boolean {
  if (Array.isArray(value)) return /^\d{1,9}$/.test(key) && Number(key) < value.length;
  return isObject(value) && Object.hasOwn(value, key);
}

/** How many parts the longest key takes that the object has; 0: it has none. */
function longestKey(value: Readonly<Record<string, unknown>>, parts: readonly string[]): number {
  for (let taken = parts.length; taken > 0; taken--) {
    if (Object.hasOwn(value, parts.slice(0, taken).join('.'))) return taken;
  }
  return 0;
}

function unknownKey(value: unknown, holder: string, key: string): UnetError {
  const place = holder === '' ? '' : `${holder}.`;
  if (Array.isArray(value)) {
    const range = value.length === 0 ? 'is empty' : `has the numbers 0 to ${value.length - 1}`;
    return new UnetError('NOT_FOUND', `no such key: ${place}${key}; the list ${range}`);
  }
  if (!isObject(value)) return new UnetError('NOT_FOUND', `no such key: ${place}${key}; ${holder} has no keys`);
  const known = Object.keys(value);
  const meant = nearest(key, known);
  if (meant !== undefined)
    return new UnetError('NOT_FOUND', `no such key: ${place}${key}; did you mean ${place}${meant}?`);
  const list = known.length === 0 ? 'there is none' : `there is ${known.join(', ')}`;
  return new UnetError('NOT_FOUND', `no such key: ${place}${key}; ${list}`);
}
