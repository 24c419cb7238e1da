import { nearest } from '../nearest.js';
import { functionNamed } from './functions.js';
import { CHARACTERS_A_STEP, MAX_OUTPUT, MAX_STEPS } from './limits.js';
import type { Body, Command, Node, Operand, Pipe, Span } from './nodes.js';
import { printValue } from './print.js';
import { TemplateError, ValueError } from './template-error.js';
import { TextBuilder } from './text-builder.js';
import { fieldOf, isList, isMap, isStruct, isTrue, type Struct, sortedEntries, typeName, type Value } from './value.js';

/** Names of struct fields that go by another in the data: Go says `ID` where Docker's JSON says `Id`. */
export type Aliases = Readonly<Record<string, string>>;

/** What a block says to the loop around it. */
type Signal = 'break' | 'continue' | undefined;

/** No value came down the pipe: not the same as nothing as a value. */
const NONE = Symbol('none');
type Piped = Value | typeof NONE;

/**
 * Walks the tree as Go's text/template does: `.` changes by `with` and `range`, variables live up to the end of their block, and the
 * value of a pipe is the last argument of its next stage.
 *
 * @param template its text, to show the place of an error
 * @throws TemplateError execute
 */
export function evaluate(body: Body, data: Value, template: string, aliases: Aliases = {}): string {
  return new Evaluator(data, template, aliases).run(body);
}

class Evaluator {
  readonly #root: Value;
  readonly #template: string;
  readonly #aliases: Aliases;
  readonly #out = new TextBuilder(MAX_OUTPUT);
  /** The innermost last; the first is `$`. */
  readonly #variables: { readonly name: string; value: Value }[];
  #steps = 0;

  constructor(data: Value, template: string, aliases: Aliases) {
    this.#root = data;
    this.#template = template;
    this.#aliases = aliases;
    this.#variables = [{ name: '', value: data }];
  }

  run(body: Body): string {
    this.#list(body, this.#root);
    return this.#out.toString();
  }

  #list(body: Body, dot: Value): Signal {
    for (const node of body) {
      this.#spend(1);
      const signal = this.#node(node, dot);
      if (signal) return signal;
    }
    return undefined;
  }

  #node(node: Node, dot: Value): Signal {
    switch (node.kind) {
      case 'text':
        this.#out.add(node.text);
        return undefined;
      case 'action': {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.variables.length === 0) this.#out.add(value === undefined ? '<no value>' : printValue(value));
        return undefined;
      }
      case 'if':
      case 'with':
        return this.#scoped(() => {
          const value = this.#pipe(node.pipe, dot);
          if (!isTrue(value)) return this.#list(node.otherwise, dot);
          return this.#list(node.body, node.kind === 'with' ? value : dot);
        });
      case 'range':
        return this.#scoped(() => this.#range(node.pipe, node.body, node.otherwise, dot));
      default:
        return node.kind;
    }
  }

  #range(pipe: Pipe, body: Body, otherwise: Body, dot: Value): Signal {
    const turns = this.#turns(this.#pipe(pipe, dot), pipe);
    if (turns.length === 0) return this.#list(otherwise, dot);
    for (const [key, value] of turns) {
      this.#spend(1);
      const [first, second] = pipe.variables;
      if (first !== undefined) this.#set(first, second === undefined ? value : key);
      if (second !== undefined) this.#set(second, value);
      if (this.#scoped(() => this.#list(body, value)) === 'break') break;
    }
    return undefined;
  }

  /** What a loop goes over: keys or numbers, and values. */
  #turns(value: Value, at: Pipe): readonly (readonly [Value, Value])[] {
    if (value === undefined || value === null) return [];
    if (isList(value)) return value.map((item, number) => [number, item]);
    if (isMap(value)) return sortedEntries(value);
    if (typeof value === 'number' && Number.isInteger(value)) {
      if (at.variables.length > 1) throw this.#error(at, `can't use ${value} to iterate over more than one variable`);
      this.#spend(Math.max(0, value));
      return Array.from({ length: Math.max(0, value) }, (_, number) => [number, number]);
    }
    throw this.#error(at, `range can't iterate over ${printValue(value)}`);
  }

  #pipe({ commands, variables, assigns }: Pipe, dot: Value): Value {
    let value: Piped = NONE;
    for (const command of commands) value = this.#command(command, dot, value);
    const result = value === NONE ? undefined : value;
    for (const name of variables) {
      if (assigns) this.#set(name, result);
      else this.#variables.push({ name, value: result });
    }
    return result;
  }

  #command(command: Command, dot: Value, piped: Piped): Value {
    this.#spend(1);
    const [first, ...rest] = command.operands;
    if (first === undefined) throw this.#error(command, 'empty command');
    if (first.kind === 'function') return this.#call(first.name, command, rest, dot, piped);
    if (first.kind === 'nil') throw this.#error(first, 'nil is not a command');
    if (rest.length > 0 || piped !== NONE) {
      throw this.#error(first, `can't give argument to non-function ${this.#source(first)}`);
    }
    return this.#operand(first, dot);
  }

  #operand(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return null;
      case 'literal':
        return operand.value;
      case 'field':
        return this.#fields(dot, operand.path, operand);
      case 'variable':
        return this.#fields(this.#variable(operand.name, operand), operand.path, operand);
      case 'function':
        return this.#call(operand.name, operand, [], dot, NONE);
      case 'pipe':
        return this.#pipe(operand.pipe, dot);
      case 'chain':
        return this.#fields(this.#operand(operand.base, dot), operand.path, operand);
    }
  }

  #fields(value: Value, path: readonly string[], at: Span): Value {
    return path.reduce((holder, field) => this.#field(holder, field, at), value);
  }

  #field(holder: Value, field: string, at: Span): Value {
    // What is not there has nothing in it either.
    if (holder === undefined) return undefined;
    if (holder === null) throw this.#error(at, `nil pointer evaluating interface {}.${field}`);
    if (isMap(holder)) return holder.get(field);
    if (!isStruct(holder)) throw this.#error(at, `can't evaluate field ${field} in type ${typeName(holder)}`);
    const value = fieldOf(holder, Object.hasOwn(holder, field) ? field : this.#aliasOf(field));
    if (value === undefined) throw this.#noField(at, holder, field);
    return value;
  }

  #aliasOf(field: string): string {
    return (Object.hasOwn(this.#aliases, field) && this.#aliases[field]) || field;
  }

  #call(name: string, at: Span, operands: readonly Operand[], dot: Value, piped: Piped): Value {
    if (name === 'and' || name === 'or') return this.#andOr(name, at, operands, dot, piped);
    const known = functionNamed(name);
    if (!known) throw this.#error(at, `${JSON.stringify(name)} is not a defined function`);
    const values = operands.map((operand) => this.#operand(operand, dot));
    if (piped !== NONE) values.push(piped);
    this.#requireCount(name, at, values.length, known.min, known.max);
    for (const value of values) this.#spend(weight(value));
    try {
      const result = known.call(values);
      this.#spend(weight(result));
      return result;
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw this.#error(at, `error calling ${name}: ${error.message}`);
    }
  }

  /** The first that decides; what stands behind it is not looked at. */
  #andOr(name: 'and' | 'or', at: Span, operands: readonly Operand[], dot: Value, piped: Piped): Value {
    this.#requireCount(name, at, operands.length + (piped === NONE ? 0 : 1), 1, Number.POSITIVE_INFINITY);
    let value: Value;
    for (const operand of operands) {
      value = this.#operand(operand, dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return piped === NONE ? value : piped;
  }

  #requireCount(name: string, at: Span, count: number, min: number, max: number): void {
    if (count >= min && count <= max) return;
    const wanted = min === max ? `${min}` : `at least ${min}`;
    throw this.#error(at, `wrong number of args for ${name}: want ${wanted} got ${count}`);
  }

  #variable(name: string, at: Span): Value {
    const found = this.#variables.findLast((variable) => variable.name === name);
    if (!found) throw this.#error(at, `undefined variable: $${name}`);
    return found.value;
  }

  #set(name: string, value: Value): void {
    const found = this.#variables.findLast((variable) => variable.name === name);
    if (found) found.value = value;
  }

  #scoped(work: () => Signal): Signal {
    const known = this.#variables.length;
    const signal = work();
    this.#variables.length = known;
    return signal;
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > MAX_STEPS) throw new TemplateError('execute', `the template takes more than ${MAX_STEPS} steps`);
  }

  #source({ from, to }: Span): string {
    return this.#template.slice(from, to);
  }

  #noField(at: Span, holder: Struct, field: string): TemplateError {
    const meant = nearest(field, Object.keys(holder));
    const hint = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
    return this.#error(at, `map has no entry for key ${JSON.stringify(field)}${hint}`);
  }

  #error(at: Span, message: string): TemplateError {
    const before = this.#template.slice(0, at.from);
    const line = before.split('\n').length;
    const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1));
    const source = [...this.#source(at)];
    const piece = source.length > 20 ? `${source.slice(0, 20).join('')}...` : source.join('');
    return new TemplateError('execute', `template: :${line}:${column}: executing "" at <${piece}>: ${message}`);
  }
}

/** Steps beyond the call itself. */
function weight(value: Value): number {
  return typeof value === 'string' || isList(value) ? Math.floor(value.length / CHARACTERS_A_STEP) : 0;
}
