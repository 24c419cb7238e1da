import { hostPaces, judgeUnpaced, UNPACED, unpaced } from '../measure/congestion.js';
import { IperfServer, measureBulk } from '../measure/iperf.js';
import { CPU, FAIR, GBPS } from '../measure/metrics.js';
import { bestOf, type Case, interleave, pick, pickOne, type Series, valuesOf } from '../measure/rounds.js';
import { judge, judgeRatio, peerText, type Verdict, watchRatio } from '../measure/verdict.js';
import { outboundPeers } from '../peers/all.js';
import { loopback } from '../peers/loopback.js';
import { type Opened, type Wanted, withPaths } from '../peers/open.js';
import type { Peer } from '../peers/peer.js';
import { unet } from '../peers/unet.js';
import type { Chart } from '../report/chart.js';
import { chartOf } from '../report/chart-of.js';
import type { Context, Outcome, Scenario } from './scenario.js';

const PORT = 15_201;
const BOTH = ['guest → host', 'host → guest'] as const;
type Direction = (typeof BOTH)[number];

/** One TCP stream and several by iperf3, each way, at both MTUs, between a guest and a server on the host's loopback. */
export const tcpBulk: Scenario = {
  name: 'tcp-bulk',
  about:
    'iperf3 between a guest and a server on the host’s loopback, each way: 1, 4 and 16 streams, MTU 1500 and 65520',
  metrics: [GBPS, CPU, FAIR],
  inQuick: true,
  estimateSeconds(context) {
    const { peers } = outboundPeers(context);
    const cases = [loopback, unet(context.root), ...peers].flatMap((peer) =>
      mtusOf(peer, context).flatMap((mtu) => loadsOf(peer, mtu, context)),
    );
    return 10 + cases.length * BOTH.length * context.rounds * (context.seconds + 0.5);
  },
  run,
};

async function run(context: Context): Promise<Outcome> {
  const found = outboundPeers(context);
  const peers = [loopback, unet(context.root), ...found.peers];
  const wanted: Wanted[] = peers.flatMap((peer) => mtusOf(peer, context).map((mtu) => ({ peer, mtu })));
  const server = new IperfServer([], '127.0.0.1', PORT);
  try {
    const series = await withPaths(wanted, (opened) =>
      interleave(
        opened.flatMap((one) => casesOf(one, server, context)),
        context,
      ),
    );
    return { series, verdicts: judgements(series), notes: found.notes, charts: charts(series) };
  } finally {
    await server.end();
  }
}

function mtusOf({ mtus }: Peer, { quick }: Context): Peer['mtus'] {
  return quick ? mtus.slice(0, 1) : mtus;
}

/** Many streams are a target of ours; of peers they would be time without a question. */
function streamsOf({ kind }: Peer, { quick }: Context): number[] {
  return quick || kind === 'peer' ? [1] : [1, 4, 16];
}

interface Load {
  readonly streams: number;
  readonly congestion?: string;
}

/** What is sent: streams as the machine sends them, and one without pacing beside a ceiling that is paced. */
function loadsOf(peer: Peer, mtu: number | null, context: Context): Load[] {
  const asTheyAre = streamsOf(peer, context).map((streams) => ({ streams }));
  const isCompared = peer.kind !== 'peer' && mtu !== 65_520 && !context.quick && hostPaces();
  if (!isCompared) return asTheyAre;
  return [...asTheyAre, ...[1, 16].map((streams) => ({ streams, congestion: UNPACED }))];
}

function casesOf(opened: Opened, server: IperfServer, context: Context): Case[] {
  const { peer, mtu, path } = opened;
  return loadsOf(peer, mtu, context).flatMap(({ streams, congestion }) =>
    BOTH.map((direction) => ({
      path: peer.name,
      mtu,
      variant: congestion === undefined ? variant(direction, streams) : unpaced(variant(direction, streams)),
      measure: () => {
        const { inside, serverAddress, processes } = path();
        return measureBulk({
          ...{ before: inside, server, address: serverAddress, port: PORT, processes },
          ...{ streams, seconds: context.seconds, reverse: direction === 'host → guest' },
          ...(congestion !== undefined && { congestion }),
        });
      },
    })),
  );
}

function variant(direction: Direction, streams: number): string {
  return `${direction}, ${streams} ${streams === 1 ? 'stream' : 'streams'}`;
}

const TARGETS = {
  'guest → host': { id: 'out', ofLoopback: 0.75, ofBest1500: 8, ofBest65520: 2 },
  'host → guest': { id: 'in', ofLoopback: 0.9, ofBest1500: 7, ofBest65520: 1.3 },
} as const;

function judgements(series: readonly Series[]): Verdict[] {
  return BOTH.flatMap((direction) => [
    ...oneStream(series, direction),
    ...[4, 16].flatMap((streams) => manyStreams(series, direction, streams)),
  ]);
}

function oneStream(series: readonly Series[], direction: Direction): Verdict[] {
  const { id, ofLoopback, ofBest1500, ofBest65520 } = TARGETS[direction];
  const what = variant(direction, 1);
  const ceiling = pickOne(series, { path: loopback.name, variant: what });
  const ours = (mtu: number) => pickOne(series, { path: 'unet', mtu, variant: what });
  const best = (mtu: number) => bestOf(othersOf(series, mtu, what), 'gbps', 'more');
  const pasta = pickOne(series, { path: 'pasta', mtu: 65_520, variant: what });
  return [
    judgeRatio(
      { id: `${id}/loopback`, what, atLeast: ofLoopback, unit: 'of loopback', ofCeiling: true },
      ...[ours(1500), ceiling, 'gbps' as const],
    ),
    ...withoutPacing(series, direction),
    judgeRatio(
      { id: `${id}/best-1500`, what, atLeast: ofBest1500, unit: '× the best peer at 1500', bestPeer: text(best(1500)) },
      ...[ours(1500), best(1500), 'gbps' as const],
    ),
    judgeRatio(
      {
        ...{ id: `${id}/best-65520`, what: `${what}, MTU 65520`, atLeast: ofBest65520 },
        ...{ unit: '× the best peer at 65520', bestPeer: text(best(65_520)) },
      },
      ...[ours(65_520), best(65_520), 'gbps' as const],
    ),
    judgeRatio(
      {
        ...{ id: `${id}/cpu`, what: `CPU s/GiB, ${what}`, atMost: 0.5, unit: '× pasta’s at 65520' },
        bestPeer: peerText(pasta, 'cpuPerGiB', 's/GiB'),
      },
      ...[ours(1500), pasta, 'cpuPerGiB' as const],
    ),
  ];
}

/** The same target beside a ceiling that is not held back; nothing where the machine paces nothing. */
function withoutPacing(series: readonly Series[], direction: Direction): Verdict[] {
  const { id, ofLoopback } = TARGETS[direction];
  const verdicts = judgeUnpaced(series, {
    ...{ id: `${id}/loopback-unpaced`, variant: variant(direction, 1), atLeast: ofLoopback, unit: 'of loopback' },
    ...{ mtu: 1500, ceiling: { path: loopback.name, mtu: null } },
  });
  if (verdicts.length === 0) return [];
  const what = unpaced(variant(direction, 16));
  const ours = pickOne(series, { path: 'unet', mtu: 1500, variant: what });
  const ceiling = pickOne(series, { path: loopback.name, variant: what });
  const one = pickOne(series, { path: loopback.name, variant: unpaced(variant(direction, 1)) });
  const watched = { id: `${id}/16-unpaced`, what, unit: 'of loopback', better: 'more' } as const;
  const kernel = { id: `${id}/16-kernel`, what: `${what}: loopback`, unit: '× one stream', better: 'more' } as const;
  return [
    ...verdicts,
    watchRatio(watched, ours, ceiling, 'gbps'),
    // What several streams cost the kernel by itself: to place our own totals, and nothing that a change of ours could lower.
    { ...watchRatio(kernel, ceiling, one, 'gbps'), ofCeiling: false },
  ];
}

function manyStreams(series: readonly Series[], direction: Direction, streams: number): Verdict[] {
  const { id } = TARGETS[direction];
  const what = variant(direction, streams);
  const many = pickOne(series, { path: 'unet', mtu: 1500, variant: what });
  const one = pickOne(series, { path: 'unet', mtu: 1500, variant: variant(direction, 1) });
  return [
    judgeRatio({ id: `${id}/total-${streams}`, what, atLeast: 0.9, unit: '× one stream' }, many, one, 'gbps'),
    judge(
      { id: `${id}/fair-${streams}`, what: `${what}, fairness`, atLeast: 0.5, unit: 'slowest of fastest' },
      many === null ? null : valuesOf(many, 'fairness'),
    ),
  ];
}

function othersOf(series: readonly Series[], mtu: number, variant: string): Series[] {
  return pick(series, { mtu, variant }).filter(({ path }) => path !== 'unet' && path !== loopback.name);
}

const text = (series: Series | null) => peerText(series, 'gbps', 'Gbit/s');

function charts(series: readonly Series[]): Chart[] {
  return BOTH.map((direction) =>
    chartOf(series, {
      title: `TCP ${direction}, 1 stream`,
      variant: variant(direction, 1),
      metric: GBPS,
      better: 'more',
    }),
  );
}
