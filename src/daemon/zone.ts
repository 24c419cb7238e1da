import { NO_HOST_ACCESS } from '../model/host-access.js';
import type { Container } from './container.js';
import type { House } from './house.js';

/** Names of the host's loopback for containers that may reach it. */
const HOST_NAMES = ['host.unet.internal', 'host.docker.internal', 'host.containers.internal'];

/** What names mean inside; asked anew for every DNS question, so it cannot be stale. */
export class Zone {
  readonly #house: Pick<House, 'registry' | 'network'>;

  constructor(house: Pick<House, 'registry' | 'network'>) {
    this.#house = house;
  }

  /** Addresses of a name as `asker` sees it; empty: ours, but down; null: not ours. */
  lookup(asker: string, name: string): readonly string[] | null {
    if (HOST_NAMES.includes(name)) return this.#mayReachHost(asker) ? [this.#house.network.gateway] : [];
    const container = this.#find(name);
    if (!container) return null;
    const address = container.running ? container.record.lease?.address : undefined;
    return address === undefined ? [] : [address];
  }

  /** The name of an address; null: in our subnet, but nobody's; undefined: not ours. */
  reverse(address: string): string | null | undefined {
    const { registry, network } = this.#house;
    if (address.includes(':') || !network.pool.contains(address)) return undefined;
    const container = registry.findByAddress(address);
    return container ? `${container.name}.${network.name}` : null;
  }

  search(asker: string): readonly string[] {
    return this.#house.registry.get(asker)?.record.search ?? [];
  }

  /** `web`, its short id, and either with the network's name behind it. */
  #find(name: string): Container | undefined {
    const { registry, network } = this.#house;
    const suffix = `.${network.name}`;
    const bare = name.endsWith(suffix) ? name.slice(0, -suffix.length) : null;
    return registry.findByHostName(name) ?? (bare === null ? undefined : registry.findByHostName(bare));
  }

  #mayReachHost(asker: string): boolean {
    const access = this.#house.registry.get(asker)?.record.request.hostAccess ?? NO_HOST_ACCESS;
    return access.all || access.ports.length > 0;
  }
}
