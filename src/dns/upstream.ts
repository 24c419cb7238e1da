import { type AskInside, InsideAsker } from './ask-inside.js';
import { TcpAsker } from './ask-tcp.js';
import { Doubts } from './doubts.js';
import { type Ask, NO_ANSWER, type Outcome, type Sent } from './outcome.js';
import { examine, type ReplyFacts } from './reply-facts.js';
import { type HealthFigures, ServerHealth } from './server-health.js';
import type { Server } from './servers.js';
import { UdpDoors } from './udp-doors.js';
import { FIELD, FLAG, RCODE, readUint16, writeUint16 } from './wire.js';

/**
 * Asks servers, one after another, within the five seconds that a client waits.
 *
 * Next server on: no answer in time, a refused connection, a reply that does not add up, SERVFAIL, REFUSED. Only a
 * server that is not there is remembered as failed: SERVFAIL is often about one name (a broken DNSSEC chain), as silence is (doubts.ts), and
 * turning the order round for it would send the names of a company to the public server that stands second. NXDOMAIN and an empty
 * answer are answers.
 */

export const TRY_MS = 2000;
/** Below the five seconds after which libc asks again. */
export const TOTAL_MS = 4500;
/** As many as libc asks. */
export const MAX_TRIES = 3;
/** Whose share our own questions count for. */
const OURSELVES = '';
/** A try shorter than this is not worth a socket. */
const MIN_TRY_MS = 100;

export type Transport = 'udp' | 'tcp';

/** How a question came. */
export interface Way {
  readonly transport: Transport;
  /** Whose share of descriptors it counts for. */
  readonly asker: string;
}

export interface UpstreamLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** One server, asked once: for who wants to know how an answer came about. */
export interface Try {
  readonly server: Server;
  readonly result: string;
  /** Milliseconds. */
  readonly took: number;
}

export interface Asked {
  /** With what a walk over it told; null: no server gave one. */
  readonly reply: { readonly message: Uint8Array; readonly facts: ReplyFacts } | null;
  readonly tries: readonly Try[];
  /** No reply, for a reason that the next one to ask need not meet: no descriptor, closing, too large for the way it came. */
  readonly passing: boolean;
}

export class Upstream {
  readonly #health = new ServerHealth();
  readonly #udp = new UdpDoors();
  readonly #tcp = new TcpAsker();
  readonly #log: UpstreamLog;
  readonly #port: number;
  readonly #inside: InsideAsker;
  readonly #doubts: Doubts;
  #closed = false;

  /** @param port 53, but for tests */
  constructor(log: UpstreamLog, port = 53, askInside?: AskInside) {
    this.#log = log;
    this.#port = port;
    this.#inside = new InsideAsker(askInside);
    this.#doubts = new Doubts({
      health: this.#health,
      ask: (server, sent, timeoutMs) => this.#askOne(sent, server, { transport: 'udp', asker: OURSELVES }, timeoutMs),
      onAnswer: (server) => this.#noteAnswer(server, this.#health.isThere(server.key)),
      onFailure: (server, since, reason) => this.#noteFailure(server, since, reason),
    });
  }

  async ask(sent: Sent, servers: readonly Server[], { transport, asker }: Way): Promise<Asked> {
    const end = performance.now() + TOTAL_MS;
    const tries: Try[] = [];
    let refusal: Asked['reply'] = null;
    let passing = false;
    this.#probe(sent, servers, asker);
    const turn = this.#health.order(servers);
    for (const server of turn) {
      if (tries.length >= MAX_TRIES) break;
      const began = performance.now();
      const timeoutMs = Math.min(TRY_MS, Math.floor(end - began));
      if (timeoutMs < MIN_TRY_MS || this.#closed) break;
      const wasWell = !this.#health.hasFailed(server.key);
      const { reply, result, own } = await this.#try(sent, server, { transport, asker }, timeoutMs);
      tries.push({ server, result, took: performance.now() - began });
      passing ||= own;
      // A datagram may be lost: a server that was well is asked once more, when the others have been.
      if (result === NO_ANSWER.reason && wasWell) turn.push(server);
      if (reply === null) continue;
      // By TCP there is no further way to point to.
      if (transport === 'tcp' && isCut(reply.message)) {
        passing = true;
        continue;
      }
      if (!isRefusal(reply.facts.rcode)) return { reply, tries, passing: false };
      refusal = reply;
    }
    return { reply: refusal, tries, passing: passing || this.#closed };
  }

  health(server: Server): HealthFigures {
    return this.#health.figures(server.key);
  }

  close(): void {
    this.#closed = true;
    this.#udp.close();
    this.#tcp.close();
  }

  /** A failed server is looked at again beside the question to another one: the asker does not wait for it. */
  #probe(sent: Sent, servers: readonly Server[], asker: string): void {
    const server = this.#health.toProbe(servers);
    if (server === null) return;
    void this.#doubts.look(server, performance.now());
    void this.#try(sent, server, { transport: 'udp', asker }, TRY_MS);
  }

  async #try(sent: Sent, server: Server, way: Way, timeoutMs: number) {
    const began = performance.now();
    const nothing = (result: string, own = false) => ({ reply: null, result, own });
    this.#health.asked(server.key);
    const answered = this.#doubts.begin(server, began);
    const outcome = await this.#askOne(sent, server, way, timeoutMs);
    answered();
    if (outcome.kind === 'failed') {
      const { reason, ours = false } = outcome;
      if (!ours && outcome !== NO_ANSWER) this.#noteFailure(server, began, reason);
      return nothing(reason, ours);
    }
    this.#noteAnswer(server, this.#health.answered(server.key, began));
    if (outcome.kind === 'refused') return nothing(outcome.reason);
    const { message } = outcome;
    const facts = examine(message) ?? examineCut(message, sent.questionEnd);
    if (facts === null) return nothing('a reply that does not add up');
    return { reply: { message, facts }, result: rcodeName(facts.rcode), own: false };
  }

  async #askOne(sent: Sent, server: Server, { transport, asker }: Way, timeoutMs: number): Promise<Outcome> {
    const start = performance.now();
    const ask: Ask = { server: server.address, asker, port: this.#port, timeoutMs };
    if (server.inside) return this.#inside.ask(sent, ask);
    const rest = (): Ask => ({ ...ask, timeoutMs: Math.max(MIN_TRY_MS, timeoutMs - (performance.now() - start)) });
    // A client that came by TCP starts there, and a server without TCP is still asked by UDP.
    if (transport === 'tcp') {
      const byTcp = await this.#tcp.ask(sent, ask);
      return byTcp.kind === 'reply' ? byTcp : this.#udp.ask(sent, rest());
    }
    // A cut reply is fetched whole.
    const byUdp = await this.#udp.ask(sent, ask);
    if (byUdp.kind !== 'reply' || !isCut(byUdp.message)) return byUdp;
    const whole = await this.#tcp.ask(sent, rest());
    return whole.kind === 'reply' ? whole : byUdp;
  }

  #noteAnswer(server: Server, isNews: boolean): void {
    if (isNews) this.#log.info({ server: server.address }, 'DNS server answers again');
  }

  #noteFailure(server: Server, began: number, reason: string): void {
    if (!this.#health.failed(server.key, began, reason)) return;
    this.#log.warn(
      { server: server.address, origin: server.origin, reason },
      'DNS server did not answer; it is asked last until it does',
    );
  }
}

/** A reply that was cut in the middle of a record, and could not be had whole: what is left of it is the question and the TC bit. */
function examineCut(message: Uint8Array, questionEnd: number): ReplyFacts | null {
  if (!isCut(message)) return null;
  for (const field of [FIELD.ANSWERS, FIELD.AUTHORITIES, FIELD.ADDITIONALS]) writeUint16(message, field, 0);
  return examine(message.subarray(0, questionEnd));
}

export function isCut(message: Uint8Array): boolean {
  return (readUint16(message, FIELD.FLAGS) & FLAG.TC) !== 0;
}

function isRefusal(rcode: number): boolean {
  return rcode === RCODE.SERVFAIL || rcode === RCODE.REFUSED;
}

export function rcodeName(rcode: number): string {
  return Object.entries(RCODE).find(([, value]) => value === rcode)?.[0] ?? `rcode ${rcode}`;
}
