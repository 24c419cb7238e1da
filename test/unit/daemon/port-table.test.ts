import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Binder, PortTable, parsePortList } from '../../../src/daemon/port-table.js';
import type { PublishedPort } from '../../../src/model/port-list.js';
import { parsePortSpec } from '../../../src/model/port-spec.js';

/** A host that binds as the kernel does, with some ports held by strangers (`port/protocol`). */
class Host implements Binder {
  readonly bound: PublishedPort[] = [];
  readonly strangers = new Map<string, string>();
  tries = 0;

  bind(port: PublishedPort): void {
    this.tries++;
    const code = this.strangers.get(`${port.hostPort}/${port.protocol}`);
    if (code) throw Object.assign(new Error('bind failed'), { code });
    this.bound.push(port);
  }

  unbind(port: PublishedPort): void {
    const index = this.bound.findIndex((other) => other.hostPort === port.hostPort && other.protocol === port.protocol);
    if (index < 0) throw new Error('was not bound');
    this.bound.splice(index, 1);
  }
}

function world(reserved = '') {
  const host = new Host();
  const table = new PortTable({ reservedPorts: () => reserved, unprivilegedStart: () => '1024\n' });
  const publish = (owner: string, ...specs: string[]) => table.publish(owner, specs.flatMap(parsePortSpec), host);
  const numbers = (owner: string, ...specs: string[]) => publish(owner, ...specs).map(({ hostPort }) => hostPort);
  return { host, table, publish, numbers };
}

describe('ephemeral ports', () => {
  it('go next after the last, from 49153, apart for each address and protocol', () => {
    const { numbers } = world();
    expect(numbers('a', '22', '80')).toEqual([49153, 49154]);
    expect(numbers('b', '80/udp', '80')).toEqual([49155, 49153]);
    expect(numbers('c', '127.0.0.1::80')).toEqual([49156]);
  });

  it('are not given out again at once', () => {
    const { numbers, table } = world();
    expect(numbers('a', '80')).toEqual([49153]);
    table.release('a');
    expect(numbers('b', '80')).toEqual([49154]);
  });

  it('pass over reserved ones, which can be asked for by number', () => {
    const { numbers } = world('49153-49154,49156\n');
    expect(numbers('a', '80', '81')).toEqual([49155, 49157]);
    expect(numbers('b', '49153:80')).toEqual([49153]);
  });

  it('pass over those that strangers hold', () => {
    const { host, numbers } = world();
    host.strangers.set('49153/tcp', 'EADDRINUSE');
    expect(numbers('a', '80')).toEqual([49154]);
  });

  it('begin anew after the last number, and end when all are used', () => {
    const { numbers, table } = world();
    const all = 65535 - 49153 + 1;
    const first = numbers('all', ...Array.from({ length: all }, (_, index) => `${1 + index}`));
    expect(new Set(first).size).toBe(all);
    expect(() => numbers('more', '80')).toThrow(/^all ports are allocated/);
    table.release('all');
    expect(numbers('again', '80')).toEqual([49153]);
  });
});

describe('ranges', () => {
  it('give one free number, lowest first', () => {
    const { numbers, table, host } = world();
    expect(['a', 'b', 'c'].map((owner) => numbers(owner, '9090-9092:80'))).toEqual([[9090], [9091], [9092]]);
    expect(() => numbers('d', '9090-9092:80')).toThrow(/^all ports are allocated/);
    table.release('b');
    host.bound.splice(1, 1);
    expect(numbers('d', '9090-9092:80')).toEqual([9091]);
  });

  it('keep tcp and udp apart and in step', () => {
    const { host, publish } = world();
    host.strangers.set('8082/tcp', 'EADDRINUSE').set('8082/udp', 'EADDRINUSE');
    const specs = [80, 81, 82].flatMap((port) => [`8080-8083:${port}/tcp`, `8080-8083:${port}/udp`]);
    const pairs = publish('a', ...specs).map((port) => `${port.containerPort}/${port.protocol}→${port.hostPort}`);
    expect(pairs).toEqual(['80/tcp→8080', '80/udp→8080', '81/tcp→8081', '81/udp→8081', '82/tcp→8083', '82/udp→8083']);
  });

  it('leave the numbers to those who asked for exactly them', () => {
    const { numbers } = world();
    expect(numbers('a', '8080-8082:80', '8080:81')).toEqual([8080, 8081]);
  });
});

describe('conflicts', () => {
  it.each([
    ['8080:80', '8080:81', 'Bind for 0.0.0.0:8080 failed: port is already allocated'],
    ['127.0.0.1:8080:80', '8080:81', 'Bind for 0.0.0.0:8080 failed: port is already allocated'],
    ['8080:80', '127.0.0.1:8080:81', 'Bind for 127.0.0.1:8080 failed: port is already allocated'],
    ['[::]:8080:80', '[::1]:8080:81', 'Bind for ::1:8080 failed: port is already allocated'],
  ])('%s, then %s', (first, second, message) => {
    const { publish } = world();
    publish('a', first);
    const by = (whose: string) => expect.objectContaining({ code: 'CONFLICT', message: `${message} (${whose})` });
    expect(() => publish('b', second)).toThrow(by('by container a'));
    expect(() => publish('a', second)).toThrow(by('published twice'));
  });

  it.each([
    ['8080:80/tcp', '8080:80/udp'],
    ['192.168.0.1:8080:80', '192.168.0.2:8080:80'],
    ['[::]:8080:80', '0.0.0.0:8080:80'],
  ])('%s and %s stand side by side', (first, second) => {
    const { publish } = world();
    publish('a', first);
    expect(publish('b', second)).toHaveLength(1);
  });

  it.each([
    ['EADDRINUSE', 'CONFLICT', 'failed to bind host port 0.0.0.0:8080/tcp: address already in use'],
    ['EACCES', 'INVALID', expect.stringContaining('net.ipv4.ip_unprivileged_port_start')],
    [
      'EADDRNOTAVAIL',
      'INVALID',
      expect.stringContaining('cannot assign requested address: this host has no address 0.0.0.0'),
    ],
    ['EMFILE', 'UNAVAILABLE', expect.stringContaining('too many open files')],
    ['ESTOPPED', 'UNAVAILABLE', 'failed to bind host port 0.0.0.0:8080/tcp: bind failed'],
  ])('%s of the kernel is explained', (errno, code, message) => {
    const { host, publish } = world();
    host.strangers.set('8080/tcp', errno);
    expect(() => publish('a', '8080:80')).toThrow(expect.objectContaining({ code, message }));
  });

  it('does not go through a whole range when the trouble is not the number', () => {
    const { host, publish } = world();
    for (let port = 2000; port <= 3000; port++) host.strangers.set(`${port}/tcp`, 'EMFILE');
    expect(() => publish('a', '2000-3000:80')).toThrow(/too many open files/);
    expect(host.tries).toBe(1);
  });
});

describe('publishing several', () => {
  it('is all or nothing', () => {
    const { host, publish } = world();
    host.strangers.set('8082/tcp', 'EADDRINUSE');
    expect(() => publish('a', '8080:80', '8081:81', '8082:82', '90')).toThrow(/8082/);
    expect(host.bound).toEqual([]);
    expect(publish('b', '8080:80', '8081:81')).toHaveLength(2);
  });

  it('never holds a number twice, and gives all back', () => {
    const spec = fc.oneof(
      fc.integer({ min: 5000, max: 5005 }).map((port) => `${port}:80`),
      fc.constantFrom('5000-5003:80', '80', '127.0.0.1:5001:80', '80/udp', '5000:80/udp'),
    );
    fc.assert(
      fc.property(fc.array(fc.array(spec, { minLength: 1, maxLength: 4 }), { maxLength: 8 }), (containers) => {
        const { host, table, publish } = world();
        const owners: string[] = [];
        for (const [index, specs] of containers.entries()) {
          const before = host.bound.length;
          try {
            expect(publish(String(index), ...specs)).toHaveLength(specs.length);
            owners.push(String(index));
          } catch {
            expect(host.bound.length).toBe(before);
          }
          const keys = host.bound.map(({ hostPort, protocol }) => `${hostPort}/${protocol}`);
          expect(new Set(keys).size).toBe(keys.length);
        }
        for (const owner of owners) table.release(owner);
        host.bound.length = 0;
        expect(publish('last', '5000:80', '5001:80', '5000:80/udp')).toHaveLength(3);
      }),
    );
  });
});

describe('parsePortList', () => {
  it.each([
    ['\n', []],
    ['8080\n', [{ from: 8080, to: 8080 }]],
    [
      '8080,9148-9150\n',
      [
        { from: 8080, to: 8080 },
        { from: 9148, to: 9150 },
      ],
    ],
  ])('%j', (text, expected) => {
    expect(parsePortList(text)).toEqual(expected);
  });
});
