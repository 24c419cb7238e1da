import { attach } from './attached.js';
import { onPath } from './on-path.js';
import { MTUS, type Path, type Peer } from './peer.js';

const ADDRESS = '192.0.2.2';
const GATEWAY = '192.0.2.1';

/**
 * pasta (passt). Its gateway stands for the host's loopback: by default in older versions, by `--map-host-loopback` in newer ones,
 * where that is the default's name. Published ports: `-t`; a client on the host's own loopback is then spliced, past the TAP.
 */
export function pasta(): Peer | null {
  const program = onPath('PASTA', 'pasta');
  if (program === null) return null;
  return {
    name: 'pasta',
    kind: 'peer',
    mtus: MTUS,
    start({ mtu, publish = [], publishUdp = [] }): Promise<Path> {
      const list = (ports: readonly number[]) =>
        ports.length === 0 ? 'none' : ports.map((port) => `127.0.0.1/${port}`).join(',');
      return attach({
        ...{ address: ADDRESS, serverAddress: GATEWAY },
        argv: (pid) => [
          ...[program, '--foreground', '--quiet', '--config-net', '-4', '-a', ADDRESS, '-n', '24', '-g', GATEWAY],
          ...['-m', String(mtu ?? 1500), '-t', list(publish), '-u', list(publishUdp)],
          ...['-T', 'none', '-U', 'none', String(pid)],
        ],
      });
    },
  };
}
