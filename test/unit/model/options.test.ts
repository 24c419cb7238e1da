import { describe, expect, it } from 'vitest';
import { guestEnvironment, parseEnvFile, parseEnvOption } from '../../../src/model/environment.js';
import { mergeHostAccess, NO_HOST_ACCESS, parseHostAccess } from '../../../src/model/host-access.js';
import { parseHostname, parseMtu } from '../../../src/model/limits.js';

describe('parseMtu', () => {
  it.each([
    ['68', 68],
    ['1500', 1500],
    ['65520', 65520],
  ])('takes %s', (text, expected) => {
    expect(parseMtu(text)).toBe(expected);
  });

  it.each(['67', '65521', '-1', '1500.5', '', 'big', '0x5dc', '1e3', '9999999'])('refuses %j', (text) => {
    expect(() => parseMtu(text)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: `invalid MTU number: ${text} (give bytes from 68 to 65520)` }),
    );
  });
});

describe('parseHostname', () => {
  it.each(['web', 'foo.bar.baz', 'A-1', 'a_b', 'a'.repeat(64)])('takes %s', (text) => {
    expect(parseHostname(text)).toBe(text);
  });

  it.each(['', '-web', 'web-', 'web.', 'a b', 'a\n127.0.0.1 b', 'a#b', 'wéb', 'a'.repeat(65)])('refuses %j', (text) => {
    expect(() => parseHostname(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('parseHostAccess', () => {
  it.each([
    ['all', { all: true, ports: [] }],
    ['5432', { all: false, ports: [5432] }],
    ['6379,5432,6379', { all: false, ports: [5432, 6379] }],
  ])('reads %s', (text, expected) => {
    expect(parseHostAccess(text)).toEqual(expected);
  });

  it.each(['', '0', '65536', '80,', ',80', '80-90', 'http', ' 80', 'ALL'])('refuses %j', (text) => {
    expect(() => parseHostAccess(text)).toThrow(/give ports from 1 to 65535 separated by commas, or all/);
  });

  it('adds up', () => {
    const a = parseHostAccess('80');
    expect(mergeHostAccess(a, parseHostAccess('443,80'))).toEqual({ all: false, ports: [80, 443] });
    expect(mergeHostAccess(a, parseHostAccess('all'))).toEqual({ all: true, ports: [] });
    expect(mergeHostAccess(NO_HOST_ACCESS, a)).toEqual(a);
  });
});

describe('environment', () => {
  const caller = { PATH: '/bin', HOME: '/h', TERM: 'xterm', SECRET: 's', EMPTY: '' };

  it.each([
    ['A=b', { A: 'b' }],
    ['A=', { A: '' }],
    ['A=b=c', { A: 'b=c' }],
    ['SECRET', { SECRET: 's' }],
    ['EMPTY', { EMPTY: '' }],
    ['MISSING', {}],
  ])('reads -e %s', (text, expected) => {
    expect(parseEnvOption(text, caller)).toEqual(expected);
  });

  it.each(['', '=x', 'A=\0'])('refuses -e %j', (text) => {
    expect(() => parseEnvOption(text, caller)).toThrow(/invalid environment variable/);
  });

  it('reads an env file', () => {
    const text = '\uFEFF# comment\n\n  A=1\nB="quoted" # kept\r\nSECRET\nMISSING\nA=2\n';
    expect(parseEnvFile(text, 'f', caller)).toEqual({ A: '2', B: '"quoted" # kept', SECRET: 's' });
  });

  it.each([
    ['A=1\n=x\n', "f:2: no variable name on line '=x'"],
    ['A B=1\n', "f:1: variable 'A B' contains whitespaces"],
  ])('names the line of %j', (text, message) => {
    expect(() => parseEnvFile(text, 'f', caller)).toThrow(message);
  });

  it('is the callers, then HOSTNAME, then what was given', () => {
    expect(guestEnvironment({ ...caller, HOSTNAME: 'outer' }, 'web', {}, { SECRET: 'mine' }, false)).toEqual({
      ...caller,
      HOSTNAME: 'web',
      SECRET: 'mine',
    });
    expect(guestEnvironment(caller, 'web', {}, { HOSTNAME: 'given' }, false)['HOSTNAME']).toBe('given');
    expect(guestEnvironment(caller, 'web', {}, {}, true)).toEqual({
      PATH: '/bin',
      HOME: '/h',
      TERM: 'xterm',
      HOSTNAME: 'web',
    });
  });
});
