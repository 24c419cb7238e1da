import type { Bar, Chart } from './chart.js';

/**
 * The picture: one block a chart, one bar a path, drawn as SVG by hand so that it needs no library and its text stays text.
 *
 * Colours are chosen to be read on a white and on a dark page alike, and differ in lightness as well as in hue; the kind of a bar is
 * said by the legend, never by colour alone: every bar carries its name and its figure.
 */

const COLUMN = 480;
const COLUMNS = 2;
const MARGIN = 20;
const BETWEEN = 28;
/** Room for names: as the longest of a block needs it, between these. */
const LABELS = { least: 150, most: 240, character: 6.8 };
const FIGURES = 62;
const BAR = 14;
const STEP = 19;
const TITLE = 28;
const GAP = 20;
const LEGEND = 30;
const WIDTH = 2 * MARGIN + COLUMNS * COLUMN + (COLUMNS - 1) * BETWEEN;

const COLOURS: Readonly<{ [kind in Bar['kind']]: string }> = { ceiling: '#8b949e', unet: '#2f81f7', peer: '#d2893a' };
const KINDS: Readonly<{ [kind in Bar['kind']]: string }> = {
  ceiling: 'kernel alone',
  unet: 'unet',
  peer: 'other stacks',
};

const STYLE = `
  text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f; }
  .title { font-weight: 600; font-size: 13px; }
  .quiet { fill: #57606a; }
  .page { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .quiet { fill: #9198a1; } .page { fill: #0d1117; }
  }`;

export function picture(charts: readonly Chart[]): string {
  const parts: string[] = [legend()];
  const bottoms = Array.from({ length: COLUMNS }, () => MARGIN + LEGEND);
  for (const chart of charts.filter(({ bars }) => bars.length > 0)) {
    // The next one goes where there is most room.
    const top = Math.min(...bottoms);
    const column = bottoms.indexOf(top);
    parts.push(block(chart, MARGIN + column * (COLUMN + BETWEEN), top));
    bottoms[column] = top + TITLE + chart.bars.length * STEP + GAP;
  }
  const height = Math.max(...bottoms) + MARGIN - GAP;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    '<title>unet beside kernel ceilings and other rootless stacks</title>',
    `<style>${STYLE}\n</style>`,
    `<rect class="page" width="${WIDTH}" height="${height}" rx="6"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function legend(): string {
  return Object.entries(KINDS)
    .map(([kind, name], index) => {
      const x = MARGIN + index * 140;
      const colour = COLOURS[kind as Bar['kind']];
      return `<rect x="${x}" y="${MARGIN}" width="14" height="14" rx="3" fill="${colour}"/><text x="${x + 20}" y="${MARGIN + 12}">${escapeXml(name)}</text>`;
    })
    .join('\n');
}

function block({ title, unit, better, bars }: Chart, left: number, top: number): string {
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const longest = Math.max(...bars.map(({ label }) => label.length));
  const labels = Math.min(LABELS.most, Math.max(LABELS.least, Math.ceil(longest * LABELS.character)));
  const room = COLUMN - labels - FIGURES;
  const hint = `${unit}, ${better === 'more' ? 'more is better' : 'less is better'}`;
  const lines = bars.map(({ label, value, kind }, index) => {
    const y = top + TITLE + index * STEP;
    // A bar of nothing would look like a missing one.
    const width = Math.max(2, (value / most) * room);
    const x = left + labels;
    const text = `y="${y + BAR - 3}"`;
    return [
      `<text x="${x - 8}" ${text} text-anchor="end">${escapeXml(label)}</text>`,
      `<rect x="${x}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="3" fill="${COLOURS[kind]}"/>`,
      `<text x="${(x + width + 8).toFixed(1)}" ${text}${kind === 'unet' ? ' font-weight="600"' : ''}>${figure(value)}</text>`,
    ].join('');
  });
  const head = `<text class="title" x="${left}" y="${top + 18}">${escapeXml(title)}<tspan class="quiet" font-weight="400" dx="8">${escapeXml(hint)}</tspan></text>`;
  return [head, ...lines].join('\n');
}

function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
