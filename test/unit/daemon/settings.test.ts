import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSettings } from '../../../src/daemon/settings.js';

let directory: string;
let configFile: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'unet-settings-'));
  configFile = join(directory, 'config.json');
  writeFileSync(configFile, '{"dns": ["10.0.0.1"], "dns-search": ["file.example"]}');
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('readSettings', () => {
  it('S60: lets UNET_OPTS win over the file, list by list', () => {
    expect(readSettings({ UNET_OPTS: '--dns-search opts.example --dns-opt rotate' }, { configFile })).toEqual({
      dns: { servers: ['10.0.0.1'], search: ['opts.example'], options: ['rotate'] },
      sources: ['UNET_OPTS', configFile],
    });
  });

  it('has none where nothing was said', () => {
    expect(readSettings({ UNET_OPTS: '', UNET_CONFIG: '' }, { configFile: join(directory, 'none') })).toEqual({
      dns: { servers: null, search: null, options: null },
      sources: [],
    });
  });

  it('misses a file that UNET_CONFIG names', () => {
    const missing = join(directory, 'none');
    expect(() => readSettings({ UNET_CONFIG: missing }, { configFile: missing })).toThrow(/unset UNET_CONFIG/);
  });
});
