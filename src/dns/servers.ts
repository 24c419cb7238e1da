import { isIP } from 'node:net';
import type { ServerOrigin } from '../model/dns-report.js';

/** A server that questions may be forwarded to. */
export interface Server {
  /** Tells it from the others in memories. */
  readonly key: string;
  readonly address: string;
  readonly origin: ServerOrigin;
  /** It stands in the container's own network, and is asked through that. */
  readonly inside: boolean;
}

export interface ServerList {
  /** Equal for lists whose answers may be shared. */
  readonly key: string;
  readonly servers: readonly Server[];
}

/** Of a run or of the daemon; it replaces the host's whole. */
export interface ServerChoice {
  readonly servers: readonly string[];
  readonly origin: 'run' | 'daemon';
}

export interface Reach {
  /** Our own address on a network: a question that went there would come back to us. */
  readonly isGateway: (address: string) => boolean;
  /** Whether it lies in one of the asker's networks. */
  readonly isInside: (asker: string, address: string) => boolean;
}

/**
 * The servers that the proxy asks for one container, in order. Loopback addresses of a choice mean the container's own resolver:
 * they stand in its resolv.conf and are never asked from here. Those of the host's file are the host's stub, and are.
 */
export function serverList(
  choice: ServerChoice | null,
  host: readonly string[],
  asker: string,
  reach: Reach,
): ServerList {
  const origin = choice?.origin ?? 'host';
  const addresses = (choice?.servers ?? host).filter(
    (address) => isIP(address) !== 0 && !reach.isGateway(address) && (choice === null || !isLoopback(address)),
  );
  const servers = [...new Set(addresses)].map((address): Server => {
    const inside = choice !== null && reach.isInside(asker, address);
    return { key: inside ? `${address} inside` : address, address, origin, inside };
  });
  return { key: servers.map(({ key }) => key).join(','), servers };
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
