import { randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import {
  type Ask,
  CLOSING,
  failure,
  NO_ANSWER,
  NO_DESCRIPTOR,
  OTHER_ANSWER,
  type Outcome,
  readReply,
  type Sent,
} from './outcome.js';
import { Places } from './places.js';
import { FIELD, writeUint16 } from './wire.js';

/** Connections to servers at once; each holds a descriptor of the daemon. */
export const MAX_CONNECTIONS = 128;
const LENGTH_PREFIX_BYTES = 2;
const IDS = 0x1_0000;

/** Questions by TCP: one on each connection, for replies that do not fit a datagram. They are few, and shared out. */
export class TcpAsker {
  readonly #open = new Map<Socket, (outcome: Outcome) => void>();
  readonly #places = new Places({ total: MAX_CONNECTIONS });
  #closed = false;

  ask(sent: Sent, { server, asker, port, timeoutMs, over }: Ask): Promise<Outcome> {
    if (this.#closed) return Promise.resolve(CLOSING);
    if (over?.isOver) return Promise.resolve(NO_ANSWER);
    if (!this.#places.take(server, asker)) return Promise.resolve(NO_DESCRIPTOR);
    return new Promise((resolve) => {
      const id = randomInt(IDS);
      const socket = connect({ host: server, port, noDelay: true });
      const done = (outcome: Outcome): void => {
        if (!this.#open.delete(socket)) return;
        clearTimeout(timer);
        this.#places.leave(server, asker);
        socket.destroy();
        resolve(outcome);
      };
      const timer = setTimeout(() => done(NO_ANSWER), timeoutMs);
      over?.onEnd(() => done(NO_ANSWER));
      this.#open.set(socket, done);
      const reader = new FrameReader();
      socket.on('error', (error) => done(failure(error)));
      socket.on('end', () => done({ kind: 'failed', reason: 'connection closed before the answer' }));
      socket.on('connect', () => socket.write(frame(sent.message, id)));
      socket.on('data', (chunk) => {
        const message = reader.push(chunk);
        if (message !== null) done(readReply(sent, id, message) ?? OTHER_ANSWER);
      });
    });
  }

  close(): void {
    this.#closed = true;
    for (const done of [...this.#open.values()]) done(CLOSING);
  }
}

/** The first message of a stream, its two bytes of length in front; it may come in pieces of any size. */
class FrameReader {
  readonly #chunks: Buffer[] = [];
  #received = 0;
  #needed = LENGTH_PREFIX_BYTES;

  /** The message when it is whole, else null. Nothing more may be pushed then. */
  push(chunk: Buffer): Uint8Array | null {
    this.#chunks.push(chunk);
    this.#received += chunk.length;
    if (this.#received < this.#needed) return null;
    const stream = Buffer.concat(this.#chunks);
    this.#needed = LENGTH_PREFIX_BYTES + stream.readUInt16BE();
    if (this.#received >= this.#needed) return stream.subarray(LENGTH_PREFIX_BYTES, this.#needed);
    this.#chunks.splice(0, this.#chunks.length, stream);
    return null;
  }
}

function frame(message: Uint8Array, id: number): Buffer {
  const framed = Buffer.alloc(LENGTH_PREFIX_BYTES + message.length);
  framed.writeUInt16BE(message.length);
  framed.set(message, LENGTH_PREFIX_BYTES);
  writeUint16(framed, LENGTH_PREFIX_BYTES + FIELD.ID, id);
  return framed;
}
