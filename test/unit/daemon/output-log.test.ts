import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOutputLog, type ReadLogOptions, readOutputLog } from '../../../src/daemon/output-log.js';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'unet-log-'));
  path = join(directory, 'output.log');
});
afterEach(() => rmSync(directory, { recursive: true }));

const still: ReadLogOptions = {
  follow: false,
  ended: () => true,
  onChange: () => () => {},
  signal: new AbortController().signal,
};

async function read(options: Partial<ReadLogOptions> = {}): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readOutputLog(await openOutputLog(path), { ...still, ...options })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');

describe('readOutputLog', () => {
  it.each([
    [undefined, lines(1, 5)],
    [0, ''],
    [1, lines(5, 5)],
    [5, lines(1, 5)],
    [99, lines(1, 5)],
  ])('gives the last %s', async (tail, expected) => {
    writeFileSync(path, lines(1, 5));
    expect(await read({ tail })).toBe(expected);
  });

  it('finds the tail of a log of many blocks', async () => {
    writeFileSync(path, lines(1, 100_000));
    expect(await read({ tail: 20_000 })).toBe(lines(80_001, 100_000));
    expect(await read()).toBe(lines(1, 100_000));
  });

  it('counts an unfinished last line', async () => {
    writeFileSync(path, 'a\nb\nc');
    expect(await read({ tail: 2 })).toBe('b\nc');
  });

  it('follows until the end and misses nothing', async () => {
    writeFileSync(path, lines(1, 2));
    let ended = false;
    let changed = () => {};
    const reading = read({
      follow: true,
      ended: () => ended,
      onChange: (listener) => {
        changed = listener;
        return () => {};
      },
    });
    for (let line = 3; line <= 6; line++) {
      await new Promise((resolve) => setTimeout(resolve, 15));
      appendFileSync(path, lines(line, line));
    }
    appendFileSync(path, lines(7, 7));
    ended = true;
    changed();
    expect(await reading).toBe(lines(1, 7));
  });

  it('ends when the reader goes away', async () => {
    writeFileSync(path, '');
    const reader = new AbortController();
    const reading = read({ follow: true, ended: () => false, signal: reader.signal });
    setTimeout(() => reader.abort(), 20);
    expect(await reading).toBe('');
  });

  it('says why there is none', async () => {
    await expect(read()).rejects.toMatchObject({ code: 'NOT_FOUND', message: /runs in the foreground/ });
  });
});
