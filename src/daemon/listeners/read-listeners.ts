import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import type { ExposedPort } from '../../model/exposed-port.js';
import { isAlive } from '../process-identity.js';
import type { ContainerRecord } from '../record.js';
import { listsNoMoreListeners, parseListeners, TABLES, type Table } from './proc-net.js';

/** What is read of one table at most: some 1700 sockets. Whoever opens more does not have them all seen. */
const MAX_TABLE_BYTES = 256 * 1024;
const CHUNK_BYTES = 16 * 1024;
/** More ports than that are no service any more, but somebody who fills tables. */
export const MAX_SEEN_PORTS = 256;

type Guest = Pick<ContainerRecord, 'pid' | 'supervisor'>;

/**
 * The ports on which a running guest listens, read through the /proc entry of one of its processes: of whatever process, these tables are its
 * network namespace's, and any user may read them. That init is not dumpable does not matter, as /proc/PID/net asks for no right to trace.
 *
 * The process is the command, with whose end the container ends. Where its number was never heard it is the supervisor's child, which
 * is in the same network namespace. In either case the supervisor must live: then the numbers are still theirs.
 *
 * @returns sorted, tcp first; empty as well when nothing can be read
 */
export function readListeners({ pid, supervisor }: Guest): ExposedPort[] {
  if (supervisor === null || !isAlive(supervisor)) return [];
  const inside = pid ?? childOf(supervisor.pid);
  if (inside === null) return [];
  const found = TABLES.flatMap((table) => parseListeners(table, readTable(inside, table)));
  const distinct = new Map(found.map((port) => [`${port.port}/${port.protocol}`, port]));
  return [...distinct.values()]
    .sort((a, b) => (a.protocol === b.protocol ? a.port - b.port : a.protocol < b.protocol ? -1 : 1))
    .slice(0, MAX_SEEN_PORTS);
}

/** As much of a table as can hold listeners; empty when the process has gone, or its kernel has no IPv6. */
function readTable(pid: number, table: Table): string {
  let file: number | null = null;
  try {
    file = openSync(`/proc/${pid}/net/${table}`, 'r');
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let text = '';
    while (text.length < MAX_TABLE_BYTES && !listsNoMoreListeners(table, text)) {
      const length = readSync(file, chunk);
      if (length === 0) break;
      text += chunk.toString('latin1', 0, length);
    }
    return text;
  } catch {
    return '';
  } finally {
    if (file !== null) closeSync(file);
  }
}

function childOf(pid: number): number | null {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ');
    return first ? Number(first) : null;
  } catch {
    return null;
  }
}
