import type { Query } from './query.js';
import { HEADER_BYTES, MAX_NAME_BYTES } from './wire.js';

/**
 * The name of an admitted question as text.
 *
 * dns-packet is not asked: it takes three microseconds for what is one pass here, thirty thousand times a second, and
 * admit() has walked the labels already. The tests hold both to the same names.
 */

const DOT = 0x2e;
const UNDERSCORE = 0x5f;
/** Letters in lower case, digits, hyphen and underscore: what a name of ours can be made of. 0: not one of them. */
const PLAIN = plainBytes();
const scratch = Buffer.alloc(MAX_NAME_BYTES);

/**
 * In lower case, without a trailing dot; null when it is no name that we could own: the root, or one with other bytes, a dot
 * within a label among them. Such names are only forwarded, but for those of our reverse tree.
 */
export function plainName(query: Query): string | null {
  return nameText(query, null);
}

/**
 * The same of any name, with `_` for each label that is not plain: to see what it stands below (`My Printer._ipp._tcp.0.0.17.172.in-addr.arpa`
 * tells strangers as much about us as the plain ones do). null: the root.
 */
export function reverseText(query: Query): string | null {
  return nameText(query, UNDERSCORE);
}

function nameText({ bytes }: Query, insteadOfOther: number | null): string | null {
  let length = 0;
  for (let offset = HEADER_BYTES; ; ) {
    const label = bytes[offset] ?? 0;
    if (label === 0) break;
    if (length > 0) scratch[length++] = DOT;
    const start = length;
    for (const end = offset + label; offset < end; ) {
      const byte = PLAIN[bytes[++offset] ?? 0] ?? 0;
      if (byte === 0) {
        if (insteadOfOther === null) return null;
        scratch[start] = insteadOfOther;
        length = start + 1;
        offset = end;
        break;
      }
      scratch[length++] = byte;
    }
    offset++;
  }
  return length === 0 ? null : scratch.toString('latin1', 0, length);
}

/** Whether a text can be a name on the wire as it stands: labels of 1 to 63 plain characters, 253 in all. */
export function isPlainName(name: string): boolean {
  return name.length <= MAX_NAME_BYTES - 2 && name.split('.').every((label) => /^[a-z0-9_-]{1,63}$/i.test(label));
}

/** The labels of a plain name with their lengths in front, and the root behind them. */
export function encodeName(name: string): Uint8Array {
  const bytes = Buffer.alloc(name.length + 2);
  let offset = 0;
  for (const label of name.split('.')) {
    bytes[offset] = label.length;
    bytes.write(label, offset + 1, 'latin1');
    offset += 1 + label.length;
  }
  return bytes;
}

function plainBytes(): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of 'abcdefghijklmnopqrstuvwxyz0123456789-_') {
    table[character.charCodeAt(0)] = character.charCodeAt(0);
    table[character.toUpperCase().charCodeAt(0)] = character.charCodeAt(0);
  }
  return table;
}
