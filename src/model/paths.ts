import { join } from 'node:path';
import { UnetError } from './errors.js';

/** Where everything of one user's unet lies. */
export interface Paths {
  readonly runtimeDirectory: string;
  readonly stateDirectory: string;
  readonly controlSocket: string;
  readonly handoffSocket: string;
  readonly lockFile: string;
  /** One set of records, one daemon, whatever the runtime directory. */
  readonly stateLockFile: string;
  readonly logFile: string;
  readonly containersDirectory: string;
  /** What the user has set for all containers. It need not be there. */
  readonly configFile: string;
}

export interface PathsInput {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly uid: number;
  readonly home: string;
  /** Whether /run/user/UID is a directory of ours: login sessions make it, plain `su` does not. */
  readonly hasUserRuntimeDirectory: boolean;
}

/** The longest path that fits `sockaddr_un`, less its final NUL. */
export const MAX_SOCKET_PATH = 107;

/**
 * Runtime directory: `$UNET_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/unet`, else `/run/user/UID/unet` where that is ours,
 * else `/tmp/unet-UID`. State directory: `$UNET_STATE_DIR`, else `$XDG_STATE_HOME/unet`, else `~/.local/state/unet`.
 * Config file: `$UNET_CONFIG`, else `$XDG_CONFIG_HOME/unet/config.json`, else `~/.config/unet/config.json`.
 * Empty variables count as unset, and so do relative ones of XDG (its specification says so). Relative ones of ours are refused: they
 * would mean another place in every directory, and none at all to the daemon, which works in /.
 *
 * @throws UnetError REFUSED
 */
export function resolvePaths({ env, uid, home, hasUserRuntimeDirectory }: PathsInput): Paths {
  const runtimeDirectory =
    own(env, 'UNET_RUNTIME_DIR') ||
    under(absolute(env['XDG_RUNTIME_DIR'])) ||
    (hasUserRuntimeDirectory ? `/run/user/${uid}/unet` : `/tmp/unet-${uid}`);
  const stateDirectory =
    own(env, 'UNET_STATE_DIR') || under(absolute(env['XDG_STATE_HOME'])) || join(home, '.local/state/unet');
  return {
    runtimeDirectory,
    stateDirectory,
    controlSocket: join(runtimeDirectory, 'unet.sock'),
    handoffSocket: join(runtimeDirectory, 'handoff.sock'),
    lockFile: join(runtimeDirectory, 'daemon.lock'),
    stateLockFile: join(stateDirectory, 'daemon.lock'),
    logFile: join(stateDirectory, 'daemon.log'),
    containersDirectory: join(stateDirectory, 'containers'),
    configFile:
      own(env, 'UNET_CONFIG') ||
      join(under(absolute(env['XDG_CONFIG_HOME'])) || join(home, '.config/unet'), 'config.json'),
  };
}

function own(env: Readonly<NodeJS.ProcessEnv>, variable: string): string | undefined {
  const path = env[variable];
  if (!path || path.startsWith('/')) return path;
  throw new UnetError(
    'REFUSED',
    `${variable} is '${path}', which depends on where you are; give an absolute path, one that starts with '/'`,
  );
}

function under(directory: string | undefined): string | undefined {
  return directory === undefined ? undefined : join(directory, 'unet');
}

function absolute(path: string | undefined): string | undefined {
  return path?.startsWith('/') ? path : undefined;
}
