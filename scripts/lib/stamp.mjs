// "Has anything changed since the last time?", by content: a fresh clone, a switched branch and a touched file all give
// the right answer, which modification times do not.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, root } from './run.mjs';

const LEFT_OUT = new Set(['target', 'node_modules', 'index.d.ts']);

/** Runs `work` unless the inputs are those of its last success and every output is still there. */
export async function whenChanged(name, { inputs, outputs }, work) {
  const file = join(cache, 'stamps', name);
  const hash = hashOf(inputs);
  const there = outputs.every((output) => existsSync(join(root, output)));
  if (there && existsSync(file) && readFileSync(file, 'utf8') === hash) return false;
  await work();
  mkdirSync(join(cache, 'stamps'), { recursive: true });
  writeFileSync(file, hash);
  return true;
}

function hashOf(inputs) {
  const hash = createHash('sha256').update(`${process.versions.node} ${process.arch}\n`);
  for (const input of inputs) addTo(hash, input);
  return hash.digest('hex');
}

function addTo(hash, path) {
  const full = join(root, path);
  if (!existsSync(full)) return;
  if (statSync(full).isDirectory()) {
    for (const entry of readdirSync(full).sort()) {
      if (!LEFT_OUT.has(entry) && !entry.endsWith('.node')) addTo(hash, join(path, entry));
    }
    return;
  }
  const text = readFileSync(full);
  hash.update(`${path} ${text.length}\n`).update(text);
}
