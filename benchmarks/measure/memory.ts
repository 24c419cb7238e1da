import { readFileSync } from 'node:fs';

/** Memory that is a process's own: what it has allocated and touched. Its program and libraries are not in it. */
export function anonymousBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kibibytes = /^Anonymous:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kibibytes === undefined) throw new Error(`/proc/${pid}/smaps_rollup says nothing of anonymous memory`);
  return Number(kibibytes) * 1024;
}

/** Of this process and what it starts: it raises its soft limit to this by itself. */
export function openFilesLimit(): number {
  const limit = /^Max open files\s+\d+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}
