import { type Token, type TokenKind, tokenize } from './lexer.js';
import { MAX_NESTING, MAX_TEMPLATE } from './limits.js';
import { parseCharacter, parseNumber, unquote } from './literals.js';
import type { Body, Command, Node, Operand, Pipe } from './nodes.js';
import { parseError, TemplateError } from './template-error.js';

/** Words that begin or end a block and cannot be functions. */
const KEYWORDS = ['if', 'else', 'end', 'range', 'with', 'break', 'continue', 'define', 'template', 'block'];
const NOT_OFFERED = ['define', 'template', 'block'];

/** How a block's list ended. */
interface Closing {
  readonly word: 'end' | 'else';
  /** Of `else if` and `else with`. */
  readonly next: 'if' | 'with' | null;
}

/**
 * Recursive descent over the tokens, as Go's own parser does it.
 *
 * @param isFunction whether a word names a function
 * @throws TemplateError parse
 */
export function parse(template: string, isFunction: (name: string) => boolean): Body {
  if (template.length > MAX_TEMPLATE) {
    throw new TemplateError('parse', `the template is longer than ${MAX_TEMPLATE} characters`);
  }
  return new Parser(tokenize(template), isFunction).run();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #isFunction: (name: string) => boolean;
  #index = 0;
  #depth = 0;
  #loops = 0;
  /** Variables that are known here, the innermost last. */
  #variables: string[] = [''];

  constructor(tokens: readonly Token[], isFunction: (name: string) => boolean) {
    this.#tokens = tokens;
    this.#isFunction = isFunction;
  }

  run(): Body {
    const { nodes, closing } = this.#list();
    if (closing) throw this.#error(`unexpected {{${closing.word}}}`);
    return nodes;
  }

  /** Up to the end of the template, or of the block. */
  #list(): { nodes: Node[]; closing: Closing | null } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#next();
      if (token.kind === 'end') return { nodes, closing: null };
      if (token.kind === 'text') nodes.push({ kind: 'text', text: token.text });
      else {
        const node = this.#action();
        if ('word' in node) return { nodes, closing: node };
        nodes.push(node);
      }
    }
  }

  #action(): Node | Closing {
    const { kind, text } = this.#peek();
    if (kind !== 'word' || !KEYWORDS.includes(text)) {
      const pipe = this.#pipe('command');
      this.#expect('close', 'command');
      return { kind: 'action', pipe };
    }
    if (NOT_OFFERED.includes(text)) throw this.#error(`{{${text}}} is not supported`);
    this.#next();
    if (text === 'end') return this.#closing('end');
    if (text === 'else') return this.#closing('else');
    if (text === 'break' || text === 'continue') {
      if (this.#loops === 0) throw this.#error(`{{${text}}} outside {{range}}`);
      this.#expect('close', `{{${text}}}`);
      return { kind: text };
    }
    return this.#block(text as 'if' | 'with' | 'range');
  }

  #closing(word: 'end' | 'else'): Closing {
    const { kind, text } = this.#peek();
    if (word === 'else' && kind === 'word' && (text === 'if' || text === 'with')) {
      this.#next();
      return { word, next: text };
    }
    this.#expect('close', word);
    return { word, next: null };
  }

  #block(kind: 'if' | 'with' | 'range'): Node {
    return this.#nested(() => {
      const known = this.#variables.length;
      const pipe = this.#pipe(kind);
      this.#expect('close', kind);
      this.#loops += kind === 'range' ? 1 : 0;
      const { nodes: body, closing } = this.#list();
      this.#loops -= kind === 'range' ? 1 : 0;
      const otherwise = this.#otherwise(kind, closing);
      this.#variables.length = known;
      return { kind, pipe, body, otherwise };
    });
  }

  #otherwise(kind: string, closing: Closing | null): Body {
    if (closing === null) throw this.#error('unexpected EOF');
    if (closing.word === 'end') return [];
    if (closing.next !== null) {
      if (closing.next !== kind) throw this.#error(`unexpected <${closing.next}> in {{else}} of {{${kind}}}`);
      // The end of the inner block is the end of both.
      return [this.#block(closing.next)];
    }
    const { nodes, closing: end } = this.#list();
    if (end === null) throw this.#error('unexpected EOF');
    if (end.word !== 'end') throw this.#error('expected end; found {{else}}');
    return nodes;
  }

  #pipe(context: string): Pipe {
    return this.#nested(() => {
      const { from } = this.#peek();
      const { variables, assigns } = this.#declarations(context);
      const commands: Command[] = [this.#command(context)];
      while (this.#accept('|')) {
        // A bar with nothing behind it is no error to Go.
        if (this.#peek().kind === 'close' || this.#peek().kind === ')') break;
        commands.push(this.#stage(commands.length + 1, context));
      }
      // Known from here on only: a variable cannot be its own value.
      if (!assigns) this.#variables.push(...variables);
      return { variables, assigns, commands, from, to: this.#previous().to };
    });
  }

  /** A later stage is given the value before it, so it must be something that takes one. */
  #stage(number: number, context: string): Command {
    const command = this.#command(context);
    const kind = command.operands[0]?.kind;
    if (kind === 'literal' || kind === 'nil' || kind === 'dot') {
      throw this.#error(`non executable command in pipeline stage ${number}`);
    }
    return command;
  }

  #declarations(context: string): { variables: string[]; assigns: boolean } {
    const [first, second, third, fourth] = this.#tokens.slice(this.#index, this.#index + 4);
    const isPair = context === 'range' && second?.kind === ',' && third?.kind === 'variable';
    const sign = isPair ? fourth : second;
    if (first?.kind !== 'variable' || !(sign?.kind === ':=' || sign?.kind === '=')) {
      if (first?.kind === 'variable' && second?.kind === ',') throw this.#error(`too many declarations in ${context}`);
      return { variables: [], assigns: false };
    }
    this.#index += isPair ? 4 : 2;
    const variables = isPair && third ? [first.text, third.text] : [first.text];
    const assigns = sign.kind === '=';
    if (assigns) for (const name of variables) this.#requireVariable(name);
    return { variables, assigns };
  }

  #command(context: string): Command {
    const operands: Operand[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind === 'close' || token.kind === ')' || token.kind === '|') break;
      if (operands.length > 0 && !token.spaced) throw this.#error(`unexpected ${show(token)} in operand`);
      operands.push(this.#operand(context));
    }
    const [first] = operands;
    const last = operands.at(-1);
    if (!first || !last) throw this.#error(`missing value for ${context}`);
    return { operands, from: first.from, to: last.to };
  }

  /** A term and the fields behind it. */
  #operand(context: string): Operand {
    const term = this.#term(context);
    const path: string[] = [];
    while (this.#peek().kind === 'field' && !this.#peek().spaced) path.push(this.#next().text);
    if (path.length === 0) return term;
    const to = this.#previous().to;
    if (term.kind === 'field' || term.kind === 'variable') return { ...term, path: [...term.path, ...path], to };
    if (term.kind === 'pipe' || term.kind === 'function')
      return { kind: 'chain', base: term, path, from: term.from, to };
    throw this.#error('unexpected . after term');
  }

  #term(context: string): Operand {
    const token = this.#next();
    const { from, to, text } = token;
    switch (token.kind) {
      case 'dot':
        return { kind: 'dot', from, to };
      case 'field':
        return { kind: 'field', path: [text], from, to };
      case 'variable':
        this.#requireVariable(text);
        return { kind: 'variable', name: text, path: [], from, to };
      case 'word':
        return this.#word(token, context);
      case '(': {
        const pipe = this.#pipe('parenthesized pipeline');
        this.#expect(')', 'parenthesized pipeline');
        return { kind: 'pipe', pipe, from, to: this.#previous().to };
      }
      case 'rawString':
        return { kind: 'literal', value: text.replaceAll('\r', ''), from, to };
      case 'string':
        return { kind: 'literal', value: this.#literal(token, unquote(text, '"')), from, to };
      case 'character':
        return { kind: 'literal', value: this.#literal(token, parseCharacter(text)), from, to };
      case 'number':
        return { kind: 'literal', value: this.#literal(token, parseNumber(text)), from, to };
      default:
        throw this.#error(`unexpected ${show(token)} in ${context}`);
    }
  }

  #word(token: Token, context: string): Operand {
    const { from, to, text } = token;
    if (text === 'nil') return { kind: 'nil', from, to };
    if (text === 'true' || text === 'false') return { kind: 'literal', value: text === 'true', from, to };
    if (KEYWORDS.includes(text)) throw this.#error(`unexpected <${text}> in ${context}`);
    if (!this.#isFunction(text)) throw this.#error(`function ${JSON.stringify(text)} not defined`);
    return { kind: 'function', name: text, from, to };
  }

  #literal<T>({ kind, text }: Token, value: T | undefined): T {
    if (value !== undefined) return value;
    throw this.#error(kind === 'number' ? `bad number syntax: ${JSON.stringify(text)}` : 'invalid syntax');
  }

  #requireVariable(name: string): void {
    if (!this.#variables.includes(name)) throw this.#error(`undefined variable ${JSON.stringify(`$${name}`)}`);
  }

  #nested<T>(work: () => T): T {
    if (++this.#depth > MAX_NESTING) throw this.#error(`more than ${MAX_NESTING} levels of blocks and parentheses`);
    const result = work();
    this.#depth--;
    return result;
  }

  #peek(): Token {
    return this.#tokens[this.#index] ?? this.#previous();
  }

  #next(): Token {
    const token = this.#peek();
    this.#index++;
    return token;
  }

  #previous(): Token {
    const token = this.#tokens[Math.max(0, this.#index - 1)] ?? this.#tokens.at(-1);
    if (!token) throw new TemplateError('parse', 'no template');
    return token;
  }

  #accept(kind: TokenKind): boolean {
    const found = this.#peek().kind === kind;
    if (found) this.#index++;
    return found;
  }

  #expect(kind: TokenKind, context: string): void {
    const token = this.#next();
    if (token.kind !== kind) throw this.#error(`unexpected ${show(token)} in ${context}`);
  }

  #error(message: string): TemplateError {
    return parseError(this.#previous().line, message);
  }
}

function show({ kind, text }: Token): string {
  if (kind === 'end') return 'EOF';
  if (kind === 'word' && KEYWORDS.includes(text)) return `<${text}>`;
  const prefix = kind === 'variable' ? '$' : kind === 'field' || kind === 'dot' ? '.' : '';
  return JSON.stringify(prefix + text);
}
