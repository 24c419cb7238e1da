import type { Query } from './query.js';
import { FIELD, FLAG, TYPE, writeUint16 } from './wire.js';

/** What travels in one datagram over every path, with room for the headers of IPv6 (the DNS flag day of 2020). */
export const MAX_UDP_REPLY_BYTES = 1232;

/** Root name, OPT, our UDP size, no options. */
export const OPT_BYTES = 11;

/**
 * Writes our own EDNS record where the asker sent one, and the number of additional records, which is that. The upper bits of an
 * extended rcode stand in it.
 */
export function putOpt(message: Uint8Array, offset: number, { edns }: Pick<Query, 'edns'>, rcode: number): void {
  writeUint16(message, FIELD.ADDITIONALS, edns === null ? 0 : 1);
  if (edns === null) return;
  writeUint16(message, offset + 1, TYPE.OPT);
  writeUint16(message, offset + 3, MAX_UDP_REPLY_BYTES);
  message[offset + 5] = rcode >> 4;
  writeUint16(message, offset + 7, edns.dnssecOk ? 0x8000 : 0);
}

/** Header, the question exactly as it was asked, and an OPT record when the asker sent one: no records. */
export function errorReply(query: Query, rcode: number): Uint8Array {
  const end = query.questionEnd;
  const message = new Uint8Array(end + (query.edns === null ? 0 : OPT_BYTES));
  message.set(query.bytes.subarray(0, end));
  writeUint16(message, FIELD.FLAGS, replyFlags(query.flags, rcode));
  putOpt(message, end, query, rcode);
  return message;
}

export function replyFlags(queryFlags: number, rcode: number): number {
  return FLAG.QR | (queryFlags & (FLAG.OPCODE | FLAG.RD | FLAG.CD)) | FLAG.RA | (rcode & FLAG.RCODE);
}
