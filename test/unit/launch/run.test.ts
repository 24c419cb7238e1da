import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseFindings } from '../../../src/launch/doctor.js';
import { shellStatus } from '../../../src/launch/exit-status.js';
import { findLauncher } from '../../../src/launch/find.js';
import { callersOpenFiles, parseOpenFiles } from '../../../src/launch/open-files.js';
import { completeSpec, runLauncher, startDetached } from '../../../src/launch/run.js';
import type { LaunchSpec } from '../../../src/model/launch-spec.js';
import { until } from '../../fixtures/until.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'unet-launch-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function launcher(script: string): string {
  const path = join(root, 'launcher');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const spec = (overrides: Partial<LaunchSpec> = {}) =>
  completeSpec({ name: 'web', ...overrides } as LaunchSpec, { A: 'ü' });

describe('the limit on open files', () => {
  it.each([
    [
      'Max processes             4                    4                    processes\nMax open files            1024                 524288               files',
      1024,
    ],
    ['Max open files            unlimited            unlimited            files', undefined],
    ['nonsense', undefined],
  ])('of %j', (text, soft) => {
    expect(parseOpenFiles(text)).toBe(soft);
  });

  it('is that of the caller, and left out when it cannot be read', () => {
    expect(callersOpenFiles(process.pid)).toBeGreaterThan(0);
    expect(callersOpenFiles(0)).toBeUndefined();
    expect(completeSpec({ name: 'web' } as LaunchSpec, {}, 77)).toMatchObject({ openFiles: 77 });
    expect(completeSpec({ name: 'web' } as LaunchSpec, {})).not.toHaveProperty('openFiles');
  });
});

describe('runLauncher', () => {
  it('hands the whole spec over on descriptor 3 and gives the exit status', async () => {
    const copy = join(root, 'spec.json');
    const big = spec({ argv: ['x'.repeat(300_000)] });
    expect(await runLauncher(launcher(`[ "$*" = "run --spec-fd 3" ] || exit 1; cat <&3 >${copy}; exit 42`), big)).toBe(
      42,
    );
    expect(JSON.parse(readFileSync(copy, 'utf8'))).toEqual(big);
  });

  it('bears a launcher that does not read its spec', async () => {
    expect(await runLauncher(launcher('exec 3<&-; exit 7'), spec({ argv: ['x'.repeat(3_000_000)] }))).toBe(7);
  });

  it('shows the death of the launcher as a shell would', async () => {
    expect(await runLauncher(launcher('kill -KILL $$'), spec())).toBe(137);
  });

  it('passes signals on and stops doing so afterwards', async () => {
    const ready = join(root, 'ready');
    const before = process.listenerCount('SIGUSR1');
    const running = runLauncher(launcher(`trap 'exit 9' USR1; : >${ready}; while :; do sleep 0.01; done`), spec());
    await until(() => readFileSyncOrNull(ready) !== null);
    process.kill(process.pid, 'SIGUSR1');
    expect(await running).toBe(9);
    expect(process.listenerCount('SIGUSR1')).toBe(before);
  });

  it('says that it cannot be started', async () => {
    await expect(runLauncher(join(root, 'nonesuch'), spec())).rejects.toMatchObject({
      code: 'LAUNCH',
      message: /cannot start .*nonesuch/,
    });
  });
});

describe('startDetached', () => {
  it('is content with status 0 and raises the one line of the launcher otherwise', async () => {
    await startDetached(launcher('exit 0'), spec());
    await expect(startDetached(launcher('echo "unet: no TUN" >&2; exit 125'), spec())).rejects.toMatchObject({
      code: 'LAUNCH',
      message: 'no TUN',
    });
  });
});

describe('shellStatus', () => {
  it.each([
    [0, null, 0],
    [127, null, 127],
    [null, 'SIGTERM' as const, 143],
    [null, null, 125],
  ])('code %s, signal %s → %d', (code, signal, expected) => {
    expect(shellStatus(code, signal)).toBe(expected);
  });
});

describe('findLauncher', () => {
  it('takes the one that is given, if it can be executed', () => {
    const path = launcher('exit 0');
    expect(findLauncher({ UNET_LAUNCH: path })).toBe(path);
    chmodSync(path, 0o644);
    if (process.geteuid?.() !== 0) expect(() => findLauncher({ UNET_LAUNCH: path })).toThrow(/correct UNET_LAUNCH/);
    expect(() => findLauncher({ UNET_LAUNCH: join(root, 'none') })).toThrow(
      expect.objectContaining({
        code: 'LAUNCH',
        message: `cannot find unet-launch at ${join(root, 'none')}; correct UNET_LAUNCH`,
      }),
    );
  });
});

describe('parseFindings', () => {
  it('reads what the launcher prints, and takes an unknown grade for bad', () => {
    expect(parseFindings('[{"id":"a","title":"A","ok":"ok","detail":"d","fix":null},{"id":"b","ok":"odd"}]')).toEqual([
      { id: 'a', title: 'A', grade: 'ok', detail: 'd', fix: null },
      { id: 'b', title: 'b', grade: 'fail', detail: '', fix: null },
    ]);
  });

  it.each(['', '{}', 'nonsense', 'null'])('refuses %j', (text) => {
    expect(() => parseFindings(text)).toThrow(expect.objectContaining({ code: 'LAUNCH' }));
  });
});

function readFileSyncOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
