import { parseContainerName } from '../model/container-name.js';
import { messageOf, UnetError } from '../model/errors.js';
import type { Container } from './container.js';
import type { House } from './house.js';

/**
 * Another name for a container in any state. Its id, its hostname and the links to it stay; the link names of which it is the
 * parent follow.
 *
 * @throws UnetError INVALID, CONFLICT (taken), UNAVAILABLE (disk)
 */
export async function renameContainer(house: House, container: Container, text: string): Promise<void> {
  if (text === '') throw new UnetError('INVALID', 'Neither old nor new names may be empty');
  const name = parseContainerName(text);
  await container.serially(() => rename(house, container, name));
}

async function rename({ registry, state, links, log }: House, container: Container, name: string): Promise<void> {
  const old = container.name;
  if (container.removed || container.removing) throw new UnetError('NOT_FOUND', `No such container: ${old}`);
  if (name === old) throw new UnetError('INVALID', 'Renaming a container with the same name as its current name');
  registry.claim(name, container);
  container.record.name = name;
  links.changed(container);
  try {
    await state.save(container.record);
  } catch (error) {
    // Both names were its own until now, so that there is a way back.
    container.record.name = old;
    registry.unclaim(name, container);
    links.changed(container);
    throw container.removed ? new UnetError('NOT_FOUND', `No such container: ${old}`) : notWritten(error);
  }
  registry.unclaim(old, container);
  log.info({ container: container.id, old, name }, 'container renamed');
}

function notWritten(error: unknown): UnetError {
  return new UnetError('UNAVAILABLE', `cannot write the state of a container: ${messageOf(error)}; it keeps its name`, {
    cause: error,
  });
}
