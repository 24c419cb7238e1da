import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, type TestContext } from 'vitest';
import { describeInWorld, type Stage } from '../harness/e2e.js';
import { ADDRESS, GATEWAY } from '../harness/layout.js';
import { PATIENCE, patient, share } from '../harness/patience.js';
import { until } from '../harness/world.js';

const MEBIBYTE = 1024 ** 2;
const LONG_MS = patient(120_000);
/** Ethernet frames that a full TCP segment makes of its payload: 14 + 20 + 20 bytes of headers. */
const FRAME_SHARE = 1460 / 1514;

/** Round trips in milliseconds, in the order of their sending. */
async function ping({ unet }: Stage, options: readonly string[], count = 20): Promise<number[]> {
  const argv = ['ping', '-n', '-c', String(count), '-i', '0.05', '-W', '2', GATEWAY];
  const { stdout } = await unet.run(['run', '--rm', ...options, '--', ...argv], { timeoutMs: LONG_MS });
  return [...stdout.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time));
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** The best of a busy machine's round trips are those that nothing but the link delayed. */
const best = (values: readonly number[]) => Math.min(...values);

function within(value: number, wanted: number, tolerance: number): void {
  expect(value).toBeGreaterThan(wanted * (1 - tolerance));
  expect(value).toBeLessThan(wanted * (1 + tolerance));
}

/** For tests of how long something takes. */
function needPrecision({ skip }: TestContext): void {
  skip(PATIENCE > 1, 'an emulated machine adds more to a round trip than the link does');
}

describeInWorld('a slow link', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  it.for([
    ['delay=50ms', 100],
    ['delay=1ms', 2],
    ['egress:delay=20ms', 20],
    ['ingress:delay=200ms', 200],
  ] as const)('adds to round trips what was asked: %s', async ([fault, wanted], context) => {
    needPrecision(context);
    const without = best(await ping(stage, []));
    within(best(await ping(stage, ['--fault', fault])) - without, wanted, 0.05);
  });

  it('has two directions', async (context) => {
    needPrecision(context);
    const both = ['--fault', 'egress:delay=10ms', '--fault', 'ingress:delay=30ms'];
    within(best(await ping(stage, both)), 40, 0.05);
  });

  it('has jitter around its delay', async (context) => {
    needPrecision(context);
    const times = await ping(stage, ['--fault', 'delay=20ms,jitter=10ms'], 60);
    expect(times).toHaveLength(60);
    expect(best(times)).toBeGreaterThan(20);
    within(median(times), 40, 0.15);
    expect(Math.max(...times) - best(times)).toBeGreaterThan(15);
  });

  it.for([
    ['10mbit', 10e6, 'put'],
    ['10mbit', 10e6, 'get'],
    ['100mbit', 100e6, 'put'],
    ['100mbit', 100e6, 'get'],
  ] as const)('carries %s of frames', { timeout: LONG_MS }, async ([rate, bits, operation], context) => {
    needPrecision(context);
    const server = stage.world.start('server', ['node', stage.world.fixture('bulk.mjs'), 'serve', '7000']);
    await server.output(/ready/);
    const bytes = (bits / 8) * 4;
    const argv = ['node', stage.world.fixture('bulk.mjs'), operation, ADDRESS.server, '7000', String(bytes), '1'];
    const { stdout } = await stage.unet.run(['run', '--rm', '--fault', `rate=${rate}`, '--', ...argv], {
      timeoutMs: LONG_MS,
    });
    const { ok, seconds } = JSON.parse(stdout);
    expect(ok).toBe(true);
    within((bytes * 8) / seconds / FRAME_SHARE, bits, 0.05);
    server.kill('SIGKILL');
  });

  it(
    'is as fast as ever when it is mended under way, and as slow when it is not',
    async () => {
      const server = stage.world.start('server', ['node', stage.world.fixture('bulk.mjs'), 'serve', '7000']);
      await server.output(/ready/);
      const bytes = 64 * MEBIBYTE;
      const argv = ['node', stage.world.fixture('bulk.mjs'), 'get', ADDRESS.server, '7000', String(bytes), '1'];
      await stage.unet.detached(['--name', 'web', '--fault', 'rate=4mbit'], argv);
      await sleep(2000);
      expect(await stage.unet.logs('web')).toBe('');
      await stage.unet.ok(['fault', 'web', 'none']);
      const began = performance.now();
      expect(JSON.parse(await stage.unet.logged('web', /\{.*\}/, LONG_MS))).toMatchObject({ ok: true, bytes });
      // At 4 Mbit/s it would be two minutes.
      expect(performance.now() - began).toBeLessThan(patient(15_000));
      server.kill('SIGKILL');
    },
    LONG_MS,
  );

  it('stays slow when another daemon takes over', async () => {
    await stage.unet.detached(['--name', 'web', '--fault', 'egress:delay=30ms'], ['sleep', '1000']);
    await stage.unet.detached(['--name', 'db'], ['sleep', '1000']);
    await stage.unet.ok(['fault', '--between', 'web', 'db', 'partition']);
    await stage.unet.ok(['daemon', 'restart']);
    expect(await stage.unet.ok(['fault', 'web'])).toBe(
      'Egress:  delay=30ms\nIngress: none\nto db:   partition\nfrom db: partition\n',
    );
  });
});

describeInWorld('a lossy link', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  const FAULTS = ['loss=2%,reorder=10%,duplicate=1%', 'delay=5ms,jitter=2ms,loss=1%,reorder=1%,duplicate=0.1%'];
  it.each(FAULTS.flatMap((faults) => ['put', 'get'].map((operation) => [faults, operation] as const)))(
    'brings 64 MiB whole with %s each way, by %s',
    async (faults, operation) => {
      const bytes = share(64 * MEBIBYTE);
      const server = stage.world.start('server', ['node', stage.world.fixture('bulk.mjs'), 'serve', '7000']);
      await server.output(/ready/);
      const argv = ['node', stage.world.fixture('bulk.mjs'), operation, ADDRESS.server, '7000', String(bytes), '1'];
      const options = ['run', '--rm', '--fault', faults, '--', ...argv];
      const { stdout } = await stage.unet.run(options, { timeoutMs: LONG_MS });
      expect(JSON.parse(stdout)).toMatchObject({ ok: true, bytes });
      server.kill('SIGKILL');
    },
    LONG_MS,
  );

  it(
    'loses the share that was asked, and counts it',
    async () => {
      const drops = async () =>
        JSON.parse(await stage.unet.ok(['daemon', 'status', '--json'])).engine.drops.fault_injected ?? 0;
      await stage.unet.ok(['run', '--rm', '--', 'true']);
      const before = await drops();
      const argv = ['ping', '-q', '-c', '2000', '-i', '0.002', '-W', '1', GATEWAY];
      const { stdout } = await stage.unet.run(['run', '--rm', '--fault', 'egress:loss=5%', '--', ...argv], {
        timeoutMs: LONG_MS,
      });
      const lost = 2000 - Number(/(\d+) received/.exec(stdout)?.[1]);
      within(lost, 100, 0.5);
      // A lost ARP request is counted, too, and is no lost ping.
      const counted = (await drops()) - before;
      expect(counted).toBeGreaterThanOrEqual(lost);
      expect(counted).toBeLessThan(lost + 10);
    },
    LONG_MS,
  );

  it.each([
    ['partition', { arrives: false }],
    ['egress:partition', { arrives: false }],
    ['ingress:loss=100%', { arrives: true }],
  ])('cuts the direction that was named: %s', async (fault, { arrives }) => {
    const server = stage.world.start('server', ['node', stage.world.fixture('udp-echo.mjs'), '7000']);
    await server.output(/ready/);
    const argv = ['node', stage.world.fixture('udp-client.mjs'), ADDRESS.server, '7000', '1', '100'];
    const { stdout } = await stage.unet.run(['run', '--rm', '--fault', fault, '--', ...argv], { timeoutMs: LONG_MS });
    expect(JSON.parse(stdout)).toMatchObject({ answered: 0, lost: 1 });
    expect(/call from/.test(server.stdout)).toBe(arrives);
    server.kill('SIGKILL');
  });
});

describeInWorld('a bad link between two containers', (stage) => {
  /** Says each answer's number; connects once and never again. */
  const TALKER = `
    const socket = require('net').connect(7000, 'web');
    let heard = 0;
    // Nagle sends what has gathered when the last was acknowledged, so an answer is a round trip, however many bytes it has.
    socket.on('connect', () => setInterval(() => socket.write('x'), 50));
    socket.on('data', () => console.log('answers', ++heard));
    socket.on('close', () => console.log('closed'));
    socket.on('error', (error) => console.log(error.code));
  `;
  const answers = async () => Number([...(await stage.unet.logs('db')).matchAll(/answers (\d+)/g)].at(-1)?.[1] ?? 0);
  const reaches = async (name: string, to: string) => {
    const { code } = await stage.unet.run([
      'run',
      '--rm',
      '--name',
      name,
      '--',
      'ping',
      '-c',
      '2',
      '-i',
      '0.2',
      '-W',
      '1',
      to,
    ]);
    return code === 0;
  };

  beforeEach(async () => {
    await stage.unet.detached(['--name', 'web'], ['node', stage.world.fixture('tcp-peer.mjs'), 'echo', '7000']);
    await stage.unet.logged('web', /ready/);
    await stage.unet.detached(['--name', 'db'], ['node', '-e', TALKER]);
    await stage.unet.logged('db', /answers/);
  });
  afterEach(async () => {
    await stage.unet.reset();
  });

  it(
    'cuts these two and nobody else, and what was open goes on when it heals',
    async () => {
      await stage.unet.ok(['fault', '--between', 'web', 'db', 'partition']);
      await sleep(200);
      const before = await answers();
      await sleep(1500);
      expect(await answers()).toBe(before);
      expect(await reaches('other', 'web')).toBe(true);
      await stage.unet.ok(['fault', '--between', 'db', 'web', 'none']);
      await until('answers again', async () => (await answers()) > before + 10, patient(15_000));
      expect(await stage.unet.logs('db')).not.toMatch(/closed|E[A-Z]+/);
    },
    LONG_MS,
  );

  it('delays these two and nobody else', async () => {
    await stage.unet.ok(['fault', '--between', 'web', 'db', 'egress:delay=300ms']);
    const slow = `const began = performance.now();
      const socket = require('net').connect(7000, 'web', () => console.log('took', performance.now() - began));
      socket.end();`;
    const took = async (name: string) => {
      const { stdout } = await stage.unet.run(['run', '--rm', '--name', name, '--', 'node', '-e', slow]);
      return Number(/took ([\d.]+)/.exec(stdout)?.[1]);
    };
    expect(await took('other')).toBeLessThan(patient(200));
    const began = performance.now();
    const before = await answers();
    await sleep(100);
    const more = (await answers()) - before;
    // One for each round trip. Asking takes no time to speak of; where it takes seconds, there are more of these.
    expect(more).toBeLessThan(2 + (PATIENCE > 1 ? (performance.now() - began) / 300 : 0));
    await until('answers, late', async () => (await answers()) > before + 5, patient(5000));
  });
});
