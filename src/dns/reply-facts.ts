import { FIELD, FLAG, HEADER_BYTES, RCODE, readUint16, skipName, skipRecord, TYPE, viewOf } from './wire.js';

/**
 * What one walk over a reply tells, without decoding it: whether its records add up, how long it may be kept, where its times to
 * live stand. A reply that does not add up is no reply.
 */

export interface ReplyFacts {
  /** Its upper bits come from the OPT record. */
  readonly rcode: number;
  readonly answers: number;
  readonly authorities: number;
  /** Additional records in front of the OPT record. */
  readonly additionals: number;
  /** Behind the last of the records counted here: the OPT record speaks of one hop, and what stands behind it goes with it. */
  readonly end: number;
  /** Behind the last record of the message. */
  readonly wholeEnd: number;
  /** Where the time to live of each record up to `end` stands. */
  readonly ttlOffsets: readonly number[];
  /** Seconds that it may be kept: the least of its records', for "no such thing" at most the SOA's minimum (RFC 2308). 0: not at all. */
  readonly ttl: number;
  /** No such name, or no such record of it. */
  readonly negative: boolean;
}

/** A time to live with the top bit set is none (RFC 2181, 8). */
const MAX_TTL = 0x7fff_ffff;
const QUESTION_TAIL_BYTES = 4;
/** Type, class: the time to live stands behind them. */
const TTL_OFFSET = 4;
const DATA_OFFSET = 10;
const SOA_MIN_DATA_BYTES = 22;

/** null when it is not one question and whole records. */
export function examine(message: Uint8Array): ReplyFacts | null {
  if (message.length < HEADER_BYTES || readUint16(message, FIELD.QUESTIONS) !== 1) return null;
  const nameEnd = skipName(message, HEADER_BYTES, { pointers: false });
  if (nameEnd === null || nameEnd + QUESTION_TAIL_BYTES > message.length) return null;
  const walk = new Walk(message, nameEnd + QUESTION_TAIL_BYTES, readUint16(message, nameEnd));
  const counts = [FIELD.ANSWERS, FIELD.AUTHORITIES, FIELD.ADDITIONALS].map((field) => readUint16(message, field));
  const [answers = 0, authorities = 0, additionals = 0] = counts;
  const complete = walk.answers(answers) && walk.authorities(authorities) && walk.additionals(additionals);
  return complete ? walk.facts(answers, authorities) : null;
}

class Walk {
  readonly #message: Uint8Array;
  readonly #view: DataView;
  readonly #wanted: number;
  readonly #ttlOffsets: number[] = [];
  #offset: number;
  #ttl = MAX_TTL;
  #found = false;
  #soaMinimum: number | null = null;
  #extendedRcode = 0;
  #kept = 0;
  #end: number | null = null;

  constructor(message: Uint8Array, offset: number, wanted: number) {
    this.#message = message;
    this.#view = viewOf(message);
    this.#offset = offset;
    this.#wanted = wanted;
  }

  answers(count: number): boolean {
    return this.#each(count, (type) => {
      this.#found ||= type === this.#wanted || this.#wanted === TYPE.ANY;
    });
  }

  authorities(count: number): boolean {
    return this.#each(count, (type, fixed, end) => {
      if (type === TYPE.SOA && end - fixed - DATA_OFFSET >= SOA_MIN_DATA_BYTES)
        this.#soaMinimum = plainTtl(this.#view.getUint32(end - 4));
    });
  }

  additionals(count: number): boolean {
    for (let index = 0; index < count; index++) {
      const start = this.#offset;
      const record = skipRecord(this.#message, start);
      if (record === null) return false;
      if (this.#end === null && (record.type === TYPE.OPT || record.type === TYPE.TSIG)) this.#end = start;
      if (record.type === TYPE.OPT) this.#extendedRcode = this.#view.getUint8(record.fixed + TTL_OFFSET);
      if (this.#end === null) {
        this.#note(record.fixed);
        this.#kept++;
      }
      this.#offset = record.end;
    }
    return true;
  }

  facts(answers: number, authorities: number): ReplyFacts {
    const rcode = (readUint16(this.#message, FIELD.FLAGS) & FLAG.RCODE) | (this.#extendedRcode << 4);
    const negative = rcode === RCODE.NXDOMAIN || !this.#found;
    const most = this.#soaMinimum ?? (negative ? 0 : MAX_TTL);
    return {
      rcode,
      answers,
      authorities,
      additionals: this.#kept,
      end: this.#end ?? this.#offset,
      wholeEnd: this.#offset,
      ttlOffsets: this.#ttlOffsets,
      ttl: this.#ttlOffsets.length === 0 ? 0 : Math.min(this.#ttl, most),
      negative,
    };
  }

  #each(count: number, use: (type: number, fixed: number, end: number) => void): boolean {
    for (let index = 0; index < count; index++) {
      const record = skipRecord(this.#message, this.#offset);
      if (record === null) return false;
      this.#note(record.fixed);
      use(record.type, record.fixed, record.end);
      this.#offset = record.end;
    }
    return true;
  }

  #note(fixed: number): void {
    this.#ttlOffsets.push(fixed + TTL_OFFSET);
    this.#ttl = Math.min(this.#ttl, plainTtl(this.#view.getUint32(fixed + TTL_OFFSET)));
  }
}

function plainTtl(value: number): number {
  return value > MAX_TTL ? 0 : value;
}
