import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from './measure/machine.js';
import { markdown, type Report } from './report.js';
import { tcpBulk } from './scenarios/tcp-bulk.js';

const SCENARIOS = { 'tcp-bulk': tcpBulk } as const;
type Name = keyof typeof SCENARIOS;

const USAGE = `usage: npm run bench -- [--quick] [--rounds N] [--seconds N] [--out DIR] [SCENARIO...]
scenarios: ${Object.keys(SCENARIOS).join(', ')} (default: all)`;

const ROUNDS = { normal: 7, quick: 3 };
const SECONDS = { normal: 4, quick: 2 };

function fail(message: string): never {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(2);
}

function positive(text: string | undefined, name: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  return Number.isInteger(value) && value > 0 && value <= 1000 ? value : fail(`${name}: 1 to 1000\n${USAGE}`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  if (process.getuid?.() === 0) fail('run this as an ordinary user: that is what unet and its peers are for');
  const names = positionals.length > 0 ? positionals : Object.keys(SCENARIOS);
  const unknown = names.find((name) => !(name in SCENARIOS));
  if (unknown !== undefined) fail(`no scenario ${unknown}\n${USAGE}`);
  const size = values.quick ? 'quick' : 'normal';
  const settings = {
    root: process.cwd(),
    rounds: positive(values.rounds, '--rounds', ROUNDS[size]),
    seconds: positive(values.seconds, '--seconds', SECONDS[size]),
    progress: (text: string) => process.stderr.write(`${text}\n`),
  };
  const out = values.out ?? join(settings.root, 'benchmarks', 'results');
  mkdirSync(out, { recursive: true });
  for (const name of names as Name[]) {
    const rows = await SCENARIOS[name](settings);
    const { rounds, seconds } = settings;
    const report: Report = { scenario: name, machine: machine(), rounds, seconds, rows };
    writeFileSync(join(out, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
    writeFileSync(join(out, `${name}.md`), markdown(report));
    process.stdout.write(markdown(report));
  }
}

main().catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
