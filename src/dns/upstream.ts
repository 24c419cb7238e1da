import { setMaxListeners } from 'node:events';
import { type Ask, askByTcp, askByUdp, type Outcome } from './exchange.js';
import type { Query } from './query.js';
import { ServerOrder } from './server-order.js';
import { FIELD, FLAG, RCODE, viewOf } from './wire.js';

/**
 * Forwards a question to the host's resolvers, one after another, within the five seconds that a client waits.
 *
 * Next server on: no answer in time, a refused connection, SERVFAIL, REFUSED. Only silence is remembered against a server: SERVFAIL is
 * often about one name (a broken DNSSEC chain), and turning the order round for it would send the names of a company to
 * the public server that stands second. NXDOMAIN and an empty answer are answers.
 */

export const TRY_MS = 2000;
/** Below the five seconds after which libc asks again. */
export const TOTAL_MS = 4500;
/** A try shorter than this is not worth a socket. */
const MIN_TRY_MS = 100;
/** Questions on their way, for all guests and for one: each holds a file descriptor of the daemon. */
export const MAX_IN_FLIGHT = 1024;
export const MAX_IN_FLIGHT_PER_ASKER = 256;

export type Transport = 'udp' | 'tcp';

export interface UpstreamLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface UpstreamOptions {
  readonly servers: () => readonly string[];
  readonly log: UpstreamLog;
  /** 53, but for tests. */
  readonly port?: number;
}

export class Upstream {
  readonly #order = new ServerOrder();
  readonly #closing = new AbortController();
  readonly #inFlight = new Map<string, number>();
  readonly #options: UpstreamOptions;
  #total = 0;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    setMaxListeners(0, this.#closing.signal); // one a try on its way; MAX_IN_FLIGHT is their bound
  }

  /** The reply, or null when no server gave one: the caller says SERVFAIL. */
  async forward(query: Query, asker: string, transport: Transport): Promise<Uint8Array | null> {
    const own = this.#inFlight.get(asker) ?? 0;
    if (this.#total >= MAX_IN_FLIGHT || own >= MAX_IN_FLIGHT_PER_ASKER || this.#closing.signal.aborted) return null;
    this.#total += 1;
    this.#inFlight.set(asker, own + 1);
    try {
      return await this.#askInTurn(query, transport);
    } finally {
      this.#total -= 1;
      const left = (this.#inFlight.get(asker) ?? 1) - 1;
      if (left === 0) this.#inFlight.delete(asker);
      else this.#inFlight.set(asker, left);
    }
  }

  hasFailed(server: string): boolean {
    return this.#order.hasFailed(server);
  }

  close(): void {
    this.#closing.abort();
  }

  async #askInTurn(query: Query, transport: Transport): Promise<Uint8Array | null> {
    const end = performance.now() + TOTAL_MS;
    let refusal: Uint8Array | null = null;
    for (const server of this.#order.order(this.#options.servers())) {
      const began = performance.now();
      const timeoutMs = Math.min(TRY_MS, end - began);
      if (timeoutMs < MIN_TRY_MS) break;
      const outcome = await this.#askOne(query, transport, this.#ask(server, timeoutMs));
      if (this.#closing.signal.aborted) return null;
      if (outcome.kind === 'failed') {
        this.#noteFailure(server, began, outcome.reason);
        continue;
      }
      this.#order.answered(server);
      if (!isRefusal(outcome.message)) return outcome.message;
      refusal = outcome.message;
    }
    return refusal;
  }

  /** A cut reply is fetched whole by TCP; a client that came by TCP starts there, and a server without TCP is still asked by UDP. */
  async #askOne(query: Query, transport: Transport, ask: Ask): Promise<Outcome> {
    const start = performance.now();
    const rest = (): Ask => ({ ...ask, timeoutMs: Math.max(MIN_TRY_MS, ask.timeoutMs - (performance.now() - start)) });
    if (transport === 'tcp') {
      const byTcp = await askByTcp(query, ask);
      return byTcp.kind === 'reply' ? byTcp : askByUdp(query, rest());
    }
    const byUdp = await askByUdp(query, ask);
    if (byUdp.kind === 'failed' || !isCut(byUdp.message)) return byUdp;
    const whole = await askByTcp(query, rest());
    return whole.kind === 'reply' ? whole : byUdp;
  }

  #ask(server: string, timeoutMs: number): Ask {
    return { server, port: this.#options.port ?? 53, timeoutMs, signal: this.#closing.signal };
  }

  #noteFailure(server: string, began: number, reason: string): void {
    if (this.#order.failed(server, began))
      this.#options.log.warn({ server, reason }, 'DNS server did not answer; it is asked last for a while');
  }
}

function flagsOf(message: Uint8Array): number {
  return viewOf(message).getUint16(FIELD.FLAGS);
}

function isCut(message: Uint8Array): boolean {
  return (flagsOf(message) & FLAG.TC) !== 0;
}

function isRefusal(message: Uint8Array): boolean {
  const rcode = flagsOf(message) & FLAG.RCODE;
  return rcode === RCODE.SERVFAIL || rcode === RCODE.REFUSED;
}
