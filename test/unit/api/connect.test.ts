import { chmodSync, linkSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { connect, connectIfRunning } from '../../../src/api/connect.js';
import { DaemonUnderTest } from '../../fixtures/daemon-under-test.js';

let world: DaemonUnderTest;
afterEach(() => world.stop());

describe('connect', () => {
  it('uses the daemon that runs', async () => {
    world = await new DaemonUnderTest().start();
    const start = () => Promise.reject(new Error('started needlessly'));
    const client = await connect({ paths: world.paths, start });
    expect(await client.list()).toEqual([]);
    client.close();
  });

  it('starts one and waits until it answers', async () => {
    world = new DaemonUnderTest();
    const looks: boolean[] = [];
    const client = await connect({
      paths: world.paths,
      start: async (isUp) => {
        looks.push(await isUp());
        await world.start();
        looks.push(await isUp());
      },
    });
    expect(looks).toEqual([false, true]);
    expect(await client.list()).toEqual([]);
    client.close();
  });

  it('does not start one unless told to', async () => {
    world = new DaemonUnderTest();
    expect(await connectIfRunning(world.paths)).toBeNull();
    expect(await connectIfRunning({ ...world.paths, runtimeDirectory: `${world.root}/none` })).toBeNull();
  });

  it('takes a stale socket for no daemon', async () => {
    world = new DaemonUnderTest();
    const server = createServer().listen(world.paths.controlSocket);
    await new Promise((resolve) => server.once('listening', resolve));
    // A server that goes leaves no file, a killed one does: linked beside it, the name outlives the listener.
    linkSync(world.paths.controlSocket, `${world.paths.controlSocket}.stale`);
    await new Promise((resolve) => server.close(resolve));
    const paths = { ...world.paths, controlSocket: `${world.paths.controlSocket}.stale` };
    expect(await connectIfRunning(paths)).toBeNull();
  });

  it('does not speak to a socket in a directory that others can write to', async () => {
    world = await new DaemonUnderTest().start();
    chmodSync(world.paths.runtimeDirectory, 0o777);
    await expect(connectIfRunning(world.paths)).rejects.toMatchObject({ code: 'REFUSED' });
  });
});
