import { encode } from 'dns-packet';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Transport } from '../../../src/dns/ask-server.js';
import { Askers, FORWARD_BURST, MAX_IN_FLIGHT, MAX_IN_FLIGHT_PER_ASKER, TokenBucket } from '../../../src/dns/askers.js';
import type { Asked } from '../../../src/dns/asking.js';
import { FAILURE_SECONDS, MAX_NEGATIVE_SECONDS, MAX_OWNED_ENTRIES, ReplyCache } from '../../../src/dns/cache.js';
import { type Forwarded, Forwarder } from '../../../src/dns/forwarder.js';
import type { Query } from '../../../src/dns/query.js';
import { examine } from '../../../src/dns/reply-facts.js';
import { serverList } from '../../../src/dns/servers.js';
import type { Upstream, Way } from '../../../src/dns/upstream.js';
import { RCODE } from '../../../src/dns/wire.js';
import { errorTo } from './fake-upstream.js';
import { admitted, question, read } from './questions.js';

/** Upstream without sockets: it answers when the test says so. */
class FakeServers {
  readonly asked: { message: Uint8Array; transport: Transport }[] = [];
  reply: (asked: Buffer) => Uint8Array | null = () => null;
  /** Has no place left at any server. */
  crowded: string | null = null;
  #held: (() => void)[] | null = null;

  hold(): void {
    this.#held = [];
  }

  async release(): Promise<void> {
    for (const go of this.#held ?? []) go();
    this.#held = null;
  }

  async ask({ message }: { message: Uint8Array }, _servers: unknown, { transport, asker }: Way): Promise<Asked> {
    this.asked.push({ message, transport });
    const held = this.#held;
    if (held) await new Promise<void>((go) => held.push(go));
    if (asker === this.crowded) return { reply: null, tries: [], passing: true };
    const bytes = this.reply(Buffer.from(message));
    const facts = bytes && examine(bytes);
    return { reply: bytes && facts ? { message: bytes, facts } : null, tries: [], passing: false };
  }
}

let now = 0;
let servers: FakeServers;
let askers: Askers;
let forwarder: Forwarder;
const noReach = { isGateway: () => false, isInside: () => false };
const listOf = (...addresses: string[]) => serverList(null, addresses, 'x', noReach);
const LIST = listOf('192.0.2.53');

beforeEach(() => {
  now = 1_000_000;
  servers = new FakeServers();
  askers = new Askers();
  forwarder = new Forwarder(servers as unknown as Upstream, askers, new ReplyCache(() => now));
});

interface From {
  readonly id?: string;
  readonly list?: typeof LIST;
  readonly transport?: Transport;
}

function forward(query: Query, { id = 'web', list = LIST, transport = 'udp' }: From = {}) {
  return Promise.resolve(forwarder.forward(query, { asker: askers.get(id, 0), id, list, transport, now: 0 }));
}
const shown = ({ message, ...rest }: Forwarded) => ({ ...read(message), source: rest.source, age: rest.age });
const ask = async (bytes: Uint8Array, from: From = {}) => shown(await forward(admitted(bytes), from));

const OPT = { type: 'OPT', name: '.', udpPayloadSize: 4096, extendedRcode: 0, ednsVersion: 0, flags: 0 } as const;
const soa = (ttl: number, minimum: number) => {
  const data = { mname: 'ns.example', rname: 'root.example', serial: 1, refresh: 1, retry: 1, expire: 1, minimum };
  return { type: 'SOA' as const, name: 'example', ttl, data };
};

/** Answers with these TTLs, an OPT record behind them as servers like to send. */
function replies(ttls: readonly number[], { rcode = 0, soas = [] as ReturnType<typeof soa>[], edns = true } = {}) {
  return (asked: Buffer): Uint8Array => {
    const name = read(asked).name ?? '';
    return encode({
      type: 'response',
      id: asked.readUInt16BE(),
      flags: 0x0580 | rcode,
      questions: [{ type: 'A', name }],
      answers: ttls.map((ttl, index) => ({ type: 'A' as const, name, ttl, data: `192.0.2.${index}` })),
      authorities: soas,
      additionals: edns ? [{ ...OPT, flag_do: false, options: [] }] : [],
    });
  };
}

describe('the cache', () => {
  it('serves an answer until its shortest time to live has passed, counting it down', async () => {
    servers.reply = replies([60, 30]);
    expect(await ask(question('a.example'))).toMatchObject({ source: 'server', aa: true });
    now += 12_999;
    const hit = await ask(question('a.example', { id: 77 }));
    expect(hit).toMatchObject({ source: 'cache', age: 12, id: 77, rcode: 0, aa: false });
    expect(hit.answers.map(({ ttl }) => ttl)).toEqual([48, 18]);
    now += 17_001;
    expect(await ask(question('a.example'))).toMatchObject({ source: 'server' });
    expect(servers.asked).toHaveLength(2);
  });

  it('puts the letter case of each question back', async () => {
    servers.reply = replies([60]);
    await ask(question('A.Example'));
    expect(await ask(question('a.eXAMPLE'))).toMatchObject({ source: 'cache', name: 'a.eXAMPLE' });
  });

  it('gives an OPT record to askers that sent one, and to no other', async () => {
    servers.reply = replies([60]);
    for (const udpSize of [1232, undefined]) {
      const bytes = question('a.example', udpSize === undefined ? {} : { udpSize });
      const opts = udpSize === undefined ? 0 : 1;
      expect(await ask(bytes)).toMatchObject({ source: 'server', opts });
      expect(await ask(bytes)).toMatchObject({ source: 'cache', opts });
    }
  });

  it('tells types apart that differ by the bit of letter case: HTTPS is 65, and 97 is another', async () => {
    const https = question('a.example');
    https.writeUInt16BE(65, https.length - 4);
    const other = Buffer.from(https);
    other.writeUInt16BE(97, other.length - 4);
    servers.reply = (asked) => replyWithSoa(asked);
    await ask(https);
    expect(await ask(other)).toMatchObject({ source: 'server' });
    expect(await ask(https)).toMatchObject({ source: 'cache' });
  });

  it.each([
    ['the CD bit', (bytes: Buffer) => bytes.writeUInt16BE(0x0110, 2)],
    ['the AD bit', (bytes: Buffer) => bytes.writeUInt16BE(0x0120, 2)],
    ['the DO bit', (bytes: Buffer) => bytes.writeUInt16BE(0x8000, bytes.length - 4)],
  ])('tells questions apart by %s', async (_bit, set) => {
    servers.reply = replies([60]);
    const bytes = question('a.example', { udpSize: 1232 });
    const other = Buffer.from(bytes);
    set(other);
    await ask(bytes);
    expect(await ask(other)).toMatchObject({ source: 'server' });
    expect(await ask(other)).toMatchObject({ source: 'cache' });
  });

  it('is not shared between containers that ask other servers', async () => {
    servers.reply = replies([60]);
    await ask(question('a.example'));
    expect(await ask(question('a.example'), { id: 'db' })).toMatchObject({ source: 'cache' });
    expect(await ask(question('a.example'), { list: listOf('192.0.2.99') })).toMatchObject({ source: 'server' });
  });

  it('keeps "no such name" for the SOA minimum, and not without a SOA', async () => {
    servers.reply = replies([], { rcode: 3, soas: [soa(600, 20)] });
    await ask(question('gone.example'));
    now += 19_000;
    expect(await ask(question('gone.example'))).toMatchObject({ source: 'cache', rcode: 3 });
    now += 1000;
    servers.reply = replies([], { rcode: 3 });
    expect(await ask(question('gone.example'))).toMatchObject({ source: 'server' });
    expect(await ask(question('gone.example'))).toMatchObject({ source: 'server' });
  });

  it('keeps "no such record" likewise, and neither for longer than its cap', async () => {
    servers.reply = replies([], { soas: [soa(86_400, 86_400)] });
    await ask(question('empty.example'));
    now += MAX_NEGATIVE_SECONDS * 1000 - 1;
    expect(await ask(question('empty.example'))).toMatchObject({ source: 'cache', rcode: 0, answers: [] });
    now += 1;
    expect(await ask(question('empty.example'))).toMatchObject({ source: 'server' });
  });

  it('keeps nothing with a time to live of zero, or one that is no number of seconds', async () => {
    for (const ttl of [0, 0x8000_0000]) {
      servers.reply = replies([60, ttl]);
      await ask(question('zero.example'));
      expect(await ask(question('zero.example'))).toMatchObject({ source: 'server' });
    }
  });

  it('remembers a failure for a moment', async () => {
    servers.reply = (asked) => errorTo(asked, 2);
    expect(await ask(question('bad.example'))).toMatchObject({ rcode: 2, source: 'server' });
    expect(await ask(question('bad.example'))).toMatchObject({ rcode: 2, source: 'cache' });
    servers.reply = () => null;
    expect(await ask(question('lost.example'))).toMatchObject({ rcode: 2, source: 'nobody' });
    expect(await ask(question('lost.example', { udpSize: 512 }))).toMatchObject({ rcode: 2, source: 'nobody' });
    expect(await ask(question('lost.example', { udpSize: 512 }))).toMatchObject({ rcode: 2, opts: 1, source: 'cache' });
    now += FAILURE_SECONDS * 1000;
    servers.reply = replies([60]);
    expect(await ask(question('bad.example'))).toMatchObject({ rcode: 0 });
    expect(servers.asked).toHaveLength(4);
  });

  it('does not serve what was kept before the clock was set back', async () => {
    servers.reply = replies([60]);
    await ask(question('a.example'));
    now -= 1;
    expect(await ask(question('a.example'))).toMatchObject({ source: 'server' });
  });

  it('lets a container that asks for many names push out its own, and nobody else’s', async () => {
    servers.reply = replies([3600], { edns: false });
    await ask(question('quiet.example'), { id: 'quiet' });
    const cache = forwarder.cache;
    const message = Buffer.from(replies([3600], { edns: false })(question('x.example')));
    const facts = examine(message);
    if (facts === null) throw new Error('the test reply does not add up');
    for (let i = 0; i < 3 * MAX_OWNED_ENTRIES; i++) cache.put(`flood ${i}`, 'greedy', message, facts);
    expect(cache.entries).toBe(MAX_OWNED_ENTRIES + 1);
    expect(cache.get('flood 0')).toBeNull();
    expect(cache.get(`flood ${3 * MAX_OWNED_ENTRIES - 1}`)).not.toBeNull();
    expect(await ask(question('quiet.example'), { id: 'quiet' })).toMatchObject({ source: 'cache' });
  });
});

function replyWithSoa(asked: Buffer): Uint8Array {
  const record = '0000060001000000 3c0016 0000 00000001000000010000000100000001 0000003c'.replaceAll(' ', '');
  const reply = Buffer.concat([asked, Buffer.from(record, 'hex')]);
  reply.writeUInt16BE(0x8183, 2);
  reply.writeUInt16BE(1, 8);
  return reply;
}

describe('questions on their way', () => {
  it('are asked once for everybody who asks the same, each under his own id and in his own letters', async () => {
    servers.reply = replies([60]);
    servers.hold();
    const waiting = ['a.example', 'A.EXAMPLE', 'a.Example'].map((name, id) =>
      ask(question(name, { id }), { id: `c${id}` }),
    );
    await servers.release();
    const got = await Promise.all(waiting);
    expect(servers.asked).toHaveLength(1);
    expect(got.map(({ id, name, source }) => [id, name, source])).toEqual([
      [0, 'a.example', 'server'],
      [1, 'A.EXAMPLE', 'merged'],
      [2, 'a.Example', 'merged'],
    ]);
    expect(askers.inFlight).toBe(0);
  });

  it('are put again for one who merged with an asker that has no place left', async () => {
    servers.reply = replies([60]);
    servers.crowded = 'greedy';
    servers.hold();
    const waiting = ['greedy', 'web'].map((id) => ask(question('a.example'), { id }));
    await servers.release();
    expect((await Promise.all(waiting)).map(({ rcode }) => rcode)).toEqual([RCODE.SERVFAIL, RCODE.NOERROR]);
    expect(servers.asked).toHaveLength(2);
  });

  it('are not mixed with those of other servers, by TCP, or with options of their own', async () => {
    servers.reply = replies([60]);
    servers.hold();
    const ecs = Buffer.concat([
      question('a.example', { udpSize: 1232 }),
      Buffer.from('00080007000118 00c00002'.replace(' ', ''), 'hex'),
    ]);
    ecs.writeUInt16BE(11, ecs.length - 13);
    const waiting = [
      ask(question('a.example')),
      ask(question('a.example'), { list: listOf('192.0.2.99') }),
      ask(question('a.example'), { transport: 'tcp' }),
      ask(ecs),
      ask(ecs),
    ];
    await servers.release();
    const got = await Promise.all(waiting);
    expect(servers.asked).toHaveLength(4);
    expect(got.map(({ source }) => source)).toEqual(['server', 'server', 'server', 'server', 'merged']);
    // As it came, options and all.
    expect(
      Buffer.from(servers.asked[3]?.message ?? [])
        .subarray(2)
        .equals(ecs.subarray(2)),
    ).toBe(true);
    expect(await ask(ecs)).toMatchObject({ source: 'server' });
  });

  it.each([
    ['for no recursion', (bytes: Buffer) => bytes.writeUInt16BE(0, 2)],
    ['of another class', (bytes: Buffer) => bytes.writeUInt16BE(3, bytes.length - 2)],
  ])('end with themselves when they come round, %s too, each under his own id', async (_which, set) => {
    const looping = (id: number) => {
      const bytes = question('loop.example', { id });
      set(bytes);
      return bytes;
    };
    servers.reply = (asked) => errorTo(asked, 3);
    servers.hold();
    const waiting = [1, 2, 3].map((id) => ask(looping(id), { id: `asker ${id}` }));
    const other = ask(question('LOOP.example', { id: 4 }));
    await servers.release();
    expect((await Promise.all(waiting)).map(({ id, source }) => [id, source])).toEqual([
      [1, 'server'],
      [2, 'merged'],
      [3, 'merged'],
    ]);
    expect(await other).toMatchObject({ source: 'server', rcode: 3 });
    expect(servers.asked).toHaveLength(2);
  });

  it('go without cookies and padding, which are about one hop', async () => {
    servers.reply = replies([60]);
    const cookie = Buffer.concat([
      question('a.example', { udpSize: 4096 }),
      Buffer.from('000a00080102030405060708', 'hex'),
    ]);
    cookie.writeUInt16BE(12, cookie.length - 14);
    expect(await ask(cookie)).toMatchObject({ source: 'server', opts: 1 });
    expect(Buffer.from(servers.asked[0]?.message ?? []).toString('hex')).toMatch(/00002904d0000000000000$/);
  });

  it('of one asker are bounded, merged ones too, and others are still served', async () => {
    servers.reply = replies([60]);
    servers.hold();
    const waiting = Array.from({ length: MAX_IN_FLIGHT_PER_ASKER }, () =>
      ask(question('slow.example'), { id: 'greedy' }),
    );
    expect(await ask(question('more.example'), { id: 'greedy' })).toMatchObject({ rcode: 5, source: 'refused' });
    const other = ask(question('other.example'), { id: 'modest' });
    await servers.release();
    expect(await other).toMatchObject({ source: 'server' });
    expect((await Promise.all(waiting)).every(({ rcode }) => rcode === 0)).toBe(true);
    expect(servers.asked).toHaveLength(2);
    expect(askers.figures('greedy')).toMatchObject({ refused: 1, forwarded: 1, merged: MAX_IN_FLIGHT_PER_ASKER - 1 });
    expect(MAX_IN_FLIGHT).toBeGreaterThan(MAX_IN_FLIGHT_PER_ASKER);
  });

  it('are REFUSED beyond the rate of one asker, until time has passed', async () => {
    const bucket = new TokenBucket(1000, 10, 0);
    const taken = () => Array.from({ length: 20 }, () => bucket.take(0)).filter(Boolean).length;
    expect(taken()).toBe(10);
    expect([bucket.take(0.5), bucket.take(1), bucket.take(1)]).toEqual([false, true, false]);
    const asker = askers.get('fast', 0);
    for (let i = 0; i < FORWARD_BURST; i++) asker.forwards.take(0);
    expect(await ask(question('a.example'), { id: 'fast' })).toMatchObject({ rcode: 5, source: 'refused' });
    expect(servers.asked).toEqual([]);
  });
});

describe('replies', () => {
  it('vector 121: an upstream NXDOMAIN with a SOA is passed on with it', async () => {
    servers.reply = replies([], { rcode: 3, soas: [soa(60, 60)] });
    const { message } = await forward(admitted(question('gone.example')));
    expect(read(message)).toMatchObject({ rcode: 3, answers: [] });
    expect(examine(message)).toMatchObject({ rcode: 3, answers: 0, authorities: 1 });
  });

  it('vector 122: without a server, SERVFAIL', async () => {
    expect(await ask(question('a.example'), { list: listOf() })).toMatchObject({ rcode: 2, source: 'nobody' });
  });
});
