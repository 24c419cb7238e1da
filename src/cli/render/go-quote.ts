const GO_ESCAPES: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
};

/** As Go's strconv.Quote: nothing in it can move the cursor of a terminal. */
export function goQuote(text: string, quote: '"' | "'" = '"'): string {
  const escaped = [...text].map((character) => {
    if (character === quote) return `\\${quote}`;
    const known = GO_ESCAPES[character];
    if (known) return known;
    if (character === ' ' || !/^[\p{C}\p{Z}]$/u.test(character)) return character;
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `${quote}${escaped.join('')}${quote}`;
}
