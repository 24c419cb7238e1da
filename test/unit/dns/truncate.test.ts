import { encode } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutReply, udpReplyLimit } from '../../../src/dns/truncate.js';
import { admitted, question, read } from './questions.js';

function reply(records: number, { opt = false } = {}): Buffer {
  return encode({
    type: 'response',
    id: 1,
    questions: [{ type: 'A', name: 'big.example' }],
    answers: Array.from({ length: records }, (_, i) => ({
      type: 'A' as const,
      name: 'big.example',
      ttl: 60,
      data: `10.0.${i >> 8}.${i & 255}`,
    })),
    additionals: opt
      ? [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: 4096,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ]
      : [],
  });
}

describe('udpReplyLimit', () => {
  it.each([
    [undefined, 512],
    [100, 512],
    [800, 800],
    [1232, 1232],
    [4096, 1232],
  ])('of EDNS size %s is %s', (udpSize, limit) => {
    expect(udpReplyLimit(admitted(question('a', udpSize === undefined ? {} : { udpSize })))).toBe(limit);
  });
});

describe('cutReply', () => {
  it('leaves what fits as it is', () => {
    const message = reply(3);
    expect(cutReply(message, 512)).toBe(message);
  });

  it('keeps whole records, sets TC and keeps the OPT record', () => {
    const cut = cutReply(reply(100, { opt: true }), 512);
    const { tc, answers, opts } = read(cut);
    expect(tc).toBe(true);
    expect(opts).toBe(1);
    expect(answers.length).toBeGreaterThan(10);
    expect(answers.every(({ data }) => typeof data === 'string' && data.startsWith('10.0.'))).toBe(true);
    expect(cut.length).toBeLessThanOrEqual(512);
  });

  it('never exceeds the limit and stays readable, whatever the server sent', () => {
    fc.assert(
      fc.property(
        fc.nat(120),
        fc.array(fc.tuple(fc.nat(2500), fc.nat(255)), { maxLength: 8 }),
        fc.integer({ min: 512, max: 1232 }),
        (records, edits, limit) => {
          const message = reply(records, { opt: true });
          for (const [at, value] of edits) if (at >= 12 && at < message.length) message[at] = value;
          const cut = cutReply(message, limit);
          expect(cut.length).toBeLessThanOrEqual(Math.max(limit, 12));
          if (message.length > limit) expect((cut[2] ?? 0) & 0x02).toBe(0x02);
        },
      ),
      { numRuns: 500 },
    );
  });
});
