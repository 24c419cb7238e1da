import { AllocationCounter } from '../measure/allocations.js';
import { IperfServer, runBulk } from '../measure/iperf.js';
import type { Metric } from '../measure/metrics.js';
import { type Case, interleave, type Sample } from '../measure/rounds.js';
import { type CallCounts, countSystemCalls } from '../measure/system-calls.js';
import { onPath } from '../peers/on-path.js';
import { MTUS } from '../peers/peer.js';
import { type Guest, UnetDaemon } from '../peers/unet-daemon.js';
import type { Context, Outcome, Scenario } from './scenario.js';

const PORT = 15_204;
const GIBIBYTE = 1024 ** 3;
const SHOWN_CALLS = 6;
/** Counts hardly differ from round to round. */
const MAX_ROUNDS = 3;

const CALLS: Metric = { id: 'callsPerGiB', title: 'system calls', unit: '1/GiB', digits: 0 };
const WAKEUPS: Metric = { id: 'wakeupsPerGiB', title: 'wake-ups', unit: '1/GiB', digits: 0 };
const ALLOCATIONS: Metric = { id: 'allocationsPerGiB', title: 'allocations', unit: '1/GiB', digits: 0 };
const FRAMES = 'super-frames of 64 KiB in a GiB: 16384';

/**
 * What the engine does for a GiB, as counts. Wake-ups (the engine's own counter) and allocations (a preloaded counter) are of an undisturbed
 * transfer, system calls of another one under strace. strace slows every call down, so that more is waiting at each wake-up: its
 * counts are, if anything, low in wake-ups and true in calls a frame.
 */
export const syscalls: Scenario = {
  name: 'syscalls',
  about: 'system calls (`strace -c`), wake-ups and allocations of unet’s engine for each GiB of one TCP stream',
  metrics: [CALLS, WAKEUPS, ALLOCATIONS],
  inQuick: false,
  estimateSeconds: ({ rounds, seconds }) => 5 + MTUS.length * 2 * Math.min(rounds, MAX_ROUNDS) * 2 * (seconds + 1),
  run,
};

async function run(context: Context): Promise<Outcome> {
  if (onPath('STRACE', 'strace') === null) {
    return { series: [], verdicts: [], notes: ['syscalls was skipped: strace is not installed here.'] };
  }
  const notes = [`To place the figures: ${FRAMES}.`];
  const counter = allocationCounter(context.root, notes);
  const daemon = new UnetDaemon(context.root);
  const server = new IperfServer([], '127.0.0.1', PORT);
  const kinds = new Map<string, CallCounts & { gibibytes: number }>();
  try {
    await daemon.runInForeground(counter?.env ?? {});
    const cases: Case[] = [];
    for (const mtu of MTUS) {
      const guest = await daemon.guest({ name: `guest-${mtu}`, mtu });
      for (const reverse of [false, true]) {
        const variant = reverse ? 'host → guest' : 'guest → host';
        const once = () => measureOnce(context, { daemon, guest, server, reverse, counter });
        const measure = async (): Promise<Sample> => {
          const { counts, ...sample } = await once();
          kinds.set(`${variant}, MTU ${mtu}`, counts);
          return sample;
        };
        cases.push({ path: 'unet', mtu, variant, measure });
      }
    }
    const series = await interleave(cases, { ...context, rounds: Math.min(context.rounds, MAX_ROUNDS) });
    for (const [name, counts] of kinds) notes.push(`${name}, calls for each GiB by name: ${namesText(counts)}.`);
    return { series, verdicts: [], notes };
  } finally {
    await server.end();
    await daemon.close();
    counter?.close();
  }
}

/** Without a compiler the other figures are still worth having. */
function allocationCounter(root: string, notes: string[]): AllocationCounter | null {
  try {
    return new AllocationCounter(root);
  } catch (error) {
    notes.push(`Allocations were not counted: ${error instanceof Error ? error.message : error}.`);
    return null;
  }
}

interface Subject {
  readonly daemon: UnetDaemon;
  readonly guest: Guest;
  readonly server: IperfServer;
  readonly reverse: boolean;
  readonly counter: AllocationCounter | null;
}

async function measureOnce({ seconds }: Context, { daemon, guest, server, reverse, counter }: Subject) {
  const { pid, network, engine } = await daemon.facts();
  const address = network.gateway;
  const transfer = async () =>
    (await runBulk({ before: guest.inside, server, address, port: PORT, seconds, reverse, processes: [] })).bytes /
    GIBIBYTE;
  const allocations = counter?.count() ?? Number.NaN;
  const plain = await transfer();
  const after = await daemon.facts();
  const woken = (after.engine.counters['wakeups'] ?? Number.NaN) - (engine.counters['wakeups'] ?? Number.NaN);
  const allocated = (counter?.count() ?? Number.NaN) - allocations;
  let traced = 0;
  const counts = await countSystemCalls(pid, async () => {
    traced = await transfer();
  });
  return {
    callsPerGiB: counts.total / traced,
    wakeupsPerGiB: woken / plain,
    ...(counter !== null && { allocationsPerGiB: allocated / plain }),
    counts: { ...counts, gibibytes: traced },
  };
}

function namesText({ byName, gibibytes }: CallCounts & { gibibytes: number }): string {
  return Object.entries(byName)
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN_CALLS)
    .map(([name, calls]) => `${name} ${Math.round(calls / gibibytes)}`)
    .join(', ');
}
