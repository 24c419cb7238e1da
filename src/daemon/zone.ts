import type { LocalName } from '../dns/index.js';
import { shortId } from '../model/container-id.js';
import type { NameRule } from '../model/dns-report.js';
import { NO_HOST_ACCESS } from '../model/host-access.js';
import type { Container } from './container.js';
import type { House } from './house.js';
import type { Links } from './links/index.js';

/** Names of the host's loopback for containers that may reach it. */
const HOST_NAMES = ['host.unet.internal', 'host.docker.internal', 'host.containers.internal'];

type ZoneHouse = Pick<House, 'registry' | 'network'> & { readonly links: Pick<Links, 'childByAlias'> };

interface Entry {
  /** The first that applies of name, alias, id. */
  rule: NameRule;
  readonly owners: Container[];
}

/** A name with what it means, for people. */
export interface ZoneName extends LocalName {
  readonly name: string;
}

/**
 * What names mean on one network: container names, `--network-alias`, short ids, each also with the network's name behind it, and the
 * asker's own link aliases, in any letter case. A hostname given with -h is none of them.
 *
 * Who has which name is an index, made anew at the first question after a container came, went or was renamed. Whether
 * they are up, and where, is read from their records at every question, and so cannot be stale.
 */
export class Zone {
  readonly #house: ZoneHouse;
  readonly #suffix: string;
  #generation = -1;
  #byName = new Map<string, Entry>();
  #byAddress = new Map<string, Container>();

  constructor(house: ZoneHouse) {
    this.#house = house;
    this.#suffix = `.${house.network.name.toLowerCase()}`;
  }

  /** A name in lower case as `asker` sees it; without addresses: ours, but down; null: not ours. */
  lookup(asker: string, name: string): LocalName | null {
    if (HOST_NAMES.includes(name)) return this.#host(asker);
    const found = this.#lookupAs(asker, name);
    if (found !== null || !name.endsWith(this.#suffix)) return found;
    return this.#lookupAs(asker, name.slice(0, -this.#suffix.length));
  }

  /** The name of an address; null: in our subnet, but nobody's; undefined: not ours. */
  reverse(address: string): string | null | undefined {
    const { network } = this.#house;
    if (address.includes(':') || !network.pool.contains(address)) return undefined;
    const holder = this.#holderOf(address);
    return holder ? `${holder.name}.${network.name}` : null;
  }

  /** Whether a block of addresses lies in our subnet. */
  owns(address: string, prefixLength: number): boolean {
    const { pool } = this.#house.network;
    return !address.includes(':') && prefixLength >= pool.subnet.prefixLength && pool.contains(address);
  }

  search(asker: string): readonly string[] {
    return this.#house.registry.get(asker)?.record.search ?? NO_DOMAINS;
  }

  /** Every name of the network, and of the asker's links, sorted. */
  names(asker: string | null): ZoneName[] {
    this.#refresh();
    const names = [...this.#byName].map(([name, entry]): ZoneName => ({ name, ...local(entry.rule, entry.owners) }));
    if (asker === null) return names.sort(byName);
    const links = this.#linkAliases(asker);
    const own = names.filter(({ name }) => !links.has(name));
    const linked = [...links].flatMap((name): ZoneName[] => {
      const meaning = this.#lookupAs(asker, name);
      return meaning === null ? [] : [{ name, ...meaning }];
    });
    const host = this.#host(asker);
    const hosts = host.addresses.length === 0 ? [] : HOST_NAMES.map((name): ZoneName => ({ name, ...host }));
    return [...own, ...linked, ...hosts].sort(byName);
  }

  /** The asker's link alias first: it is his own choice, and stays ours when the child is gone. */
  #lookupAs(asker: string, name: string): LocalName | null {
    const links = this.#house.registry.get(asker)?.record.links ?? [];
    if (links.length > 0 && links.some(({ alias }) => alias.toLowerCase() === name)) {
      const child = this.#house.links.childByAlias(asker, name);
      return local('link', child === undefined ? [] : [child]);
    }
    this.#refresh();
    const entry = this.#byName.get(name);
    return entry === undefined ? null : local(entry.rule, entry.owners);
  }

  #host(asker: string): LocalName {
    const access = this.#house.registry.get(asker)?.record.request.hostAccess ?? NO_HOST_ACCESS;
    const open = access.all || access.ports.length > 0;
    return { rule: 'host', owners: [], addresses: open ? [this.#house.network.gateway] : [] };
  }

  #linkAliases(asker: string): Set<string> {
    const links = this.#house.registry.get(asker)?.record.links ?? [];
    return new Set(links.map(({ alias }) => alias.toLowerCase()));
  }

  /** Leases change without the registry: what the index says is checked, and an address in use that it does not have is looked for. */
  #holderOf(address: string): Container | undefined {
    this.#refresh();
    const holder = this.#byAddress.get(address);
    if (holder !== undefined && holder.record.lease?.address === address) return holder;
    if (!this.#house.network.pool.isUsed(address)) return undefined;
    this.#generation = -1;
    this.#refresh();
    return this.#byAddress.get(address);
  }

  #refresh(): void {
    const { registry } = this.#house;
    if (this.#generation === registry.generation) return;
    this.#generation = registry.generation;
    this.#byName = new Map();
    this.#byAddress = new Map();
    const all = registry.all();
    for (const container of all) this.#enter(container.name, 'name', container);
    for (const container of all) {
      for (const alias of container.record.request.networkAliases) this.#enter(alias, 'alias', container);
    }
    for (const container of all) {
      this.#enter(shortId(container.id), 'id', container);
      const { lease } = container.record;
      if (lease !== null) this.#byAddress.set(lease.address, container);
    }
  }

  /** Several containers may share an alias, or a name but for its case: all of their addresses are the answer. */
  #enter(name: string, rule: NameRule, container: Container): void {
    const key = name.toLowerCase();
    const entry = this.#byName.get(key);
    if (entry === undefined) this.#byName.set(key, { rule, owners: [container] });
    else if (!entry.owners.includes(container)) entry.owners.push(container);
  }
}

const NO_DOMAINS: readonly string[] = [];

function local(rule: NameRule, owners: readonly Container[]): LocalName {
  const addresses: string[] = [];
  for (const { running, record } of owners) if (running && record.lease !== null) addresses.push(record.lease.address);
  return { rule, owners, addresses };
}

function byName(a: ZoneName, b: ZoneName): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
