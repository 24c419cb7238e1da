import type { ContainerDocument } from '../../api/inspect.js';
import { parseTemplate } from '../template/index.js';
import { DOCUMENT_ALIASES, documentValue } from './document-value.js';
import { getPath } from './get-path.js';

/** Takes documents one by one; what it printed is asked for at the end. */
export interface Inspector {
  /** @throws UnetError or TemplateError when this one cannot be shown */
  add(document: ContainerDocument): void;
  /** With its last line feed. */
  text(): string;
}

/** Docker's indentation, which people diff against. */
const INDENT = 4;

/** `indent` 0: on one line. */
export function jsonInspector(indent: 0 | typeof INDENT = INDENT): Inspector {
  const documents: ContainerDocument[] = [];
  return {
    add: (document) => documents.push(document),
    text: () => `${JSON.stringify(documents, null, indent)}\n`,
  };
}

/** A line for each, and one empty line for none. @throws TemplateError */
export function templateInspector(template: string): Inspector {
  const parsed = parseTemplate(template);
  return lineInspector((document) => parsed.execute(documentValue(document), DOCUMENT_ALIASES));
}

export function pathInspector(path: string): Inspector {
  return lineInspector((document) => getPath(document, path));
}

function lineInspector(render: (document: ContainerDocument) => string): Inspector {
  const lines: string[] = [];
  return {
    add: (document) => lines.push(render(document)),
    text: () => `${lines.join('\n')}\n`,
  };
}
