import { equalsAny, isLess } from './compare.js';
import { MAX_STRING } from './limits.js';
import { index, slice } from './lookup.js';
import { printJson, printValue } from './print.js';
import { sprintf } from './printf.js';
import { ValueError } from './template-error.js';
import { TextBuilder } from './text-builder.js';
import { isList, isMap, isTrue, typeName, type Value } from './value.js';

/** What a template can call: Go's own functions, then Docker's. `and` and `or` are the evaluator's: they may leave arguments alone. */
export interface TemplateFunction {
  readonly min: number;
  readonly max: number;
  /** @throws ValueError */
  readonly call: (values: readonly Value[]) => Value;
}

const MANY = Number.POSITIVE_INFINITY;

const GO: Readonly<Record<string, TemplateFunction>> = {
  not: of(1, 1, ([value]) => !isTrue(value)),
  len: of(1, 1, ([value]) => length(value)),
  index: of(1, MANY, ([value, ...keys]) => index(value, keys)),
  slice: of(1, MANY, ([value, ...ends]) => slice(value, ends)),
  eq: of(2, MANY, ([first, ...others]) => equalsAny(first, others)),
  ne: of(2, 2, ([a, b]) => !equalsAny(a, [b])),
  lt: of(2, 2, ([a, b]) => isLess(a, b)),
  le: of(2, 2, ([a, b]) => !isLess(b, a)),
  gt: of(2, 2, ([a, b]) => isLess(b, a)),
  ge: of(2, 2, ([a, b]) => !isLess(a, b)),
  print: of(0, MANY, print),
  println: of(0, MANY, (values) => `${values.map((value) => printValue(value)).join(' ')}\n`),
  printf: of(1, MANY, ([format, ...values]) => sprintf(text(format), values)),
};

const DOCKER: Readonly<Record<string, TemplateFunction>> = {
  json: of(1, 1, ([value]) => printJson(value)),
  join: of(2, 2, ([list, between]) => join(texts(list), text(between))),
  split: of(2, 2, ([whole, between]) => text(whole).split(text(between))),
  title: of(1, 1, ([value]) => title(text(value))),
  lower: of(1, 1, ([value]) => text(value).toLowerCase()),
  upper: of(1, 1, ([value]) => text(value).toUpperCase()),
  pad: of(3, 3, ([value, before, after]) => pad(text(value), whole(before), whole(after))),
  truncate: of(2, 2, ([value, bytes]) => truncate(text(value), whole(bytes))),
};

export function functionNamed(name: string): TemplateFunction | undefined {
  for (const table of [GO, DOCKER]) if (Object.hasOwn(table, name)) return table[name];
  return undefined;
}

function of(min: number, max: number, call: TemplateFunction['call']): TemplateFunction {
  return { min, max, call };
}

function length(value: Value): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (isList(value)) return value.length;
  if (isMap(value)) return value.size;
  // A list of Docker's that has nothing is null in JSON.
  if (value === null) return 0;
  throw new ValueError(value === undefined ? 'len of nil pointer' : `len of type ${typeName(value)}`);
}

/** A space between two of which neither is a text. */
function print(values: readonly Value[]): string {
  const out = new TextBuilder(MAX_STRING);
  for (const [at, value] of values.entries()) {
    const isApart = at > 0 && typeof value !== 'string' && typeof values[at - 1] !== 'string';
    out.add(`${isApart ? ' ' : ''}${printValue(value)}`);
  }
  return out.toString();
}

function join(items: readonly string[], between: string): string {
  const out = new TextBuilder(MAX_STRING);
  for (const [at, item] of items.entries()) out.add(at > 0 ? between + item : item);
  return out.toString();
}

/** The first letter of each word; what is neither letter, digit nor `_` parts words, beyond ASCII white space alone. */
function title(value: string): string {
  return value.replace(
    /(^|[\0-/:-@[-^`{-\x7f]|\s)(\p{L})/gu,
    (_, before: string, letter: string) => before + letter.toUpperCase(),
  );
}

function pad(value: string, before: number, after: number): string {
  if (value === '') return value;
  if (before < 0 || after < 0) throw new ValueError('negative count');
  if (before + after > MAX_STRING) throw new ValueError(`more than ${MAX_STRING} characters`);
  return ' '.repeat(before) + value + ' '.repeat(after);
}

function truncate(value: string, bytes: number): string {
  if (bytes < 0) throw new ValueError(`slice bounds out of range [:${bytes}]`);
  return Buffer.byteLength(value) < bytes ? value : Buffer.from(value).subarray(0, bytes).toString();
}

function text(value: Value): string {
  if (typeof value === 'string') return value;
  throw wrongType('string', value);
}

function texts(value: Value): readonly string[] {
  if (value === null) return [];
  if (isList(value)) return value.map(text);
  throw wrongType('[]string', value);
}

function whole(value: Value): number {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw wrongType('int', value);
}

function wrongType(expected: string, value: Value): ValueError {
  if (value === undefined || value === null) return new ValueError(`invalid value; expected ${expected}`);
  return new ValueError(`wrong type for value; expected ${expected}; got ${typeName(value)}`);
}
