import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, UnetError } from '../model/errors.js';

const DOCTOR_MILLISECONDS = 20_000;

/** What `unet-launch doctor` found; its shape is the launcher's affair, so it is read with care. */
export async function runDoctor(launcher: string): Promise<unknown> {
  try {
    const { stdout } = await promisify(execFile)(launcher, ['doctor'], { timeout: DOCTOR_MILLISECONDS });
    return JSON.parse(stdout);
  } catch (error) {
    // A doctor that found something bad may say so by its status, too; its findings still count.
    const stdout = (error as { stdout?: unknown }).stdout;
    if (typeof stdout === 'string' && stdout.trimStart().startsWith('{')) return JSON.parse(stdout);
    throw new UnetError('LAUNCH', `'${launcher} doctor' failed: ${messageOf(error)}`, { cause: error });
  }
}
