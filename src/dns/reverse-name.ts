import { isIPv4, isIPv6 } from 'node:net';

const HEX_DIGIT = /^[0-9a-f]$/;
const V6_NIBBLES = 32;

/**
 * `2.0.17.172.in-addr.arpa` → `172.17.0.2`; 32 nibbles under `ip6.arpa` → an IPv6 address in full, eight groups of four
 * digits. null for every other name, names of whole zones (`17.172.in-addr.arpa`) among them.
 */
export function addressOfReverseName(name: string): string | null {
  if (name.endsWith('.in-addr.arpa')) {
    const address = name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.');
    return isIPv4(address) ? address : null;
  }
  if (name.endsWith('.ip6.arpa')) {
    const nibbles = name.slice(0, -'.ip6.arpa'.length).split('.').reverse();
    if (nibbles.length !== V6_NIBBLES || !nibbles.every((nibble) => HEX_DIGIT.test(nibble))) return null;
    const address = nibbles.join('').replace(/(.{4})(?!$)/g, '$1:');
    return isIPv6(address) ? address : null;
  }
  return null;
}
