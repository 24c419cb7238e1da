import type { Query } from './query.js';
import { MAX_UDP_REPLY_BYTES } from './reply.js';
import { FIELD, FLAG, HEADER_BYTES, skipName, skipRecord, TYPE, viewOf } from './wire.js';

/** What a client without EDNS can be sent (RFC 1035). */
export const MIN_UDP_REPLY_BYTES = 512;

/** The largest datagram that this asker takes and that needs no fragments on the way. */
export function udpReplyLimit(query: Query): number {
  if (query.edns === null) return MIN_UDP_REPLY_BYTES;
  return Math.max(MIN_UDP_REPLY_BYTES, Math.min(query.edns.udpSize, MAX_UDP_REPLY_BYTES));
}

/**
 * Cuts a reply to `limit` bytes at the end of a whole record and says so with the TC bit: the asker comes back by
 * TCP. Clients that have no TCP (musl before 1.2.4) live on the records that fit. An OPT record of the reply is kept.
 * A reply whose records do not add up is cut behind the question.
 */
export function cutReply(message: Uint8Array, limit: number): Uint8Array {
  if (message.length <= limit) return message;
  const view = viewOf(message);
  const question = questionSpan(message);
  const opt = question === null ? null : findOpt(message, question);
  const room = limit - (opt === null ? 0 : opt.length);

  let end = question ?? HEADER_BYTES;
  const kept = [0, 0];
  if (question !== null) {
    sections: for (const [index, field] of [FIELD.ANSWERS, FIELD.AUTHORITIES].entries()) {
      for (let count = view.getUint16(field); count > 0; count--) {
        const record = skipRecord(message, end);
        if (record === null || record.end > room) break sections;
        end = record.end;
        kept[index] = (kept[index] ?? 0) + 1;
      }
    }
  }
  const cut = new Uint8Array(end + (opt?.length ?? 0));
  cut.set(message.subarray(0, end));
  if (opt !== null) cut.set(opt, end);
  const out = viewOf(cut);
  out.setUint16(FIELD.FLAGS, view.getUint16(FIELD.FLAGS) | FLAG.TC);
  out.setUint16(FIELD.QUESTIONS, question === null ? 0 : 1);
  out.setUint16(FIELD.ANSWERS, kept[0] ?? 0);
  out.setUint16(FIELD.AUTHORITIES, kept[1] ?? 0);
  out.setUint16(FIELD.ADDITIONALS, opt === null ? 0 : 1);
  return cut;
}

function questionSpan(message: Uint8Array): number | null {
  if (viewOf(message).getUint16(FIELD.QUESTIONS) !== 1) return null;
  const nameEnd = skipName(message, HEADER_BYTES, { pointers: false });
  return nameEnd !== null && nameEnd + 4 <= message.length ? nameEnd + 4 : null;
}

/** The OPT record of a reply. Bounded by the packet: every record takes eleven bytes at least. */
function findOpt(message: Uint8Array, start: number): Uint8Array | null {
  const view = viewOf(message);
  const before = view.getUint16(FIELD.ANSWERS) + view.getUint16(FIELD.AUTHORITIES);
  const records = before + view.getUint16(FIELD.ADDITIONALS);
  let offset = start;
  for (let index = 0; index < records; index++) {
    const record = skipRecord(message, offset);
    if (record === null) return null;
    const rootName = record.fixed === offset + 1;
    if (index >= before && record.type === TYPE.OPT && rootName)
      return optIfSmall(message.subarray(offset, record.end));
    offset = record.end;
  }
  return null;
}

/** Options of a size that leaves no room for an answer are not worth carrying. */
function optIfSmall(record: Uint8Array): Uint8Array | null {
  return record.length <= MIN_UDP_REPLY_BYTES / 4 ? record : null;
}
