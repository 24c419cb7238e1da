import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, UnetError } from '../model/errors.js';
import { logSize, readLogTail } from './log-tail.js';

/** Exit status of a daemon that found another one holding the lock. It printed nothing. */
export const EXIT_LOCK_HELD = 75;

/**
 * One that cannot start ends and says why, so this is only for one that hangs. A starved machine may take more than ten seconds and
 * does not hang (seen on an emulated one).
 */
const START_MILLISECONDS = 30_000;
/** How long a daemon that holds the lock may take to answer: to start, to end, or to find out that its socket was removed. */
const HOLDER_MILLISECONDS = 5000;
/** Between two starts while the lock is held by somebody whom we cannot name. */
const NEXT_START_MILLISECONDS = 250;
const FIRST_PAUSE = 5;
const MAX_LOG_BYTES = 4 * 1024 * 1024;
const LONGEST_PAUSE = 50;

export interface DaemonProcessOptions {
  /** Path of daemon.mjs. */
  readonly script: string;
  readonly logFile: string;
  /** Whether a daemon answers now. */
  readonly isUp: () => Promise<boolean>;
  /** Null when nobody alive is known to hold the lock; else what to say when this one never answers. */
  readonly holder?: () => Error | null;
  readonly env?: Readonly<NodeJS.ProcessEnv>;
}

/**
 * Starts the daemon in a session of its own and waits until one answers. It need not be ours: when several CLIs start one
 * at once, the lock lets one through and the others end with EXIT_LOCK_HELD. Then whoever holds it is waited for; only when it has
 * ended, as one that was just about to do so, is ours started again.
 *
 * @throws UnetError DAEMON with the end of the daemon's log, or naming a holder of the lock that does not answer
 */
export async function startDaemonProcess({
  script,
  logFile,
  isUp,
  holder = () => null,
  env,
}: DaemonProcessOptions): Promise<void> {
  const deadline = Date.now() + START_MILLISECONDS;
  putAside(logFile);
  const before = logSize(logFile);
  let child = spawnDaemon(script, logFile, env);
  let heldSince = 0;
  for (let pause = FIRST_PAUSE; Date.now() < deadline; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    if (await isUp()) return;
    if (child.failure !== null) throw failed(child.failure, logFile, before);
    if (child.lockHeld) {
      if (heldSince === 0) heldSince = Date.now();
      const deaf = holder();
      if (deaf && Date.now() - heldSince > HOLDER_MILLISECONDS) throw deaf;
      if (!deaf && Date.now() - heldSince > NEXT_START_MILLISECONDS) {
        heldSince = 0;
        child = spawnDaemon(script, logFile, env);
      }
    }
    await sleep(pause);
  }
  throw failed(`it did not answer within ${START_MILLISECONDS / 1000} seconds`, logFile, before);
}

/** Keeps the log small: no daemon runs now, so nobody writes to it. One older log stays beside it. */
function putAside(logFile: string): void {
  if (logSize(logFile) > MAX_LOG_BYTES) renameSync(logFile, `${logFile}.1`);
}

interface Watched {
  lockHeld: boolean;
  failure: string | null;
}

function spawnDaemon(script: string, logFile: string, env: Readonly<NodeJS.ProcessEnv> = process.env): Watched {
  const watched: Watched = { lockHeld: false, failure: null };
  // What it prints before its log is open, or while it crashes, belongs into the same file.
  const log = openLog(logFile);
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, [script], { detached: true, cwd: '/', stdio: ['ignore', log, log], env });
  } finally {
    closeSync(log);
  }
  child.once('error', (error) => {
    watched.failure = messageOf(error);
  });
  child.once('exit', (code, signal) => {
    if (code === EXIT_LOCK_HELD) watched.lockHeld = true;
    else watched.failure = signal ? `it was killed by ${signal}` : `it ended with status ${code}`;
  });
  child.unref();
  return watched;
}

/** @throws UnetError DAEMON */
function openLog(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    throw new UnetError(
      'DAEMON',
      `cannot write the daemon's log: ${messageOf(error)}; remove ${path} or make it yours`,
      {
        cause: error,
      },
    );
  }
}

function failed(reason: string, logFile: string, before: number): UnetError {
  const tail = readLogTail(logFile, before);
  const story = tail.length === 0 ? '' : `: ${tail.join(' | ')}`;
  return new UnetError('DAEMON', `cannot start the daemon (${reason})${story}; its log is ${logFile}`);
}
