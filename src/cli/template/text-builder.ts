import { TemplateError } from './template-error.js';

/** Text that grows up to a limit: what a template makes out of others' data must not fill the memory. */
export class TextBuilder {
  readonly #limit: number;
  readonly #pieces: string[] = [];
  #length = 0;

  /** @param limit characters */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws TemplateError execute */
  add(piece: string): this {
    this.#length += piece.length;
    if (this.#length > this.#limit) {
      throw new TemplateError('execute', `the template makes a text of more than ${this.#limit} characters`);
    }
    this.#pieces.push(piece);
    return this;
  }

  toString(): string {
    return this.#pieces.join('');
  }
}
