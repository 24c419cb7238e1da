import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { since } from '../harness/kernel.js';
import { ADDRESS } from '../harness/layout.js';
import type { Running } from '../harness/running.js';
import { describeOnKernel } from './kernel.js';

/** USO, and with it UDP super-frames on a TAP, came with Linux 6.2. */
const HAS_USO = since(6, 2);

describeOnKernel('what the kernel lacks', (stage) => {
  let echo: Running;
  beforeAll(async () => {
    echo = stage.world.start('server', ['node', stage.world.fixture('udp-echo.mjs'), '7001']);
    await echo.output(/ready/);
  });
  afterAll(() => {
    echo?.kill('SIGKILL');
  });
  afterEach(async () => {
    await stage.unet.reset();
  });

  it('is what the container says of its device', async () => {
    const id = await stage.unet.detached(['--name', 'web'], ['sleep', '4711']);
    const path = `${stage.world.directory}/run/unet/unet.sock`;
    const ask = `require('http').get({socketPath:'${path}',path:'/v1/containers/${id}'},r=>r.pipe(process.stdout))`;
    const { stdout } = await stage.world.run('host', ['node', '-e', ask]);
    expect(JSON.parse(stdout).device).toBe(HAS_USO ? 'vnet-gso-uso' : 'vnet-gso');
  });

  it('is what doctor says, and no reason to fail', async () => {
    const { code, stdout } = await stage.unet.run(['doctor', '--json']);
    const { findings } = JSON.parse(stdout);
    const finding = (wanted: string) => findings.find(({ id }: { id: string }) => id === wanted);
    expect(code).toBe(0);
    expect(finding('kernel').detail).toBe(`Linux ${process.env['UNET_KERNEL']}`);
    expect(finding('offload').grade).toBe('ok');
    if (HAS_USO) expect(finding('offload').detail).toMatch(/USO$/);
    else expect(finding('offload').detail).toContain('without USO (Linux 6.2)');
  });

  it('stops no datagram: many in one send, and larger ones than the MTU', async () => {
    for (const bytes of ['100', '1200', '1472']) {
      const script = `python3 ${stage.world.fixture('udp-gso.py')} ${ADDRESS.server} 7001 40 ${bytes}`;
      expect(await stage.unet.shell(script)).toBe('echoed 40 of 40, 40 as sent');
    }
    const client = `node ${stage.world.fixture('udp-client.mjs')} ${ADDRESS.server} 7001 5 9000`;
    expect(JSON.parse(await stage.unet.shell(client))).toMatchObject({ answered: 5, lost: 0 });
  });

  it('stops no datagram between two containers', async () => {
    await stage.unet.detached(['--name', 'echo'], ['node', stage.world.fixture('udp-echo.mjs'), '7001']);
    await stage.unet.logged('echo', /ready/);
    const script = `python3 ${stage.world.fixture('udp-gso.py')} echo 7001 40 1200`;
    expect(await stage.unet.shell(script)).toBe('echoed 40 of 40, 40 as sent');
  });
});
