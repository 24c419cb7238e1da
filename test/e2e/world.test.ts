import { expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS } from '../harness/layout.js';

// The ground under all other end-to-end tests: when one of these fails, look here first.
describeInWorld('the world of the tests', (stage) => {
  it('gives programs no capability and no root', async () => {
    const { stdout } = await stage.world.run('host', [
      'sh',
      '-c',
      'id -u; grep -E "Cap(Eff|Prm|Amb)" /proc/self/status',
    ]);
    const [uid, ...capabilities] = stdout.trim().split('\n');
    expect(Number(uid)).toBeGreaterThan(0);
    expect(capabilities.map((line) => line.split('\t')[1])).toEqual(Array(3).fill('0'.repeat(16)));
  });

  it('joins host and server through the router, each with its own addresses', async () => {
    const server = stage.world.start('server', ['node', stage.world.fixture('tcp-peer.mjs'), 'who', '7000']);
    await server.output(/ready/);
    const asked = await stage.world.run('host', [
      'node',
      stage.world.fixture('tcp-client.mjs'),
      'read',
      ADDRESS.server,
      '7000',
    ]);
    expect(asked.stdout).toMatch(`you are ${ADDRESS.host}:`);
    server.kill('SIGTERM');
    const refused = await stage.world.run('host', [
      'node',
      stage.world.fixture('tcp-client.mjs'),
      'read',
      ADDRESS.server,
      '7009',
    ]);
    expect(refused.stdout).toBe('error ECONNREFUSED\n');
  });

  it('keeps the machine outside: its loopback is another', async () => {
    const { stdout } = await stage.world.run('host', ['ip', '-br', 'addr']);
    expect(stdout).toContain(ADDRESS.hostSecond);
    expect(stdout.trim().split('\n')).toHaveLength(2);
  });

  it('has a resolv.conf of its own that can be replaced', async () => {
    await stage.world.writeEtc('resolv.conf', "nameserver 192.0.2.1 # it's\n");
    expect((await stage.world.run('host', ['cat', '/etc/resolv.conf'])).stdout).toBe("nameserver 192.0.2.1 # it's\n");
  });

  it('answers pings, without privilege', async () => {
    expect((await stage.world.run('host', ['ping', '-c1', '-W2', ADDRESS.server])).code).toBe(0);
  });

  it('hands signals to the program and tells its end', async () => {
    const sleeper = stage.world.start('host', ['sleep', '100']);
    await sleeper.signal('SIGTERM');
    expect(await sleeper.result()).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(stage.world.processes()).toEqual([]);
  });
});
