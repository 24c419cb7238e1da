import { isIP } from 'node:net';
import { isLinkLocal, isOwnResolver, isUnspecified } from '../model/dns-options.js';
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
  /** Port 53 of the host's link-local neighbours is open to the container (`--host-access`). */
  readonly linkLocal?: boolean;
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
 *
 * What is closed to a container is not opened by naming it as a server, though it is we who ask: the unspecified address is the host's
 * loopback, and 169.254.0.0/16 has the metadata services of clouds (`--host-access 53` opens it). The host's own file may name either.
 */
export function serverList(
  choice: ServerChoice | null,
  host: readonly string[],
  asker: string,
  reach: Reach,
): ServerList {
  const origin = choice?.origin ?? 'host';
  const addresses = (choice?.servers ?? host).filter(
    (address) => isIP(address) !== 0 && !reach.isGateway(address) && (choice === null || isOpen(address, choice)),
  );
  const servers = [...new Set(addresses)].map((address): Server => {
    const inside = choice !== null && reach.isInside(asker, address);
    return { key: inside ? `${address} inside` : address, address, origin, inside };
  });
  return { key: servers.map(({ key }) => key).join(','), servers };
}

function isOpen(address: string, { linkLocal = false }: ServerChoice): boolean {
  return !isOwnResolver(address) && !isUnspecified(address) && (linkLocal || !isLinkLocal(address));
}
