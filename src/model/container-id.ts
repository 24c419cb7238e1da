/** Hex digits of an id as shown in tables and used as the default hostname. */
export const SHORT_ID_LENGTH = 12;
const ID_BYTES = 32;

const FULL_ID = /^[0-9a-f]{64}$/;
const ID_PREFIX = /^[0-9a-f]{1,64}$/;
const ALL_DIGITS = /^\d+$/;

/**
 * A new container id: 64 hex digits. Drawn again while the short form is all digits, because that form is the default
 * hostname, and a program that meets a host called `172017000002` takes it for an address.
 *
 * @param randomBytes source of at least 32 random bytes (node:crypto's `randomBytes`)
 */
export function newContainerId(randomBytes: (size: number) => Uint8Array): string {
  for (;;) {
    const id = Buffer.from(randomBytes(ID_BYTES)).toString('hex');
    if (!ALL_DIGITS.test(shortId(id))) return id;
  }
}

export function shortId(id: string): string {
  return id.slice(0, SHORT_ID_LENGTH);
}

export function isContainerId(text: string): boolean {
  return FULL_ID.test(text);
}

export function isIdPrefix(text: string): boolean {
  return ID_PREFIX.test(text);
}
