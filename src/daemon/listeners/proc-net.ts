import { endianness } from 'node:os';
import type { ExposedPort } from '../../model/exposed-port.js';

/** The four tables of a network namespace in which listeners stand. */
export const TABLES = ['tcp', 'tcp6', 'udp', 'udp6'] as const;
export type Table = (typeof TABLES)[number];

/** Columns: `sl local_address rem_address st …`, addresses as `0100007F:1538`. */
const LINE = /^\s*\d+: ([0-9A-F]{8}(?:[0-9A-F]{24})?):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) /;
/** TCP_LISTEN, and TCP_CLOSE: a datagram socket that is bound and connected to nobody. */
const LISTEN = '0A';
const UNCONNECTED = '07';
/** Of a new network namespace, whatever the host's is. */
const FIRST_EPHEMERAL = 32_768;
const LAST_EPHEMERAL = 60_999;

/**
 * The ports that a table of /proc/PID/net says somebody listens on, where others can reach them.
 *
 * A TCP socket that listens says so. A UDP socket does not: one that waits for questions and one that waits for the answer to
 * its own look alike, but for the port. A client leaves the choice to the kernel, which takes it from the ephemeral range; so bound, connected
 * to nobody and outside that range is a server's. A server inside it is for `--expose` to declare.
 *
 * @param text from the start of the table; a line that is cut off at the end is not read
 */
export function parseListeners(table: Table, text: string): ExposedPort[] {
  const protocol = table.startsWith('tcp') ? 'tcp' : 'udp';
  const found: ExposedPort[] = [];
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  for (const line of lines) {
    const [, address = '', port = '', , , state] = LINE.exec(line) ?? [];
    const number = Number.parseInt(port, 16);
    if (!(number > 0) || isLoopback(address)) continue;
    if (protocol === 'tcp' ? state !== LISTEN : state !== UNCONNECTED || isEphemeral(number)) continue;
    found.push({ port: number, protocol });
  }
  return found;
}

/** The kernel lists the sockets that listen before all others: from the first other one on there is nothing to find. */
export function listsNoMoreListeners(table: Table, text: string): boolean {
  if (!table.startsWith('tcp')) return false;
  const end = text.lastIndexOf('\n');
  const line = text.slice(text.lastIndexOf('\n', end - 1) + 1, end);
  const state = LINE.exec(line)?.[5];
  return state !== undefined && state !== LISTEN;
}

function isEphemeral(port: number): boolean {
  return port >= FIRST_EPHEMERAL && port <= LAST_EPHEMERAL;
}

/** 127.0.0.0/8, ::1, and the first as an IPv6 socket has it. The words are in the machine's byte order. */
function isLoopback(hex: string): boolean {
  const bytes = networkOrder(hex);
  if (bytes.length === 8) return bytes.startsWith('7F');
  return bytes === `${'0'.repeat(31)}1` || bytes.startsWith(`${'0'.repeat(20)}FFFF7F`);
}

function networkOrder(hex: string): string {
  if (endianness() === 'BE') return hex;
  return hex.replaceAll(/(..)(..)(..)(..)/g, '$4$3$2$1');
}
