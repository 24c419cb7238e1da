import { constants } from 'node:os';
import { messageOf, UnetError } from '../model/errors.js';
import type { Container } from './container.js';
import type { Ending } from './ending.js';
import type { House } from './house.js';
import { signalProcess } from './process-identity.js';

/** How long the end of a killed guest may take; only a process stuck in the kernel takes longer. */
const KILL_MILLISECONDS = 5000;
/** How long a command that has been told to start may take to say that it did. */
const START_MILLISECONDS = 3000;

/**
 * SIGTERM, then SIGKILL after `seconds`. Resolves when it has ended; at once when it had.
 *
 * @param keep it stays listed although it was to remove itself, because it will be started again
 */
export async function stopContainer(
  house: House,
  ending: Ending,
  container: Container,
  seconds: number,
  keep = false,
): Promise<void> {
  container.stops++;
  container.keptOnce = keep;
  try {
    if (await settleStart(ending, container)) return;
    sendSignal(house, container, 'SIGTERM');
    if (await ended(container, seconds * 1000)) return;
    await killContainer(house, ending, container);
  } finally {
    container.keptOnce = false;
    container.stops--;
    container.changed();
  }
}

/** SIGKILL to everything in it. @throws UnetError UNAVAILABLE when it does not die */
export async function killContainer(house: House, ending: Ending, container: Container): Promise<void> {
  if (await settleStart(ending, container)) return;
  sendSignal(house, container, 'SIGKILL');
  if (await ended(container, KILL_MILLISECONDS)) return;
  const { supervisor } = container.record;
  if (supervisor && signalProcess(supervisor, 'SIGKILL') && (await ended(container, KILL_MILLISECONDS))) return;
  throw new UnetError(
    'UNAVAILABLE',
    `container "${container.name}" was killed but does not end; a process in it may hang in the kernel`,
  );
}

/**
 * @throws UnetError CONFLICT when it runs and `force` is not given, UNAVAILABLE when its files cannot be deleted: one that had
 * ended stays listed then, so that it can be tried again
 */
export async function removeContainer(
  house: House,
  ending: Ending,
  container: Container,
  force: boolean,
): Promise<void> {
  if (container.removed) return;
  // "Go" may be said: in a moment it runs or does not.
  if (!force && container.record.phase === 'starting') {
    const isDecided = () => container.ended || container.running;
    await container.waitFor(isDecided, { milliseconds: START_MILLISECONDS });
  }
  if (container.running && !force) {
    throw new UnetError(
      'CONFLICT',
      `cannot remove container "${container.name}": container is running: stop the container before removing or force remove`,
    );
  }
  container.removing = true;
  container.changed();
  try {
    await remove(house, ending, container);
  } finally {
    container.removing = false;
  }
}

async function remove(house: House, ending: Ending, container: Container): Promise<void> {
  // It may just be made, and its end may just be written.
  await container.waitFor(() => container.ended || container.live, { milliseconds: KILL_MILLISECONDS });
  if (container.live) await killContainer(house, ending, container);
  await container.waitFor(() => container.ended, { milliseconds: KILL_MILLISECONDS });
  if (container.removed) {
    await ended(container, KILL_MILLISECONDS);
    if (container.leftBehind !== null) throw notDeleted(house, container, container.leftBehind);
    return;
  }
  try {
    await house.state.remove(container.id);
  } catch (error) {
    throw notDeleted(house, container, messageOf(error));
  }
  await ending.forget(container);
}

function notDeleted({ state }: House, { id, name }: Container, reason: string): UnetError {
  return new UnetError(
    'UNAVAILABLE',
    `cannot delete the files of container "${name}": ${reason}; make ${state.directory(id)} yours to write to, or delete it yourself`,
  );
}

/** Deals with one that is still on its way up. True when there is nothing left to stop. */
async function settleStart(ending: Ending, container: Container): Promise<boolean> {
  const phase = () => container.record.phase;
  if (container.live && phase() === 'created') await ending.abort(container, 'it was stopped before it started');
  // "Go" may be said already: taking it back now would leave a command that runs without a network.
  let isOver = false;
  const isDecided = () => {
    // Now: whoever waits for its end, too, may start it again.
    isOver = container.ended;
    return isOver || phase() === 'running';
  };
  await container.waitFor(isDecided, { milliseconds: START_MILLISECONDS });
  if (isOver) return true;
  if (container.live && phase() === 'starting') {
    const { supervisor } = container.record;
    if (supervisor) signalProcess(supervisor, 'SIGKILL');
    await ending.undo(container, 'it was stopped while it started');
  }
  return !container.live;
}

/** Through the engine, else to the supervisor, which passes a signal on and dies of SIGKILL with everything below it. */
function sendSignal(house: House, { id, record }: Container, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    house.engine.stack.signalGuest(id, constants.signals[signal]);
  } catch (error) {
    house.log.warn(
      { err: error, container: id, signal },
      'the engine cannot pass a signal; sending it to the supervisor',
    );
    if (record.supervisor) signalProcess(record.supervisor, signal);
  }
}

function ended(container: Container, milliseconds: number): Promise<boolean> {
  return container.waitFor(() => container.ended, { milliseconds });
}
