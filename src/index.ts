/**
 * unet as a library: run programs on networks of their own, without root.
 *
 * ```ts
 * const unet = await connect();
 * const web = await unet.run(['python3', '-m', 'http.server', '8000'], { name: 'web', publish: ['8080:8000'] });
 * console.log(await unet.ps());
 * await unet.stop('web');
 * await unet.rm('web');
 * unet.close();
 * ```
 *
 * @packageDocumentation
 */
import { type Client, connect as connectClient, currentPaths } from './api/index.js';
import type { ContainerSummary, CreateContainer, Faults, LogRecord } from './api/types.js';
import { completeSpec, findDaemonScript, findLauncher, startDaemonProcess, startDetached } from './launch/index.js';
import { parseDnsOption, parseDnsSearch, parseDnsServer, parseNetworkAlias } from './model/dns-options.js';
import { type Environment, guestEnvironment } from './model/environment.js';
import { parseExposed } from './model/expose.js';
import { parseExtraHost } from './model/extra-host.js';
import { NO_FAULTS, parseFaults } from './model/fault-spec.js';
import { parseHostAccess } from './model/host-access.js';
import type { LaunchSpec } from './model/launch-spec.js';
import { parseLinkSpec } from './model/link-spec.js';
import { parsePortSpec } from './model/port-spec.js';

export type {
  ContainerStatus,
  ContainerSummary,
  DaemonInfo,
  FaultSpec,
  Faults,
  LogRecord,
  WaitResult,
} from './api/types.js';
export { type ErrorCode, UnetError } from './model/errors.js';
export type { PublishedPort } from './model/port-list.js';

export interface RunOptions {
  /** Default: one is made up. */
  readonly name?: string;
  /** Port specs as `-p` takes them: `8080:80`, `127.0.0.1::53/udp`. */
  readonly publish?: readonly string[];
  /** Variables on top of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: this process's working directory. */
  readonly cwd?: string;
  /** Default: the short id. */
  readonly hostname?: string;
  /** `self` (default): the caller's uid; `root`: mapped to 0 inside. */
  readonly user?: 'self' | 'root';
  /** Bytes, 68..65520; default 1500. */
  readonly mtu?: number;
  /** Ports of the host's loopback to open, `5432,6379`, or `all`. */
  readonly hostAccess?: string;
  /** A bad network, in the words of `--fault`: `['delay=50ms,loss=1%', 'egress:rate=10mbit']`. */
  readonly faults?: readonly string[];
  /** Remove the container when it has ended. */
  readonly autoRemove?: boolean;
  /** Links to others, as `--link` takes them: `db`, `db:database`. */
  readonly links?: readonly string[];
  /** Variables that tell of the links; default `modern`. */
  readonly linkEnv?: 'modern' | 'legacy' | 'none';
  /** Seconds to wait for the first port of a linked container that declares none, 0..3600; default 5. */
  readonly linkWait?: number;
  /** Ports that links shall know of: `5432`, `8000-8010/tcp`; `none`: not those that are seen to be listened on either. */
  readonly expose?: readonly string[];
  /** Lines of /etc/hosts: `name:10.0.0.1`, `gateway:host-gateway`. */
  readonly extraHosts?: readonly string[];
  /** Servers, search domains and options of its resolver. A list that is given, an empty one too, takes the place of the host's. */
  readonly dns?: {
    readonly servers?: readonly string[];
    readonly search?: readonly string[];
    readonly options?: readonly string[];
  };
  /** Other names by which others find it. */
  readonly networkAliases?: readonly string[];
}

/** One user's unet. Every method throws `UnetError`, whose `code` tells the kind. */
export class Unet {
  readonly #client: Client;

  /** Use `connect`. @internal */
  constructor(client: Client) {
    this.#client = client;
  }

  /** Runs a command in the background and resolves when it has started. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<ContainerSummary> {
    const request = requestOf(argv, options);
    const { id, launch, linkEnv } = await this.#client.create(request);
    await this.#launch(id, launch, guestEnvironment(process.env, launch.hostname, linkEnv, request.env, false));
    return this.#client.inspect(id);
  }

  /** Makes a container that `start` will run: it has its name, and others can link to it. */
  async create(argv: readonly string[], options: RunOptions = {}): Promise<ContainerSummary> {
    const { id } = await this.#client.make(requestOf(argv, options));
    return this.#client.inspect(id);
  }

  /**
   * Starts one that was created or has ended, in the background, with this process's environment below what it was made with.
   * Resolves when its command has started; at once for one that runs.
   */
  async start(ref: string): Promise<ContainerSummary> {
    const { id, launch, linkEnv, env, cleanEnv } = await this.#client.start(ref);
    if (launch !== null) {
      const given = { PWD: launch.cwd, ...env };
      await this.#launch(id, launch, guestEnvironment(process.env, launch.hostname, linkEnv, given, cleanEnv));
    }
    return this.#client.inspect(id);
  }

  /** `stop`, then `start`; one that was to remove itself at its end stays. */
  async restart(ref: string, timeoutSeconds = 10): Promise<ContainerSummary> {
    const { id } = await this.#client.inspect(ref);
    await this.#client.stop(id, timeoutSeconds, { keep: true });
    return this.start(id);
  }

  /** Another name; its hostname and the links to it stay. */
  rename(ref: string, name: string): Promise<void> {
    return this.#client.rename(ref, name);
  }

  /** Running containers, newest first; with `all` also those that have ended. */
  ps({ all = false } = {}): Promise<ContainerSummary[]> {
    return this.#client.list(all);
  }

  /** By name, id or a prefix of an id. */
  inspect(ref: string): Promise<ContainerSummary> {
    return this.#client.inspect(ref);
  }

  /** What a container has printed, record by record; with `follow` until it ends. */
  logs(ref: string, options: { follow?: boolean; tail?: number } = {}): AsyncGenerator<LogRecord> {
    return this.#client.logs(ref, options);
  }

  /** SIGTERM, and SIGKILL after `timeoutSeconds` (0..3600, default 10). Resolves when it has ended. */
  stop(ref: string, timeoutSeconds = 10): Promise<void> {
    return this.#client.stop(ref, timeoutSeconds);
  }

  /** Removes a container that has ended; with `force` kills one that runs. */
  rm(ref: string, { force = false } = {}): Promise<void> {
    return this.#client.remove(ref, force);
  }

  /**
   * Makes the network of a running container bad, in the words of `unet fault`: `delay=50ms,loss=1%`, `egress:rate=10mbit`, `partition`,
   * `none`. A direction that is not named stays as it is. Gives what stands then.
   */
  async setFaults(ref: string, ...specs: string[]): Promise<Faults> {
    return this.#client.setFaults(ref, parseFaults(specs));
  }

  /** The same for what two running containers say to one another; `egress` is from `ref` to `peer`. */
  async setFaultsBetween(ref: string, peer: string, ...specs: string[]): Promise<Faults> {
    return this.#client.setFaultsBetween(ref, peer, parseFaults(specs));
  }

  /** Waits for a container's end and gives its exit status, 128 + N when signal N ended it. */
  async wait(ref: string): Promise<number | null> {
    return (await this.#client.wait(ref, 'ended')).exitCode;
  }

  /** Lets go of the daemon; containers run on. */
  close(): void {
    this.#client.close();
  }

  async #launch(id: string, launch: Omit<LaunchSpec, 'env'>, environment: Environment): Promise<void> {
    const { ticket } = launch;
    try {
      await startDetached(findLauncher(), completeSpec(launch, environment));
    } catch (error) {
      // The launcher's reason counts, not that nothing is there to be waited for.
      await this.#client.wait(id, 'ended', { launcherEnded: true, ticket }).catch(() => {});
      throw error;
    }
    await this.#client.wait(id, 'started', { launcherEnded: true, ticket });
  }
}

/** @throws UnetError USAGE or INVALID, before anything is made */
function requestOf(argv: readonly string[], options: RunOptions): CreateContainer {
  const { all, ports } = options.hostAccess === undefined ? NO_ACCESS : parseHostAccess(options.hostAccess);
  const exposed = parseExposed(options.expose ?? []);
  const { servers, search, options: resolverOptions } = options.dns ?? {};
  return {
    name: options.name ?? null,
    argv: [...argv],
    cwd: options.cwd ?? process.cwd(),
    env: { ...options.env },
    detach: true,
    autoRemove: options.autoRemove ?? false,
    openStdin: false,
    tty: false,
    user: options.user ?? 'self',
    hostname: options.hostname ?? null,
    network: 'bridge',
    ports: (options.publish ?? []).flatMap((spec) => parsePortSpec(spec)).map((request) => ({ ...request })),
    mtu: options.mtu ?? null,
    hostAccess: { all, ports: [...ports] },
    offload: true,
    faults: options.faults === undefined ? null : { ...NO_FAULTS, ...parseFaults(options.faults) },
    links: (options.links ?? []).map((spec) => ({ ...parseLinkSpec(spec) })),
    linkEnv: options.linkEnv ?? 'modern',
    ...(options.linkWait !== undefined && { linkWaitSeconds: options.linkWait }),
    exposed: exposed.ports.map((port) => ({ ...port })),
    exposeSeen: exposed.seen,
    extraHosts: (options.extraHosts ?? []).map((line) => ({ ...parseExtraHost(line) })),
    dns: {
      servers: servers?.map(parseDnsServer) ?? null,
      search: search?.map(parseDnsSearch) ?? null,
      options: resolverOptions?.map(parseDnsOption) ?? null,
    },
    networkAliases: (options.networkAliases ?? []).map(parseNetworkAlias),
  };
}

const NO_ACCESS = { all: false, ports: [] as readonly number[] };

/** Connects to the caller's own daemon, which is started when none runs. @throws UnetError */
export async function connect(): Promise<Unet> {
  const paths = currentPaths();
  return new Unet(
    await connectClient({
      paths,
      start: (isUp, holder) => startDaemonProcess({ script: findDaemonScript(), logFile: paths.logFile, isUp, holder }),
    }),
  );
}
