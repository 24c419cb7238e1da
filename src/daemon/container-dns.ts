import { isDeepStrictEqual } from 'node:util';
import type { ServerChoice } from '../dns/index.js';
import { renderResolvConf, searchDomains } from '../files/index.js';
import { chooseDns, type DnsChoice } from '../model/dns-choice.js';
import { isLinkLocal, isOwnResolver } from '../model/dns-options.js';
import type { ParsedResolvConf } from '../model/resolv-conf.js';
import type { Container } from './container.js';
import type { House } from './house.js';
import type { ContainerRecord } from './record.js';

const DNS_PORT = 53;

type RewritingHouse = Pick<House, 'registry' | 'network' | 'state' | 'log'>;

/**
 * What a container's resolver is told, and whom it is answered by. Each list is the run's, else the daemon's, else the host's. The
 * daemon's are those of the container's last start: a daemon that comes with others changes nothing under a running guest.
 */
function dnsOf({ request, dnsDefaults }: ContainerRecord, host: ParsedResolvConf): DnsChoice {
  return chooseDns(request.dns, dnsDefaults, { ...host, servers: host.nameservers });
}

/** At a start, before the file is written: the daemon's lists, and what will stand there, come into the record. */
export function adoptDns(house: Pick<House, 'settings' | 'hostResolvConf'>, record: ContainerRecord): void {
  const { servers, search, options } = house.settings.dns;
  record.dnsDefaults = { servers: copy(servers), search: copy(search), options: copy(options) };
  noteLists(record, house.hostResolvConf());
}

export function resolvConfOf(house: Pick<House, 'network'>, record: ContainerRecord, host: ParsedResolvConf): string {
  return renderResolvConf({ gateway: house.network.gateway, host, chosen: dnsOf(record, host) });
}

/** Whom the proxy asks for this container; null: whom the host asks at that moment. */
export function serversOf(record: ContainerRecord): ServerChoice | null {
  const { request, dnsDefaults } = record;
  const open = reachesLinkLocal(record) ? { linkLocal: true } : {};
  if (request.dns.servers !== null) return { origin: 'run', servers: request.dns.servers, ...open };
  return dnsDefaults.servers && { origin: 'daemon', servers: dnsDefaults.servers, ...open };
}

export function dnsWarnings(record: ContainerRecord): string[] {
  const servers = record.request.dns.servers ?? record.dnsDefaults.servers ?? [];
  const own = servers.filter(isOwnResolver);
  const closed = reachesLinkLocal(record) ? [] : servers.filter(isLinkLocal);
  return [
    ...listed(own, (addresses) => {
      return `DNS server ${addresses} is asked inside the container: it does not know the names of other containers, which come from /etc/hosts only`;
    }),
    ...listed(closed, (addresses) => {
      return `DNS server ${addresses} is not asked: link-local addresses are closed to containers; --host-access ${DNS_PORT} opens them`;
    }),
  ];
}

/** Decision 13: closed, unless the run opens the port or all. */
function reachesLinkLocal({ request }: ContainerRecord): boolean {
  const { all, ports } = request.hostAccess;
  return all || ports.includes(DNS_PORT);
}

function listed(addresses: readonly string[], text: (list: string) => string): string[] {
  return addresses.length === 0 ? [] : [text(addresses.join(', '))];
}

/**
 * The host's resolv.conf changed, or may have while no daemon ran: running containers whose search or options are the host's get theirs
 * in place. Whom the host asks is no reason: that is the proxy's business, and the file names the gateway.
 */
export function rewriteResolvConf(house: RewritingHouse, host: ParsedResolvConf): void {
  for (const container of house.registry.all()) refreshResolvConf(house, container, host);
}

/** For one; also when its files have been written and its command not started: the host's may have changed in between. */
export function refreshResolvConf(
  house: Omit<RewritingHouse, 'registry'>,
  container: Container,
  host: ParsedResolvConf,
): void {
  const { record } = container;
  if (record.phase !== 'starting' && record.phase !== 'running') return;
  const before = [record.search, record.options];
  noteLists(record, host);
  if (isDeepStrictEqual([record.search, record.options], before)) return;
  house.state.rewriteEtc(container.id, 'resolv.conf', resolvConfOf(house, record, host));
  void container
    .serially(() => house.state.save(record))
    .catch((error) => {
      house.log.warn({ err: error, container: container.id }, 'its new search domains were not written down');
    });
}

/** What stands in the file, for the proxy, which takes search domains off, and to find out whether it would now be another. */
function noteLists(record: ContainerRecord, host: ParsedResolvConf): void {
  const { search, options } = dnsOf(record, host);
  record.search = [...searchDomains(search)];
  record.options = [...options.list];
}

function copy(list: readonly string[] | null): string[] | null {
  return list && [...list];
}
