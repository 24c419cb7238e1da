import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where systems keep their servers; an ordinary user has them not always on PATH. */
const SERVERS = ['/usr/sbin', '/usr/local/sbin'] as const;

/** A program by the variable that chooses another build of it (`PASTA=/path`), else from PATH; null when there is none. */
export function onPath(variable: string, name: string): string | null {
  const chosen = process.env[variable];
  if (chosen !== undefined && chosen !== '') return chosen;
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), ...SERVERS];
  return directories.map((directory) => join(directory, name)).find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
