import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, UnetError } from '../model/errors.js';

const DOCTOR_MILLISECONDS = 20_000;

/** One thing that the launcher looked at on this machine. */
export interface Finding {
  readonly id: string;
  readonly title: string;
  /** `warn`: containers work, something in them does not. `fail`: no container can be started. */
  readonly grade: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to do about it; null when there is nothing to do. */
  readonly fix: string | null;
}

/** Asks `unet-launch doctor`. @throws UnetError LAUNCH */
export async function runDoctor(launcher: string): Promise<Finding[]> {
  const text = await promisify(execFile)(launcher, ['doctor'], { timeout: DOCTOR_MILLISECONDS }).then(
    ({ stdout }) => stdout,
    (error) => {
      // One that found something bad may say so by its status, too; its findings still count.
      if (typeof error.stdout === 'string' && error.stdout !== '') return error.stdout as string;
      throw new UnetError('LAUNCH', `'${launcher} doctor' failed: ${messageOf(error)}`, { cause: error });
    },
  );
  return parseFindings(text);
}

/** @throws UnetError LAUNCH when it is not what a launcher of this version prints */
export function parseFindings(text: string): Finding[] {
  let findings: unknown;
  try {
    findings = JSON.parse(text);
  } catch {
    findings = null;
  }
  if (!Array.isArray(findings))
    throw new UnetError('LAUNCH', 'unet-launch doctor printed something else than findings');
  return findings.map(readFinding);
}

function readFinding(value: unknown): Finding {
  const { id, title, ok, detail, fix } = (value ?? {}) as Record<string, unknown>;
  return {
    id: String(id ?? ''),
    title: String(title ?? id ?? ''),
    grade: ok === 'ok' || ok === 'warn' ? ok : 'fail',
    detail: String(detail ?? ''),
    fix: typeof fix === 'string' ? fix : null,
  };
}
