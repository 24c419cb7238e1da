import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Client } from '../../../src/api/index.js';
import { createRequest, DaemonUnderTest } from '../../fixtures/daemon-under-test.js';
import { fakeNative } from '../../fixtures/fake-stack.js';

let world: DaemonUnderTest;
afterEach(() => world.stop());

async function start(native = fakeNative()): Promise<void> {
  world = await new DaemonUnderTest().start(native);
}

function send(method: string, path: string, body?: string): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: world.paths.controlSocket, method, path }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, body: text === '' ? null : JSON.parse(text) });
    });
    call.on('error', reject);
    if (body !== undefined) call.setHeader('content-type', 'application/json');
    call.end(body);
  });
}

describe('the control socket', () => {
  it('is for its owner alone and replaces a stale one', async () => {
    world = new DaemonUnderTest();
    writeFileSync(world.paths.controlSocket, 'left by a killed daemon');
    await world.start();
    expect(statSync(world.paths.controlSocket).isSocket()).toBe(true);
    expect(statSync(world.paths.controlSocket).mode & 0o777).toBe(0o600);
    expect(await world.client.version()).toEqual({ version: '1.2.3', apiVersion: 'v1', pid: process.pid });
  });

  it('disappears with the daemon', async () => {
    await start();
    await world.daemon.shutdown();
    expect(existsSync(world.paths.controlSocket)).toBe(false);
  });

  it.each([
    ['another uid', { uid: 12345 }],
    ['another user namespace', { sameUserNamespace: false }],
  ])('hangs up on a peer of %s', async (_, peer) => {
    await start(fakeNative(peer));
    await expect(world.client.version()).rejects.toMatchObject({ code: 'DAEMON' });
  });

  it('hangs up on a peer that cannot be identified', async () => {
    await start({
      ...fakeNative(),
      peerIdentity: () => {
        throw new Error('no such option');
      },
    });
    await expect(world.client.list()).rejects.toMatchObject({ code: 'DAEMON' });
  });

  it('survives garbage', async () => {
    await start();
    const socket = connect(world.paths.controlSocket);
    await once(socket, 'connect');
    socket.write(Buffer.from([0, 1, 2, 255, 10, 10]));
    socket.resume();
    await once(socket, 'close');
    expect(await world.client.list()).toEqual([]);
  });

  it.each([
    ['a path that is none', 'GET', '/v1/nothing', undefined, 404, 'NOT_FOUND'],
    ['another version', 'GET', '/v9/containers', undefined, 404, 'NOT_FOUND'],
    ['no JSON', 'POST', '/v1/containers', '{', 400, 'INVALID'],
    ['JSON of another shape', 'POST', '/v1/containers', '[]', 400, 'INVALID'],
    ['an empty body', 'POST', '/v1/containers', undefined, 400, 'INVALID'],
    ['a query that is none', 'GET', '/v1/containers?all=maybe', undefined, 400, 'INVALID'],
    ['a negative time', 'POST', '/v1/containers/x/stop', '{"timeoutSeconds":-1}', 400, 'INVALID'],
    ['a broken escape', 'GET', '/v1/containers/%ff', undefined, 400, 'INVALID'],
    ['a name beyond all measure', 'GET', `/v1/containers/${'x'.repeat(5000)}`, undefined, 414, 'INVALID'],
    ['a path beyond all measure', 'GET', `/v1/${'x'.repeat(40_000)}`, undefined, 431, 'INVALID'],
    ['__proto__', 'POST', '/v1/containers', '{"__proto__":{"x":1}}', 400, 'INVALID'],
  ] as const)('answers %s with a code and a line', async (_, method, path, body, status, code) => {
    await start();
    expect(await send(method, path, body)).toMatchObject({
      status,
      body: { error: { code, message: expect.any(String) } },
    });
  });

  it('answers what is no HTTP with a code and a line', async () => {
    await start();
    const socket = connect(world.paths.controlSocket);
    await once(socket, 'connect');
    socket.write('GET /v1/version HTTP/1.1\r\nbad header\r\n\r\n');
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    const [head, text = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(text)).toEqual({
      error: { code: 'INVALID', message: expect.stringMatching(/^this is no HTTP request/) },
    });
  });

  it('refuses a body beyond the limit', async () => {
    await start();
    const huge = createRequest({ argv: ['x'.repeat(5 * 1024 * 1024)] });
    await expect(world.client.create(huge)).rejects.toMatchObject({ code: 'INVALID' });
  });
});

describe('the end of the daemon', () => {
  it('is refused while containers run, naming them, unless all shall be stopped', async () => {
    await start();
    const { id } = await world.run({ name: 'web' });
    await expect(world.client.stopDaemon(false)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: "1 container runs: web; stop them first, or say 'unet daemon stop --all'",
    });
    await world.client.stopDaemon(true);
    await world.daemon.ended;
    expect(world.stack.signals).toEqual([{ id, signal: 15 }]);
  });

  it('leaves the containers to the next daemon when told so, but first lets them come up', async () => {
    await start();
    const { id } = await world.run({ name: 'web' });
    const { id: rising } = await world.client.create(createRequest({ name: 'rising' }));
    const leaving = world.client.leaveDaemon();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(existsSync(world.paths.controlSocket)).toBe(true);
    world.stack.attach(rising);
    await leaving;
    await world.daemon.ended;
    expect(world.stack.signals).toEqual([]);
    for (const one of [id, rising]) {
      expect(
        JSON.parse(readFileSync(`${world.paths.containersDirectory}/${one}/container.json`, 'utf8')),
      ).toMatchObject({
        phase: 'running',
      });
    }
  });

  it('comes by itself after idle time, not while a container lives or a request is under way', async () => {
    world = await new DaemonUnderTest({ UNET_IDLE_SECONDS: '0.15' }).start();
    let ended = false;
    void world.daemon.ended.then(() => {
      ended = true;
    });
    const { id } = await world.run();
    const waiting = world.client.wait(id, 'ended');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(ended).toBe(false);
    world.stack.exit(id, 0);
    await waiting;
    await world.daemon.ended;
    expect(existsSync(world.paths.controlSocket)).toBe(false);
  });

  it('refuses an idle time that is none', async () => {
    world = new DaemonUnderTest({ UNET_IDLE_SECONDS: 'soon' });
    await expect(world.start()).rejects.toMatchObject({ message: /UNET_IDLE_SECONDS 'soon'/ });
  });
});

describe('daemon facts', () => {
  it('tell where everything is and what runs', async () => {
    await start();
    await world.run({ name: 'web' });
    expect(await world.client.daemon()).toMatchObject({
      version: '1.2.3',
      pid: process.pid,
      containers: { running: ['web'], total: 1 },
      network: { name: 'bridge', mtu: 1500 },
      engine: { running: true, restarts: 0 },
      logFile: world.paths.logFile,
    });
  });

  it('fail for a client when nobody listens', async () => {
    await start();
    const client = new Client(`${world.root}/nothing.sock`);
    await expect(client.daemon()).rejects.toMatchObject({
      code: 'DAEMON',
      message: /cannot reach the daemon at .*nothing\.sock/,
    });
  });
});
