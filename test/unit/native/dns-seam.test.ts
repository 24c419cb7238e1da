import { describe, expect, it } from 'vitest';
import {
  AnswerBatch,
  ARENA_BYTES,
  type GuestQuestion,
  type GuestReply,
  readAnswers,
  readDns,
  writeQuestion,
} from '../../../src/native/dns-seam.js';

const FAR = 2 ** 40 + 7;

function crossed(records: readonly (GuestQuestion | GuestReply)[]): (GuestQuestion | GuestReply)[] {
  const arena = Buffer.alloc(ARENA_BYTES, 0xee);
  let length = 0;
  for (const record of records) length = writeQuestion(arena, length, record);
  const seen: (GuestQuestion | GuestReply)[] = [];
  const push = (record: GuestQuestion | GuestReply) => seen.push(record);
  expect(readDns(arena, length, { onQuestion: push, onReply: push })).toBe(records.length);
  // What was read is a copy: the buffer is used again.
  arena.fill(0);
  return seen;
}

describe('questions at the border', () => {
  it('come out as they went in, many in one buffer', () => {
    const records = [
      { endpoint: 'a1'.repeat(32), transport: 'udp', data: Buffer.from('first'), query: 1 },
      { query: 2, message: Buffer.from('a reply') },
      { endpoint: 'b2', transport: 'tcp', data: Buffer.alloc(4096, 7), query: FAR },
      { query: FAR, message: null },
      { endpoint: '', transport: 'udp', data: Buffer.alloc(0), query: 3 },
    ] as const;
    expect(crossed(records)).toEqual(records);
  });
});

describe('answers at the border', () => {
  function batch() {
    const sent: ReturnType<typeof readAnswers>[] = [];
    return { sent, answers: new AnswerBatch((records, length) => sent.push(readAnswers(records, length))) };
  }

  it('leave together when all that is due has been done', async () => {
    const { sent, answers } = batch();
    await Promise.all([1, 2, FAR].map(async (query) => answers.add(query, Buffer.from(`to ${query}`))));
    answers.add(4, null);
    expect(sent).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toEqual([
      [
        { query: 1, message: Buffer.from('to 1') },
        { query: 2, message: Buffer.from('to 2') },
        { query: FAR, message: Buffer.from(`to ${FAR}`) },
        { query: 4, message: null },
      ],
    ]);
  });

  it('do not wait for each other when they are many or large', () => {
    const { sent, answers } = batch();
    for (let query = 1; query <= 100; query++) answers.add(query, Buffer.alloc(10));
    expect(sent.flat().length).toBeGreaterThan(64);
    for (let query = 1; query <= 10; query++) answers.add(query, Buffer.alloc(65_535));
    answers.flush();
    expect(sent.flat()).toHaveLength(110);
    expect(sent.flat().at(-1)?.message?.length).toBe(65_535);
  });

  it('that no length can say are none', () => {
    const { sent, answers } = batch();
    answers.add(1, Buffer.alloc(65_536));
    answers.flush();
    expect(sent).toEqual([[{ query: 1, message: null }]]);
  });
});
