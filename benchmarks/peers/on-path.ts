import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program by the variable that chooses another build of it (`PASTA=/path`), else from PATH; null when there is none. */
export function onPath(variable: string, name: string): string | null {
  const chosen = process.env[variable];
  if (chosen !== undefined && chosen !== '') return chosen;
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, name));
  return candidates.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
