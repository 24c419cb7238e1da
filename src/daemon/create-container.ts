import { randomBytes } from 'node:crypto';
import type { ContainerRequest, CreatedContainer, MadeContainer } from '../api/types.js';
import { newContainerId, shortId } from '../model/container-id.js';
import { generateContainerName, parseContainerName } from '../model/container-name.js';
import { requireCarried } from '../model/port-spec.js';
import { Container } from './container.js';
import type { Ending } from './ending.js';
import type { House } from './house.js';
import { bringUp } from './start-container.js';

/**
 * `unet create`: a name, an id, links to others that exist, and a record of it all. Nothing runs and nothing is held.
 *
 * @throws UnetError CONFLICT (name), NOT_FOUND, AMBIGUOUS (links), INVALID, UNAVAILABLE (disk)
 */
export async function makeContainer(house: House, ending: Ending, request: ContainerRequest): Promise<MadeContainer> {
  const container = await reserve(house, ending, request, true);
  container.settled = true;
  container.changed();
  house.log.info({ container: container.id, name: container.name }, 'container made');
  return { id: container.id, name: container.name, warnings: [] };
}

/**
 * `unet run`: makes it and brings it up to where its launcher takes over. What fails leaves nothing of it, but for a link to
 * one that does not run: then it stays, made, unless it was to remove itself.
 *
 * @param creator aborted when the connection of whoever asked has ended
 * @throws UnetError as `makeContainer`, and CONFLICT (links), UNAVAILABLE (addresses, engine)
 */
export async function createContainer(
  house: House,
  ending: Ending,
  request: ContainerRequest,
  creator: AbortSignal,
): Promise<CreatedContainer> {
  // Asked for first: without an engine nothing needs to be undone.
  house.engine.stack;
  const container = await reserve(house, ending, request, false);
  return bringUp(house, ending, container, { detach: request.detach, isNew: true, creator });
}

async function reserve(house: House, ending: Ending, request: ContainerRequest, isKept: boolean): Promise<Container> {
  const { registry, network, links } = house;
  requireCarried(request.ports);
  const given = request.name === null ? null : parseContainerName(request.name);
  if (given !== null) registry.requireFree(given);
  const id = newContainerId(randomBytes);
  const name = given ?? generateContainerName((word) => registry.hasName(word), shortId(id));
  const container = new Container({
    version: 1,
    id,
    name,
    createdAt: new Date().toISOString(),
    request,
    hostname: request.hostname ?? shortId(id),
    ticket: '',
    phase: 'made',
    before: null,
    network: { name: network.name, subnet: network.subnet, mtu: request.mtu ?? network.mtu },
    lease: null,
    search: [],
    options: [],
    dnsDefaults: { servers: null, search: null, options: null },
    published: [],
    faults: null,
    faultsTo: {},
    links: links.bind(name, request.links),
    device: null,
    supervisor: null,
    pid: null,
    startedAt: null,
    finishedAt: null,
    exitCode: null,
  });
  registry.add(container);
  try {
    await house.state.create(container.record, isKept);
  } catch (error) {
    await ending.forget(container);
    throw error;
  }
  return container;
}
