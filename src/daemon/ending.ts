import { messageOf } from '../model/errors.js';
import type { Container } from './container.js';
import type { House } from './house.js';
import type { ExitRecord } from './state-store.js';

/** The status of a container whose supervisor vanished without a word: it was killed (128 + SIGKILL). */
export const KILLED: ExitRecord = { exitCode: 137, finishedAt: null };

/**
 * Takes back what a container has. Whatever ends one, an error on the way up, its own end, a removal, comes through here, and
 * every step bears being done twice. Memory changes at once, so that names, addresses and ports are free for the next;
 * files follow, and who waits is woken last.
 */
export class Ending {
  readonly #house: House;

  constructor(house: House) {
    this.#house = house;
  }

  /** It did not come up: it is again what it was before its start, and nothing stays of one that was made for it. */
  async undo(container: Container, reason: string): Promise<void> {
    if (!container.live) return;
    this.#house.log.info({ container: container.id, name: container.name, reason }, 'container taken back');
    this.#giveBack(container);
    const { record } = container;
    if (record.before === null) return this.forget(container);
    Object.assign(record, record.before, { before: null });
    this.#house.links.changed(container);
    await this.#settle(container, () => this.#house.state.save(record));
  }

  /** As `undo`, and the launcher is told why, for the one line that its user sees. */
  async abort(container: Container, message: string): Promise<void> {
    if (!container.live) return;
    this.#house.engine.ifRunning((stack) => stack.abort(container.id, message));
    await this.undo(container, message);
  }

  /** The command ended: the container stays listed, unless it was to be removed. */
  async finish(container: Container, { exitCode, finishedAt }: ExitRecord): Promise<void> {
    if (!container.live) return;
    const { record } = container;
    this.#house.log.info({ container: container.id, name: container.name, exitCode }, 'container ended');
    this.#giveBack(container);
    const isKept = container.keptOnce || !record.request.autoRemove;
    container.keptOnce = false;
    record.before = null;
    record.phase = 'exited';
    record.exitCode = exitCode;
    record.finishedAt = finishedAt ?? new Date().toISOString();
    if (!isKept) return this.forget(container);
    this.#house.links.changed(container);
    await this.#settle(container, () => this.#house.state.save(record));
  }

  /** Takes a container that is not live off the list and its files off the disk. */
  async forget(container: Container): Promise<void> {
    container.removed = true;
    this.#house.registry.delete(container);
    this.#house.links.changed(container);
    await this.#settle(container, async () => {
      try {
        await this.#house.state.remove(container.id);
      } catch (error) {
        container.leftBehind = messageOf(error);
        throw error;
      }
    });
  }

  #giveBack(container: Container): void {
    const { engine, ports, network, registry } = this.#house;
    const { record } = container;
    container.clearTimer();
    container.up.abort();
    container.attached = false;
    engine.ifRunning((stack) => stack.dropEndpoint(container.id));
    ports.release(container.id);
    if (record.lease) network.pool.free(record.lease.address);
    record.lease = null;
    record.published = [];
    record.faults = null;
    record.faultsTo = {};
    for (const other of registry.all()) delete other.record.faultsTo[container.id];
    record.supervisor = null;
    record.pid = null;
    container.releaseIdle?.();
    container.releaseIdle = null;
  }

  async #settle(container: Container, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#house.log.error({ err: error, container: container.id }, 'the state of an ended container was not written');
    }
    container.settled = true;
    container.changed();
  }
}
