import type { ContainerSummary } from '../../api/types.js';
import { shortId } from '../../model/container-id.js';
import { humanDuration } from '../../model/duration.js';
import { formatPorts } from '../../model/port-list.js';
import { ellipsis } from './table.js';

export const CONTAINER_HEADER = ['CONTAINER ID', 'IMAGE', 'COMMAND', 'CREATED', 'STATUS', 'PORTS', 'NAMES'];

const COMMAND_CELLS = 20;
/** There are no images; the column stays, for eyes and scripts that count columns. */
const NO_IMAGE = '-';

/** @param now milliseconds since the epoch */
export function containerRow(container: ContainerSummary, now: number, truncate: boolean): string[] {
  return [
    truncate ? shortId(container.id) : container.id,
    NO_IMAGE,
    commandCell(container.command, truncate),
    `${humanDuration(since(container.createdAt, now))} ago`,
    statusText(container, now),
    container.status === 'running' ? formatPorts(container.ports, container.exposed) : '',
    container.names.join(','),
  ];
}

export function statusText({ status, startedAt, finishedAt, exitCode }: ContainerSummary, now: number): string {
  if (status === 'running') return `Up ${humanDuration(since(startedAt, now))}`;
  if (status === 'created') return 'Created';
  return `Exited (${exitCode ?? 0}) ${humanDuration(since(finishedAt, now))} ago`;
}

/** Path and arguments; one with a space in single quotes; the whole in double quotes, escaped as Go does it. */
function commandCell(command: readonly string[], truncate: boolean): string {
  const line = command.map((word) => (word.includes(' ') ? `'${word}'` : word)).join(' ');
  return goQuote(truncate ? ellipsis(line, COMMAND_CELLS) : line);
}

const GO_ESCAPES: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};

/** As Go's strconv.Quote: nothing in it can move the cursor of a terminal. */
function goQuote(text: string): string {
  const escaped = [...text].map((character) => {
    const known = GO_ESCAPES[character];
    if (known) return known;
    if (character === ' ' || !/^[\p{C}\p{Z}]$/u.test(character)) return character;
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${escaped.join('')}"`;
}

function since(time: string | null, now: number): number {
  return time === null ? 0 : Math.max(0, now - Date.parse(time));
}
