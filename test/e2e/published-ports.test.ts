import { afterEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS, GATEWAY } from '../harness/layout.js';

describeInWorld('published ports', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  const serve = async (name: string, publish: readonly string[], fixture = 'tcp-peer.mjs', manner = ['who']) => {
    const options = publish.flatMap((port) => ['-p', port]);
    await stage.unet.detached(['--name', name, ...options], ['node', stage.world.fixture(fixture), ...manner, '7000']);
    await stage.unet.logged(name, /ready/);
  };
  const client = (...args: string[]) => ['node', stage.world.fixture('tcp-client.mjs'), ...args];

  it('show the caller from far away by its own address', async () => {
    await serve('web', ['8080:7000']);
    const { stdout } = await stage.world.run('server', client('read', ADDRESS.host, '8080'));
    expect(stdout).toMatch(new RegExp(`^you are ${ADDRESS.server}:\\d+\n$`));
    expect((await stage.world.run('router', client('read', ADDRESS.hostSecond, '8080'))).stdout).toContain(
      ADDRESS.routerToHost,
    );
  });

  it('show a caller on loopback as the gateway, and one on the host by its address', async () => {
    await serve('web', ['8080:7000']);
    expect((await stage.world.run('host', client('read', '127.0.0.1', '8080'))).stdout).toContain(
      `you are ${GATEWAY}:`,
    );
    expect((await stage.world.run('host', client('read', ADDRESS.host, '8080'))).stdout).toMatch(
      /^you are (10\.91\.1\.2|172\.17\.0\.1):/,
    );
  });

  it('listen on one address alone when it is named', async () => {
    await serve('web', [`${ADDRESS.hostSecond}:8080:7000`]);
    expect((await stage.world.run('server', client('read', ADDRESS.hostSecond, '8080'))).stdout).toContain('you are');
    expect((await stage.world.run('server', client('read', ADDRESS.host, '8080'))).stdout).toBe('error ECONNREFUSED\n');
    expect((await stage.world.run('host', client('read', '127.0.0.1', '8080'))).stdout).toBe('error ECONNREFUSED\n');
  });

  it('are chosen by unet on demand and shown by ps', async () => {
    await serve('web', ['7000', '127.0.0.1::7000']);
    const ports = [...(await stage.unet.ok(['ps'])).matchAll(/([\d.]+):(\d+)->7000\/tcp/g)];
    expect(ports).toHaveLength(2);
    for (const [, address, port = ''] of ports) {
      expect(Number(port)).toBeGreaterThanOrEqual(49_153);
      const target = address === '0.0.0.0' ? ADDRESS.host : '127.0.0.1';
      expect((await stage.world.run('host', client('read', target, port))).stdout).toContain('you are');
    }
  });

  it('carry UDP and keep the caller', async () => {
    await serve('udp', ['8053:7000/udp'], 'udp-echo.mjs', []);
    const ask = (place: 'host' | 'server', host: string) =>
      stage.world.run(place, ['node', stage.world.fixture('udp-client.mjs'), host, '8053', '20', '1200']);
    expect(JSON.parse((await ask('server', ADDRESS.host)).stdout)).toEqual({
      answered: 20,
      lost: 0,
      from: `${ADDRESS.host}:8053`,
    });
    // Answers come from the address that was asked, not from the one that the route prefers.
    expect(JSON.parse((await ask('server', ADDRESS.hostSecond)).stdout)).toMatchObject({
      answered: 20,
      from: `${ADDRESS.hostSecond}:8053`,
    });
    expect(JSON.parse((await ask('host', '127.0.0.1')).stdout)).toMatchObject({ answered: 20 });
    const log = await stage.unet.logs('udp');
    expect(log).toContain(`call from ${ADDRESS.server}:`);
    expect(log).toContain(`call from ${GATEWAY}:`);
  });

  it('refuse the caller when nobody listens inside', async () => {
    await stage.unet.detached(['--name', 'idle', '-p', '8080:7000'], ['sleep', '100']);
    const { stdout } = await stage.world.run('server', client('read', ADDRESS.host, '8080'));
    expect(stdout).toMatch(/^error (ECONNREFUSED|ECONNRESET)\n$/);
  });

  it('close when the container stops, and can be published again at once', async () => {
    await serve('one', ['8080:7000']);
    await stage.unet.ok(['stop', '-t', '1', 'one']);
    expect((await stage.world.run('server', client('read', ADDRESS.host, '8080'))).stdout).toBe('error ECONNREFUSED\n');
    await serve('two', ['8080:7000']);
    expect((await stage.world.run('server', client('read', ADDRESS.host, '8080'))).stdout).toContain('you are');
  });

  it('carry half-closes and resets from outside in', async () => {
    await serve('late', ['8081:7000'], 'tcp-peer.mjs', ['late-answer']);
    expect((await stage.world.run('server', client('half-close', ADDRESS.host, '8081', '300000'))).stdout).toBe(
      'got 300000 bytes\n',
    );
    await serve('early', ['8082:7000'], 'tcp-peer.mjs', ['early-close']);
    expect((await stage.world.run('server', client('send-after', ADDRESS.host, '8082', '300000'))).stdout).toBe(
      'bye\n',
    );
    await stage.unet.logged('early', /got 300000 bytes after own FIN/);
    await serve('watch', ['8083:7000'], 'tcp-peer.mjs', ['watch']);
    await stage.world.run('server', client('reset', ADDRESS.host, '8083'));
    await stage.unet.logged('watch', /ended by ECONNRESET/);
    await serve('reset', ['8084:7000'], 'tcp-peer.mjs', ['reset']);
    expect((await stage.world.run('server', client('provoke', ADDRESS.host, '8084'))).stdout).toContain(
      'error ECONNRESET',
    );
  });
});
