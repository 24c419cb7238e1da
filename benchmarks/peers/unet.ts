import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MTUS, type Peer } from './peer.js';

/** unet, with a daemon and state of its own. */
export function unet(root: string): Peer {
  const cli = join(root, 'dist', 'unet.cjs');
  const home = mkdtempSync(join(tmpdir(), 'unet-bench-'));
  process.env['UNET_RUNTIME_DIR'] = join(home, 'run');
  process.env['UNET_STATE_DIR'] = join(home, 'state');
  let daemon: number | null = null;
  return {
    name: 'unet',
    mtus: MTUS,
    server: '172.17.0.1',
    wrap: (client, mtu, port) => [
      ...[process.execPath, cli, 'run', '--rm', '--mtu', String(mtu), '--host-access', String(port), '--'],
      ...client,
    ],
    stack: () => daemon,
    async open() {
      // The gateway's address depends on the host's routes.
      const routes = execFileSync(process.execPath, [cli, 'run', '--rm', '--', 'cat', '/etc/resolv.conf'], {
        encoding: 'utf8',
      });
      const gateway = /^nameserver (\S+)/m.exec(routes)?.[1];
      if (gateway === undefined) throw new Error('unet run gave no resolv.conf');
      Object.assign(this, { server: gateway });
      daemon = daemonPid(home);
    },
    async close() {
      execFileSync(process.execPath, [cli, 'daemon', 'stop', '--all'], { stdio: 'ignore' });
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function daemonPid(home: string): number {
  const log = readFileSync(join(home, 'state', 'daemon.log'), 'utf8');
  const first = JSON.parse(log.slice(0, log.indexOf('\n'))) as { pid: number };
  return first.pid;
}
