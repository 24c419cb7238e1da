import { parseError } from './template-error.js';

/**
 * Cuts a template into tokens: text as it stands, and what stands between `{{` and `}}`. A `-` with a space towards the inside of an action
 * takes the white space off the text on its side; comments are nothing.
 */
export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'string'
  | 'rawString'
  | 'character'
  | 'number'
  | 'field'
  | 'variable'
  | 'word'
  | 'dot'
  | '('
  | ')'
  | '|'
  | '='
  | ':='
  | ','
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** Strings without their quotes, fields without their dot. */
  readonly text: string;
  readonly from: number;
  readonly to: number;
  readonly line: number;
  /** White space stands before it. */
  readonly spaced: boolean;
}

const SPACE = ' \t\r\n';
const NAME = /[\p{L}\p{Nd}_]+/uy;
const NUMBER = /[+-]?(?:0[xXbBoO][0-9a-fA-F_.]*|[0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9_]*)?)/y;
const STRING = /"(?:[^"\\\n]|\\[^\n])*"/y;
const CHARACTER = /'(?:[^'\\\n]|\\[^\n])*'/y;
/** What may follow a name. */
const TERMINATORS = ' \t\r\n.,|:=)(}';

/** @throws TemplateError parse */
export function tokenize(template: string): Token[] {
  return new Lexer(template).run();
}

class Lexer {
  readonly #input: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  #spaced = false;
  #parentheses = 0;

  constructor(input: string) {
    this.#input = input;
  }

  run(): Token[] {
    let trim = false;
    while (this.#at < this.#input.length) trim = this.#textAndAction(trim);
    this.#emit('end', this.#at, '');
    return this.#tokens;
  }

  /** Text up to the next action and the action; true: what follows loses its leading white space. */
  #textAndAction(trim: boolean): boolean {
    if (trim) this.#skipSpace();
    const open = this.#input.indexOf('{{', this.#at);
    const end = open < 0 ? this.#input.length : open;
    const trimsLeft = open >= 0 && this.#input[open + 2] === '-' && isSpace(this.#input[open + 3]);
    const text = this.#input.slice(this.#at, end);
    const kept = trimsLeft ? text.replace(/[ \t\r\n]+$/, '') : text;
    if (kept !== '') this.#emit('text', this.#at + kept.length, kept);
    this.#moveTo(end);
    if (open < 0) return false;
    const inside = open + (trimsLeft ? 4 : 2);
    const comment = this.#commentAt(inside);
    return comment ?? this.#action(inside);
  }

  /** Undefined: there is none. Between the marker and the comment there may be one space, the marker's own. */
  #commentAt(inside: number): boolean | undefined {
    if (!this.#input.startsWith('/*', inside)) return undefined;
    const end = this.#input.indexOf('*/', inside + 2);
    if (end < 0) throw this.#error('unclosed comment');
    this.#moveTo(end + 2);
    const close = this.#closeAt(end + 2);
    if (!close) throw this.#error('comment ends before closing delimiter');
    this.#moveTo(close.to);
    return close.trims;
  }

  #action(inside: number): boolean {
    this.#emit('open', inside, '{{');
    this.#moveTo(inside);
    this.#parentheses = 0;
    this.#spaced = false;
    for (;;) {
      const close = this.#closeAt(this.#at);
      if (close) {
        if (this.#parentheses > 0) throw this.#error('unclosed left paren');
        this.#emit('close', close.to, '}}');
        this.#moveTo(close.to);
        return close.trims;
      }
      if (this.#at >= this.#input.length) throw this.#error('unclosed action');
      this.#tokenOrSpace();
    }
  }

  #closeAt(at: number): { to: number; trims: boolean } | null {
    if (this.#input.startsWith('}}', at)) return { to: at + 2, trims: false };
    return isSpace(this.#input[at]) && this.#input.startsWith('-}}', at + 1) ? { to: at + 4, trims: true } : null;
  }

  #tokenOrSpace(): void {
    const character = this.#input[this.#at] ?? '';
    if (isSpace(character)) {
      this.#moveTo(this.#at + 1);
      this.#spaced = true;
      return;
    }
    this.#token(character);
    this.#spaced = false;
  }

  #token(character: string): void {
    const next = this.#input[this.#at + 1] ?? '';
    if (character === '"') this.#quoted('string', STRING, 'unterminated quoted string');
    else if (character === "'") this.#quoted('character', CHARACTER, 'unterminated character constant');
    else if (character === '`') this.#rawString();
    else if (character === '$') this.#name('variable', 1);
    else if (character === '.' && !isDigit(next)) this.#name('field', 1);
    else if ('+-.'.includes(character) || isDigit(character)) this.#number();
    else if (character === ':') this.#declaration(next);
    else if (character === '(' || character === ')') this.#parenthesis(character);
    else if (character === '|' || character === '=' || character === ',') this.#take(character, 1);
    else if (matchAt(NAME, this.#input, this.#at) !== '') this.#name('word', 0);
    else throw this.#unexpected('unexpected', ' in command');
  }

  #declaration(next: string): void {
    if (next !== '=') throw this.#error('expected :=');
    this.#take(':=', 2);
  }

  #parenthesis(character: '(' | ')'): void {
    this.#parentheses += character === '(' ? 1 : -1;
    if (this.#parentheses < 0) throw this.#error('unexpected right paren');
    this.#take(character, 1);
  }

  #quoted(kind: 'string' | 'character', pattern: RegExp, problem: string): void {
    const text = matchAt(pattern, this.#input, this.#at);
    if (text === '') throw this.#error(problem);
    this.#take(kind, text.length, text.slice(1, -1));
  }

  #rawString(): void {
    const end = this.#input.indexOf('`', this.#at + 1);
    if (end < 0) throw this.#error('unterminated raw quoted string');
    this.#take('rawString', end + 1 - this.#at, this.#input.slice(this.#at + 1, end));
  }

  #number(): void {
    const text = matchAt(NUMBER, this.#input, this.#at);
    const rest = matchAt(NAME, this.#input, this.#at + text.length);
    if (text === '' || rest !== '') throw this.#error(`bad number syntax: ${JSON.stringify(text + rest)}`);
    this.#take('number', text.length, text);
  }

  /** `prefix`: characters before the name proper, which may be missing behind a dot or a dollar sign. */
  #name(kind: 'field' | 'variable' | 'word', prefix: number): void {
    const name = matchAt(NAME, this.#input, this.#at + prefix);
    const length = prefix + name.length;
    const next = this.#input[this.#at + length];
    if (next !== undefined && !TERMINATORS.includes(next)) {
      this.#moveTo(this.#at + length);
      throw this.#unexpected('bad character', '');
    }
    this.#take(kind === 'field' && name === '' ? 'dot' : kind, length, name);
  }

  #take(kind: TokenKind, length: number, text: string = this.#input.slice(this.#at, this.#at + length)): void {
    this.#emit(kind, this.#at + length, text);
    this.#moveTo(this.#at + length);
  }

  #emit(kind: TokenKind, to: number, text: string): void {
    this.#tokens.push({ kind, text, from: this.#at, to, line: this.#line, spaced: this.#spaced });
  }

  #skipSpace(): void {
    let end = this.#at;
    while (isSpace(this.#input[end])) end++;
    this.#moveTo(end);
  }

  #moveTo(end: number): void {
    for (let at = this.#at; at < end; at++) if (this.#input[at] === '\n') this.#line++;
    this.#at = end;
  }

  #unexpected(what: string, where: string) {
    const character = String.fromCodePoint(this.#input.codePointAt(this.#at) ?? 0);
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return this.#error(
      `${what} U+${code}${/^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character) ? ` '${character}'` : ''}${where}`,
    );
  }

  #error(message: string) {
    return parseError(this.#line, message);
  }
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

function isSpace(character: string | undefined): boolean {
  return character !== undefined && character !== '' && SPACE.includes(character);
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9';
}
