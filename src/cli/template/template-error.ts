/** The only thing that a template throws: it cannot be read (`parse`), or not be carried out with this data (`execute`). */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly stage: 'parse' | 'execute';

  constructor(stage: 'parse' | 'execute', message: string) {
    super(message);
    this.stage = stage;
  }
}

/** @param line from 1 */
export function parseError(line: number, message: string): TemplateError {
  return new TemplateError('parse', `template: :${line}: ${message}`);
}

/** Why a function could not be called, or a value not be used: whoever called it knows the place. */
export class ValueError extends Error {}
