import { usageError } from './errors.js';

/** RFC 791: every IPv4 host takes 68 octets. */
export const MIN_MTU = 68;
/** The largest that leaves room for the Ethernet header in a 64 KiB frame, and what a TAP takes. */
export const MAX_MTU = 65520;
export const DEFAULT_MTU = 1500;

/** The kernel's limit of a host name (`__NEW_UTS_LEN`), in bytes. */
export const MAX_HOSTNAME_LENGTH = 64;
const HOSTNAME = /^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9_])?$/;

/** @throws UnetError USAGE */
export function parseMtu(text: string): number {
  const mtu = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(mtu >= MIN_MTU && mtu <= MAX_MTU)) {
    throw usageError(`invalid MTU number: ${text} (give bytes from ${MIN_MTU} to ${MAX_MTU})`);
  }
  return mtu;
}

export function isHostname(text: string): boolean {
  return text.length <= MAX_HOSTNAME_LENGTH && HOSTNAME.test(text);
}

/** @throws UnetError USAGE */
export function parseHostname(text: string): string {
  if (isHostname(text)) return text;
  throw usageError(
    `invalid hostname '${text}': give at most ${MAX_HOSTNAME_LENGTH} letters, digits, '.', '_' or '-', starting with a letter or digit`,
  );
}
