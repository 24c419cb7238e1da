import type { RunRecord } from './record.js';

/**
 * What CI asks: has a ratio to a ceiling fallen below half of what is on record?
 *
 * Only ratios to a ceiling of the same run are compared. They survive another machine and a busy one, within a factor; absolute
 * figures do not, and peers may be missing or of another version.
 */

const TOLERANCE = 2;
/** Ours and the ceilings: without one of them there is no ratio. */
const OURS = /^(unet$|kernel )/;

export interface Check {
  /** One line for each that fell. */
  readonly fallen: readonly string[];
  /** What could not be compared, and why. */
  readonly notes: readonly string[];
  readonly compared: number;
}

export function check(now: readonly RunRecord[], recorded: readonly RunRecord[]): Check {
  const fallen: string[] = [];
  const notes: string[] = [];
  let compared = 0;
  for (const { scenario, verdicts, rows } of now) {
    const before = recorded.find((record) => record.scenario === scenario)?.verdicts ?? [];
    for (const { id, what, unit, figure, better } of verdicts.filter(({ ofCeiling }) => ofCeiling)) {
      const old = before.find((verdict) => verdict.id === id)?.figure?.median;
      const label = `${scenario}: ${what} (${unit})`;
      if (figure === null) {
        // A quick run leaves cases out; what was tried and failed is another matter.
        const failed = rows.find((row) => row.failed !== null && OURS.test(row.path));
        if (failed) fallen.push(`${label}: not measured: ${failed.path}, ${failed.variant}: ${failed.failed}`);
      } else if (old === undefined) {
        notes.push(`${label}: ${figure.median.toFixed(2)}, nothing on record to compare with`);
      } else {
        compared += 1;
        const bad = better === 'more' ? figure.median < old / TOLERANCE : figure.median > old * TOLERANCE;
        const fell = better === 'more' ? 'below half' : 'above twice';
        if (bad) fallen.push(`${label}: ${figure.median.toFixed(2)} is ${fell} of the recorded ${old.toFixed(2)}`);
      }
    }
  }
  return { fallen, notes, compared };
}
