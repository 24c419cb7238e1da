import { BlockList, isIPv6 } from 'node:net';
import { isConfigWord } from './config-word.js';
import { UnetError } from './errors.js';
import { canonicalAddress } from './ip-address.js';

/** A domain of `--dns-search` that means: no search domain at all. */
export const NO_SEARCH = '.';

/** What a DNS name and one of its labels may hold. */
const MAX_DOMAIN_LENGTH = 253;
const MAX_OPTION_LENGTH = 255;
const DOMAIN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const ALIAS = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

const OWN_LOOPBACK = new BlockList();
OWN_LOOPBACK.addSubnet('127.0.0.0', 8);
OWN_LOOPBACK.addAddress('::1', 'ipv6');

/** "This host", which is a resolver of the one who asks, and ours is on the host. */
const UNSPECIFIED: readonly string[] = ['0.0.0.0', '::'];

const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16);

/**
 * The address of a DNS server, IPv4 or IPv6, in its shortest form, as in Docker. Not the unspecified one: asked from the host it
 * would be the resolver on the host's loopback.
 *
 * @throws UnetError INVALID
 */
export function parseDnsServer(text: string): string {
  const address = canonicalAddress(text.trim());
  if (address !== null && !isUnspecified(address)) return address;
  throw new UnetError('INVALID', `IP address is not correctly formatted: ${text}`);
}

/**
 * A search domain. It has a letter, and labels of letters, digits and inner hyphens. A final dot is taken off, and so is
 * one leading dot, which people write as in `.example.com`; `.` alone stays and means none.
 *
 * @throws UnetError INVALID
 */
export function parseDnsSearch(text: string): string {
  const given = text.trim();
  if (given === NO_SEARCH) return NO_SEARCH;
  const domain = given.replace(/^\./, '').replace(/\.$/, '');
  if (domain.length <= MAX_DOMAIN_LENGTH && /[a-z]/i.test(domain) && DOMAIN.test(domain)) return domain;
  throw new UnetError('INVALID', `${text} is not a valid domain`);
}

/**
 * A word of the `options` line. What it means is between the user and the C library.
 *
 * @throws UnetError INVALID
 */
export function parseDnsOption(text: string): string {
  if (text.length <= MAX_OPTION_LENGTH && isConfigWord(text)) return text;
  throw new UnetError('INVALID', `invalid DNS option ${JSON.stringify(text)}: it must be one word, such as ndots:1`);
}

/**
 * Another name by which a container is found.
 *
 * @throws UnetError INVALID
 */
export function parseNetworkAlias(text: string): string {
  if (text.length <= MAX_DOMAIN_LENGTH && ALIAS.test(text)) return text;
  throw new UnetError(
    'INVALID',
    `invalid network alias ${JSON.stringify(text)}: give a name of letters, digits, '_' and '-', with dots between its parts`,
  );
}

/**
 * Whether a DNS server's address is the asker's own loopback: it then means a resolver inside the container, which nobody
 * outside can ask.
 */
export function isOwnResolver(address: string): boolean {
  return OWN_LOOPBACK.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

export function isUnspecified(address: string): boolean {
  return UNSPECIFIED.includes(address);
}

/** Of the host's neighbourhood, as the metadata services of clouds are. */
export function isLinkLocal(address: string): boolean {
  return !isIPv6(address) && LINK_LOCAL.check(address);
}
