import { messageOf } from '../model/errors.js';
import { complain, writeLine } from './output.js';

/** As `forEachContainer`, one after the other: the second may need the first. `act` gives false when what failed was said already. */
export async function forEachInTurn(refs: readonly string[], act: (ref: string) => Promise<boolean>): Promise<number> {
  let status = 0;
  for (const ref of refs) {
    try {
      if (await act(ref)) writeLine(ref);
      else status = 1;
    } catch (error) {
      complain(messageOf(error));
      status = 1;
    }
  }
  return status;
}

/**
 * Does one thing to each of the containers named on the command line, all at once, and prints in their order: the name as it was
 * typed, or what went wrong. Returns the exit status.
 */
export async function forEachContainer(
  refs: readonly string[],
  act: (ref: string) => Promise<void>,
  isForgiven: (error: unknown) => boolean = () => false,
): Promise<number> {
  const results = await Promise.allSettled(refs.map(act));
  let status = 0;
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') writeLine(refs[index] ?? '');
    else if (!isForgiven(result.reason)) {
      complain(messageOf(result.reason));
      status = 1;
    }
  }
  return status;
}
