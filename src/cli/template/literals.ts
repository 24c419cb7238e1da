/** Go's notations of strings, characters and numbers. Undefined: it is none. */

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
};
const ESCAPE = /\\(?:([abfnrtv\\])|(["'])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y;
const MAX_CODE_POINT = 0x10ffff;

/** What stands between the quotes. `\x` and octal escapes are bytes, as in Go, of UTF-8. */
export function unquote(text: string, quote: '"' | "'"): string | undefined {
  const pieces: Buffer[] = [];
  for (let at = 0; at < text.length; ) {
    const backslash = text.indexOf('\\', at);
    const plain = text.slice(at, backslash < 0 ? text.length : backslash);
    pieces.push(Buffer.from(plain));
    if (backslash < 0) break;
    ESCAPE.lastIndex = backslash;
    const match = ESCAPE.exec(text);
    const bytes = match && escapedBytes(match, quote);
    if (!bytes) return undefined;
    pieces.push(bytes);
    at = ESCAPE.lastIndex;
  }
  return Buffer.concat(pieces).toString();
}

function escapedBytes(match: RegExpExecArray, quote: string): Buffer | undefined {
  const [, simple, quoted, octal, hex, short, long] = match;
  if (simple) return Buffer.from([SIMPLE_ESCAPES[simple] ?? 0]);
  if (quoted) return quoted === quote ? Buffer.from(quoted) : undefined;
  if (octal) return Number.parseInt(octal, 8) > 255 ? undefined : Buffer.from([Number.parseInt(octal, 8)]);
  if (hex) return Buffer.from(hex, 'hex');
  const code = Number.parseInt(short ?? long ?? '', 16);
  const isCharacter = code <= MAX_CODE_POINT && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? Buffer.from(String.fromCodePoint(code)) : undefined;
}

/** `'x'`: the number of the character. */
export function parseCharacter(text: string): number | undefined {
  const characters = [...(unquote(text, "'") ?? '')];
  return characters.length === 1 ? characters[0]?.codePointAt(0) : undefined;
}

const INTEGER = /^[+-]?(?:0[xX](_?[0-9a-fA-F])+|0[bB](_?[01])+|0[oO]?(_?[0-7])+|0|[1-9](_?[0-9])*)$/;
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Undefined also where a JavaScript number would not be exact any more. */
export function parseNumber(text: string): number | undefined {
  if (!INTEGER.test(text)) {
    const float = FLOAT.test(text) && !/^[+-]?0\d/.test(text) ? Number(text) : Number.NaN;
    return Number.isFinite(float) ? float : undefined;
  }
  const digits = text.replace(/[+_-]/g, '').replace(/^0(?=[0-7])/, '0o');
  const value = Number(digits) * (text.startsWith('-') ? -1 : 1);
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}
