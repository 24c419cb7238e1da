import { describe, expect, it } from 'vitest';
import {
  isOwnResolver,
  parseDnsOption,
  parseDnsSearch,
  parseDnsServer,
  parseNetworkAlias,
} from '../../../src/model/dns-options.js';

describe('parseDnsServer', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    [' 10.0.0.1 ', '10.0.0.1'],
    ['2001:db8::53', '2001:db8::53'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8:0::53', '2001:db8::53'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.1'],
  ])('S58: takes %j', (text, expected) => {
    expect(parseDnsServer(text)).toBe(expected);
  });

  it.each(['', 'ns.example', '1.2.3', '1.2.3.4.5', '1.2.3.4,5.6.7.8', '1.2.3.4:53', '[::1]', 'fe80::1%eth0'])(
    'S58: refuses %j',
    (text) => {
      expect(() => parseDnsServer(text)).toThrow(
        expect.objectContaining({ code: 'INVALID', message: `IP address is not correctly formatted: ${text}` }),
      );
    },
  );
});

describe('parseDnsSearch', () => {
  it.each([
    ['.', '.'],
    ['a', 'a'],
    ['a.', 'a'],
    ['17.foo', '17.foo'],
    ['1-foo.2-bar.', '1-foo.2-bar'],
    ['foo.bar.baz', 'foo.bar.baz'],
    ['Corp.Example', 'Corp.Example'],
    // Decision 4, S73: one leading dot is taken off.
    ['.foo', 'foo'],
    ['.example.com', 'example.com'],
    [`${'a'.repeat(63)}.b`, `${'a'.repeat(63)}.b`],
  ])('vector 115: takes %j', (text, expected) => {
    expect(parseDnsSearch(text)).toBe(expected);
  });

  it.each([
    '',
    ' ',
    '17',
    '17.',
    '..',
    '..foo',
    'foo-.bar',
    '-foo.bar',
    'foo.bar-',
    'foo..bar',
    'a_b.c',
    'a b',
    'a\nnameserver 6.6.6.6',
    `${'a'.repeat(64)}.b`,
    'abc.'.repeat(64),
  ])('vector 115: refuses %j', (text) => {
    expect(() => parseDnsSearch(text)).toThrow(
      expect.objectContaining({ code: 'INVALID', message: `${text} is not a valid domain` }),
    );
  });
});

describe('parseDnsOption', () => {
  it.each(['ndots:9', 'timeout:3', 'rotate', 'made-up'])('takes %s unchecked', (text) => {
    expect(parseDnsOption(text)).toBe(text);
  });

  it.each(['', 'a b', '#x', 'a\nb', 'x'.repeat(256)])('refuses %j, which would not be one word', (text) => {
    expect(() => parseDnsOption(text)).toThrow(expect.objectContaining({ code: 'INVALID' }));
  });
});

describe('parseNetworkAlias', () => {
  it.each(['myctr', 'db-1', '_svc._tcp', 'a.b.c', 'A_B'])('takes %s', (text) => {
    expect(parseNetworkAlias(text)).toBe(text);
  });

  it.each(['', '.', 'a..b', '-a', 'a-', 'a b', 'ä', 'a.', 'x'.repeat(64)])('refuses %j', (text) => {
    expect(() => parseNetworkAlias(text)).toThrow(/^invalid network alias /);
  });
});

describe('isOwnResolver', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.8.9.10', true],
    ['::1', true],
    ['0:0:0:0:0:0:0:1', true],
    ['10.0.0.1', false],
    ['172.17.0.1', false],
    ['2001:db8::1', false],
    ['128.0.0.1', false],
  ])('%s: %s', (address, expected) => {
    expect(isOwnResolver(address)).toBe(expected);
  });
});
