import type { ContainerDns, DnsName, DnsUpstream, NetworkDns } from '../api/dns.js';
import type { DnsService, ServerChoice, UpstreamStatus } from '../dns/index.js';
import { isOwnResolver } from '../model/dns-options.js';
import type { Container } from './container.js';
import { serversOf } from './container-dns.js';
import type { House } from './house.js';
import type { Zone, ZoneName } from './zone.js';

/** What the views are made of. */
export interface DnsParts {
  readonly house: Pick<House, 'network'>;
  readonly zone: Zone;
  readonly dns: DnsService;
}

/** The same, for who asks. */
export function serverChoiceOf({ registry }: Pick<House, 'registry'>, asker: string): ServerChoice | null {
  const container = registry.get(asker);
  return container === undefined ? null : serversOf(container.record);
}

/** `unet dns CONTAINER`: what it can resolve, and who is asked for the rest. */
export function containerDns({ house, zone, dns }: DnsParts, { id, name, record }: Container): ContainerDns {
  const choice = serversOf(record);
  const { gateway } = house.network;
  const nameservers = (choice?.servers ?? [gateway]).map((address) => (isOwnResolver(address) ? address : gateway));
  return {
    id,
    name,
    network: record.network.name,
    nameservers: [...new Set(nameservers)],
    search: record.search,
    names: zone.names(id).map(nameView),
    upstreams: dns.upstreams(id).map(upstreamView),
    figures: dns.figures(id),
  };
}

/** `unet dns`: the zone of the network, whom the host asks, and how much was asked. */
export function networkDns({ house, zone, dns }: DnsParts): NetworkDns {
  const { name, subnet, gateway } = house.network;
  const { inFlight, cacheEntries, cacheBytes, ...figures } = dns.totals();
  return {
    network: { name, subnet, gateway },
    names: zone.names(null).map(nameView),
    upstreams: dns.upstreams().map(upstreamView),
    figures,
    inFlight,
    cache: { entries: cacheEntries, bytes: cacheBytes },
  };
}

function nameView({ name, rule, owners, addresses }: ZoneName): DnsName {
  return { name, rule, owners: owners.map((owner) => owner.name), addresses };
}

function upstreamView({ server, failed, reason, failedForMs, asked, answered, lastMs }: UpstreamStatus): DnsUpstream {
  const { address, origin, inside } = server;
  const failedForSeconds = failedForMs === null ? null : Math.round(failedForMs / 1000);
  const lastMilliseconds = lastMs === null ? null : Math.round(lastMs * 10) / 10;
  return { address, origin, inside, failed, reason, failedForSeconds, asked, answered, lastMilliseconds };
}
