import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Query } from './query.js';
import { encodeName, isPlainName } from './question-name.js';
import { OPT_BYTES, putOpt, replyFlags } from './reply.js';
import { CLASS_IN, FIELD, FLAG, HEADER_BYTES, RCODE, TYPE, writeUint16 } from './wire.js';

/**
 * Answers out of our own knowledge, written by hand: three kinds of record, all of the name that was asked, which is two bytes that
 * point to the question. dns-packet takes four microseconds for one and repeats the name in each; the tests read with it what is
 * written here.
 */

/** An address may be another container's in a moment: five seconds of memory is what a restart can bear. */
export const TTL_SECONDS = 5;
/** More would not fit a datagram, and no client tries more. */
export const MAX_ADDRESSES = 32;

/** Pointer to the question's name, type, class, time to live, length of data. */
const RECORD_HEAD_BYTES = 12;
const QUESTION_NAME_POINTER = 0xc000 | HEADER_BYTES;
const V4_BYTES = 4;
const V6_BYTES = 16;

/** The addresses of the family that was asked for; none of it is an answer too: the name is there, that kind of record is not. */
export function addressReply(query: Query, addresses: readonly string[]): Uint8Array {
  const v4 = query.type === TYPE.A || query.type === TYPE.ANY ? addresses.filter(isIPv4) : [];
  const v6 = query.type === TYPE.AAAA || query.type === TYPE.ANY ? addresses.filter(isIPv6) : [];
  const records = [...v4, ...v6].slice(0, MAX_ADDRESSES);
  const size = records.reduce((sum, address) => sum + RECORD_HEAD_BYTES + sizeOf(address), 0);
  return ownReply(query, { rcode: RCODE.NOERROR, records: records.length, size }, (message, start) => {
    let offset = start;
    for (const address of records) {
      const length = sizeOf(address);
      offset = putHead(message, offset, length === V4_BYTES ? TYPE.A : TYPE.AAAA, length);
      if (length === V4_BYTES) putV4(message, offset, address);
      else message.set(ipaddr.IPv6.parse(address).toByteArray(), offset);
      offset += length;
    }
  });
}

/** The name of an address. A name that does not fit the wire format is our fault and an honest SERVFAIL. */
export function pointerReply(query: Query, target: string): Uint8Array {
  if (query.type !== TYPE.PTR && query.type !== TYPE.ANY) return addressReply(query, []);
  if (!isPlainName(target)) return ownReply(query, { rcode: RCODE.SERVFAIL, records: 0, size: 0 });
  const name = encodeName(target);
  const size = RECORD_HEAD_BYTES + name.length;
  return ownReply(query, { rcode: RCODE.NOERROR, records: 1, size }, (message, start) => {
    message.set(name, putHead(message, start, TYPE.PTR, name.length));
  });
}

export function nameErrorReply(query: Query): Uint8Array {
  return ownReply(query, { rcode: RCODE.NXDOMAIN, records: 0, size: 0 });
}

interface Body {
  readonly rcode: number;
  readonly records: number;
  /** Bytes of the records. */
  readonly size: number;
}

/** Header, the question octet for octet, the records, and an OPT where the asker sent one. Our names have no other source than us: AA. */
function ownReply(query: Query, body: Body, fill?: (message: Uint8Array, start: number) => void): Uint8Array {
  const start = query.questionEnd;
  const end = start + body.size;
  const message = new Uint8Array(end + (query.edns === null ? 0 : OPT_BYTES));
  message.set(query.bytes.subarray(0, start));
  writeUint16(message, FIELD.FLAGS, replyFlags(query.flags, body.rcode) | FLAG.AA);
  writeUint16(message, FIELD.ANSWERS, body.records);
  fill?.(message, start);
  putOpt(message, end, query, body.rcode);
  return message;
}

/** Gives back where the data begins. */
function putHead(message: Uint8Array, offset: number, type: number, length: number): number {
  writeUint16(message, offset, QUESTION_NAME_POINTER);
  writeUint16(message, offset + 2, type);
  writeUint16(message, offset + 4, CLASS_IN);
  writeUint16(message, offset + 8, TTL_SECONDS);
  writeUint16(message, offset + 10, length);
  return offset + RECORD_HEAD_BYTES;
}

function putV4(message: Uint8Array, offset: number, address: string): void {
  let octet = 0;
  let at = offset;
  for (let index = 0; index < address.length; index++) {
    const code = address.charCodeAt(index);
    if (code === 0x2e) {
      message[at++] = octet;
      octet = 0;
    } else octet = octet * 10 + code - 0x30;
  }
  message[at] = octet;
}

function sizeOf(address: string): number {
  return address.includes(':') ? V6_BYTES : V4_BYTES;
}
