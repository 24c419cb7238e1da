import { readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Background, lastLine, runToEnd, startBackground, untilReady } from '../measure/process.js';

/** Longer than any run; whoever holds a namespace is ended by its process id. */
export const HOLD = ['sleep', '86400'] as const;

/** The words that run a command in the user and network namespace of a process. */
export function enter(pid: number): string[] {
  return ['nsenter', `--target=${pid}`, '--user', '--net', '--preserve-credentials', '--'];
}

/** A process in a fresh user and network namespace, for stacks that attach to one that is there. */
export async function startHolder(before: readonly string[] = [], user = true): Promise<Background> {
  const outer = readlinkSync('/proc/self/ns/net');
  const kinds = user ? ['--user', '--map-root-user', '--net'] : ['--net'];
  const holder = await startBackground([...before, 'unshare', ...kinds, '--', ...HOLD]);
  await untilReady('unshare', holder, () => {
    try {
      const there = readlinkSync(`/proc/${holder.pid}/ns/net`);
      const command = readlinkSync(`/proc/${holder.pid}/exe`);
      // Not before it sleeps: unshare has left the old namespace a moment before its ids are mapped.
      return there !== outer && /sleep|coreutils|busybox/.test(command) ? true : null;
    } catch {
      return null;
    }
  });
  return holder;
}

const ADDRESS_MS = 8000;
const LOOK_MS = 50;

/**
 * Until an interface inside has the address, which a stack gives it when all else is done.
 *
 * @throws Error in the stack's own words when it ends or takes too long
 */
export async function untilAddress(inside: readonly string[], address: string, stack: Background): Promise<void> {
  const deadline = performance.now() + ADDRESS_MS;
  for (;;) {
    const { stdout } = await runToEnd([...inside, 'ip', '-4', '-o', 'address'], { timeoutMs: ADDRESS_MS });
    if (stdout.includes(` ${address}/`)) return;
    if (!stack.alive() || performance.now() > deadline) {
      throw new Error(`no address inside after all: ${lastLine(stack.output())}`);
    }
    await sleep(LOOK_MS);
  }
}
