import { IperfServer, measureBulk } from '../measure/iperf.js';
import { GBPS } from '../measure/metrics.js';
import { type Case, interleave, pickOne, type Series } from '../measure/rounds.js';
import { judgeRatio, type Verdict } from '../measure/verdict.js';
import { type Guest, UnetDaemon } from '../peers/unet-daemon.js';
import { chartOf } from '../report/chart-of.js';
import type { Context, Outcome, Scenario } from './scenario.js';

/**
 * How throughput follows the window when the server is far away: 10 and 50 ms of round trip between the host's socket and its server.
 *
 * The kernel at hand may have no netem, so the link is unet's own fault injector, between two containers of an outer daemon: `near`
 * and `far` are the two kernels. Without us a client in `near` talks to a server in `far`. With us a second daemon runs inside `near`,
 * which is its host, and the client is in a container of that one. Both cross the same link; the kernels' own buffers bound both.
 *
 * Limit: the outer daemon shares the cores with everything else. At these delays the windows, not the cores, are what is short.
 */

const PORT = 15_203;
const ROUND_TRIPS_MS = [10, 50] as const;
const MTU = 1500;
/** Slow start over such a link takes several round trips at every doubling; it is the same for both and not the question. */
const OMIT_SECONDS = 2;
const KERNELS = 'kernel over the link';

const variant = (roundTripMs: number, reverse: boolean) =>
  `${reverse ? 'server → guest' : 'guest → server'}, ${roundTripMs} ms round trip`;

export const tcpDelay: Scenario = {
  name: 'tcp-delay',
  about:
    'iperf3, one stream, to and from a server behind a link of 10 and 50 ms round trip (made by `unet fault --between`), beside what the same two kernels do without unet in between',
  metrics: [GBPS],
  inQuick: false,
  estimateSeconds: ({ rounds, seconds }) => 10 + ROUND_TRIPS_MS.length * 4 * rounds * (seconds + OMIT_SECONDS + 1),
  run,
};

async function run(context: Context): Promise<Outcome> {
  const outer = new UnetDaemon(context.root);
  const end: (() => Promise<void>)[] = [() => outer.close()];
  try {
    const near = await outer.guest({ name: 'near', mtu: MTU });
    const far = await outer.guest({ name: 'far', mtu: MTU });
    const inner = new UnetDaemon(context.root, near.inside);
    end.push(() => inner.close());
    const guest = await inner.guest({ name: 'guest', mtu: MTU });
    const server = new IperfServer(far.inside, far.address, PORT);
    end.push(() => server.end());
    const link = new Link(outer, near, far);
    const cases = ROUND_TRIPS_MS.flatMap((roundTripMs) =>
      [false, true].flatMap((reverse) =>
        [
          { path: KERNELS, before: near.inside },
          { path: 'unet', before: guest.inside },
        ].map(
          ({ path, before }): Case => ({
            ...{ path, mtu: MTU, variant: variant(roundTripMs, reverse) },
            async measure() {
              await link.delay(roundTripMs);
              const { seconds } = context;
              return measureBulk({
                ...{ before, server, address: far.address, port: PORT, processes: [] },
                ...{ seconds, reverse, omit: OMIT_SECONDS },
              });
            },
          }),
        ),
      ),
    );
    const series = await interleave(cases, context);
    const charts = ROUND_TRIPS_MS.map((ms) =>
      chartOf(series, { title: `TCP, ${ms} ms away`, variant: variant(ms, false), metric: GBPS, better: 'more' }),
    );
    return { series, verdicts: judgements(series), notes: [], charts };
  } finally {
    for (const close of end.reverse()) await close().catch(() => {});
  }
}

/** The way between the two kernels, as long as it is wanted. */
class Link {
  #now = 0;

  constructor(
    readonly daemon: UnetDaemon,
    readonly near: Guest,
    readonly far: Guest,
  ) {}

  /** Half of it on the way there and half on the way back. */
  async delay(roundTripMs: number): Promise<void> {
    if (this.#now === roundTripMs) return;
    await this.daemon.cli('fault', '--between', this.near.name, this.far.name, `delay=${roundTripMs / 2}ms`);
    this.#now = roundTripMs;
  }
}

function judgements(series: readonly Series[]): Verdict[] {
  return ROUND_TRIPS_MS.flatMap((ms) =>
    [false, true].map((reverse) => {
      const what = variant(ms, reverse);
      const ours = pickOne(series, { path: 'unet', variant: what });
      const kernels = pickOne(series, { path: KERNELS, variant: what });
      const id = `${ms}ms-${reverse ? 'in' : 'out'}`;
      return judgeRatio(
        { id, what, atLeast: 0.9, unit: 'of the kernels alone', ofCeiling: true },
        ours,
        kernels,
        'gbps',
      );
    }),
  );
}
