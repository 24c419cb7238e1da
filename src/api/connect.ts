import { errnoOf, UnetError } from '../model/errors.js';
import type { Paths } from '../model/paths.js';
import { Client } from './client.js';
import { NO_ANSWER } from './http.js';
import { deafDaemon, readLockHolder } from './lock-file.js';
import { checkRuntimeDirectory, ensureDirectories } from './runtime-directory.js';

const HANDSHAKE_MILLISECONDS = 5000;
/** No socket, nobody behind it, or somebody who hangs up. */
const NOBODY = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'];

export interface ConnectOptions {
  readonly paths: Paths;
  /** Starts a daemon and resolves when `isUp` says so. `holder`: what to say of a living process that holds its lock. */
  readonly start: (isUp: () => Promise<boolean>, holder: () => Error | null) => Promise<void>;
}

/**
 * A client of the user's daemon, or null when none runs.
 *
 * @throws UnetError REFUSED (directory not trustworthy), DAEMON (it does not answer)
 */
export async function connectIfRunning(paths: Paths): Promise<Client | null> {
  return checkRuntimeDirectory(paths) ? tryConnect(paths) : null;
}

/**
 * A client of the user's daemon, which is started when none runs. The handshake also restarts the daemon's idle
 * time, so the next request cannot meet a daemon that is just about to end.
 *
 * @throws UnetError REFUSED (directory not trustworthy), DAEMON (it did not start, or does not answer)
 */
export async function connect({ paths, start }: ConnectOptions): Promise<Client> {
  ensureDirectories(paths);
  const running = await tryConnect(paths);
  if (running) return running;

  let client: Client | null = null;
  const isUp = async () => {
    client = await tryConnect(paths);
    return client !== null;
  };
  await start(isUp, () => {
    const holder = readLockHolder(paths.lockFile);
    return holder && deafDaemon(holder, paths);
  });
  if (!client) throw new UnetError('INTERNAL', 'the daemon was reported up, but no connection was made');
  return client;
}

/** Null when nobody listens there: no socket, a stale one, or a daemon that is just ending. */
async function tryConnect(paths: Paths): Promise<Client | null> {
  const client = new Client(paths.controlSocket);
  try {
    await client.version(HANDSHAKE_MILLISECONDS);
    return client;
  } catch (error) {
    client.close();
    const code = error instanceof UnetError ? errnoOf(error.cause) : undefined;
    if (code && NOBODY.includes(code)) return null;
    const holder = code === NO_ANSWER ? readLockHolder(paths.lockFile) : null;
    throw holder ? deafDaemon(holder, paths, error) : error;
  }
}
