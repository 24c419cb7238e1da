import type { Query } from './query.js';
import { MAX_UDP_REPLY_BYTES, OPT_BYTES, putOpt } from './reply.js';
import type { ReplyFacts } from './reply-facts.js';
import { CLASS_IN, FIELD, FLAG, HEADER_BYTES, lowerByte, MAX_NAME_BYTES, readUint16, writeUint16 } from './wire.js';

/**
 * What makes one reply fit many askers: the cache, and questions that are asked while the same one is on its way.
 *
 * Such a question is put in neutral form: our id, the flags that change the answer, the question, and an OPT record without options
 * where the asker sent one. The reply is kept without its OPT record (RFC 6891: it speaks of one hop), and each asker gets his
 * own id, his own letter case and, when he sent one, an OPT record of ours. A question with an option that may change the
 * answer (ECS, or one we do not know), with a signature, or for no recursion is nobody else's: it goes as the bytes that came.
 */

/** Flags that may change the answer. */
const MEANINGFUL = FLAG.RD | FLAG.AD | FLAG.CD;
const BIT = { edns: 1, dnssecOk: 2, ad: 4, cd: 8 } as const;
/** Options about the hop and not about the question: cookie, keepalive, padding. */
const HOP_OPTIONS: readonly number[] = [10, 11, 12];
/** Behind the UDP size of an OPT record: four bytes of flags, and the length of the options. */
const OPTIONS_LENGTH_OFFSET = 6;
const OPTION_HEAD_BYTES = 4;
/** Ours, for questions without a reply yet: no upper bits. */
const NO_RCODE = 0;

const scratch = Buffer.alloc(MAX_NAME_BYTES + 3);

/** Equal for questions that may share a reply; null: nobody else's. */
export function shareKey(query: Query): string | null {
  const { bytes, flags, edns, questionEnd } = query;
  if (query.class !== CLASS_IN || (flags & FLAG.RD) === 0 || (flags & ~MEANINGFUL) !== 0) return null;
  if (!hasOnlyHopOptions(query)) return null;
  const nameEnd = questionEnd - 4;
  let length = 0;
  // Length bytes are below 64 and so no letters.
  for (let offset = HEADER_BYTES; offset < nameEnd; offset++) scratch[length++] = lowerByte(bytes[offset] ?? 0);
  scratch[length++] = query.type >> 8;
  scratch[length++] = query.type & 0xff;
  scratch[length++] =
    (edns === null ? 0 : BIT.edns) |
    (edns?.dnssecOk ? BIT.dnssecOk : 0) |
    ((flags & FLAG.AD) === 0 ? 0 : BIT.ad) |
    ((flags & FLAG.CD) === 0 ? 0 : BIT.cd);
  return scratch.toString('latin1', 0, length);
}

/** The question as it is asked for everybody; its id is still to be given. */
export function neutralQuery({ bytes, flags, edns, questionEnd }: Query): Uint8Array {
  const message = new Uint8Array(questionEnd + (edns === null ? 0 : OPT_BYTES));
  message.set(bytes.subarray(0, questionEnd));
  writeUint16(message, FIELD.FLAGS, flags & MEANINGFUL);
  putOpt(message, questionEnd, { edns }, NO_RCODE);
  return message;
}

/**
 * The asker's own bytes, but for two things. Flags that no question has are taken out: there are servers that meet a TC bit or an rcode with
 * silence. An EDNS size that would bring fragments is lowered to what passes everywhere.
 */
export function privateQuery({ bytes, flags, edns }: Query): Uint8Array {
  const message = Uint8Array.from(bytes);
  writeUint16(message, FIELD.FLAGS, flags & MEANINGFUL);
  if (edns !== null && edns.udpSize > MAX_UDP_REPLY_BYTES)
    writeUint16(message, edns.udpSizeOffset, MAX_UDP_REPLY_BYTES);
  return message;
}

/** A reply that fits every asker of its key. */
export interface SharedReply {
  /** Up to the OPT record. Nobody writes into it. */
  readonly message: Uint8Array;
  readonly facts: Pick<ReplyFacts, 'rcode' | 'additionals' | 'ttlOffsets'>;
}

/** The reply as this asker is to see it. @param age seconds that it was kept; null: it has just come */
export function tailor(query: Query, { message, facts }: SharedReply, age: number | null): Uint8Array {
  const out = new Uint8Array(message.length + (query.edns === null ? 0 : OPT_BYTES));
  out.set(message);
  out.set(query.bytes.subarray(HEADER_BYTES, query.questionEnd), HEADER_BYTES);
  writeUint16(out, FIELD.ID, query.id);
  putOpt(out, message.length, query, facts.rcode);
  writeUint16(out, FIELD.ADDITIONALS, facts.additionals + (query.edns === null ? 0 : 1));
  if (age === null) return out;
  writeUint16(out, FIELD.FLAGS, readUint16(out, FIELD.FLAGS) & ~FLAG.AA);
  if (age > 0) for (const offset of facts.ttlOffsets) lowerTtl(out, offset, age);
  return out;
}

function lowerTtl(message: Uint8Array, offset: number, age: number): void {
  const ttl = readUint16(message, offset) * 0x1_0000 + readUint16(message, offset + 2);
  const left = Math.max(0, ttl - age);
  writeUint16(message, offset, Math.floor(left / 0x1_0000));
  writeUint16(message, offset + 2, left & 0xffff);
}

/** Nothing behind the question, or an OPT record whose options do not matter. */
function hasOnlyHopOptions({ bytes, edns }: Query): boolean {
  const additionals = readUint16(bytes, FIELD.ADDITIONALS);
  if (edns === null) return additionals === 0;
  if (additionals !== 1) return false;
  const lengthOffset = edns.udpSizeOffset + OPTIONS_LENGTH_OFFSET;
  let offset = lengthOffset + 2;
  while (offset < bytes.length) {
    if (offset + OPTION_HEAD_BYTES > bytes.length || !HOP_OPTIONS.includes(readUint16(bytes, offset))) return false;
    offset += OPTION_HEAD_BYTES + readUint16(bytes, offset + 2);
  }
  return offset === bytes.length;
}
