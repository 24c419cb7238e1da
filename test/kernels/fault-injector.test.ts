import { afterEach, expect, it } from 'vitest';
import { GATEWAY } from '../harness/layout.js';
import { patient } from '../harness/patience.js';
import { describeOnKernel } from './kernel.js';
import { netemOnGuest, Prepared } from './netem.js';

const LONG_MS = 120_000;

describeOnKernel('the fault injector beside netem, asked for the same', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  interface Pings {
    readonly received: number;
    /** Milliseconds, the quickest of all: what the link takes, whatever the machine was busy with. */
    readonly quickest: number;
  }

  const ping = async (words: string, { fault, netem }: { fault?: string; netem?: string }): Promise<Pings> => {
    const options = fault === undefined ? [] : ['--fault', fault];
    const guest = await Prepared.start(stage, 'guest', `ping -q -W 2 ${words} ${GATEWAY}`, options);
    if (netem !== undefined) await netemOnGuest(stage, guest, netem);
    guest.go();
    const log = await stage.unet.logged('guest', /finished/, LONG_MS);
    await stage.unet.reset();
    const received = /(\d+) received/.exec(log)?.[1];
    const quickest = /rtt min\/avg\/max\/mdev = ([\d.]+)/.exec(log)?.[1];
    return { received: Number(received), quickest: Number(quickest) };
  };

  it.each(['20ms', '100ms'])(
    'a delay of %s each way takes as long',
    async (delay) => {
      const without = await ping('-c 10 -i 0.2', {});
      const ours = await ping('-c 10 -i 0.2', { fault: `delay=${delay}` });
      const theirs = await ping('-c 10 -i 0.2', { netem: `delay ${delay}` });
      const asked = 2 * Number.parseInt(delay, 10);
      // What the machine itself takes is in each of them, and differs by about as much.
      const slack = asked * 0.05 + without.quickest;
      expect({ ours: ours.received, theirs: theirs.received }).toEqual({ ours: 10, theirs: 10 });
      for (const { quickest } of [ours, theirs]) expect(quickest).toBeGreaterThanOrEqual(asked);
      expect(Math.abs(ours.quickest - theirs.quickest)).toBeLessThan(slack);
    },
    patient(LONG_MS),
  );

  it(
    'a loss of 30 % each way loses as much',
    async () => {
      const count = 300;
      const ours = await ping(`-c ${count} -i 0.05`, { fault: 'loss=30%' });
      const theirs = await ping(`-c ${count} -i 0.05`, { netem: 'loss 30%' });
      // 49 % come back; five standard deviations of 300 such coins are 43.
      for (const { received } of [ours, theirs]) expect(Math.abs(received - 147)).toBeLessThan(43);
    },
    patient(LONG_MS),
  );

  it(
    'duplicates are as many',
    async () => {
      const count = 200;
      const duplicates = async (how: { fault?: string; netem?: string }) => {
        const options = how.fault === undefined ? [] : ['--fault', how.fault];
        const guest = await Prepared.start(stage, 'guest', `ping -q -W 2 -c ${count} -i 0.05 ${GATEWAY}`, options);
        if (how.netem !== undefined) await netemOnGuest(stage, guest, how.netem);
        guest.go();
        const log = await stage.unet.logged('guest', /finished/, LONG_MS);
        await stage.unet.reset();
        return Number(/\+(\d+) duplicates/.exec(log)?.[1] ?? 0);
      };
      const [ours, theirs] = [
        await duplicates({ fault: 'duplicate=20%' }),
        await duplicates({ netem: 'duplicate 20%' }),
      ];
      // Each way doubles a fifth: 1.2 × 1.2 answers for a question, 44 % more; five standard deviations on both sides.
      for (const found of [ours, theirs]) expect(Math.abs(found - 0.44 * count)).toBeLessThan(0.25 * count);
    },
    patient(LONG_MS),
  );
});
