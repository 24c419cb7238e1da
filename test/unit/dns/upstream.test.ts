import { afterEach, describe, expect, it } from 'vitest';
import { INSIDE_BOUNDS } from '../../../src/dns/ask-inside.js';
import type { Transport } from '../../../src/dns/ask-server.js';
import { MAX_CONNECTIONS } from '../../../src/dns/ask-tcp.js';
import { MAX_TRIES, TOTAL_MS, TRY_MS } from '../../../src/dns/asking.js';
import type { Query } from '../../../src/dns/query.js';
import { PROBE_MS, ServerHealth } from '../../../src/dns/server-health.js';
import type { Server } from '../../../src/dns/servers.js';
import { neutralQuery, privateQuery } from '../../../src/dns/share.js';
import { MAX_SOCKETS, UdpDoors } from '../../../src/dns/udp-doors.js';
import { Upstream } from '../../../src/dns/upstream.js';
import { type Behaviour, errorTo, type FakeUpstream, fakeUpstream, replyTo } from './fake-upstream.js';
import { admitted, question, read } from './questions.js';

const SERVFAIL = 2;
const REFUSED = 5;
const warnings: object[] = [];
const log = { info: () => {}, warn: (fields: object) => void warnings.push(fields) };
const toClose: { close(): unknown }[] = [];

afterEach(async () => {
  for (const item of toClose.splice(0)) await item.close();
  warnings.length = 0;
});

const BY_UDP = { transport: 'udp', asker: 'web' } as const;
const serverAt = (address: string): Server => ({ key: address, address, origin: 'host', inside: false });

interface Scene {
  readonly upstream: Upstream;
  /** Those that listen. */
  readonly fakes: FakeUpstream[];
  /** All, in the order in which they are asked. */
  readonly servers: Server[];
  readonly port: number;
}

/** Servers on 127.0.0.71, .72, … with one port in common; null: nobody listens there. */
async function scene(...behaviours: (Behaviour | null)[]): Promise<Scene> {
  const fakes: FakeUpstream[] = [];
  let port = 0;
  for (const [index, behave] of behaviours.entries()) {
    if (behave === null) continue;
    const fake = await fakeUpstream(`127.0.0.${71 + index}`, port, behave);
    port = fake.port;
    fakes.push(fake);
    toClose.push(fake);
  }
  const upstream = new Upstream(log, port);
  toClose.push(upstream);
  return { upstream, fakes, servers: behaviours.map((_, index) => serverAt(`127.0.0.${71 + index}`)), port };
}

const sentOf = (query: Query) => ({ message: neutralQuery(query), questionEnd: query.questionEnd });
const sent = (name = 'Outside.example') => sentOf(admitted(question(name, { id: 0x4242 })));

async function ask({ upstream, servers }: Scene, transport: Transport = 'udp') {
  const { reply } = await upstream.ask(sent(), servers, { transport, asker: 'web' });
  return reply === null ? null : read(reply.message);
}
const answers =
  (address: string): Behaviour =>
  (bytes) =>
    replyTo(bytes, address);
const silent: Behaviour = () => null;

describe('Upstream', () => {
  it('asks under ids and from ports that change', async () => {
    const world = await scene(answers('192.0.2.1'));
    for (let i = 0; i < 12; i++) await ask(world);
    const asked = world.fakes[0]?.asked ?? [];
    expect(new Set(asked.map(({ bytes }) => bytes.readUInt16BE())).size).toBeGreaterThan(8);
    expect(new Set(asked.map(({ fromPort }) => fromPort)).size).toBeGreaterThan(8);
  });

  it('passes over replies with a wrong id, without QR, or to another question, and waits for the right one', async () => {
    const world = await scene((bytes) => {
      const forged = replyTo(bytes, '6.6.6.6');
      const wrongId = Buffer.from(forged);
      wrongId.writeUInt16BE(bytes.readUInt16BE() ^ 1);
      const noQr = Buffer.from(forged);
      noQr.writeUInt8((forged[2] ?? 0) & 0x7f, 2);
      const otherName = Buffer.from(forged);
      otherName.write('intside', 13);
      const otherType = Buffer.from(forged);
      otherType.writeUInt16BE(28, bytes.length - 4);
      return [Buffer.alloc(3), wrongId, noQr, otherName, otherType, replyTo(bytes, '192.0.2.1')];
    });
    expect(await ask(world)).toMatchObject({ answers: [{ data: '192.0.2.1' }] });
  });

  it.each([
    ['SERVFAIL', SERVFAIL],
    ['REFUSED', REFUSED],
  ])('vector 120: %s from the first of two: exactly two questions, the second reply is used', async (_name, rcode) => {
    const world = await scene((bytes) => errorTo(bytes, rcode), answers('192.0.2.2'));
    expect(await ask(world)).toMatchObject({ rcode: 0, answers: [{ data: '192.0.2.2' }] });
    expect(world.fakes.map(({ asked }) => asked.length)).toEqual([1, 1]);
    // One bad name is not held against the server.
    expect(world.upstream.health(serverAt('127.0.0.71')).failed).toBe(false);
  });

  it('passes NXDOMAIN and an empty answer on at once', async () => {
    const world = await scene((bytes) => errorTo(bytes, 3), answers('192.0.2.2'));
    expect(await ask(world)).toMatchObject({ rcode: 3, answers: [] });
    expect(world.fakes[1]?.asked).toEqual([]);
  });

  it("passes the last server's refusal on when all refuse", async () => {
    const world = await scene(
      (bytes) => errorTo(bytes, SERVFAIL),
      (bytes) => errorTo(bytes, REFUSED),
    );
    expect(await ask(world)).toMatchObject({ rcode: REFUSED });
  });

  it('goes to the next server when the records of a reply do not add up', async () => {
    const world = await scene((bytes) => replyTo(bytes, '192.0.2.1').subarray(0, -3), answers('192.0.2.2'));
    expect(await ask(world)).toMatchObject({ answers: [{ data: '192.0.2.2' }] });
  });

  it('goes on at once when a port is closed, remembers it, and asks that server last', async () => {
    const world = await scene(null, answers('192.0.2.2'));
    const began = performance.now();
    expect(await ask(world)).toMatchObject({ answers: [{ data: '192.0.2.2' }] });
    expect(performance.now() - began).toBeLessThan(1000);
    const [first, second] = world.servers.map((server) => world.upstream.health(server));
    expect(first).toMatchObject({ failed: true, asked: 1, answered: 0, reason: 'ECONNREFUSED', lastMs: null });
    expect(second).toMatchObject({ failed: false, asked: 1, answered: 1, reason: null });
    expect(await ask(world)).toMatchObject({ answers: [{ data: '192.0.2.2' }] });
    expect(world.upstream.health(serverAt('127.0.0.71')).asked).toBe(1);
    expect(warnings).toEqual([{ server: '127.0.0.71', origin: 'host', reason: 'ECONNREFUSED' }]);
  });

  it('leaves a silent server after two seconds, and at once the next time', async () => {
    const world = await scene(silent, answers('192.0.2.2'));
    const began = performance.now();
    expect(await ask(world)).toMatchObject({ answers: [{ data: '192.0.2.2' }] });
    const first = performance.now() - began;
    expect(first).toBeGreaterThan(TRY_MS - 50);
    expect(first).toBeLessThan(TOTAL_MS);
    await ask(world);
    expect(performance.now() - began - first).toBeLessThan(TRY_MS);
    const asked = world.fakes[0]?.asked.map(({ bytes }) => read(bytes).name);
    expect(asked).toEqual(['Outside.example', '.']);
    expect(world.upstream.health(serverAt('127.0.0.71'))).toMatchObject({ failed: true, reason: 'no answer in time' });
  });

  it('does not hold one name that nobody answers against a server, and stays with it', async () => {
    const isOutside = (bytes: Buffer) => read(bytes).name === 'Outside.example';
    const world = await scene((bytes) => (isOutside(bytes) ? null : errorTo(bytes, REFUSED)), answers('192.0.2.2'));
    expect(await ask(world)).toMatchObject({ answers: [{ data: '192.0.2.2' }] });
    expect(world.upstream.health(serverAt('127.0.0.71'))).toMatchObject({ failed: false, asked: 1, answered: 0 });
    expect(warnings).toEqual([]);
  });

  it('goes on when a server cannot read a question, and does not hold it against that server', async () => {
    const bare = (bytes: Buffer) => {
      const header = Buffer.concat([bytes.subarray(0, 2), Buffer.alloc(10)]);
      header.writeUInt16BE(0x8181, 2);
      return header;
    };
    const world = await scene(bare, answers('192.0.2.2'));
    const { reply, tries } = await world.upstream.ask(sent(), world.servers, BY_UDP);
    expect(read(reply?.message ?? new Uint8Array())).toMatchObject({ answers: [{ data: '192.0.2.2' }] });
    expect(tries[0]).toMatchObject({ result: 'error 1 without a question' });
    expect(world.upstream.health(serverAt('127.0.0.71'))).toMatchObject({ failed: false, answered: 1 });
  });

  it('asks a single server again when a datagram was lost', async () => {
    let count = 0;
    const world = await scene((bytes) => (++count === 1 ? null : replyTo(bytes, '192.0.2.1')));
    expect(await ask(world)).toMatchObject({ answers: [{ data: '192.0.2.1' }] });
    expect(world.upstream.health(serverAt('127.0.0.71'))).toMatchObject({ failed: false, asked: 2 });
  });

  it('takes the answer of a server that always needs more than one try, though the next is silent', async () => {
    const slow: Behaviour = (bytes) =>
      new Promise((done) => setTimeout(() => done(replyTo(bytes, '192.0.2.1')), TRY_MS + 100));
    const one = await scene(slow);
    const two = await scene(slow, silent);
    const [only, first] = await Promise.all([ask(one), ask(two)]);
    expect(only).toMatchObject({ answers: [{ data: '192.0.2.1' }] });
    expect(first).toMatchObject({ answers: [{ data: '192.0.2.1' }] });
  }, 10_000);

  it('gives the only server one try when it has been silent to everything before', async () => {
    const world = await scene(silent);
    await ask(world);
    const began = performance.now();
    expect(await ask(world)).toBeNull();
    expect(performance.now() - began).toBeLessThan(TOTAL_MS - 500);
    expect(world.fakes[0]?.asked.filter(({ bytes }) => read(bytes).name !== '.')).toHaveLength(3);
  }, 10_000);

  it('asks the only server again a moment after it was not there, once', async () => {
    const world = await scene(null, silent);
    world.servers.pop();
    const began = performance.now();
    const { reply, tries } = await world.upstream.ask(sent(), world.servers, BY_UDP);
    expect(reply).toBeNull();
    expect(tries.map(({ result }) => result)).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
    expect(performance.now() - began).toBeGreaterThan(200);
    const waiting = ask(world);
    const fake = await fakeUpstream('127.0.0.71', world.port, answers('192.0.2.1'));
    toClose.push(fake);
    expect(await waiting).toMatchObject({ answers: [{ data: '192.0.2.1' }] });
  });

  it('asks three servers at most, and gives up before the client does', async () => {
    const world = await scene(silent, silent, silent, silent);
    const began = performance.now();
    const { reply, tries } = await world.upstream.ask(sent(), world.servers, BY_UDP);
    expect(reply).toBeNull();
    expect(performance.now() - began).toBeLessThan(5000);
    expect(TOTAL_MS).toBeLessThan(5000);
    expect(tries).toHaveLength(MAX_TRIES);
    expect(world.fakes[3]?.asked).toEqual([]);
  }, 10_000);

  it('fetches a cut reply whole, by TCP', async () => {
    const world = await scene((bytes, transport) =>
      transport === 'udp'
        ? replyTo(bytes, '192.0.2.1', { count: 0, flags: 0x0380 })
        : replyTo(bytes, '192.0.2.9', { count: 300 }),
    );
    const reply = await ask(world);
    expect(reply?.tc).toBe(false);
    expect(reply?.answers).toHaveLength(300);
    expect(world.fakes[0]?.asked.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  it('gives the bare question with TC where a reply was cut within a record and TCP fails', async () => {
    const world = await scene((bytes, transport) =>
      transport === 'udp'
        ? replyTo(bytes, '192.0.2.1', { count: 9, flags: 0x0380 }).subarray(0, -7)
        : silent(bytes, 'tcp'),
    );
    expect(await ask(world)).toMatchObject({ tc: true, answers: [], name: 'outside.example' });
  });

  it('keeps connections for others when one asker has many on their way, and never answers by TCP that it was cut', async () => {
    const cut = (bytes: Buffer) => replyTo(bytes, '192.0.2.1', { count: 0, flags: 0x0380 });
    const isHeld = (bytes: Buffer) => bytes.length > sent().message.length;
    const world = await scene((bytes, transport) => {
      if (transport === 'udp') return cut(bytes);
      return isHeld(bytes) ? null : replyTo(bytes, '192.0.2.9', { count: 300 });
    });
    const held = { message: Buffer.concat([sent().message, Buffer.alloc(11)]), questionEnd: sent().questionEnd };
    const greedy = { transport: 'tcp', asker: 'greedy' } as const;
    const stuck = Array.from({ length: MAX_CONNECTIONS }, () => world.upstream.ask(held, world.servers, greedy));
    expect((await ask(world))?.answers).toHaveLength(300);
    expect((await ask(world, 'tcp'))?.answers).toHaveLength(300);
    expect(await stuck.at(-1)).toMatchObject({ reply: null, passing: true });
    world.upstream.close();
    await Promise.all(stuck);
  });

  it('asks by TCP for a client that came by TCP', async () => {
    const world = await scene(answers('192.0.2.1'));
    expect(await ask(world, 'tcp')).toMatchObject({ answers: [{ data: '192.0.2.1' }] });
    expect(world.fakes[0]?.asked.map(({ transport }) => transport)).toEqual(['tcp']);
  });

  it('asks by UDP as well where a network swallows TCP, and does not hold that against the server', async () => {
    const world = await scene((bytes, transport) => (transport === 'tcp' ? null : replyTo(bytes, '192.0.2.1')));
    const began = performance.now();
    expect(await ask(world, 'tcp')).toMatchObject({ answers: [{ data: '192.0.2.1' }] });
    expect(performance.now() - began).toBeLessThan(TRY_MS);
    expect(world.upstream.health(serverAt('127.0.0.71'))).toMatchObject({ failed: false });
  });

  it('lowers an EDNS size that would bring fragments', async () => {
    const world = await scene(answers('192.0.2.1'));
    const query = admitted(question('outside.example', { udpSize: 8192 }));
    for (const message of [neutralQuery(query), privateQuery(query)]) {
      await world.upstream.ask({ message, questionEnd: query.questionEnd }, world.servers, BY_UDP);
    }
    for (const { bytes } of world.fakes[0]?.asked ?? []) expect(bytes.readUInt16BE(bytes.length - 8)).toBe(1232);
    expect(world.fakes[0]?.asked).toHaveLength(2);
  });

  it('takes flags out of a question that no question has', () => {
    const odd = question('outside.example');
    odd.writeUInt16BE(0x0772, 2);
    expect(privateQuery(admitted(odd))[2]).toBe(0x01);
    expect(privateQuery(admitted(odd))[3]).toBe(0x30);
    odd.writeUInt16BE(0, 2);
    expect(Buffer.from(privateQuery(admitted(odd))).equals(odd)).toBe(true);
  });

  it('asks a server of the container network through that, never from the host, and checks its reply', async () => {
    const world = await scene(answers('192.0.2.1'));
    const inside = { ...serverAt('127.0.0.71'), key: 'inside', inside: true };
    const replies = [
      (message: Uint8Array) => replyTo(Buffer.from(message), '192.0.2.2'),
      (message: Uint8Array) =>
        errorTo(Buffer.from(question('intside.example', { id: (message[0] ?? 0) * 256 + (message[1] ?? 0) })), 0),
      () => null,
    ];
    const asked: string[] = [];
    const upstream = new Upstream(log, world.port, async (address, message) => {
      asked.push(address);
      return replies.shift()?.(message) ?? null;
    });
    const through = async () => (await upstream.ask(sent(), [inside], BY_UDP)).reply;
    expect(read((await through())?.message ?? new Uint8Array())).toMatchObject({ answers: [{ data: '192.0.2.2' }] });
    expect(await through()).toBeNull();
    expect(await through()).toBeNull();
    // The only server is asked once more when it is not there.
    expect(asked).toEqual(Array(4).fill('127.0.0.71'));
    expect(world.fakes[0]?.asked).toEqual([]);
  });

  it('keeps places at a server in a guest for others when one asker has many on their way there', async () => {
    const isQuiet = (message: Uint8Array) => read(message).name === 'quiet.example';
    const upstream = new Upstream(log, 53, (_address, message) =>
      isQuiet(message) ? new Promise(() => {}) : Promise.resolve(replyTo(Buffer.from(message), '192.0.2.2')),
    );
    toClose.push(upstream);
    const inside = { ...serverAt('172.17.0.9'), inside: true };
    const stuck = Array.from({ length: 2 * INSIDE_BOUNDS.perServer }, () =>
      upstream.ask(sent('quiet.example'), [inside], { transport: 'udp', asker: 'greedy' }),
    );
    expect((await upstream.ask(sent(), [inside], BY_UDP)).reply?.facts.answers).toBe(1);
    // No fault of the server's, and nothing to remember.
    expect(await stuck.at(-1)).toMatchObject({ reply: null, passing: true });
    expect(upstream.health(inside)).toMatchObject({ failed: false, reason: null });
  });

  it('lets questions wait for a place at their server rather than fail them, or ask the next', async () => {
    const slowly = (message: Uint8Array) =>
      new Promise<Uint8Array>((done) => setTimeout(() => done(replyTo(Buffer.from(message), '192.0.2.2')), 100));
    const asked = new Set<string>();
    const upstream = new Upstream(log, 53, (address, message) => {
      asked.add(address);
      return slowly(message);
    });
    toClose.push(upstream);
    const servers = ['172.17.0.9', '172.17.0.10'].map((address) => ({ ...serverAt(address), inside: true }));
    const all = Array.from({ length: 200 }, () => upstream.ask(sent(), servers, BY_UDP));
    for (const { reply } of await Promise.all(all)) expect(reply?.facts.answers).toBe(1);
    expect([...asked]).toEqual(['172.17.0.9']);
  });

  it('does not take a slow server for a dead one', async () => {
    const slow: Behaviour = (bytes) =>
      new Promise((done) => setTimeout(() => done(replyTo(bytes, '192.0.2.1')), TRY_MS - 200));
    const world = await scene(slow, answers('192.0.2.2'));
    expect(await ask(world)).toMatchObject({ answers: [{ data: '192.0.2.1' }] });
    expect(warnings).toEqual([]);
    expect(world.fakes[1]?.asked).toEqual([]);
  });

  it('ends what is on its way when it closes', async () => {
    const world = await scene(silent, silent);
    const began = performance.now();
    const waiting = ask(world);
    setTimeout(() => world.upstream.close(), 20);
    expect(await waiting).toBeNull();
    expect(performance.now() - began).toBeLessThan(1000);
    expect(await ask(world)).toBeNull();
  });
});

describe('UdpDoors', () => {
  it('share sockets when many questions are on their way, every one answered, each under an id of its own', async () => {
    const { fakes, port } = await scene((bytes) => replyTo(bytes, '192.0.2.1'));
    const doors = new UdpDoors();
    toClose.push(doors);
    const batch = 100;
    for (let round = 0; round < 10; round++) {
      // The test's server reads with one thread, too: its socket must not overflow.
      const asks = Array.from({ length: batch }, () =>
        doors.ask(sent(), { server: '127.0.0.71', asker: 'web', port, timeoutMs: 5000 }),
      );
      expect(doors.open).toBeLessThanOrEqual(MAX_SOCKETS / 2);
      const outcomes = await Promise.all(asks);
      expect(outcomes.every(({ kind }) => kind === 'reply')).toBe(true);
    }
    expect(doors.open).toBe(0);
    expect(fakes[0]?.asked).toHaveLength(10 * batch);
  });

  it('take an answer that came while we stood still', async () => {
    const { port } = await scene((bytes) => {
      // Its reply has left by then, and nobody has read it.
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150));
      return replyTo(bytes, '192.0.2.1');
    });
    const doors = new UdpDoors();
    toClose.push(doors);
    const outcome = await doors.ask(sent(), { server: '127.0.0.71', asker: 'web', port, timeoutMs: 100 });
    expect(outcome).toMatchObject({ kind: 'reply' });
  });

  it('keep some for the other servers when one is silent', async () => {
    const { port } = await scene(silent, answers('192.0.2.2'));
    const doors = new UdpDoors();
    toClose.push(doors);
    const stuck = Array.from({ length: 3000 }, () =>
      doors.ask(sent(), { server: '127.0.0.71', asker: 'web', port, timeoutMs: 5000 }),
    );
    expect(doors.open).toBeLessThanOrEqual(MAX_SOCKETS / 2);
    expect(await doors.ask(sent(), { server: '127.0.0.72', asker: 'web', port, timeoutMs: 2000 })).toMatchObject({
      kind: 'reply',
    });
    doors.close();
    expect((await Promise.all(stuck)).every(({ kind }) => kind === 'failed')).toBe(true);
    expect(doors.open).toBe(0);
  });
});

describe('ServerHealth', () => {
  const list = (...keys: string[]) => keys.map((key) => ({ key }));
  const keys = (servers: readonly { key: string }[]) => servers.map(({ key }) => key);

  it('puts failed servers last until they answer, the longest failed first among them', () => {
    let now = 0;
    const health = new ServerHealth(() => now);
    health.failed('a', 0, 'gone');
    now = 10;
    health.failed('b', 0, 'gone');
    expect(keys(health.order(list('b', 'a', 'c')))).toEqual(['c', 'a', 'b']);
    now = 10 * PROBE_MS;
    expect(keys(health.order(list('b', 'a', 'c')))).toEqual(['c', 'a', 'b']);
    expect(health.answered('b', now - 3)).toBe(true);
    expect(keys(health.order(list('b', 'a', 'c')))).toEqual(['b', 'c', 'a']);
    expect(health.figures('b')).toMatchObject({ failed: false, lastMs: 3, answered: 1 });
  });

  it('has a failed server looked at again from time to time, beside one that is well', () => {
    let now = 0;
    const health = new ServerHealth(() => now);
    health.failed('a', 0, 'gone');
    now = PROBE_MS - 1;
    expect(health.toProbe(list('a', 'b'))).toBeNull();
    now = PROBE_MS;
    expect(health.toProbe(list('a'))).toBeNull();
    expect(health.toProbe(list('a', 'b'))).toEqual({ key: 'a' });
    expect(health.toProbe(list('a', 'b'))).toBeNull();
    now = 2 * PROBE_MS;
    expect(health.toProbe(list('a', 'b'))).toEqual({ key: 'a' });
  });

  it('gives a server up that is not heard of, but for one question in a while', () => {
    let now = 0;
    const health = new ServerHealth(() => now);
    expect(health.isGivenUp('a')).toBe(false);
    health.failed('a', 0, 'silent');
    now = PROBE_MS - 1;
    health.failed('a', 0, 'silent');
    expect(health.isGivenUp('a')).toBe(true);
    now = PROBE_MS;
    expect([health.isGivenUp('a'), health.isGivenUp('a')]).toEqual([false, true]);
    health.answered('a', now);
    now += 10;
    health.failed('a', now, 'slow');
    // It was there a moment ago.
    expect([health.isGivenUp('a'), health.isGivenUp('a')]).toEqual([false, false]);
  });

  it('holds one slow name against nobody who answers others', () => {
    let now = 1500;
    const health = new ServerHealth(() => now);
    health.answered('a', 1400);
    now = 2100;
    expect(health.failed('a', 100, 'slow')).toBe(false);
    expect(health.hasFailed('a')).toBe(false);
    expect(health.failed('a', 1600, 'slow')).toBe(true);
    expect(health.hasFailed('a')).toBe(true);
  });
});
