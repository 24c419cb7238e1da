import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';

const TAIL_BYTES = 16 * 1024;
const MAX_LINES = 3;
/** pino's number of the level `error`. */
const ERROR_LEVEL = 50;

/** Bytes; 0 for a log that is not there yet. */
export function logSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * The last lines of the daemon's log that tell of trouble: error records, and what a crash printed.
 *
 * @param from bytes to pass over: what older daemons had to say
 */
export function readLogTail(path: string, from = 0): string[] {
  return readEnd(path, from)
    .split('\n')
    .map(troubleOf)
    .filter((line) => line !== null)
    .slice(-MAX_LINES);
}

function troubleOf(line: string): string | null {
  if (line.trim() === '') return null;
  if (!line.startsWith('{')) return isNoise(line) ? null : line.trim();
  try {
    const record = JSON.parse(line) as { level?: number; msg?: string; err?: { message?: string } };
    if ((record.level ?? 0) < ERROR_LEVEL) return null;
    return [record.msg, record.err?.message].filter(Boolean).join(': ');
  } catch {
    return null;
  }
}

/** Frames of a stack trace and Node's closing line say nothing to a user. */
function isNoise(line: string): boolean {
  return /^\s+at /.test(line) || /^Node\.js v/.test(line) || /^\s*[\^~]+\s*$/.test(line);
}

function readEnd(path: string, from: number): string {
  try {
    const fd = openSync(path, 'r');
    try {
      const { size } = fstatSync(fd);
      const start = Math.max(Math.min(from, size), size - TAIL_BYTES);
      const buffer = Buffer.alloc(size - start);
      readSync(fd, buffer, 0, buffer.length, start);
      return buffer.toString('utf8');
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}
