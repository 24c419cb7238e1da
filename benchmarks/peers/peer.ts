/**
 * A stack that gives programs a network of their own, and one running network of it.
 *
 * A path is started once a scenario, with processes of its own, and held open by a program that sleeps inside; commands are put into it by
 * `nsenter`, so that a stack's start is no part of what is measured. It is ended by its process ids.
 */

export interface PathOptions {
  /** Null where there is none to choose. */
  readonly mtu: number | null;
  /** TCP ports that the host's 127.0.0.1 hands to the same port inside. */
  readonly publish?: readonly number[];
  /** The same for UDP. */
  readonly publishUdp?: readonly number[];
}

export interface Peer {
  /** `unet`, `pasta` …: what tables and `--check` know it by. */
  readonly name: string;
  readonly kind: 'ceiling' | 'unet' | 'peer';
  /** What it can be measured at. */
  readonly mtus: readonly (number | null)[];
  /** @throws Error that says why it did not come up */
  start(options: PathOptions): Promise<Path>;
}

export interface Path {
  /** Under which address a program inside reaches a server outside that listens on `listenAddress`. */
  readonly serverAddress: string;
  /** Where a server outside has to listen: the host's 127.0.0.1, or another guest's own address. */
  readonly listenAddress: string;
  /** The words that run a command inside; to be put in front of it. */
  readonly inside: readonly string[];
  /** The same for where its servers are: nothing but for ceilings and guests that talk to each other. */
  readonly outside: readonly string[];
  /** The stack's own processes; with their descendants they are what spends CPU. Empty where the kernel is the stack. */
  readonly processes: readonly number[];
  /** Under which address the host reaches published ports. */
  readonly publishedAddress: string;
  close(): Promise<void>;
}

/** 1500 is what the world uses; 65520 is what other stacks choose to look well. */
export const MTUS = [1500, 65_520] as const;
