const IN_ADDR = '.in-addr.arpa';
const IP6 = '.ip6.arpa';
const V4_LABELS = 4;
const V6_LABELS = 32;
const OCTET = /^(?:0|[1-9]\d{0,2})$/;
const NIBBLE = /^[0-9a-f]$/;

/** What a name under in-addr.arpa or ip6.arpa speaks of: one address, a block of them, or something below either. */
export interface ReverseName {
  /** The first address of the block; IPv6 in full, eight groups of four digits. */
  readonly address: string;
  /** Length of the block's prefix: 32 or 128 is one address. */
  readonly prefixLength: number;
  /** More labels stand in front of it (`lb._dns-sd._udp.0.0.17.172.in-addr.arpa`). */
  readonly below: boolean;
}

/**
 * `2.0.17.172.in-addr.arpa` → 172.17.0.2/32; `17.172.in-addr.arpa` → 172.17.0.0/16. null for every name that is not in
 * those trees, and for their roots. The name is in lower case.
 */
export function parseReverseName(name: string): ReverseName | null {
  if (name.endsWith(IN_ADDR)) {
    const { labels, below } = leading(name.slice(0, -IN_ADDR.length), V4_LABELS, isOctet);
    if (labels.length === 0) return null;
    const address = [...labels, ...Array<string>(V4_LABELS - labels.length).fill('0')].join('.');
    return { address, prefixLength: labels.length * 8, below };
  }
  if (name.endsWith(IP6)) {
    const { labels, below } = leading(name.slice(0, -IP6.length), V6_LABELS, (label) => NIBBLE.test(label));
    if (labels.length === 0) return null;
    const address = labels
      .join('')
      .padEnd(V6_LABELS, '0')
      .replace(/(.{4})(?!$)/g, '$1:');
    return { address, prefixLength: labels.length * 4, below };
  }
  return null;
}

export function isOneAddress({ address, prefixLength, below }: ReverseName): boolean {
  return !below && prefixLength === (address.includes(':') ? 128 : 32);
}

/** From the right: as many labels as are numbers, at most `max`, the most significant first. */
function leading(text: string, max: number, isNumber: (label: string) => boolean) {
  const reversed = text.split('.').reverse();
  const end = reversed.findIndex((label, index) => index >= max || !isNumber(label));
  const labels = end === -1 ? reversed : reversed.slice(0, end);
  return { labels, below: labels.length < reversed.length };
}

function isOctet(label: string): boolean {
  return OCTET.test(label) && Number(label) <= 255;
}
