import type { FaultChange, Faults } from '../model/fault-spec.js';
import type { ContainerDns, DnsExplanation, NetworkDns } from './dns.js';
import { HttpOverUnix } from './http.js';
import type { ContainerDocument } from './inspect.js';
import { readLines } from './lines.js';
import { routes } from './routes.js';
import type {
  ContainerFaults,
  ContainerSummary,
  CreateContainer,
  CreatedContainer,
  DaemonInfo,
  LogRecord,
  MadeContainer,
  StartedContainer,
  VersionInfo,
  WaitResult,
} from './types.js';

/** The control API, a method a route. Every method throws `UnetError`. */
export class Client {
  readonly #http: HttpOverUnix;

  constructor(socketPath: string) {
    this.#http = new HttpOverUnix(socketPath);
  }

  /** @param timeout milliseconds */
  version(timeout?: number): Promise<VersionInfo> {
    return this.#http.json('GET', routes.version, timeout === undefined ? {} : { timeout });
  }

  daemon(): Promise<DaemonInfo> {
    return this.#http.json('GET', routes.daemon);
  }

  /** @param all stop the running containers too; without it a daemon with running ones refuses */
  async stopDaemon(all: boolean): Promise<void> {
    await this.#http.json('POST', routes.daemonStop, { body: { all } });
  }

  /** Ends the daemon and leaves the running containers to the next one. */
  async leaveDaemon(): Promise<void> {
    await this.#http.json('POST', routes.daemonStop, { body: { all: false, keepContainers: true } });
  }

  /** @param all list those that have ended, too */
  list(all = false): Promise<ContainerSummary[]> {
    return this.#http.json('GET', routes.containers, { query: { all: String(all) } });
  }

  /**
   * Reserves everything a container needs. Its launcher must hand over the TAP within 15 seconds and while this client's
   * connection lives, else all of it is taken back.
   */
  create(request: CreateContainer): Promise<CreatedContainer> {
    return this.#http.json('POST', routes.containers, { body: request });
  }

  /** Makes a container that a `start` will bring up. */
  make(request: CreateContainer): Promise<MadeContainer> {
    return this.#http.json('POST', routes.containers, { query: { start: 'false' }, body: request });
  }

  /**
   * As `create`, of one that was made or has ended. One that is on its way down is waited for.
   *
   * @param options.attach its launcher stays in the foreground, and nothing is logged
   */
  start(ref: string, { attach = false }: { attach?: boolean } = {}): Promise<StartedContainer> {
    return this.#http.json('POST', routes.containerStart(ref), { body: { attach } });
  }

  /** Takes the link away that `parent` has under this alias; both containers stay. */
  async unlink(parent: string, alias: string): Promise<void> {
    await this.#http.json('DELETE', routes.containerLink(parent, alias));
  }

  async rename(ref: string, name: string): Promise<void> {
    await this.#http.json('POST', routes.containerRename(ref), { body: { name } });
  }

  inspect(ref: string): Promise<ContainerSummary> {
    return this.#http.json('GET', routes.container(ref));
  }

  /** Everything about it, with Docker's keys. */
  document(ref: string): Promise<ContainerDocument> {
    return this.#http.json('GET', routes.containerInspect(ref));
  }

  /**
   * SIGTERM, and SIGKILL when it still runs after `timeoutSeconds`. Resolves when it has ended.
   *
   * @param timeoutSeconds whole seconds, 0..3600
   * @param options.keep it will be started again: it stays, although it was to be removed at its end
   */
  async stop(ref: string, timeoutSeconds: number, { keep = false }: { keep?: boolean } = {}): Promise<void> {
    await this.#http.json('POST', routes.containerStop(ref), { body: { timeoutSeconds, keep } });
  }

  async remove(ref: string, force = false): Promise<void> {
    await this.#http.json('DELETE', routes.container(ref), { query: { force: String(force) } });
  }

  /**
   * Waits for the command's start, or for its end with everything taken back.
   *
   * @param options.launcherEnded its launcher has ended: without this, a container whose launcher never came is waited for
   * as long as its ticket lives
   * @param options.ticket which launcher that was
   * @param options.timeout milliseconds
   */
  wait(
    ref: string,
    until: 'started' | 'ended',
    { launcherEnded = false, ticket, timeout }: { launcherEnded?: boolean; ticket?: string; timeout?: number } = {},
  ): Promise<WaitResult> {
    return this.#http.json('GET', routes.containerWait(ref), {
      query: { until, launcherEnded: String(launcherEnded), ticket },
      ...(timeout === undefined ? {} : { timeout }),
    });
  }

  /** What stands. */
  faults(ref: string): Promise<ContainerFaults> {
    return this.#http.json('GET', routes.containerFaults(ref));
  }

  /** Makes a running container's link bad, or good again; says what stands then. */
  setFaults(ref: string, change: FaultChange): Promise<Faults> {
    return this.#http.json('PATCH', routes.containerFaults(ref), { body: change });
  }

  faultsBetween(ref: string, peer: string): Promise<Faults> {
    return this.#http.json('GET', routes.faultsBetween(ref, peer));
  }

  /** The same for what two running containers say to one another: `egress` is from `ref` to `peer`. */
  setFaultsBetween(ref: string, peer: string, change: FaultChange): Promise<Faults> {
    return this.#http.json('PATCH', routes.faultsBetween(ref, peer), { body: change });
  }

  /** The names of the network, and whom the host asks for others. */
  networkDns(): Promise<NetworkDns> {
    return this.#http.json('GET', routes.dns);
  }

  /** The names that a container can resolve, and who is asked for others. */
  containerDns(ref: string): Promise<ContainerDns> {
    return this.#http.json('GET', routes.containerDns(ref));
  }

  /** Asks as the container would, and says how the answer comes about. @param type `A`, `AAAA`, …, or `TYPE65` */
  explainDns(ref: string, name: string, type = 'A'): Promise<DnsExplanation> {
    return this.#http.json('GET', routes.containerDnsQuery(ref), { query: { name, type } });
  }

  /** Output records in order; with `follow` until the container ends. */
  async *logs(ref: string, options: { follow?: boolean; tail?: number } = {}): AsyncGenerator<LogRecord> {
    const response = await this.#http.stream('GET', routes.containerLogs(ref), {
      query: {
        follow: String(options.follow ?? false),
        tail: options.tail === undefined ? undefined : String(options.tail),
      },
    });
    for await (const line of readLines(response)) yield JSON.parse(line) as LogRecord;
  }

  close(): void {
    this.#http.close();
  }
}
