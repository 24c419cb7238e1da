import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ADDRESS } from '../harness/layout.js';
import { patient, share } from '../harness/patience.js';
import type { Running } from '../harness/running.js';
import { describeOnKernel } from './kernel.js';
import { netemCounters, netemOnGuest, netemOnRoad, Prepared } from './netem.js';

const BYTES = share(64 * 1024 ** 2);
const LONG_MS = 120_000;

/** Each with what netem's counters must show of it. */
const LINKS = [
  ['a delay', 'delay 50ms'],
  ['loss', 'loss 1%'],
  ['another order', 'delay 10ms reorder 25% 50%'],
  ['duplicates', 'duplicate 1%'],
  ['all of them', 'delay 10ms 5ms loss 1% duplicate 1% reorder 10%'],
] as const;

describeOnKernel('bulk data, byte for byte, where netem makes the link bad', (stage) => {
  afterEach(async () => {
    await netemOnRoad(stage, null);
    await stage.unet.reset();
  });

  let server: Running;
  beforeAll(async () => {
    server = stage.world.start('server', ['node', stage.world.fixture('bulk.mjs'), 'serve', '7000']);
    await server.output(/ready/);
  });
  afterAll(() => {
    server?.kill('SIGKILL');
  });
  const client = (operation: string) => [
    ...['node', stage.world.fixture('bulk.mjs'), operation],
    ...[ADDRESS.server, '7000', String(BYTES), '2'],
  ];

  it.each(LINKS)(
    'between a guest and us, both ways: %s',
    async (_, words) => {
      const script = ['put', 'get'].map((operation) => client(operation).join(' ')).join(' && ');
      const guest = await Prepared.start(stage, 'guest', script);
      await netemOnGuest(stage, guest, words);
      guest.go();
      const log = await stage.unet.logged('guest', /finished \d+/, LONG_MS);
      expect(log.match(/"ok":true/g)).toHaveLength(2);
      expect(log).toContain('finished 0');
    },
    patient(2 * LONG_MS),
  );

  it.each(LINKS)(
    'between us and the server, both ways: %s',
    async (_, words) => {
      await netemOnRoad(stage, words);
      for (const operation of ['put', 'get']) {
        const { stdout } = await stage.unet.run(['run', '--rm', '--', ...client(operation)], { timeoutMs: LONG_MS });
        expect(JSON.parse(stdout)).toMatchObject({ ok: true });
      }
    },
    patient(2 * LONG_MS),
  );

  it('is a witness that was there: netem counts what it dropped', async () => {
    const guest = await Prepared.start(stage, 'guest', `ping -c 20 -i 0.1 -W 1 -q ${ADDRESS.server}; sleep 4711`);
    await netemOnGuest(stage, guest, 'loss 50%');
    guest.go();
    await stage.unet.logged('guest', /packet loss/, 20_000);
    const counters = await netemCounters(stage, guest);
    const dropped = [...counters.matchAll(/qdisc netem[\s\S]*?dropped (\d+)/g)].map(([, count]) => Number(count));
    expect(dropped).toHaveLength(2);
    expect(Math.min(...dropped)).toBeGreaterThan(0);
  });
});
