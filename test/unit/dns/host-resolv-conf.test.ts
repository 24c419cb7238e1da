import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type HostFile, LOOK_MS, watchHostFile } from '../../../src/dns/host-resolv-conf.js';

let directory: string;
let file: HostFile | null = null;
const seen: (string | null)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'unet-resolv-'));
  seen.length = 0;
});

afterEach(() => {
  vi.restoreAllMocks();
  file?.close();
  rmSync(directory, { recursive: true, force: true });
});

const at = (...names: string[]) => join(directory, ...names);
const start = (path: string) => {
  file = watchHostFile(path, (text) => seen.push(text));
  return file;
};
const untilSeen = (...texts: (string | null)[]) =>
  vi.waitFor(() => expect(seen).toEqual(texts), { timeout: 5000, interval: 10 });
/** As if the clock had gone on: what is asked now is looked at again. */
const later = () => {
  const time = performance.now() + LOOK_MS;
  vi.spyOn(performance, 'now').mockImplementation(() => time);
};

describe('watchHostFile', () => {
  it('reads the file as it stands', () => {
    writeFileSync(at('resolv.conf'), 'one');
    expect(start(at('resolv.conf')).current()).toBe('one');
  });

  it('sees a file that is written, replaced by rename, removed and made again', async () => {
    writeFileSync(at('resolv.conf'), 'one');
    start(at('resolv.conf'));
    writeFileSync(at('resolv.conf'), 'two');
    await untilSeen('two');
    writeFileSync(at('new'), 'three');
    renameSync(at('new'), at('resolv.conf'));
    await untilSeen('two', 'three');
    unlinkSync(at('resolv.conf'));
    await untilSeen('two', 'three', null);
    writeFileSync(at('resolv.conf'), 'four');
    await untilSeen('two', 'three', null, 'four');
  });

  it('follows a link: its target changes, and it is turned to another', async () => {
    mkdirSync(at('run'));
    mkdirSync(at('vpn'));
    writeFileSync(at('run', 'stub'), 'stub');
    writeFileSync(at('vpn', 'own'), 'vpn');
    symlinkSync('run/stub', at('resolv.conf'));
    const host = start(at('resolv.conf'));
    expect(host.current()).toBe('stub');
    writeFileSync(at('run', 'stub.new'), 'stub 2');
    renameSync(at('run', 'stub.new'), at('run', 'stub'));
    await untilSeen('stub 2');
    symlinkSync('vpn/own', at('turned'));
    renameSync(at('turned'), at('resolv.conf'));
    await untilSeen('stub 2', 'vpn');
    writeFileSync(at('vpn', 'own'), 'vpn 2');
    await untilSeen('stub 2', 'vpn', 'vpn 2');
  });

  it('says nothing when another file of the directory changes, or the text is the same', async () => {
    writeFileSync(at('resolv.conf'), 'one');
    start(at('resolv.conf'));
    writeFileSync(at('hosts'), 'x');
    writeFileSync(at('resolv.conf'), 'one');
    await new Promise((done) => setTimeout(done, 200));
    expect(seen).toEqual([]);
  });

  it('takes a dangling link for an empty file, and finds its target when somebody asks later', () => {
    symlinkSync('later/resolv.conf', at('resolv.conf'));
    const host = start(at('resolv.conf'));
    expect(host.current()).toBeNull();
    mkdirSync(at('later'));
    writeFileSync(at('later', 'resolv.conf'), 'here');
    later();
    expect(host.current()).toBe('here');
  });

  it('finds what is written in place at another name of the file, as under a bind mount', () => {
    mkdirSync(at('etc'));
    writeFileSync(at('source'), 'one');
    linkSync(at('source'), at('etc', 'resolv.conf'));
    const host = start(at('etc', 'resolv.conf'));
    writeFileSync(at('source'), 'another');
    expect(host.current()).toBe('one');
    later();
    expect(host.current()).toBe('another');
  });

  it('follows a directory on the path that is a link and is turned, and watches the new one', async () => {
    for (const name of ['home', 'office']) {
      mkdirSync(at(name));
      writeFileSync(at(name, 'resolv.conf'), name);
    }
    symlinkSync('home', at('place'));
    const host = start(at('place', 'resolv.conf'));
    symlinkSync('office', at('turned'));
    renameSync(at('turned'), at('place'));
    later();
    expect(host.current()).toBe('office');
    writeFileSync(at('office', 'resolv.conf'), 'office 2');
    await untilSeen('office', 'office 2');
  });

  it('follows a directory that is moved away and replaced, though nobody asks', async () => {
    mkdirSync(at('etc'));
    writeFileSync(at('etc', 'resolv.conf'), 'one');
    start(at('etc', 'resolv.conf'));
    mkdirSync(at('new'));
    writeFileSync(at('new', 'resolv.conf'), 'two');
    renameSync(at('etc'), at('old'));
    renameSync(at('new'), at('etc'));
    await untilSeen('two');
    writeFileSync(at('etc', 'resolv.conf'), 'three');
    await untilSeen('two', 'three');
  });

  it('follows a directory that is removed and made again', async () => {
    mkdirSync(at('etc'));
    writeFileSync(at('etc', 'resolv.conf'), 'one');
    const host = start(at('etc', 'resolv.conf'));
    rmSync(at('etc'), { recursive: true });
    await untilSeen(null);
    mkdirSync(at('etc'));
    writeFileSync(at('etc', 'resolv.conf'), 'two');
    later();
    expect(host.current()).toBe('two');
    writeFileSync(at('etc', 'resolv.conf'), 'three');
    await untilSeen(null, 'two', 'three');
  });

  it('survives a loop of links and a directory in the place of the file', () => {
    symlinkSync('b', at('a'));
    symlinkSync('a', at('b'));
    expect(start(at('a')).current()).toBeNull();
    file?.close();
    expect(start(directory).current()).toBeNull();
  });
});
