import { bestOf, pick, pickOne, type Series } from './rounds.js';

/** Who is compared with whom in one variant: ours, what the kernel does without any stack, and the best of the other stacks. */

export function oursIn(series: readonly Series[], variant: string): Series | null {
  return pickOne(series, { path: 'unet', variant });
}

export function ceilingIn(series: readonly Series[], variant: string): Series | null {
  return pick(series, { variant }).find(({ path }) => isCeiling(path)) ?? null;
}

export function bestPeerIn(
  series: readonly Series[],
  variant: string,
  metric: string,
  better: 'more' | 'less',
): Series | null {
  const peers = pick(series, { variant }).filter(({ path }) => path !== 'unet' && !isCeiling(path));
  return bestOf(peers, metric, better);
}

export const isCeiling = (path: string) => path.startsWith('kernel ');
