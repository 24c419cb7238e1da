import { readFileSync } from 'node:fs';

/**
 * The soft limit on open files that whoever called us has. Ours says nothing: Node raises its own to the hard one, and a
 * program that still uses select() must not inherit that. Best effort: undefined when it cannot be read, or is none.
 */
export function callersOpenFiles(pid = process.ppid): number | undefined {
  try {
    return parseOpenFiles(readFileSync(`/proc/${pid}/limits`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** From the text of /proc/PID/limits: `Max open files            1024                 524288               files`. */
export function parseOpenFiles(text: string): number | undefined {
  const soft = /^Max open files\s+(\d{1,15})\s/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
