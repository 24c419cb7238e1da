import { ValueError } from './template-error.js';
import { typeName, type Value } from './value.js';

/** `eq A B…`: whether the first is one of the others. Numbers are one kind: JSON does not tell them apart. @throws ValueError */
export function equalsAny(first: Value, others: readonly Value[]): boolean {
  requireBasic(first);
  return others.some((other) => equals(first, other));
}

function equals(a: Value, b: Value): boolean {
  requireBasic(b);
  const isNothing = (value: Value) => value === null || value === undefined;
  if (isNothing(a) || isNothing(b)) return isNothing(a) && isNothing(b);
  if (typeof a !== typeof b) throw incompatible(a, b);
  return a === b;
}

/** Numbers and texts have an order. @throws ValueError */
export function isLess(a: Value, b: Value): boolean {
  for (const value of [a, b]) {
    if (typeof value !== 'number' && typeof value !== 'string') throw new ValueError('invalid type for comparison');
  }
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
  throw incompatible(a, b);
}

function incompatible(a: Value, b: Value): ValueError {
  return new ValueError(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
}

function requireBasic(value: Value): void {
  if (typeof value === 'object' && value !== null) throw new ValueError(`non-comparable type ${typeName(value)}`);
}
