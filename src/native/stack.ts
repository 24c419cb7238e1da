import type { Faults } from '../model/fault-spec.js';

/**
 * The network engine as the daemon sees it. The addon implements it, and so does the fake of the unit tests; both pass
 * the same compliance tests (test/contract). Every method throws an Error whose `code` is a `NativeErrorCode`.
 */
export interface Stack {
  /** Takes what has happened, at most `max` events; call again until it gives none, then `drainDns`. */
  drainEvents(max: number): StackEvent[];
  /**
   * Writes what guests ask, and what their servers reply, into `arena` (`ARENA_BYTES` long): at most `max` records for
   * `readDns`. Says how many bytes that is; there may be more when `max` were written or half of the buffer.
   */
  drainDns(arena: Buffer, max: number): number;
  addNetwork(spec: NetworkSpec): void;
  removeNetwork(id: string): void;
  /** Announces an endpoint: a launcher may hand over a TAP for its ticket, also again after a crash of the daemon. */
  expectEndpoint(spec: EndpointSpec): void;
  /** Closes the TAP, its flows and its published ports. Idempotent. */
  dropEndpoint(id: string): void;
  /** What an endpoint's link does to frames from now on, whatever it did before. Throws EINVAL for what is out of range. */
  setFaults(endpoint: string, spec: Faults): void;
  /** The same for frames from `a` to `b` (egress) and from `b` to `a` (ingress), and for no others. */
  setFaultsBetween(a: string, b: string, spec: Faults): void;
  /** "Go": the launcher may start the command. */
  release(id: string): void;
  /** The launcher prints `unet: <message>` and ends with 125. */
  abort(id: string, message: string): void;
  signalGuest(id: string, signal: number): void;
  /** Binds. Returns the host port (`hostPort` 0: the kernel chooses). Throws EADDRINUSE, EACCES, EADDRNOTAVAIL. */
  publish(spec: PublishSpec): number;
  unpublish(spec: PublishSpec): void;
  /** Answers questions: what `AnswerBatch` wrote into the first `length` bytes. */
  answerDns(records: Buffer, length: number): void;
  /**
   * Puts a question, from the gateway's address and a random port, to port 53 of the guest that has this address on the network.
   * Returns its number, with which a reply comes from `drainDns`: a datagram with the same id, or the news, within seconds,
   * that there is none (nobody has the address, nobody serves there, or there are too many questions under way). UDP only.
   */
  askGuest(network: string, address: string, message: Buffer): number;
  snapshot(): StackSnapshot;
  close(): void;
}

export interface StackOptions {
  readonly handoffSocket: string;
  readonly maxFlows?: number;
}

export interface NetworkSpec {
  readonly id: string;
  /** `172.17.0.0/16`. */
  readonly subnet: string;
  readonly gateway: string;
  readonly gatewayMac: string;
  /** Bytes. */
  readonly mtu: number;
}

export interface EndpointSpec {
  /** The container's id. */
  readonly id: string;
  readonly network: string;
  readonly ticket: string;
  readonly address: string;
  readonly mac: string;
  /** Bytes. */
  readonly mtu: number;
  readonly hostAccessAll: boolean;
  /** Ports on the gateway's address that open flows to the host's loopback. */
  readonly hostAccessPorts: number[];
  /** Faults on purpose; absent: none. */
  readonly faults?: Faults;
}

export interface PublishSpec {
  readonly endpoint: string;
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly guestPort: number;
}

export type StackEventKind = 'attached' | 'started' | 'failed' | 'exited' | 'detached' | 'overflow' | 'fatal';

/** Flat, because it crosses the addon's border: `kind` decides which fields are set, the others are null. */
export interface StackEvent {
  readonly kind: StackEventKind;
  readonly endpoint: string | null;
  /** attached: the supervisor's; started: the command's, as the host sees it. */
  readonly pid: number | null;
  /** attached: true when a running guest came back after a crash of the daemon. */
  readonly running: boolean | null;
  /** attached: `vnet-gso-uso`, `vnet-gso`, `vnet` or `plain`. */
  readonly device: string | null;
  /** exited, failed. */
  readonly exitCode: number | null;
  readonly signal: number | null;
  /** failed, fatal. */
  readonly message: string | null;
  /** overflow: events lost. */
  readonly lost: number | null;
}

export interface StackSnapshot {
  readonly endpoints: EndpointStats[];
  readonly counters: Record<string, number>;
  readonly drops: Record<string, number>;
  readonly flows: number;
}

export interface EndpointStats {
  readonly id: string;
  readonly address: string;
  readonly attached: boolean;
  readonly device: string | null;
  readonly rxFrames: number;
  readonly txFrames: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly flows: number;
}

export interface FileLock {
  release(): void;
}

export interface PeerIdentity {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly sameUserNamespace: boolean;
}

/** Everything that the addon exports. */
export interface NativeModule {
  readonly Stack: new (options: StackOptions, onEvents: () => void) => Stack;
  /** flock; null when another process holds it. */
  lockFile(path: string): FileLock | null;
  /**
   * Replaces the content of a file in place while nobody else has it open; false when somebody had, all through `patience`
   * (microseconds, at most 100,000, in which this thread does nothing else), and nothing was written.
   */
  overwriteUnopened(path: string, content: string, patience: number): boolean;
  /** Who is at the other end of a Unix socket. */
  peerIdentity(fd: number): PeerIdentity;
}
