import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS } from '../harness/layout.js';
import { patient } from '../harness/patience.js';
import type { Running } from '../harness/running.js';
import { until } from '../harness/world.js';

describeInWorld('names', (stage) => {
  let server: Running;

  beforeAll(async () => {
    server = stage.world.start('server', ['node', stage.world.fixture('dns-server.mjs'), ADDRESS.server]);
    await server.output(/ready/);
    await stage.unet.detached(['--name', 'Db'], ['sleep', '1000']);
  });

  afterAll(() => {
    server.kill('SIGKILL');
  });

  const lookup = (name: string) => stage.unet.run(['run', '--rm', '--', 'getent', 'ahostsv4', name]);

  it('of the outside are asked where the host asks', async () => {
    expect((await lookup('outside.test')).stdout).toMatch(/^10\.91\.2\.2 +STREAM outside\.test/);
    expect((await lookup('no-such-name.test')).code).toBe(2);
    expect((await lookup('fails.test')).code).toBe(2);
  });

  it('of containers are answered here, in any case and by short id, and nobody outside hears of them', async () => {
    const id = (await stage.unet.ok(['ps', '-q'])).trim();
    const address = /172\.17\.0\.\d+/.exec(await stage.unet.shell('true; getent ahostsv4 Db'))?.[0];
    expect(address).toBeDefined();
    for (const name of ['db', 'DB', id, 'db.']) expect((await lookup(name)).stdout).toContain(`${address} `);
    expect(server.stdout).not.toMatch(/^db\b/m);
    expect(server.stdout).not.toContain(id);
  });

  it('of a container that is down do not exist, and nobody outside is asked', async () => {
    await stage.unet.detached(['--name', 'down'], ['true']);
    await until('it has ended', async () => (await stage.unet.ok(['ps', '-a'])).includes('Exited'));
    expect((await lookup('down')).code).toBe(2);
    expect(server.stdout).not.toMatch(/^down\b/m);
  });

  it('of addresses are known: PTR', async () => {
    const script =
      "const d=require('dns').promises;d.lookup('db').then(a=>d.reverse(a.address)).then(n=>console.log(n[0]))";
    expect((await stage.unet.shell(`node -e "${script}"`)).toLowerCase()).toBe('db.bridge');
  });

  it('with more records than a datagram holds come by TCP, whole', async () => {
    const script = "require('dns').resolve4('big.test',(e,a)=>console.log(e?e.code:a.length))";
    expect(await stage.unet.shell(`node -e "${script}"`)).toBe('100');
    expect(server.stdout).toMatch(/^big\.test 1 by tcp$/m);
  });

  it("follow the host's resolv.conf as it is replaced, in a container that runs", async () => {
    const other = stage.world.start('server', ['node', stage.world.fixture('dns-server.mjs'), ADDRESS.serverSecond]);
    await other.output(/ready/);
    const ask = 'getent ahostsv4 outside.test >/dev/null && echo found || echo lost';
    await stage.unet.detached(['--name', 'asker'], ['sh', '-c', `while :; do ${ask}; sleep 0.2; done`]);
    await stage.unet.logged('asker', /found/);
    expect(other.stdout).toBe('ready 53\n');
    await stage.world.writeEtc('resolv.conf', `nameserver ${ADDRESS.serverSecond}\n`);
    await other.output(/outside\.test 1 by udp/);
    await stage.unet.ok(['rm', '-f', 'asker']);
    await stage.world.writeEtc('resolv.conf', `nameserver ${ADDRESS.server}\n`);
    other.kill('SIGKILL');
  });

  it('are found in time when the first server is dead, and the dead one is asked last from then on', async () => {
    await stage.world.writeEtc('resolv.conf', `nameserver 10.91.2.99\nnameserver ${ADDRESS.server}\n`);
    const timed = async () => {
      const script = 'getent ahostsv4 outside.test; cat /proc/uptime';
      const before = performance.now();
      expect(await stage.unet.shell(script)).toContain('10.91.2.2');
      return performance.now() - before;
    };
    await timed();
    expect(await timed()).toBeLessThan(patient(2000));
    await stage.world.writeEtc('resolv.conf', `nameserver ${ADDRESS.server}\n`);
  });
});
