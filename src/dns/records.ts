import type { ShownRecord } from '../model/dns-report.js';
import { typeName } from './question-text.js';
import { examine } from './reply-facts.js';
import { FIELD, HEADER_BYTES, MAX_LABEL_BYTES, readUint16, skipName, skipRecord, TYPE, viewOf } from './wire.js';

/**
 * Records as a person reads them. Only for people: nothing that is forwarded passes through here. dns-packet is not
 * trusted with what a server out there sent (dozens of record types, some of which stall it); here the few types that people
 * ask for are read, and every other is shown as RFC 3597 writes it.
 */

/** A screen full; a person reads no more. */
const MAX_SHOWN = 64;
const MAX_POINTERS = 16;
const MAX_TEXT = 512;

/** The answer section, and for "no such thing" the authority's SOA. */
export function showRecords(message: Uint8Array): ShownRecord[] {
  const facts = examine(message);
  if (facts === null) return [];
  const shown: ShownRecord[] = [];
  let offset = (skipName(message, HEADER_BYTES, { pointers: false }) ?? 0) + 4;
  const answers = readUint16(message, FIELD.ANSWERS);
  for (let index = 0; index < Math.min(answers, MAX_SHOWN); index++) {
    const record = skipRecord(message, offset);
    if (record === null) break;
    const { type, fixed, end } = record;
    const ttl = viewOf(message).getUint32(fixed + 4);
    shown.push({
      name: readName(message, offset),
      type: typeName(type),
      ttl,
      data: readData(message, type, fixed + 10, end),
    });
    offset = end;
  }
  return shown;
}

function readData(message: Uint8Array, type: number, start: number, end: number): string {
  const data = message.subarray(start, end);
  switch (type) {
    case TYPE.A:
      if (data.length === 4) return data.join('.');
      break;
    case TYPE.AAAA:
      if (data.length === 16) return shortV6(data);
      break;
    case TYPE.CNAME:
    case TYPE.NS:
    case TYPE.PTR:
      return readName(message, start);
    case TYPE.MX:
      if (data.length > 2) return `${readUint16(data, 0)} ${readName(message, start + 2)}`;
      break;
    case TYPE.SRV:
      if (data.length > 6) {
        const [priority, weight, port] = [readUint16(data, 0), readUint16(data, 2), readUint16(data, 4)];
        return `${priority} ${weight} ${port} ${readName(message, start + 6)}`;
      }
      break;
    case TYPE.TXT:
      return readTexts(data);
  }
  return `\\# ${data.length} ${Buffer.from(data).toString('hex').slice(0, MAX_TEXT)}`;
}

/** With the dot at its end. Pointers lead backwards, or they are not followed. */
function readName(message: Uint8Array, start: number): string {
  let text = '';
  let offset = start;
  for (let pointers = 0; pointers <= MAX_POINTERS; ) {
    const length = message[offset] ?? 0;
    if (length === 0) return text === '' ? '.' : text;
    if (length <= MAX_LABEL_BYTES) {
      text += `${printable(message.subarray(offset + 1, offset + 1 + length))}.`;
      offset += 1 + length;
      if (text.length > MAX_TEXT) return `${text}…`;
      continue;
    }
    const target = readUint16(message, offset) & 0x3fff;
    if (target >= offset) break;
    offset = target;
    pointers++;
  }
  return `${text}…`;
}

function readTexts(data: Uint8Array): string {
  const texts: string[] = [];
  for (let offset = 0; offset < data.length; offset += 1 + (data[offset] ?? 0)) {
    texts.push(`"${printable(data.subarray(offset + 1, offset + 1 + (data[offset] ?? 0)))}"`);
  }
  return texts.join(' ').slice(0, MAX_TEXT);
}

/** What a terminal may be shown: no control characters, whoever sent them. */
function printable(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) =>
    byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : byte === 0x20
        ? ' '
        : `\\${String(byte).padStart(3, '0')}`,
  ).join('');
}

/** RFC 5952: the longest run of zeros becomes `::`. */
function shortV6(data: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => readUint16(data, index * 2).toString(16));
  const runs = groups.join(':').match(/\b0(?::0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return groups.join(':');
  const [before = '', after = ''] = splitOnce(groups.join(':'), longest);
  return `${before.replace(/:$/, '')}::${after.replace(/^:/, '')}`;
}

function splitOnce(text: string, part: string): [string, string] {
  const at = new RegExp(`(^|:)${part}(:|$)`).exec(text);
  const from = at === null ? 0 : at.index + (at[1]?.length ?? 0);
  return [text.slice(0, from), text.slice(from + part.length)];
}
