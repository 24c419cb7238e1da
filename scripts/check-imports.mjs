// Holds the import table of the house: which directory of src/ may import which. A relative import that crosses
// directories against the table, a package that does not belong to a directory, or the addon loaded anywhere but in
// src/native/binding.ts is an error with its line.
//
// Limit: it reads import and export statements by a regular expression, which biome's formatting keeps true; a
// computed `import(x)` is not seen.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = resolve(dirname(fileURLToPath(import.meta.url)), '..', 'src');

/** Every directory may import itself and `model`; this is what it may import besides. */
const MAY_IMPORT = {
  model: [],
  files: [],
  dns: [],
  api: [],
  native: [],
  launch: [],
  daemon: ['api', 'dns', 'files', 'native', 'launch'],
  cli: ['api', 'launch'],
  bin: ['cli', 'daemon'],
  // The public library: src/index.ts.
  '': ['api', 'launch'],
};

/** Packages that only these directories may load. The CLI must start fast: what is slow to load stays in the daemon. */
const PACKAGE_HOMES = {
  fastify: ['daemon'],
  pino: ['daemon'],
  'write-file-atomic': ['daemon'],
  'dns-packet': ['dns'],
  'lru-cache': ['dns'],
  commander: ['cli'],
};

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|(?:^|\n)\s*import\s*'([^']+)'/g;

const problems = [];
for (const entry of readdirSync(SOURCE, { recursive: true })) {
  if (entry.endsWith('.ts')) checkFile(join(SOURCE, entry));
}
if (problems.length > 0) {
  process.stderr.write(
    `${problems.join('\n')}\n${problems.length} import(s) against the table in scripts/check-imports.mjs\n`,
  );
  process.exit(1);
}

function checkFile(file) {
  const text = readFileSync(file, 'utf8');
  const from = partOf(file);
  if (!(from in MAY_IMPORT)) problems.push(`${show(file)}: the directory "${from}" is not in the table`);
  for (const match of text.matchAll(IMPORT)) {
    const target = match[1] ?? match[2] ?? match[3];
    const line = text.slice(0, match.index).split('\n').length + (match[0].startsWith('\n') ? 1 : 0);
    const problem = target.startsWith('.') ? checkRelative(file, from, target) : checkPackage(from, target);
    if (problem) problems.push(`${show(file)}:${line}: ${problem}`);
  }
}

function checkRelative(file, from, target) {
  const to = partOf(resolve(dirname(file), target));
  if (target.endsWith('.node')) return 'the addon is loaded in src/native/binding.ts alone, by path';
  if (to === from || to === 'model' || MAY_IMPORT[from]?.includes(to)) return null;
  return `${from || 'index.ts'} may not import ${to || 'index.ts'} (${target})`;
}

function checkPackage(from, target) {
  if (target.startsWith('node:')) return null;
  const name = target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
  const homes = PACKAGE_HOMES[name];
  return homes === undefined || homes.includes(from) ? null : `${name} belongs to ${homes.join(', ')}, not to ${from}`;
}

/** The first directory below src/, or '' for a file in src/ itself. */
function partOf(path) {
  const parts = relative(SOURCE, path).split(sep);
  return parts.length > 1 ? parts[0] : '';
}

function show(file) {
  return relative(dirname(SOURCE), file);
}
