import { describe, expect, it } from 'vitest';
import { type Case, interleave, pickOne, ratioOf, valuesOf } from '../../benchmarks/measure/rounds.js';
import { spread } from '../../benchmarks/measure/statistics.js';
import { judge, watchRatio } from '../../benchmarks/measure/verdict.js';
import { check } from '../../benchmarks/report/check.js';
import { picture } from '../../benchmarks/report/picture.js';
import { type RunRecord, recordOf } from '../../benchmarks/report/record.js';
import type { Context, Scenario } from '../../benchmarks/scenarios/scenario.js';

const context = (rounds: number, signal = new AbortController().signal): Context => ({
  ...{ root: '/', quick: false, rounds, seconds: 1, signal },
  progress: () => {},
});

/** A case that gives these figures one after the other; text is a failure. */
function scripted(path: string, ...figures: (number | string)[]): Case & { calls: string[] } {
  const calls: string[] = [];
  return {
    ...{ path, mtu: null, variant: 'v', calls },
    async measure() {
      const next = figures[calls.length];
      calls.push(path);
      if (typeof next !== 'number') throw new Error(next ?? 'no more');
      return { gbps: next };
    },
  };
}

describe('spread', () => {
  it('is the middle, or the mean of the two in the middle, and what failed does not count', () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([4, 1, 2, Number.NaN, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(spread([Number.NaN])).toBeNull();
  });
});

describe('rounds', () => {
  it('measures every case once a round, in turn', async () => {
    const order: string[] = [];
    const noting = (path: string): Case => ({
      ...{ path, mtu: null, variant: 'v' },
      measure: async () => {
        order.push(path);
        return { gbps: 1 };
      },
    });
    await interleave([noting('a'), noting('b')], context(2));
    expect(order).toEqual(['a', 'b', 'a', 'b']);
  });

  it('divides round by round, not median by median', async () => {
    const series = await interleave([scripted('a', 1, 10, 30), scripted('b', 2, 100, 10)], context(3));
    const ratio = ratioOf(pickOne(series, { path: 'a' }), pickOne(series, { path: 'b' }), 'gbps');
    expect(ratio).toEqual({ median: 0.5, min: 0.1, max: 3 });
  });

  it('goes on after a failure, and leaves out what fails twice on end', async () => {
    const [once, twice] = [scripted('once', 1, 'broke', 3), scripted('twice', 'bad', 'worse', 3)];
    const series = await interleave([once, twice], context(3));
    const [first, second] = series;
    expect(first?.samples).toEqual([{ gbps: 1 }, null, { gbps: 3 }]);
    expect(first?.failed).toBe('broke');
    expect(first && valuesOf(first, 'gbps')?.median).toBe(2);
    expect(twice.calls).toHaveLength(2);
    expect(second?.failed).toBe('worse');
    expect(pickOne(series, { path: 'twice' })).toBeNull();
  });

  it('measures nothing more once it is interrupted', async () => {
    const controller = new AbortController();
    const one = scripted('a', 1, 2);
    controller.abort(new Error('interrupted'));
    await expect(interleave([one], context(2, controller.signal))).rejects.toThrow('interrupted');
    expect(one.calls).toHaveLength(0);
  });
});

describe('a verdict', () => {
  const at = (median: number) => ({ median, min: median, max: median });

  it('holds the median against the target, whichever way is better', () => {
    const more = { id: 'a', what: 'w', atLeast: 0.75, unit: 'of loopback' };
    expect(judge(more, at(0.75))).toMatchObject({ met: true, target: '≥ 0.75 of loopback', better: 'more' });
    expect(judge(more, at(0.74)).met).toBe(false);
    const less = { id: 'b', what: 'w', atMost: 2, unit: '× node' };
    expect(judge(less, at(2.1))).toMatchObject({ met: false, target: '≤ 2 × node', better: 'less' });
    expect(judge(less, null).met).toBeNull();
  });

  it('watches a ratio that nothing was promised of', async () => {
    const [ours, ceiling] = await interleave([scripted('unet', 1, 2), scripted('kernel', 2, 4)], context(2));
    const aim = { id: 'c', what: 'w', unit: 'of loopback', better: 'more' } as const;
    expect(watchRatio(aim, ours ?? null, ceiling ?? null, 'gbps')).toMatchObject({
      ...{ target: null, met: null, ofCeiling: true },
      figure: { median: 0.5 },
    });
  });
});

describe('--check', () => {
  const scenario: Scenario = {
    ...{ name: 's', about: '', metrics: [], inQuick: true },
    estimateSeconds: () => 0,
    run: () => Promise.reject(new Error('not run')),
  };
  const machine = { cores: 2, cpu: '', kernel: '', node: '', commit: '', date: '', tools: {} };

  function record(ratio: number | null, aim: { atLeast: number } | { atMost: number }, failed?: string): RunRecord {
    const figure = ratio === null ? null : { median: ratio, min: ratio, max: ratio };
    const verdicts = [judge({ id: 'x', what: 'one stream', unit: 'of loopback', ofCeiling: true, ...aim }, figure)];
    const series = [{ path: 'unet', mtu: 1500, variant: 'v', samples: [null], failed: failed ?? null }];
    return recordOf(scenario, { series, verdicts, notes: [] }, { machine, quick: true, rounds: 1, seconds: 1 });
  }

  it('lets pass what is half of the record or more', () => {
    const { fallen, compared } = check([record(0.41, { atLeast: 1 })], [record(0.8, { atLeast: 1 })]);
    expect({ fallen, compared }).toEqual({ fallen: [], compared: 1 });
  });

  it('tells what fell, in both directions', () => {
    expect(check([record(0.39, { atLeast: 1 })], [record(0.8, { atLeast: 1 })]).fallen).toEqual([
      's: one stream (of loopback): 0.39 is below half of the recorded 0.80',
    ]);
    expect(check([record(4.1, { atMost: 1 })], [record(2, { atMost: 1 })]).fallen).toEqual([
      's: one stream (of loopback): 4.10 is above twice of the recorded 2.00',
    ]);
  });

  it('takes a failure for a fall, and a case that was left out for none', () => {
    const before = [record(0.8, { atLeast: 1 })];
    expect(check([record(null, { atLeast: 1 }, 'refused')], before).fallen).toEqual([
      's: one stream (of loopback): not measured: unet, v: refused',
    ]);
    expect(check([record(null, { atLeast: 1 })], before).fallen).toEqual([]);
  });

  it('says where there is no record', () => {
    const { fallen, notes } = check([record(0.8, { atLeast: 1 })], []);
    expect(fallen).toEqual([]);
    expect(notes).toEqual(['s: one stream (of loopback): 0.80, nothing on record to compare with']);
  });
});

describe('the picture', () => {
  it('has a bar for each path, as long as its figure, and text that is XML', () => {
    const bars = [
      { label: 'kernel <loopback>', value: 20, kind: 'ceiling' },
      { label: 'unet', value: 10, kind: 'unet' },
    ] as const;
    const svg = picture([{ title: 'A & B', unit: 'Gbit/s', better: 'more', bars }]);
    const widths = [...svg.matchAll(/width="([\d.]+)" height="14" rx="3" fill="#(?:8b949e|2f81f7)"\/><text/g)];
    expect(svg).toContain('A &amp; B');
    expect(svg).toContain('kernel &lt;loopback&gt;');
    const [ceiling, ours] = widths.map((match) => Number(match[1])).filter((width) => width !== 14);
    expect(ours).toBeCloseTo((ceiling ?? 0) / 2, 0);
  });
});
