/** Docker's columns: three spaces between, none after the last. */
const GAP = 3;
const MIN_CELL = 10;

/** A table with a header, printed even when there are no rows. Every line ends with a line end. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => {
    return Math.max(MIN_CELL, ...lines.map((line) => displayWidth(line[column] ?? '') + GAP));
  });
  return lines
    .map((line) => `${line.map((cell, column) => pad(cell, column, line.length, widths)).join('')}\n`)
    .join('');
}

function pad(cell: string, column: number, columns: number, widths: readonly number[]): string {
  if (column === columns - 1) return cell;
  return cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - displayWidth(cell)));
}

/** Cells on a terminal: combining marks take none, East Asian wide characters and emoji two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The longest beginning of at most `cells`, with `…` as its last when something is left out. */
export function ellipsis(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  let width = 0;
  let kept = '';
  for (const character of text) {
    width += characterWidth(character);
    if (width > cells - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

function characterWidth(character: string): number {
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(character)) return 0;
  return /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u.test(
    character,
  )
    ? 2
    : 1;
}
