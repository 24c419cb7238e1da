/**
 * The few facts of the DNS wire format that are needed before a decoder may see a packet, and to cut or check one
 * without decoding it. Everything here is told by its length first and never throws.
 */

export const HEADER_BYTES = 12;
/** A name on the wire, its length bytes and the root label counted (RFC 1035, 2.3.4). */
export const MAX_NAME_BYTES = 255;
export const MAX_LABEL_BYTES = 63;

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  HTTPS: 65,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;
export const CLASS_IN = 1;
export const CLASS_ANY = 255;

export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const;

export const FLAG = {
  QR: 0x8000,
  OPCODE: 0x7800,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  AD: 0x0020,
  CD: 0x0010,
  RCODE: 0x000f,
} as const;

/** Offsets of the 16-bit fields of the header. */
export const FIELD = { ID: 0, FLAGS: 2, QUESTIONS: 4, ANSWERS: 6, AUTHORITIES: 8, ADDITIONALS: 10 } as const;

const POINTER = 0xc0;
/** Type, class, time to live, data length. */
const RECORD_FIXED_BYTES = 10;

export function readUint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

export function writeUint16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = (value >> 8) & 0xff;
  bytes[offset + 1] = value & 0xff;
}

/** An ASCII letter in lower case; every other byte as it is. */
export function lowerByte(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The offset behind the name that begins at `start`, or null. A pointer ends a name; it is not followed, for nobody here
 * needs to know where it leads. `pointers: false` refuses it: a question has nothing to point back at.
 */
export function skipName(bytes: Uint8Array, start: number, { pointers }: { pointers: boolean }): number | null {
  let offset = start;
  for (;;) {
    const length = bytes[offset];
    if (length === undefined) return null;
    if (length === 0) return offset + 1 - start <= MAX_NAME_BYTES ? offset + 1 : null;
    if ((length & POINTER) === POINTER) return pointers && offset + 2 <= bytes.length ? offset + 2 : null;
    if (length > MAX_LABEL_BYTES) return null;
    offset += 1 + length;
    if (offset - start > MAX_NAME_BYTES) return null;
  }
}

export interface RecordSpan {
  readonly type: number;
  /** Where the type field stands: class, time to live and data length follow it. */
  readonly fixed: number;
  readonly end: number;
}

/** The record that begins at `start`, or null when it does not lie within the packet. */
export function skipRecord(bytes: Uint8Array, start: number): RecordSpan | null {
  const fixed = skipName(bytes, start, { pointers: true });
  if (fixed === null || fixed + RECORD_FIXED_BYTES > bytes.length) return null;
  const view = viewOf(bytes);
  const end = fixed + RECORD_FIXED_BYTES + view.getUint16(fixed + 8);
  return end <= bytes.length ? { type: view.getUint16(fixed), fixed, end } : null;
}
