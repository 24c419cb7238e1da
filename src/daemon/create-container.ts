import { randomBytes } from 'node:crypto';
import type { ContainerRequest, CreatedContainer } from '../api/types.js';
import { renderHostname, renderHosts, renderResolvConf } from '../files/index.js';
import { newContainerId, shortId } from '../model/container-id.js';
import { generateContainerName, parseContainerName } from '../model/container-name.js';
import type { LaunchSpec } from '../model/launch-spec.js';
import { requireCarried } from '../model/port-spec.js';
import type { EndpointSpec } from '../native/index.js';
import { Container } from './container.js';
import type { Ending } from './ending.js';
import type { House } from './house.js';
import type { ContainerRecord } from './record.js';
import { ETC_FILES, type EtcFile } from './state-store.js';

/** A launcher needs some tens of milliseconds; one that has not come by now will not. */
const TICKET_MILLISECONDS = 15_000;
const TICKET_BYTES = 32;
const INTERFACE_NAME = 'eth0';
/** Frames. Room for a burst of the guest while the engine is busy with others. */
const TX_QUEUE_LENGTH = 4096;

/**
 * Reserves name, address, MAC, files and a ticket, and announces the endpoint. What follows (the launcher, the ports, "go") is
 * driven by the engine's events.
 *
 * @param creator aborted when the connection of whoever asked has ended
 * @throws UnetError CONFLICT (name), INVALID, UNAVAILABLE (addresses, disk, engine)
 */
export async function createContainer(
  house: House,
  ending: Ending,
  request: ContainerRequest,
  creator: AbortSignal,
): Promise<CreatedContainer> {
  requireCarried(request.ports);
  // Asked for first: without an engine nothing needs to be undone.
  house.engine.stack;
  const container = reserve(house, request);
  const { record } = container;
  try {
    await house.state.create(record, renderEtc(house, record));
    house.engine.stack.expectEndpoint(endpointSpec(record));
  } catch (error) {
    await ending.undo(container, 'it could not be created');
    throw error;
  }
  limitTicket(ending, container, creator);
  house.log.info(
    { container: container.id, name: container.name, address: record.lease?.address },
    'container created',
  );
  return { id: container.id, name: container.name, launch: launchPart(house, record), linkEnv: {}, warnings: [] };
}

/** The engine's view of a container; also when it is announced again to a new engine. */
export function endpointSpec(record: ContainerRecord): EndpointSpec {
  const { id, network, lease, ticket, request, faults } = record;
  return {
    id,
    network: network.name,
    ticket,
    address: lease?.address ?? '',
    mac: lease?.mac ?? '',
    mtu: network.mtu,
    hostAccessAll: request.hostAccess.all,
    hostAccessPorts: [...request.hostAccess.ports],
    ...(faults && { faults }),
  };
}

function reserve(house: House, request: ContainerRequest): Container {
  const { registry, network, idle } = house;
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
    ticket: randomBytes(TICKET_BYTES).toString('hex'),
    phase: 'created',
    network: { name: network.name, subnet: network.subnet, mtu: request.mtu ?? network.mtu },
    lease: network.pool.lease(),
    search: [...house.hostResolvConf().search],
    published: [],
    faults: request.faults,
    faultsTo: {},
    links: [],
    device: null,
    supervisor: null,
    pid: null,
    startedAt: null,
    finishedAt: null,
    exitCode: null,
  });
  registry.add(container);
  container.releaseIdle = idle.hold();
  return container;
}

function renderEtc(house: House, { lease, hostname }: ContainerRecord): Record<EtcFile, string> {
  return {
    hosts: renderHosts({ address: lease?.address ?? null, hostname }),
    hostname: renderHostname(hostname),
    'resolv.conf': renderResolvConf({ gateway: house.network.gateway, host: house.hostResolvConf() }),
  };
}

function limitTicket(ending: Ending, container: Container, creator: AbortSignal): void {
  const undo = (reason: string) => {
    if (container.record.phase === 'created') void ending.undo(container, reason);
  };
  container.timer = setTimeout(() => undo('its launcher did not come in time'), TICKET_MILLISECONDS);
  const onGone = () => undo('whoever asked for it has gone');
  container.forgetCreator = () => creator.removeEventListener('abort', onGone);
  creator.addEventListener('abort', onGone);
  if (creator.aborted) onGone();
}

function launchPart(house: House, record: ContainerRecord): Omit<LaunchSpec, 'env'> {
  const { network, paths, state } = house;
  const { id, name, request, lease, hostname, ticket } = record;
  const [hosts, hostnameFile, resolvConf] = ETC_FILES.map((file) => state.etcFile(id, file));
  return {
    version: 1,
    ticket,
    containerId: id,
    name,
    handoffSocket: paths.handoffSocket,
    detach: request.detach,
    logFile: request.detach ? state.outputLog(id) : null,
    exitFile: state.exitFile(id),
    stdin: !request.detach ? 'inherit' : request.openStdin ? 'open' : 'null',
    // In the foreground the caller's own terminal is the terminal.
    tty: request.detach && request.tty,
    user: request.user,
    hostname,
    interface: {
      name: INTERFACE_NAME,
      mac: lease?.mac ?? '',
      address: lease?.address ?? '',
      prefixLength: network.pool.subnet.prefixLength,
      gateway: network.gateway,
      gatewayMac: network.gatewayMac,
      mtu: record.network.mtu,
      txQueueLength: TX_QUEUE_LENGTH,
    },
    offload: request.offload,
    etc: { hosts: hosts ?? '', hostname: hostnameFile ?? '', 'resolv.conf': resolvConf ?? '' },
    mask: [paths.runtimeDirectory, paths.stateDirectory],
    cwd: request.cwd,
    argv: request.argv,
  };
}
