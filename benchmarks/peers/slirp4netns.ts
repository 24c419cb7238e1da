import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilReady } from '../measure/process.js';
import { attach } from './attached.js';
import { onPath } from './on-path.js';
import { MTUS, type Path, type Peer } from './peer.js';

const HOST = '10.0.2.2';
const GUEST = '10.0.2.100';

/** slirp4netns (libslirp). 10.0.2.2 is the host's loopback; ports are published by its control socket. */
export function slirp4netns(): Peer | null {
  const program = onPath('SLIRP4NETNS', 'slirp4netns');
  if (program === null) return null;
  return {
    name: 'slirp4netns',
    kind: 'peer',
    mtus: MTUS,
    async start({ mtu, publish = [], publishUdp = [] }): Promise<Path> {
      const directory = mkdtempSync(join(tmpdir(), 'unet-bench-slirp-'));
      const socket = join(directory, 'api.sock');
      return attach({
        ...{ address: GUEST, serverAddress: HOST },
        argv: (pid) => [program, '--configure', `--mtu=${mtu ?? 1500}`, '--api-socket', socket, String(pid), 'tap0'],
        async prepare(stack) {
          await untilReady('slirp4netns', stack, () => (existsSync(socket) ? true : null));
          for (const port of publish) await publishPort(socket, 'tcp', port);
          for (const port of publishUdp) await publishPort(socket, 'udp', port);
        },
        cleanUp: () => rmSync(directory, { recursive: true, force: true }),
      });
    },
  };
}

async function publishPort(socket: string, proto: 'tcp' | 'udp', port: number): Promise<void> {
  const request = {
    execute: 'add_hostfwd',
    arguments: { proto, host_addr: '127.0.0.1', host_port: port, guest_addr: GUEST, guest_port: port },
  };
  const answer = await new Promise<string>((resolve, reject) => {
    let text = '';
    const connection = createConnection(socket, () => connection.end(JSON.stringify(request)));
    connection.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
    connection.once('error', reject);
    connection.once('close', () => resolve(text));
  });
  if (!answer.includes('return')) throw new Error(`slirp4netns would not publish port ${port}: ${answer.trim()}`);
}
