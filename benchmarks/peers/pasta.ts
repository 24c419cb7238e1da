import { findProcess } from '../measure/cpu.js';
import { onPath } from './on-path.js';
import { MTUS, type Peer } from './peer.js';

/** pasta (passt). Its gateway stands for the host's loopback, by default in older versions, by an option in newer ones. */
export function pasta(): Peer | null {
  const program = onPath('PASTA', 'pasta');
  if (program === null) return null;
  const address = '192.0.2.2';
  const gateway = '192.0.2.1';
  return {
    name: 'pasta',
    mtus: MTUS,
    server: gateway,
    wrap: (client, mtu) => [
      ...[program, '--config-net', '-4', '-a', address, '-n', '24', '-g', gateway, '-m', String(mtu)],
      ...['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--', ...client],
    ],
    stack: () => findProcess(/^(pasta|passt)/),
  };
}
