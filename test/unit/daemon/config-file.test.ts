import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfigFile } from '../../../src/daemon/config-file.js';

let directory: string;
let path: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'unet-config-'));
  path = join(directory, 'config.json');
});
afterAll(() => rmSync(directory, { recursive: true }));

function read(text: string) {
  writeFileSync(path, text);
  return readConfigFile(path, { mustExist: false });
}

describe('readConfigFile', () => {
  it("S60: takes Docker's keys", () => {
    const text = '{"dns": ["10.0.0.1", "::1"], "dns-search": [".corp.example", "."], "dns-opts": ["ndots:1"]}';
    expect(read(text)).toEqual({
      servers: ['10.0.0.1', '::1'],
      search: ['corp.example', '.'],
      options: ['ndots:1'],
    });
  });

  it('leaves to the host what it does not say', () => {
    expect(read('{}')).toEqual({ servers: null, search: null, options: null });
    expect(read(' \n')).toEqual({ servers: null, search: null, options: null });
    expect(read('\uFEFF{"dns-search": []}')).toEqual({ servers: null, search: [], options: null });
  });

  it('may be absent, unless it was named', () => {
    const absent = join(directory, 'absent', 'config.json');
    expect(readConfigFile(absent, { mustExist: false })).toBeNull();
    expect(() => readConfigFile(absent, { mustExist: true })).toThrow(
      `config file ${absent}: it cannot be read (ENOENT); make it, or unset UNET_CONFIG`,
    );
    expect(() => readConfigFile(directory, { mustExist: false })).toThrow(
      `config file ${directory}: it cannot be read (EISDIR); see that it is a file that you may read, or remove it`,
    );
  });

  it.each([
    ['{"dsn": []}', '"dsn": is no key of this file; the keys are dns, dns-search, dns-opts'],
    ['{"dns": "10.0.0.1"}', '"dns": give a list of strings, such as ["10.0.0.1"]'],
    ['{"dns": [10]}', '"dns": give a list of strings, such as ["10.0.0.1"]'],
    [
      '{"dns": ["10.0.0.1", "ns"]}',
      '"dns": IP address is not correctly formatted: ns; give a list of strings, such as ["10.0.0.1"]',
    ],
    [
      '{"dns-search": ["17"]}',
      '"dns-search": 17 is not a valid domain; give a list of strings, such as ["corp.example"]',
    ],
    [
      '{"dns-opts": ["a b"]}',
      '"dns-opts": invalid DNS option "a b": it must be one word, such as ndots:1; give a list of strings, such as ["ndots:1", "timeout:3"]',
    ],
    ['[]', 'give an object, such as {"dns": ["10.0.0.1"]}'],
    ['null', 'give an object, such as {"dns": ["10.0.0.1"]}'],
  ])('refuses %s with file, key and what to do', (text, message) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'DAEMON', message: `config file ${path}: ${message}` }),
    );
  });

  it('says in one line that it is no JSON', () => {
    expect(() => read('{"dns": [\n')).toThrow(
      /^config file \/.*config\.json: it is no JSON \([^\n]*\); mend it, or remove it$/,
    );
  });

  it('does not read what is no config file by its size', () => {
    expect(() => read(' '.repeat(1024 * 1024 + 1))).toThrow(/cannot be read \(it is larger than 1048576 bytes\)/);
  });
});
