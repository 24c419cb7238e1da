import { afterEach, describe, expect, it, vi } from 'vitest';
import { FAILURE_MEMORY_MS, ServerOrder } from '../../../src/dns/server-order.js';
import { MAX_IN_FLIGHT_PER_ASKER, TOTAL_MS, TRY_MS, type Transport, Upstream } from '../../../src/dns/upstream.js';
import { type Behaviour, errorTo, type FakeUpstream, fakeUpstream, replyTo } from './fake-upstream.js';
import { admitted, question, read } from './questions.js';

const SERVFAIL = 2;
const REFUSED = 5;
const FIRST = '127.0.0.71';
const warnings: object[] = [];
const log = { info: () => {}, warn: (fields: object) => void warnings.push(fields) };
const toClose: { close(): unknown }[] = [];

afterEach(async () => {
  for (const item of toClose.splice(0)) await item.close();
  warnings.length = 0;
});

/** Servers on 127.0.0.71, .72, … with one port in common; null: nobody listens there. */
async function world(...behaviours: (Behaviour | null)[]): Promise<{ upstream: Upstream; servers: FakeUpstream[] }> {
  const servers: FakeUpstream[] = [];
  let port = 0;
  for (const [index, behave] of behaviours.entries()) {
    if (behave === null) continue;
    const server = await fakeUpstream(`127.0.0.${71 + index}`, port, behave);
    port = server.port;
    servers.push(server);
    toClose.push(server);
  }
  const addresses = behaviours.map((_, index) => `127.0.0.${71 + index}`);
  const upstream = new Upstream({ servers: () => addresses, log, port });
  toClose.push(upstream);
  return { upstream, servers };
}

const query = () => admitted(question('Outside.example', { id: 0x4242 }));
const forward = async (upstream: Upstream, transport: Transport = 'udp') => {
  const message = await upstream.forward(query(), 'asker', transport);
  return message === null ? null : read(message);
};
const answers =
  (address: string): Behaviour =>
  (bytes) =>
    replyTo(bytes, address);
const silent: Behaviour = () => null;

describe('Upstream', () => {
  it('passes the reply on under the id and in the letters of the asker', async () => {
    const { upstream, servers } = await world(answers('192.0.2.1'));
    expect(await forward(upstream)).toMatchObject({
      id: 0x4242,
      name: 'Outside.example',
      answers: [{ data: '192.0.2.1' }],
    });
    expect(servers[0]?.asked[0]?.bytes.subarray(2).equals(Buffer.from(query().bytes.subarray(2)))).toBe(true);
  });

  it('asks under ids and from ports that change', async () => {
    const { upstream, servers } = await world(answers('192.0.2.1'));
    for (let i = 0; i < 12; i++) await forward(upstream);
    const asked = servers[0]?.asked ?? [];
    expect(new Set(asked.map(({ bytes }) => bytes.readUInt16BE())).size).toBeGreaterThan(8);
    expect(new Set(asked.map(({ fromPort }) => fromPort)).size).toBeGreaterThan(8);
  });

  it('passes over replies with a wrong id, without QR, or to another question, and waits for the right one', async () => {
    const { upstream } = await world((bytes) => {
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
    expect(await forward(upstream)).toMatchObject({ answers: [{ data: '192.0.2.1' }] });
  });

  it.each([SERVFAIL, REFUSED])(
    'asks the next server on rcode %s, exactly two questions, nothing held against the first',
    async (rcode) => {
      const { upstream, servers } = await world((bytes) => errorTo(bytes, rcode), answers('192.0.2.2'));
      expect(await forward(upstream)).toMatchObject({ rcode: 0, answers: [{ data: '192.0.2.2' }] });
      expect(servers.map(({ asked }) => asked.length)).toEqual([1, 1]);
      expect(upstream.hasFailed(FIRST)).toBe(false);
    },
  );

  it('passes NXDOMAIN and an empty answer on at once', async () => {
    const { upstream, servers } = await world((bytes) => errorTo(bytes, 3), answers('192.0.2.2'));
    expect(await forward(upstream)).toMatchObject({ rcode: 3, answers: [] });
    expect(servers[1]?.asked).toEqual([]);
  });

  it("passes the last server's refusal on when all refuse", async () => {
    const { upstream } = await world(
      (bytes) => errorTo(bytes, SERVFAIL),
      (bytes) => errorTo(bytes, REFUSED),
    );
    expect(await forward(upstream)).toMatchObject({ rcode: REFUSED });
  });

  it('goes on at once when a port is closed, remembers it, and asks that server last', async () => {
    const { upstream, servers } = await world(null, answers('192.0.2.2'));
    const began = performance.now();
    expect(await forward(upstream)).toMatchObject({ answers: [{ data: '192.0.2.2' }] });
    expect(performance.now() - began).toBeLessThan(1000);
    expect(upstream.hasFailed(FIRST)).toBe(true);
    expect(await forward(upstream)).toMatchObject({ answers: [{ data: '192.0.2.2' }] });
    expect(servers[0]?.asked).toHaveLength(2);
    expect(warnings).toEqual([{ server: FIRST, reason: 'ECONNREFUSED' }]);
  });

  it('leaves a silent server after two seconds, and at once the next time', async () => {
    const { upstream, servers } = await world(silent, answers('192.0.2.2'));
    const began = performance.now();
    expect(await forward(upstream)).toMatchObject({ answers: [{ data: '192.0.2.2' }] });
    const first = performance.now() - began;
    expect(first).toBeGreaterThan(TRY_MS - 50);
    expect(first).toBeLessThan(TRY_MS + 1000);
    await forward(upstream);
    expect(performance.now() - began - first).toBeLessThan(1000);
    expect(servers[0]?.asked).toHaveLength(1);
  });

  it('gives up before the client does', async () => {
    const { upstream } = await world(silent, silent, silent);
    const began = performance.now();
    expect(await forward(upstream)).toBeNull();
    expect(performance.now() - began).toBeLessThan(5000);
    expect(TOTAL_MS).toBeLessThan(5000);
  }, 10_000);

  it('has nobody to ask when there is no server', async () => {
    const upstream = new Upstream({ servers: () => [], log });
    expect(await upstream.forward(query(), 'asker', 'udp')).toBeNull();
  });

  it('fetches a cut reply whole, by TCP', async () => {
    const { upstream, servers } = await world((bytes, transport) =>
      transport === 'udp'
        ? replyTo(bytes, '192.0.2.1', { count: 0, flags: 0x0380 })
        : replyTo(bytes, '192.0.2.9', { count: 300 }),
    );
    const reply = await forward(upstream);
    expect(reply?.tc).toBe(false);
    expect(reply?.answers).toHaveLength(300);
    expect(servers[0]?.asked.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  it('asks by TCP for a client that came by TCP', async () => {
    const { upstream, servers } = await world(answers('192.0.2.1'));
    expect(await forward(upstream, 'tcp')).toMatchObject({ answers: [{ data: '192.0.2.1' }] });
    expect(servers[0]?.asked.map(({ transport }) => transport)).toEqual(['tcp']);
  });

  it('lowers an EDNS size that would bring fragments', async () => {
    const { upstream, servers } = await world(answers('192.0.2.1'));
    await upstream.forward(admitted(question('outside.example', { udpSize: 8192 })), 'asker', 'udp');
    const sent = servers[0]?.asked[0]?.bytes;
    expect(sent?.readUInt16BE(sent.length - 8)).toBe(1232);
  });

  it('bounds what one asker has on its way, and others are still served', async () => {
    const { upstream, servers } = await world((bytes) =>
      bytes.includes('utside') ? replyTo(bytes, '192.0.2.1') : null,
    );
    const stuck = admitted(question('never.example'));
    const waiting = Array.from({ length: MAX_IN_FLIGHT_PER_ASKER }, () => upstream.forward(stuck, 'greedy', 'udp'));
    expect(await upstream.forward(query(), 'greedy', 'udp')).toBeNull();
    // The burst may overflow the test server's own receive buffer: ask when it has been read.
    await vi.waitFor(() => expect(servers[0]?.asked.length).toBeGreaterThan(100));
    expect(await forward(upstream)).not.toBeNull();
    upstream.close();
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => null));
  });

  it('ends what is on its way when it closes', async () => {
    const { upstream } = await world(silent, silent);
    const began = performance.now();
    const waiting = forward(upstream);
    setTimeout(() => upstream.close(), 20);
    expect(await waiting).toBeNull();
    expect(performance.now() - began).toBeLessThan(1000);
    expect(await forward(upstream)).toBeNull();
  });
});

describe('ServerOrder', () => {
  it('puts failed servers last for a while, the longest failed first among them', () => {
    let now = 0;
    const order = new ServerOrder(() => now);
    order.failed('a', 0);
    now = 10;
    order.failed('b', 0);
    expect(order.order(['b', 'a', 'c'])).toEqual(['c', 'a', 'b']);
    now = FAILURE_MEMORY_MS + 5;
    expect(order.order(['b', 'a', 'c'])).toEqual(['a', 'c', 'b']);
    order.answered('b');
    expect(order.order(['b', 'a', 'c'])).toEqual(['b', 'a', 'c']);
  });

  it('holds one slow name against nobody who answers others', () => {
    let now = 100;
    const order = new ServerOrder(() => now);
    now = 1500;
    order.answered('a');
    now = 2100;
    expect(order.failed('a', 100)).toBe(false);
    expect(order.hasFailed('a')).toBe(false);
    expect(order.failed('a', 1600)).toBe(true);
    expect(order.hasFailed('a')).toBe(true);
  });

  it('forgets servers that are no longer configured', () => {
    const order = new ServerOrder(() => 0);
    order.failed('a', 0);
    order.order(['b']);
    expect(order.order(['a', 'b'])).toEqual(['a', 'b']);
  });
});
