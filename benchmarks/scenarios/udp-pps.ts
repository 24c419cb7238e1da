import { LoadServer, loadProgram, runLoad } from '../measure/load.js';
import { GBPS, LOSS, type Metric, PER_SECOND } from '../measure/metrics.js';
import { bestPeerIn, ceilingIn, oursIn } from '../measure/rivals.js';
import { type Case, interleave, type Sample, type Series, valuesOf } from '../measure/rounds.js';
import { judge, judgeRatio, peerText, type Verdict, watchRatio } from '../measure/verdict.js';
import { outboundPeers } from '../peers/all.js';
import { loopback } from '../peers/loopback.js';
import { type Opened, withPaths } from '../peers/open.js';
import type { Peer } from '../peers/peer.js';
import { unet } from '../peers/unet.js';
import { chartOf } from '../report/chart-of.js';
import type { Context, Outcome, Scenario } from './scenario.js';

const PORT = 15_251;
/** Published ports, one a path: all of them are on the same 127.0.0.1. */
const FIRST_PUBLISHED = 15_260;
/** The smallest, what QUIC sends, and what fills an Ethernet frame. */
const SIZES = [64, 1200, 1472] as const;
const WAYS = ['guest → host', 'host → guest'] as const;
const SENDERS = ['plain', 'UDP_SEGMENT'] as const;
type Way = (typeof WAYS)[number];
type Sender = (typeof SENDERS)[number];
/** Of the seconds of one measurement, for full speed and for half of it each: a hundred thousand datagrams say enough. */
const SHARE = 0.25;
/** Waiting for the last datagrams, twice. */
const OVERHEAD_SECONDS = 0.6;

const RATE: Metric = { ...PER_SECOND, title: 'delivered' };
const AT_FULL: Metric = { ...LOSS, title: 'lost at full speed', digits: 1 };
const AT_HALF: Metric = { id: 'lossAtHalfPercent', title: 'lost at half the delivered rate', unit: '%', digits: 3 };

/** Datagrams as fast as one sender sends them, and then half as many as were delivered. */
export const udpPps: Scenario = {
  name: 'udp-pps',
  about:
    'UDP datagrams by unet-load: payload delivered of what one sender sends at full speed, by one send() each or by UDP_SEGMENT, and the loss when it sends half as much as was delivered',
  metrics: [GBPS, RATE, AT_FULL, AT_HALF],
  inQuick: true,
  estimateSeconds(context) {
    const { peers } = peersOf(context);
    const cases = peers.flatMap((peer) => kindsOf(peer, context)).length;
    return 10 + cases * context.rounds * (2 * context.seconds * SHARE + OVERHEAD_SECONDS);
  },
  async run(context): Promise<Outcome> {
    const { peers, notes } = peersOf(context);
    const servers: LoadServer[] = [];
    try {
      const wanted = peers.map((peer, index) => ({
        ...{
          peer,
          mtu: peer.mtus[0] ?? null,
          publish: [FIRST_PUBLISHED + index],
          publishUdp: [FIRST_PUBLISHED + index],
        },
      }));
      const series = await withPaths(wanted, (opened) => interleave(allCases(opened, servers, context), context));
      return { series, verdicts: judgements(series), notes, charts: charts(series) };
    } finally {
      for (const server of servers) await server.end();
    }
  },
};

function peersOf(context: Context): { peers: readonly Peer[]; notes: readonly string[] } {
  const { peers, notes } = outboundPeers(context);
  return { peers: [loopback, unet(context.root), ...peers], notes };
}

function allCases(opened: readonly Opened[], servers: LoadServer[], context: Context): Case[] {
  const { root } = context;
  const outside = new LoadServer({ root, before: [], kind: 'udp-receive', address: '127.0.0.1', port: PORT });
  servers.push(outside);
  return opened.flatMap(({ peer, mtu, path }, index) => {
    const port = FIRST_PUBLISHED + index;
    let inside: LoadServer | null = null;
    const sender = async (way: Way): Promise<string[]> => {
      const { inside: before, serverAddress, publishedAddress } = path();
      if (way === 'guest → host') {
        await outside.start();
        return [...before, loadProgram(root), 'udp-send', `${serverAddress}:${PORT}`];
      }
      if (inside === null) {
        const address = peer.kind === 'ceiling' ? '127.0.0.1' : '0.0.0.0';
        inside = new LoadServer({ root, before, kind: 'udp-receive', address, port });
        servers.push(inside);
      }
      await inside.start();
      return [loadProgram(root), 'udp-send', `${publishedAddress}:${port}`];
    };
    return kindsOf(peer, context).map(({ way, size, by }) => ({
      path: peer.name,
      mtu,
      variant: variant(way, size, by),
      measure: async () => fullAndHalf(await sender(way), size, by, context.seconds * SHARE),
    }));
  });
}

interface Kind {
  readonly way: Way;
  readonly size: number;
  readonly by: Sender;
}

const PLAIN: readonly Kind[] = WAYS.flatMap((way) => SIZES.map((size) => ({ way, size, by: 'plain' })));
const SEGMENTED: readonly Kind[] = WAYS.map((way) => ({ way, size: 1200, by: 'UDP_SEGMENT' }));

/** What is measured of a path. All of it for ours; of others what the targets ask for, and one figure of the way in. */
function kindsOf({ kind }: Peer, { quick }: Context): Kind[] {
  if (quick) return PLAIN.filter(({ way, size }) => way === 'guest → host' && size === 1200);
  const all = [...PLAIN, ...SEGMENTED];
  if (kind === 'unet') return all;
  const wayIn = kind === 'peer' ? PLAIN.filter(({ way, size }) => way === 'host → guest' && size === 1200) : [];
  return [...all.filter(({ way }) => way === 'guest → host'), ...wayIn];
}

function variant(way: Way, size: number, by: Sender): string {
  return `${way}, ${size} B, ${by}`;
}

interface Report {
  readonly bitsPerSecond: number;
  readonly deliveredPerSecond: number;
  /** 0 to 1. */
  readonly loss: number;
}

async function fullAndHalf(client: readonly string[], size: number, by: Sender, seconds: number): Promise<Sample> {
  const words = ['--size', `${size}`, '--seconds', `${seconds}`, ...(by === 'plain' ? [] : ['--segment'])];
  const full = await runLoad<Report>([...client, ...words], seconds);
  const rate = Math.floor(full.deliveredPerSecond / 2);
  if (rate < 1) throw new Error('not one datagram arrived');
  const half = await runLoad<Report>([...client, ...words, '--rate', `${rate}`], seconds);
  return {
    gbps: full.bitsPerSecond / 1e9,
    perSecond: full.deliveredPerSecond,
    lossPercent: full.loss * 100,
    lossAtHalfPercent: half.loss * 100,
  };
}

const AT_LEAST = { plain: 2, UDP_SEGMENT: 5 } as const;

function judgements(series: readonly Series[]): Verdict[] {
  const plain = variant('guest → host', 1200, 'plain');
  const ours = oursIn(series, plain);
  const watched = { id: 'out/plain/loopback', what: plain, unit: 'of loopback', better: 'more' } as const;
  return [
    watchRatio(watched, ours, ceilingIn(series, plain), GBPS.id),
    ...SENDERS.map((by) => {
      const what = variant('guest → host', 1200, by);
      const best = bestPeerIn(series, what, GBPS.id, 'more');
      const aim = { id: `out/${by}`, what, atLeast: AT_LEAST[by], unit: '× the best peer' };
      const bestPeer = peerText(best, GBPS.id, GBPS.unit);
      return judgeRatio({ ...aim, bestPeer }, oursIn(series, what), best, GBPS.id);
    }),
    judge(
      { id: 'out/half', what: plain, atMost: 0.1, unit: '% lost at half that rate' },
      ours && valuesOf(ours, AT_HALF.id),
    ),
  ];
}

function charts(series: readonly Series[]) {
  return SENDERS.map((by) =>
    chartOf(series, {
      ...{ title: `UDP, 1200 B, ${by}, guest → host`, metric: GBPS, better: 'more' },
      variant: variant('guest → host', 1200, by),
    }),
  );
}
