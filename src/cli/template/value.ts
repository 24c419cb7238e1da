/**
 * What templates compute with. JSON does not tell a Go struct from a Go map, and templates do: a missing key of a map is `<no value>`, a
 * missing field of a struct an error; so a Map here is a map there, and a plain object is a struct.
 */
export type Value =
  | undefined
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | { readonly [field: string]: Value };

export type Struct = Readonly<Record<string, Value>>;

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value): value is ReadonlyMap<string, Value> {
  return value instanceof Map;
}

export function isStruct(value: Value): value is Struct {
  return typeof value === 'object' && value !== null && !isList(value) && !isMap(value);
}

/** As Go's `%T` names it, as far as JSON lets us know. */
export function typeName(value: Value): string {
  if (value === undefined || value === null) return '<nil>';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (isList(value)) return value.every((item) => typeof item === 'string') ? '[]string' : '[]interface {}';
  return isMap(value) ? 'map[string]interface {}' : 'struct';
}

/** False, 0, the empty string, nothing, and empty lists and maps are false; all else is true. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return value.size > 0;
  return Boolean(value);
}

/** The keys in the order in which Go prints and ranges: by their bytes. */
export function sortedEntries(map: ReadonlyMap<string, Value>): [string, Value][] {
  return [...map].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Undefined where there is no such field of its own. */
export function fieldOf(struct: Struct, field: string): Value {
  return Object.hasOwn(struct, field) ? struct[field] : undefined;
}
