import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Background, output, startBackground } from '../measure/process.js';
import { LOCAL_NAME } from './dns-peer.js';
import { startUpstream } from './dns-upstream.js';
import { enter, startHolder } from './holder.js';
import type { Path, Peer } from './peer.js';
import { UnetDaemon } from './unet-daemon.js';

const SETUP_MS = 5000;
const DNS_PORT = 53;

/**
 * unet with a host of its own around it: a network namespace where port 53 of the loopback is free for the server outside, and a mount
 * namespace whose /etc/resolv.conf names that. A guest that asks, and one that is asked for.
 */
export function unetDns(root: string): Peer {
  return {
    name: 'unet',
    kind: 'unet',
    mtus: [1500],
    async start({ mtu }): Promise<Path> {
      const directory = mkdtempSync(join(tmpdir(), 'unet-bench-dns-'));
      const running: Background[] = [];
      let daemon: UnetDaemon | null = null;
      const close = async () => {
        await daemon?.close();
        for (const one of running.reverse()) await one.end();
        rmSync(directory, { recursive: true, force: true });
      };
      try {
        const network = await startHolder();
        running.push(network);
        await output([...enter(network.pid), 'ip', 'link', 'set', 'lo', 'up'], { timeoutMs: SETUP_MS });
        running.push(await startUpstream(enter(network.pid), DNS_PORT));
        const file = join(directory, 'resolv.conf');
        writeFileSync(file, 'nameserver 127.0.0.1\n');
        const host = await startBackground([...enter(network.pid), ...withResolvConf(file)]);
        running.push(host);
        const before = [...enter(host.pid).slice(0, -1), '--mount', '--'];
        await untilMounted(before);
        daemon = new UnetDaemon(root, before);
        const { inside } = await daemon.guest({ name: 'guest', mtu: mtu ?? 1500 });
        await daemon.guest({ name: LOCAL_NAME, mtu: mtu ?? 1500 });
        const { pid, network: own } = await daemon.facts();
        return {
          ...{ serverAddress: own.gateway, listenAddress: own.gateway, publishedAddress: own.gateway },
          ...{ inside, outside: [], processes: [pid], close },
        };
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

/** Words that hold a mount namespace open in which the file stands as /etc/resolv.conf, whatever kind of file that is here. */
function withResolvConf(file: string): string[] {
  const script = 'mount --bind "$1" "$(readlink -f /etc/resolv.conf)" && echo mounted && exec sleep 86400';
  return ['unshare', '--mount', '--', 'sh', '-c', script, 'sh', file];
}

async function untilMounted(before: readonly string[]): Promise<void> {
  const look = 'for n in $(seq 100); do grep -q 127.0.0.1 /etc/resolv.conf && exit 0; sleep 0.05; done; exit 1';
  await output([...before, 'sh', '-c', look], { timeoutMs: SETUP_MS * 2 });
}
