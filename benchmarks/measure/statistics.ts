export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws Error when there is nothing to summarise */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1];
  const high = sorted[Math.floor(middle)];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || min === undefined || max === undefined) {
    throw new Error('no measurement succeeded');
  }
  return { median: (low + high) / 2, min, max };
}
