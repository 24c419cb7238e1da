import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, connectIfRunning } from '../../../src/api/connect.js';
import { readLockHolder } from '../../../src/api/index.js';
import { takeLocks } from '../../../src/daemon/locks.js';
import { formatLockHolder, parseLockHolder } from '../../../src/model/lock-holder.js';
import { DaemonUnderTest } from '../../fixtures/daemon-under-test.js';
import { fakeNative } from '../../fixtures/fake-stack.js';
import { until } from '../../fixtures/until.js';

let world: DaemonUnderTest;
beforeEach(() => {
  world = new DaemonUnderTest();
});
afterEach(() => world.stop());

const other = (runtimeDirectory: string) => ({
  ...world.paths,
  runtimeDirectory,
  lockFile: `${world.root}/other.lock`,
});

describe('takeLocks', () => {
  it('takes both directories and says in them by whom', async () => {
    const { paths } = world;
    expect(await takeLocks(fakeNative(), paths)).not.toBeNull();
    const holder = { pid: process.pid, runtimeDirectory: paths.runtimeDirectory };
    expect(readLockHolder(paths.lockFile)).toEqual(holder);
    expect(readLockHolder(paths.stateLockFile)).toEqual(holder);
  });

  it('leaves the sockets to whoever serves them', async () => {
    const native = fakeNative();
    await takeLocks(native, world.paths);
    expect(await takeLocks(native, world.paths)).toBeNull();
  });

  it('refuses the records of a daemon with other sockets, at once, naming it, and lets go of its own lock', async () => {
    const native = fakeNative();
    await takeLocks(native, world.paths);
    const mine = other(`${world.root}/other`);
    const began = performance.now();
    await expect(takeLocks(native, mine)).rejects.toMatchObject({
      code: 'DAEMON',
      message: `the state directory ${world.paths.stateDirectory} is used by process ${process.pid}, whose runtime directory is ${world.paths.runtimeDirectory}; set UNET_RUNTIME_DIR=${world.paths.runtimeDirectory} to use that daemon, end it with 'kill ${process.pid}', or set UNET_STATE_DIR to another directory`,
    });
    expect(performance.now() - began).toBeLessThan(1000);
    expect(native.lockFile(mine.lockFile)).not.toBeNull();
  });

  it('waits for the daemon of a runtime directory that was removed and made again', async () => {
    const native = fakeNative();
    const old = await takeLocks(native, world.paths);
    const taking = takeLocks(native, other(world.paths.runtimeDirectory));
    setTimeout(() => old?.state.release(), 100);
    expect(await taking).not.toBeNull();
  });
});

describe('a lock file', () => {
  it.each(['', '{', 'null', '{"pid":1,"runtimeDirectory":"/r"}', '{"pid":-5,"runtimeDirectory":"/r"}', '{"pid":77}'])(
    'that holds %j names nobody',
    (text) => {
      expect(parseLockHolder(text)).toBeNull();
    },
  );

  it('names nobody who has ended', async () => {
    const child = spawn('true');
    await once(child, 'exit');
    writeFileSync(world.paths.lockFile, formatLockHolder({ pid: child.pid ?? 0, runtimeDirectory: '/r' }));
    expect(readLockHolder(world.paths.lockFile)).toBeNull();
  });

  it('tells by whom the socket is held that does not answer', async () => {
    const mute = createServer(() => {}).listen(world.paths.controlSocket);
    await once(mute, 'listening');
    writeFileSync(world.paths.lockFile, formatLockHolder({ pid: process.pid, runtimeDirectory: '/r' }));
    const message = `process ${process.pid} holds ${world.paths.lockFile} but does not answer at ${world.paths.controlSocket}; end it with 'kill ${process.pid}'`;
    const start = () => Promise.reject(new Error('started needlessly'));
    await expect(connect({ paths: world.paths, start })).rejects.toThrow(message);
    mute.close();
  }, 15_000);
});

describe('the control socket', () => {
  it('is bound again when it was removed', async () => {
    await world.start();
    rmSync(world.paths.controlSocket);
    await until(() => existsSync(world.paths.controlSocket), 5000);
    expect(statSync(world.paths.controlSocket).mode & 0o777).toBe(0o600);
    const client = await connectIfRunning(world.paths);
    expect(await client?.list()).toEqual([]);
    client?.close();
    await world.daemon.shutdown();
    expect(existsSync(world.paths.controlSocket)).toBe(false);
  });

  it('ends the daemon when its directory is gone', async () => {
    await takeLocks(fakeNative(), world.paths);
    await world.start();
    renameSync(world.paths.runtimeDirectory, `${world.root}/moved`);
    await world.daemon.ended;
  });

  it('of another daemon stays when this one ends', async () => {
    await world.start();
    rmSync(world.paths.controlSocket);
    writeFileSync(world.paths.controlSocket, 'of another');
    await world.daemon.shutdown();
    expect(readFileSync(world.paths.controlSocket, 'utf8')).toBe('of another');
  });
});
