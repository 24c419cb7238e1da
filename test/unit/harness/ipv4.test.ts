import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeIpv4, encodeIpv4, headerChecksum } from '../../harness/ipv4.js';

const SAMPLE = '4500003c1c4640004006b1e6ac100a63ac100a0c';

describe('the IPv4 oracle', () => {
  it('agrees with a header from a textbook', () => {
    const bytes = Buffer.concat([Buffer.from(SAMPLE, 'hex'), Buffer.alloc(40)]);
    expect(headerChecksum(bytes)).toBe(0xb1e6);
    expect(bytes.toString('hex', 0, 20)).toBe(SAMPLE);
    expect(decodeIpv4(bytes)).toMatchObject({
      sourceIp: '172.16.10.99',
      destinationIp: '172.16.10.12',
      protocol: 6,
      ttl: 64,
    });
  });

  it('reads back what it wrote', () => {
    const fields = fc.record({
      dscp: fc.nat(63),
      ecn: fc.nat(3),
      identification: fc.nat(65_535),
      flags: fc.nat(7),
      fragmentOffset: fc.nat(8191),
      ttl: fc.nat(255),
      protocol: fc.nat(255),
      sourceIp: fc.ipV4(),
      destinationIp: fc.ipV4(),
      data: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(fields, (packet) => {
        const bytes = encodeIpv4(packet);
        const read = decodeIpv4(Buffer.concat([bytes, Buffer.alloc(6)]));
        expect(read).toMatchObject(packet);
        expect(read.checksum).toBe(headerChecksum(bytes));
      }),
    );
  });

  it.each([
    ['one byte', '45'],
    ['IPv6', `60${'00'.repeat(39)}`],
    ['options', `46${SAMPLE.slice(2)}00000000`],
    ['a total length beyond the packet', SAMPLE],
    ['a total length shorter than the header', `45000005${SAMPLE.slice(8)}`],
  ])('refuses %s', (_what, hex) => {
    expect(() => decodeIpv4(Buffer.from(hex, 'hex'))).toThrow(RangeError);
  });

  it('refuses an address that the codec would turn into another', () => {
    const data = Buffer.alloc(0);
    expect(() => encodeIpv4({ sourceIp: '1.2.3', destinationIp: '1.2.3.4', data })).toThrow(TypeError);
  });
});
