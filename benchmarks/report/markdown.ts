import type { Machine } from '../measure/machine.js';
import type { Spread } from '../measure/statistics.js';
import type { Verdict } from '../measure/verdict.js';
import type { Row, RunRecord } from './record.js';

const spreadText = ({ median, min, max }: Spread, digits: number) =>
  `${median.toFixed(digits)} (${min.toFixed(digits)} – ${max.toFixed(digits)})`;

const tableRow = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
const rule = (columns: number) => `|${'---|'.repeat(columns)}`;

/** The table of one scenario: medians, with the least and the greatest in brackets. */
export function scenarioMarkdown(record: RunRecord): string {
  const { scenario, about, rows, metrics, notes } = record;
  const verdicts = judged(record);
  const shown = metrics.filter(({ id }) => rows.some((row) => id in row.figures));
  const titles = shown.map(({ title, unit }) => (unit === '' ? title : `${title}, ${unit}`));
  const lines = [
    `# ${scenario}`,
    ...['', `${about}.`, ''],
    ...heading(record),
    '',
    tableRow(['path', 'MTU', 'what', ...titles]),
    rule(titles.length + 3),
    ...rows.map((row) => figuresRow(row, shown)),
    ...(verdicts.length === 0
      ? []
      : ['', tableRow(['target of', 'target', 'reached', 'verdict', 'best peer']), rule(5)]),
    ...verdicts.map((verdict) => tableRow(verdictCells(verdict))),
    ...notes.flatMap((note) => ['', note]),
    '',
  ];
  return lines.join('\n');
}

function figuresRow({ path, mtu, variant, figures, failed }: Row, shown: RunRecord['metrics']): string {
  const cells = shown.map(({ id, digits }, column) => {
    const figure = figures[id];
    if (figure !== undefined) return spreadText(figure, digits);
    return failed !== null && column === 0 ? `failed: ${failed.replaceAll('|', '/')}` : '–';
  });
  return tableRow([path, mtu ?? '–', variant, ...cells]);
}

function verdictCells({ what, target, unit, figure, met, bestPeer }: Verdict): string[] {
  const judged = met ? 'met' : '**missed**';
  const word = figure === null ? 'not measured' : met === null ? '–' : judged;
  return [what, target ?? `watched: ${unit}`, figure === null ? '–' : spreadText(figure, 2), word, bestPeer ?? '–'];
}

/** A quick run leaves cases out: what it cannot say anything of is not shown. */
function judged({ verdicts, quick }: RunRecord): RunRecord['verdicts'] {
  return verdicts.filter(({ figure }) => figure !== null || !quick);
}

function heading({ machine, rounds, seconds, quick }: RunRecord): string[] {
  return [
    machineText(machine),
    `Median of ${rounds} interleaved rounds of ${seconds} s (least – greatest)${quick ? ', a quick run' : ''}. Made by \`npm run bench\`; method: [README](../README.md).`,
  ];
}

function machineText({ cores, cpu, kernel, node, commit, date, tools }: Machine): string {
  const versions = Object.entries(tools).map(([name, version]) => `${name} ${version}`);
  return `${cores} cores (${cpu}), Linux ${kernel}, Node.js ${node}, commit ${commit}, ${date}; ${versions.join(', ')}.`;
}

/** One line for each path of a scenario and each reason, however many of its cases failed for it. */
function failuresOf({ scenario, rows }: RunRecord): string[] {
  const lines = rows
    .filter((row) => row.failed !== null)
    .map(({ path, mtu, failed }) => `- ${scenario}: ${path}${mtu === null ? '' : ` at ${mtu}`}: ${failed}`);
  return [...new Set(lines)];
}

/** Every target and what became of it: the table that the README shows. */
export function summaryMarkdown(records: readonly RunRecord[]): string {
  const newest = records.reduce<RunRecord | null>(
    (a, b) => (a === null || b.machine.date >= a.machine.date ? b : a),
    null,
  );
  const failures = records.flatMap(failuresOf);
  const commits = new Set(records.map(({ machine }) => machine.commit));
  return [
    '# Targets and figures',
    '',
    newest === null ? 'Nothing was measured yet.' : machineText(newest.machine),
    ...(commits.size > 1 ? ['Scenarios were measured at different commits; each one’s own file says which.'] : []),
    'Medians, with the least and the greatest in brackets; MTU 1500 unless said. Made by `npm run bench`; method: [README](../README.md).',
    ...['', '![Medians beside ceilings and peers](summary.svg)', ''],
    tableRow(['scenario', 'what', 'target', 'figure', 'verdict', 'best peer']),
    rule(6),
    ...records.flatMap((record) =>
      judged(record)
        .filter(({ target }) => target !== null)
        .map((verdict) => tableRow([`[${record.scenario}](${record.scenario}.md)`, ...verdictCells(verdict)])),
    ),
    ...(failures.length === 0 ? [] : ['', 'What failed:', '', ...failures]),
    '',
  ].join('\n');
}
