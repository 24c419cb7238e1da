// npm test: installs, builds, and runs every test there is: cargo's, then vitest's (unit, contract, e2e).
//   npm test -- --only rust|ts|e2e     one part of them
// In CI (CI=true) a skipped test fails the run: there, everything that the tests need is present on purpose.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installAndBuild } from './lib/build.mjs';
import { add, cargoTest, emptyTally, vitest } from './lib/report.mjs';
import { cache, fail, say } from './lib/run.mjs';
import { requireRust } from './lib/toolchain.mjs';

const PARTS = {
  rust: () => {
    requireRust();
    return cargoTest(['--workspace']);
  },
  ts: () => vitest(['--project', 'unit', '--project', 'contract']),
  e2e: () => vitest(['--project', 'e2e']),
};

const { values } = parseArgs({ options: { only: { type: 'string' } } });
if (values.only !== undefined && !(values.only in PARTS)) fail(`--only takes one of: ${Object.keys(PARTS).join(', ')}`);

await installAndBuild();
mkdirSync(cache, { recursive: true });

const total = emptyTally();
for (const name of values.only === undefined ? Object.keys(PARTS) : [values.only]) {
  say(`testing: ${name}`);
  add(total, await PARTS[name]());
}

if (total.skipped.length > 0) {
  say(`${total.skipped.length} skipped:`);
  for (const reason of total.skipped) process.stderr.write(`  SKIP: ${reason}\n`);
  if (process.env.CI === 'true') {
    say('in CI a skipped test counts as a failed one');
    total.failed += total.skipped.length;
  }
}
writeFileSync(join(cache, 'test-tally.json'), `${JSON.stringify(total)}\n`);
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed === 0 ? 0 : 1;
