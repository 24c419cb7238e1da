import type { Machine } from './measure/machine.js';
import type { Spread } from './measure/statistics.js';

/** One path through one stack, measured in every round. */
export interface Row {
  readonly path: string;
  /** Bytes; null where there is none to choose. */
  readonly mtu: number | null;
  readonly direction: string;
  readonly gigabitsPerSecond: Spread;
  /** Of kernel loopback, round by round. */
  readonly ofLoopback: Spread;
  /** CPU seconds that the stack's own process spent for one GiB; null where the kernel is the stack. */
  readonly cpuSecondsPerGiB: Spread | null;
}

export interface Report {
  readonly scenario: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly Row[];
}

const figure = (spread: Spread, digits: number) =>
  `${spread.median.toFixed(digits)} (${spread.min.toFixed(digits)} – ${spread.max.toFixed(digits)})`;

/** The table that people read: medians, with the least and the greatest in brackets. */
export function markdown({ scenario, machine, rounds, seconds, rows }: Report): string {
  const lines = [
    `# ${scenario}`,
    '',
    `${machine.cores} cores (${machine.cpu}), Linux ${machine.kernel}, Node.js ${machine.node}, commit ${machine.commit}, ${machine.date}.`,
    `Median of ${rounds} interleaved rounds of ${seconds} s (least – greatest). Made by \`npm run bench\`; method: [README](../README.md).`,
    '',
    '| path | MTU | direction | Gbit/s | of loopback | CPU s/GiB |',
    '|---|---|---|---|---|---|',
    ...rows.map(({ path, mtu, direction, gigabitsPerSecond, ofLoopback, cpuSecondsPerGiB }) => {
      const cpu = cpuSecondsPerGiB === null ? '–' : figure(cpuSecondsPerGiB, 2);
      const cells = [path, mtu ?? '–', direction, figure(gigabitsPerSecond, 2), figure(ofLoopback, 2), cpu];
      return `| ${cells.join(' | ')} |`;
    }),
    '',
  ];
  return lines.join('\n');
}
