import { StringDecoder } from 'node:string_decoder';

/** The lines of a byte stream, without their line ends; empty lines are left out. */
export async function* readLines(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let pending: string[] = [];
  for await (const chunk of stream) {
    const text = typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk));
    const pieces = text.split('\n');
    for (const piece of pieces.slice(0, -1)) {
      const line = pending.join('') + piece;
      pending = [];
      if (line !== '') yield line;
    }
    pending.push(pieces.at(-1) ?? '');
  }
  const last = pending.join('') + decoder.end();
  if (last !== '') yield last;
}
