import { describe, expect, it } from 'vitest';
import { canonicalAddress } from '../../../src/model/ip-address.js';

describe('canonicalAddress', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8:0:0::53', '2001:db8::53'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::ffff:7f00:1', '127.0.0.1'],
    ['0:0:0:0:0:FFFF:7f00:0001', '127.0.0.1'],
  ])('%s is %s', (text, expected) => {
    expect(canonicalAddress(text)).toBe(expected);
  });

  it.each(['', 'x', '1.2.3', '1.2.3.4.5', '01.2.3.4', '[::1]', 'fe80::1%eth0', ' 1.2.3.4'])('%j is none', (text) => {
    expect(canonicalAddress(text)).toBeNull();
  });
});
