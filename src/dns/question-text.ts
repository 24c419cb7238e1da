import { UnetError } from '../model/errors.js';
import { CLASS_IN, FIELD, FLAG, HEADER_BYTES, MAX_LABEL_BYTES, MAX_NAME_BYTES, TYPE, writeUint16 } from './wire.js';

/** Types by number only: `TYPE65`, as in RFC 3597. */
const NUMBERED = /^TYPE(\d{1,5})$/;
/** What no person asks about: pseudo-records and transfers. */
const NOT_ASKED: readonly string[] = ['OPT', 'TSIG', 'IXFR', 'AXFR'];

/** The type's number. @throws UnetError INVALID */
export function parseType(text: string): number {
  const name = text.toUpperCase();
  const known = Object.entries(TYPE).find(([key]) => key === name && !NOT_ASKED.includes(key))?.[1];
  const number = known ?? Number(NUMBERED.exec(name)?.[1] ?? 0);
  if (number >= 1 && number <= 0xffff && !NOT_ASKED.includes(typeName(number))) return number;
  const names = Object.keys(TYPE).filter((key) => !NOT_ASKED.includes(key));
  throw new UnetError(
    'INVALID',
    `${text} is no record type to ask for: one of ${names.join(', ')}, or TYPE and a number`,
  );
}

export function typeName(type: number): string {
  return Object.entries(TYPE).find(([, number]) => number === type)?.[0] ?? `TYPE${type}`;
}

/** A question as a client's library builds it. @throws UnetError INVALID */
export function buildQuestion(name: string, type: number, udpSize: number): Uint8Array {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  const labels = bare === '' && name === '.' ? [] : bare.split('.');
  const fits = labels.every((label) => label.length > 0 && label.length <= MAX_LABEL_BYTES && /^[!-~]+$/.test(label));
  if (!fits || bare.length > MAX_NAME_BYTES - 2) {
    throw new UnetError('INVALID', `'${name}' is not a name that DNS can carry: labels of 1 to 63 ASCII characters`);
  }
  const encoded = Buffer.concat([...labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)])), ZERO]);
  const message = Buffer.alloc(HEADER_BYTES + encoded.length + 4 + OPT_BYTES);
  writeUint16(message, FIELD.FLAGS, FLAG.RD);
  writeUint16(message, FIELD.QUESTIONS, 1);
  writeUint16(message, FIELD.ADDITIONALS, 1);
  message.set(encoded, HEADER_BYTES);
  writeUint16(message, HEADER_BYTES + encoded.length, type);
  writeUint16(message, HEADER_BYTES + encoded.length + 2, CLASS_IN);
  writeUint16(message, message.length - OPT_BYTES + 1, TYPE.OPT);
  writeUint16(message, message.length - OPT_BYTES + 3, udpSize);
  return message;
}

const ZERO = Buffer.alloc(1);
const OPT_BYTES = 11;
