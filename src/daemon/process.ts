import { currentPaths, ensureDirectories } from '../api/index.js';
import { EXIT_LOCK_HELD } from '../launch/index.js';
import { loadNative } from '../native/index.js';
import { type Locks, takeLocks } from './locks.js';
import { openLog } from './log.js';
import { startDaemon } from './start-daemon.js';

/**
 * Held until the very end of the process, and from here, so that it is never collected: whoever starts next must not meet
 * our remains.
 */
let heldLocks: Locks | null = null;

/**
 * The daemon as a process: directories, locks, log, signals. Returns its exit status.
 *
 * A daemon that finds the lock of its runtime directory held ends without a word: the other one serves.
 */
export async function runDaemonProcess(
  version: string,
  env: Readonly<NodeJS.ProcessEnv> = process.env,
): Promise<number> {
  process.umask(0o077);
  const paths = currentPaths(env);
  ensureDirectories(paths);
  const native = loadNative(env);
  heldLocks = await takeLocks(native, paths);
  if (!heldLocks) return EXIT_LOCK_HELD;
  const { log, flush } = openLog(paths.logFile, env);
  try {
    process.on('uncaughtException', (error) => {
      log.fatal({ err: error }, 'the daemon failed');
      flush();
      process.exit(1);
    });
    const daemon = await startDaemon({ version, env, paths, native, log });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void daemon.shutdown());
    // Its terminal, if it had one, is not what it lives by.
    process.on('SIGHUP', () => {});
    await daemon.ended;
    return 0;
  } catch (error) {
    log.fatal({ err: error }, 'the daemon could not start');
    return 1;
  } finally {
    flush();
  }
}
