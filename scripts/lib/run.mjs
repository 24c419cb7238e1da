// What the scripts share. They run before node_modules exists, so: Node's own modules and nothing else.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const native = join(root, 'native');
export const cache = join(root, '.cache');
export const dist = join(root, 'dist');

/** Ends the script with one line that says what is wrong and what to do. */
export function fail(message) {
  process.stderr.write(`unet: ${message}\n`);
  process.exit(1);
}

export function say(message) {
  process.stderr.write(`unet: ${message}\n`);
}

/** Runs a command with our terminal. A failure ends the script with its status: the command has said why. */
export function run(command, args, { cwd = root, env = process.env } = {}) {
  const { status, signal, error } = spawnSync(command, args, { cwd, env, stdio: 'inherit' });
  if (error) fail(`cannot run ${command}: ${error.message}`);
  if (signal) fail(`${command} ended by ${signal}`);
  if (status !== 0) process.exit(status);
}

/** Output of a command, or null when it is not there or fails. */
export function outputOf(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', ...options });
  return status === 0 ? stdout : null;
}

/** A program of an installed package, run by this very Node. */
export function runBin(packagePath, args, options) {
  run(process.execPath, [join(root, 'node_modules', packagePath), ...args], options);
}
