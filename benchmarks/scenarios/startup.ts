import { WALL } from '../measure/metrics.js';
import { output } from '../measure/process.js';
import { type Case, interleave, pick, pickOne, type Series, valuesOf } from '../measure/rounds.js';
import { judgeRatio, peerText, type Verdict } from '../measure/verdict.js';
import { onPath } from '../peers/on-path.js';
import { endPastaOf, uniqueInterface } from '../peers/rootlesskit.js';
import { UnetDaemon } from '../peers/unet-daemon.js';
import type { Chart } from '../report/chart.js';
import type { Context, Outcome, Scenario } from './scenario.js';

/** Starts are short and scatter: fewer say nothing. */
const ROUNDS = { normal: 15, quick: 7 };
const TIMEOUT_MS = 10_000;
const NODE = 'node -e 0';
const VARIANT = '… -- true';
/** RootlessKit's ways to give a network, and the program that each needs beside it. */
const ROOTLESSKIT_NETS = { 'gvisor-tap-vsock': null, slirp4netns: 'slirp4netns', pasta: 'pasta' } as const;

/** From nothing to the end of `true` on a network of its own. */
export const startup: Scenario = {
  name: 'startup',
  about:
    'wall time of `unet run --rm -- true` with a daemon that runs, beside `node -e 0` (our CLI is a Node program) and what others take for the same',
  metrics: [WALL],
  inQuick: true,
  estimateSeconds: (context) => 3 + roundsOf(context) * 0.8,
  async run(context): Promise<Outcome> {
    const daemon = new UnetDaemon(context.root);
    try {
      // It keeps the daemon from ending by idleness, too.
      await daemon.guest({ name: 'warm', mtu: 1500 });
      const { cases, notes } = casesOf(daemon, context);
      const series = await interleave(cases, { ...context, rounds: roundsOf(context) });
      const count = `Medians of ${roundsOf(context)} starts each, one after the other.`;
      return { series, verdicts: judgements(series), notes: [count, ...notes], charts: [chart(series)] };
    } finally {
      await daemon.close();
    }
  },
};

function roundsOf({ quick, rounds }: Context): number {
  return Math.max(rounds, quick ? ROUNDS.quick : ROUNDS.normal);
}

function casesOf(daemon: UnetDaemon, { quick }: Context): { cases: Case[]; notes: string[] } {
  const cases = [
    caseOf(NODE, [process.execPath, '-e', '0']),
    caseOf('unet', daemon.argv('run', '--rm', '--', 'true'), { env: daemon.env }),
  ];
  if (quick) return { cases, notes: [] };
  const notes: string[] = [];
  const pasta = onPath('PASTA', 'pasta');
  if (pasta === null) notes.push('pasta was skipped: it is not installed here.');
  else cases.push(caseOf('pasta', [pasta, '--config-net', '--quiet', '--', 'true']));
  const rootlesskit = onPath('ROOTLESSKIT', 'rootlesskit');
  if (rootlesskit === null) notes.push('rootlesskit was skipped: it is not installed here.');
  else {
    for (const [net, needs] of Object.entries(ROOTLESSKIT_NETS)) {
      if (needs !== null && onPath(needs.toUpperCase(), needs) === null) continue;
      const ifname = uniqueInterface();
      const argv = [rootlesskit, `--net=${net}`, ...(net === 'pasta' ? [`--ifname=${ifname}`] : []), '--', 'true'];
      // It leaves its pasta behind, which would be in the way of what comes next.
      cases.push(caseOf(`rootlesskit --net=${net}`, argv, { after: () => endPastaOf(ifname) }));
    }
  }
  return { cases, notes };
}

interface Around {
  readonly env?: NodeJS.ProcessEnv;
  /** Not measured. */
  readonly after?: () => Promise<void>;
}

function caseOf(path: string, argv: readonly string[], { env, after }: Around = {}): Case {
  return {
    path,
    mtu: null,
    variant: path === NODE ? 'no network' : VARIANT,
    async measure() {
      const start = performance.now();
      await output(argv, { timeoutMs: TIMEOUT_MS, ...(env && { env }) });
      const wallMs = performance.now() - start;
      await after?.();
      return { wallMs };
    },
  };
}

function judgements(series: readonly Series[]): Verdict[] {
  const [ours, node] = [pickOne(series, { path: 'unet' }), pickOne(series, { path: NODE })];
  const aim = { id: 'run', what: '`unet run --rm -- true`, warm', atMost: 2, unit: `× \`${NODE}\`` };
  return [
    judgeRatio({ ...aim, bestPeer: peerText(node, WALL.id, WALL.unit, 0), ofCeiling: true }, ours, node, WALL.id),
  ];
}

function chart(series: readonly Series[]): Chart {
  const bars = pick(series, {}).flatMap((one) => {
    const value = valuesOf(one, WALL.id)?.median;
    const kind = one.path === NODE ? 'ceiling' : one.path === 'unet' ? 'unet' : 'peer';
    return value === undefined ? [] : [{ label: one.path, value, kind } as const];
  });
  return { title: 'Start of `true` on a network of its own', unit: WALL.unit, better: 'less', bars };
}
