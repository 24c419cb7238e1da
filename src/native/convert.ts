import type { StackEvent } from './stack.js';

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

/** An event with null in every field that is not given, as the engine makes them. */
export function completeEvent(event: Pick<StackEvent, 'kind'> & Partial<StackEvent>): StackEvent {
  return { ...NOTHING, ...event };
}
