import { messageOf, UnetError } from '../model/errors.js';
import type { NativeModule, NetworkSpec, Stack, StackEvent } from '../native/index.js';
import type { Log } from './log.js';

/** Events taken from the engine in one call. */
const BATCH = 256;
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
  #stack: Stack | null = null;
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
        if (events.length === 0) return;
        for (const event of events) this.#dispatch(event);
      }
    } catch (error) {
      this.#options.log.error({ err: error }, 'events of the engine could not be taken');
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
