import { accessSync, constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UnetError } from '../model/errors.js';

/** Set by the bundler in the CLI, where `import.meta.url` is empty. */
declare const __filename: string | undefined;

/**
 * The launcher: `$UNET_LAUNCH`, else `native/unet-launch` in the build directory.
 *
 * @throws UnetError LAUNCH
 */
export function findLauncher(env: Readonly<NodeJS.ProcessEnv> = process.env): string {
  return find('unet-launch', env['UNET_LAUNCH'], 'UNET_LAUNCH', 'native/unet-launch');
}

/** @throws UnetError LAUNCH */
export function findDaemonScript(env: Readonly<NodeJS.ProcessEnv> = process.env): string {
  return find('the daemon', env['UNET_DAEMON'], 'UNET_DAEMON', 'daemon.mjs', constants.R_OK);
}

function find(what: string, given: string | undefined, variable: string, file: string, mode = constants.X_OK): string {
  const candidates = given ? [given] : [join(here(), file), join(here(), '../..', file)];
  for (const candidate of candidates) {
    try {
      accessSync(candidate, mode);
      return candidate;
    } catch {
      // The next one, or the error below.
    }
  }
  const advice = given ? `correct ${variable}` : "build it with 'npm run build'";
  throw new UnetError('LAUNCH', `cannot find ${what} at ${candidates[0]}; ${advice}`);
}

function here(): string {
  return dirname(typeof __filename === 'string' ? __filename : fileURLToPath(import.meta.url));
}
