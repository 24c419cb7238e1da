import { hostPaces, judgeUnpaced, UNPACED, unpaced } from '../measure/congestion.js';
import { IperfServer, measureBulk } from '../measure/iperf.js';
import { CPU, GBPS } from '../measure/metrics.js';
import { type Case, interleave, pickOne, type Series } from '../measure/rounds.js';
import { judgeRatio, type Verdict } from '../measure/verdict.js';
import { type Opened, type Wanted, withPaths } from '../peers/open.js';
import { MTUS } from '../peers/peer.js';
import { unetPair } from '../peers/unet.js';
import { veth } from '../peers/veth.js';
import { chartOf } from '../report/chart-of.js';
import type { Context, Outcome, Scenario } from './scenario.js';

const PORT = 15_202;
const ONE = 'guest ↔ guest, 1 stream';
const FOUR = 'guest ↔ guest, 4 streams';

/** iperf3 between two containers of one network; beside the kernel's own way of joining two network namespaces. */
export const guestToGuest: Scenario = {
  name: 'guest-to-guest',
  about: 'iperf3 between two containers on one network, beside two network namespaces that the kernel joins by veth',
  metrics: [GBPS, CPU],
  inQuick: true,
  estimateSeconds: (context) =>
    5 + wantedFor(context).length * loadsOf(context).length * context.rounds * (context.seconds + 0.5),
  run,
};

function wantedFor({ root, quick }: Context): Wanted[] {
  return [veth, unetPair(root)].flatMap((peer) => (quick ? [1500] : MTUS).map((mtu) => ({ peer, mtu })));
}

/** Streams, and the congestion control of both ends where it is not the default. */
function loadsOf({ quick }: Context): { streams: number; congestion?: string }[] {
  if (quick) return [{ streams: 1 }];
  const asTheyAre = [{ streams: 1 }, { streams: 4 }];
  return hostPaces() ? [...asTheyAre, { streams: 1, congestion: UNPACED }] : asTheyAre;
}

async function run(context: Context): Promise<Outcome> {
  const servers: IperfServer[] = [];
  try {
    const series = await withPaths(wantedFor(context), (opened) =>
      interleave(
        opened.flatMap((one) => casesOf(one, servers, context)),
        context,
      ),
    );
    const charts = [chartOf(series, { title: 'Guest to guest, 1 stream', variant: ONE, metric: GBPS, better: 'more' })];
    const notes = [
      'No other rootless stack joins containers by itself: those that do use a kernel bridge and veth inside one namespace.',
    ];
    return { series, verdicts: judgements(series), notes, charts };
  } finally {
    for (const server of servers) await server.end();
  }
}

function casesOf({ peer, mtu, path }: Opened, servers: IperfServer[], context: Context): Case[] {
  let server: IperfServer | null = null;
  const there = () => {
    if (server === null) {
      const { outside, listenAddress } = path();
      server = new IperfServer(outside, listenAddress, PORT);
      servers.push(server);
    }
    return server;
  };
  return loadsOf(context).map(({ streams, congestion }) => ({
    path: peer.name,
    mtu,
    variant: congestion !== undefined ? unpaced(ONE) : streams === 1 ? ONE : FOUR,
    measure: () => {
      const { inside, serverAddress, processes } = path();
      return measureBulk({
        before: inside,
        server: there(),
        address: serverAddress,
        port: PORT,
        seconds: context.seconds,
        streams,
        processes,
        ...(congestion !== undefined && { congestion }),
      });
    },
  }));
}

function judgements(series: readonly Series[]): Verdict[] {
  return MTUS.flatMap((mtu) => {
    const ours = pickOne(series, { path: 'unet', mtu, variant: ONE });
    const ceiling = pickOne(series, { path: veth.name, mtu, variant: ONE });
    const suffix = mtu === 1500 ? '' : `, MTU ${mtu}`;
    const aim = { atLeast: 0.8, unit: 'of veth' };
    return [
      judgeRatio({ id: `veth-${mtu}`, what: `${ONE}${suffix}`, ...aim, ofCeiling: true }, ours, ceiling, 'gbps'),
      ...judgeUnpaced(series, {
        ...{ id: `veth-${mtu}-unpaced`, variant: ONE, suffix, mtu, ceiling: { path: veth.name, mtu } },
        ...aim,
      }),
    ];
  });
}
