import { readFileSync } from 'node:fs';
import { directivesOf, renderResolvConf, searchDomains } from '../files/index.js';
import { chooseDns, type DnsChoice } from '../model/dns-choice.js';
import { isOwnResolver } from '../model/dns-options.js';
import type { ParsedResolvConf } from '../model/resolv-conf.js';
import type { House } from './house.js';
import type { ContainerRecord } from './record.js';

/**
 * What a container's resolver is told, and whom it is answered by. Each list is the run's, else the daemon's, else the host's. The
 * daemon's are those of the container's last start: a daemon that comes with others changes nothing under a running guest.
 */
function dnsOf({ request, dnsDefaults }: ContainerRecord, host: ParsedResolvConf): DnsChoice {
  return chooseDns(request.dns, dnsDefaults, { ...host, servers: host.nameservers });
}

/** At a start, before the file is written: the daemon's lists, and the search domains that the proxy takes off, come into the record. */
export function adoptDns(house: Pick<House, 'settings' | 'hostResolvConf'>, record: ContainerRecord): void {
  const { servers, search, options } = house.settings.dns;
  record.dnsDefaults = { servers: copy(servers), search: copy(search), options: copy(options) };
  record.search = [...searchDomains(dnsOf(record, house.hostResolvConf()).search)];
}

export function resolvConfOf(house: Pick<House, 'network'>, record: ContainerRecord, host: ParsedResolvConf): string {
  return renderResolvConf({ gateway: house.network.gateway, host, chosen: dnsOf(record, host) });
}

/** Whom the proxy asks for this container; null: whom the host asks at that moment. */
export function serversOf({
  request,
  dnsDefaults,
}: ContainerRecord): { readonly origin: 'run' | 'daemon'; readonly servers: readonly string[] } | null {
  if (request.dns.servers !== null) return { origin: 'run', servers: request.dns.servers };
  return dnsDefaults.servers && { origin: 'daemon', servers: dnsDefaults.servers };
}

export function dnsWarnings({ request, dnsDefaults }: ContainerRecord): string[] {
  const servers = request.dns.servers ?? dnsDefaults.servers ?? [];
  const own = servers.filter(isOwnResolver);
  if (own.length === 0) return [];
  return [
    `DNS server ${own.join(', ')} is asked inside the container: it does not know the names of other containers, which come from /etc/hosts only`,
  ];
}

/**
 * The host's resolv.conf changed, or may have while no daemon ran: running containers whose search or options are the host's get theirs
 * in place. Whom the host asks is no reason: that is the proxy's business, and the file names the gateway.
 */
export function rewriteResolvConf(
  house: Pick<House, 'registry' | 'network' | 'state' | 'log'>,
  host: ParsedResolvConf,
): void {
  for (const container of house.registry.all()) {
    const { record } = container;
    if (!container.live || record.lease === null) continue;
    const chosen = dnsOf(record, host);
    if (chosen.search.origin !== 'host' && chosen.options.origin !== 'host') continue;
    const text = resolvConfOf(house, record, host);
    try {
      const written = readFileSync(house.state.etcFile(container.id, 'resolv.conf'), 'utf8');
      if (directivesOf(written) === directivesOf(text)) continue;
      house.state.rewriteEtc(container.id, 'resolv.conf', text);
    } catch (error) {
      house.log.warn({ err: error, container: container.id }, 'its resolv.conf was not rewritten');
      continue;
    }
    record.search = [...searchDomains(chosen.search)];
    void container.serially(() => house.state.save(record)).catch(() => {});
  }
}

function copy(list: readonly string[] | null): string[] | null {
  return list && [...list];
}
