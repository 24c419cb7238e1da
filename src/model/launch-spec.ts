/** What `unet-launch run` reads from its spec descriptor. The Rust side checks every field again. */
export interface LaunchSpec {
  readonly version: 1;
  /** One-time place to hand over the TAP. */
  readonly ticket: string;
  readonly containerId: string;
  readonly name: string;
  readonly handoffSocket: string;
  /** True: a supervisor of its own session stays behind, and the launcher returns when the command has started. */
  readonly detach: boolean;
  /** Where output of a detached command goes, as NDJSON; null in the foreground. */
  readonly logFile: string | null;
  readonly exitFile: string;
  readonly stdin: 'inherit' | 'null' | 'open';
  readonly tty: boolean;
  readonly user: GuestUser;
  readonly hostname: string;
  readonly interface: GuestInterface;
  /** False: a plain TAP without vnet header, for finding out whether offloads are to blame. */
  readonly offload: boolean;
  readonly etc: { readonly hosts: string; readonly hostname: string; readonly 'resolv.conf': string };
  /** Host directories hidden from the guest: the control socket must be out of its reach. */
  readonly mask: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  /** Soft limit on open files; the launcher stays below the hard one. Absent: 1024 at most. */
  readonly openFiles?: number;
}

/** `self`: the caller's own uid; `root`: mapped to 0 inside. */
export type GuestUser = 'self' | 'root';

export interface GuestInterface {
  readonly name: string;
  readonly mac: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly gatewayMac: string;
  /** Bytes. */
  readonly mtu: number;
  /** Frames. */
  readonly txQueueLength: number;
}
