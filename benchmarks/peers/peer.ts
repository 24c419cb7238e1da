/** A way for a program in a network of its own to reach a server on the host's loopback. */
export interface Peer {
  readonly name: string;
  /** Null: the MTU is not ours to choose. */
  readonly mtus: readonly (number | null)[];
  /** Under which address the host's loopback is seen from inside. */
  readonly server: string;
  /** What to run so that `client` runs inside. */
  wrap(client: readonly string[], mtu: number | null, port: number): string[];
  /** The process that carries the bytes; null when it is the kernel. */
  stack(): number | null;
  /** What has to be done before the first round, and after the last. */
  open?(): Promise<void>;
  close?(): Promise<void>;
}

export const MTUS = [1500, 65_520] as const;
