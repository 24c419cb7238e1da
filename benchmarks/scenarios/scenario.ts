import type { Metric } from '../measure/metrics.js';
import type { Series } from '../measure/rounds.js';
import type { Verdict } from '../measure/verdict.js';
import type { Chart } from '../report/chart.js';

/** What a scenario is given. */
export interface Context {
  /** The repository. */
  readonly root: string;
  /** About a minute for all scenarios together: fewer cases, rounds and seconds. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Of one measurement. */
  readonly seconds: number;
  /** Ctrl-C: nothing more is measured, and everything is closed. */
  readonly signal: AbortSignal;
  /** Says on stderr what is going on. */
  progress(text: string): void;
}

/** What it gives back: figures, what they say of the targets, and what a reader must know of this run. */
export interface Outcome {
  readonly series: readonly Series[];
  readonly verdicts: readonly Verdict[];
  /** Whole sentences: peers that were skipped, and the like. */
  readonly notes: readonly string[];
  /** What of it the picture shows. */
  readonly charts?: readonly Chart[];
}

/**
 * One scenario: a file of this directory, listed in `index.ts`.
 *
 * `run` opens the paths it measures (`peers/open.ts`), makes cases out of them, lets `interleave` (`measure/rounds.ts`) measure these, and
 * judges by `judgeRatio`. `tcp-bulk.ts` is the example.
 */
export interface Scenario {
  readonly name: string;
  /** One line for the report. */
  readonly about: string;
  readonly metrics: readonly Metric[];
  /** Whether `--quick` runs it when no scenario is named. */
  readonly inQuick: boolean;
  /** Roughly, the opening of paths included: for the progress line. */
  estimateSeconds(context: Context): number;
  run(context: Context): Promise<Outcome>;
}
