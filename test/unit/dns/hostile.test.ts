import { decode } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admit } from '../../../src/dns/admit.js';
import { showRecords } from '../../../src/dns/records.js';
import { examine } from '../../../src/dns/reply-facts.js';
import { decide, localReply, type Zone } from '../../../src/dns/resolver.js';
import { neutralQuery, shareKey, tailor } from '../../../src/dns/share.js';
import { cutReply, udpReplyLimit } from '../../../src/dns/truncate.js';
import { replyTo } from './fake-upstream.js';
import { admitted, question } from './questions.js';

/** Everything is ours here: whatever gets in is answered. */
const greedy: Zone = {
  lookup: (_asker, name) =>
    name.length % 3 === 0
      ? { rule: 'name', owners: [], addresses: [] }
      : {
          rule: 'name',
          owners: [],
          addresses: Array.from({ length: 40 }, (_, i) => (i % 2 ? `10.0.0.${i}` : `fd00::${i}`)),
        },
  reverse: () => 'some.where',
  owns: () => true,
  search: () => ['example', '.', ''],
};

const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 8 });
function edited(base: Uint8Array, changes: [number, number][], length: number): Buffer {
  const bytes = Buffer.from(base);
  for (const [at, value] of changes) bytes[at % bytes.length] = value;
  return length === 0 ? bytes : bytes.subarray(0, length);
}
const questions = fc.constantFrom(
  question('db'),
  question('a.b.example', { udpSize: 1232, type: 'AAAA' }),
  question('2.0.17.172.in-addr.arpa', { type: 'PTR', udpSize: 512 }),
  question('x.ip6.arpa', { type: 'PTR' }),
);
const packets = fc.oneof(
  fc.tuple(questions, edits, fc.nat(60)).map(([base, changes, length]) => edited(base, changes, length)),
  fc.uint8Array({ maxLength: 600 }),
);

describe('arbitrary bytes as a question', () => {
  it('never throw, are never answered when they are an answer, and get replies that a client can read', () => {
    fc.assert(
      fc.property(packets, (bytes) => {
        const admission = admit(bytes);
        if (((bytes[2] ?? 0) & 0x80) !== 0) expect(admission.kind).toBe('drop');
        if (admission.kind === 'reply') expect(wellFormed(admission.message)).toBe(true);
        if (admission.kind !== 'query') return;
        const { query } = admission;
        const reply = localReply(query, decide(query, 'x', greedy));
        if (reply === null) return;
        const sent = cutReply(reply, udpReplyLimit(query));
        expect(sent.length).toBeLessThanOrEqual(udpReplyLimit(query));
        expect(sent.length).toBeLessThanOrEqual(1232);
        expect(examine(reply)?.wholeEnd).toBe(reply.length);
        expect(examine(sent)?.wholeEnd).toBe(sent.length);
        // The library reads what was written by hand.
        const packet = decode(Buffer.from(sent));
        expect(packet.type).toBe('response');
        expect(packet.id).toBe(query.id);
        expect(packet.additionals?.length).toBe(query.edns === null ? 0 : 1);
      }),
      { numRuns: 3000 },
    );
  });

  it('are put in a form for everybody that is admitted again, and has the same key', () => {
    fc.assert(
      fc.property(packets, (bytes) => {
        const admission = admit(bytes);
        if (admission.kind !== 'query') return;
        const key = shareKey(admission.query);
        if (key === null) return;
        const again = admit(neutralQuery(admission.query));
        expect(again.kind === 'query' && shareKey(again.query)).toBe(key);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('arbitrary bytes as a reply', () => {
  const base = replyTo(question('outside.example'), '192.0.2.1', { count: 5 });

  it('never throw, and what is passed on adds up and is no longer than it was', () => {
    const query = admitted(question('outside.example', { udpSize: 1232 }));
    const replies = fc.tuple(edits, fc.nat(150)).map(([changes, length]) => edited(base, changes, length));
    fc.assert(
      fc.property(fc.oneof(replies, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        const facts = examine(bytes);
        expect(showRecords(bytes).length).toBeLessThanOrEqual(64);
        if (facts === null) return;
        expect(facts.end).toBeLessThanOrEqual(facts.wholeEnd);
        expect(facts.wholeEnd).toBeLessThanOrEqual(bytes.length);
        for (const offset of facts.ttlOffsets) expect(offset + 4).toBeLessThanOrEqual(facts.end);
        if (facts.end < query.questionEnd) return;
        const message = Uint8Array.from(bytes.subarray(0, facts.end));
        const out = tailor(query, { message, facts }, 7);
        expect(out.length).toBe(facts.end + 11);
      }),
      { numRuns: 3000 },
    );
  });

  it('show no control characters to a terminal, follow no pointer forwards, and end', () => {
    const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
    const header = hex('0001 8180 0001 0001 0000 0000');
    const asked = hex('01 61 00 0010 0001');
    const record = (type: string, data: string) => {
      const bytes = hex(data);
      return Buffer.concat([hex(`c00c ${type} 0001 0000003c`), Buffer.from([0, bytes.length]), bytes]);
    };
    const data = (type: string, bytes: string) =>
      showRecords(Buffer.concat([header, asked, record(type, bytes)]))[0]?.data;
    expect(data('0010', '04 1b5b324a')).toBe('"\\027[2J"');
    expect(data('0010', 'ff 61')).toBe('"a"');
    // The record's data begins at offset 31: a name that points at itself, and one that points ahead.
    expect(data('0005', 'c01f')).toBe('…');
    expect(data('0005', 'c0ff')).toBe('…');
    expect(data('0005', '0162 c00c')).toBe('b.a.');
    expect(data('0001', '0a000001 00')).toBe('\\# 5 0a00000100');
    expect(data('001c', '20010db8000000000000000000000001')).toBe('2001:db8::1');
    expect(data('001c', '00000000000000000000000000000000')).toBe('::');
    // SSHFP with a hash that the library does not know stalls it: it is shown as bytes.
    expect(data('002c', '01090000')).toBe('\\# 4 01090000');
  });
});

function wellFormed(message: Uint8Array): boolean {
  return message.length === 12 || examine(message)?.wholeEnd === message.length;
}
