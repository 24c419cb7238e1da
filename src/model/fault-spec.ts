import { usageError } from './errors.js';

/** Shares of frames, 0 to 1, in each direction. */
export interface Faults {
  /** Frames that are lost. */
  readonly loss: number;
  /** Frames that are delivered twice. */
  readonly duplicate: number;
  /** Frames that come after later ones. */
  readonly reorder: number;
}

const KINDS = ['loss', 'duplicate', 'reorder'] as const;
const SHAPE = `${KINDS.map((kind) => `${kind}=PERCENT%`).join(',')}, 0% to 100%, any of them`;

/**
 * Parses `loss=2%,reorder=10%,duplicate=1%`.
 *
 * @throws UnetError USAGE
 */
export function parseFaults(text: string): Faults {
  const faults = { loss: 0, duplicate: 0, reorder: 0 };
  const seen = new Set<string>();
  for (const part of text.split(',')) {
    const match = /^(\w+)=(\d{1,3}(?:\.\d{1,4})?)%$/.exec(part);
    const kind = KINDS.find((candidate) => candidate === match?.[1]);
    const percent = Number(match?.[2]);
    if (kind === undefined || !(percent <= 100) || seen.has(kind)) {
      throw usageError(`invalid --fault '${text}': give ${SHAPE}`);
    }
    seen.add(kind);
    faults[kind] = percent / 100;
  }
  return faults;
}
