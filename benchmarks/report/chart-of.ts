import type { Metric } from '../measure/metrics.js';
import { isCeiling } from '../measure/rivals.js';
import { pick, type Series, valuesOf } from '../measure/rounds.js';
import type { Chart } from './chart.js';

interface What {
  readonly title: string;
  readonly variant: string;
  readonly metric: Metric;
  readonly better: Chart['better'];
}

/** The medians of every path that was measured in this variant, ceilings first. */
export function chartOf(series: readonly Series[], { title, variant, metric, better }: What): Chart {
  const bars = pick(series, { variant }).flatMap((one) => {
    const value = valuesOf(one, metric.id)?.median;
    const kind = isCeiling(one.path) ? 'ceiling' : one.path === 'unet' ? 'unet' : 'peer';
    const label = one.mtu === null ? one.path : `${one.path}, ${one.mtu}`;
    return value === undefined ? [] : [{ label, value, kind } as const];
  });
  return { title, unit: metric.unit, better, bars };
}
