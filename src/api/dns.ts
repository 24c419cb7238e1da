import type { DnsFigures, NameRule, ServerOrigin } from '../model/dns-report.js';

export type { DnsExplanation, DnsFigures, NameRule, ServerOrigin, ShownRecord, ShownTry } from '../model/dns-report.js';

/** A name, and what it means now. */
export interface DnsName {
  readonly name: string;
  readonly rule: NameRule;
  /** Containers that have it, by name. */
  readonly owners: readonly string[];
  /** None: they are down, and the name does not resolve. */
  readonly addresses: readonly string[];
}

/** A server that names which are not ours are forwarded to. */
export interface DnsUpstream {
  readonly address: string;
  readonly origin: ServerOrigin;
  /** It stands in the container's own network. */
  readonly inside: boolean;
  /** It did not answer, and is asked last until it does. */
  readonly failed: boolean;
  readonly reason: string | null;
  readonly failedForSeconds: number | null;
  readonly asked: number;
  readonly answered: number;
  /** What its last answer took. */
  readonly lastMilliseconds: number | null;
}

export interface ContainerDns {
  readonly id: string;
  readonly name: string;
  readonly network: string;
  /** As its resolv.conf has them: the gateway, and resolvers of its own. */
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly names: readonly DnsName[];
  readonly upstreams: readonly DnsUpstream[];
  readonly figures: DnsFigures;
}

export interface NetworkDns {
  readonly network: { readonly name: string; readonly subnet: string; readonly gateway: string };
  readonly names: readonly DnsName[];
  /** The host's. */
  readonly upstreams: readonly DnsUpstream[];
  readonly figures: DnsFigures;
  readonly inFlight: number;
  readonly cache: { readonly entries: number; readonly bytes: number };
}
