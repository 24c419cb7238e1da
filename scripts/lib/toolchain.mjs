// Are the tools here that a build needs? Each answer is one line that says what to install.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fail, native, outputOf, root } from './run.mjs';

export function requireLinux() {
  if (process.platform !== 'linux') fail(`unet needs Linux (namespaces and a TAP device); this is ${process.platform}`);
}

export function requireNode() {
  const wanted = minimum(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node);
  if (isOlder(process.versions.node, wanted)) {
    fail(
      `Node.js ${wanted} or newer is needed, this is ${process.versions.node}: install a newer one from https://nodejs.org`,
    );
  }
}

export function requireRust() {
  // A rustup that was installed a minute ago is not yet on the PATH of this shell.
  process.env.PATH += delimiter + join(homedir(), '.cargo', 'bin');
  const wanted = minimum(readFileSync(join(native, 'Cargo.toml'), 'utf8').match(/rust-version = "([^"]+)"/)[1]);
  const version = outputOf('cargo', ['--version'])?.match(/^cargo (\d[\d.]*)/)?.[1];
  if (version === undefined) fail(`no working cargo found: install Rust ${wanted} or newer from https://rustup.rs`);
  if (isOlder(version, wanted))
    fail(`Rust ${wanted} or newer is needed, cargo is ${version}: run "rustup update stable"`);
}

export function requireCompiler() {
  const hint = 'install one, for example: sudo apt-get install build-essential';
  if (outputOf('cc', ['--version']) === null) fail(`no C compiler (cc) found: ${hint}`);
  const header = outputOf('cc', ['-E', '-x', 'c', '-'], { input: '#include <stdio.h>\n#include <linux/if_tun.h>\n' });
  if (header === null) fail(`the C compiler finds no headers of libc and Linux: ${hint}`);
}

function minimum(text) {
  return text.replace(/^[^\d]*/, '');
}

function isOlder(version, wanted) {
  const [have, want] = [version, wanted].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)));
  for (const [index, part] of want.entries()) {
    if ((have[index] ?? 0) !== part) return (have[index] ?? 0) < part;
  }
  return false;
}
