import { isIPv4, isIPv6 } from 'node:net';
import { type Answer, decode, encode, type StringAnswer } from 'dns-packet';
import type { Query } from './query.js';
import { errorReply, replyFlags } from './reply.js';
import { FIELD, FLAG, HEADER_BYTES, RCODE, TYPE, viewOf } from './wire.js';

/** An address may be another container's in a moment: five seconds of memory is what a restart can bear. */
export const TTL_SECONDS = 5;
/** More would not fit a datagram, and no client tries more. */
export const MAX_ADDRESSES = 32;
/** Letters, digits, hyphen and underscore: what a name of ours can be made of. Other names are not ours and are only forwarded. */
const PLAIN_LABEL = /^[a-z0-9_-]{1,63}$/i;
const MAX_NAME_CHARS = 253;

/**
 * The name that was asked for, without a trailing dot, or null when it is not one that we could own: the root, or a
 * name with bytes that a text cannot carry there and back. Only an admitted query may come here, and the decoder sees its header
 * and its question, nothing behind them.
 */
export function questionName(query: Query): string | null {
  const question = Buffer.from(query.bytes.subarray(0, query.questionEnd));
  question.writeUInt16BE(0, FIELD.ADDITIONALS);
  const name = decode(question).questions?.[0]?.name ?? '';
  return isPlainName(name) && labelsMatch(query, name) ? name : null;
}

/** One label `a.b` decodes to the same text as two: the length bytes tell them apart. */
function labelsMatch(query: Query, name: string): boolean {
  let offset = HEADER_BYTES;
  for (const label of name.split('.')) {
    if (query.bytes[offset] !== label.length) return false;
    offset += 1 + label.length;
  }
  return true;
}

export function isPlainName(name: string): boolean {
  return name.length <= MAX_NAME_CHARS && name.split('.').every((label) => PLAIN_LABEL.test(label));
}

/** The addresses of the family that was asked for; none of it is an answer too: the name is there, that kind of record is not. */
export function addressReply(query: Query, name: string, addresses: readonly string[]): Uint8Array {
  const wanted = addresses.slice(0, MAX_ADDRESSES);
  const answers: StringAnswer[] = [];
  if (query.type === TYPE.A || query.type === TYPE.ANY) {
    for (const data of wanted.filter(isIPv4)) answers.push({ type: 'A', name, ttl: TTL_SECONDS, data });
  }
  if (query.type === TYPE.AAAA || query.type === TYPE.ANY) {
    for (const data of wanted.filter(isIPv6)) answers.push({ type: 'AAAA', name, ttl: TTL_SECONDS, data });
  }
  return encodeReply(query, name, answers);
}

/** The name of an address. A name that does not fit the wire format is our fault and an honest SERVFAIL. */
export function pointerReply(query: Query, name: string, target: string): Uint8Array {
  if (query.type !== TYPE.PTR && query.type !== TYPE.ANY) return encodeReply(query, name, []);
  if (!isPlainName(target)) return errorReply(query, RCODE.SERVFAIL);
  return encodeReply(query, name, [{ type: 'PTR', name, ttl: TTL_SECONDS, data: target }]);
}

export function nameErrorReply(query: Query): Uint8Array {
  return withAuthority(errorReply(query, RCODE.NXDOMAIN));
}

function encodeReply(query: Query, name: string, answers: Answer[]): Uint8Array {
  if (answers.length === 0) return withAuthority(errorReply(query, RCODE.NOERROR));
  const empty = errorReply(query, RCODE.NOERROR);
  const opt = empty.subarray(query.questionEnd);
  const encoded = encode({
    type: 'response',
    id: query.id,
    flags: replyFlags(query.flags, RCODE.NOERROR) & ~FLAG.QR,
    questions: [{ type: 'A', name }],
    answers,
  });
  // The question goes back octet for octet: its type may be one the encoder has no word for.
  encoded.set(query.bytes.subarray(HEADER_BYTES, query.questionEnd), HEADER_BYTES);
  const message = Buffer.concat([encoded, opt]);
  message.writeUInt16BE(opt.length > 0 ? 1 : 0, FIELD.ADDITIONALS);
  return withAuthority(message);
}

/** Our names have no other source than us. */
function withAuthority(message: Uint8Array): Uint8Array {
  const view = viewOf(message);
  view.setUint16(FIELD.FLAGS, view.getUint16(FIELD.FLAGS) | FLAG.AA);
  return message;
}
