import { LRUCache } from 'lru-cache';

/** A server that did not answer is asked last until it answers; so often a question goes to it beside the one to another server. */
export const PROBE_MS = 30_000;
/** Servers of the host and of all containers that are remembered. */
const MAX_SERVERS = 256;

export interface HealthFigures {
  readonly failed: boolean;
  readonly asked: number;
  readonly answered: number;
  /** Milliseconds that its last answer took; null: it has not answered yet. */
  readonly lastMs: number | null;
  /** Why it is asked last; null: it is not. */
  readonly reason: string | null;
  /** Milliseconds since it failed; null: it has not. */
  readonly failedForMs: number | null;
}

interface Health {
  asked: number;
  answered: number;
  lastMs: number | null;
  answeredAt: number | null;
  failedAt: number | null;
  reason: string | null;
  probedAt: number;
  /** When a question was last given all its time although it had failed; also when it failed. */
  hopedAt: number;
}

/**
 * Remembers which servers did not answer, across all lists in which they stand.
 *
 * A dead first server costs one short wait once: it is then asked behind the others, and found well again by a question that goes to
 * it while another server answers the asker.
 */
export class ServerHealth {
  readonly #known = new LRUCache<string, Health>({ max: MAX_SERVERS });
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** As configured, those that failed behind the others, the longest failed first among them. */
  order<S extends { readonly key: string }>(servers: readonly S[]): S[] {
    const failedAt = ({ key }: S): number | null => this.#known.get(key)?.failedAt ?? null;
    const well = servers.filter((server) => failedAt(server) === null);
    const failed = servers.filter((server) => failedAt(server) !== null);
    failed.sort((a, b) => (failedAt(a) ?? 0) - (failedAt(b) ?? 0));
    return [...well, ...failed];
  }

  /** A failed server that is worth another look, while there is one that is well to serve the asker. It counts as looked at. */
  toProbe<S extends { readonly key: string }>(servers: readonly S[]): S | null {
    if (servers.every(({ key }) => this.hasFailed(key))) return null;
    const now = this.#now();
    const due = servers.find(({ key }) => {
      const health = this.#known.get(key);
      return health?.failedAt != null && now - Math.max(health.failedAt, health.probedAt) >= PROBE_MS;
    });
    if (due !== undefined) this.#of(due.key).probedAt = now;
    return due ?? null;
  }

  hasFailed(key: string): boolean {
    return this.#known.get(key)?.failedAt != null;
  }

  hasAnsweredSince(key: string, since: number): boolean {
    return (this.#known.get(key)?.answeredAt ?? Number.NEGATIVE_INFINITY) > since;
  }

  /**
   * It has failed, and nobody has heard of it since: a question to it is given one try. One question in a while is given all its time, as a
   * server may have come back and be slow.
   */
  isGivenUp(key: string): boolean {
    const health = this.#known.get(key);
    if (health?.failedAt == null) return false;
    const now = this.#now();
    if (health.answeredAt !== null && now - health.answeredAt < PROBE_MS) return false;
    if (now - health.hopedAt < PROBE_MS) return true;
    health.hopedAt = now;
    return false;
  }

  asked(key: string): void {
    this.#of(key).asked++;
  }

  /**
   * A try that began at `since` brought nothing. It is not held against a server that answered somebody else in the
   * meantime: a name can be slow where the server is well. True when this is news.
   */
  failed(key: string, since: number, reason: string): boolean {
    if (this.hasAnsweredSince(key, since)) return false;
    const health = this.#of(key);
    const news = health.failedAt === null;
    const now = this.#now();
    if (news) health.hopedAt = now;
    health.failedAt = now;
    health.reason = reason;
    return news;
  }

  /** True when it had failed before. */
  answered(key: string, since: number): boolean {
    const health = this.#of(key);
    health.answered++;
    health.lastMs = this.#now() - since;
    return this.isThere(key);
  }

  /** It has answered something, if only a question of ours that nobody counts. True when it had failed before. */
  isThere(key: string): boolean {
    const health = this.#of(key);
    const recovered = health.failedAt !== null;
    Object.assign(health, { answeredAt: this.#now(), failedAt: null, reason: null });
    return recovered;
  }

  figures(key: string): HealthFigures {
    const health = this.#known.get(key) ?? unknown();
    const { asked, answered, lastMs, reason, failedAt } = health;
    const failedForMs = failedAt === null ? null : this.#now() - failedAt;
    return { failed: failedAt !== null, asked, answered, lastMs, reason, failedForMs };
  }

  #of(key: string): Health {
    const known = this.#known.get(key);
    if (known) return known;
    const made = unknown();
    this.#known.set(key, made);
    return made;
  }
}

function unknown(): Health {
  return {
    asked: 0,
    answered: 0,
    lastMs: null,
    answeredAt: null,
    failedAt: null,
    reason: null,
    probedAt: 0,
    hopedAt: 0,
  };
}
