import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CreatedContainer } from '../../../src/api/index.js';
import { parsePortSpec } from '../../../src/model/port-spec.js';
import { createRequest, DaemonUnderTest } from '../../fixtures/daemon-under-test.js';
import { FakeStack } from '../../fixtures/fake-stack.js';
import { until } from '../../fixtures/until.js';

let world: DaemonUnderTest;
let supervisor: ChildProcess;
beforeEach(async () => {
  world = await new DaemonUnderTest().start();
  supervisor = spawn('sleep', ['1000'], { stdio: 'ignore' });
});
afterEach(async () => {
  supervisor.kill('SIGKILL');
  await world.stop();
});

const ports = (...specs: string[]) => specs.flatMap(parsePortSpec).map((request) => ({ ...request }));

async function runWithSupervisor(request: Parameters<typeof createRequest>[0]): Promise<CreatedContainer> {
  const created = await world.client.create(createRequest(request));
  world.stack.attach(created.id, { pid: supervisor.pid ?? 0 });
  await world.client.wait(created.id, 'started');
  return created;
}

async function killSupervisor(): Promise<void> {
  supervisor.kill('SIGKILL');
  await once(supervisor, 'exit');
}

describe('a new daemon after a crash', () => {
  it('takes a running container back with its address, its ticket and the same ports', async () => {
    const { id, launch } = await runWithSupervisor({ name: 'web', ports: ports('127.0.0.1::80') });
    const [before] = await world.client.list();
    await world.crash();
    await world.start();
    expect(world.stack.endpoints.get(id)?.spec).toMatchObject({
      ticket: launch.ticket,
      address: launch.interface.address,
    });
    world.stack.attach(id, { running: true, pid: supervisor.pid ?? 0 });
    await until(() => world.stack.endpoints.get(id)?.released === true);
    expect(await world.client.list()).toMatchObject([{ ...before, startedAt: expect.any(String) }]);
    expect(world.stack.published).toMatchObject([{ endpoint: id, hostPort: before?.ports[0]?.hostPort }]);
    const next = await world.run();
    expect(next.launch.interface.address).not.toBe(launch.interface.address);
  });

  it('keeps the guest when its port was taken in the meantime', async () => {
    const { id } = await runWithSupervisor({ ports: ports('127.0.0.1:45090:80', '127.0.0.1:45091:81') });
    await world.crash();
    await world.start();
    const intruder = await world.run({ ports: ports('127.0.0.1:45090:80') });
    world.stack.attach(id, { running: true, pid: supervisor.pid ?? 0 });
    await until(() => world.stack.endpoints.get(id)?.released === true);
    expect((await world.client.inspect(id)).ports.map(({ hostPort }) => hostPort)).toEqual([45091]);
    expect((await world.client.inspect(intruder.id)).ports).toHaveLength(1);
  });

  it('waits for a supervisor that lives but has not come yet', async () => {
    const { id } = await runWithSupervisor({});
    await world.crash();
    await world.start();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await world.client.inspect(id)).toMatchObject({ status: 'running' });
  });

  it('finds out by exit.json how a container ended in the meantime', async () => {
    const { id, launch } = await runWithSupervisor({});
    await world.crash();
    writeFileSync(launch.exitFile, JSON.stringify({ exitCode: 0, signal: 15, finishedAt: '2026-01-02T03:04:05Z' }));
    await killSupervisor();
    await world.start();
    expect(await world.client.wait(id, 'ended')).toEqual({ status: 'exited', exitCode: 143 });
  });

  it('counts a container as killed whose supervisor is gone without a word', async () => {
    const { id } = await runWithSupervisor({ name: 'web' });
    await world.crash();
    await killSupervisor();
    await world.start();
    expect(await world.client.wait(id, 'ended')).toEqual({ status: 'exited', exitCode: 137 });
    expect(world.stack.endpoints.size).toBe(0);
    await world.client.remove('web');
  });

  it('removes a dead --rm container', async () => {
    await runWithSupervisor({ autoRemove: true });
    await world.crash();
    await killSupervisor();
    await world.start();
    await until(async () => (await world.client.list(true)).length === 0);
    await until(() => readdirSync(world.paths.containersDirectory).length === 0);
  });

  it('lists ended containers again and keeps their names reserved', async () => {
    const { id } = await world.run({ name: 'web' });
    world.stack.exit(id, 5);
    await world.client.wait(id, 'ended');
    await world.crash();
    await world.start();
    expect(await world.client.list(true)).toMatchObject([{ id, name: 'web', status: 'exited', exitCode: 5 }]);
    await expect(world.client.create(createRequest({ name: 'web' }))).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('forgets tickets that nobody had redeemed, and directories without a record', async () => {
    const { id } = await world.client.create(createRequest({ name: 'web' }));
    const leftover = join(world.paths.containersDirectory, 'f'.repeat(64));
    mkdirSync(leftover);
    await world.crash();
    await world.start();
    expect(await world.client.list(true)).toEqual([]);
    await until(() => !existsSync(leftover) && !existsSync(join(world.paths.containersDirectory, id)));
  });

  it('leaves a record alone that it cannot read, and goes on', async () => {
    const { id } = await world.run({ name: 'web' });
    const strange = join(world.paths.containersDirectory, 'e'.repeat(64));
    mkdirSync(strange);
    writeFileSync(join(strange, 'container.json'), '{"version": 2}');
    await world.crash();
    await world.start();
    expect((await world.client.list(true)).map((container) => container.id)).toEqual([id]);
    expect(existsSync(strange)).toBe(true);
  });
});

describe('a failed engine', () => {
  it('is replaced, and running containers come back to the new one', async () => {
    const { id } = await runWithSupervisor({ ports: ports('127.0.0.1:45095:80') });
    const before = world.stack;
    before.crash('a panic');
    await until(() => FakeStack.made.at(-1) !== before && world.stack.endpoints.has(id));
    expect(world.stack.networks.has('bridge')).toBe(true);
    world.stack.attach(id, { running: true, pid: supervisor.pid ?? 0 });
    await until(() => world.stack.endpoints.get(id)?.released === true);
    expect(world.stack.published).toMatchObject([{ endpoint: id, hostPort: 45095 }]);
    expect(await world.client.daemon()).toMatchObject({ engine: { running: true, restarts: 1 } });
  });

  it('answers with a reason until the new one stands', async () => {
    world.stack.crash('a panic');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(world.client.create(createRequest())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: /being restarted/,
    });
    await until(async () => (await world.client.daemon()).engine.running);
    await world.run();
  });

  it('takes back a container that was on its way up', async () => {
    world.stack.obedient = false;
    const { id } = await world.client.create(createRequest({ name: 'web' }));
    world.stack.attach(id, { pid: supervisor.pid ?? 0 });
    await until(() => world.stack.endpoints.get(id)?.released === true);
    world.stack.crash('a panic');
    await killSupervisor();
    await until(async () => (await world.client.list(true)).length === 0);
  });

  it('is stopped through the supervisor while it does not know the guest', async () => {
    const { id } = await runWithSupervisor({});
    const before = world.stack;
    before.crash('a panic');
    await until(() => world.stack !== before && world.stack.endpoints.has(id));
    await world.client.stop(id, 5);
    expect(await world.client.inspect(id)).toMatchObject({ status: 'exited' });
  });
});

describe('lost events', () => {
  it('leave no container starting for ever', async () => {
    world.stack.obedient = false;
    const { id } = await world.client.create(createRequest({ name: 'web' }));
    world.stack.attach(id, { pid: supervisor.pid ?? 0 });
    await until(() => world.stack.endpoints.get(id)?.released === true);
    expect(await world.client.list()).toEqual([]);
    world.stack.emit({ kind: 'overflow', lost: 1 });
    expect(await world.client.wait(id, 'started', { timeout: 2000 })).toMatchObject({ status: 'running' });
    world.stack.exit(id, 3);
    expect(await world.client.wait(id, 'ended')).toMatchObject({ status: 'exited', exitCode: 3 });
  });

  it('are made good by comparing the states', async () => {
    const { id } = await runWithSupervisor({});
    const endpoint = world.stack.endpoints.get(id);
    if (endpoint) endpoint.attached = false;
    await killSupervisor();
    world.stack.emit({ kind: 'overflow', lost: 1 });
    expect(await world.client.wait(id, 'ended')).toMatchObject({ exitCode: 137 });
  });
});
