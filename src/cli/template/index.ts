/**
 * The part of Go's text/template that people write behind `-f` and `--format`, in Go's words and with Go's way to print, so that command
 * lines made for Docker work as they are.
 *
 * Own code, because no library does it: of what npm has, go-text-template knows fields, `if` and `range` alone (no maps, no printf, no
 * Docker functions), and gotemplate-node turns templates into JavaScript that it evaluates, which must not happen to text that a script
 * glues together.
 *
 * What there is: text, fields, variables, pipes, parentheses, comments, `-` trimming; `if`, `with`, `range` (lists, maps, numbers) with
 * `else`, `break` and `continue`; Go's functions but `call`, `html`, `js` and `urlquery`; Docker's functions. Templates within templates
 * (`define`, `template`, `block`) and complex numbers are errors. JSON has one kind of number, so 1.0 is an integer here.
 *
 * lexer → parser → evaluator, each a file; value.ts says what is computed with, limits.ts what it may cost.
 */
import { type Aliases, evaluate } from './evaluator.js';
import { functionNamed } from './functions.js';
import { parse } from './parser.js';
import type { TemplateError } from './template-error.js';
import type { Value } from './value.js';

export { TemplateError } from './template-error.js';
export type { Value } from './value.js';

export interface Template {
  /** @throws TemplateError with stage `execute` */
  execute(data: Value, aliases?: Aliases): string;
}

/** @throws TemplateError with stage `parse` */
export function parseTemplate(text: string): Template {
  const body = parse(text, (name) => name === 'and' || name === 'or' || functionNamed(name) !== undefined);
  return { execute: (data, aliases) => evaluate(body, data, text, aliases) };
}

/** The one line for the user, in Docker's words. */
export function templateErrorText(error: TemplateError): string {
  return `template parsing error: ${error.message}`;
}
