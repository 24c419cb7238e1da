import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Query } from './query.js';
import { MAX_UDP_REPLY_BYTES } from './reply.js';
import { FIELD, FLAG, HEADER_BYTES, RCODE, viewOf } from './wire.js';

/**
 * One question to one server, once.
 *
 * The question travels as the bytes that the guest sent, under an id and from a port that nobody can guess: a socket of
 * its own for every try, connected, so that the kernel lets only that server's datagrams in and tells us of a refusal.
 * A reply counts when id, QR and question are right; others are passed over, for a forger may not end the wait.
 */

export interface Ask {
  readonly server: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Ends the try early: the service is closing. */
  readonly signal: AbortSignal;
}

export type Outcome =
  /** The server's reply under the asker's id, otherwise as it came. */
  { readonly kind: 'reply'; readonly message: Uint8Array } | { readonly kind: 'failed'; readonly reason: string };

const MAX_TCP_MESSAGE_BYTES = 65_535;
const LENGTH_PREFIX_BYTES = 2;

export function askByUdp(query: Query, ask: Ask): Promise<Outcome> {
  const { question, id } = disguise(query);
  return withDeadline(ask, (done) => {
    const socket = createSocket(isIPv6(ask.server) ? 'udp6' : 'udp4');
    socket.on('error', (error) => done(failed(error)));
    socket.on('message', (datagram) => {
      const outcome = readReply(query, id, datagram);
      if (outcome !== null) done(outcome);
    });
    socket.on('connect', () => socket.send(question));
    socket.connect(ask.port, ask.server);
    return () => socket.close();
  });
}

export function askByTcp(query: Query, ask: Ask): Promise<Outcome> {
  const { question, id } = disguise(query);
  return withDeadline(ask, (done) => {
    const socket = connect({ host: ask.server, port: ask.port, noDelay: true });
    const chunks: Buffer[] = [];
    let received = 0;
    socket.on('error', (error) => done(failed(error)));
    socket.on('end', () => done({ kind: 'failed', reason: 'connection closed before the answer' }));
    socket.on('connect', () => socket.write(frame(question)));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received < LENGTH_PREFIX_BYTES) return;
      const stream = Buffer.concat(chunks);
      const length = stream.readUInt16BE();
      if (received < LENGTH_PREFIX_BYTES + length) {
        chunks.splice(0, chunks.length, stream);
        return;
      }
      const reply = readReply(query, id, stream.subarray(LENGTH_PREFIX_BYTES, LENGTH_PREFIX_BYTES + length));
      done(reply ?? { kind: 'failed', reason: 'answer to another question' });
    });
    return () => socket.destroy();
  });
}

/** The two bytes of length in front of a message on a stream. */
function frame(message: Uint8Array): Buffer {
  if (message.length > MAX_TCP_MESSAGE_BYTES) throw new RangeError('DNS message too long for a stream');
  const framed = Buffer.alloc(LENGTH_PREFIX_BYTES + message.length);
  framed.writeUInt16BE(message.length);
  framed.set(message, LENGTH_PREFIX_BYTES);
  return framed;
}

/** The asker's bytes under our id; an EDNS size that would bring fragments is lowered to what passes everywhere. */
function disguise(query: Query): { question: Uint8Array; id: number } {
  const question = Uint8Array.from(query.bytes);
  const view = viewOf(question);
  const id = randomInt(0x1_0000);
  view.setUint16(FIELD.ID, id);
  if (query.edns !== null && query.edns.udpSize > MAX_UDP_REPLY_BYTES) {
    view.setUint16(query.edns.udpSizeOffset, MAX_UDP_REPLY_BYTES);
  }
  return { question, id };
}

/**
 * A reply to this very question, or null. Letter case may differ on the way back, so the asker's own octets are
 * put in place. A server that refuses with a bare header (no question) has failed; it was ours that it could not read.
 */
export function readReply(query: Query, id: number, datagram: Uint8Array): Outcome | null {
  if (datagram.length < HEADER_BYTES) return null;
  const view = viewOf(datagram);
  const flags = view.getUint16(FIELD.FLAGS);
  if (view.getUint16(FIELD.ID) !== id || (flags & FLAG.QR) === 0 || (flags & FLAG.OPCODE) !== 0) return null;
  if (view.getUint16(FIELD.QUESTIONS) === 0 && (flags & FLAG.RCODE) !== RCODE.NOERROR) {
    return { kind: 'failed', reason: `error ${flags & FLAG.RCODE} without a question` };
  }
  if (view.getUint16(FIELD.QUESTIONS) !== 1 || !sameQuestion(query, datagram)) return null;
  const message = Uint8Array.from(datagram);
  viewOf(message).setUint16(FIELD.ID, query.id);
  message.set(query.bytes.subarray(HEADER_BYTES, query.questionEnd), HEADER_BYTES);
  return { kind: 'reply', message };
}

/** Type and class must be equal, the name but for the case of ASCII letters. Length bytes are below 64 and so no letters. */
function sameQuestion(query: Query, datagram: Uint8Array): boolean {
  const nameEnd = query.questionEnd - 4;
  if (datagram.length < query.questionEnd) return false;
  for (let offset = HEADER_BYTES; offset < query.questionEnd; offset++) {
    const ours = query.bytes[offset] ?? 0;
    const theirs = datagram[offset] ?? 0;
    const same = offset < nameEnd ? lower(ours) === lower(theirs) : ours === theirs;
    if (!same) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/** Runs `start` until it reports, the time is up or the service closes; its resources are freed once, whatever came first. */
function withDeadline(ask: Ask, start: (done: (outcome: Outcome) => void) => () => void): Promise<Outcome> {
  return new Promise((resolve) => {
    let free: (() => void) | null = null;
    let settled = false;
    const done = (outcome: Outcome): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      ask.signal.removeEventListener('abort', onAbort);
      free?.();
      resolve(outcome);
    };
    const onAbort = (): void => done({ kind: 'failed', reason: 'closing' });
    const timer = setTimeout(() => done({ kind: 'failed', reason: 'no answer in time' }), ask.timeoutMs);
    ask.signal.addEventListener('abort', onAbort);
    if (ask.signal.aborted) return onAbort();
    free = start(done);
    if (settled) free();
  });
}

function failed(error: Error): Outcome {
  return { kind: 'failed', reason: 'code' in error ? String(error.code) : error.message };
}
