import { ratioOf, type Series, valuesOf } from './rounds.js';
import type { Spread } from './statistics.js';

/** A target and what became of it. */
export interface Verdict {
  /** Stable from run to run: what `--check` compares by. */
  readonly id: string;
  /** `guest → host, 1 stream`. */
  readonly what: string;
  /** `≥ 0.75 of loopback`. */
  readonly target: string;
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
  return { id, what, target, figure, met, bestPeer, better: atLeast === undefined ? 'less' : 'more', ofCeiling };
}

/** A target that is a ratio of two series. `ofCeiling` where the second is one. */
export function judgeRatio(aim: Aim, ours: Series | null, to: Series | null, metric: string): Verdict {
  return judge(aim, ratioOf(ours, to, metric));
}

/** `slirp4netns at 1500: 1.72 Gbit/s`. */
export function peerText(series: Series | null, metric: string, unit: string, digits = 2): string | null {
  if (series === null) return null;
  const { path, mtu } = series;
  const median = valuesOf(series, metric)?.median;
  return median === undefined ? null : `${path}${mtu === null ? '' : ` at ${mtu}`}: ${median.toFixed(digits)} ${unit}`;
}
