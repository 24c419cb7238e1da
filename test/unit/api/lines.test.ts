import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLines } from '../../../src/api/lines.js';

async function collect(chunks: (Uint8Array | string)[]): Promise<string[]> {
  const lines: string[] = [];
  const stream = (async function* () {
    yield* chunks;
  })();
  for await (const line of readLines(stream)) lines.push(line);
  return lines;
}

describe('readLines', () => {
  it('leaves out empty lines and takes an unfinished last one', async () => {
    expect(await collect(['a\n\nb', 'c\nd'])).toEqual(['a', 'bc', 'd']);
    expect(await collect([])).toEqual([]);
  });

  it('does not care where the chunks are cut, not even within a character', async () => {
    const text = fc.array(fc.string({ unit: 'binary', minLength: 1 }).map((line) => line.replaceAll('\n', '_')));
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat({ max: 40 })), async (lines, cuts) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const chunks: Buffer[] = [];
        let start = 0;
        for (const cut of cuts) {
          chunks.push(bytes.subarray(start, start + cut));
          start += cut;
        }
        chunks.push(bytes.subarray(start));
        expect(await collect(chunks)).toEqual(
          bytes
            .toString()
            .split('\n')
            .filter((line) => line !== ''),
        );
      }),
    );
  });
});
