import { afterEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS } from '../harness/layout.js';
import { patient, share } from '../harness/patience.js';

const GIBIBYTE = share(1024 ** 3);
const LONG_MS = 120_000;

describeInWorld('a gibibyte, byte for byte', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  const check = (stdout: string, bytes: number) => expect(JSON.parse(stdout)).toMatchObject({ ok: true, bytes });

  it.each(['put', 'get'])(
    'from inside out, by %s, one stream and four',
    async (operation) => {
      const server = stage.world.start('server', ['node', stage.world.fixture('bulk.mjs'), 'serve', '7000']);
      await server.output(/ready/);
      for (const streams of ['1', '4']) {
        const argv = [
          'node',
          stage.world.fixture('bulk.mjs'),
          operation,
          ADDRESS.server,
          '7000',
          String(GIBIBYTE),
          streams,
        ];
        const { stdout } = await stage.unet.run(['run', '--rm', '--', ...argv], { timeoutMs: LONG_MS });
        check(stdout, GIBIBYTE);
      }
      server.kill('SIGKILL');
    },
    patient(2 * LONG_MS),
  );

  it.each(['put', 'get'])(
    'from outside in, through a published port, by %s',
    async (operation) => {
      const bytes = GIBIBYTE / 4;
      await stage.unet.detached(
        ['--name', 'bulk', '-p', '8080:7000'],
        ['node', stage.world.fixture('bulk.mjs'), 'serve', '7000'],
      );
      await stage.unet.logged('bulk', /ready/);
      const argv = ['node', stage.world.fixture('bulk.mjs'), operation, ADDRESS.host, '8080', String(bytes), '4'];
      check((await stage.world.run('server', argv, { timeoutMs: LONG_MS })).stdout, bytes);
    },
    patient(LONG_MS),
  );

  it(
    'between two containers',
    async () => {
      await stage.unet.detached(['--name', 'bulk'], ['node', stage.world.fixture('bulk.mjs'), 'serve', '7000']);
      await stage.unet.logged('bulk', /ready/);
      const argv = ['node', stage.world.fixture('bulk.mjs'), 'get', 'bulk', '7000', String(GIBIBYTE / 4), '2'];
      check((await stage.unet.run(['run', '--rm', '--', ...argv], { timeoutMs: LONG_MS })).stdout, GIBIBYTE / 4);
    },
    patient(LONG_MS),
  );

  it.each([['576'], ['1280'], ['9000'], ['65520']])(
    'at an MTU of %s',
    async (mtu) => {
      const server = stage.world.start('server', ['node', stage.world.fixture('bulk.mjs'), 'serve', '7000']);
      await server.output(/ready/);
      for (const operation of ['put', 'get']) {
        const argv = ['node', stage.world.fixture('bulk.mjs'), operation, ADDRESS.server, '7000', '20000000', '2'];
        check(
          (await stage.unet.run(['run', '--rm', '--mtu', mtu, '--', ...argv], { timeoutMs: LONG_MS })).stdout,
          20_000_000,
        );
      }
      server.kill('SIGKILL');
    },
    patient(LONG_MS),
  );

  it(
    'without offloads',
    async () => {
      const server = stage.world.start('server', ['node', stage.world.fixture('bulk.mjs'), 'serve', '7000']);
      await server.output(/ready/);
      for (const operation of ['put', 'get']) {
        const argv = ['node', stage.world.fixture('bulk.mjs'), operation, ADDRESS.server, '7000', '20000000', '2'];
        check(
          (await stage.unet.run(['run', '--rm', '--offload', 'off', '--', ...argv], { timeoutMs: LONG_MS })).stdout,
          20_000_000,
        );
      }
      server.kill('SIGKILL');
    },
    patient(LONG_MS),
  );
});
