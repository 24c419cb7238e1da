import { accessSync, constants, lstatSync, mkdirSync, type Stats } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { dirname } from 'node:path';
import { errnoOf, messageOf, UnetError } from '../model/errors.js';
import { MAX_SOCKET_PATH, type Paths, resolvePaths } from '../model/paths.js';

const GROUP_AND_OTHERS = 0o077;

/** The paths of the calling user. Nothing is created or checked yet. */
export function currentPaths(env: Readonly<NodeJS.ProcessEnv> = process.env): Paths {
  const uid = ownUid();
  return resolvePaths({
    env,
    uid,
    home: env['HOME'] || homeOf(uid),
    hasUserRuntimeDirectory: isOwnDirectory(`/run/user/${uid}`, uid),
  });
}

/**
 * Makes sure that the runtime and the state directory exist, are real directories of ours and closed to others. Whoever
 * can put a socket there could play the daemon, so a doubt is an error and nothing is mended silently.
 *
 * @throws UnetError REFUSED
 */
export function ensureDirectories(paths: Paths): void {
  if (Buffer.byteLength(paths.handoffSocket) > MAX_SOCKET_PATH) {
    throw new UnetError(
      'REFUSED',
      `the runtime directory ${paths.runtimeDirectory} has too long a path for a socket; set UNET_RUNTIME_DIR to a shorter one`,
    );
  }
  ensurePrivateDirectory(paths.runtimeDirectory, 'runtime', 'UNET_RUNTIME_DIR');
  ensurePrivateDirectory(paths.stateDirectory, 'state', 'UNET_STATE_DIR');
}

/** Whether the directory of the socket can be trusted, without making it: false when it is not there. */
export function checkRuntimeDirectory(paths: Paths): boolean {
  const stats = lstatOrNull(paths.runtimeDirectory);
  if (stats) requirePrivate(paths.runtimeDirectory, stats, 'runtime', 'UNET_RUNTIME_DIR');
  return stats !== null;
}

function ensurePrivateDirectory(path: string, what: string, variable: string): void {
  try {
    makeDirectory(path);
  } catch (error) {
    // A file or a dangling symlink in the way is told apart below.
    if (!lstatOrNull(path)) {
      throw new UnetError(
        'REFUSED',
        `cannot make the ${what} directory ${path}: ${messageOf(error)}; set ${variable} to another`,
      );
    }
  }
  const stats = lstatOrNull(path);
  if (!stats) throw new UnetError('REFUSED', `the ${what} directory ${path} vanished while it was made; try again`);
  requirePrivate(path, stats, what, variable);
  requireWritable(path, what, variable);
}

function requireWritable(path: string, what: string, variable: string): void {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    const advice = errnoOf(error) === 'EACCES' ? `run 'chmod u+rwx ${path}' or ` : '';
    throw new UnetError(
      'REFUSED',
      `the ${what} directory ${path} cannot be written to (${errnoOf(error) ?? messageOf(error)}); ${advice}set ${variable} to another`,
    );
  }
}

/**
 * With its parents, like `mkdir -p`. Node's own `recursive` never returns below a directory that answers ENOENT to every
 * mkdir, as /proc does.
 */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    const parent = dirname(path);
    if (errnoOf(error) !== 'ENOENT' || lstatOrNull(parent)) throw error;
    makeDirectory(parent);
    mkdirSync(path, { mode: 0o700 });
  }
}

function requirePrivate(path: string, stats: Stats, what: string, variable: string): void {
  const refuse = (problem: string, advice: string) =>
    new UnetError('REFUSED', `the ${what} directory ${path} ${problem}; ${advice}set ${variable} to one of your own`);
  if (stats.isSymbolicLink()) throw refuse('is a symbolic link', 'remove it or ');
  if (!stats.isDirectory()) throw refuse('is not a directory', 'remove it or ');
  if (stats.uid !== ownUid()) {
    throw refuse(`belongs to uid ${stats.uid}, not to you (uid ${ownUid()})`, '');
  }
  if ((stats.mode & GROUP_AND_OTHERS) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    throw refuse(`is open to others (mode ${mode})`, `run 'chmod 700 ${path}' or `);
  }
}

function isOwnDirectory(path: string, uid: number): boolean {
  const stats = lstatOrNull(path);
  return stats?.isDirectory() === true && stats.uid === uid;
}

function lstatOrNull(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null;
    throw new UnetError('REFUSED', `cannot look at ${path}: ${messageOf(error)}`);
  }
}

function ownUid(): number {
  return process.geteuid?.() ?? 0;
}

/** A uid without an entry in passwd has no home: unet then keeps its state with the temporary files. */
function homeOf(uid: number): string {
  try {
    return userInfo().homedir || homedir();
  } catch {
    return `${tmpdir()}/unet-${uid}-home`;
  }
}
