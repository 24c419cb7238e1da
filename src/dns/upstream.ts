import type { AskInside } from './ask-inside.js';
import { type Limits, ServerAsker, type Transport } from './ask-server.js';
import { type Asked, Asking, isRefusal, type Result, TRY_MS } from './asking.js';
import { Doubts } from './doubts.js';
import { isCut, NO_ANSWER, type Outcome, type Sent } from './outcome.js';
import { examine, type ReplyFacts } from './reply-facts.js';
import { type HealthFigures, ServerHealth } from './server-health.js';
import type { Server } from './servers.js';
import { FIELD, RCODE, writeUint16 } from './wire.js';

/**
 * Asks servers, and remembers which are there.
 *
 * Next server on: no answer in time, a refused connection, a reply that does not add up, SERVFAIL, REFUSED. Only a
 * server that is not there is remembered as failed: SERVFAIL is often about one name (a broken DNSSEC chain), as silence is (doubts.ts), and
 * turning the order round for it would send the names of a company to the public server that stands second. NXDOMAIN and an empty
 * answer are answers.
 */

/** Whose share our own questions count for. */
const OURSELVES = '';

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

export class Upstream {
  readonly #health = new ServerHealth();
  readonly #log: UpstreamLog;
  readonly #asker: ServerAsker;
  readonly #doubts: Doubts;
  #closed = false;

  /** @param port 53, but for tests */
  constructor(log: UpstreamLog, port = 53, askInside?: AskInside) {
    this.#log = log;
    this.#asker = new ServerAsker(port, askInside);
    this.#doubts = new Doubts({
      health: this.#health,
      ask: (server, sent, timeoutMs) => this.#asker.ask(sent, server, 'udp', { asker: OURSELVES, timeoutMs }),
      onAnswer: (server) => this.#noteAnswer(server, this.#health.isThere(server.key)),
      onFailure: (server, since, reason) => this.#noteFailure(server, since, reason),
    });
  }

  ask(sent: Sent, servers: readonly Server[], { transport, asker }: Way): Promise<Asked> {
    this.#probe(sent, servers, asker);
    const asking = new Asking({
      put: (server, limits) => this.#put(sent, server, transport, { asker, ...limits }),
      isWell: ({ key }) => !this.#health.hasFailed(key),
      isGivenUp: ({ key }) => this.#health.isGivenUp(key),
      isClosed: () => this.#closed,
    });
    return asking.run(this.#health.order(servers));
  }

  health(server: Server): HealthFigures {
    return this.#health.figures(server.key);
  }

  close(): void {
    this.#closed = true;
    this.#asker.close();
  }

  /** A failed server is looked at again beside the question to another one: the asker does not wait for it. */
  #probe(sent: Sent, servers: readonly Server[], asker: string): void {
    const server = this.#health.toProbe(servers);
    if (server === null) return;
    void this.#doubts.look(server, performance.now());
    void this.#put(sent, server, 'udp', { asker, timeoutMs: TRY_MS });
  }

  async #put(sent: Sent, server: Server, transport: Transport, limits: Limits): Promise<Result> {
    const began = performance.now();
    this.#health.asked(server.key);
    const endDoubt = this.#doubts.begin(server, began);
    const outcome = await this.#asker.ask(sent, server, transport, limits);
    endDoubt();
    if (outcome.kind === 'failed') return this.#failed(server, began, outcome);
    this.#noteAnswer(server, this.#health.answered(server.key, began));
    if (outcome.kind === 'refused') return { kind: 'nothing', reply: null, text: outcome.reason };
    const { message } = outcome;
    const facts = examine(message) ?? examineCut(message, sent.questionEnd);
    if (facts === null) return { kind: 'nothing', reply: null, text: 'a reply that does not add up' };
    const result = { reply: { message, facts }, text: rcodeName(facts.rcode) };
    // By TCP there is no further way to point to.
    if (transport === 'tcp' && isCut(message)) return { ...result, kind: 'passing' };
    return { ...result, kind: isRefusal(facts.rcode) ? 'refused' : 'usable' };
  }

  #failed(server: Server, began: number, outcome: Outcome & { kind: 'failed' }): Result {
    const { reason: text, ours } = outcome;
    if (ours) return { kind: 'passing', reply: null, text };
    if (outcome === NO_ANSWER) return { kind: 'nothing', reply: null, text };
    this.#noteFailure(server, began, text);
    return { kind: 'gone', reply: null, text };
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

export function rcodeName(rcode: number): string {
  return Object.entries(RCODE).find(([, value]) => value === rcode)?.[0] ?? `rcode ${rcode}`;
}
