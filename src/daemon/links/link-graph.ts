import type { ContainerRequest } from '../../api/types.js';
import { linkLines, renderHosts } from '../../files/hosts.js';
import { shortId } from '../../model/container-id.js';
import { messageOf, UnetError } from '../../model/errors.js';
import type { ExposedPort } from '../../model/exposed-port.js';
import type { Container } from '../container.js';
import type { House } from '../house.js';
import type { Listeners } from '../listeners/index.js';
import type { ContainerRecord } from '../record.js';
import { declaredPorts } from './declared-ports.js';
import type { Links, LinksAtStart } from './index.js';
import { LinkNames } from './link-names.js';
import { prepareLinks } from './prepare-links.js';

export type LinkHouse = Pick<House, 'registry' | 'state' | 'network' | 'log'>;

/** The one link graph: see `Links`. */
export class LinkGraph implements Links {
  readonly #house: LinkHouse;
  readonly #listeners: Listeners;
  readonly #names: LinkNames;

  constructor(house: LinkHouse, listeners: Listeners) {
    this.#house = house;
    this.#listeners = listeners;
    this.#names = new LinkNames(house.registry);
  }

  bind(parent: string, requests: ContainerRequest['links']): ContainerRecord['links'] {
    const links: ContainerRecord['links'] = [];
    for (const { target, alias } of requests) {
      const child = this.#target(target);
      // In any case of letters, as names are looked up in DNS and in hosts files.
      if (links.some((link) => sameName(link.alias, alias))) {
        this.#house.log.warn({ parent, alias, target }, 'a link has the alias of an earlier one, which stays; dropped');
      } else links.push({ child: child.id, alias });
    }
    return links;
  }

  prepare(parent: Container, signal: AbortSignal): Promise<LinksAtStart> {
    return prepareLinks(parent, signal, {
      registry: this.#house.registry,
      listeners: this.#listeners,
      exposedBy: (child) => this.exposedBy(child),
    });
  }

  hosts(record: ContainerRecord): string {
    const { hostname, links, request } = record;
    const linked = links.flatMap(({ child: id, alias }) => {
      const child = this.#house.registry.get(id);
      if (!child?.running) return [];
      // A reader takes the first line that has the word: what another link is called is not for this child's line, too.
      const isFree = (word: string) => !links.some((link) => link.alias !== alias && sameName(link.alias, word));
      const others = [shortId(child.id), child.name].filter(isFree);
      return linkLines({ addresses: addressesOf(child.record), alias, others });
    });
    const added = request.extraHosts.map(({ name, address }) => ({
      address: address === 'host-gateway' ? this.#house.network.gateway : address,
      name,
    }));
    return renderHosts({ addresses: addressesOf(record), hostname, extra: [...linked, ...added] });
  }

  /** Its own file as well: a child may have come or gone between the writing of that and its start. */
  changed(container: Container): void {
    const parents = this.#names.parentsOf(container.id).map(({ parent }) => parent);
    for (const { id, record } of new Set([container, ...parents])) {
      if (record.phase !== 'starting' && record.phase !== 'running') continue;
      this.#house.state.rewriteEtc(id, 'hosts', this.hosts(record));
    }
  }

  async unlink(path: string): Promise<void> {
    const { registry, state, log } = this.#house;
    const name = path.replace(/^\//, '');
    const slash = name.indexOf('/');
    if (slash < 0) {
      registry.resolve(name);
      throw new UnetError('CONFLICT', 'Conflict, cannot remove the default link name of the container');
    }
    const alias = name.slice(slash + 1);
    const parent = registry.resolve(name.slice(0, slash));
    await parent.serially(async () => {
      const { record } = parent;
      const before = record.links;
      const left = before.filter((link) => link.alias !== alias);
      if (parent.removed || left.length === before.length) {
        throw new UnetError('NOT_FOUND', `No such container: ${name}`);
      }
      // Here first: whoever writes the record meanwhile must not write the link back.
      record.links = left;
      try {
        await state.save(record);
      } catch (error) {
        record.links = before;
        throw error;
      }
      registry.generation++;
      this.changed(parent);
    });
    log.info({ parent: parent.id, name: parent.name, alias }, 'link removed');
  }

  namesOf({ id, name }: Container): string[] {
    const linkNames = this.#names.parentsOf(id).map(({ parent, alias }) => `${parent.name}/${alias}`);
    return [name, ...linkNames.sort()];
  }

  childByAlias(asker: string, alias: string): Container | undefined {
    const { registry } = this.#house;
    const link = registry.get(asker)?.record.links.find((link) => sameName(link.alias, alias));
    return link && registry.get(link.child);
  }

  exposedBy(container: Container): readonly ExposedPort[] {
    const { request } = container.record;
    const declared = declaredPorts(request);
    return declared.length > 0 || !request.exposeSeen ? declared : this.#listeners.seen(container);
  }

  close(): void {
    this.#listeners.close();
  }

  #target(ref: string): Container {
    try {
      return this.#house.registry.resolve(ref);
    } catch (error) {
      const code = error instanceof UnetError ? error.code : 'INTERNAL';
      throw new UnetError(code, `could not get container for ${ref}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** IPv4 first. */
function addressesOf({ lease }: ContainerRecord): string[] {
  return lease === null ? [] : [lease.address];
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
