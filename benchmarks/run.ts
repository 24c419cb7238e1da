import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from './measure/machine.js';
import { check } from './report/check.js';
import { scenarioMarkdown, summaryMarkdown } from './report/markdown.js';
import { picture } from './report/picture.js';
import { type RunRecord, readRecords, recordOf, writeRecord } from './report/record.js';
import { SCENARIOS } from './scenarios/index.js';
import type { Context, Scenario } from './scenarios/scenario.js';

const NAMES = SCENARIOS.map(({ name }) => name);
const USAGE = `usage: npm run bench -- [--quick] [--check] [--rounds N] [--seconds N] [--out DIR] [SCENARIO...]
       npm run bench -- --report [--out DIR]
       npm run bench -- --plan [the same options]
scenarios: ${NAMES.join(', ')} (default: all; with --quick those that CI runs)
--quick   about a minute: fewer cases, rounds and seconds; written to .cache/bench-quick
--check   compare ratios to ceilings with the recorded benchmarks/results; status 1 where one is below half of its record
--report  measure nothing: make tables and picture again from the JSON files
--plan    measure nothing: say how long each scenario would take`;

const ROUNDS = { normal: 5, quick: 3 };
const SECONDS = { normal: 2, quick: 1 };

class Usage extends Error {}

function positive(text: string | undefined, name: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 1000) return value;
  throw new Usage(`${name}: a whole number from 1 to 1000\n${USAGE}`);
}

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        report: { type: 'boolean', default: false },
        plan: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        out: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new Usage(`${error instanceof Error ? error.message : error}\n${USAGE}`);
  }
}

const progress = (text: string) => process.stderr.write(`${text}\n`);

async function main(): Promise<number> {
  const { values, positionals } = options();
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const root = process.cwd();
  const results = join(root, 'benchmarks', 'results');
  // A quick run must not take the place of the figures on record.
  const out = values.out ?? (values.quick || values.check ? join(root, '.cache', 'bench-quick') : results);
  if (values.report) {
    writeTables(out);
    return 0;
  }
  if (process.getuid?.() === 0)
    throw new Usage('run this as an ordinary user: that is what unet and its peers are for');
  const unknown = positionals.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw new Usage(`no scenario ${unknown}\n${USAGE}`);
  const size = values.quick ? 'quick' : 'normal';
  const context: Context = {
    ...{ root, progress, quick: values.quick, signal: interruptible() },
    rounds: positive(values.rounds, '--rounds', ROUNDS[size]),
    seconds: positive(values.seconds, '--seconds', SECONDS[size]),
  };
  const chosen = SCENARIOS.filter(({ name, inQuick }) =>
    positionals.length > 0 ? positionals.includes(name) : inQuick || !values.quick,
  );
  if (values.plan) {
    for (const one of chosen) process.stdout.write(`${one.name}: about ${Math.ceil(one.estimateSeconds(context))} s\n`);
    return 0;
  }
  const recorded = readRecords(results, NAMES);
  const records = await runAll(chosen, context, out);
  const broken = chosen.length - records.length;
  if (!values.check) return broken === 0 ? 0 : 1;
  const { fallen, notes, compared } = check(records, recorded);
  for (const line of [...notes, ...fallen.map((text) => `fallen: ${text}`)]) progress(`bench: ${line}`);
  progress(`bench: ${compared} ratios compared with the record, ${fallen.length} fell, ${broken} scenarios broke`);
  return fallen.length === 0 && broken === 0 ? 0 : 1;
}

/** The first Ctrl-C lets the scenario close what it opened; the second one ends at once, as usual. */
function interruptible(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new Error(`interrupted by ${name}`)));
  }
  return controller.signal;
}

/** One scenario after the other; one that breaks is said and left behind. */
async function runAll(chosen: readonly Scenario[], context: Context, out: string): Promise<RunRecord[]> {
  const about = machine();
  const estimates = chosen.map((scenario) => scenario.estimateSeconds(context));
  const records: RunRecord[] = [];
  for (const [index, scenario] of chosen.entries()) {
    const left = estimates.slice(index).reduce((sum, seconds) => sum + seconds, 0);
    progress(
      `== ${scenario.name} (${index + 1} of ${chosen.length}; about ${Math.ceil(left / 60)} min to the end of all)`,
    );
    try {
      const record = recordOf(scenario, await scenario.run(context), { machine: about, ...context });
      writeRecord(out, record);
      writeFileSync(join(out, `${scenario.name}.md`), scenarioMarkdown(record));
      process.stdout.write(`${scenarioMarkdown(record)}\n`);
      records.push(record);
    } catch (error) {
      // What has been measured before stays on disk; a broken off scenario has no figures.
      context.signal.throwIfAborted();
      progress(`bench: ${scenario.name} failed: ${error instanceof Error ? error.message : error}`);
    }
  }
  writeTables(out);
  return records;
}

function writeTables(out: string): void {
  mkdirSync(out, { recursive: true });
  const records = readRecords(out, NAMES);
  for (const record of records) writeFileSync(join(out, `${record.scenario}.md`), scenarioMarkdown(record));
  writeFileSync(join(out, 'summary.md'), summaryMarkdown(records));
  writeFileSync(join(out, 'summary.svg'), picture(records.flatMap(({ charts }) => charts)));
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof Usage ? 2 : 1;
  },
);
