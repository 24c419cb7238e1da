import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connect } from '../../src/index.js';
import { DaemonUnderTest } from '../fixtures/daemon-under-test.js';
import { until } from '../fixtures/until.js';

let world: DaemonUnderTest;
beforeEach(async () => {
  world = await new DaemonUnderTest().start();
  for (const [key, value] of Object.entries(world.env)) vi.stubEnv(key, value);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await world.stop();
});

function launcher(script: string): void {
  const path = join(world.root, 'launcher');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  vi.stubEnv('UNET_LAUNCH', path);
}

/** Plays the launcher as soon as a ticket is out, and only then lets the one that was started end. */
async function attachNext(): Promise<void> {
  await until(() => world.stack.endpoints.size > 0);
  const [id = ''] = world.stack.endpoints.keys();
  world.stack.attach(id);
  writeFileSync(join(world.root, 'attached'), '');
}

describe('the library', () => {
  it('runs, lists, waits for, stops and removes', async () => {
    launcher(`cat <&3 >/dev/null; until [ -e '${join(world.root, 'attached')}' ]; do sleep 0.02; done`);
    const unet = await connect();
    const [web] = await Promise.all([
      unet.run(['sleep', '1000'], { name: 'web', publish: ['127.0.0.1:45099:80'], mtu: 1400, hostAccess: '5432' }),
      attachNext(),
    ]);
    expect(web).toMatchObject({ name: 'web', status: 'running', mtu: 1400, ports: [{ hostPort: 45099 }] });
    expect((await unet.ps()).map(({ name }) => name)).toEqual(['web']);
    const status = unet.wait('web');
    await unet.stop('web', 1);
    expect(await status).toBe(143);
    expect(await unet.inspect('web')).toMatchObject({ status: 'exited' });
    await unet.rm('web');
    expect(await unet.ps({ all: true })).toEqual([]);
    unet.close();
  });

  it('makes links bad, from the start and while they are used', async () => {
    launcher(`cat <&3 >/dev/null; until [ -e '${join(world.root, 'attached')}' ]; do sleep 0.02; done`);
    const unet = await connect();
    await Promise.all([unet.run(['sleep', '1000'], { name: 'web', faults: ['egress:delay=5ms'] }), attachNext()]);
    expect(await unet.setFaults('web', 'ingress:partition')).toMatchObject({
      egress: { delayUs: 5000 },
      ingress: { loss: 1 },
    });
    await expect(unet.setFaults('web', 'ingress=partition')).rejects.toMatchObject({ code: 'USAGE' });
    await world.run({ name: 'db' });
    expect(await unet.setFaultsBetween('web', 'db', 'egress:loss=1%')).toMatchObject({
      egress: { loss: 0.01 },
      ingress: null,
    });
    unet.close();
  });

  it('raises what the launcher says', async () => {
    launcher('echo "unet: no TUN device: load the module" >&2; exit 125');
    const unet = await connect();
    await expect(unet.run(['true'])).rejects.toMatchObject({
      code: 'LAUNCH',
      message: 'no TUN device: load the module',
    });
    unet.close();
    await until(() => world.stack.endpoints.size === 0);
  });

  it('refuses what it cannot mean before anything is started', async () => {
    const unet = await connect();
    await expect(unet.run(['true'], { publish: ['80:http'] })).rejects.toMatchObject({ code: 'INVALID' });
    await expect(unet.run(['true'], { hostAccess: 'some' })).rejects.toMatchObject({ code: 'USAGE' });
    expect(world.stack.endpoints.size).toBe(0);
    unet.close();
  });
});
