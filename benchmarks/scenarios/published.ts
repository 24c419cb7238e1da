import { setTimeout as sleep } from 'node:timers/promises';
import { hostPaces, judgeUnpaced, UNPACED, unpaced } from '../measure/congestion.js';
import { IperfServer, measureBulk } from '../measure/iperf.js';
import { CPU, GBPS } from '../measure/metrics.js';
import { bestOf, type Case, interleave, pick, pickOne, type Series } from '../measure/rounds.js';
import { judgeRatio, peerText, type Verdict } from '../measure/verdict.js';
import { publishingPeers } from '../peers/all.js';
import { loopback } from '../peers/loopback.js';
import { type Opened, type Wanted, withPaths } from '../peers/open.js';
import type { Peer } from '../peers/peer.js';
import { unet } from '../peers/unet.js';
import { chartOf } from '../report/chart-of.js';
import type { Context, Outcome, Scenario } from './scenario.js';

/** Each path publishes a port of its own, all of them at the same time. */
const FIRST_PORT = 15_300;
const IN = 'host client → guest server';
const OUT = 'guest server → host client';
/** RootlessKit's implicit driver (pasta) looks once a second for ports that are listened on. */
const DISCOVERY_MS = 2500;

/** iperf3 from the host's loopback through a published port to a server inside, and back. */
export const published: Scenario = {
  name: 'published',
  about:
    'iperf3, one stream, from a client on the host’s loopback through a published port to a server in the guest, and back',
  metrics: [GBPS, CPU],
  inQuick: true,
  estimateSeconds(context) {
    const cases = wantedFor(context).wanted.flatMap(({ peer, mtu }) => loadsOf(peer, mtu, context));
    return 5 + cases.length * context.rounds * (context.seconds + 0.5);
  },
  run,
};

function wantedFor(context: Context): { wanted: Wanted[]; notes: readonly string[] } {
  const { root, quick } = context;
  const found = publishingPeers(context);
  const peers = [loopback, unet(root), ...found.peers];
  // pasta's splice goes past its TAP: the MTU is no question to it.
  const mtus = (peer: Peer) => (quick || peer.name === 'pasta' ? peer.mtus.slice(0, 1) : peer.mtus);
  const all = peers.flatMap((peer) => mtus(peer).map((mtu) => ({ peer, mtu })));
  return { wanted: all.map((one, index) => ({ ...one, publish: [FIRST_PORT + index] })), notes: found.notes };
}

interface Load {
  readonly variant: string;
  readonly reverse: boolean;
  readonly congestion?: string;
}

function loadsOf(peer: Peer, mtu: number | null, { quick }: Context): Load[] {
  const inwards = { variant: IN, reverse: false };
  if (quick || mtu === 65_520) return [inwards];
  const both = [inwards, { variant: OUT, reverse: true }];
  if (peer.kind === 'peer' || !hostPaces()) return both;
  return [...both, { variant: unpaced(IN), reverse: false, congestion: UNPACED }];
}

async function run(context: Context): Promise<Outcome> {
  const { wanted, notes } = wantedFor(context);
  const servers: IperfServer[] = [];
  try {
    const series = await withPaths(wanted, async (opened) => {
      const cases = opened.flatMap((one, index) => casesOf(one, FIRST_PORT + index, servers, context));
      // Servers that cannot start say so when they are measured.
      for (const server of servers) await server.start().catch(() => {});
      await sleep(DISCOVERY_MS);
      return interleave(cases, context);
    });
    const charts = [chartOf(series, { title: `Published port, ${IN}`, variant: IN, metric: GBPS, better: 'more' })];
    return { series, verdicts: judgements(series), notes, charts };
  } finally {
    for (const server of servers) await server.end();
  }
}

function casesOf({ peer, mtu, path }: Opened, port: number, servers: IperfServer[], context: Context): Case[] {
  let server: IperfServer | null = null;
  const inside = () => {
    server ??= new IperfServer(path().inside, null, port);
    return server;
  };
  try {
    servers.push(inside());
  } catch {
    // The path did not come up; its rows say why.
  }
  return loadsOf(peer, mtu, context).map(({ variant, reverse, congestion }) => ({
    path: peer.name,
    mtu,
    variant,
    measure: () => {
      const { publishedAddress, processes } = path();
      return measureBulk({
        before: [],
        server: inside(),
        address: publishedAddress,
        port,
        seconds: context.seconds,
        reverse,
        processes,
        ...(congestion !== undefined && { congestion }),
      });
    },
  }));
}

const RIVALS = ['rootlesskit builtin', 'pasta'] as const;

function judgements(series: readonly Series[]): Verdict[] {
  const ours = pickOne(series, { path: 'unet', mtu: 1500, variant: IN });
  const ceiling = pickOne(series, { path: loopback.name, variant: IN });
  const best = bestOf(
    pick(series, { variant: IN }).filter(({ path }) => path !== 'unet' && path !== loopback.name),
    'gbps',
    'more',
  );
  const bestPeer = peerText(best, 'gbps', 'Gbit/s');
  return [
    judgeRatio(
      { id: 'loopback', what: IN, atLeast: 0.8, unit: 'of loopback', ofCeiling: true, bestPeer },
      ours,
      ceiling,
      'gbps',
    ),
    ...judgeUnpaced(series, {
      ...{ id: 'loopback-unpaced', variant: IN, mtu: 1500, ceiling: { path: loopback.name, mtu: null } },
      ...{ atLeast: 0.8, unit: 'of loopback' },
    }),
    ...RIVALS.map((path) => {
      const rival = bestOf(pick(series, { path, variant: IN }), 'gbps', 'more');
      const name = path === 'pasta' ? 'pasta’s splice' : 'RootlessKit builtin';
      const aim = { id: `over-${path.replace(' ', '-')}`, what: IN, atLeast: 1.2, unit: `× ${name}` };
      return judgeRatio({ ...aim, bestPeer: peerText(rival, 'gbps', 'Gbit/s') }, ours, rival, 'gbps');
    }),
  ];
}
