import { LRUCache } from 'lru-cache';
import type { ReplyFacts } from './reply-facts.js';
import type { SharedReply } from './share.js';
import { RCODE } from './wire.js';

/**
 * Replies of upstream servers, kept as long as they say.
 *
 * The key names the servers that were asked, so that containers with other servers share nothing, and a change of the host's
 * file makes the old replies unreachable at once. A container that asks for many names pushes out its own oldest replies
 * when it has its share, and nobody else's.
 */

export const MAX_CACHE_ENTRIES = 16_384;
export const MAX_CACHE_BYTES = 16 * 1024 * 1024;
/** Of these, what one container's questions may hold: a quarter. */
export const MAX_OWNED_ENTRIES = MAX_CACHE_ENTRIES / 4;
export const MAX_OWNED_BYTES = MAX_CACHE_BYTES / 4;
/** A laptop moves, a test server is renumbered: an hour is long. */
export const MAX_KEPT_SECONDS = 3600;
/** What is not there may come soon. */
export const MAX_NEGATIVE_SECONDS = 300;
/** RFC 9520 asks for one at least: a name that fails is not asked for again by each of a hundred askers. */
export const FAILURE_SECONDS = 1;
/** Map entries, the object, the offsets: about what an entry takes besides its bytes. */
const OVERHEAD_BYTES = 256;

interface Kept extends SharedReply {
  readonly owner: string;
  readonly bytes: number;
  /** Milliseconds of the clock. */
  readonly since: number;
  readonly until: number;
}

interface Owned {
  readonly keys: Set<string>;
  bytes: number;
}

export interface CacheHit {
  readonly reply: SharedReply;
  /** Seconds that it has been kept. */
  readonly age: number;
}

export class ReplyCache {
  readonly #kept: LRUCache<string, Kept>;
  readonly #owners = new Map<string, Owned>();
  readonly #now: () => number;

  /** @param now milliseconds; the wall clock, which goes on while the machine sleeps */
  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#kept = new LRUCache({
      max: MAX_CACHE_ENTRIES,
      maxSize: MAX_CACHE_BYTES,
      sizeCalculation: ({ bytes }) => bytes,
      dispose: (kept, key) => this.#disown(kept, key),
    });
  }

  get(key: string): CacheHit | null {
    const kept = this.#kept.get(key);
    if (kept === undefined) return null;
    const now = this.#now();
    // A clock that was set back is no reason to keep anything longer.
    if (now < kept.until && now >= kept.since) return { reply: kept, age: Math.floor((now - kept.since) / 1000) };
    this.#kept.delete(key);
    return null;
  }

  put(key: string, owner: string, message: Uint8Array, facts: ReplyFacts): void {
    const seconds = keptSeconds(facts);
    if (seconds <= 0) return;
    const since = this.#now();
    const bytes = message.length + key.length + facts.ttlOffsets.length * 8 + OVERHEAD_BYTES;
    if (bytes > MAX_OWNED_BYTES) return;
    this.#kept.set(key, { message, facts, owner, bytes, since, until: since + seconds * 1000 });
    const owned = this.#owners.get(owner) ?? { keys: new Set(), bytes: 0 };
    this.#owners.set(owner, owned);
    owned.keys.add(key);
    owned.bytes += bytes;
    this.#trim(owned);
  }

  clear(): void {
    this.#kept.clear();
  }

  get entries(): number {
    return this.#kept.size;
  }

  get bytes(): number {
    return this.#kept.calculatedSize;
  }

  #trim(owned: Owned): void {
    for (const oldest of owned.keys) {
      if (owned.keys.size <= MAX_OWNED_ENTRIES && owned.bytes <= MAX_OWNED_BYTES) return;
      this.#kept.delete(oldest);
    }
  }

  #disown({ owner, bytes }: Kept, key: string): void {
    const owned = this.#owners.get(owner);
    if (!owned?.keys.delete(key)) return;
    owned.bytes -= bytes;
    if (owned.keys.size === 0) this.#owners.delete(owner);
  }
}

function keptSeconds({ rcode, ttl, negative }: ReplyFacts): number {
  if (rcode === RCODE.SERVFAIL || rcode === RCODE.REFUSED) return FAILURE_SECONDS;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return 0;
  return Math.min(ttl, negative ? MAX_NEGATIVE_SECONDS : MAX_KEPT_SECONDS);
}
