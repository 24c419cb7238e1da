import type { Context } from '../scenarios/scenario.js';
import { type Spread, spread } from './statistics.js';

/**
 * Interleaved rounds: every round measures every case once, one after the other, so that what drifts on the machine drifts for all, and
 * ratios are taken inside a round.
 *
 * A case that fails does not end the run: its row says why. Two failures on end and it is left out, so that a broken peer costs
 * neither the time nor the run.
 */

/** Figures of one measurement, by the id of their metric. */
export type Sample = Readonly<Record<string, number>>;

export interface Case {
  /** The stack: `unet`, `pasta`, `kernel loopback` … */
  readonly path: string;
  /** Null where there is none to choose. */
  readonly mtu: number | null;
  /** What is done over it: `guest → host, 4 streams`. */
  readonly variant: string;
  measure(): Promise<Sample>;
}

export interface Series extends Omit<Case, 'measure'> {
  /** One a round; null where it failed. */
  readonly samples: readonly (Sample | null)[];
  /** Why there are none, or fewer. */
  readonly failed: string | null;
}

const GIVE_UP_AFTER = 2;

/** @throws when it is interrupted */
export async function interleave(cases: readonly Case[], { rounds, signal, progress }: Context): Promise<Series[]> {
  const state = cases.map((one) => ({
    one,
    samples: [] as (Sample | null)[],
    failed: null as string | null,
    misses: 0,
  }));
  for (let round = 1; round <= rounds; round++) {
    for (const entry of state) {
      const { one } = entry;
      if (entry.misses >= GIVE_UP_AFTER) {
        entry.samples.push(null);
        continue;
      }
      signal.throwIfAborted();
      const label = `round ${round}/${rounds}  ${nameOf(one)}`;
      try {
        const sample = await one.measure();
        entry.samples.push(sample);
        entry.misses = 0;
        progress(`${label}: ${sampleText(sample)}`);
      } catch (error) {
        entry.failed = error instanceof Error ? error.message : String(error);
        entry.samples.push(null);
        entry.misses += 1;
        progress(`${label}: failed: ${entry.failed}`);
      }
    }
  }
  return state.map(({ one: { path, mtu, variant }, samples, failed }) => ({ path, mtu, variant, samples, failed }));
}

export function nameOf({ path, mtu, variant }: Pick<Case, 'path' | 'mtu' | 'variant'>): string {
  return `${path}${mtu === null ? '' : ` at ${mtu}`}, ${variant}`;
}

function sampleText(sample: Sample): string {
  const digits = (value: number) => (Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(3));
  return Object.entries(sample)
    .map(([metric, value]) => `${metric} ${digits(value)}`)
    .join(', ');
}

/** One metric over the rounds. */
export function valuesOf(series: Series, metric: string): Spread | null {
  return spread(series.samples.map((sample) => sample?.[metric] ?? Number.NaN));
}

/** One metric of two series, divided round by round; rounds in which either failed are left out. */
export function ratioOf(series: Series | null, to: Series | null, metric: string): Spread | null {
  if (series === null || to === null) return null;
  const ratios = series.samples.map(
    (sample, round) => (sample?.[metric] ?? Number.NaN) / (to.samples[round]?.[metric] ?? Number.NaN),
  );
  return spread(ratios);
}

interface Want {
  readonly path?: string;
  readonly mtu?: number | null;
  readonly variant?: string;
}

/** The series of which all of it is true, as far as they have figures. */
export function pick(all: readonly Series[], { path, mtu, variant }: Want): Series[] {
  return all.filter(
    (one) =>
      (path === undefined || one.path === path) &&
      (mtu === undefined || one.mtu === mtu) &&
      (variant === undefined || one.variant === variant) &&
      one.samples.some((sample) => sample !== null),
  );
}

/** The first such series, or null. */
export function pickOne(all: readonly Series[], want: Want): Series | null {
  return pick(all, want)[0] ?? null;
}

/** The best of some by the median of a metric. */
export function bestOf(some: readonly Series[], metric: string, better: 'more' | 'less'): Series | null {
  const rank = (series: Series) => (valuesOf(series, metric)?.median ?? Number.NaN) * (better === 'more' ? -1 : 1);
  return [...some].filter((one) => !Number.isNaN(rank(one))).sort((a, b) => rank(a) - rank(b))[0] ?? null;
}
