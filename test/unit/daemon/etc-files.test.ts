import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EtcFiles } from '../../../src/daemon/etc-files.js';
import { fakeNative } from '../../fixtures/fake-stack.js';
import { until } from '../../fixtures/until.js';

const log = pino({ level: 'silent' });
const LONG = 'a line that is longer than what follows\n'.repeat(3);

let root: string;
let path: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'unet-etc-'));
  path = join(root, 'hosts');
  writeFileSync(path, LONG);
});
afterEach(() => rmSync(root, { recursive: true }));

/** As the addon: not while somebody has it open, and how often it was asked. */
function readBy(isOpen: () => boolean) {
  const native = fakeNative();
  const tries: string[] = [];
  const overwriteUnopened = (where: string, text: string): boolean => {
    tries.push(text);
    return isOpen() ? false : native.overwriteUnopened(where, text, 0);
  };
  return { files: new EtcFiles({ overwriteUnopened }, log), tries };
}

const content = () => readFileSync(path, 'utf8');

describe('EtcFiles', () => {
  it('writes at once, in the same inode, where nobody reads', () => {
    const { ino } = statSync(path);
    readBy(() => false).files.rewrite(path, 'short\n');
    expect(content()).toBe('short\n');
    expect(statSync(path).ino).toBe(ino);
  });

  it('comes again while somebody reads, with what is newest, and then no more', async () => {
    let open = true;
    const { files, tries } = readBy(() => open);
    files.rewrite(path, 'first\n');
    files.rewrite(path, 'second\n');
    expect(content()).toBe(LONG);
    open = false;
    await until(() => content() === 'second\n');
    const tried = tries.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(tries).toHaveLength(tried);
    files.rewrite(path, 'third\n');
    expect(content()).toBe('third\n');
  });

  it('leaves a file alone that says it already, and forgets what was waiting', async () => {
    let open = false;
    const { files, tries } = readBy(() => open);
    files.rewrite(path, LONG);
    expect(tries).toEqual([]);
    open = true;
    files.rewrite(path, 'other\n');
    files.rewrite(path, LONG);
    open = false;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(content()).toBe(LONG);
    expect(tries).toEqual(['other\n']);
  });

  it('writes under the eyes of one who never closes it, and never makes it shorter for them', async () => {
    const reader = openSync(path, 'r');
    readBy(() => true).files.rewrite(path, 'short\n');
    await until(() => content().startsWith('short\n'));
    expect(content()).toBe('short\n'.padEnd(LONG.length, '\n'));
    const seen = Buffer.alloc(4096);
    expect(seen.toString('utf8', 0, readSync(reader, seen))).toBe(content());
    closeSync(reader);
  });

  it('does the same at once where there are no leases', () => {
    const overwriteUnopened = () => {
      throw Object.assign(new Error('no leases'), { code: 'EINVAL' });
    };
    const files = new EtcFiles({ overwriteUnopened }, log);
    files.rewrite(path, 'short\n');
    expect(content().trimEnd()).toBe('short');
    files.rewrite(path, `${LONG}longer\n`);
    expect(content()).toBe(`${LONG}longer\n`);
  });

  it('does not make a file that has gone', () => {
    rmSync(path);
    readBy(() => false).files.rewrite(path, 'short\n');
    expect(() => statSync(path)).toThrow('ENOENT');
  });
});
