import type { ContainerStatus, ContainerSummary } from '../api/types.js';
import type { Links } from './links/index.js';
import type { ContainerRecord } from './record.js';

/** One container in the daemon's memory: its record, and who waits for it to change. */
export class Container {
  readonly record: ContainerRecord;
  /** Nothing is left of it but this object in the hands of those who wait. */
  removed = false;
  /** That it is not live is on the disk, too. */
  settled = false;
  /** It is being removed: no start can come in between. */
  removing = false;
  /** How many are about to stop it. */
  stops = 0;
  /** For the next end only: it stays, although it was to remove itself. */
  keptOnce = false;
  /** Aborted when the start under way is given up. */
  up = new AbortController();
  /** Why its directory is still there, although it was to be removed. */
  leftBehind: string | null = null;
  /** Whether the engine holds its TAP now. */
  attached = false;
  /** Ends the life of its ticket, or the wait for a supervisor that should come back. */
  timer: NodeJS.Timeout | null = null;
  /** Stops watching whoever asked for it; of use while the ticket is out. */
  forgetCreator: (() => void) | null = null;
  /** Gives back the daemon's wakefulness; set while it is live. */
  releaseIdle: (() => void) | null = null;
  readonly #waiters = new Set<() => void>();
  #queue: Promise<unknown> = Promise.resolve();

  constructor(record: ContainerRecord) {
    this.record = record;
  }

  get id(): string {
    return this.record.id;
  }

  get name(): string {
    return this.record.name;
  }

  /** On its way up or running: it holds an address, a ticket and maybe ports. */
  get live(): boolean {
    const { phase } = this.record;
    return !this.removed && phase !== 'exited' && phase !== 'made';
  }

  /** Nothing of it is up, and nothing of its end remains to be done. */
  get ended(): boolean {
    return !this.live && this.settled;
  }

  get running(): boolean {
    return !this.removed && this.record.phase === 'running';
  }

  get status(): ContainerStatus {
    const { phase } = this.record;
    return phase === 'running' || phase === 'exited' ? phase : 'created';
  }

  /** Runs one change after the other; what fails does not keep the next from running. */
  serially<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(change);
    this.#queue = result.catch(() => {});
    return result;
  }

  /** Wakes everybody who waits. */
  changed(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  onChange(listener: () => void): () => void {
    this.#waiters.add(listener);
    return () => this.#waiters.delete(listener);
  }

  /** True when `condition` held before `milliseconds` had passed or `signal` was aborted. */
  waitFor(condition: () => boolean, options: { milliseconds?: number; signal?: AbortSignal } = {}): Promise<boolean> {
    if (condition()) return Promise.resolve(true);
    const { milliseconds, signal } = options;
    if (signal?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const finish = (held: boolean) => {
        stop();
        if (timer) clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        resolve(held);
      };
      const onAbort = () => finish(false);
      const stop = this.onChange(() => condition() && finish(true));
      const timer = milliseconds === undefined ? null : setTimeout(() => finish(false), milliseconds);
      signal?.addEventListener('abort', onAbort);
    });
  }

  clearTimer(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.forgetCreator?.();
    this.forgetCreator = null;
  }

  summary(links: Links): ContainerSummary {
    const { record } = this;
    return {
      id: record.id,
      name: record.name,
      names: links.namesOf(this),
      command: record.request.argv,
      status: this.status,
      createdAt: record.createdAt,
      startedAt: record.startedAt,
      finishedAt: record.finishedAt,
      exitCode: record.exitCode,
      pid: record.pid,
      hostname: record.hostname,
      address: record.lease?.address ?? null,
      mac: record.lease?.mac ?? null,
      network: record.network.name,
      mtu: record.network.mtu,
      ports: record.published,
      exposed: links.exposedBy(this),
      autoRemove: record.request.autoRemove,
      device: record.device,
    };
  }
}
