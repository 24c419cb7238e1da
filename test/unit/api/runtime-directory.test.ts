import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkRuntimeDirectory, currentPaths, ensureDirectories } from '../../../src/api/runtime-directory.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'unet-dir-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const paths = () => currentPaths({ UNET_RUNTIME_DIR: join(root, 'run'), UNET_STATE_DIR: join(root, 'a/b/state') });

describe('ensureDirectories', () => {
  it('makes both, with parents, closed to others', () => {
    ensureDirectories(paths());
    ensureDirectories(paths());
    for (const path of [paths().runtimeDirectory, paths().stateDirectory]) {
      expect(statSync(path).mode & 0o777).toBe(0o700);
    }
  });

  it.each([
    ['is a symbolic link', () => symlinkSync('/tmp', join(root, 'run'))],
    ['is a symbolic link', () => symlinkSync('/nowhere/at/all', join(root, 'run'))],
    ['is not a directory', () => writeFileSync(join(root, 'run'), '')],
    [
      'is open to others (mode 0750)',
      () => {
        mkdirSync(join(root, 'run'));
        chmodSync(join(root, 'run'), 0o750);
      },
    ],
  ])('refuses one that %s', (problem, prepare) => {
    prepare();
    expect(() => ensureDirectories(paths())).toThrow(
      expect.objectContaining({
        code: 'REFUSED',
        message: expect.stringMatching(
          `the runtime directory ${root}/run ${problem.replace(/[()]/g, '\\$&')}; .*UNET_RUNTIME_DIR`,
        ),
      }),
    );
  });

  it('refuses one of somebody else', () => {
    if (process.geteuid?.() === 0) return;
    expect(() => ensureDirectories(currentPaths({ UNET_RUNTIME_DIR: '/', UNET_STATE_DIR: root }))).toThrow(
      /belongs to uid 0, not to you/,
    );
  });

  it('says what to do when it cannot be written to', () => {
    if (process.geteuid?.() === 0) return;
    ensureDirectories(paths());
    const { stateDirectory } = paths();
    chmodSync(stateDirectory, 0o500);
    expect(() => ensureDirectories(paths())).toThrow(
      `the state directory ${stateDirectory} cannot be written to (EACCES); run 'chmod u+rwx ${stateDirectory}' or set UNET_STATE_DIR to another`,
    );
    chmodSync(stateDirectory, 0o700);
  });

  it('refuses a path that no socket fits in', () => {
    const long = currentPaths({ UNET_RUNTIME_DIR: join(root, 'x'.repeat(100)), UNET_STATE_DIR: root });
    expect(() => ensureDirectories(long)).toThrow(/too long a path for a socket; set UNET_RUNTIME_DIR/);
  });

  it('says what to do when it cannot be made', () => {
    const impossible = currentPaths({ UNET_RUNTIME_DIR: '/proc/unet', UNET_STATE_DIR: root });
    expect(() => ensureDirectories(impossible)).toThrow(
      /cannot make the runtime directory \/proc\/unet: .*UNET_RUNTIME_DIR/,
    );
  });
});

describe('checkRuntimeDirectory', () => {
  it('makes nothing', () => {
    expect(checkRuntimeDirectory(paths())).toBe(false);
    ensureDirectories(paths());
    expect(checkRuntimeDirectory(paths())).toBe(true);
    chmodSync(paths().runtimeDirectory, 0o777);
    expect(() => checkRuntimeDirectory(paths())).toThrow(/open to others/);
  });
});
