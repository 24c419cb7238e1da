import { setTimeout as sleep } from 'node:timers/promises';
import { TRY_MS } from './asking.js';
import { NO_ANSWER, type Outcome, type Sent } from './outcome.js';
import type { ServerHealth } from './server-health.js';
import type { Server } from './servers.js';
import { CLASS_IN, FIELD, FLAG, HEADER_BYTES, TYPE, writeUint16 } from './wire.js';

/**
 * Whether a server that is silent is dead.
 *
 * There are names that nobody answers: their own servers are gone, or drop what they dislike. Were silence about one of them held
 * against the server, one packet of one guest would turn the order of servers for everybody, and the names of a company would
 * go to the public server that stands second. So a server that has answered nobody for some while of a try is asked something of
 * ours that every server has an answer to, if only a refusal, and is believed dead when that finds silence, too, and it has answered
 * nobody until the try was over: so a dead first server costs one wait, and a name nobody answers costs nobody else anything.
 *
 * Limits: a server that drops this very question is dead when it drops a guest's, too, until it answers anything. One that answers it
 * and nothing else (a resolver whose own way out is cut has it in its cache) is taken for alive, and costs each question a wait.
 */

/** Of silence, before a server is doubted. */
export const DOUBT_AFTER_MS = 500;
/** For the answer; with the above it ends before the next server's turn comes, though the daemon may stand still for a moment. */
export const DOUBT_MS = 1000;
/** So long before the end of its try a server may still answer; then it is too late for the next to ask to be spared the wait. */
const MARGIN_MS = 50;

/** Who serves the root: known to every resolver, asked by each of them when it starts, and nobody's secret. */
const NEUTRAL: Sent = neutralQuestion();

export interface DoubtParts {
  readonly health: Pick<ServerHealth, 'hasAnsweredSince'>;
  readonly ask: (server: Server, sent: Sent, timeoutMs: number) => Promise<Outcome>;
  readonly onAnswer: (server: Server) => void;
  readonly onFailure: (server: Server, since: number, reason: string) => void;
}

export class Doubts {
  readonly #parts: DoubtParts;
  /** By the key of the server: it is asked once for all who doubt it. */
  readonly #asked = new Map<string, Promise<Outcome>>();

  constructor(parts: DoubtParts) {
    this.#parts = parts;
  }

  /** A question was put to the server at `since`. What is returned is to be called when its answer is there, or not waited for. */
  begin(server: Server, since: number): () => void {
    const timer = setTimeout(() => void this.look(server, since), DOUBT_AFTER_MS);
    return () => clearTimeout(timer);
  }

  async look(server: Server, since: number): Promise<void> {
    const { health, onAnswer, onFailure } = this.#parts;
    if (health.hasAnsweredSince(server.key, since)) return;
    const outcome = await (this.#asked.get(server.key) ?? this.#put(server));
    if (outcome.kind !== 'failed') return onAnswer(server);
    if (outcome.ours) return;
    // A slow server is no dead one.
    const rest = since + TRY_MS - MARGIN_MS - performance.now();
    if (outcome === NO_ANSWER && rest > 0) await sleep(rest);
    onFailure(server, since, outcome.reason);
  }

  #put(server: Server): Promise<Outcome> {
    const asked = this.#parts.ask(server, NEUTRAL, DOUBT_MS).finally(() => this.#asked.delete(server.key));
    this.#asked.set(server.key, asked);
    return asked;
  }
}

function neutralQuestion(): Sent {
  const questionEnd = HEADER_BYTES + 5;
  const message = new Uint8Array(questionEnd);
  writeUint16(message, FIELD.FLAGS, FLAG.RD);
  writeUint16(message, FIELD.QUESTIONS, 1);
  writeUint16(message, HEADER_BYTES + 1, TYPE.NS);
  writeUint16(message, HEADER_BYTES + 3, CLASS_IN);
  return { message, questionEnd };
}
