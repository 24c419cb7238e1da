import { LoadServer, loadProgram, runLoad } from '../measure/load.js';
import { P50, P99, PER_SECOND } from '../measure/metrics.js';
import { bestPeerIn, ceilingIn, oursIn } from '../measure/rivals.js';
import { type Case, interleave, type Series } from '../measure/rounds.js';
import { judgeRatio, peerText, type Verdict } from '../measure/verdict.js';
import { outboundPeers } from '../peers/all.js';
import { loopback } from '../peers/loopback.js';
import { type Opened, withPaths } from '../peers/open.js';
import { unet } from '../peers/unet.js';
import { chartOf } from '../report/chart-of.js';
import type { Context, Outcome, Scenario } from './scenario.js';

const PORT = 15_211;
const VARIANT = 'guest → host';
/** Beside the seconds that count: the client's warm-up and its start. */
const OVERHEAD_SECONDS = 0.4;

/** One byte there and one back on one connection, again and again. */
export const tcpRr: Scenario = {
  name: 'tcp-rr',
  about: 'TCP round trips of one byte on one connection from a guest to a server on the host’s loopback, by unet-load',
  metrics: [P50, P99, PER_SECOND],
  inQuick: false,
  estimateSeconds(context) {
    return 5 + peersOf(context).peers.length * context.rounds * (context.seconds + OVERHEAD_SECONDS);
  },
  async run(context): Promise<Outcome> {
    const { peers, notes } = peersOf(context);
    const server = new LoadServer({
      ...{ root: context.root, before: [], kind: 'rr-server', address: '127.0.0.1', port: PORT },
    });
    try {
      const wanted = peers.map((peer) => ({ peer, mtu: peer.mtus[0] ?? null }));
      const series = await withPaths(wanted, (opened) =>
        interleave(
          opened.map((one) => caseOf(one, server, context)),
          context,
        ),
      );
      const chart = { variant: VARIANT, better: 'less' } as const;
      const charts = [
        chartOf(series, { ...chart, title: 'TCP round trip, median', metric: P50 }),
        chartOf(series, { ...chart, title: 'TCP round trip, 99th percentile', metric: P99 }),
      ];
      return { series, verdicts: judgements(series), notes, charts };
    } finally {
      await server.end();
    }
  },
};

function peersOf(context: Context) {
  const { peers, notes } = outboundPeers(context);
  return { peers: [loopback, unet(context.root), ...peers], notes };
}

interface Report {
  readonly perSecond: number;
  readonly microseconds: { readonly p50: number; readonly p99: number };
}

function caseOf({ peer, mtu, path }: Opened, server: LoadServer, { root, seconds }: Context): Case {
  return {
    path: peer.name,
    mtu,
    variant: VARIANT,
    async measure() {
      const { inside, serverAddress } = path();
      await server.start();
      const argv = [...inside, loadProgram(root), 'rr-client', `${serverAddress}:${PORT}`, '--seconds', `${seconds}`];
      const { perSecond, microseconds } = await runLoad<Report>(argv, seconds);
      return { p50Us: microseconds.p50, p99Us: microseconds.p99, perSecond };
    },
  };
}

function judgements(series: readonly Series[]): Verdict[] {
  const ours = oursIn(series, VARIANT);
  const ceiling = ceilingIn(series, VARIANT);
  return [
    ...[P50, P99].map(({ id, title, unit }) => {
      const best = bestPeerIn(series, VARIANT, id, 'less');
      const aim = { id: `${title}/best`, what: `round trip, ${title}`, atMost: 0.95, unit: '× the best peer’s' };
      return judgeRatio({ ...aim, bestPeer: peerText(best, id, unit, 1) }, ours, best, id);
    }),
    // Not for `--check`: on a busy machine wake-ups cost several times as much, and loopback's client and server share a core.
    judgeRatio(
      { id: 'p50/loopback', what: 'round trip, p50 (stretch)', atMost: 1.3, unit: '× loopback’s' },
      ...[ours, ceiling, P50.id],
    ),
  ];
}
