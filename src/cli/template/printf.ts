import { goQuote } from '../render/go-quote.js';
import { formatExponential, formatShortest } from './format-number.js';
import { MAX_STRING, MAX_WIDTH } from './limits.js';
import { printScalar, printValue } from './print.js';
import { TextBuilder } from './text-builder.js';
import { typeName, type Value } from './value.js';

/** One verb: `%-10.3s`. */
interface Verb {
  readonly letter: string;
  readonly flags: string;
  readonly width: number;
  /** Null: none was given. */
  readonly precision: number | null;
}

const VERB = /%([-+# 0]*)(\d*)(?:\.(\d*))?(.)?/gsu;

/**
 * Go's fmt.Sprintf with the verbs that templates use: v s q d x X o b c U t e f g T and %%, with flags, width and precision. What does not
 * fit shows in the text, as there: `%!d(string=hi)`, `%!d(MISSING)`, `%!(EXTRA int=3)`.
 *
 * Limit: JSON has one kind of number, so `%d` takes any whole number and `%f` any number at all. No `*` and no `[n]`.
 *
 * @throws TemplateError execute where it would be too long
 */
export function sprintf(format: string, values: readonly Value[]): string {
  const out = new TextBuilder(MAX_STRING);
  let [at, used] = [0, 0];
  for (const match of format.matchAll(VERB)) {
    out.add(format.slice(at, match.index));
    at = match.index + match[0].length;
    const [, flags = '', width = '', precision, letter] = match;
    if (letter === undefined) out.add('%!(NOVERB)');
    else if (letter === '%') out.add('%');
    else if (Number(width) > MAX_WIDTH) out.add('%!(BADWIDTH)');
    else if (Number(precision ?? 0) > MAX_WIDTH) out.add('%!(BADPREC)');
    else if (used >= values.length) out.add(`%!${letter}(MISSING)`);
    else {
      const verb = {
        letter,
        flags,
        width: Number(width),
        precision: precision === undefined ? null : Number(precision),
      };
      out.add(formatValue(verb, values[used++]));
    }
  }
  out.add(format.slice(at));
  if (used < values.length) out.add(`%!(EXTRA ${values.slice(used).map(typeAndValue).join(', ')})`);
  return out.toString();
}

function formatValue(verb: Verb, value: Value): string {
  if (verb.letter === 'T') return pad(verb, typeName(value));
  if (verb.letter !== 'v') return printValue(value, (scalar, nested) => formatScalar(verb, scalar, nested));
  // The plus sign is for the names of fields, not for numbers.
  const plain = { ...verb, flags: verb.flags.replaceAll('+', '') };
  const fieldNames = /[+#]/.test(verb.flags);
  return printValue(value, (scalar, nested) => formatScalar(plain, scalar, nested), { fieldNames });
}

function formatScalar(verb: Verb, value: undefined | null | boolean | number | string, nested: boolean): string {
  return formatKnown(verb, value, nested) ?? `%!${verb.letter}(${typeAndValue(value)})`;
}

/** Undefined: the verb is not for such a value. */
function formatKnown(
  verb: Verb,
  value: undefined | null | boolean | number | string,
  nested: boolean,
): string | undefined {
  if (typeof value === 'string') return formatString(verb, value);
  if (typeof value === 'number') return formatNumber(verb, value);
  if (typeof value === 'boolean') return formatBoolean(verb, value);
  return verb.letter === 'v' || nested ? pad(verb, '<nil>') : undefined;
}

function formatString(verb: Verb, value: string): string | undefined {
  switch (verb.letter) {
    case 'v':
      return pad(verb, verb.flags.includes('#') ? goQuote(value) : cut(verb, value));
    case 's':
      return pad(verb, cut(verb, value));
    case 'q': {
      const text = cut(verb, value);
      const isRaw = verb.flags.includes('#') && !/[`\p{Cc}\ufeff]/u.test(text);
      return pad(verb, isRaw ? `\`${text}\`` : goQuote(text));
    }
    case 'x':
    case 'X':
      return pad(verb, hexOfBytes(verb, value));
    default:
      return undefined;
  }
}

function formatBoolean(verb: Verb, value: boolean): string | undefined {
  return verb.letter === 't' || verb.letter === 'v' ? pad(verb, String(value)) : undefined;
}

function formatNumber(verb: Verb, value: number): string | undefined {
  const { letter, precision } = verb;
  if (letter === 'v') return padNumber(verb, Number.isInteger(value) ? String(value) : formatShortest(value));
  if (letter === 'e' || letter === 'E') return padNumber(verb, upper(verb, formatExponential(value, precision ?? 6)));
  if (letter === 'f' || letter === 'F') return padNumber(verb, value.toFixed(Math.min(precision ?? 6, 100)));
  if (letter === 'g' || letter === 'G') return padNumber(verb, upper(verb, general(value, precision)));
  return Number.isInteger(value) ? formatInteger(verb, value) : undefined;
}

const BASES: Readonly<Record<string, number>> = { b: 2, d: 10, o: 8, x: 16, X: 16 };
const BASE_PREFIX: Readonly<Record<string, string>> = { b: '0b', o: '0', x: '0x', X: '0X' };

function formatInteger(verb: Verb, value: number): string | undefined {
  const { letter, flags, precision } = verb;
  const base = BASES[letter];
  if (base !== undefined) {
    const digits = upper(verb, Math.abs(value).toString(base)).padStart(precision ?? 0, '0');
    return padNumber(verb, `${value < 0 ? '-' : ''}${flags.includes('#') ? (BASE_PREFIX[letter] ?? '') : ''}${digits}`);
  }
  const character = value >= 0 && value <= 0x10ffff ? String.fromCodePoint(value) : '\ufffd';
  if (letter === 'c') return pad(verb, character);
  if (letter === 'q') return pad(verb, goQuote(character, "'"));
  if (letter === 'U') return pad(verb, `U+${value.toString(16).toUpperCase().padStart(4, '0')}`);
  return undefined;
}

/** `%.3g`: significant digits, without zeros at the end. */
function general(value: number, precision: number | null): string {
  if (precision === null) return formatShortest(value);
  const digits = Math.min(Math.max(precision, 1), 100);
  return formatShortest(Number(value.toPrecision(digits)), digits);
}

function hexOfBytes({ letter, flags, precision }: Verb, value: string): string {
  const bytes = Buffer.from(value).subarray(0, precision ?? undefined);
  const hex = flags.includes(' ')
    ? [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    : bytes.toString('hex');
  return letter === 'X' ? hex.toUpperCase() : hex;
}

function cut({ precision }: Verb, text: string): string {
  return precision === null ? text : [...text].slice(0, precision).join('');
}

function upper({ letter }: Verb, text: string): string {
  return letter === letter.toUpperCase() ? text.toUpperCase() : text;
}

/** Zeros go between the sign and the digits. */
function padNumber(verb: Verb, text: string): string {
  const { flags, width } = verb;
  const sign = text.startsWith('-') ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const digits = text.replace(/^[-+]/, '');
  const zeros = flags.includes('0') && !flags.includes('-') && (verb.precision === null || !(verb.letter in BASES));
  return pad(
    { ...verb, flags: flags.replaceAll('0', '') },
    sign + (zeros ? digits.padStart(width - sign.length, '0') : digits),
  );
}

/** To the width in characters. */
function pad({ flags, width }: Verb, text: string): string {
  const missing = width - [...text.slice(0, 2 * MAX_WIDTH)].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  return (flags.includes('0') ? '0' : ' ').repeat(missing) + text;
}

function typeAndValue(value: Value): string {
  return value === undefined || value === null ? '<nil>' : `${typeName(value)}=${printValue(value, printScalar)}`;
}
