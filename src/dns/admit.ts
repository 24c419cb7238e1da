import type { Edns, Query } from './query.js';
import { errorReply, replyFlags } from './reply.js';
import { CLASS_IN, FIELD, FLAG, HEADER_BYTES, RCODE, skipName, skipRecord, TYPE, viewOf } from './wire.js';

/**
 * The gate before the decoder.
 *
 * Guests send what they like. dns-packet, which decodes names for us, loops for a fifth of a second on a packet of 27
 * bytes and allocates megabytes for one of 12, because it trusts the counts in the header. So nothing reaches it
 * before this file has walked the packet once, by lengths alone: one question, no answers, at most an OPT and a TSIG
 * behind it, and not a byte more. What does not fit is answered with an error built from the header, or not at all.
 */

/** Larger than any question in use; EDNS options of 4 KiB are an attack. */
export const MAX_QUERY_BYTES = 4096;
const MAX_ADDITIONALS = 2;
/** Type and class. */
const QUESTION_TAIL_BYTES = 4;

export type Admission =
  | { readonly kind: 'query'; readonly query: Query }
  /** Refused with this message. */
  | { readonly kind: 'reply'; readonly message: Uint8Array }
  /** Not even an error: too short to answer, or itself an answer (two servers would talk forever). */
  | { readonly kind: 'drop' };

export function admit(bytes: Uint8Array): Admission {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_QUERY_BYTES) return { kind: 'drop' };
  const view = viewOf(bytes);
  const flags = view.getUint16(FIELD.FLAGS);
  if ((flags & FLAG.QR) !== 0) return { kind: 'drop' };
  if ((flags & FLAG.OPCODE) !== 0) return refusal(bytes, RCODE.NOTIMP);
  const one = view.getUint16(FIELD.QUESTIONS) === 1;
  const none = view.getUint16(FIELD.ANSWERS) === 0 && view.getUint16(FIELD.AUTHORITIES) === 0;
  if (!one || !none) return refusal(bytes, RCODE.FORMERR);

  const nameEnd = skipName(bytes, HEADER_BYTES, { pointers: false });
  if (nameEnd === null || nameEnd + QUESTION_TAIL_BYTES > bytes.length) return refusal(bytes, RCODE.FORMERR);
  const questionEnd = nameEnd + QUESTION_TAIL_BYTES;
  const additionals = walkAdditionals(bytes, questionEnd, view.getUint16(FIELD.ADDITIONALS));
  if (additionals === null) return refusal(bytes, RCODE.FORMERR);

  const query: Query = {
    bytes,
    id: view.getUint16(FIELD.ID),
    flags,
    type: view.getUint16(nameEnd),
    class: view.getUint16(nameEnd + 2),
    questionEnd,
    edns: additionals.edns,
  };
  if (query.edns !== null && query.edns.version !== 0)
    return { kind: 'reply', message: errorReply(query, RCODE.BADVERS) };
  if (isZoneTransfer(query)) return { kind: 'reply', message: errorReply(query, RCODE.REFUSED) };
  return { kind: 'query', query };
}

/** At most one OPT, and a TSIG behind it, ending exactly where the packet ends; null for anything else. */
function walkAdditionals(bytes: Uint8Array, start: number, count: number): { edns: Edns | null } | null {
  if (count > MAX_ADDITIONALS) return null;
  let offset = start;
  let edns: Edns | null = null;
  for (let index = 0; index < count; index++) {
    const record = skipRecord(bytes, offset);
    if (record === null) return null;
    if (record.type === TYPE.OPT) {
      const rootName = record.fixed === offset + 1;
      if (edns !== null || !rootName) return null;
      edns = readOpt(bytes, record.fixed);
    } else if (record.type !== TYPE.TSIG || index !== count - 1) {
      return null;
    }
    offset = record.end;
  }
  return offset === bytes.length ? { edns } : null;
}

function readOpt(bytes: Uint8Array, fixed: number): Edns {
  const view = viewOf(bytes);
  return {
    udpSize: view.getUint16(fixed + 2),
    version: view.getUint8(fixed + 5),
    dnssecOk: (view.getUint16(fixed + 6) & 0x8000) !== 0,
    udpSizeOffset: fixed + 2,
  };
}

/** A transfer is many messages on one connection, and nobody's business behind a stub resolver. */
function isZoneTransfer({ type, class: klass }: Query): boolean {
  return klass === CLASS_IN && (type === TYPE.AXFR || type === TYPE.IXFR);
}

/** An error that can name no question, because there is none that can be read. */
function refusal(bytes: Uint8Array, rcode: number): Admission {
  const message = new Uint8Array(HEADER_BYTES);
  message.set(bytes.subarray(0, 2));
  viewOf(message).setUint16(FIELD.FLAGS, replyFlags(viewOf(bytes).getUint16(FIELD.FLAGS), rcode));
  return { kind: 'reply', message };
}
