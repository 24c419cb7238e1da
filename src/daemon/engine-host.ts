import { messageOf, UnetError } from '../model/errors.js';
import {
  AnswerBatch,
  ARENA_BYTES,
  type GuestQuestion,
  type NativeModule,
  type NetworkSpec,
  readDns,
  type Stack,
  type StackEvent,
} from '../native/index.js';
import type { Log } from './log.js';

/** Events taken from the engine in one call. */
const BATCH = 256;
/** DNS questions taken in one call: their answers go out, and others get their turn, before the next are taken. */
const DNS_BATCH = 64;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5000;
/** An engine that lived this long starts the count of its failures anew. */
const CALM_MILLISECONDS = 60_000;

export interface EngineHostOptions {
  readonly native: Pick<NativeModule, 'Stack'>;
  readonly handoffSocket: string;
  readonly network: NetworkSpec;
  readonly log: Log;
  readonly onEvent: (event: StackEvent) => void;
  /** `reply` may be called at any time, once; null lets the question go unanswered. */
  readonly onQuestion: (question: GuestQuestion, reply: (message: Uint8Array | null) => void) => void;
  /** A new engine stands, knowing the network and nothing else: its endpoints must be announced again. */
  readonly onRestart: () => void;
}

/**
 * Holds the engine and replaces it when it fails. A `fatal` event means that its thread is gone and that every call throws
 * ESTOPPED: this host closes it, waits a little longer each time, and starts another on the same hand-over socket, where
 * the launchers of running guests come back by themselves.
 */
export class EngineHost {
  readonly #options: EngineHostOptions;
  readonly #arena = Buffer.allocUnsafeSlow(ARENA_BYTES);
  /** Whoever waits for a guest's server, by number of the question to the engine that there is now. */
  readonly #asking = new Map<number, (message: Buffer | null) => void>();
  #stack: Stack | null = null;
  /** Bound to one engine: the next one counts its questions anew. */
  #answers: AnswerBatch | null = null;
  #drainsSoon = false;
  #closed = false;
  #restarts = 0;
  #failuresInARow = 0;
  #startedAt = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: EngineHostOptions) {
    this.#options = options;
  }

  /** @throws Error of the addon */
  start(): void {
    const { native, handoffSocket, network } = this.#options;
    const stack = new native.Stack({ handoffSocket }, () => this.#drain());
    try {
      stack.addNetwork(network);
    } catch (error) {
      stack.close();
      throw error;
    }
    this.#stack = stack;
    this.#answers = new AnswerBatch((records, length) => {
      if (this.#stack === stack) this.ifRunning(() => stack.answerDns(records, length));
    });
    this.#startedAt = Date.now();
  }

  /** @throws UnetError UNAVAILABLE between a failure and the new start */
  get stack(): Stack {
    if (this.#stack) return this.#stack;
    throw new UnetError('UNAVAILABLE', 'the network engine is being restarted after a failure; try again in a moment');
  }

  /** Runs `use` with the engine if there is one; an engine that is gone has nothing left to be told. */
  ifRunning(use: (stack: Stack) => void): void {
    if (!this.#stack) return;
    try {
      use(this.#stack);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the engine refused a call');
    }
  }

  /**
   * Asks the DNS server in the guest that has this address on the network, by UDP. Null: there is no answer, and within seconds there
   * will be none. The caller compares the question; the engine has compared addresses, ports and ids.
   */
  askGuest(address: string, message: Uint8Array): Promise<Uint8Array | null> {
    return new Promise((resolve) => {
      let query: number | null = null;
      this.ifRunning((stack) => {
        const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
        query = stack.askGuest(this.#options.network.id, address, bytes);
      });
      if (query === null) resolve(null);
      else this.#asking.set(query, resolve);
    });
  }

  get running(): boolean {
    return this.#stack !== null;
  }

  get restarts(): number {
    return this.#restarts;
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#shut();
  }

  #drain(): void {
    try {
      for (;;) {
        const events = this.#stack?.drainEvents(BATCH) ?? [];
        if (events.length === 0) break;
        for (const event of events) this.#dispatch(event);
      }
      this.#drainDns();
    } catch (error) {
      this.#options.log.error({ err: error }, 'events of the engine could not be taken');
    }
  }

  #drainDns(): void {
    const answers = this.#answers;
    const length = this.#stack?.drainDns(this.#arena, DNS_BATCH) ?? 0;
    if (answers === null || length === 0) return;
    const count = readDns(this.#arena, length, {
      onQuestion: (question) => this.#question(question, answers),
      onReply: ({ query, message }) => {
        const resolve = this.#asking.get(query);
        this.#asking.delete(query);
        resolve?.(message);
      },
    });
    if (count < DNS_BATCH && length < ARENA_BYTES / 2) return;
    if (this.#drainsSoon) return;
    this.#drainsSoon = true;
    setImmediate(() => {
      this.#drainsSoon = false;
      this.#drain();
    });
  }

  #question(question: GuestQuestion, answers: AnswerBatch): void {
    try {
      this.#options.onQuestion(question, (message) => answers.add(question.query, message));
    } catch (error) {
      this.#options.log.error({ err: error, container: question.endpoint }, 'a DNS question went wrong');
      answers.add(question.query, null);
    }
  }

  #dispatch(event: StackEvent): void {
    if (event.kind === 'fatal') {
      this.#options.log.error({ reason: event.message }, 'the network engine failed');
      this.#shut();
      this.#restartLater();
      return;
    }
    try {
      this.#options.onEvent(event);
    } catch (error) {
      this.#options.log.error({ err: error, kind: event.kind, container: event.endpoint }, 'an event went wrong');
    }
  }

  #shut(): void {
    const stack = this.#stack;
    this.#stack = null;
    this.#answers = null;
    for (const resolve of this.#asking.values()) resolve(null);
    this.#asking.clear();
    try {
      stack?.close();
    } catch (error) {
      this.#options.log.warn({ reason: messageOf(error) }, 'the failed engine did not close cleanly');
    }
  }

  #restartLater(): void {
    if (this.#closed || this.#timer) return;
    if (Date.now() - this.#startedAt > CALM_MILLISECONDS) this.#failuresInARow = 0;
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#failuresInARow, LONGEST_PAUSE);
    this.#failuresInARow++;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      try {
        this.start();
      } catch (error) {
        this.#options.log.error({ err: error }, 'the network engine could not be restarted');
        this.#restartLater();
        return;
      }
      this.#restarts++;
      this.#options.log.warn({ restarts: this.#restarts }, 'the network engine was restarted');
      this.#options.onRestart();
    }, pause);
  }
}
