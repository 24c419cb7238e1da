import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Container } from '../../../src/daemon/container.js';
import {
  adoptDns,
  dnsWarnings,
  refreshResolvConf,
  resolvConfOf,
  rewriteResolvConf,
  serversOf,
} from '../../../src/daemon/container-dns.js';
import { EtcFiles } from '../../../src/daemon/etc-files.js';
import { openDefaultNetwork } from '../../../src/daemon/network.js';
import { type ContainerRecord, recordSchema } from '../../../src/daemon/record.js';
import { Registry } from '../../../src/daemon/registry.js';
import { StateStore } from '../../../src/daemon/state-store.js';
import { type DnsLists, NO_DNS_LISTS } from '../../../src/model/dns-choice.js';
import { parseResolvConf } from '../../../src/model/resolv-conf.js';
import { createRequest } from '../../fixtures/daemon-under-test.js';
import { fakeNative } from '../../fixtures/fake-stack.js';

let root: string;
let registry: Registry;
let state: StateStore;
const network = openDefaultNetwork('172.17.0.0/16');
const log = pino({ level: 'silent' });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'unet-dns-'));
  registry = new Registry();
  state = new StateStore(root, new EtcFiles(fakeNative(), log));
});
afterEach(() => rmSync(root, { recursive: true }));

const hostOf = (text: string) => parseResolvConf(text, '/etc/resolv.conf');
const FIRST = 'nameserver 9.9.9.9\nsearch first.example\n';

let made = 0;
/** Running, with files as a start writes them. */
async function running(
  dns: Partial<DnsLists> = {},
  daemon: Partial<DnsLists> = {},
  host = FIRST,
): Promise<ContainerRecord> {
  made += 1;
  const id = `a${String(made).padStart(63, '0')}`;
  const request = createRequest({ dns: lists(dns) });
  const record = v.parse(recordSchema, {
    version: 1,
    id,
    name: `c${made}`,
    createdAt: '',
    request,
    hostname: 'c',
    ticket: '',
    phase: 'running',
    network: { name: 'bridge', subnet: network.subnet, mtu: 1500 },
    lease: { address: '172.17.0.2', mac: '' },
    search: [],
    published: [],
    device: null,
    supervisor: null,
    pid: null,
    startedAt: null,
    finishedAt: null,
    exitCode: null,
  });
  adoptDns({ settings: { dns: lists(daemon), sources: [] }, hostResolvConf: () => hostOf(host) }, record);
  const etc = { hosts: '', hostname: '', 'resolv.conf': resolvConfOf({ network }, record, hostOf(host)) };
  await state.create(record, true);
  await state.prepare(record, etc, false);
  registry.add(new Container(record));
  return record;
}

function lists(some: Partial<DnsLists>) {
  const { servers, search, options } = { ...NO_DNS_LISTS, ...some };
  return { servers: servers && [...servers], search: search && [...search], options: options && [...options] };
}

const fileOf = ({ id }: ContainerRecord) => state.etcFile(id, 'resolv.conf');
const rewrite = (host: string) => rewriteResolvConf({ registry, network, state, log }, hostOf(host));

describe('rewriteResolvConf', () => {
  it("follows the host's search and options, in place, and tells the zone", async () => {
    const record = await running();
    const before = statSync(fileOf(record)).ino;
    rewrite('nameserver 9.9.9.9\nsearch second.example\noptions rotate\n');
    expect(readFileSync(fileOf(record), 'utf8')).toMatch(
      /^nameserver 172\.17\.0\.1\nsearch second\.example\noptions rotate ndots:0\n/,
    );
    expect(statSync(fileOf(record)).ino).toBe(before);
    expect(record.search).toEqual(['second.example']);
  });

  it('leaves the file alone when only servers change', async () => {
    const record = await running();
    const before = readFileSync(fileOf(record), 'utf8');
    rewrite('nameserver 8.8.8.8\nsearch first.example\n');
    expect(readFileSync(fileOf(record), 'utf8')).toBe(before);
  });

  it('S60: leaves alone what the run or the daemon chose, each list apart', async () => {
    const all = await running({ search: ['run.example'], options: ['rotate'] });
    const byDaemon = await running({ options: [] }, { search: ['daemon.example'] });
    const half = await running({ search: ['run.example'] });
    rewrite('nameserver 9.9.9.9\nsearch second.example\noptions timeout:9\n');
    expect(readFileSync(fileOf(all), 'utf8')).toMatch(/\nsearch run\.example\noptions rotate ndots:0\n/);
    expect(readFileSync(fileOf(byDaemon), 'utf8')).toMatch(/\nsearch daemon\.example\noptions ndots:0\n/);
    expect(readFileSync(fileOf(half), 'utf8')).toMatch(/\nsearch run\.example\noptions timeout:9 ndots:0\n/);
    expect(half.search).toEqual(['run.example']);
  });

  it('makes up for a change between the writing of the files and the start', async () => {
    const record = await running();
    record.phase = 'created';
    rewrite('search second.example\n');
    expect(readFileSync(fileOf(record), 'utf8')).toContain('first.example');
    record.phase = 'starting';
    const container = registry.resolve(record.id);
    refreshResolvConf({ network, state, log }, container, hostOf('search second.example\n'));
    expect(readFileSync(fileOf(record), 'utf8')).toContain('\nsearch second.example\n');
  });

  it('passes over one that does not run', async () => {
    const record = await running();
    record.phase = 'exited';
    const before = readFileSync(fileOf(record), 'utf8');
    rewrite('search second.example\n');
    expect(readFileSync(fileOf(record), 'utf8')).toBe(before);
  });
});

describe('serversOf', () => {
  it("S58, S60: is the run's, else the daemon's, else left to the host", async () => {
    expect(serversOf(await running())).toBeNull();
    expect(serversOf(await running({}, { servers: ['10.0.0.1'] }))).toEqual({
      origin: 'daemon',
      servers: ['10.0.0.1'],
    });
    const both = await running({ servers: ['10.0.0.2'] }, { servers: ['10.0.0.1'] });
    expect(serversOf(both)).toEqual({ origin: 'run', servers: ['10.0.0.2'] });
  });
});

describe('dnsWarnings', () => {
  it("vector 132: tells of a resolver of the container's own, the daemon's default too", async () => {
    const message =
      'DNS server 127.0.0.53 is asked inside the container: it does not know the names of other containers, which come from /etc/hosts only';
    expect(dnsWarnings(await running({ servers: ['10.0.0.1', '127.0.0.53'] }))).toEqual([message]);
    expect(dnsWarnings(await running({}, { servers: ['127.0.0.53'] }))).toEqual([message]);
    expect(dnsWarnings(await running({ servers: ['10.0.0.1'] }, { servers: ['127.0.0.53'] }))).toEqual([]);
  });
});
