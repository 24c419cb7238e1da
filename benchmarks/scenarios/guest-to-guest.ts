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
    5 + wantedFor(context).length * (context.quick ? 1 : 2) * context.rounds * (context.seconds + 0.5),
  run,
};

function wantedFor({ root, quick }: Context): Wanted[] {
  return [veth, unetPair(root)].flatMap((peer) => (quick ? [1500] : MTUS).map((mtu) => ({ peer, mtu })));
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

function casesOf({ peer, mtu, path }: Opened, servers: IperfServer[], { seconds, quick }: Context): Case[] {
  let server: IperfServer | null = null;
  const there = () => {
    if (server === null) {
      const { outside, listenAddress } = path();
      server = new IperfServer(outside, listenAddress, PORT);
      servers.push(server);
    }
    return server;
  };
  return (quick ? [1] : [1, 4]).map((streams) => ({
    path: peer.name,
    mtu,
    variant: streams === 1 ? ONE : FOUR,
    measure: () => {
      const { inside, serverAddress, processes } = path();
      return measureBulk({
        before: inside,
        server: there(),
        address: serverAddress,
        port: PORT,
        seconds,
        streams,
        processes,
      });
    },
  }));
}

function judgements(series: readonly Series[]): Verdict[] {
  return MTUS.map((mtu) => {
    const ours = pickOne(series, { path: 'unet', mtu, variant: ONE });
    const ceiling = pickOne(series, { path: veth.name, mtu, variant: ONE });
    const what = mtu === 1500 ? ONE : `${ONE}, MTU ${mtu}`;
    return judgeRatio(
      { id: `veth-${mtu}`, what, atLeast: 0.8, unit: 'of veth', ofCeiling: true },
      ours,
      ceiling,
      'gbps',
    );
  });
}
