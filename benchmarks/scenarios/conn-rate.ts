import { LoadServer, loadProgram, runLoad, untilAnswered } from '../measure/load.js';
import { type Metric, P50, P99, PER_SECOND } from '../measure/metrics.js';
import { bestPeerIn, ceilingIn, oursIn } from '../measure/rivals.js';
import { type Case, interleave, type Sample, type Series, valuesOf } from '../measure/rounds.js';
import { judgeRatio, peerText, type Verdict, watchRatio } from '../measure/verdict.js';
import { outboundPeers, publishingPeers } from '../peers/all.js';
import { loopback } from '../peers/loopback.js';
import { type Opened, type Wanted, withPaths } from '../peers/open.js';
import { unet } from '../peers/unet.js';
import { chartOf } from '../report/chart-of.js';
import type { Context, Outcome, Scenario } from './scenario.js';

const PORT = 15_221;
/** Published ports, one a path: all of them are on the same 127.0.0.1. */
const FIRST_PUBLISHED = 15_230;
const CLIENTS = [1, 64] as const;
const OUT = 'guest → host';
const PUBLISHED = 'published port';

/** Of the seconds of one measurement: thousands of connections say enough, and the paths are many. */
const SHARE = 0.5;
const OVERHEAD_SECONDS = 0.2;
/** slirp4netns, for one, lets callers wait whose SYN its listener's backlog of one had no room for. */
const BROKEN: Metric = { id: 'broken', title: 'failed or hung', unit: 'connections', digits: 0 };
/** A stack that leaves more than this part of its clients waiting does not serve them at once: it is no rival at that. */
const HUNG_PART = 0.5;
const HOW_RIVALS_COUNT =
  'A stack that leaves more than half of its clients waiting (“failed or hung”) is not counted as the best peer there.';
/** Of ours, one in so many is an error of the path, and then there is no figure. */
const TOLERATED = 1 / 1000;

/** Connect, send a byte, receive a byte, close by RST, and the next: one client alone, and 64 at once. */
export const connRate: Scenario = {
  name: 'conn-rate',
  about:
    'short TCP connections (connect, a byte there, a byte back, reset) by unet-load: one client after the other and 64 at once, from a guest to the host’s loopback and from the host to a published port',
  metrics: [PER_SECOND, P50, P99, BROKEN],
  inQuick: true,
  estimateSeconds(context) {
    const { peers } = wantedPaths(context);
    return 15 + peers.length * CLIENTS.length * context.rounds * (context.seconds * SHARE + OVERHEAD_SECONDS);
  },
  async run(context): Promise<Outcome> {
    const { peers, notes } = wantedPaths(context);
    const servers: LoadServer[] = [];
    try {
      const series = await withPaths(
        peers.map(({ wanted }) => wanted),
        (opened) => interleave(allCases(opened, peers, servers, context), context),
      );
      const charts = [OUT, PUBLISHED].flatMap((direction) =>
        CLIENTS.map((clients) =>
          chartOf(series, {
            ...{ title: `Connections a second, ${variant(direction, clients)}`, metric: PER_SECOND },
            ...{ variant: variant(direction, clients), better: 'more' },
          }),
        ),
      );
      return { series, verdicts: judgements(series), notes: [HOW_RIVALS_COUNT, ...notes], charts };
    } finally {
      for (const server of servers) await server.end();
    }
  },
};

interface Way {
  readonly wanted: Wanted;
  /** Null: from the guest to the host. */
  readonly published: number | null;
}

function wantedPaths(context: Context): { peers: Way[]; notes: readonly string[] } {
  const [out, published] = [outboundPeers(context), publishingPeers(context)];
  const ours = [loopback, unet(context.root)];
  const outward = [...ours, ...out.peers].map((peer) => ({
    ...{ wanted: { peer, mtu: peer.mtus[0] ?? null }, published: null },
  }));
  const inward = [...ours, ...published.peers].map((peer, index) => {
    const port = FIRST_PUBLISHED + index;
    return { wanted: { peer, mtu: peer.mtus[0] ?? null, publish: [port] }, published: port };
  });
  const peers = context.quick ? outward : [...outward, ...inward];
  return { peers, notes: [...new Set([...out.notes, ...published.notes])] };
}

function allCases(opened: readonly Opened[], ways: readonly Way[], servers: LoadServer[], context: Context): Case[] {
  const { root } = context;
  const seconds = context.seconds * SHARE;
  const outside = new LoadServer({ root, before: [], kind: 'conn-server', address: '127.0.0.1', port: PORT });
  servers.push(outside);
  return opened.flatMap(({ peer, mtu, path }, index) => {
    const port = ways[index]?.published ?? null;
    let inside: LoadServer | null = null;
    const ready = async (): Promise<readonly string[]> => {
      const { inside: before, serverAddress, publishedAddress } = path();
      if (port === null) {
        await outside.start();
        return [...before, loadProgram(root), 'conn-client', `${serverAddress}:${PORT}`];
      }
      if (inside === null) {
        const address = peer.kind === 'ceiling' ? '127.0.0.1' : '0.0.0.0';
        inside = new LoadServer({ root, before, kind: 'conn-server', address, port });
        servers.push(inside);
      }
      await inside.start();
      await untilAnswered(publishedAddress, port);
      return [loadProgram(root), 'conn-client', `${publishedAddress}:${port}`];
    };
    return CLIENTS.map((clients) => ({
      path: peer.name,
      mtu,
      variant: variant(port === null ? OUT : PUBLISHED, clients),
      async measure() {
        const argv = [...(await ready()), '--reset', '--seconds', `${seconds}`, '--clients', `${clients}`];
        return sampleOf(await runLoad<Report>(argv, seconds), peer.kind === 'peer');
      },
    }));
  });
}

function variant(direction: string, clients: number): string {
  return `${direction}, ${clients === 1 ? '1 client' : `${clients} clients`}`;
}

interface Report {
  readonly connections: number;
  readonly perSecond: number;
  readonly microseconds: { readonly p50: number; readonly p99: number };
  readonly errors: number;
  readonly firstError: string | null;
  readonly stuck: number;
}

function sampleOf(report: Report, tolerant: boolean): Sample {
  const { connections, perSecond, microseconds, errors, firstError, stuck } = report;
  const broken = errors + stuck;
  if (!tolerant && broken > connections * TOLERATED) {
    throw new Error(`of ${connections} connections ${errors} failed (${firstError ?? '–'}) and ${stuck} hung`);
  }
  return { perSecond, p50Us: microseconds.p50, p99Us: microseconds.p99, broken };
}

const AT_LEAST = { 1: 1.3, 64: 2 } as const;

function judgements(series: readonly Series[]): Verdict[] {
  return [OUT, PUBLISHED].flatMap((direction) =>
    CLIENTS.flatMap((clients) => {
      const what = variant(direction, clients);
      const ours = oursIn(series, what);
      const serving = series.filter((one) => (valuesOf(one, BROKEN.id)?.median ?? 0) <= clients * HUNG_PART);
      const best = bestPeerIn(serving, what, PER_SECOND.id, 'more');
      const id = `${direction === OUT ? 'out' : 'published'}/${clients}`;
      const aim = { id, what, atLeast: AT_LEAST[clients], unit: '× the best peer' };
      const bestPeer = peerText(best, PER_SECOND.id, PER_SECOND.unit, 0);
      const watched = { id: `${id}/loopback`, what, unit: 'of loopback', better: 'more' } as const;
      const verdict = judgeRatio({ ...aim, bestPeer }, ours, best, PER_SECOND.id);
      // One client in sequence is latency: beside anything else that runs, its ratio says who shares whose core.
      if (clients === 1) return [verdict];
      return [verdict, watchRatio(watched, ours, ceilingIn(series, what), PER_SECOND.id)];
    }),
  );
}
