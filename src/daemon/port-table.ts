import { readFileSync } from 'node:fs';
import { UnetError } from '../model/errors.js';
import type { PublishedPort } from '../model/port-list.js';
import type { PortRequest } from '../model/port-spec.js';
import { alreadyAllocated, bindError } from './port-errors.js';

/** Ephemeral numbers, as in Docker's first years: above those that the kernel hands out to clients on most hosts. */
const EPHEMERAL = { from: 49_153, to: 65_535 };
const DEFAULT_HOST_ADDRESS = '0.0.0.0';

/** Binds and unbinds for one container; the engine's `publish` and `unpublish`. */
export interface Binder {
  bind(port: PublishedPort): void;
  unbind(port: PublishedPort): void;
}

export interface PortTableOptions {
  /** The name of a container, for errors; its id where there is none. */
  readonly nameOf?: (owner: string) => string | undefined;
  /** Text of net.ipv4.ip_local_reserved_ports. */
  readonly reservedPorts?: () => string;
  /** Text of net.ipv4.ip_unprivileged_port_start. */
  readonly unprivilegedStart?: () => string;
}

interface Held extends PublishedPort {
  readonly owner: string;
}

/** A request with every choice but the number made. */
interface Wanted {
  /** The addresses that must share one number; with IPv6 the default will be `0.0.0.0` and `::`. */
  readonly addresses: readonly string[];
  readonly range: { readonly from: number; readonly to: number };
  readonly kind: 'exact' | 'range' | 'ephemeral';
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/**
 * Which host ports are ours, and the choice of new ones.
 *
 * The bind is the arbiter: this table only knows who of *us* holds a port (so that the error can say so, and because two
 * UDP sockets may bind side by side where a wildcard meets an address), and where the last search of a range ended.
 * Numbers out of a range go "next after the last given", so that a number just freed is not handed to somebody else
 * while its old clients may still call.
 */
export class PortTable {
  /** By number and protocol: what can be in each other's way. */
  readonly #held = new Map<string, Held[]>();
  readonly #lastGiven = new Map<string, number>();
  readonly #options: PortTableOptions;

  constructor(options: PortTableOptions = {}) {
    this.#options = options;
  }

  /**
   * Publishes all of a container's ports, or none: after a failure everything that was bound is unbound.
   *
   * @throws UnetError CONFLICT, INVALID or UNAVAILABLE
   */
  publish(owner: string, requests: readonly PortRequest[], binder: Binder): PublishedPort[] {
    const published: PublishedPort[] = [];
    try {
      for (const wanted of requests.map(toWanted).sort(inOrderOfAllocation)) {
        published.push(...this.#publishOne(owner, wanted, binder));
      }
      return published;
    } catch (error) {
      this.unpublish(owner, published, binder);
      throw error;
    }
  }

  /** Binds one port again with the number it had. @throws UnetError */
  republish(owner: string, port: PublishedPort, binder: Binder): void {
    this.#bind(owner, port, binder);
  }

  unpublish(owner: string, ports: readonly PublishedPort[], binder: Binder): void {
    for (const port of ports) {
      binder.unbind(port);
      this.#keep(slotOf(port), (held) => held.owner !== owner || held.hostAddress !== port.hostAddress);
    }
  }

  /** Forgets all ports of a container whose endpoint was dropped, and its listeners with it. */
  release(owner: string): void {
    for (const slot of this.#held.keys()) this.#keep(slot, (held) => held.owner !== owner);
  }

  #publishOne(owner: string, wanted: Wanted, binder: Binder): PublishedPort[] {
    if (wanted.kind === 'exact') return this.#bindGroup(owner, wanted, wanted.range.from, binder);
    const { from, to } = wanted.range;
    const key = `${wanted.addresses.join(',')}/${wanted.protocol}/${from}-${to}`;
    const reserved = wanted.kind === 'ephemeral' ? parsePortList(this.#reservedPorts()) : [];
    const last = this.#lastGiven.get(key) ?? to;
    for (let step = 1; step <= to - from + 1; step++) {
      const number = from + ((last - from + step) % (to - from + 1));
      if (reserved.some((range) => number >= range.from && number <= range.to)) continue;
      try {
        const ports = this.#bindGroup(owner, wanted, number, binder);
        this.#lastGiven.set(key, number);
        return ports;
      } catch (error) {
        if (!(error instanceof UnetError && error.code === 'CONFLICT')) throw error;
      }
    }
    throw new UnetError('UNAVAILABLE', `all ports are allocated: none of ${from}-${to}/${wanted.protocol} is free`);
  }

  /** One number on all addresses of the group, or on none. */
  #bindGroup(owner: string, wanted: Wanted, hostPort: number, binder: Binder): PublishedPort[] {
    const { containerPort, protocol } = wanted;
    const bound: PublishedPort[] = [];
    try {
      for (const hostAddress of wanted.addresses) {
        const port = { hostAddress, hostPort, containerPort, protocol };
        this.#bind(owner, port, binder);
        bound.push(port);
      }
      return bound;
    } catch (error) {
      this.unpublish(owner, bound, binder);
      throw error;
    }
  }

  #bind(owner: string, port: PublishedPort, binder: Binder): void {
    const neighbours = this.#held.get(slotOf(port)) ?? [];
    const taken = neighbours.find((held) => clash(held, port));
    if (taken) throw alreadyAllocated(port, taken.owner === owner ? 'published twice' : this.#by(taken));
    try {
      binder.bind(port);
    } catch (error) {
      throw bindError(port, error, () => this.#unprivilegedStart());
    }
    this.#held.set(slotOf(port), [...neighbours, { ...port, owner }]);
  }

  #keep(slot: string, stays: (held: Held) => boolean): void {
    const kept = this.#held.get(slot)?.filter(stays) ?? [];
    if (kept.length === 0) this.#held.delete(slot);
    else this.#held.set(slot, kept);
  }

  #by({ owner }: Held): string {
    return `by container ${this.#options.nameOf?.(owner) ?? owner}`;
  }

  #reservedPorts(): string {
    return (this.#options.reservedPorts ?? (() => readSysctl('ip_local_reserved_ports', '')))();
  }

  #unprivilegedStart(): number {
    const text = (this.#options.unprivilegedStart ?? (() => readSysctl('ip_unprivileged_port_start', '1024')))();
    return Number.parseInt(text, 10) || 1024;
  }
}

/** Reads the kernel's notation of port sets: `8080,9148-9150`. */
export function parsePortList(text: string): { from: number; to: number }[] {
  return text
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const [from = Number.NaN, to = from] = part.split('-').map(Number);
      return { from, to };
    });
}

function toWanted({ hostAddress, hostPort, containerPort, protocol }: PortRequest): Wanted {
  // Refused long before (requireCarried); here for the type.
  if (protocol === 'sctp') throw new UnetError('INTERNAL', 'an sctp port came as far as the port table');
  const addresses = [hostAddress ?? DEFAULT_HOST_ADDRESS];
  const range = hostPort ?? EPHEMERAL;
  const kind = hostPort === null ? 'ephemeral' : hostPort.from === hostPort.to ? 'exact' : 'range';
  return { addresses, range, kind, containerPort, protocol };
}

/** Exact numbers first, so that no search takes one that somebody asked for by name. */
function inOrderOfAllocation(a: Wanted, b: Wanted): number {
  const exact = (wanted: Wanted) => (wanted.kind === 'exact' ? 0 : 1);
  return (
    exact(a) - exact(b) ||
    a.containerPort - b.containerPort ||
    a.protocol.localeCompare(b.protocol) ||
    a.range.from - b.range.from ||
    a.addresses.join().localeCompare(b.addresses.join())
  );
}

function slotOf({ hostPort, protocol }: PublishedPort): string {
  return `${hostPort}/${protocol}`;
}

/** Of two with the same number and protocol. */
function clash(held: PublishedPort, port: PublishedPort): boolean {
  if (isV6(held) !== isV6(port)) return false;
  return held.hostAddress === port.hostAddress || isWildcard(held) || isWildcard(port);
}

function isV6({ hostAddress }: PublishedPort): boolean {
  return hostAddress.includes(':');
}

function isWildcard({ hostAddress }: PublishedPort): boolean {
  return hostAddress === '0.0.0.0' || hostAddress === '::';
}

function readSysctl(name: string, otherwise: string): string {
  try {
    return readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8');
  } catch {
    return otherwise;
  }
}
