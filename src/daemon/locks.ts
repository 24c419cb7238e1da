import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readLockHolder } from '../api/index.js';
import { messageOf, UnetError } from '../model/errors.js';
import { formatLockHolder } from '../model/lock-holder.js';
import type { Paths } from '../model/paths.js';
import type { FileLock, NativeModule } from '../native/index.js';

/** A daemon whose sockets were removed notices within two seconds, and needs as long to end. */
const DEAF_MILLISECONDS = 6000;
const LOOK_MILLISECONDS = 50;

export interface Locks {
  readonly runtime: FileLock;
  readonly state: FileLock;
}

/**
 * Takes both directories for this process: two daemons on the same sockets could not be told apart, two on the same records would
 * each bring back the other's containers. Null when another daemon serves the same sockets: it is as good as this one.
 *
 * @throws UnetError DAEMON when a daemon with other sockets has the records
 */
export async function takeLocks(native: Pick<NativeModule, 'lockFile'>, paths: Paths): Promise<Locks | null> {
  const runtime = take(native, paths.lockFile);
  if (!runtime) return null;
  try {
    const state = await takeState(native, paths);
    const holder = formatLockHolder({ pid: process.pid, runtimeDirectory: paths.runtimeDirectory });
    for (const path of [paths.lockFile, paths.stateLockFile]) writeFileSync(path, holder, { mode: 0o600 });
    return { runtime, state };
  } catch (error) {
    runtime.release();
    throw error;
  }
}

async function takeState(native: Pick<NativeModule, 'lockFile'>, paths: Paths): Promise<FileLock> {
  for (const deadline = Date.now() + DEAF_MILLISECONDS; ; await sleep(LOOK_MILLISECONDS)) {
    const lock = take(native, paths.stateLockFile);
    if (lock) return lock;
    const holder = readLockHolder(paths.stateLockFile);
    // Our directory was removed and made again, as at a logout: the daemon of the old one is about to end.
    if (holder?.runtimeDirectory === paths.runtimeDirectory && Date.now() < deadline) continue;
    const who = holder
      ? `process ${holder.pid}, whose runtime directory is ${holder.runtimeDirectory}`
      : 'another daemon';
    const advice = holder
      ? `set UNET_RUNTIME_DIR=${holder.runtimeDirectory} to use that daemon, end it with 'kill ${holder.pid}', or set UNET_STATE_DIR to another directory`
      : 'end it, or set UNET_STATE_DIR to another directory';
    throw new UnetError('DAEMON', `the state directory ${paths.stateDirectory} is used by ${who}; ${advice}`);
  }
}

function take(native: Pick<NativeModule, 'lockFile'>, path: string): FileLock | null {
  try {
    return native.lockFile(path);
  } catch (error) {
    throw new UnetError('DAEMON', `cannot lock ${path}: ${messageOf(error)}; remove it if it is not yours`, {
      cause: error,
    });
  }
}
