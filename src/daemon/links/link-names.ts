import type { Container } from '../container.js';
import type { Registry } from '../registry.js';

export interface ParentLink {
  readonly parent: Container;
  readonly alias: string;
}

/**
 * Who links to a container: what the records of the parents say, turned round. Made anew at the first question after a
 * container came or went or a link was taken away, which the registry counts.
 */
export class LinkNames {
  readonly #registry: Registry;
  #generation = -1;
  #byChild = new Map<string, ParentLink[]>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  parentsOf(child: string): readonly ParentLink[] {
    this.#refresh();
    return this.#byChild.get(child) ?? [];
  }

  #refresh(): void {
    const { generation } = this.#registry;
    if (this.#generation === generation) return;
    this.#generation = generation;
    this.#byChild = new Map();
    for (const parent of this.#registry.all()) {
      for (const { child, alias } of parent.record.links) {
        const links = this.#byChild.get(child) ?? [];
        links.push({ parent, alias });
        this.#byChild.set(child, links);
      }
    }
  }
}
