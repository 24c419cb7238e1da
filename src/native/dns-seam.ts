/**
 * DNS questions and answers as they cross the addon's border: many of them in one buffer, because objects of the
 * border's own making cost more than all that is done with a question. The layout stands in native/engine/src/dns/seam.rs.
 */

const HEADER_BYTES = 16;
const KIND = { udp: 0, tcp: 1, reply: 2, noReply: 3 } as const;
const NO_ANSWER = 0xffff_ffff;
const MAX_MESSAGE_BYTES = 65_535;
const MAX_NAME_BYTES = 65_535;
/** A record of any kind fits into what is left of a buffer as long as only half of it is used. */
export const ARENA_BYTES = 2 * (HEADER_BYTES + 2 * 65_536);
/** Answers sent together: the engine delivers these while the next are made. */
const ANSWERS_TOGETHER = 32;

export interface GuestQuestion {
  /** The container that asks. */
  readonly endpoint: string;
  readonly transport: 'udp' | 'tcp';
  /** One message, without the length prefix of TCP; a copy of its own. */
  readonly data: Buffer;
  /** What the answer is to be given with. */
  readonly query: number;
}

export interface GuestReply {
  /** As `askGuest` gave it. */
  readonly query: number;
  /** Null: there will be none. */
  readonly message: Buffer | null;
}

export interface DnsReader {
  readonly onQuestion: (question: GuestQuestion) => void;
  readonly onReply: (reply: GuestReply) => void;
}

/** Reads the records in the first `length` bytes; says how many there were. */
export function readDns(arena: Buffer, length: number, { onQuestion, onReply }: DnsReader): number {
  let offset = 0;
  let count = 0;
  while (offset + HEADER_BYTES <= length) {
    const kind = arena[offset + 4];
    const query = readQuery(arena, offset + 8);
    const nameStart = offset + HEADER_BYTES;
    const start = nameStart + arena.readUInt16LE(offset + 6);
    const end = start + arena.readUInt32LE(offset);
    if (kind === KIND.udp || kind === KIND.tcp) {
      const endpoint = arena.toString('latin1', nameStart, start);
      const transport = kind === KIND.tcp ? 'tcp' : 'udp';
      onQuestion({ endpoint, transport, data: Buffer.from(arena.subarray(start, end)), query });
    } else {
      onReply({ query, message: kind === KIND.reply ? Buffer.from(arena.subarray(start, end)) : null });
    }
    offset = end;
    count++;
  }
  return count;
}

/** Writes one record for the other side; for the fake engine of the tests. Gives back where the next begins. */
export function writeQuestion(arena: Buffer, offset: number, question: GuestQuestion | GuestReply): number {
  const isQuestion = 'endpoint' in question;
  const name = Buffer.from(isQuestion ? question.endpoint : '', 'latin1').subarray(0, MAX_NAME_BYTES);
  const message = isQuestion ? question.data : question.message;
  const kind = isQuestion ? KIND[question.transport] : message === null ? KIND.noReply : KIND.reply;
  writeHeader(arena, offset, message?.length ?? 0, question.query);
  arena[offset + 4] = kind;
  arena.writeUInt16LE(name.length, offset + 6);
  arena.set(name, offset + HEADER_BYTES);
  const start = offset + HEADER_BYTES + name.length;
  if (message !== null) arena.set(message, start);
  return start + (message?.length ?? 0);
}

/** Answers of a batch, each with the number of its question; for the fake engine of the tests. */
export function readAnswers(records: Buffer, length: number): { query: number; message: Buffer | null }[] {
  const answers: { query: number; message: Buffer | null }[] = [];
  for (let offset = 0; offset + HEADER_BYTES <= length; ) {
    const bytes = records.readUInt32LE(offset);
    const query = readQuery(records, offset + 8);
    const start = offset + HEADER_BYTES;
    offset = bytes === NO_ANSWER ? start : start + bytes;
    answers.push({ query, message: bytes === NO_ANSWER ? null : Buffer.from(records.subarray(start, offset)) });
  }
  return answers;
}

/** Gathers answers and hands them over together, at the latest when everything that is due now has been done. */
export class AnswerBatch {
  readonly #send: (records: Buffer, length: number) => void;
  readonly #records = Buffer.allocUnsafeSlow(ARENA_BYTES);
  #used = 0;
  #count = 0;
  #scheduled = false;

  /** `send` gets a buffer that is used again when it returns. */
  constructor(send: (records: Buffer, length: number) => void) {
    this.#send = send;
  }

  /** Null: the question stays unanswered; so does one whose answer no length can say. */
  add(query: number, message: Uint8Array | null): void {
    const fits = message !== null && message.length <= MAX_MESSAGE_BYTES;
    const bytes = HEADER_BYTES + (fits ? message.length : 0);
    if (this.#used + bytes > this.#records.length) this.flush();
    writeHeader(this.#records, this.#used, fits ? message.length : NO_ANSWER, query);
    if (fits) this.#records.set(message, this.#used + HEADER_BYTES);
    this.#used += bytes;
    this.#count++;
    if (this.#count >= ANSWERS_TOGETHER) this.flush();
    else this.#flushSoon();
  }

  flush(): void {
    const length = this.#used;
    this.#used = 0;
    this.#count = 0;
    if (length > 0) this.#send(this.#records, length);
  }

  /** A tick comes behind all promises that are settled by now. */
  #flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      this.flush();
    });
  }
}

function writeHeader(buffer: Buffer, offset: number, length: number, query: number): void {
  buffer.writeUInt32LE(length, offset);
  buffer.writeUInt32LE(0, offset + 4);
  buffer.writeUInt32LE(query % 0x1_0000_0000, offset + 8);
  buffer.writeUInt32LE(Math.floor(query / 0x1_0000_0000), offset + 12);
}

/** The engine counts from one; 2^53 questions are a while. */
function readQuery(buffer: Buffer, offset: number): number {
  return buffer.readUInt32LE(offset) + buffer.readUInt32LE(offset + 4) * 0x1_0000_0000;
}
