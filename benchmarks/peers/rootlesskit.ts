import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { treeOf } from '../measure/cpu.js';
import { startBackground, untilReady } from '../measure/process.js';
import { enter, HOLD } from './holder.js';
import { onPath } from './on-path.js';
import type { Path, Peer } from './peer.js';

interface Kind {
  readonly name: string;
  readonly net: 'gvisor-tap-vsock' | 'pasta' | 'none';
  readonly portDriver: 'none' | 'builtin' | 'implicit' | 'gvisor-tap-vsock';
  readonly mtus: Peer['mtus'];
  /** Stands for the host's loopback. */
  readonly host: string;
}

/** What RootlessKit (v3) can be here: networks and port drivers of its own, and others under its hand. */
const KINDS = {
  /** gVisor's TCP in user space, by gvisor-tap-vsock. */
  gvisor: {
    name: 'gvisor-tap-vsock',
    net: 'gvisor-tap-vsock',
    portDriver: 'gvisor-tap-vsock',
    mtus: [1500, 65_520],
    host: '10.0.2.1',
  },
  /** Published ports past any TAP: a process inside opens the connection and passes its descriptor. */
  builtin: { name: 'rootlesskit builtin', net: 'none', portDriver: 'builtin', mtus: [null], host: '10.0.2.2' },
  /** pasta finds the ports that are listened on inside, and splices callers from the host's loopback. */
  implicit: { name: 'rootlesskit implicit', net: 'pasta', portDriver: 'implicit', mtus: [null], host: '10.0.2.2' },
} as const satisfies Record<string, Kind>;

const END_MS = 3000;

/** RootlessKit v3, on PATH or by `ROOTLESSKIT=/path`. */
export function rootlesskit(which: keyof typeof KINDS): Peer | null {
  const program = onPath('ROOTLESSKIT', 'rootlesskit');
  if (program === null || (which === 'implicit' && onPath('PASTA', 'pasta') === null)) return null;
  const { name, net, portDriver, mtus, host }: Kind = KINDS[which];
  return {
    name,
    kind: 'peer',
    mtus,
    async start({ mtu, publish = [], publishUdp = [] }): Promise<Path> {
      const directory = mkdtempSync(join(tmpdir(), 'unet-bench-rootlesskit-'));
      const state = join(directory, 'state');
      const size = mtu === null ? [] : [`--mtu=${mtu}`];
      const published = [...publish.map((port) => `${port}/tcp`), ...publishUdp.map((port) => `${port}/udp`)];
      const driver = published.length === 0 ? 'none' : portDriver;
      // The implicit driver takes no list: it publishes whatever is listened on.
      const ports =
        driver === 'implicit' ? [] : published.flatMap((port) => ['-p', `127.0.0.1:${port.split('/')[0]}:${port}`]);
      const ifname = uniqueInterface();
      const pasta = net === 'pasta' ? [`--pasta-binary=${onPath('PASTA', 'pasta')}`, `--ifname=${ifname}`] : [];
      const stack = await startBackground([
        ...[program, `--state-dir=${state}`, `--net=${net}`, ...size, ...pasta, `--port-driver=${driver}`, ...ports],
        ...['--', ...HOLD],
      ]);
      const close = async () => {
        await stack.end();
        await endPastaOf(ifname);
        rmSync(directory, { recursive: true, force: true });
      };
      try {
        const child = await untilReady('rootlesskit', stack, () => childOf(state, stack.pid));
        return {
          serverAddress: host,
          listenAddress: '127.0.0.1',
          inside: enter(child),
          outside: [],
          processes: [stack.pid, ...pastasOf(ifname)],
          publishedAddress: '127.0.0.1',
          close,
        };
      } catch (error) {
        await close();
        throw error;
      }
    },
  };
}

/** The process inside, once it has come so far that it runs what it was given. */
function childOf(state: string, parent: number): number | null {
  if (!existsSync(join(state, 'child_pid'))) return null;
  const child = Number(readFileSync(join(state, 'child_pid'), 'utf8'));
  // Written in two steps: it may still be empty.
  if (!(child > 0)) return null;
  const holds = treeOf([child]).some((pid) => commandLine(pid) === HOLD.join(' '));
  return child !== parent && holds ? child : null;
}

let interfaces = 0;

/** A name that no other interface has: what RootlessKit's pasta is told, and known by. Linux takes 15 characters. */
export function uniqueInterface(): string {
  interfaces += 1;
  return `b${process.pid}-${interfaces}`;
}

/** RootlessKit's pasta leaves its tree and outlives it. Ours is the one that makes this interface. */
function pastasOf(name: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      const words = commandLine(pid).split(' ');
      return /pasta|passt/.test(words[0] ?? '') && words.includes(`--ns-ifname=${name}`);
    });
}

/** Ends the pasta that was left behind with this interface. */
export async function endPastaOf(name: string): Promise<void> {
  await endAll(pastasOf(name));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

async function endAll(pids: readonly number[]): Promise<void> {
  for (const pid of pids) signal(pid, 'SIGTERM');
  const deadline = performance.now() + END_MS;
  while (pids.some((pid) => existsSync(`/proc/${pid}`)) && performance.now() < deadline) await sleep(20);
  for (const pid of pids) signal(pid, 'SIGKILL');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}
