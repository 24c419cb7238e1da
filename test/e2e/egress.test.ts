import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS, GATEWAY, type Place } from '../harness/layout.js';
import { patient } from '../harness/patience.js';
import type { Running } from '../harness/running.js';

describeInWorld('connections to the outside', (stage) => {
  const peers: Record<string, Running> = {};
  const serve = async (place: Place, manner: string, port: string, address = '0.0.0.0') => {
    const running = stage.world.start(place, ['node', stage.world.fixture('tcp-peer.mjs'), manner, port, address]);
    await running.output(/ready/);
    peers[manner] = running;
    return running;
  };
  const inside = (options: readonly string[], ...args: string[]) =>
    stage.unet.run(['run', '--rm', ...options, '--', 'node', stage.world.fixture('tcp-client.mjs'), ...args]);

  beforeAll(async () => {
    await serve('server', 'who', '7001');
    await serve('server', 'late-answer', '7002');
    await serve('server', 'early-close', '7003');
    await serve('server', 'watch', '7004');
    await serve('server', 'reset', '7005');
  });

  afterAll(() => {
    for (const peer of Object.values(peers)) peer.kill('SIGKILL');
  });

  it('come from the host', async () => {
    expect((await inside([], 'read', ADDRESS.server, '7001')).stdout).toMatch(
      new RegExp(`^you are ${ADDRESS.host}:\\d+\n$`),
    );
  });

  it('are refused where they are refused', async () => {
    const began = performance.now();
    expect((await inside([], 'read', ADDRESS.server, '7999')).stdout).toBe('error ECONNREFUSED\n');
    expect(performance.now() - began).toBeLessThan(patient(5000));
  });

  it('find no way where there is none', async () => {
    const { stdout } = await inside([], 'read', ADDRESS.nowhere, '80');
    expect(stdout).toMatch(/^error (EHOSTUNREACH|ENETUNREACH)\n$/);
  });

  it('half-close both ways', async () => {
    expect((await inside([], 'half-close', ADDRESS.server, '7002', '300000')).stdout).toBe('got 300000 bytes\n');
    expect((await inside([], 'send-after', ADDRESS.server, '7003', '300000')).stdout).toBe('bye\n');
    await peers['early-close']?.output(/got 300000 bytes after own FIN/);
  });

  it('carry a reset both ways', async () => {
    await inside([], 'reset', ADDRESS.server, '7004');
    await peers['watch']?.output(/ended by ECONNRESET/);
    expect((await inside([], 'provoke', ADDRESS.server, '7005')).stdout).toContain('error ECONNRESET');
  });

  it('carry UDP, and tell of a closed port', async () => {
    const echo = stage.world.start('server', ['node', stage.world.fixture('udp-echo.mjs'), '7006']);
    await echo.output(/ready/);
    const ask = (port: string, count: string, bytes: string) =>
      stage.unet.run([
        'run',
        '--rm',
        '--',
        'node',
        stage.world.fixture('udp-client.mjs'),
        ADDRESS.server,
        port,
        count,
        bytes,
      ]);
    expect(JSON.parse((await ask('7006', '50', '1200')).stdout)).toEqual({
      answered: 50,
      lost: 0,
      from: `${ADDRESS.server}:7006`,
    });
    expect(echo.stdout).toContain(`call from ${ADDRESS.host}:`);
    // Larger than the MTU: fragments one way and the other.
    expect(JSON.parse((await ask('7006', '5', '5000')).stdout)).toMatchObject({ answered: 5 });
    expect((await ask('7998', '3', '10')).stdout).toBe('error ECONNREFUSED\n');
    echo.kill('SIGKILL');
  });

  it('do not reach the loopback of the host, by any of its names', async () => {
    const secret = await serve('host', 'who', '7010', '127.0.0.1');
    for (const target of [GATEWAY, '127.0.0.1', '0.0.0.0']) {
      const { stdout, code } = await inside([], 'read', target, '7010');
      expect({ target, code }).toEqual({ target, code: 1 });
      expect(stdout).toMatch(/^error /);
    }
    expect(secret.stdout).toBe('ready 7010\n');
    secret.kill('SIGKILL');
  });

  it('reach the loopback of the host on the ports that --host-access opens, and no other', async () => {
    const open = await serve('host', 'who', '7011', '127.0.0.1');
    const shut = stage.world.start('host', ['node', stage.world.fixture('tcp-peer.mjs'), 'who', '7012', '127.0.0.1']);
    await shut.output(/ready/);
    expect((await inside(['--host-access', '7011'], 'read', 'host.unet.internal', '7011')).stdout).toContain(
      'you are 127.0.0.1:',
    );
    expect((await inside(['--host-access', '7011'], 'read', GATEWAY, '7012')).code).toBe(1);
    expect((await inside(['--host-access', 'all'], 'read', GATEWAY, '7012')).stdout).toContain('you are 127.0.0.1:');
    open.kill('SIGKILL');
    shut.kill('SIGKILL');
  });

  it('do not reach 169.254.0.0/16, where clouds keep their secrets', async () => {
    await stage.world.admin('ip -n host addr add 169.254.169.254/32 dev lo');
    const metadata = stage.world.start('host', [
      'node',
      stage.world.fixture('tcp-peer.mjs'),
      'who',
      '8080',
      '169.254.169.254',
    ]);
    await metadata.output(/ready/);
    const { code, stdout } = await inside([], 'read', '169.254.169.254', '8080');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error /);
    expect(metadata.stdout).toBe('ready 8080\n');
    metadata.kill('SIGKILL');
  });
});
