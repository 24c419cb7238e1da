import { endianness } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listsNoMoreListeners, parseListeners, type Table } from '../../../../src/daemon/listeners/proc-net.js';

const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const [LISTEN, ESTABLISHED, UNCONNECTED] = ['0A', '01', '07'];

/** Bytes of an address as the kernel prints them: words in the machine's order. */
function address(...bytes: number[]): string {
  const words = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.slice(index * 4, index * 4 + 4));
  const ordered = words.flatMap((word) => (endianness() === 'LE' ? word.reverse() : word));
  return ordered.map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('');
}

const zeros = (count: number) => Array.from({ length: count }, () => 0);
const ANY = address(0, 0, 0, 0);
const ANY6 = address(...zeros(16));

function row(local: string, port: number, state: string): string {
  const remote = local.length === 8 ? ANY : ANY6;
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return `   0: ${local}:${hex} ${remote}:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 123 1 0 100 0 0 10 0\n`;
}

describe('parseListeners', () => {
  it.each<[string, Table, string, number, string, string[]]>([
    ['a listener on every address', 'tcp', ANY, 5432, LISTEN, ['5432/tcp']],
    ['one on its own address', 'tcp', address(172, 17, 0, 2), 80, LISTEN, ['80/tcp']],
    ['one on loopback', 'tcp', address(127, 0, 0, 1), 80, LISTEN, []],
    ['one on another loopback address', 'tcp', address(127, 0, 0, 53), 53, LISTEN, []],
    ['a connection', 'tcp', address(172, 17, 0, 2), 80, ESTABLISHED, []],
    ['an IPv6 listener', 'tcp6', ANY6, 8080, LISTEN, ['8080/tcp']],
    ['one on ::1', 'tcp6', address(...zeros(15), 1), 80, LISTEN, []],
    ['one on ::ffff:127.0.0.1', 'tcp6', address(...zeros(10), 255, 255, 127, 0, 0, 1), 80, LISTEN, []],
    ['one on ::ffff:172.17.0.2', 'tcp6', address(...zeros(10), 255, 255, 172, 17, 0, 2), 80, LISTEN, ['80/tcp']],
    ['a udp server', 'udp', ANY, 53, UNCONNECTED, ['53/udp']],
    ['a udp server on loopback', 'udp', address(127, 0, 0, 1), 53, UNCONNECTED, []],
    ['a connected udp socket', 'udp', address(172, 17, 0, 2), 5000, ESTABLISHED, []],
    ['a udp client whose port the kernel chose', 'udp', ANY, 32_768, UNCONNECTED, []],
    ['and at the other end', 'udp6', ANY6, 60_999, UNCONNECTED, []],
    ['a udp server just outside', 'udp6', ANY6, 61_000, UNCONNECTED, ['61000/udp']],
  ])('Decision 8: %s', (_, table, local, port, state, expected) => {
    const found = parseListeners(table, HEADER + row(local, port, state));
    expect(found.map(({ port: number, protocol }) => `${number}/${protocol}`)).toEqual(expected);
  });

  it('does not read a line that is cut off', () => {
    expect(parseListeners('tcp', (HEADER + row(ANY, 80, LISTEN)).slice(0, -20))).toEqual([]);
  });

  it('takes any bytes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.constantFrom<Table>('tcp', 'udp6'),
        (text, table) => {
          for (const { port } of parseListeners(table, `${text}\n`)) expect(port).toBeGreaterThan(0);
        },
      ),
    );
  });
});

describe('listsNoMoreListeners', () => {
  it('is so from the first connection on: the kernel lists those that listen first', () => {
    const listening = HEADER + row(ANY, 80, LISTEN);
    expect(listsNoMoreListeners('tcp', '')).toBe(false);
    expect(listsNoMoreListeners('tcp', HEADER)).toBe(false);
    expect(listsNoMoreListeners('tcp', listening)).toBe(false);
    expect(listsNoMoreListeners('tcp', listening + row(address(172, 17, 0, 2), 80, ESTABLISHED))).toBe(true);
    expect(listsNoMoreListeners('udp', listening + row(ANY, 80, ESTABLISHED))).toBe(false);
  });
});
