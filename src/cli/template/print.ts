import { formatShortest } from './format-number.js';
import { MAX_STRING, MAX_VALUE_DEPTH } from './limits.js';
import { TemplateError } from './template-error.js';
import { TextBuilder } from './text-builder.js';
import { isList, isMap, sortedEntries, type Value } from './value.js';

/** How the single values within a list, map or struct are printed. */
export type PrintScalar = (value: undefined | null | boolean | number | string, nested: boolean) => string;

export interface PrintOptions {
  /** `%+v`: structs with the names of their fields. */
  readonly fieldNames?: boolean;
  readonly limit?: number;
}

/**
 * A value as Go's fmt prints it: `[a b]`, `map[k:v]` by its sorted keys, structs `{a b}` in the order of their fields.
 *
 * @throws TemplateError execute where it would be too long, or is too deep
 */
export function printValue(value: Value, scalar: PrintScalar = printScalar, options: PrintOptions = {}): string {
  const out = new TextBuilder(options.limit ?? MAX_STRING);
  const list = (items: readonly Value[], depth: number) => {
    for (const [index, item] of items.entries()) {
      if (index > 0) out.add(' ');
      print(item, depth);
    }
  };
  const named = (entries: readonly (readonly [string, Value])[], depth: number, name: (key: string) => string) => {
    for (const [index, [key, item]] of entries.entries()) {
      out.add(`${index > 0 ? ' ' : ''}${name(key)}`);
      print(item, depth);
    }
  };
  const print = (item: Value, depth: number): void => {
    if (depth > MAX_VALUE_DEPTH) throw tooDeep();
    if (isList(item)) {
      out.add('[');
      list(item, depth + 1);
      out.add(']');
    } else if (isMap(item)) {
      out.add('map[');
      named(sortedEntries(item), depth + 1, (key) => `${scalar(key, true)}:`);
      out.add(']');
    } else if (typeof item === 'object' && item !== null) {
      out.add('{');
      named(Object.entries(item), depth + 1, (key) => (options.fieldNames ? `${key}:` : ''));
      out.add('}');
    } else out.add(scalar(item, depth > 0));
  };
  print(value, 0);
  return out.toString();
}

export function printScalar(value: undefined | null | boolean | number | string): string {
  if (value === undefined || value === null) return '<nil>';
  return typeof value === 'number' && !Number.isInteger(value) ? formatShortest(value) : String(value);
}

/**
 * Compact JSON as Go's encoder writes it for Docker's templates: keys of maps sorted, fields in their order.
 *
 * @throws TemplateError execute
 */
export function printJson(value: Value): string {
  const text = JSON.stringify(plain(value, 0)).replace(/[\u2028\u2029]/g, (c) =>
    c === '\u2028' ? '\\u2028' : '\\u2029',
  );
  return new TextBuilder(MAX_STRING).add(text).toString();
}

function plain(value: Value, depth: number): unknown {
  if (depth > MAX_VALUE_DEPTH) throw tooDeep();
  if (value === undefined || value === null || typeof value !== 'object') return value ?? null;
  if (isList(value)) return value.map((item) => plain(item, depth + 1));
  const entries = isMap(value) ? sortedEntries(value) : Object.entries(value);
  // As own properties whatever their names, `__proto__` too.
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(item, depth + 1)]));
}

function tooDeep(): TemplateError {
  return new TemplateError('execute', `the value has more than ${MAX_VALUE_DEPTH} levels`);
}
