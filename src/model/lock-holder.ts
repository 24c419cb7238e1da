import { isAbsolute } from 'node:path';

/** What a daemon writes into its lock files, so that whoever finds one taken can say by whom. */
export interface LockHolder {
  readonly pid: number;
  readonly runtimeDirectory: string;
}

export function formatLockHolder({ pid, runtimeDirectory }: LockHolder): string {
  return `${JSON.stringify({ pid, runtimeDirectory })}\n`;
}

/** Null for a file that holds something else: nothing yet, or half of it. */
export function parseLockHolder(text: string): LockHolder | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { pid, runtimeDirectory } = (value ?? {}) as Partial<Record<keyof LockHolder, unknown>>;
  // A pid of 0 or less would mean a whole group to kill(2).
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 1) return null;
  if (typeof runtimeDirectory !== 'string' || !isAbsolute(runtimeDirectory)) return null;
  return { pid, runtimeDirectory };
}
