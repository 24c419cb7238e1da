import type { RecordType } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { TTL_SECONDS } from '../../../src/dns/answer.js';
import { decide, localReply, type Zone } from '../../../src/dns/resolver.js';
import { parseReverseName } from '../../../src/dns/reverse-name.js';
import { shuffled } from '../../../src/dns/shuffle.js';
import { admitted, question, read } from './questions.js';

const NXDOMAIN = 3;

const FOOBAR = 'foobar-id';
const DB = 'db-id';
const names: Record<string, readonly string[]> = {
  foobar: ['172.18.0.2'],
  myctr: ['172.18.0.2', '172.18.0.9'],
  '35de8003b19e': ['172.18.0.2'],
  db: ['172.18.0.3'],
  'db.net1': ['172.18.0.3'],
  both: ['172.18.0.4', 'fd00::4'],
  down: [],
};
const zone: Zone = {
  lookup(asker, name) {
    if (name === 'store' && asker === FOOBAR)
      return { rule: 'link', owners: [{ name: 'db' }], addresses: ['172.18.0.3'] };
    const addresses = names[name];
    return addresses === undefined ? null : { rule: 'name', owners: [{ name }], addresses };
  },
  reverse: (address) => {
    if (address === '172.18.0.2') return 'foobar';
    if (address === '172.18.0.66') return `${'x'.repeat(64)}.net1`;
    return address.startsWith('172.18.') ? null : undefined;
  },
  owns: (address, prefixLength) => prefixLength >= 16 && address.startsWith('172.18.'),
  search: (asker) => (asker === FOOBAR ? ['corp.example', '.lab.example.'] : []),
};

function ask(name: string, type: RecordType = 'A', asker = FOOBAR) {
  return resolve(question(name, { type }), asker);
}

function resolve(bytes: Uint8Array, asker = FOOBAR) {
  const query = admitted(bytes);
  const reply = localReply(query, decide(query, asker, zone));
  return reply === null ? 'forward' : read(reply);
}

describe('a question', () => {
  it('answers names of ours in any letter case, as they were asked, for five seconds', () => {
    expect(ask('Db')).toMatchObject({
      rcode: 0,
      aa: true,
      name: 'Db',
      answers: [{ type: 'A', name: 'Db', ttl: TTL_SECONDS, data: '172.18.0.3' }],
    });
    expect(ask('35DE8003B19E')).toMatchObject({ answers: [{ data: '172.18.0.2' }] });
    expect(ask('db.net1')).toMatchObject({ answers: [{ data: '172.18.0.3' }] });
    expect(TTL_SECONDS).toBeLessThanOrEqual(5);
  });

  it('gives every address of an alias', () => {
    const orders = new Set<string>();
    for (let i = 0; i < 50; i++) {
      const reply = ask('myctr');
      if (reply === 'forward') throw new Error('forwarded');
      orders.add(reply.answers.map(({ data }) => data).join());
    }
    expect([...orders].sort()).toEqual(['172.18.0.2,172.18.0.9', '172.18.0.9,172.18.0.2']);
  });

  it('shuffles fairly: every order of three comes up about as often', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = shuffled(['a', 'b', 'c']).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(count).toBeGreaterThan(800);
  });

  it('keeps a link alias to the container that has the link', () => {
    expect(ask('Store')).toMatchObject({ answers: [{ data: '172.18.0.3' }] });
    expect(ask('Store', 'A', DB)).toBe('forward');
  });

  it.each(['AAAA', 'MX', 'TXT', 'SRV', 'NS', 'SOA'] as const)('has no %s of a known name and asks nobody', (type) => {
    expect(ask('db', type)).toMatchObject({ rcode: 0, answers: [] });
  });

  it('has no HTTPS record of a known name either, a type that the decoder has no word for', () => {
    const bytes = question('db');
    bytes.writeUInt16BE(65, bytes.length - 4);
    const query = admitted(bytes);
    const reply = localReply(query, decide(query, FOOBAR, zone));
    if (reply === null) throw new Error('forwarded');
    expect(Buffer.from(reply).subarray(12).equals(bytes.subarray(12))).toBe(true);
    expect(read(reply)).toMatchObject({ rcode: 0, answers: [] });
  });

  it('tells the families apart', () => {
    expect(ask('both')).toMatchObject({ answers: [{ type: 'A', data: '172.18.0.4' }] });
    expect(ask('both', 'AAAA')).toMatchObject({ answers: [{ type: 'AAAA', data: 'fd00::4' }] });
  });

  it('says NXDOMAIN for a name of ours that is down, whatever is asked', () => {
    expect(ask('down')).toMatchObject({ rcode: NXDOMAIN, answers: [] });
    expect(ask('down', 'MX')).toMatchObject({ rcode: NXDOMAIN });
  });

  it('forwards every other name, single labels too', () => {
    expect(ask('kafka0')).toBe('forward');
    expect(ask('example.com')).toBe('forward');
    expect(ask('example.com', 'MX')).toBe('forward');
    expect(resolve(Buffer.from('1234010000010000000000000000020001', 'hex'))).toBe('forward');
  });

  it("finds local names first inside the asker's search domains", () => {
    expect(ask('db.corp.example')).toMatchObject({ name: 'db.corp.example', answers: [{ data: '172.18.0.3' }] });
    expect(ask('db.Lab.Example')).toMatchObject({ answers: [{ data: '172.18.0.3' }] });
    expect(ask('db.corp.example', 'A', DB)).toBe('forward');
    expect(ask('nobody.corp.example')).toBe('forward');
    expect(ask('corp.example')).toBe('forward');
  });

  it('answers reverse questions for its subnet alone', () => {
    expect(ask('2.0.18.172.in-addr.arpa', 'PTR')).toMatchObject({
      rcode: 0,
      answers: [{ type: 'PTR', data: 'foobar' }],
    });
    expect(ask('7.0.18.172.in-addr.arpa', 'PTR')).toMatchObject({ rcode: NXDOMAIN });
    expect(ask('8.8.8.8.in-addr.arpa', 'PTR')).toBe('forward');
    expect(ask('2.0.18.172.in-addr.arpa', 'TXT')).toMatchObject({ rcode: 0, answers: [] });
    expect(ask('66.0.18.172.in-addr.arpa', 'PTR')).toMatchObject({ rcode: 2 });
    expect(ask('2.0.18.172.in-addr.arpa.Corp.Example', 'PTR')).toMatchObject({ answers: [{ data: 'foobar' }] });
    expect(ask('7.0.18.172.in-addr.arpa.corp.example', 'PTR')).toMatchObject({ rcode: NXDOMAIN });
    expect(ask('2.0.18.172.in-addr.arpa.corp.example', 'PTR', DB)).toBe('forward');
  });

  it('refuses a name of ours in another class, since the answer of a stranger would name it, and forwards the others', () => {
    const asked = (name: string, klass: number, type: RecordType = 'A') => {
      const bytes = question(name, { type });
      bytes.writeUInt16BE(klass, bytes.length - 2);
      return resolve(bytes);
    };
    for (const klass of [3, 254, 0]) {
      for (const name of ['db', 'down', 'db.corp.example', '2.0.18.172.in-addr.arpa', '7.0.18.172.in-addr.arpa']) {
        expect(asked(name, klass), `${name} in ${klass}`).toMatchObject({ rcode: 5, answers: [] });
      }
      expect(asked('version.bind', klass, 'TXT')).toBe('forward');
    }
    expect(asked('db', 255)).toMatchObject({ rcode: 0, answers: [{ data: '172.18.0.3' }] });
    expect(asked('2.0.18.172.in-addr.arpa', 255, 'PTR')).toMatchObject({ answers: [{ data: 'foobar' }] });
    expect(asked('example.com', 255)).toBe('forward');
  });

  it('puts an EDNS record into replies to askers that sent one', () => {
    expect(resolve(question('db', { udpSize: 4096 }))).toMatchObject({ opts: 1, answers: [{ data: '172.18.0.3' }] });
    expect(resolve(question('down', { udpSize: 4096 }))).toMatchObject({ opts: 1, rcode: NXDOMAIN });
    expect(resolve(question('db'))).toMatchObject({ opts: 0 });
  });

  it('keeps everything in the reverse tree of its subnet to itself', () => {
    expect(ask('17.18.172.in-addr.arpa', 'NS')).toMatchObject({ rcode: 0, answers: [] });
    expect(ask('18.172.in-addr.arpa', 'SOA')).toMatchObject({ rcode: 0, answers: [] });
    expect(ask('lb._dns-sd._udp.0.0.18.172.in-addr.arpa', 'PTR')).toMatchObject({ rcode: NXDOMAIN });
    expect(ask('02.0.18.172.in-addr.arpa', 'PTR')).toMatchObject({ rcode: NXDOMAIN });
    for (const name of [
      '0/26.0.18.172.in-addr.arpa',
      '1.0/26.0.18.172.in-addr.arpa',
      'My Printer._ipp._tcp.0.0.18.172.in-addr.arpa',
      'é.2.0.18.172.in-addr.arpa',
      '0/26.0.18.172.in-addr.arpa.corp.example',
    ]) {
      expect(ask(name, 'PTR'), name).toMatchObject({ rcode: NXDOMAIN });
    }
    expect(ask('1.0/26.0.19.172.in-addr.arpa', 'PTR')).toBe('forward');
    expect(ask('My Printer.example.com')).toBe('forward');
    expect(ask('d b')).toBe('forward');
    expect(ask('172.in-addr.arpa', 'NS')).toBe('forward');
    expect(ask('19.172.in-addr.arpa', 'NS')).toBe('forward');
    expect(ask('in-addr.arpa', 'NS')).toBe('forward');
  });
});

describe('parseReverseName', () => {
  it.each([
    ['2.0.17.172.in-addr.arpa', '172.17.0.2', 32, false],
    ['17.172.in-addr.arpa', '172.17.0.0', 16, false],
    ['02.0.17.172.in-addr.arpa', '172.17.0.0', 24, true],
    ['256.0.17.172.in-addr.arpa', '172.17.0.0', 24, true],
    ['x.2.0.17.172.in-addr.arpa', '172.17.0.2', 32, true],
    ['1.2.0.17.172.in-addr.arpa', '172.17.0.2', 32, true],
    [`${'0.'.repeat(31)}2.ip6.arpa`.replace(/^0/, '1'), '2000:0000:0000:0000:0000:0000:0000:0001', 128, false],
    ['1.2.ip6.arpa', '2100:0000:0000:0000:0000:0000:0000:0000', 8, false],
  ])('%s is %s/%s', (name, address, prefixLength, below) => {
    expect(parseReverseName(name)).toEqual({ address, prefixLength, below });
  });

  it.each(['in-addr.arpa', '.in-addr.arpa', 'x.in-addr.arpa', 'ip6.arpa', 'arpa', 'db'])('%s is none', (name) => {
    expect(parseReverseName(name)).toBeNull();
  });
});
