import { describe, expect, it } from 'vitest';
import type { DaemonInfo } from '../../../src/api/index.js';
import { daemonLines } from '../../../src/cli/commands/daemon.js';
import { NO_DNS_LISTS } from '../../../src/model/dns-choice.js';

const info: DaemonInfo = {
  version: '1.2.3',
  apiVersion: 'v1',
  pid: 7,
  uid: 1000,
  startedAt: new Date().toISOString(),
  idleSeconds: 60,
  runtimeDirectory: '/r',
  stateDirectory: '/s',
  logFile: '/s/daemon.log',
  configFile: '/c/config.json',
  settings: { dns: NO_DNS_LISTS, sources: [] },
  containers: { running: [], total: 0 },
  network: { name: 'bridge', subnet: '172.17.0.0/16', gateway: '172.17.0.1', mtu: 1500 },
  engine: { running: true, restarts: 0, flows: 0, counters: {}, drops: {} },
};

const settingsOf = (settings: DaemonInfo['settings']) =>
  daemonLines({ ...info, settings }).find(([label]) => label === 'Settings')?.[1];

describe('daemon status', () => {
  it('S60: shows the defaults, and where they come from', () => {
    const dns = { servers: ['10.0.0.1', '::1'], search: ['corp'], options: null };
    expect(settingsOf({ dns, sources: ['UNET_OPTS', '/c/config.json'] })).toBe(
      'dns 10.0.0.1 ::1; dns-search corp (from UNET_OPTS, /c/config.json)',
    );
    const emptied = { servers: null, search: [], options: null };
    expect(settingsOf({ dns: emptied, sources: ['/c/config.json'] })).toBe('dns-search none (from /c/config.json)');
  });

  it('says where they would stand when there are none', () => {
    expect(settingsOf({ dns: NO_DNS_LISTS, sources: [] })).toBe(
      'none; /c/config.json and UNET_OPTS are looked at when the daemon starts',
    );
  });
});
