import { messageOf } from '../model/errors.js';
import type { PublishedPort } from '../model/port-list.js';
import type { PublishSpec, StackEvent } from '../native/index.js';
import type { Container } from './container.js';
import { refreshResolvConf } from './container-dns.js';
import type { Ending } from './ending.js';
import type { House } from './house.js';
import { endpointSpec } from './launch-part.js';
import type { Binder } from './port-table.js';
import { identifyProcess } from './process-identity.js';
import { exitStatus } from './state-store.js';
import { watchSupervisor } from './supervisor-watch.js';

/** What is known of an event: one that was lost is made up from what the engine says now. */
type Heard = Pick<StackEvent, 'kind'> & Partial<StackEvent>;

/**
 * Carries a container from its TAP's arrival to its end, as the engine reports it:
 *
 *     attached → ports bound → record written → "go" → started → exited
 *
 * After a crash of the daemon or of the engine a running guest comes again as `attached` with `running`; it gets the same
 * ports back and "go".
 */
export class EndpointEvents {
  readonly #house: House;
  readonly #ending: Ending;

  constructor(house: House, ending: Ending) {
    this.#house = house;
    this.#ending = ending;
  }

  handle(event: Heard): void {
    if (event.kind === 'overflow') {
      this.#house.log.warn({ lost: event.lost }, 'events of the engine were lost; comparing its state with ours');
      this.#reconcile();
      return;
    }
    const container = this.#house.registry.get(event.endpoint ?? null);
    if (container)
      void container.serially(() => this.#apply(container, event)).catch((error) => this.#failed(container, error));
  }

  /** Announces a container to an engine that does not know it, and waits for its guest or for news of its end. */
  expectAgain(container: Container): void {
    this.#house.ports.release(container.id);
    container.attached = false;
    try {
      this.#house.engine.stack.expectEndpoint(endpointSpec(container.record));
    } catch (error) {
      // Its guest cannot come back, but its end will still be noticed; the others go on.
      this.#failed(container, error);
    }
    if (container.record.phase !== 'created') watchSupervisor(this.#house, this.#ending, container);
  }

  async #apply(container: Container, event: Heard): Promise<void> {
    // Before its TAP has come, all else is of an earlier start.
    if (!container.live || (container.record.phase === 'created' && event.kind !== 'attached')) return;
    switch (event.kind) {
      case 'attached':
        return this.#attached(container, event);
      case 'started':
        return this.#started(container, event.pid ?? null);
      case 'failed':
        return this.#launchFailed(container, event);
      case 'exited': {
        const exitCode = exitStatus(event.exitCode ?? null, event.signal ?? null);
        return this.#ending.finish(container, { exitCode, finishedAt: null });
      }
      case 'detached':
        container.attached = false;
        return watchSupervisor(this.#house, this.#ending, container);
      default:
        return;
    }
  }

  async #attached(container: Container, event: Heard): Promise<void> {
    const { record } = container;
    container.clearTimer();
    container.attached = true;
    record.device = event.device ?? null;
    record.supervisor = event.pid ? identifyProcess(event.pid) : record.supervisor;
    if (event.running) return this.#takeBack(container);
    if (record.phase !== 'created') return;
    record.phase = 'starting';
    refreshResolvConf(this.#house, container, this.#house.hostResolvConf());
    const { ticket } = record;
    const isSame = () => container.live && record.ticket === ticket;
    try {
      record.published = this.#house.ports.publish(container.id, record.request.ports, this.#binder(container));
      await this.#house.state.save(record);
      if (isSame()) this.#house.engine.stack.release(container.id);
    } catch (error) {
      if (isSame()) await this.#ending.abort(container, messageOf(error));
    }
  }

  /** The guest ran on while nobody carried its packets. A port that somebody took in the meantime is lost, the guest is not. */
  async #takeBack(container: Container): Promise<void> {
    const { record } = container;
    const { log, ports, state, engine } = this.#house;
    record.published = record.published.filter((port) => {
      try {
        ports.republish(container.id, port, this.#binder(container));
        return true;
      } catch (error) {
        log.error({ err: error, container: container.id, port }, 'a port could not be published again');
        return false;
      }
    });
    record.phase = 'running';
    record.before = null;
    record.startedAt ??= new Date().toISOString();
    this.#house.links.changed(container);
    await state.save(record);
    if (container.live) engine.stack.release(container.id);
    log.info({ container: container.id, name: container.name }, 'running container taken back');
    container.changed();
  }

  async #started(container: Container, pid: number | null): Promise<void> {
    const { record } = container;
    record.phase = 'running';
    record.pid = pid;
    record.before = null;
    record.startedAt ??= new Date().toISOString();
    this.#house.links.changed(container);
    await this.#house.state.save(record);
    this.#house.log.info(
      { container: container.id, name: container.name, device: record.device, pid },
      'container started',
    );
    container.changed();
  }

  async #launchFailed(container: Container, { message, exitCode }: Heard): Promise<void> {
    if (container.running) return this.#ending.finish(container, { exitCode: exitCode ?? 125, finishedAt: null });
    return this.#ending.undo(container, message ?? 'the launcher failed');
  }

  #reconcile(): void {
    const known = new Map(this.#house.engine.stack.snapshot().endpoints.map((endpoint) => [endpoint.id, endpoint]));
    for (const container of this.#house.registry.all()) {
      const endpoint = known.get(container.id);
      if (!container.live || !endpoint) continue;
      if (endpoint.attached === container.attached) {
        if (endpoint.attached) this.#startedUnheard(container);
        continue;
      }
      const running = container.record.phase !== 'created';
      const kind = endpoint.attached ? 'attached' : 'detached';
      this.handle({ kind, endpoint: container.id, running, device: endpoint.device });
    }
  }

  /**
   * "Go" was said and the TAP is there, so its command runs, or did: news of the end comes by itself. Its pid stays unknown. Behind what
   * is under way, as "go" may be just about to be said.
   */
  #startedUnheard(container: Container): void {
    const settle = async () => {
      if (container.live && container.attached && container.record.phase === 'starting') {
        await this.#started(container, container.record.pid);
      }
    };
    void container.serially(settle).catch((error) => this.#failed(container, error));
  }

  #binder({ id }: Container): Binder {
    const spec = ({ protocol, hostAddress, hostPort, containerPort }: PublishedPort): PublishSpec => {
      return { endpoint: id, protocol, hostAddress, hostPort, guestPort: containerPort };
    };
    return {
      bind: (port) => {
        this.#house.engine.stack.publish(spec(port));
      },
      unbind: (port) => this.#house.engine.ifRunning((stack) => stack.unpublish(spec(port))),
    };
  }

  #failed(container: Container, error: unknown): void {
    this.#house.log.error({ err: error, container: container.id }, 'an event of a container went wrong');
  }
}
