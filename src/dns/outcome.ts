import type { Over } from './over.js';
import { FIELD, FLAG, HEADER_BYTES, lowerByte, RCODE, readUint16 } from './wire.js';

/** What one try at one server brought. */
export type Outcome =
  /** Its reply, under the id it was asked with. */
  | { readonly kind: 'reply'; readonly message: Uint8Array }
  /** The server is there, and has no answer to this question. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** `ours`: no fault of the server's; we have no descriptor left, or are closing. */
  | { readonly kind: 'failed'; readonly reason: string; readonly ours?: true };

/** A question as it goes out, all but its id. */
export interface Sent {
  readonly message: Uint8Array;
  /** The first byte behind the question section. */
  readonly questionEnd: number;
}

export interface Ask {
  readonly server: string;
  /** Whose share it counts for. */
  readonly asker: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Ends the wait: somebody else has answered. */
  readonly over?: Over;
}

export const CLOSING: Outcome = { kind: 'failed', reason: 'closing', ours: true };
export const NO_DESCRIPTOR: Outcome = { kind: 'failed', reason: 'too many questions on their way', ours: true };
export const NO_ANSWER = { kind: 'failed', reason: 'no answer in time' } as const satisfies Outcome;

export const OTHER_ANSWER: Outcome = { kind: 'refused', reason: 'answer to another question' };

/** Errors that say something of this machine and nothing of the server. */
const OUR_OWN_ERRORS: readonly string[] = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EAGAIN'];

export function failure(error: Error): Outcome {
  const reason = 'code' in error ? String(error.code) : error.message;
  return { kind: 'failed', reason, ...(OUR_OWN_ERRORS.includes(reason) && { ours: true as const }) };
}

/**
 * A reply to this very question, or null: a forger may not end the wait. Letter case may differ on the way back. A bare
 * header with an error is what a server says to a question that it cannot read.
 */
export function readReply({ message, questionEnd }: Sent, id: number, datagram: Uint8Array): Outcome | null {
  if (datagram.length < HEADER_BYTES || readUint16(datagram, FIELD.ID) !== id) return null;
  const flags = readUint16(datagram, FIELD.FLAGS);
  if ((flags & FLAG.QR) === 0 || (flags & FLAG.OPCODE) !== 0) return null;
  const questions = readUint16(datagram, FIELD.QUESTIONS);
  if (questions === 0 && (flags & FLAG.RCODE) !== RCODE.NOERROR) {
    return { kind: 'refused', reason: `error ${flags & FLAG.RCODE} without a question` };
  }
  if (questions !== 1 || !sameQuestion(message, datagram, questionEnd)) return null;
  return { kind: 'reply', message: datagram };
}

/** Type and class must be equal, the name but for the case of ASCII letters. Length bytes are below 64 and so no letters. */
function sameQuestion(ours: Uint8Array, theirs: Uint8Array, end: number): boolean {
  if (theirs.length < end) return false;
  const nameEnd = end - 4;
  for (let offset = HEADER_BYTES; offset < end; offset++) {
    const a = ours[offset] ?? 0;
    const b = theirs[offset] ?? 0;
    if (a !== b && (offset >= nameEnd || lowerByte(a) !== lowerByte(b))) return false;
  }
  return true;
}

export function isCut(message: Uint8Array): boolean {
  return (readUint16(message, FIELD.FLAGS) & FLAG.TC) !== 0;
}
