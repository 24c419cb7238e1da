/** What the DNS proxy tells about itself: to the control API, and so to people. */

/** Why a name is ours: a container's name, its `--network-alias`, its short id, the asker's link alias, the host. */
export type NameRule = 'name' | 'alias' | 'id' | 'link' | 'host';

/** Who named a server: the run (`--dns`), the daemon's settings, the host's resolv.conf. */
export type ServerOrigin = 'run' | 'daemon' | 'host';

/** Counts since the first question. */
export interface DnsFigures {
  readonly questions: number;
  /** Answered out of the zone. */
  readonly local: number;
  /** Answered out of the cache. */
  readonly cached: number;
  /** Waited for the same question of somebody, already on its way. */
  readonly merged: number;
  /** Asked of a server. */
  readonly forwarded: number;
  /** Forwarded in vain: no server answered. */
  readonly failed: number;
  /** REFUSED: too many on their way, or too fast. */
  readonly refused: number;
  /** Left without an answer: garbage, answers, floods. */
  readonly dropped: number;
}

/** A record as a person reads it. */
export interface ShownRecord {
  readonly name: string;
  readonly type: string;
  /** Seconds. */
  readonly ttl: number;
  readonly data: string;
}

/** One server, asked once. */
export interface ShownTry {
  readonly server: string;
  readonly origin: ServerOrigin;
  /** An rcode, or why there is none. */
  readonly result: string;
  readonly milliseconds: number;
}

/** How one question was answered, and why so. */
export interface DnsExplanation {
  readonly name: string;
  readonly type: string;
  /**
   * `local`: a name of ours. `reverse`: within our subnets. The others are somebody else's: out of the `cache`, `merged` with the same
   * question on its way, from a `server`, by `nobody`, `refused` for being too many.
   */
  readonly source: 'local' | 'reverse' | 'cache' | 'merged' | 'server' | 'nobody' | 'refused';
  /** local: what the name is. */
  readonly rule: NameRule | null;
  /** local: whose it is, by name. */
  readonly owners: readonly string[];
  /** local: none of them is up. */
  readonly down: boolean;
  /** local: the search domain that was taken off to find it. */
  readonly suffix: string | null;
  /** cache: seconds that it has been there. */
  readonly age: number | null;
  readonly tries: readonly ShownTry[];
  /** `NOERROR`, `NXDOMAIN`, … */
  readonly rcode: string;
  readonly answers: readonly ShownRecord[];
}
