export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Null when there is nothing to summarise. */
export function spread(values: readonly number[]): Spread | null {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || min === undefined || max === undefined) return null;
  return { median: (low + high) / 2, min, max };
}
