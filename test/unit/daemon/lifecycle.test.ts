import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Client, type CreatedContainer, type StartedContainer } from '../../../src/api/index.js';
import { parsePortSpec } from '../../../src/model/port-spec.js';
import { createRequest, DaemonUnderTest } from '../../fixtures/daemon-under-test.js';
import { until } from '../../fixtures/until.js';

let world: DaemonUnderTest;
beforeEach(async () => {
  world = await new DaemonUnderTest().start();
});
afterEach(() => world.stop());

type Launch = CreatedContainer['launch'];

/** Plays the launcher of a start that was granted. */
async function comeUp({ id, launch }: StartedContainer): Promise<Launch> {
  if (launch === null) throw new Error('it runs already');
  world.stack.attach(id);
  await world.client.wait(id, 'started', { timeout: 2000 });
  return launch;
}
const start = async (ref: string) => comeUp(await world.client.start(ref));

async function end(id: string, status = 0): Promise<void> {
  world.stack.exit(id, status);
  await world.client.wait(id, 'ended');
}

const make = (name: string, overrides: Parameters<typeof createRequest>[0] = {}) =>
  world.client.make(createRequest({ name, ...overrides }));
const fileOf = (id: string, ...path: string[]) => join(world.paths.containersDirectory, id, ...path);
const directories = () =>
  existsSync(world.paths.containersDirectory) ? readdirSync(world.paths.containersDirectory) : [];
const recordOf = (id: string) => JSON.parse(readFileSync(fileOf(id, 'container.json'), 'utf8'));
const hostsOf = (id: string) => readFileSync(fileOf(id, 'etc', 'hosts'), 'utf8');
const linkTo = (target: string, alias = target) => ({ links: [{ target, alias }], linkWaitSeconds: 0 });
const refused = (code: string, message: string | RegExp) => expect.objectContaining({ code, message: match(message) });
const match = (message: string | RegExp) => (typeof message === 'string' ? message : expect.stringMatching(message));

describe('create', () => {
  it('S3, S29: makes a name, an id and a hostname, and holds nothing', async () => {
    const { id, name } = await make('web', { ports: parsePortSpec('127.0.0.1:45100:80').map((port) => ({ ...port })) });
    expect(name).toBe('web');
    expect(await world.client.list()).toEqual([]);
    expect(await world.client.inspect('web')).toMatchObject({
      id,
      status: 'created',
      address: null,
      ports: [],
      hostname: id.slice(0, 12),
      startedAt: null,
      exitCode: null,
    });
    expect(world.stack.endpoints.size).toBe(0);
    expect(await world.client.wait('web', 'ended', { timeout: 1000 })).toEqual({ status: 'created', exitCode: null });
  });

  it('S2: makes up a name when none is given', async () => {
    const { name } = await world.client.make(createRequest());
    expect(name).toMatch(/^[a-z]+_[a-z]+\d?$/);
  });

  it('S10: refuses a name that is taken, in the words of Docker', async () => {
    const { id } = await make('web');
    await expect(make('web')).rejects.toEqual(
      refused(
        'CONFLICT',
        `Conflict. The container name "/web" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
      ),
    );
    await world.client.remove('web');
    await make('web');
  });

  it('leaves nothing when its record cannot be written', async () => {
    writeFileSync(join(world.root, 'no directory'), '');
    const creating = vi.spyOn(world.daemon.house.state, 'create').mockRejectedValue(new Error('ENOSPC'));
    await expect(make('web')).rejects.toThrow('ENOSPC');
    creating.mockRestore();
    expect(await world.client.list(true)).toEqual([]);
    await make('web');
  });

  it('vector 77: refuses a link to nobody, at create and at run, and leaves nothing', async () => {
    const nobody = refused('NOT_FOUND', 'could not get container for bogus: No such container: bogus');
    await expect(make('web', linkTo('bogus', 'alias'))).rejects.toEqual(nobody);
    const run = world.client.create(createRequest({ name: 'web', ...linkTo('bogus', 'alias') }));
    await expect(run).rejects.toEqual(nobody);
    expect(await world.client.list(true)).toEqual([]);
    expect(directories()).toEqual([]);
  });

  it('S87: takes a name for a link target, not a hostname', async () => {
    await make('db', { hostname: 'fred' });
    await expect(make('web', linkTo('fred'))).rejects.toEqual(
      refused('NOT_FOUND', 'could not get container for fred: No such container: fred'),
    );
  });
});

describe('start', () => {
  it('brings up what was created, and removes it only when told', async () => {
    const { id } = await make('web', { env: { SECRET: '1' }, cleanEnv: true });
    const granted = await world.client.start('web');
    expect(granted).toMatchObject({ id, name: 'web', env: { SECRET: '1' }, cleanEnv: true, linkEnv: {} });
    const launch = await comeUp(granted);
    expect(launch).toMatchObject({ detach: true, logFile: fileOf(id, 'output.log'), stdin: 'null' });
    expect(await world.client.inspect('web')).toMatchObject({ status: 'running', address: launch.interface.address });
    await end(id, 3);
    expect(await world.client.inspect('web')).toMatchObject({ status: 'exited', exitCode: 3 });
  });

  it('in the foreground gives the terminal to the command and keeps no log', async () => {
    const { id } = await make('web', { tty: true, openStdin: true });
    const { launch } = await world.client.start('web', { attach: true });
    expect(launch).toMatchObject({ detach: false, logFile: null, stdin: 'inherit', tty: false, containerId: id });
  });

  it('of one that has ended: another address, another ticket, a fresh start and the old log', async () => {
    const first = await world.run({ name: 'web', faults: { egress: null, ingress: null } });
    appendFileSync(fileOf(first.id, 'output.log'), 'old\n');
    writeFileSync(first.launch.exitFile, '{"exitCode":5}');
    const { startedAt: before } = await world.client.inspect('web');
    await end(first.id, 5);
    const other = await world.run({ name: 'other' });
    expect(other.launch.interface.address).toBe(first.launch.interface.address);

    const again = await start('web');
    expect(again.interface.address).not.toBe(first.launch.interface.address);
    expect(again.ticket).not.toBe(first.launch.ticket);
    expect(existsSync(first.launch.exitFile)).toBe(false);
    expect(readFileSync(fileOf(first.id, 'output.log'), 'utf8')).toBe('old\n');
    expect(hostsOf(first.id)).toContain(`${again.interface.address}\t${first.id.slice(0, 12)}\n`);
    const now = await world.client.inspect('web');
    expect(now).toMatchObject({ status: 'running', exitCode: null, finishedAt: null, mac: again.interface.mac });
    expect(Date.parse(now.startedAt ?? '')).toBeGreaterThan(Date.parse(before ?? ''));
  });

  it('makes its faults anew, and chooses a free port again', async () => {
    const egress = { loss: 0.5, duplicate: 0, reorder: 0, delayUs: 0, jitterUs: 0, rateBits: 0 };
    const ports = parsePortSpec('127.0.0.1::80').map((port) => ({ ...port }));
    const { id } = await world.run({ name: 'web', ports, faults: { egress, ingress: null } });
    const [before] = (await world.client.inspect('web')).ports;
    await world.client.setFaults('web', { egress: null });
    await end(id);
    await start('web');
    const [after] = (await world.client.inspect('web')).ports;
    expect(after?.hostPort).not.toBe(before?.hostPort);
    expect(world.stack.published).toHaveLength(1);
    expect(await world.client.faults('web')).toMatchObject({ egress: { loss: 0.5 } });
  });

  it('of one that runs changes nothing', async () => {
    const { id } = await world.run({ name: 'web' });
    const before = await world.client.inspect('web');
    expect(await world.client.start('web')).toMatchObject({ id, launch: null });
    expect(await world.client.inspect('web')).toEqual(before);
  });

  it('gives back what the launcher could not bring up: created stays created', async () => {
    const ports = parsePortSpec('127.0.0.1:45101:80').map((port) => ({ ...port }));
    const { id } = await make('web', { ports });
    await world.run({ name: 'holder', ports });
    await world.client.start('web');
    world.stack.attach(id);
    expect(await world.client.wait(id, 'ended')).toEqual({ status: 'created', exitCode: null });
    expect(world.stack.aborted).toEqual([
      { id, message: 'Bind for 127.0.0.1:45101 failed: port is already allocated (by container holder)' },
    ]);
    expect(await world.client.inspect('web')).toMatchObject({ status: 'created', address: null, startedAt: null });
    await world.client.remove('holder', true);
    await start('web');
  });

  it('gives back what the launcher could not bring up: ended stays as it ended', async () => {
    const { id } = await world.run({ name: 'web' });
    await end(id, 7);
    const before = await world.client.inspect('web');
    world.stack.obedient = false;
    await world.client.start('web');
    world.stack.attach(id);
    await until(() => world.stack.endpoints.get(id)?.released === true);
    world.stack.fail(id, 'exec nonesuch: not found', 127);
    expect(await world.client.wait(id, 'ended')).toEqual({ status: 'exited', exitCode: 7 });
    expect(await world.client.inspect('web')).toEqual(before);
    expect(recordOf(id)).toMatchObject({ phase: 'exited', before: null, exitCode: 7, lease: null });
  });

  it('is given up when its launcher ended, whoever asked went away, or the disk is full', async () => {
    const { id } = await make('web');
    const { launch } = await world.client.start('web');
    expect(await world.client.wait(id, 'ended', { launcherEnded: true, ticket: launch?.ticket ?? '' })).toMatchObject({
      status: 'created',
    });
    const impatient = new Client(world.paths.controlSocket);
    await impatient.start('web');
    impatient.close();
    await until(() => world.stack.endpoints.size === 0);
    const preparing = vi.spyOn(world.daemon.house.state, 'prepare').mockRejectedValue(new Error('ENOSPC'));
    await expect(world.client.start('web')).rejects.toThrow('ENOSPC');
    preparing.mockRestore();
    await start('web');
  });

  it('is not given up because the launcher of an earlier one ended', async () => {
    const first = await world.run({ name: 'web' });
    await end(first.id);
    const { launch } = await world.client.start('web');
    const waiting = world.client.wait(first.id, 'started', { launcherEnded: true, ticket: first.launch.ticket });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(world.stack.endpoints.get(first.id)?.spec.ticket).toBe(launch?.ticket);
    world.stack.attach(first.id);
    expect(await waiting).toMatchObject({ status: 'running' });
  });

  it('does not take late news of an earlier run for its own', async () => {
    const { id } = await world.run({ name: 'web' });
    await end(id, 1);
    await world.client.start('web');
    world.stack.emit({ kind: 'detached', endpoint: id });
    world.stack.emit({ kind: 'exited', endpoint: id, exitCode: 1 });
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(world.stack.endpoints.has(id)).toBe(true);
    world.stack.attach(id);
    expect(await world.client.wait(id, 'started')).toMatchObject({ status: 'running' });
  });

  it('--rm: removes it at the end of its command, however often its start failed', async () => {
    const { id } = await make('web', { autoRemove: true });
    const { launch } = await world.client.start('web');
    await world.client.wait(id, 'ended', { launcherEnded: true, ticket: launch?.ticket ?? '' });
    await start('web');
    await end(id, 4).catch(() => {});
    expect(await world.client.list(true)).toEqual([]);
    await until(() => !existsSync(fileOf(id)));
  });
});

describe('two at once', () => {
  it('two starts: one brings it up, the other finds it running', async () => {
    const { id } = await make('web');
    const other = new Client(world.paths.controlSocket);
    const first = await world.client.start('web');
    const second = other.start('web');
    await comeUp(first);
    expect(await second).toMatchObject({ id, launch: null });
    expect(world.stack.endpoints.size).toBe(1);
    other.close();
  });

  it('two starts: when the first fails, the second does it', async () => {
    const { id } = await make('web');
    const other = new Client(world.paths.controlSocket);
    const { launch } = await world.client.start('web');
    const second = other.start('web');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await world.client.wait(id, 'ended', { launcherEnded: true, ticket: launch?.ticket ?? '' });
    const granted = await second;
    expect(granted.launch?.ticket).not.toBe(launch?.ticket);
    world.stack.attach(id);
    expect(await world.client.wait(id, 'started')).toMatchObject({ status: 'running' });
    other.close();
  });

  it('a start while it is being stopped waits for its end', async () => {
    const { id } = await world.run({ name: 'web' });
    world.stack.obedient = false;
    const stopping = world.client.stop('web', 5);
    await until(() => world.stack.signals.length > 0);
    const starting = new Client(world.paths.controlSocket);
    const again = starting.start('web');
    await new Promise((resolve) => setTimeout(resolve, 30));
    world.stack.obedient = true;
    world.stack.exit(id, 0, 15);
    await stopping;
    await comeUp(await again);
    expect(await world.client.inspect('web')).toMatchObject({ status: 'running' });
    expect(world.stack.signals).toHaveLength(1);
    starting.close();
  });

  it('a stop gives a start up that still waits for its launcher', async () => {
    const { id } = await world.run({ name: 'web' });
    await end(id, 2);
    await world.client.start('web');
    await world.client.stop('web', 1);
    expect(world.stack.aborted).toMatchObject([{ id, message: 'it was stopped before it started' }]);
    expect(await world.client.inspect('web')).toMatchObject({ status: 'exited', exitCode: 2 });
  });

  it('rm of one that waits for its launcher takes it away', async () => {
    const { id } = await make('web');
    await world.client.start('web');
    await world.client.remove('web');
    expect(await world.client.list(true)).toEqual([]);
    expect(world.stack.endpoints.size).toBe(0);
    expect(existsSync(fileOf(id))).toBe(false);
  });

  it('rm of one that is just starting waits, and refuses without force', async () => {
    world.stack.obedient = false;
    const { id } = await make('web');
    await world.client.start('web');
    world.stack.attach(id);
    await until(() => world.stack.endpoints.get(id)?.released === true);
    const removing = world.client.remove('web');
    const refusal = expect(removing).rejects.toEqual(refused('CONFLICT', /container is running: stop the container/));
    await new Promise((resolve) => setTimeout(resolve, 20));
    world.stack.emit({ kind: 'started', endpoint: id, pid: process.pid });
    await refusal;
    expect(await world.client.inspect('web')).toMatchObject({ status: 'running' });
  });

  it('a start while it is being removed is refused', async () => {
    const { id } = await make('web');
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { state } = world.daemon.house;
    const remove = state.remove.bind(state);
    vi.spyOn(state, 'remove').mockImplementation(async (which) => {
      await held;
      await remove(which);
    });
    const removing = world.client.remove('web');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const other = new Client(world.paths.controlSocket);
    await expect(other.start('web')).rejects.toEqual(
      refused('CONFLICT', 'container is marked for removal and cannot be started'),
    );
    release();
    await removing;
    await expect(other.start('web')).rejects.toEqual(refused('NOT_FOUND', 'No such container: web'));
    expect(existsSync(fileOf(id))).toBe(false);
    other.close();
  });

  it('who waits for the end hears of it, although somebody starts it again at once', async () => {
    const { id } = await world.run({ name: 'web' });
    const others = [new Client(world.paths.controlSocket), new Client(world.paths.controlSocket)] as const;
    world.stack.obedient = false;
    const stopping = others[0].stop('web', 5);
    await until(() => world.stack.signals.length > 0);
    const again = others[1].start('web');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const waiting = world.client.wait('web', 'ended');
    await new Promise((resolve) => setTimeout(resolve, 20));
    world.stack.exit(id, 9);
    expect(await waiting).toEqual({ status: 'exited', exitCode: 9 });
    await stopping;
    expect((await again).launch).not.toBeNull();
    for (const client of others) client.close();
  });
});

describe('restart', () => {
  it('keeps a --rm container over its end, once', async () => {
    const { id } = await world.run({ name: 'web', autoRemove: true });
    await world.client.stop('web', 1, { keep: true });
    expect(await world.client.inspect('web')).toMatchObject({ id, status: 'exited' });
    await start('web');
    await world.client.stop('web', 1);
    expect(await world.client.list(true)).toEqual([]);
  });
});

describe('rename', () => {
  it('gives another name in any state; hostname and id stay, and the old name is free', async () => {
    const { id } = await world.run({ name: 'web' });
    await world.client.rename('web', 'shop');
    expect(await world.client.inspect('shop')).toMatchObject({ id, name: 'shop', hostname: id.slice(0, 12) });
    await expect(world.client.inspect('web')).rejects.toEqual(refused('NOT_FOUND', 'No such container: web'));
    await make('web');
    await end(id);
    await world.client.rename(id.slice(0, 8), '/kiosk');
    expect(recordOf(id)).toMatchObject({ name: 'kiosk' });
    await world.crash();
    await world.start();
    expect((await world.client.list(true)).map(({ name }) => name).sort()).toEqual(['kiosk', 'web']);
  });

  it('refuses a name that is taken, bad, empty or its own', async () => {
    const { id } = await make('db');
    await make('web');
    await expect(world.client.rename('web', 'db')).rejects.toEqual(
      refused(
        'CONFLICT',
        `Conflict. The container name "/db" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
      ),
    );
    await expect(world.client.rename('web', 'x y')).rejects.toEqual(
      refused('INVALID', 'Invalid container name (x y), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed'),
    );
    await expect(world.client.rename('web', '')).rejects.toEqual(
      refused('INVALID', 'Neither old nor new names may be empty'),
    );
    await expect(world.client.rename('web', 'web')).rejects.toEqual(
      refused('INVALID', 'Renaming a container with the same name as its current name'),
    );
    await expect(world.client.rename('nonesuch', 'x1')).rejects.toEqual(
      refused('NOT_FOUND', 'No such container: nonesuch'),
    );
    expect((await world.client.list(true)).map(({ name }) => name).sort()).toEqual(['db', 'web']);
  });

  it('leaves no name behind when the container is removed meanwhile', async () => {
    const { registry } = world.daemon.house;
    for (let round = 0; round < 20; round++) {
      const { id } = await make(`old${round}`);
      await Promise.allSettled([world.client.rename(id, `new${round}`), world.client.remove(id, true)]);
      expect([registry.hasName(`old${round}`), registry.hasName(`new${round}`)]).toEqual([false, false]);
    }
  });

  it('two at once to one name: one gets it', async () => {
    await make('a1');
    await make('b1');
    const results = await Promise.allSettled([world.client.rename('a1', 'cc'), world.client.rename('b1', 'cc')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await world.client.list(true)).filter(({ name }) => name === 'cc')).toHaveLength(1);
  });

  it('that cannot be written is none', async () => {
    await make('web');
    const saving = vi.spyOn(world.daemon.house.state, 'save').mockRejectedValue(new Error('ENOSPC'));
    await expect(world.client.rename('web', 'shop')).rejects.toEqual(
      refused('UNAVAILABLE', /cannot write the state of a container: ENOSPC/),
    );
    saving.mockRestore();
    await world.client.inspect('web');
    await make('shop');
  });
});

describe('links', () => {
  it('S16: a run whose child does not run leaves it created, and says so', async () => {
    await make('db');
    const conflict = refused('CONFLICT', 'Cannot link to a non running container: /db AS /web/db');
    await expect(world.client.create(createRequest({ name: 'web', ...linkTo('db') }))).rejects.toEqual(conflict);
    expect(await world.client.inspect('web')).toMatchObject({ status: 'created', address: null });
    await expect(world.client.start('web')).rejects.toEqual(conflict);
    await world.crash();
    await world.start();
    expect(await world.client.inspect('web')).toMatchObject({ status: 'created' });
    await start('db');
    await start('web');
  });

  it('S11: with --rm such a run leaves nothing', async () => {
    const { id } = await make('db');
    const run = world.client.create(createRequest({ name: 'web', autoRemove: true, ...linkTo('db') }));
    await expect(run).rejects.toEqual(refused('CONFLICT', /^Cannot link to a non running container/));
    expect((await world.client.list(true)).map(({ name }) => name)).toEqual(['db']);
    await until(() => directories().join() === id);
  });

  it('vector 84: a name made anew is somebody else', async () => {
    const old = await world.run({ name: 'db' });
    await make('web', linkTo('db'));
    await world.client.remove(old.id, true);
    await world.run({ name: 'db' });
    await expect(world.client.start('web')).rejects.toEqual(
      refused('CONFLICT', 'Cannot link to a non running container: /db AS /web/db'),
    );
  });

  it('whoever asked for a run may go while it waits for a port of its child', async () => {
    await world.run({ name: 'db' });
    const impatient = new Client(world.paths.controlSocket);
    const run = impatient.create(createRequest({ name: 'web', ...linkTo('db'), linkWaitSeconds: 60 }));
    const refusal = expect(run).rejects.toThrow();
    await until(async () => (await world.client.list(true)).some(({ name }) => name === 'web'));
    impatient.close();
    await refusal;
    await until(async () => (await world.client.list(true)).every(({ name }) => name !== 'web'));
  });

  it('a stop ends the wait for a port of the child', async () => {
    await world.run({ name: 'db' });
    await make('web', { ...linkTo('db'), linkWaitSeconds: 60 });
    const other = new Client(world.paths.controlSocket);
    const refusal = expect(other.start('web')).rejects.toEqual(refused('CONFLICT', /was stopped before it started/));
    await until(async () => (await world.client.inspect('web')).address !== null);
    await world.client.stop('web', 1);
    await refusal;
    expect(await world.client.inspect('web')).toMatchObject({ status: 'created', address: null });
    other.close();
  });

  it('S17, S18: hosts and names follow starts, ends, addresses, renames and removals', async () => {
    const db = await world.run({ name: 'db' });
    const web = await world.run({ name: 'web', ...linkTo('db', 'store') });
    const line = (address: string, name = 'db') => `${address}\tstore ${db.id.slice(0, 12)} ${name}\n`;
    expect(hostsOf(web.id)).toContain(line(db.launch.interface.address));
    await end(db.id);
    expect(hostsOf(web.id)).not.toContain('store');
    await world.run({ name: 'thief' });
    const again = await start('db');
    expect(again.interface.address).not.toBe(db.launch.interface.address);
    expect(hostsOf(web.id)).toContain(line(again.interface.address));
    await world.client.rename('db', 'data');
    expect(hostsOf(web.id)).toContain(line(again.interface.address, 'data'));
    await world.client.rename('web', 'shop');
    expect((await world.client.inspect('data')).names).toEqual(['data', 'shop/store']);
    expect((await world.client.inspect('shop/store')).id).toBe(db.id);
    await world.client.remove('data', true);
    expect(hostsOf(web.id)).not.toContain('store');
    await world.client.remove('shop', true);
  });
});

describe('a new daemon', () => {
  it('lists created containers again, with their names and links, and starts them', async () => {
    await make('db');
    const { id } = await make('web', linkTo('db', 'store'));
    await world.crash();
    await world.start();
    expect((await world.client.inspect('db')).names).toEqual(['db', 'web/store']);
    await start('db');
    await start('web');
    expect(hostsOf(id)).toContain('\tstore ');
  });

  it('finds what was starting as it was before', async () => {
    const ended = await world.run({ name: 'ended' });
    await end(ended.id, 6);
    await make('made');
    await world.client.start('ended');
    await world.client.start('made');
    await world.client.create(createRequest({ name: 'fresh' }));
    await world.crash();
    await world.start();
    await until(async () => (await world.client.list(true)).length === 2);
    expect(await world.client.inspect('ended')).toMatchObject({ status: 'exited', exitCode: 6, address: null });
    expect(await world.client.inspect('made')).toMatchObject({ status: 'created', address: null });
    expect(recordOf(ended.id)).toMatchObject({ phase: 'exited', before: null });
    await start('ended');
    await start('made');
  });

  it('finds one as it was whose launcher died between "go" and the start', async () => {
    const supervisor = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const { id } = await world.run({ name: 'web' });
    await end(id, 6);
    world.stack.obedient = false;
    await world.client.start('web');
    world.stack.attach(id, { pid: supervisor.pid ?? 0 });
    await until(() => world.stack.endpoints.get(id)?.released === true);
    await world.crash();
    supervisor.kill('SIGKILL');
    await world.start();
    await until(async () => (await world.client.inspect('web')).status === 'exited');
    expect(await world.client.inspect('web')).toMatchObject({ exitCode: 6 });
  });

  it('clears away what a run that was just being made left', async () => {
    const { state } = world.daemon.house;
    vi.spyOn(state, 'prepare').mockReturnValue(new Promise(() => {}));
    const other = new Client(world.paths.controlSocket);
    void other.create(createRequest({ name: 'web' })).catch(() => {});
    await until(() => directories().length === 1);
    await world.crash();
    other.close();
    await world.start();
    await until(() => directories().length === 0);
    await make('web');
  });

  it('reads the records of the build before links', async () => {
    const { id } = await world.run({ name: 'web' });
    await end(id, 3);
    const { before: _, links: __, dnsDefaults: ___, ...record } = recordOf(id);
    const known = Object.keys(createRequest());
    record.request = Object.fromEntries(Object.entries(record.request).filter(([key]) => known.includes(key)));
    await world.crash();
    writeFileSync(fileOf(id, 'container.json'), JSON.stringify(record));
    await world.start();
    expect(await world.client.inspect('web')).toMatchObject({ status: 'exited', exitCode: 3, names: ['web'] });
    await start('web');
    expect(recordOf(id)).toMatchObject({ links: [], request: { links: [], exposeSeen: true, linkEnv: 'modern' } });
  });
});

describe('S2 to S4: whom a word means', () => {
  it('a full id first, then a name, then the start of an id that is the only one', async () => {
    const a = await make('aa');
    const b = await make('bb');
    await world.client.rename('aa', a.id.slice(0, 12));
    expect((await world.client.inspect(a.id.slice(0, 12))).id).toBe(a.id);
    await world.client.rename('bb', a.id.slice(0, 6));
    expect((await world.client.inspect(a.id.slice(0, 6))).id).toBe(b.id);
    expect((await world.client.inspect(a.id)).id).toBe(a.id);
  });
});

describe('idleness', () => {
  it('is not disturbed by containers that are made, ended, or failed to start', async () => {
    await world.stop();
    world = await new DaemonUnderTest({ UNET_IDLE_SECONDS: '1' }).start();
    const { id } = await world.run({ name: 'ended' });
    await end(id);
    await make('made');
    const { launch } = await world.client.start('made');
    await world.client.wait('made', 'ended', { launcherEnded: true, ticket: launch?.ticket ?? '' });
    const before = performance.now();
    await world.daemon.ended;
    expect(performance.now() - before).toBeLessThan(5000);
  });

  it('waits for one that is being started', async () => {
    await world.stop();
    world = await new DaemonUnderTest({ UNET_IDLE_SECONDS: '1' }).start();
    await make('web');
    await world.client.start('web');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    world.stack.attach((await world.client.inspect('web')).id);
    expect(await world.client.wait('web', 'started')).toMatchObject({ status: 'running' });
  });
});
