import { describe, expect, it } from 'vitest';
import { formatExtraHost, parseExtraHost } from '../../../src/model/extra-host.js';

const FORM = 'NAME:IP|NAME=IP|NAME:host-gateway';

describe('parseExtraHost', () => {
  it.each([
    ['vector 94', 'myhost=[192.168.0.1]', 'myhost:192.168.0.1'],
    ['vector 95', 'ipv6local=0:0:0:0:0:0:0:1', 'ipv6local:0:0:0:0:0:0:0:1'],
    ['a colon', 'myhost:192.168.0.1', 'myhost:192.168.0.1'],
    ['IPv6 behind a colon', 'anipv6host:2003:ab34:e::1', 'anipv6host:2003:ab34:e::1'],
    ['IPv6 loopback behind a colon', 'ipv6local:::1', 'ipv6local:::1'],
    ['brackets behind a colon', 'ipv6local:[::1]', 'ipv6local:::1'],
    ['host-gateway', 'gw:host-gateway', 'gw:host-gateway'],
    ['host-gateway by =', 'gw=host-gateway', 'gw:host-gateway'],
  ])('%s: %s', (_, text, expected) => {
    expect(formatExtraHost(parseExtraHost(text))).toBe(expected);
  });

  it.each(['', 'myhost', '=1.2.3.4', ':1.2.3.4', '::1', 'a:b=1.2.3.4', 'a b=1.2.3.4', '#a=1.2.3.4', 'a\nb=1.2.3.4'])(
    'finds no name in %j',
    (text) => {
      const message = `bad format for add-host: ${JSON.stringify(text)}; give ${FORM}`;
      expect(() => parseExtraHost(text)).toThrow(expect.objectContaining({ code: 'INVALID', message }));
    },
  );

  it.each([
    ['myhost=', ''],
    ['myhost=192.notanipaddress.1', '192.notanipaddress.1'],
    ['anipv6host:::::1', '::::1'],
    ['ipv6local:::0::', '::0::'],
    ['v6=fe80::1%eth0', 'fe80::1%eth0'],
    ['v6=[::1', '[::1'],
    ['x=127.0.0.1\n6.6.6.6 bank', '127.0.0.1\n6.6.6.6 bank'],
    ['x=HOST-GATEWAY', 'HOST-GATEWAY'],
  ])('finds no address in %j', (text, address) => {
    const message = `invalid IP address in add-host: ${JSON.stringify(address)}; give ${FORM}`;
    expect(() => parseExtraHost(text)).toThrow(expect.objectContaining({ code: 'INVALID', message }));
  });
});
