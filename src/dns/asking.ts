import { setTimeout as sleep } from 'node:timers/promises';
import { firstOf } from './first-of.js';
import { NO_ANSWER } from './outcome.js';
import { Over } from './over.js';
import type { ReplyFacts } from './reply-facts.js';
import type { Server } from './servers.js';
import { RCODE } from './wire.js';

/**
 * One question on its way: the servers in their order, each with a start over the next.
 *
 * A try that is over without an answer hands on to the next server at once; one that brings nothing in TRY_MS hands on as well, but may still
 * answer: what comes first is taken, within the five seconds that a client waits, unless all servers have been given up. A server that was well, and the only one in any
 * case, is asked once more behind the others, as a datagram may be lost; the only one also a moment after it was not
 * there, as it may be starting again.
 */

/** Until the next server's turn. */
export const TRY_MS = 2000;
/** Below the five seconds after which libc asks again. */
export const TOTAL_MS = 4500;
/** As many as libc asks. */
export const MAX_TRIES = 3;
/** A try shorter than this is not worth a socket. */
const MIN_TRY_MS = 100;
/** How long a server that starts again is given; also until a place is looked for again. */
const RETRY_AFTER_MS = 250;

/** One server, asked once: for who wants to know how an answer came about. */
export interface Try {
  readonly server: Server;
  readonly result: string;
  /** Milliseconds. */
  readonly took: number;
}

/** With what a walk over it told. */
export interface Reply {
  readonly message: Uint8Array;
  readonly facts: ReplyFacts;
}

export interface Asked {
  /** null: no server gave one. */
  readonly reply: Reply | null;
  readonly tries: readonly Try[];
  /** No reply, for a reason that the next one to ask need not meet: no descriptor, closing, too large for the way it came. */
  readonly passing: boolean;
}

/** What came of one try. */
export interface Result {
  readonly reply: Reply | null;
  /** For people. */
  readonly text: string;
  /**
   * `usable`: to be passed on. `refused`: if nobody says more. `gone`: the server is not there. `passing`: it says nothing of the server or of
   * the name.
   */
  readonly kind: 'usable' | 'refused' | 'nothing' | 'gone' | 'passing';
}

export interface AskingParts {
  /** Asks one server; it ends with `over`. */
  readonly put: (server: Server, limits: { timeoutMs: number; over: Over }) => Promise<Result>;
  readonly isWell: (server: Server) => boolean;
  readonly isGivenUp: (server: Server) => boolean;
  readonly isClosed: () => boolean;
}

interface Trial {
  readonly server: Server;
  readonly began: number;
  readonly wasWell: boolean;
  readonly wasGivenUp: boolean;
  readonly done: Promise<Trial>;
  result: Result | null;
  took: number;
}

export class Asking {
  readonly #parts: AskingParts;
  readonly #end = performance.now() + TOTAL_MS;
  readonly #over = new Over();
  readonly #trials: Trial[] = [];
  readonly #pending = new Set<Trial>();
  #refusal: Reply | null = null;
  #passing = false;

  constructor(parts: AskingParts) {
    this.#parts = parts;
  }

  /** @param servers in the order in which they are asked */
  async run(servers: readonly Server[]): Promise<Asked> {
    const reply = (await this.#inTurn(servers)) ?? (await this.#lateAnswer());
    const tries = this.#trials.map(shown);
    this.#over.end();
    if (reply !== null) return { reply, tries, passing: false };
    return { reply: this.#refusal, tries, passing: this.#passing || this.#parts.isClosed() };
  }

  async #inTurn(servers: readonly Server[]): Promise<Reply | null> {
    const isOnly = servers.length === 1;
    const turn = [...servers];
    for (const server of turn) {
      if (this.#trials.length >= MAX_TRIES || this.#left() < MIN_TRY_MS || this.#parts.isClosed()) break;
      const isFirst = this.#trials.every((trial) => trial.server !== server);
      const { trial, reply } = await this.#tryOnce(server);
      if (reply !== null) return reply;
      if (!isFirst) continue;
      const { result, wasWell, wasGivenUp } = trial;
      if (result === null && (wasWell || (isOnly && !wasGivenUp))) turn.push(server);
      if (result?.kind !== 'gone' || !isOnly) continue;
      await sleep(RETRY_AFTER_MS);
      turn.push(server);
    }
    return null;
  }

  /** Where there is no place for a question to this server, one is waited for: the next server is for when this one does not answer. */
  async #tryOnce(server: Server): Promise<{ trial: Trial; reply: Reply | null }> {
    const until = performance.now() + TRY_MS;
    for (;;) {
      const trial = this.#begin(server);
      const reply = await this.#answer(trial, TRY_MS);
      const hadNoPlace = trial.result?.kind === 'passing' && trial.result.reply === null;
      if (!hadNoPlace || performance.now() + RETRY_AFTER_MS >= until || this.#parts.isClosed()) return { trial, reply };
      this.#trials.pop();
      await sleep(RETRY_AFTER_MS);
    }
  }

  #begin(server: Server): Trial {
    const began = performance.now();
    const wasWell = this.#parts.isWell(server);
    const wasGivenUp = this.#parts.isGivenUp(server);
    const limits = { timeoutMs: Math.floor(this.#left()), over: this.#over };
    const done = this.#parts.put(server, limits).then((result): Trial => {
      trial.result = result;
      trial.took = performance.now() - began;
      return trial;
    });
    const trial: Trial = { server, began, wasWell, wasGivenUp, done, result: null, took: 0 };
    this.#trials.push(trial);
    this.#pending.add(trial);
    return trial;
  }

  async #lateAnswer(): Promise<Reply | null> {
    return this.#trials.every(({ wasGivenUp }) => wasGivenUp) ? null : this.#answer(null, TOTAL_MS);
  }

  /**
   * What is to be passed on, from any server; null: not in this time, or not before `current` was over, or not at all. The tries themselves
   * end in time: none is left before it has read what came.
   */
  async #answer(current: Trial | null, ms: number): Promise<Reply | null> {
    const until = performance.now() + ms;
    while (this.#pending.size > 0 && (current === null || current.result === null)) {
      const left = until - performance.now();
      const trial =
        left > 0
          ? await firstOf(
              [...this.#pending].map(({ done }) => done),
              left,
            )
          : null;
      if (trial === null) return null;
      this.#pending.delete(trial);
      if (trial.result?.kind === 'usable') return trial.result.reply;
      if (trial.result?.kind === 'refused') this.#refusal = trial.result.reply ?? this.#refusal;
      this.#passing ||= trial.result?.kind === 'passing';
    }
    return null;
  }

  #left(): number {
    return this.#end - performance.now();
  }
}

function shown({ server, began, result, took }: Trial): Try {
  if (result !== null) return { server, result: result.text, took };
  const waited = performance.now() - began;
  return { server, result: waited < TRY_MS ? 'another answered first' : NO_ANSWER.reason, took: waited };
}

export function isRefusal(rcode: number): boolean {
  return rcode === RCODE.SERVFAIL || rcode === RCODE.REFUSED;
}
