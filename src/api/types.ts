import type { DnsLists } from '../model/dns-choice.js';
import type { ErrorCode } from '../model/errors.js';
import type { ExposedPort } from '../model/exposed-port.js';
import type { Faults } from '../model/fault-spec.js';
import type { LaunchSpec } from '../model/launch-spec.js';
import type { PublishedPort } from '../model/port-list.js';

export type { FaultChange, FaultSpec, Faults } from '../model/fault-spec.js';
export type { ContainerRequest, CreateContainer } from './schemas.js';

/**
 * `created`: reserved, the command not started yet. `running`. `exited`: ended, and listed until it is removed.
 */
export type ContainerStatus = 'created' | 'running' | 'exited';

/** One container as `ps` lists it. Times are ISO 8601, UTC. */
export interface ContainerSummary {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  /** The name, then what it is called by links to it: `db`, `web/db`. */
  readonly names: readonly string[];
  readonly command: readonly string[];
  readonly status: ContainerStatus;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** 128 + N when signal N ended it. */
  readonly exitCode: number | null;
  /** The command's process id as the host sees it, while it runs. */
  readonly pid: number | null;
  readonly hostname: string;
  /** Null once the container has ended: the address is given back. */
  readonly address: string | null;
  readonly mac: string | null;
  readonly network: string;
  /** Bytes. */
  readonly mtu: number;
  readonly ports: readonly PublishedPort[];
  /** Ports that links and `-P` know of: declared, or seen to be listened on where none is. */
  readonly exposed: readonly ExposedPort[];
  readonly autoRemove: boolean;
  /** `vnet-gso-uso`, `vnet-gso`, `vnet` or `plain`: what the TAP could do. */
  readonly device: string | null;
}

/** The answer to a creation: everything `unet-launch` needs but the environment, which only the caller has. */
export interface CreatedContainer {
  readonly id: string;
  readonly name: string;
  readonly launch: Omit<LaunchSpec, 'env'>;
  /** Variables that tell of its links; what was given with `-e` overrides them. */
  readonly linkEnv: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** The answer to a creation without a start. */
export interface MadeContainer {
  readonly id: string;
  readonly name: string;
  readonly warnings: readonly string[];
}

/** The answer to a start. */
export interface StartedContainer extends Omit<CreatedContainer, 'launch'> {
  /** Null: it runs already. */
  readonly launch: CreatedContainer['launch'] | null;
  /** What was given with `-e` when it was made; it overrides all else. */
  readonly env: Readonly<Record<string, string>>;
  readonly cleanEnv: boolean;
}

/** The bad links of a container, its own and those to others. */
export interface ContainerFaults extends Faults {
  readonly between: readonly (Faults & { readonly name: string })[];
}

export interface WaitResult {
  /** `removed`: nothing is left of it. */
  readonly status: ContainerStatus | 'removed';
  readonly exitCode: number | null;
}

/** One piece of output of a detached container. */
export interface LogRecord {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  readonly data: string;
  /** True: `data` is base64, because the bytes were not UTF-8. */
  readonly b64?: boolean;
}

export interface VersionInfo {
  readonly version: string;
  readonly apiVersion: string;
  readonly pid: number;
}

export interface DaemonInfo extends VersionInfo {
  readonly uid: number;
  readonly startedAt: string;
  /** 0: it does not end by itself. */
  readonly idleSeconds: number;
  readonly runtimeDirectory: string;
  readonly stateDirectory: string;
  readonly logFile: string;
  /** Where settings for all containers may stand, and where some were found: `UNET_OPTS`, then the file. */
  readonly configFile: string;
  readonly settings: { readonly dns: DnsLists; readonly sources: readonly string[] };
  readonly containers: { readonly running: readonly string[]; readonly total: number };
  readonly network: { readonly name: string; readonly subnet: string; readonly gateway: string; readonly mtu: number };
  readonly engine: {
    readonly running: boolean;
    readonly restarts: number;
    readonly flows: number;
    readonly counters: Readonly<Record<string, number>>;
    readonly drops: Readonly<Record<string, number>>;
  };
}

export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}
