import { isIP, isIPv4 } from 'node:net';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * An address as the kernel prints it, without brackets; null: it is none. A zone (`fe80::1%eth0`) makes none of it, and
 * IPv4 written as IPv6 (`::ffff:127.0.0.1`) is IPv4: one address, one text.
 */
export function canonicalAddress(text: string): string | null {
  if (isIP(text) === 0 || text.includes('%')) return null;
  if (isIPv4(text)) return text;
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  return MAPPED.exec(text)?.[1] ?? mappedFromHex(canonical) ?? canonical;
}

/** `::ffff:7f00:1`. */
function mappedFromHex(canonical: string): string | null {
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!match?.[1] || !match[2]) return null;
  const [high, low] = [Number.parseInt(match[1], 16), Number.parseInt(match[2], 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
