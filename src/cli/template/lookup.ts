import { ValueError } from './template-error.js';
import { fieldOf, isList, isMap, isStruct, typeName, type Value } from './value.js';

/** `index LIST 0 "key"…`: into lists by number, into maps by key, of texts the byte. @throws ValueError */
export function index(value: Value, keys: readonly Value[]): Value {
  return keys.reduce(indexOnce, value);
}

function indexOnce(value: Value, key: Value): Value {
  if (value === undefined || value === null) throw new ValueError('index of untyped nil');
  if (isList(value)) return value[position(key, value.length - 1)];
  if (typeof value === 'string') return Buffer.from(value)[position(key, Buffer.byteLength(value) - 1)];
  if (!isMap(value) && !isStruct(value)) throw new ValueError(`can't index item of type ${typeName(value)}`);
  if (typeof key !== 'string') {
    const what = key === null || key === undefined ? 'value is nil' : `value has type ${typeName(key)}`;
    throw new ValueError(`${what}; should be string`);
  }
  return isMap(value) ? value.get(key) : fieldOf(value, key);
}

/** `slice LIST from to`: a part of a list or of the bytes of a text. @throws ValueError */
export function slice(value: Value, [from = 0, to, ...more]: readonly Value[]): Value {
  if (value === undefined || value === null) throw new ValueError('slice of untyped nil');
  if (more.length > 0) throw new ValueError('a slice has two ends');
  if (isList(value)) return value.slice(...ends(from, to ?? value.length, value.length));
  if (typeof value !== 'string') throw new ValueError(`can't slice item of type ${typeName(value)}`);
  const bytes = Buffer.from(value);
  return bytes.subarray(...ends(from, to ?? bytes.length, bytes.length)).toString();
}

function ends(from: Value, to: Value, length: number): [number, number] {
  const [first, last] = [position(from, length), position(to, length)];
  if (first > last) throw new ValueError(`invalid slice index: ${first} > ${last}`);
  return [first, last];
}

function position(key: Value, max: number): number {
  if (key === undefined || key === null) throw new ValueError('cannot index slice/array with nil');
  if (typeof key !== 'number' || !Number.isInteger(key)) {
    throw new ValueError(`cannot index slice/array with type ${typeName(key)}`);
  }
  if (key < 0 || key > max) throw new ValueError(`index out of range: ${key}`);
  return key;
}
