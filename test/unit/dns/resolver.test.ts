import type { RecordType } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { TTL_SECONDS } from '../../../src/dns/answer.js';
import { resolve, type Zone } from '../../../src/dns/resolver.js';
import { addressOfReverseName } from '../../../src/dns/reverse-name.js';
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
  lookup: (asker, name) => (name === 'store' && asker === FOOBAR ? ['172.18.0.3'] : (names[name] ?? null)),
  reverse: (address) => {
    if (address === '172.18.0.2') return 'foobar';
    if (address === '172.18.0.66') return `${'x'.repeat(64)}.net1`;
    return address.startsWith('172.18.') ? null : undefined;
  },
  search: (asker) => (asker === FOOBAR ? ['corp.example', '.lab.example.'] : []),
};

function ask(name: string, type: RecordType = 'A', asker = FOOBAR) {
  const resolution = resolve(admitted(question(name, { type })), asker, zone);
  return resolution.kind === 'forward' ? 'forward' : read(resolution.message);
}

describe('resolve', () => {
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
    expect(ask('myctr')).toMatchObject({ answers: [{ data: '172.18.0.2' }, { data: '172.18.0.9' }] });
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
    const resolution = resolve(admitted(bytes), FOOBAR, zone);
    if (resolution.kind !== 'answer') throw new Error('forwarded');
    expect(Buffer.from(resolution.message).subarray(12).equals(bytes.subarray(12))).toBe(true);
    expect(read(resolution.message)).toMatchObject({ rcode: 0, answers: [] });
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
    expect(
      resolve(admitted(Buffer.from('12340100000100000000000000000200 01'.replace(' ', ''), 'hex')), FOOBAR, zone).kind,
    ).toBe('forward');
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
  });

  it('leaves other classes alone', () => {
    const bytes = question('db');
    bytes.writeUInt16BE(3, bytes.length - 2);
    expect(resolve(admitted(bytes), FOOBAR, zone).kind).toBe('forward');
  });

  it('puts an EDNS record into replies to askers that sent one', () => {
    const withEdns = resolve(admitted(question('db', { udpSize: 4096 })), FOOBAR, zone);
    expect(withEdns.kind === 'answer' && read(withEdns.message)).toMatchObject({
      opts: 1,
      answers: [{ data: '172.18.0.3' }],
    });
    const without = resolve(admitted(question('db')), FOOBAR, zone);
    expect(without.kind === 'answer' && read(without.message).opts).toBe(0);
  });
});

describe('addressOfReverseName', () => {
  it.each([
    ['2.0.17.172.in-addr.arpa', '172.17.0.2'],
    ['17.172.in-addr.arpa', null],
    ['02.0.17.172.in-addr.arpa', null],
    ['256.0.17.172.in-addr.arpa', null],
    ['in-addr.arpa', null],
    [`${'0.'.repeat(31)}2.ip6.arpa`.replace(/^0/, '1'), '2000:0000:0000:0000:0000:0000:0000:0001'],
    ['1.2.ip6.arpa', null],
  ])('%s is %s', (name, address) => {
    expect(addressOfReverseName(name)).toBe(address);
  });
});
