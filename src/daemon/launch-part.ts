import type { LaunchSpec } from '../model/launch-spec.js';
import type { EndpointSpec } from '../native/index.js';
import type { House } from './house.js';
import type { ContainerRecord } from './record.js';
import { ETC_FILES } from './state-store.js';

const INTERFACE_NAME = 'eth0';
/** Frames. Room for a burst of the guest while the engine is busy with others. */
const TX_QUEUE_LENGTH = 4096;

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

/**
 * The launcher's view of it: all but the environment.
 *
 * @param detach this start goes to the background, whatever the first one did
 */
export function launchPart(house: House, record: ContainerRecord, detach: boolean): Omit<LaunchSpec, 'env'> {
  const { network, paths, state } = house;
  const { id, name, request, lease, hostname, ticket } = record;
  const [hosts, hostnameFile, resolvConf] = ETC_FILES.map((file) => state.etcFile(id, file));
  return {
    version: 1,
    ticket,
    containerId: id,
    name,
    handoffSocket: paths.handoffSocket,
    detach,
    logFile: detach ? state.outputLog(id) : null,
    exitFile: state.exitFile(id),
    stdin: !detach ? 'inherit' : request.openStdin ? 'open' : 'null',
    // In the foreground the caller's own terminal is the terminal.
    tty: detach && request.tty,
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
