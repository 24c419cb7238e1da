import { usageError } from './errors.js';

/** What one direction of a link does to frames. */
export interface FaultSpec {
  /** Share of frames, 0 to 1, that are lost; 1: the link is cut. */
  readonly loss: number;
  /** Share of frames that are delivered twice. */
  readonly duplicate: number;
  /** Share of frames that come after later ones. */
  readonly reorder: number;
  /** Microseconds, one way. */
  readonly delayUs: number;
  /** Microseconds, plus or minus; not more than the delay. */
  readonly jitterUs: number;
  /** Bits a second, of Ethernet frames; 0: no limit. */
  readonly rateBits: number;
}

/** Both directions; null: nothing is done to it. */
export interface Faults {
  /** From the container (of a pair: from the first to the second). */
  readonly egress: FaultSpec | null;
  /** Towards it (from the second to the first). */
  readonly ingress: FaultSpec | null;
}

/** What is asked for; a direction that is absent stays as it is. */
export type FaultChange = { -readonly [direction in keyof Faults]?: Faults[direction] };

const NOTHING: FaultSpec = { loss: 0, duplicate: 0, reorder: 0, delayUs: 0, jitterUs: 0, rateBits: 0 };
export const NO_FAULTS: Faults = { egress: null, ingress: null };

export const MAX_DELAY_US = 60_000_000;
/** Beyond it a frame takes less than a nanosecond. */
export const MAX_RATE_BITS = 1e13;

const DIRECTIONS = ['egress', 'ingress'] as const;
/** Of one `--fault`, and of one SPEC of `unet fault`. */
export const FAULT_FORM =
  '[egress:|ingress:]none|partition|loss=P%,reorder=P%,duplicate=P%,delay=TIME,jitter=TIME,rate=RATE';
const SHAPE = `give ${FAULT_FORM} (any of them; P 0 to 100, TIME like 50ms, 200us or 1.5s, RATE like 10mbit)`;

const NUMBER = String.raw`(\d{1,15}(?:\.\d{1,9})?)`;
const PERCENT = new RegExp(`^${NUMBER}%$`);
const TIME = new RegExp(`^${NUMBER}(us|ms|s)$`);
const RATE = new RegExp(`^${NUMBER}(bit|kbit|mbit|gbit)$`);
const MICROSECONDS: Readonly<Record<string, number>> = { s: 1_000_000, ms: 1000, us: 1 };
const BITS: Readonly<Record<string, number>> = { gbit: 1e9, mbit: 1e6, kbit: 1e3, bit: 1 };

/** Each word: its field, how it is read (null: it cannot be), how it is written. */
const WORDS: Readonly<
  Record<string, { field: keyof FaultSpec; read: (text: string) => number | null; write: (value: number) => string }>
> = {
  loss: { field: 'loss', read: readShare, write: writeShare },
  reorder: { field: 'reorder', read: readShare, write: writeShare },
  duplicate: { field: 'duplicate', read: readShare, write: writeShare },
  delay: { field: 'delayUs', read: readTime, write: (value) => withUnit(value, MICROSECONDS) },
  jitter: { field: 'jitterUs', read: readTime, write: (value) => withUnit(value, MICROSECONDS) },
  rate: { field: 'rateBits', read: readRate, write: (value) => withUnit(value, BITS) },
};

/**
 * Reads the SPECs of a command line, each replacing what stood for the directions that it names:
 * `delay=50ms,jitter=5ms`, `egress:rate=10mbit`, `partition`, `none`.
 *
 * @throws UnetError USAGE
 */
export function parseFaults(texts: readonly string[]): FaultChange {
  const change: FaultChange = {};
  for (const text of texts) {
    const [, prefix, body = ''] = /^(?:(egress|ingress):)?(.*)$/s.exec(text) ?? [];
    const spec = parseOne(text, body);
    for (const direction of DIRECTIONS) if (prefix === undefined || prefix === direction) change[direction] = spec;
  }
  return change;
}

/** The SPEC of one direction, without a prefix. */
export function formatFault(spec: FaultSpec | null): string {
  if (!spec) return 'none';
  const words = Object.entries(WORDS).filter(([, { field }]) => spec[field] > 0);
  if (spec.loss === 1 && words.length === 1) return 'partition';
  return words.map(([word, { field, write }]) => `${word}=${write(spec[field])}`).join(',');
}

function parseOne(text: string, body: string): FaultSpec | null {
  if (body === 'none') return null;
  if (body === 'partition') return { ...NOTHING, loss: 1 };
  const spec: { -readonly [field in keyof FaultSpec]: number } = { ...NOTHING };
  const seen = new Set<string>();
  for (const part of body.split(',')) {
    const [word = '', ...rest] = part.split('=');
    const value = Object.hasOwn(WORDS, word) ? WORDS[word]?.read(rest.join('=').toLowerCase()) : null;
    const field = WORDS[word]?.field;
    if (value === null || value === undefined || field === undefined || seen.has(word)) throw invalid(text, SHAPE);
    seen.add(word);
    spec[field] = value;
  }
  if (spec.jitterUs > spec.delayUs) {
    throw invalid(text, 'jitter is plus or minus around delay=TIME and cannot be more than it');
  }
  return Object.values(spec).every((value) => value === 0) ? null : spec;
}

function invalid(text: string, advice: string): Error {
  return usageError(`invalid fault '${text}': ${advice}`);
}

function readShare(text: string): number | null {
  const percent = Number(PERCENT.exec(text)?.[1] ?? Number.NaN);
  return percent <= 100 ? percent / 100 : null;
}

function readTime(text: string): number | null {
  const [, number = '', unit = ''] = TIME.exec(text) ?? [];
  const value = Math.round(Number(number) * (MICROSECONDS[unit] ?? Number.NaN));
  return value <= MAX_DELAY_US ? value : null;
}

/** A line without any bits would be a cut one, and that has a word of its own. */
function readRate(text: string): number | null {
  const [, number = '', unit = ''] = RATE.exec(text) ?? [];
  const value = Math.round(Number(number) * (BITS[unit] ?? Number.NaN));
  return value >= 1 && value <= MAX_RATE_BITS ? value : null;
}

function writeShare(share: number): string {
  return `${Number((share * 100).toPrecision(12))}%`;
}

/** In the largest unit that leaves no zero in front. */
function withUnit(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, size] = Object.entries(units).find(([, size]) => value >= size) ?? ['', 1];
  return `${value / size}${unit}`;
}
