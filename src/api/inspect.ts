import type { Faults } from '../model/fault-spec.js';

/** Docker's zero time: it has not happened yet. */
export const NEVER = '0001-01-01T00:00:00Z';

/** Where a port is published; texts, as Docker has them. */
export interface PortBinding {
  readonly HostIp: string;
  /** Empty: an ephemeral one is wanted. `8000-8010`: a free one of these. */
  readonly HostPort: string;
}

/** Keyed by `80/tcp`. */
export type PortBindings = Readonly<Record<string, readonly PortBinding[] | null>>;

/** A container's place on a network: empty texts and 0 while it has none. */
export interface EndpointDocument {
  readonly IPAddress: string;
  readonly Gateway: string;
  readonly MacAddress: string;
  readonly IPPrefixLen: number;
  /** As given with --network-alias. */
  readonly Aliases: readonly string[];
  /** Under which others on the network find it: its name, its aliases, its short id. */
  readonly DNSNames: readonly string[];
  /** `db:alias`. */
  readonly Links: readonly string[];
}

/** What `inspect` says of a container: Docker's keys with Docker's meaning, and our own under `Unet`. Times are ISO 8601, UTC. */
export interface ContainerDocument {
  readonly Id: string;
  readonly Created: string;
  readonly Path: string;
  readonly Args: readonly string[];
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    /** As the host sees it; 0 while it does not run. */
    readonly Pid: number;
    readonly ExitCode: number;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
  /** With the slash in front. */
  readonly Name: string;
  readonly HostConfig: {
    /** `/db:/web/db`. */
    readonly Links: readonly string[];
    /** As asked for. */
    readonly PortBindings: PortBindings;
    readonly NetworkMode: string;
    readonly Dns: readonly string[];
    readonly DnsSearch: readonly string[];
    readonly DnsOptions: readonly string[];
    readonly ExtraHosts: readonly string[];
    readonly AutoRemove: boolean;
    readonly PublishAllPorts: boolean;
  };
  readonly Config: {
    readonly Hostname: string;
    readonly User: string;
    readonly ExposedPorts: Readonly<Record<string, Readonly<Record<string, never>>>>;
    readonly Tty: boolean;
    readonly OpenStdin: boolean;
    /** Only what was given with -e and --env-file. */
    readonly Env: readonly string[];
    readonly Cmd: readonly string[];
    readonly WorkingDir: string;
  };
  readonly NetworkSettings: {
    /** As bound; null: exposed and not published. Empty while it does not run. */
    readonly Ports: PortBindings;
    readonly IPAddress: string;
    readonly Gateway: string;
    readonly MacAddress: string;
    readonly IPPrefixLen: number;
    readonly Networks: Readonly<Record<string, EndpointDocument>>;
  };
  readonly Unet: {
    /** What others call it by their links: `web/db`. */
    readonly LinkNames: readonly string[];
    /** Bytes. */
    readonly Mtu: number;
    /** `vnet-gso-uso`, `vnet-gso`, `vnet` or `plain`: what the TAP could do; empty while there is none. */
    readonly Device: string;
    readonly HostAccess: { readonly All: boolean; readonly Ports: readonly number[] };
    readonly Faults: Faults;
  };
}
