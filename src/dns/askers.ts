import { LRUCache } from 'lru-cache';
import type { DnsFigures } from '../model/dns-report.js';

/**
 * What each container has on its way, may still ask, and has asked so far.
 *
 * One thread answers everybody. A container may ask far more than any program does, and not so much that the others wait: over its rate of
 * answers a question is dropped, as answering costs what the rate is to save; over its rate or number of forwarded ones it is REFUSED at
 * once, so that a resolver goes on and does not wait out its five seconds. Nobody can be made to send floods of these to somebody
 * else: the engine lets no guest speak under another's address.
 */

/** Questions on their way, for all containers and for one. */
export const MAX_IN_FLIGHT = 8192;
export const MAX_IN_FLIGHT_PER_ASKER = 2048;
/** A container may have so many though the others have all there are; the engine lets as many in (native/engine/src/limits.rs). */
export const MIN_IN_FLIGHT_PER_ASKER = 64;
/** Questions of one container a second, and at once. Above what the path from its kernel to here carries in a test without others. */
export const ANSWERS_PER_SECOND = 60_000;
export const ANSWER_BURST = 60_000;
/** Of these, questions that leave for a server: the host's resolver is not ours to flood. */
export const FORWARDS_PER_SECOND = 2000;
export const FORWARD_BURST = 4000;
/** Containers whose figures are kept; the one that was silent for the longest goes first. */
const MAX_ASKERS = 4096;

export type Figure = keyof DnsFigures;

export class Asker {
  readonly figures: Record<Figure, number> = noFigures();
  inFlight = 0;
  readonly answers: TokenBucket;
  readonly forwards: TokenBucket;

  constructor(now: number) {
    this.answers = new TokenBucket(ANSWERS_PER_SECOND, ANSWER_BURST, now);
    this.forwards = new TokenBucket(FORWARDS_PER_SECOND, FORWARD_BURST, now);
  }
}

export class Askers {
  readonly total: Record<Figure, number> = noFigures();
  readonly #known = new LRUCache<string, Asker>({ max: MAX_ASKERS });
  #inFlight = 0;

  get inFlight(): number {
    return this.#inFlight;
  }

  get(id: string, now: number): Asker {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const made = new Asker(now);
    this.#known.set(id, made);
    return made;
  }

  count(asker: Asker, figure: Figure): void {
    asker.figures[figure]++;
    this.total[figure]++;
  }

  figures(id: string): DnsFigures {
    return { ...(this.#known.peek(id)?.figures ?? noFigures()) };
  }

  /** A place on the way to a server, to be left again; false: refused. */
  enter(asker: Asker): boolean {
    const most = this.#inFlight >= MAX_IN_FLIGHT ? MIN_IN_FLIGHT_PER_ASKER : MAX_IN_FLIGHT_PER_ASKER;
    if (asker.inFlight >= most) return false;
    asker.inFlight++;
    this.#inFlight++;
    return true;
  }

  leave(asker: Asker): void {
    asker.inFlight--;
    this.#inFlight--;
  }
}

/** So many a second, and so many at once after a rest. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #most: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1000;
    this.#most = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** @param now milliseconds that never go back */
  take(now: number): boolean {
    this.#tokens = Math.min(this.#most, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

function noFigures(): Record<Figure, number> {
  return { questions: 0, local: 0, cached: 0, merged: 0, forwarded: 0, failed: 0, refused: 0, dropped: 0 };
}
