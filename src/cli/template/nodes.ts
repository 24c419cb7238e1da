import type { Value } from './value.js';

/** The parsed template. Positions are offsets in its text: an error shows the piece at which it happened. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | { readonly kind: 'if' | 'with' | 'range'; readonly pipe: Pipe; readonly body: Body; readonly otherwise: Body }
  | { readonly kind: 'break' | 'continue' };

export type Body = readonly Node[];

/** `$a, $b := command | command`. */
export interface Pipe extends Span {
  /** Variables that are declared, or set when `assigns`. */
  readonly variables: readonly string[];
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

/** An operand and its arguments. */
export interface Command extends Span {
  readonly operands: readonly Operand[];
}

export type Operand = Span &
  (
    | { readonly kind: 'dot' }
    | { readonly kind: 'nil' }
    | { readonly kind: 'literal'; readonly value: Value }
    | { readonly kind: 'field'; readonly path: readonly string[] }
    | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[] }
    | { readonly kind: 'function'; readonly name: string }
    | { readonly kind: 'pipe'; readonly pipe: Pipe }
    | { readonly kind: 'chain'; readonly base: Operand; readonly path: readonly string[] }
  );
