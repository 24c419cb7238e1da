import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../measure/machine.js';
import type { Metric } from '../measure/metrics.js';
import { type Series, valuesOf } from '../measure/rounds.js';
import type { Spread } from '../measure/statistics.js';
import type { Verdict } from '../measure/verdict.js';
import type { Outcome, Scenario } from '../scenarios/scenario.js';
import type { Chart } from './chart.js';

/** What is kept of one scenario's run: `results/NAME.json`. Tables and pictures are made from it and from nothing else. */
export interface RunRecord {
  readonly scenario: string;
  readonly about: string;
  readonly machine: Machine;
  readonly quick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly metrics: readonly Metric[];
  readonly rows: readonly Row[];
  readonly verdicts: readonly Verdict[];
  readonly notes: readonly string[];
  readonly charts: readonly Chart[];
}

export interface Row {
  readonly path: string;
  readonly mtu: number | null;
  readonly variant: string;
  readonly figures: Readonly<{ [metric: string]: Spread }>;
  readonly samples: Series['samples'];
  readonly failed: string | null;
}

interface Run {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly rounds: number;
  readonly seconds: number;
}

export function recordOf(scenario: Scenario, outcome: Outcome, { machine, quick, rounds, seconds }: Run): RunRecord {
  const { name, about, metrics } = scenario;
  const { verdicts, notes, charts = [] } = outcome;
  const rows = outcome.series.map((series) => rowOf(series, metrics));
  return { scenario: name, about, machine, quick, rounds, seconds, metrics, rows, verdicts, notes, charts };
}

function rowOf(series: Series, metrics: readonly Metric[]): Row {
  const figures = metrics.flatMap(({ id }) => {
    const values = valuesOf(series, id);
    return values === null ? [] : [[id, values] as const];
  });
  return { ...series, figures: Object.fromEntries(figures) };
}

export function writeRecord(directory: string, record: RunRecord): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${record.scenario}.json`), `${JSON.stringify(record, null, 1)}\n`);
}

/** The records of a directory, in this order of scenarios; what is not ours or from an older layout is left out. */
export function readRecords(directory: string, order: readonly string[]): RunRecord[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => order.includes(name.replace(/\.json$/, '')) && name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as RunRecord)
    .filter((record) => Array.isArray(record.verdicts))
    .sort((a, b) => order.indexOf(a.scenario) - order.indexOf(b.scenario));
}
