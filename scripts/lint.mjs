// npm run lint: formatting and rules of both languages, the import table, types, and a lock file that fits any registry.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { install } from './lib/install.mjs';
import { fail, native, root, run, runBin } from './lib/run.mjs';
import { requireCompiler, requireLinux, requireNode, requireRust } from './lib/toolchain.mjs';

requireLinux();
requireNode();
requireRust();
requireCompiler();
install();

if (readFileSync(join(root, 'package-lock.json'), 'utf8').includes('"resolved"')) {
  fail('package-lock.json names a registry: run "npm install --package-lock-only --omit-lockfile-registry-resolved"');
}
runBin('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']);
run(process.execPath, [join(root, 'scripts', 'check-imports.mjs')]);
runBin('typescript/bin/tsc', ['-p', join(root, 'tsconfig.json')]);
run('cargo', ['fmt', '--all', '--check'], { cwd: native });
run('cargo', ['clippy', '--locked', '--workspace', '--all-targets', '--', '-D', 'warnings'], { cwd: native });
