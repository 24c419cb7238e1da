import type { NativeModule, Stack, StackEvent, StackOptions, StackSnapshot } from './stack.js';

/**
 * The addon as it comes. napi leaves out a field that is absent where our types say null; this is the only difference, and it is
 * made good here, so that nobody else must think of two kinds of nothing.
 */
export type RawEvent = Pick<StackEvent, 'kind'> & { readonly [K in keyof StackEvent]?: StackEvent[K] };
export type RawStack = Omit<Stack, 'drainEvents'> & { drainEvents(max: number): RawEvent[] };
export interface RawNative extends Omit<NativeModule, 'Stack'> {
  readonly Stack: new (options: StackOptions, onEvents: () => void) => RawStack;
}

const NOTHING: Omit<StackEvent, 'kind'> = {
  endpoint: null,
  pid: null,
  running: null,
  device: null,
  exitCode: null,
  signal: null,
  message: null,
  query: null,
  transport: null,
  data: null,
  lost: null,
};

/** An event with every field that its kind does not name set to null. */
export function completeEvent(event: RawEvent): StackEvent {
  return { ...NOTHING, ...event };
}

export function completeSnapshot(snapshot: StackSnapshot): StackSnapshot {
  return {
    ...snapshot,
    endpoints: snapshot.endpoints.map((endpoint) => ({ ...endpoint, device: endpoint.device ?? null })),
  };
}

export function convertNative(raw: RawNative): NativeModule {
  return {
    Stack: class ConvertedStack implements Stack {
      readonly #raw: RawStack;

      constructor(options: StackOptions, onEvents: () => void) {
        this.#raw = new raw.Stack(options, onEvents);
      }

      drainEvents = (max: number) => this.#raw.drainEvents(max).map(completeEvent);
      snapshot = () => completeSnapshot(this.#raw.snapshot());
      addNetwork: Stack['addNetwork'] = (spec) => this.#raw.addNetwork(spec);
      removeNetwork: Stack['removeNetwork'] = (id) => this.#raw.removeNetwork(id);
      expectEndpoint: Stack['expectEndpoint'] = (spec) => this.#raw.expectEndpoint(spec);
      dropEndpoint: Stack['dropEndpoint'] = (id) => this.#raw.dropEndpoint(id);
      release: Stack['release'] = (id) => this.#raw.release(id);
      abort: Stack['abort'] = (id, message) => this.#raw.abort(id, message);
      signalGuest: Stack['signalGuest'] = (id, signal) => this.#raw.signalGuest(id, signal);
      publish: Stack['publish'] = (spec) => this.#raw.publish(spec);
      unpublish: Stack['unpublish'] = (spec) => this.#raw.unpublish(spec);
      answerDns: Stack['answerDns'] = (query, message) => this.#raw.answerDns(query, message);
      close: Stack['close'] = () => this.#raw.close();
    },
    lockFile: (path) => raw.lockFile(path),
    peerIdentity: (fd) => raw.peerIdentity(fd),
  };
}
