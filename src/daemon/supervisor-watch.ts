import type { Container } from './container.js';
import { type Ending, KILLED } from './ending.js';
import type { House } from './house.js';
import { isAlive } from './process-identity.js';

const FIRST_LOOK = 20;
const LONGEST_PAUSE = 1000;

/**
 * Decides about a container without a TAP: its launcher has gone, or the daemon is new and it has not come back yet. A supervisor
 * that lives will hand its TAP over again; the end of one that does not is in `exit.json`, or it was killed.
 */
export function watchSupervisor(house: House, ending: Ending, container: Container, pause = FIRST_LOOK): void {
  container.clearTimer();
  container.timer = setTimeout(() => {
    if (!container.live || container.attached) return;
    const { record } = container;
    const exit = house.state.readExit(container.id);
    if (exit) void ending.finish(container, exit);
    else if (record.supervisor && isAlive(record.supervisor)) {
      watchSupervisor(house, ending, container, Math.min(pause * 2, LONGEST_PAUSE));
    } else if (record.phase === 'running') void ending.finish(container, KILLED);
    else void ending.undo(container, 'its launcher ended before the command was started');
  }, pause);
}
