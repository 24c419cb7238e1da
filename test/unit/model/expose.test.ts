import { describe, expect, it } from 'vitest';
import { parseExposed } from '../../../src/model/expose.js';

const tcp = (...ports: number[]) => ports.map((port) => ({ port, protocol: 'tcp' }));

describe('parseExposed', () => {
  it.each([
    ['vector 34', '8080-8082/tcp', tcp(8080, 8081, 8082)],
    ['one port', '5432', tcp(5432)],
    ['an empty protocol', '80/', tcp(80)],
    ['any case', '53/UDP', [{ port: 53, protocol: 'udp' }]],
    ['a protocol that nobody knows (§3.2)', '8080/ncp', [{ port: 8080, protocol: 'ncp' }]],
    ['the ends of the range', '65535-65535', tcp(65535)],
  ])('%s: %s', (_, text, ports) => {
    expect(parseExposed([text])).toEqual({ ports, seen: true });
  });

  it('adds up values, equal ports once', () => {
    expect(parseExposed(['80', '79-81/tcp', '80/udp']).ports).toEqual([
      ...tcp(80, 79, 81),
      { port: 80, protocol: 'udp' },
    ]);
  });

  it('turns seen ports off by none, beside declared ones too (Decision 8)', () => {
    expect(parseExposed([])).toEqual({ ports: [], seen: true });
    expect(parseExposed(['none'])).toEqual({ ports: [], seen: false });
    expect(parseExposed(['none', '80'])).toEqual({ ports: tcp(80), seen: false });
  });

  it.each([
    ['80:80', 'invalid port format for --expose: 80:80; give PORT[-PORT][/PROTO]|none, as in 5432/tcp'],
    ['', 'invalid range format for --expose: ; give PORT[-PORT][/PROTO]|none, ports 1 to 65535'],
    ['90-80', 'invalid range format for --expose: 90-80; give PORT[-PORT][/PROTO]|none, ports 1 to 65535'],
    ['0', 'invalid range format for --expose: 0; give PORT[-PORT][/PROTO]|none, ports 1 to 65535'],
    ['65536', 'invalid range format for --expose: 65536; give PORT[-PORT][/PROTO]|none, ports 1 to 65535'],
    ['http', 'invalid range format for --expose: http; give PORT[-PORT][/PROTO]|none, ports 1 to 65535'],
    ['-80', 'invalid range format for --expose: -80; give PORT[-PORT][/PROTO]|none, ports 1 to 65535'],
    ['80/t p', 'invalid proto: t p; give --expose PORT[-PORT][/PROTO]|none'],
    ['1-65535', 'too many exposed ports: --expose takes 8192 in all'],
  ])('refuses %j', (text, message) => {
    expect(() => parseExposed([text])).toThrow(expect.objectContaining({ code: 'INVALID', message }));
  });
});
