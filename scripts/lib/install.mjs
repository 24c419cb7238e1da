// node_modules as package-lock.json says. npm's own record inside node_modules tells whether it already is.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root, run, say } from './run.mjs';

export function install() {
  const wanted = packagesIn(join(root, 'package-lock.json'));
  if (wanted === null) fail('package-lock.json is missing or cannot be read: check the clone with "git status"');
  if (isInstalled(wanted)) return;
  say('installing packages (npm ci)');
  // Nothing here needs an install script, and newer versions of npm run none.
  run('npm', ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
}

function isInstalled(wanted) {
  const present = packagesIn(join(root, 'node_modules', '.package-lock.json'));
  if (present === null) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = present[path];
    return found === undefined ? entry.optional === true : found.version === entry.version;
  });
}

function packagesIn(file) {
  if (!existsSync(file)) return null;
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? null;
  } catch {
    return null;
  }
}
