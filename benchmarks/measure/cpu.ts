import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, what /proc counts in: 100 on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly seconds: number;
}

function stat(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name stands in brackets and may hold anything; the fields behind it are numbers.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { pid, parent: Number(fields[1]), seconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
  } catch {
    return null;
  }
}

/** These processes and all that descend from them. */
export function treeOf(roots: readonly number[]): number[] {
  return statsOf(roots).map(({ pid }) => pid);
}

/** User and system time of a stack: of these processes, all their threads and all their descendants that live. */
export function cpuSecondsOf(roots: readonly number[]): number {
  return statsOf(roots).reduce((sum, { seconds }) => sum + seconds, 0);
}

function statsOf(roots: readonly number[]): Stat[] {
  const all = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => stat(Number(entry)))
    .filter((one) => one !== null);
  const inside = new Set(roots);
  // A child's number may be less than its parent's after a wrap-around: until nothing is added.
  for (let before = -1; before !== inside.size; ) {
    before = inside.size;
    for (const { pid, parent } of all) if (inside.has(parent)) inside.add(pid);
  }
  return all.filter(({ pid }) => inside.has(pid));
}
