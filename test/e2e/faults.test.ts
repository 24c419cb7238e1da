import { afterEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS } from '../harness/layout.js';
import { patient, share } from '../harness/patience.js';

const BYTES = share(64 * 1024 ** 2);
const LONG_MS = 120_000;
const FAULTS = 'loss=2%,reorder=10%,duplicate=1%';

describeInWorld('a bad link, made by the fault injector around the real TAP', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  it.each(['put', 'get'])(
    `64 MiB arrive whole with ${FAULTS} each way, by %s`,
    async (operation) => {
      const server = stage.world.start('server', ['node', stage.world.fixture('bulk.mjs'), 'serve', '7000']);
      await server.output(/ready/);
      const argv = ['node', stage.world.fixture('bulk.mjs'), operation, ADDRESS.server, '7000', String(BYTES), '1'];
      const options = ['run', '--rm', '--fault', FAULTS, '--', ...argv];
      const { stdout } = await stage.unet.run(options, { timeoutMs: LONG_MS });
      expect(JSON.parse(stdout)).toMatchObject({ ok: true, bytes: BYTES });
      server.kill('SIGKILL');
    },
    patient(LONG_MS),
  );

  it(
    'loses everything when asked to',
    async () => {
      const argv = ['ping', '-c', '3', '-i', '0.2', '-W', '1', '172.17.0.1'];
      const { stdout, code } = await stage.unet.run(['run', '--rm', '--fault', 'loss=100%', '--', ...argv]);
      expect(stdout).toContain('100% packet loss');
      expect(code).toBe(1);
    },
    patient(LONG_MS),
  );
});
