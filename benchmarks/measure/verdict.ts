import { ratioOf, type Series, valuesOf } from './rounds.js';
import type { Spread } from './statistics.js';

/** A target and what became of it. */
export interface Verdict {
  /** Stable from run to run: what `--check` compares by. */
  readonly id: string;
  /** `guest → host, 1 stream`. */
  readonly what: string;
  /** `≥ 0.75 of loopback`; null: nothing was promised, it is only watched. */
  readonly target: string | null;
  /** Of target and figure: `of loopback`. */
  readonly unit: string;
  /** What was reached, in the unit of the target; null: not measured. */
  readonly figure: Spread | null;
  readonly met: boolean | null;
  /** The best peer and its figure, for people. */
  readonly bestPeer: string | null;
  readonly better: 'more' | 'less';
  /** A ratio to a ceiling of the same run: what may be compared between runs and machines. */
  readonly ofCeiling: boolean;
}

interface Aim {
  readonly id: string;
  readonly what: string;
  /** Of the median. */
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Behind the number: `of loopback`. */
  readonly unit: string;
  readonly bestPeer?: string | null;
  readonly ofCeiling?: boolean;
}

export function judge(
  { id, what, atLeast, atMost, unit, bestPeer = null, ofCeiling = false }: Aim,
  figure: Spread | null,
): Verdict {
  const met = figure === null ? null : figure.median >= (atLeast ?? -Infinity) && figure.median <= (atMost ?? Infinity);
  const target = atLeast === undefined ? `≤ ${atMost} ${unit}` : `≥ ${atLeast} ${unit}`;
  return { id, what, target, unit, figure, met, bestPeer, better: atLeast === undefined ? 'less' : 'more', ofCeiling };
}

/** A target that is a ratio of two series. `ofCeiling` where the second is one. */
export function judgeRatio(aim: Aim, ours: Series | null, to: Series | null, metric: string): Verdict {
  return judge(aim, ratioOf(ours, to, metric));
}

/** A ratio to a ceiling that no target speaks of, for `--check` to compare with the record. */
export function watchRatio(
  { id, what, unit, better }: Pick<Verdict, 'id' | 'what' | 'unit' | 'better'>,
  ours: Series | null,
  ceiling: Series | null,
  metric: string,
): Verdict {
  const figure = ratioOf(ours, ceiling, metric);
  return { id, what, target: null, unit, figure, met: null, bestPeer: null, better, ofCeiling: true };
}

/** `slirp4netns at 1500: 1.72 Gbit/s`. */
export function peerText(series: Series | null, metric: string, unit: string, digits = 2): string | null {
  if (series === null) return null;
  const { path, mtu } = series;
  const median = valuesOf(series, metric)?.median;
  return median === undefined ? null : `${path}${mtu === null ? '' : ` at ${mtu}`}: ${median.toFixed(digits)} ${unit}`;
}
