import ipaddr from 'ipaddr.js';
import { UnetError } from '../model/errors.js';

/** One container's place on a network. */
export interface Lease {
  readonly address: string;
  readonly mac: string;
}

/** Docker's pools, in its order: five at /16 and 192.168.0.0/16 in pieces of /20. */
const POOLS = [
  ...Array.from({ length: 15 }, (_, index) => `172.${17 + index}.0.0/16`),
  ...Array.from({ length: 16 }, (_, index) => `192.168.${index * 16}.0/20`),
];

/** `172.17.0.2` → `02:42:ac:11:00:02`. */
export function macOf(address: string): string {
  return ['02', '42', ...octetsOf(address).map((octet) => octet.toString(16).padStart(2, '0'))].join(':');
}

/**
 * The first pool that overlaps no route of the host, so that no address which the host can reach disappears for the guests.
 *
 * @throws UnetError UNAVAILABLE
 */
export function chooseSubnet(hostRoutes: readonly Subnet[]): Subnet {
  const free = POOLS.map(parseSubnet).find((pool) => !hostRoutes.some((route) => overlap(pool, route)));
  if (free) return free;
  throw new UnetError(
    'UNAVAILABLE',
    'all predefined address pools have been fully subnetted: the host has routes to each',
  );
}

/** The routes in the text of /proc/net/route, without the default route, which overlaps everything and says nothing. */
export function parseRoutes(text: string): Subnet[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, destination, , , , , , mask] = line.split(/\s+/);
      if (!destination || !mask || mask === '00000000') return [];
      const [first, bits] = [hostOrder(destination), hostOrder(mask)];
      return Number.isNaN(first) || Number.isNaN(bits) ? [] : [{ first, prefixLength: Math.clz32(~bits >>> 0) }];
    });
}

export interface Subnet {
  /** The network's address as a number. */
  readonly first: number;
  readonly prefixLength: number;
}

export function parseSubnet(text: string): Subnet {
  const [address, prefixLength] = ipaddr.IPv4.parseCIDR(text);
  const size = 2 ** (32 - prefixLength);
  const value = toNumber(address.octets);
  return { first: value - (value % size), prefixLength };
}

export function formatSubnet({ first, prefixLength }: Subnet): string {
  return `${toAddress(first)}/${prefixLength}`;
}

/** Lowest free address first. The network's own address, the gateway (the first) and the broadcast address stay reserved. */
export class AddressPool {
  readonly subnet: Subnet;
  readonly gateway: string;
  readonly #used = new Set<number>();

  constructor(subnet: Subnet) {
    this.subnet = subnet;
    this.gateway = toAddress(subnet.first + 1);
  }

  /** @throws UnetError UNAVAILABLE */
  lease(): Lease {
    for (let value = this.subnet.first + 2; value < this.#broadcast; value++) {
      if (this.#used.has(value)) continue;
      this.#used.add(value);
      const address = toAddress(value);
      return { address, mac: macOf(address) };
    }
    throw new UnetError('UNAVAILABLE', 'no available addresses on this pool');
  }

  /** Takes an address that a container from before a crash of the daemon still has. */
  reserve(address: string): void {
    this.#used.add(toNumber(octetsOf(address)));
  }

  free(address: string): void {
    this.#used.delete(toNumber(octetsOf(address)));
  }

  isUsed(address: string): boolean {
    return this.#used.has(toNumber(octetsOf(address)));
  }

  contains(address: string): boolean {
    const value = toNumber(octetsOf(address));
    return value >= this.subnet.first && value <= this.#broadcast;
  }

  get #broadcast(): number {
    return this.subnet.first + 2 ** (32 - this.subnet.prefixLength) - 1;
  }
}

function overlap(a: Subnet, b: Subnet): boolean {
  const size = 2 ** (32 - Math.min(a.prefixLength, b.prefixLength));
  return Math.floor(a.first / size) === Math.floor(b.first / size);
}

/** /proc/net/route prints the bytes of an address as a little-endian number. */
function hostOrder(hex: string): number {
  const value = Number.parseInt(hex, 16);
  const bytes = [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255];
  return Number.isNaN(value) ? value : toNumber(bytes);
}

function octetsOf(address: string): number[] {
  return ipaddr.IPv4.parse(address).octets;
}

function toNumber(octets: readonly number[]): number {
  return octets.reduce((value, octet) => value * 256 + octet, 0);
}

function toAddress(value: number): string {
  return new ipaddr.IPv4([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]).toString();
}
