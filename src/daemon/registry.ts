import { isIdPrefix, SHORT_ID_LENGTH } from '../model/container-id.js';
import { UnetError } from '../model/errors.js';
import type { Container } from './container.js';

/** All containers, live and ended, by id and by name. */
export class Registry {
  readonly #byId = new Map<string, Container>();
  readonly #byName = new Map<string, Container>();
  /** Counts what was added, deleted and renamed: an index over the containers is as old as the number it was built at. */
  generation = 0;

  /** @throws UnetError CONFLICT when the name is taken */
  add(container: Container): void {
    this.requireFree(container.name);
    this.#byId.set(container.id, container);
    this.#byName.set(container.name, container);
    this.generation++;
  }

  /**
   * One more name for a container that is here: on the way from one to another it has both.
   *
   * @throws UnetError CONFLICT when it is taken
   */
  claim(name: string, container: Container): void {
    this.requireFree(name);
    this.#byName.set(name, container);
    this.generation++;
  }

  unclaim(name: string, container: Container): void {
    this.generation++;
    if (this.#byName.get(name) === container) this.#byName.delete(name);
  }

  delete(container: Container): void {
    this.generation++;
    this.#byId.delete(container.id);
    // It may be on its way from one name to another.
    for (const [name, holder] of this.#byName) if (holder === container) this.#byName.delete(name);
  }

  get(id: string | null): Container | undefined {
    return id === null ? undefined : this.#byId.get(id);
  }

  hasName(name: string): boolean {
    return this.#byName.has(name);
  }

  requireFree(name: string): void {
    const holder = this.#byName.get(name);
    if (!holder) return;
    throw new UnetError(
      'CONFLICT',
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }

  /** Newest first. */
  all(): Container[] {
    return [...this.#byId.values()].reverse().sort((a, b) => compare(b.record.createdAt, a.record.createdAt));
  }

  /**
   * By full id, else by exact name, else by a link name (`web/db`), else by a prefix that only one id has.
   *
   * @throws UnetError NOT_FOUND, AMBIGUOUS
   */
  resolve(ref: string): Container {
    const name = ref.replace(/^\//, '');
    const exact = this.#byId.get(ref) ?? this.#byName.get(name) ?? this.#byLinkName(name);
    if (exact) return exact;
    const matches = isIdPrefix(ref) ? this.all().filter(({ id }) => id.startsWith(ref)) : [];
    if (matches.length > 1) throw new UnetError('AMBIGUOUS', `multiple IDs found with provided prefix: ${ref}`);
    if (matches[0]) return matches[0];
    throw new UnetError('NOT_FOUND', `No such container: ${ref}`);
  }

  /** What `web` calls `db`. A name has no slash, so the two cannot be confused. */
  #byLinkName(path: string): Container | undefined {
    const slash = path.indexOf('/');
    if (slash < 0) return undefined;
    const alias = path.slice(slash + 1);
    const link = this.#byName.get(path.slice(0, slash))?.record.links.find((link) => link.alias === alias);
    return link && this.#byId.get(link.child);
  }

  /** As DNS asks: the name in any case, or the short id. */
  findByHostName(name: string): Container | undefined {
    const lower = name.toLowerCase();
    return this.all().find(
      (container) => container.name.toLowerCase() === lower || container.id.slice(0, SHORT_ID_LENGTH) === lower,
    );
  }

  findByAddress(address: string): Container | undefined {
    return this.all().find(({ record }) => record.lease?.address === address);
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
