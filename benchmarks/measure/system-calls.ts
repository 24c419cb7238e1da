import { setTimeout as sleep } from 'node:timers/promises';
import { startBackground } from './process.js';

/** One run of `strace -c`. */
export interface CallCounts {
  readonly total: number;
  readonly byName: Readonly<Record<string, number>>;
}

const ATTACH_MS = 300;

/**
 * Counts the system calls of a process and all its threads while something goes on: `strace -c -f -p PID`.
 *
 * strace slows the process down by a multiple: what is measured beside it are counts for each byte, never rates.
 *
 * @throws Error when it may not be traced (kernel.yama.ptrace_scope)
 */
export async function countSystemCalls(pid: number, during: () => Promise<void>): Promise<CallCounts> {
  const strace = await startBackground(['strace', '-c', '-f', '-p', String(pid)]);
  await sleep(ATTACH_MS);
  if (!strace.alive()) throw new Error(`strace: ${strace.output().trim().split('\n').at(-1)}`);
  try {
    await during();
  } finally {
    // By SIGINT it lets go of the process and prints its table.
    process.kill(strace.pid, 'SIGINT');
    const deadline = performance.now() + 5000;
    while (strace.alive() && performance.now() < deadline) await sleep(20);
    await strace.end();
  }
  return parse(strace.output());
}

/** `% time, seconds, usecs/call, calls, [errors,] syscall`. */
function parse(table: string): CallCounts {
  const rows = [...table.matchAll(/^ *[\d.]+ +[\d.]+ +\d+ +(\d+)(?: +\d+)? +(\w+)$/gm)];
  const byName = Object.fromEntries(
    rows.filter((row) => row[2] !== 'total').map((row) => [String(row[2]), Number(row[1])] as const),
  );
  const total = Object.values(byName).reduce((sum, calls) => sum + calls, 0);
  if (total === 0) throw new Error(`strace gave no table: ${table.slice(0, 200)}`);
  return { total, byName };
}
