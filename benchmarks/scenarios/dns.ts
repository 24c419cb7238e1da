import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuSecondsOf } from '../measure/cpu.js';
import { dnsLatency, dnsRate } from '../measure/dnsperf.js';
import { LOSS, type Metric, P50, P99, PER_SECOND } from '../measure/metrics.js';
import { bestPeerIn, oursIn } from '../measure/rivals.js';
import { type Case, interleave, type Series, valuesOf } from '../measure/rounds.js';
import { judge, judgeRatio, peerText, type Verdict } from '../measure/verdict.js';
import { LOCAL_NAME } from '../peers/dns-peer.js';
import { dnsmasq } from '../peers/dnsmasq.js';
import { onPath } from '../peers/on-path.js';
import { type Opened, withPaths } from '../peers/open.js';
import type { Peer } from '../peers/peer.js';
import { unbound } from '../peers/unbound.js';
import { unetDns } from '../peers/unet-dns.js';
import { chartOf } from '../report/chart-of.js';
import type { Context, Outcome, Scenario } from './scenario.js';

const LOCAL = 'local name';
const CACHED = 'cached outside name';
const QUESTIONS = { [LOCAL]: `${LOCAL_NAME} A\n`, [CACHED]: 'outside.example A\n' } as const;
type Variant = keyof typeof QUESTIONS;
const VARIANTS = [LOCAL, CACHED] as const;

/** A rate that every server here has time for: the tail is then its own, and not a queue's. */
const CALM_PER_SECOND = 5000;
const AT_LEAST_PER_SECOND = 30_000;
const OVERHEAD_SECONDS = 0.5;

const ANSWERS: Metric = { ...PER_SECOND, title: 'answers' };
const CPU_PER_ANSWER: Metric = { id: 'cpuUs', title: 'CPU of the server', unit: 'µs/answer', digits: 1 };
const CALM = `at ${CALM_PER_SECOND}/s`;
const CALM_P50: Metric = { ...P50, title: `p50 ${CALM}` };
const CALM_P99: Metric = { ...P99, title: `p99 ${CALM}` };

/** How many questions a second are answered, and how fast one is. */
export const dns: Scenario = {
  name: 'dns',
  about:
    'DNS questions by dnsperf from a guest: 100 under way at any time, then 5,000 a second; for the name of another container and for an outside name that is in the cache, beside servers from the distribution in a namespace of their own, asked over a veth',
  metrics: [ANSWERS, LOSS, CALM_P50, CALM_P99, CPU_PER_ANSWER],
  inQuick: false,
  estimateSeconds(context) {
    const cases = peersOf(context).peers.length * VARIANTS.length;
    return 10 + cases * context.rounds * 2 * (context.seconds + OVERHEAD_SECONDS);
  },
  async run(context): Promise<Outcome> {
    const program = onPath('DNSPERF', 'dnsperf');
    if (program === null) throw new Error('dnsperf is not installed (Debian: dnsperf)');
    const { peers, notes } = peersOf(context);
    const directory = mkdtempSync(join(tmpdir(), 'unet-bench-questions-'));
    try {
      const wanted = peers.map((peer) => ({ peer, mtu: peer.mtus[0] ?? null }));
      const series = await withPaths(wanted, (opened) =>
        interleave(allCases(opened, program, directory, context), context),
      );
      const charts = VARIANTS.map((variant) =>
        chartOf(series, { title: `DNS answers a second, ${variant}`, variant, metric: ANSWERS, better: 'more' }),
      );
      return { series, verdicts: judgements(series), notes, charts };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

function peersOf({ root }: Context): { peers: readonly Peer[]; notes: readonly string[] } {
  const candidates = { dnsmasq: dnsmasq(), unbound: unbound() };
  const missing = Object.entries(candidates).filter(([, peer]) => peer === null);
  return {
    peers: [unetDns(root), ...Object.values(candidates).filter((peer) => peer !== null)],
    notes: missing.map(([name]) => `${name} was skipped: it is not installed here.`),
  };
}

function allCases(opened: readonly Opened[], program: string, directory: string, { seconds }: Context): Case[] {
  return opened.flatMap(({ peer, mtu, path }) =>
    VARIANTS.map((variant): Case => {
      const questions = join(directory, variant.replaceAll(' ', '-'));
      writeFileSync(questions, QUESTIONS[variant]);
      return {
        path: peer.name,
        mtu,
        variant,
        async measure() {
          const { inside: before, serverAddress: server, processes } = path();
          const run = { program, before, server, questions, seconds };
          const spent = cpuSecondsOf(processes);
          const rate = await dnsRate(run);
          const cpuUs = ((cpuSecondsOf(processes) - spent) * 1e6) / (rate.perSecond * seconds);
          return { ...rate, ...(await dnsLatency(run, CALM_PER_SECOND)), cpuUs };
        },
      };
    }),
  );
}

function judgements(series: readonly Series[]): Verdict[] {
  return VARIANTS.flatMap((variant: Variant) => {
    const ours = oursIn(series, variant);
    const best = bestPeerIn(series, variant, ANSWERS.id, 'more');
    const id = variant === LOCAL ? 'local' : 'cached';
    const quickest = bestPeerIn(series, variant, CALM_P99.id, 'less');
    const watched: Verdict = {
      ...judgeRatio(
        { id: `${id}/p99`, what: `${variant}, p99 ${CALM}`, unit: '× the best peer' },
        ours,
        quickest,
        CALM_P99.id,
      ),
      ...{ target: null, met: null, better: 'less', bestPeer: peerText(quickest, CALM_P99.id, CALM_P99.unit, 0) },
    };
    const bestPeer = peerText(best, ANSWERS.id, ANSWERS.unit, 0);
    const aim = { id: `${id}/rate`, what: variant, atLeast: AT_LEAST_PER_SECOND, unit: 'answers/s', bestPeer };
    const rate = judge(aim, ours && valuesOf(ours, ANSWERS.id));
    // Of outside names nothing was promised.
    return [variant === LOCAL ? rate : { ...rate, target: null, met: null }, watched];
  });
}
