import { readFileSync } from 'node:fs';
import { errnoOf, UnetError } from '../model/errors.js';
import { type LockHolder, parseLockHolder } from '../model/lock-holder.js';
import type { Paths } from '../model/paths.js';

/**
 * Who wrote into a lock file last and still lives. What is written stays when the daemon ends, so this means something only while
 * the lock is known to be taken, or to find out whether whoever held it has gone.
 */
export function readLockHolder(path: string): LockHolder | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  const holder = parseLockHolder(text);
  return holder && isAlive(holder.pid) ? holder : null;
}

/** For a daemon that is there, but deaf. */
export function deafDaemon({ pid }: LockHolder, { lockFile, controlSocket }: Paths, cause?: unknown): UnetError {
  return new UnetError(
    'DAEMON',
    `process ${pid} holds ${lockFile} but does not answer at ${controlSocket}; end it with 'kill ${pid}', or 'kill -9 ${pid}' when that does not help (containers run on)`,
    { cause },
  );
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}
