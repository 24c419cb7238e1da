import type { Command } from 'commander';
import type { CreateContainer } from '../../api/types.js';
import { UnetError } from '../../model/errors.js';
import { NO_FAULTS, parseFaults } from '../../model/fault-spec.js';
import { mergeHostAccess, NO_HOST_ACCESS, parseHostAccess } from '../../model/host-access.js';
import { parseMtu } from '../../model/limits.js';
import { collect, oneOf } from '../values.js';

/** What the container's network is, and how good. */
export interface NetworkOptions {
  readonly network: string;
  readonly mtu?: string;
  readonly hostAccess?: readonly string[];
  readonly offload: string;
  readonly fault?: readonly string[];
}

const DEFAULT_NETWORKS = ['bridge', 'default'];

export function addNetworkOptions(command: Command): Command {
  return command
    .option('--net, --network <network>', 'network to join; so far only the default one, bridge', 'bridge')
    .option(
      '--host-access <ports>',
      "open ports of this machine's loopback at host.unet.internal: PORT[,PORT...] or all",
      collect,
    )
    .option('--mtu <bytes>', 'MTU of the interface, 68 to 65520 (default: 1500)')
    .option('--offload <on|off>', 'off: plain frames, to find out whether offloads are to blame', 'on')
    .option(
      '--fault <spec>',
      "a bad network: delay=50ms,loss=1%,rate=10mbit and more (see 'unet fault --help')",
      collect,
    );
}

type NetworkPart = Pick<CreateContainer, 'network' | 'mtu' | 'hostAccess' | 'offload' | 'faults'>;

/** @throws UnetError USAGE or INVALID */
export function readNetworkOptions(options: NetworkOptions): NetworkPart {
  requireDefaultNetwork(options.network);
  return {
    network: 'bridge',
    mtu: options.mtu === undefined ? null : parseMtu(options.mtu),
    hostAccess: readHostAccess(options.hostAccess ?? []),
    offload: oneOf('--offload', options.offload, ['on', 'off']) === 'on',
    faults: options.fault === undefined ? null : { ...NO_FAULTS, ...parseFaults(options.fault) },
  };
}

function readHostAccess(values: readonly string[]): CreateContainer['hostAccess'] {
  const { all, ports } = values.map(parseHostAccess).reduce(mergeHostAccess, NO_HOST_ACCESS);
  return { all, ports: [...ports] };
}

function requireDefaultNetwork(name: string): void {
  if (DEFAULT_NETWORKS.includes(name)) return;
  throw new UnetError(
    'INVALID',
    `network ${name} not found: there is only the default network so far; leave --net out`,
  );
}
