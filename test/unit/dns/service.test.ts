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
    lookup: (_asker, name) =>
      name === 'db' ? { rule: 'name', owners: [{ name: 'db' }], addresses: ['172.17.0.3'] } : null,
    owns: () => false,
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

const addressesOf = (dns: DnsService, endpoint?: string) => dns.upstreams(endpoint).map(({ server }) => server.address);

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
    expect(addressesOf(dns)).toEqual(['127.0.0.99']);
    writeFileSync(`${resolvConf()}.new`, 'nameserver 127.0.0.81\nsearch new.example\n');
    renameSync(`${resolvConf()}.new`, resolvConf());
    await vi.waitFor(() => expect(addressesOf(dns)).toEqual(['127.0.0.81']));
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

  it('vector 124: a reply of more than 512 bytes by UDP, to an asker without EDNS, keeps its answers', async () => {
    const dns = start('nameserver 127.0.0.81\n');
    const reply = await ask(dns, question('outside.example'), 'tcp');
    expect(reply).toMatchObject({ rcode: 0, tc: false });
    expect(reply?.bytes).toBeGreaterThan(512);
    const cut = await ask(dns, question('outside.example'));
    expect(cut?.answers.length).toBeGreaterThan(10);
  });

  it("asks the servers of a run instead of the host's, none of its loopback, never itself", async () => {
    const choices: Record<string, string[]> = {
      given: ['192.0.2.1', '127.0.0.1', '::1', '172.17.0.1', '172.17.0.9', '192.0.2.1'],
      own: ['127.0.0.1'],
    };
    const dns = start('nameserver 172.17.0.1\nnameserver 127.0.0.53\n', {
      serversOf: (asker) => (choices[asker] ? { servers: choices[asker], origin: 'run' } : null),
      isGateway: (address) => address === '172.17.0.1',
      isInside: (_asker, address) => address.startsWith('172.17.'),
    });
    expect(dns.upstreams('given')).toMatchObject([
      { server: { address: '192.0.2.1', origin: 'run', inside: false } },
      { server: { address: '172.17.0.9', origin: 'run', inside: true } },
    ]);
    expect(addressesOf(dns, 'own')).toEqual([]);
    expect(dns.upstreams('other')).toMatchObject([{ server: { address: '127.0.0.53', origin: 'host' } }]);
    const reply = await dns.answer({ endpoint: 'own', transport: 'udp', data: question('outside.example') });
    expect(reply && read(reply)).toMatchObject({ rcode: 2 });
  });

  it('has answers of up to 1232 bytes from a server in the network, and never says by TCP that one was cut', async () => {
    const sizes: number[] = [];
    const inside = (count: number) => async (_address: string, message: Uint8Array) => {
      const asked = Buffer.from(message);
      const room = asked.readUInt16BE(10) === 0 ? 512 : asked.readUInt16BE(asked.length - 8);
      sizes.push(room);
      const whole = replyTo(asked, '192.0.2.1', { count });
      return whole.length <= room ? whole : replyTo(asked, '192.0.2.1', { count: 1, flags: 0x0380 });
    };
    const open = (count: number) =>
      start('', {
        serversOf: () => ({ servers: ['172.17.0.9'], origin: 'run' }),
        isInside: () => true,
        askInside: inside(count),
      });
    const large = open(30);
    expect(await ask(large, question('outside.example'), 'tcp')).toMatchObject({ tc: false, rcode: 0, opts: 0 });
    expect(sizes).toEqual([512, 1232]);
    expect((await ask(large, question('outside.example'), 'tcp'))?.answers).toHaveLength(30);
    const unshared = question('outside.example');
    unshared.writeUInt16BE(0, 2);
    expect(await ask(large, unshared, 'tcp')).toMatchObject({ tc: false, opts: 0 });
    large.close();
    const huge = open(200);
    expect(await ask(huge, question('outside.example'))).toMatchObject({ tc: true, rcode: 0 });
    expect(await ask(huge, question('outside.example'), 'tcp')).toMatchObject({ tc: false, rcode: 2, answers: [] });
  });

  it('forgets what it kept when the host has other servers', async () => {
    const dns = start('nameserver 127.0.0.81\n');
    await ask(dns, question('outside.example'));
    expect(dns.totals().cacheEntries).toBe(1);
    writeFileSync(resolvConf(), 'nameserver 127.0.0.81\nsearch x.example\n');
    await vi.waitFor(() => expect(dns.host().search).toEqual(['x.example']));
    expect(dns.totals().cacheEntries).toBe(1);
    writeFileSync(resolvConf(), 'nameserver 127.0.0.81\nnameserver 127.0.0.99\n');
    await vi.waitFor(() => expect(dns.totals().cacheEntries).toBe(0));
  });

  it('counts what was asked, and how it was answered', async () => {
    const dns = start('nameserver 127.0.0.81\n');
    for (const name of ['db', 'outside.example', 'outside.example']) await ask(dns, question(name));
    await dns.answer({ endpoint: 'asker', transport: 'udp', data: new Uint8Array(3) });
    expect(dns.figures('asker')).toEqual({
      questions: 4,
      local: 1,
      cached: 1,
      merged: 0,
      forwarded: 1,
      failed: 0,
      refused: 0,
      dropped: 1,
    });
    expect(dns.totals()).toMatchObject({ questions: 4, inFlight: 0, cacheEntries: 1 });
  });

  it('explains how a question is answered', async () => {
    const dns = start('nameserver 127.0.0.81\n', { search: () => ['corp.example'] });
    expect(await dns.explain('asker', 'db.corp.example', 'a')).toEqual({
      name: 'db.corp.example',
      type: 'A',
      source: 'local',
      rule: 'name',
      owners: ['db'],
      down: false,
      suffix: 'corp.example',
      age: null,
      tries: [],
      rcode: 'NOERROR',
      answers: [{ name: 'db.corp.example.', type: 'A', ttl: 5, data: '172.17.0.3' }],
    });
    expect(await dns.explain('asker', 'outside.example', 'A')).toMatchObject({
      source: 'server',
      tries: [{ server: '127.0.0.81', origin: 'host', result: 'NOERROR' }],
      answers: expect.arrayContaining([{ name: 'outside.example.', type: 'A', ttl: 60, data: '192.0.2.1' }]),
    });
    expect(await dns.explain('asker', 'OUTSIDE.example.', 'A')).toMatchObject({ source: 'cache', age: 0 });
    await expect(dns.explain('asker', 'a..b', 'A')).rejects.toThrow("'a..b' is not a name that DNS can carry");
    await expect(dns.explain('asker', 'a', 'AXFR')).rejects.toThrow('AXFR is no record type to ask for');
  });
});
