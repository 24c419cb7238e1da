import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDnsService, type DnsOptions, type DnsService } from '../../../src/dns/index.js';
import { type FakeUpstream, fakeUpstream, replyTo } from './fake-upstream.js';
import { question, read } from './questions.js';

let directory: string;
let upstream: FakeUpstream;
let service: DnsService | null = null;
const log = { info: vi.fn(), warn: vi.fn() };

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'unet-dns-'));
  upstream = await fakeUpstream('127.0.0.81', 0, (bytes) => replyTo(bytes, '192.0.2.1', { count: 60 }));
  log.warn.mockReset();
});

afterEach(async () => {
  service?.close();
  await upstream.close();
  rmSync(directory, { recursive: true, force: true });
});

const resolvConf = () => join(directory, 'resolv.conf');
function start(text: string | null, overrides: Partial<DnsOptions> = {}): DnsService {
  if (text !== null) writeFileSync(resolvConf(), text);
  service = createDnsService({
    lookup: (_asker, name) => (name === 'db' ? ['172.17.0.3'] : null),
    reverse: () => undefined,
    search: () => [],
    log,
    resolvConfPath: resolvConf(),
    upstreamPort: upstream.port,
    ...overrides,
  });
  return service;
}
const ask = async (dns: DnsService, data: Uint8Array, transport: 'udp' | 'tcp' = 'udp') => {
  const reply = await dns.answer({ endpoint: 'asker', transport, data });
  return reply === null ? null : { bytes: reply.length, ...read(reply) };
};

describe('createDnsService', () => {
  it('answers its own names and forwards the others', async () => {
    const dns = start('nameserver 127.0.0.81\n');
    expect(await ask(dns, question('db'))).toMatchObject({ answers: [{ data: '172.17.0.3' }] });
    expect(upstream.asked).toEqual([]);
    expect((await ask(dns, question('outside.example'), 'tcp'))?.answers).toHaveLength(60);
  });

  it('cuts for UDP clients at what they take, and not for TCP ones', async () => {
    const dns = start('nameserver 127.0.0.81\n');
    const plain = await ask(dns, question('outside.example'));
    expect(plain).toMatchObject({ tc: true });
    expect(plain?.bytes).toBeLessThanOrEqual(512);
    const edns = await ask(dns, question('outside.example', { udpSize: 4096 }));
    expect(edns?.bytes).toBeGreaterThan(512);
    expect(edns?.bytes).toBeLessThanOrEqual(1232);
    expect(await ask(dns, question('outside.example'), 'tcp')).toMatchObject({ tc: false });
  });

  it('says SERVFAIL when the host names nobody', async () => {
    expect(await ask(start(null), question('outside.example'))).toMatchObject({ rcode: 2, answers: [] });
  });

  it("follows the host's file, renames included", async () => {
    const onHostChange = vi.fn();
    const dns = start('nameserver 127.0.0.99\nsearch old.example\n', { onHostChange });
    expect(dns.upstreams()).toEqual([{ address: '127.0.0.99', failed: false }]);
    writeFileSync(`${resolvConf()}.new`, 'nameserver 127.0.0.81\nsearch new.example\n');
    renameSync(`${resolvConf()}.new`, resolvConf());
    await vi.waitFor(() => expect(dns.upstreams()).toEqual([{ address: '127.0.0.81', failed: false }]));
    expect(dns.host().search).toEqual(['new.example']);
    expect(onHostChange).toHaveBeenCalledTimes(1);
    expect(await ask(dns, question('outside.example'), 'tcp')).toMatchObject({ rcode: 0 });
  });

  it('drops garbage, refuses what it cannot read, and survives a zone that throws', async () => {
    const dns = start('nameserver 127.0.0.81\n', {
      lookup: () => {
        throw new Error('zone is broken');
      },
    });
    expect(await dns.answer({ endpoint: 'x', transport: 'udp', data: new Uint8Array(5) })).toBeNull();
    expect(await ask(dns, Buffer.from('123401000001000000000000', 'hex'))).toMatchObject({ rcode: 1 });
    expect(await ask(dns, question('db'))).toMatchObject({ rcode: 2 });
    expect(log.warn).toHaveBeenCalledTimes(1);
  });
});
