import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, UnetError } from '../model/errors.js';
import type { LaunchSpec } from '../model/launch-spec.js';
import { shellStatus } from './exit-status.js';
import { forwardSignals } from './signals.js';

const SPEC_FD = 3;
const LAST_WORDS_MILLISECONDS = 200;

/** Completes the daemon's part of the spec with what only the caller's process has. */
export function completeSpec(
  part: Omit<LaunchSpec, 'env'>,
  env: Readonly<Record<string, string>>,
  openFiles?: number,
): LaunchSpec {
  return { ...part, env, ...(openFiles !== undefined && { openFiles }) };
}

/**
 * Runs the launcher with our standard streams and resolves with its exit status, which is the command's in the
 * foreground, and 0 for a command that was started in the background.
 *
 * From the spawn on nobody may touch process.stdin, stdout or stderr: Node would make the shared terminal or pipe
 * non-blocking under the command's feet. Later messages of ours are written with `fs.writeSync(2, …)`.
 *
 * @throws UnetError LAUNCH when the launcher cannot be started
 */
export function runLauncher(launcher: string, spec: LaunchSpec): Promise<number> {
  return launch(launcher, spec, 'inherit').then(({ status }) => status);
}

/**
 * Starts a detached command without letting the launcher at our standard streams, for programs that use unet as a library.
 *
 * @throws UnetError LAUNCH with the launcher's own line when the command did not start
 */
export async function startDetached(launcher: string, spec: LaunchSpec): Promise<void> {
  const { status, stderr } = await launch(launcher, spec, 'capture');
  if (status === 0) return;
  const line = stderr.trim().replace(/^unet: /, '');
  throw new UnetError('LAUNCH', line === '' ? `the launcher ended with status ${status}` : line);
}

async function launch(
  launcher: string,
  spec: LaunchSpec,
  streams: 'inherit' | 'capture',
): Promise<{ status: number; stderr: string }> {
  const stdio =
    streams === 'inherit' ? (['inherit', 'inherit', 'inherit'] as const) : (['ignore', 'ignore', 'pipe'] as const);
  const child = spawn(launcher, ['run', '--spec-fd', String(SPEC_FD)], { stdio: [...stdio, 'pipe'] });
  const stopForwarding = forwardSignals((signal) => child.kill(signal));
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  try {
    const ended = waitForEnd(child, launcher);
    sendSpec(child, spec);
    const status = await ended;
    // Its last words may still be in the pipe; a supervisor that stays behind must not keep us waiting for more.
    if (child.stderr && !child.stderr.readableEnded) {
      await Promise.race([once(child.stderr, 'end'), sleep(LAST_WORDS_MILLISECONDS)]);
    }
    return { status, stderr };
  } finally {
    stopForwarding();
  }
}

function waitForEnd(child: ChildProcess, launcher: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(new UnetError('LAUNCH', `cannot start ${launcher}: ${messageOf(error)}`, { cause: error }));
    });
    child.once('exit', (code, signal) => resolve(shellStatus(code, signal)));
  });
}

function sendSpec(child: ChildProcess, spec: LaunchSpec): void {
  const stream = child.stdio[SPEC_FD] as Writable | null | undefined;
  // A launcher that died before it read its spec tells so by its exit status.
  stream?.on('error', () => {});
  stream?.end(JSON.stringify(spec));
}
