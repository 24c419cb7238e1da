import type { Query } from './query.js';
import { FIELD, FLAG, TYPE, viewOf } from './wire.js';

/** What travels in one datagram over every path, with room for the headers of IPv6 (the DNS flag day of 2020). */
export const MAX_UDP_REPLY_BYTES = 1232;

/** Our own EDNS record: root name, OPT, our UDP size, no options. */
function optRecord(query: Query, rcode: number): Uint8Array {
  const record = new Uint8Array(11);
  const view = viewOf(record);
  view.setUint16(1, TYPE.OPT);
  view.setUint16(3, MAX_UDP_REPLY_BYTES);
  view.setUint8(5, rcode >> 4);
  view.setUint16(7, query.edns?.dnssecOk ? 0x8000 : 0);
  return record;
}

/** Header, the question exactly as it was asked, and an OPT record when the asker sent one: no records. */
export function errorReply(query: Query, rcode: number): Uint8Array {
  const opt = query.edns === null ? new Uint8Array(0) : optRecord(query, rcode);
  const message = new Uint8Array(query.questionEnd + opt.length);
  message.set(query.bytes.subarray(0, query.questionEnd));
  message.set(opt, query.questionEnd);
  const view = viewOf(message);
  view.setUint16(FIELD.FLAGS, replyFlags(query.flags, rcode));
  view.setUint16(FIELD.ADDITIONALS, opt.length > 0 ? 1 : 0);
  return message;
}

export function replyFlags(queryFlags: number, rcode: number): number {
  return FLAG.QR | (queryFlags & (FLAG.OPCODE | FLAG.RD | FLAG.CD)) | FLAG.RA | (rcode & FLAG.RCODE);
}
