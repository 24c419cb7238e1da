import { Container } from './container.js';
import type { Ending } from './ending.js';
import type { EndpointEvents } from './endpoint-events.js';
import { announceFaults } from './faults.js';
import type { House } from './house.js';
import type { LoadedState } from './state-store.js';

/** The subnet that containers of an earlier daemon still use; null when none of them may run. */
export function subnetInUse({ records }: LoadedState): string | null {
  return (
    records.find(({ phase, lease }) => (phase === 'starting' || phase === 'running') && lease)?.network.subnet ?? null
  );
}

/**
 * Takes over what an earlier daemon left. Those that ended or never started are listed again. One that only held a ticket did not come
 * up, as its launcher saw the socket close. Those that ran are announced to the engine and either come back or are found dead.
 */
export async function recover(
  house: House,
  ending: Ending,
  events: EndpointEvents,
  loaded: LoadedState,
): Promise<void> {
  const { log, state, registry } = house;
  for (const { id, reason } of loaded.broken) {
    const directory = state.directory(id);
    if (reason === 'no container.json') {
      await state.remove(id).catch((error) => {
        log.error({ err: error, container: id, directory }, 'the rest of a removed container cannot be deleted');
      });
    } else log.error({ container: id, reason, directory }, 'a container record cannot be read; it is left alone');
  }
  for (const record of loaded.records) {
    const container = new Container(record);
    if (registry.hasName(container.name)) {
      log.error(
        { container: container.id, name: container.name },
        'two records have one name; the later one is left alone',
      );
      continue;
    }
    registry.add(container);
    if (!container.live) {
      container.settled = true;
      if (record.phase === 'exited' && record.request.autoRemove) await ending.forget(container);
      continue;
    }
    container.releaseIdle = house.idle.hold();
    if (record.lease) house.network.pool.reserve(record.lease.address);
    if (record.phase === 'created') await ending.undo(container, 'the daemon ended before it started');
    else events.expectAgain(container);
  }
  announceFaults(house);
}

/** After the engine was replaced: all live endpoints are new to it. */
export function announceAll(house: House, events: EndpointEvents): void {
  for (const container of house.registry.all()) {
    if (container.live) events.expectAgain(container);
  }
  announceFaults(house);
}
