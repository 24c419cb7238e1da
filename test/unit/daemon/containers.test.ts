import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Client } from '../../../src/api/index.js';
import { parsePortSpec } from '../../../src/model/port-spec.js';
import { createRequest, DaemonUnderTest } from '../../fixtures/daemon-under-test.js';
import { until } from '../../fixtures/until.js';

let world: DaemonUnderTest;
beforeEach(async () => {
  world = await new DaemonUnderTest().start();
});
afterEach(() => world.stop());

const ports = (...specs: string[]) => specs.flatMap(parsePortSpec).map((request) => ({ ...request }));

describe('creating a container', () => {
  it('reserves id, name, address and MAC, and tells the launcher all it needs', async () => {
    const { id, name, launch } = await world.client.create(createRequest({ name: 'web', cwd: '/srv' }));
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(name).toBe('web');
    expect(launch).toMatchObject({
      version: 1,
      containerId: id,
      handoffSocket: world.paths.handoffSocket,
      detach: true,
      stdin: 'null',
      hostname: id.slice(0, 12),
      cwd: '/srv',
      argv: ['sleep', '1000'],
      mask: [world.paths.runtimeDirectory, world.paths.stateDirectory],
    });
    expect(launch.interface).toMatchObject({ name: 'eth0', prefixLength: 16, mtu: 1500 });
    expect(launch.interface.mac).toMatch(/^02:42:/);
    const endpoint = world.stack.endpoints.get(id)?.spec;
    expect(endpoint).toMatchObject({
      ticket: launch.ticket,
      address: launch.interface.address,
      mac: launch.interface.mac,
    });
    expect(readFileSync(launch.etc.hosts, 'utf8')).toContain(`${launch.interface.address}\t${id.slice(0, 12)}\n`);
    expect(readFileSync(launch.etc['resolv.conf'], 'utf8')).toContain(`nameserver ${launch.interface.gateway}\n`);
    expect(readFileSync(launch.etc.hostname, 'utf8')).toBe(`${id.slice(0, 12)}\n`);
  });

  it('gives the lowest free address, again after it was freed', async () => {
    const [first, second] = [await world.run(), await world.run()];
    expect(second.launch.interface.address).not.toBe(first.launch.interface.address);
    await world.client.remove(first.id, true);
    const third = await world.run();
    expect(third.launch.interface.address).toBe(first.launch.interface.address);
  });

  it('refuses a name that is taken, also by one that has ended', async () => {
    const { id } = await world.run({ name: 'web' });
    world.stack.exit(id, 0);
    await world.client.wait(id, 'ended');
    await expect(world.client.create(createRequest({ name: 'web' }))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `Conflict. The container name "/web" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    });
  });

  it.each([
    ['no command', { argv: [] }, /argv/],
    ['an empty command', { argv: [''] }, /argv: must name a command/],
    ['a NUL byte', { argv: ['a\0b'] }, /argv\.0: must not contain a NUL byte/],
    ['a relative directory', { cwd: 'x' }, /cwd/],
    ['an MTU out of range', { mtu: 67 }, /mtu/],
    ['a hostname with a line break', { hostname: 'a\n127.0.0.1 b' }, /hostname/],
    [
      'a port out of range',
      { ports: [{ hostAddress: null, hostPort: null, containerPort: 0, protocol: 'tcp' }] },
      /ports\.0\.containerPort/,
    ],
    [
      'a host name as address',
      { ports: [{ hostAddress: 'localhost', hostPort: null, containerPort: 1, protocol: 'tcp' }] },
      /hostAddress/,
    ],
    ['sctp', { ports: ports('80:80/sctp') }, /sctp is not supported/],
    ['an unknown field', { privileged: true }, /privileged/],
    ['a bad name', { name: 'a b' }, /Invalid container name \(a b\)/],
  ])('refuses %s whatever the client has checked', async (_, overrides, message) => {
    await expect(world.client.create(createRequest(overrides as object))).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringMatching(message),
    });
    expect(await world.client.list(true)).toEqual([]);
    expect(world.stack.endpoints.size).toBe(0);
  });

  it('takes everything back when whoever asked goes away before the launcher has come', async () => {
    const impatient = new Client(world.paths.controlSocket);
    const { id } = await impatient.create(createRequest({ name: 'web' }));
    impatient.close();
    await until(() => !world.stack.endpoints.has(id));
    await until(() => !existsSync(join(world.paths.containersDirectory, id)));
    await world.run({ name: 'web' });
  });

  it('does not gather watchers on a connection that creates many', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    for (let count = 0; count < 15; count++) await world.run({ autoRemove: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it('takes everything back when its launcher ended without having come', async () => {
    const { id } = await world.client.create(createRequest());
    expect(await world.client.wait(id, 'ended', { launcherEnded: true })).toEqual({
      status: 'removed',
      exitCode: null,
    });
    expect(readdirSync(world.paths.containersDirectory)).toEqual([]);
  });

  it('keeps a started container when whoever asked goes away', async () => {
    const client = new Client(world.paths.controlSocket);
    const { id } = await client.create(createRequest());
    world.stack.attach(id);
    await client.wait(id, 'started');
    client.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await world.client.inspect(id)).toMatchObject({ status: 'running' });
  });
});

describe('publishing', () => {
  it('binds before "go" and lists what was bound', async () => {
    const { id } = await world.run({ ports: ports('127.0.0.1:45080:80', '127.0.0.1::53/udp') });
    const [{ ports: bound } = { ports: [] }] = await world.client.list();
    expect(bound).toEqual([
      { hostAddress: '127.0.0.1', hostPort: 45080, containerPort: 80, protocol: 'tcp' },
      { hostAddress: '127.0.0.1', hostPort: expect.any(Number), containerPort: 53, protocol: 'udp' },
    ]);
    expect(bound[1]?.hostPort).toBeGreaterThanOrEqual(49_153);
    expect(world.stack.published.map(({ endpoint }) => endpoint)).toEqual([id, id]);
  });

  it('tells the launcher why and leaves nothing when one of several ports is taken', async () => {
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const taken = (stranger.address() as { port: number }).port;
    const { id } = await world.client.create(
      createRequest({ ports: ports('127.0.0.1:45081:80', `127.0.0.1:${taken}:81`) }),
    );
    world.stack.attach(id);
    await expect(world.client.wait(id, 'ended').then(() => world.client.inspect(id))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const message = `failed to bind host port 127.0.0.1:${taken}/tcp: address already in use`;
    expect(world.stack.aborted).toEqual([{ id, message }]);
    expect(world.stack.published).toEqual([]);
    await until(() => readdirSync(world.paths.containersDirectory).length === 0);
    stranger.close();
  });

  it('says whose fault it is: ours, or the privileged range', async () => {
    await world.run({ name: 'web', ports: ports('127.0.0.1:45082:80') });
    const second = await world.client.create(createRequest({ ports: ports('45082:80') }));
    world.stack.attach(second.id);
    await world.client.wait(second.id, 'ended').catch(() => {});
    const third = await world.client.create(createRequest({ ports: ports('80:80') }));
    world.stack.attach(third.id);
    await world.client.wait(third.id, 'ended').catch(() => {});
    expect(world.stack.aborted.map(({ message }) => message)).toEqual([
      'Bind for 0.0.0.0:45082 failed: port is already allocated (by container web)',
      expect.stringMatching(
        /^failed to bind host port 0\.0\.0\.0:80\/tcp: permission denied.*net\.ipv4\.ip_unprivileged_port_start/,
      ),
    ]);
  });

  it('frees the ports when the container ends', async () => {
    const { id } = await world.run({ ports: ports('127.0.0.1:45083:80') });
    world.stack.exit(id, 0);
    await world.client.wait(id, 'ended');
    await world.run({ ports: ports('127.0.0.1:45083:80') });
    expect(world.stack.published).toHaveLength(1);
  });
});

describe('the end of a container', () => {
  it('stays listed with its status and gives its address back', async () => {
    const { id } = await world.run({ name: 'web' });
    world.stack.exit(id, 3);
    await world.client.wait(id, 'ended');
    expect(await world.client.list()).toEqual([]);
    expect(await world.client.list(true)).toMatchObject([
      { name: 'web', status: 'exited', exitCode: 3, address: null, pid: null },
    ]);
  });

  it('counts a signal as a shell does', async () => {
    const { id } = await world.run();
    world.stack.exit(id, 0, 15);
    expect(await world.client.wait(id, 'ended')).toEqual({ status: 'exited', exitCode: 143 });
  });

  it('with --rm leaves neither record nor files', async () => {
    const { id } = await world.run({ autoRemove: true });
    const waiting = world.client.wait(id, 'ended');
    await new Promise((resolve) => setTimeout(resolve, 30));
    world.stack.exit(id, 7);
    expect(await waiting).toEqual({ status: 'removed', exitCode: 7 });
    expect(await world.client.list(true)).toEqual([]);
    expect(readdirSync(world.paths.containersDirectory)).toEqual([]);
  });

  it('takes the status from exit.json when the launcher went away without a word', async () => {
    const { id, launch } = await world.run();
    writeFileSync(launch.exitFile, JSON.stringify({ exitCode: 4, signal: null, finishedAt: '2026-01-02T03:04:05Z' }));
    world.stack.detach(id);
    expect(await world.client.wait(id, 'ended')).toEqual({ status: 'exited', exitCode: 4 });
    expect(await world.client.inspect(id)).toMatchObject({ finishedAt: '2026-01-02T03:04:05Z' });
  });

  it('counts as killed when the supervisor has vanished', async () => {
    const { id } = await world.client.create(createRequest());
    world.stack.attach(id, { pid: 2 ** 22 });
    await world.client.wait(id, 'started');
    world.stack.detach(id);
    expect(await world.client.wait(id, 'ended')).toEqual({ status: 'exited', exitCode: 137 });
  });

  it('waits for a supervisor that lives to hand its TAP over again', async () => {
    const { id } = await world.run({ ports: ports('127.0.0.1:45084:80') });
    world.stack.detach(id);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await world.client.inspect(id)).toMatchObject({ status: 'running' });
  });

  it('leaves nothing of a command that could not be executed', async () => {
    world.stack.obedient = false;
    const { id } = await world.client.create(createRequest());
    world.stack.attach(id);
    const ended = world.client.wait(id, 'ended');
    await new Promise((resolve) => setTimeout(resolve, 30));
    world.stack.fail(id, 'exec nonesuch: not found', 127);
    expect(await ended).toMatchObject({ status: 'removed' });
    expect(world.stack.endpoints.size).toBe(0);
    expect(readdirSync(world.paths.containersDirectory)).toEqual([]);
  });
});

describe('stop and rm', () => {
  it('stops with SIGTERM and is content with one that has ended', async () => {
    const { id } = await world.run({ name: 'web' });
    await world.client.stop('web', 10);
    expect(world.stack.signals).toEqual([{ id, signal: 15 }]);
    await world.client.stop('web', 10);
    expect(await world.client.inspect('web')).toMatchObject({ status: 'exited', exitCode: 143 });
  });

  it('kills one that ignores SIGTERM', async () => {
    const { id } = await world.run();
    world.stack.obedient = false;
    const stopping = world.client.stop(id, 0);
    await until(() => world.stack.signals.some(({ signal }) => signal === 9));
    world.stack.exit(id, 0, 9);
    await stopping;
    expect(await world.client.inspect(id)).toMatchObject({ exitCode: 137 });
  });

  it('says that the files of one cannot be deleted, and lists it until they are', async () => {
    const { id } = await world.run({ name: 'web' });
    world.stack.exit(id, 0);
    await world.client.wait(id, 'ended');
    const removing = vi.spyOn(world.daemon.house.state, 'remove').mockRejectedValue(new Error('EACCES: no'));
    await expect(world.client.remove('web')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: `cannot delete the files of container "web": EACCES: no; make ${world.paths.containersDirectory}/${id} yours to write to, or delete it yourself`,
    });
    removing.mockRestore();
    await world.client.remove('web');
    expect(await world.client.list(true)).toEqual([]);
    expect(readdirSync(world.paths.containersDirectory)).toEqual([]);
  });

  it('says so, too, of one that was to remove itself', async () => {
    await world.run({ name: 'web', autoRemove: true });
    vi.spyOn(world.daemon.house.state, 'remove').mockRejectedValue(new Error('EACCES: no'));
    await expect(world.client.remove('web', true)).rejects.toMatchObject({
      message: /^cannot delete the files.*EACCES/,
    });
  });

  it('refuses to remove a running one without force', async () => {
    const { id } = await world.run({ name: 'web' });
    await expect(world.client.remove('web')).rejects.toMatchObject({
      code: 'CONFLICT',
      message:
        'cannot remove container "web": container is running: stop the container before removing or force remove',
    });
    await world.client.remove('web', true);
    expect(world.stack.signals).toEqual([{ id, signal: 9 }]);
    expect(await world.client.list(true)).toEqual([]);
  });

  it('says that there is no such container', async () => {
    await expect(world.client.stop('nonesuch', 1)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'No such container: nonesuch',
    });
    await expect(world.client.remove('a%2fb/../c')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('stops one that has not started yet', async () => {
    const { id } = await world.client.create(createRequest());
    await world.client.remove(id, true);
    expect(world.stack.aborted).toMatchObject([{ id }]);
    expect(await world.client.list(true)).toEqual([]);
  });
});
