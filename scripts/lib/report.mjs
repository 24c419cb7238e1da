// Counts tests, so that the last line can say what happened and CI can tell a skipped test from a passed one.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { cache, native, root } from './run.mjs';

const RESULT = /^test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored/;

export function emptyTally() {
  return { passed: 0, failed: 0, skipped: [] };
}

export function add(into, { passed, failed, skipped }) {
  into.passed += passed;
  into.failed += failed;
  into.skipped.push(...skipped);
}

/** `cargo test`, shown as it runs. A test that cannot run here prints `SKIP: reason`; an ignored one counts as skipped. */
export async function cargoTest(args) {
  const tally = emptyTally();
  const status = await lines('cargo', ['test', '--locked', ...args, '--', '--nocapture'], native, (line) => {
    const result = RESULT.exec(line);
    if (result !== null) {
      tally.passed += Number(result[1]);
      tally.failed += Number(result[2]);
      if (Number(result[3]) > 0) tally.skipped.push(`${result[3]} ignored test(s) in a cargo test binary`);
    }
    const skip = /\bSKIP: (.*)$/.exec(line);
    if (skip !== null) tally.skipped.push(skip[1]);
  });
  // A compile error or a crash has no result line, and is no success.
  if (status !== 0 && tally.failed === 0) tally.failed = 1;
  return tally;
}

export async function vitest(args, env = {}) {
  const file = join(cache, `vitest-${process.pid}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const bin = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const child = spawn(process.execPath, [bin, 'run', ...reporters, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  const status = await exitOf(child);
  const tally = emptyTally();
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    tally.passed = report.numPassedTests;
    tally.failed = report.numFailedTests;
    for (const suite of report.testResults) {
      for (const test of suite.assertionResults) {
        if (test.status === 'skipped' || test.status === 'pending' || test.status === 'todo')
          tally.skipped.push(test.fullName);
      }
    }
  } catch {
    // No report: it died before the end.
  }
  if (status !== 0 && tally.failed === 0) tally.failed = 1;
  rmSync(file, { force: true });
  return tally;
}

/** Runs a command, hands on its output as it comes and calls `seen` for every whole line of stdout and stderr. */
async function lines(command, args, cwd, seen) {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const [stream, out] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ]) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => {
      out.write(chunk);
      const parts = (rest + chunk).split('\n');
      rest = parts.pop();
      for (const line of parts) seen(line);
    });
  }
  return exitOf(child);
}

function exitOf(child) {
  return new Promise((resolve) => {
    child.on('error', () => resolve(127));
    child.on('close', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}
