import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, what /proc counts in: 100 on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly pid: number;
  readonly command: string;
  readonly seconds: number;
}

function stat(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name stands in brackets and may hold anything; the fields behind it are numbers.
    const end = text.lastIndexOf(')');
    const fields = text.slice(end + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { pid, command: text.slice(text.indexOf('(') + 1, end), seconds: ticks / TICKS_PER_SECOND };
  } catch {
    return null;
  }
}

/** User and system time of one process, its threads included. */
export function cpuOf(pid: number): number {
  return stat(pid)?.seconds ?? 0;
}

/** The newest process with such a name. */
export function findProcess(name: RegExp): number | null {
  const pids = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .sort((a, b) => b - a);
  return pids.find((pid) => name.test(stat(pid)?.command ?? '')) ?? null;
}
