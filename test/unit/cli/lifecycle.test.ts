import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../../src/cli/index.js';
import type { LaunchSpec } from '../../../src/model/launch-spec.js';
import { createRequest, DaemonUnderTest } from '../../fixtures/daemon-under-test.js';
import { forgetPrinted, printed } from '../../fixtures/printed.js';
import { until } from '../../fixtures/until.js';

vi.mock('node:fs', async (original) => (await import('../../fixtures/printed.js')).keepingPrinted(await original()));

let world: DaemonUnderTest;
let scratch: string;
beforeEach(async () => {
  forgetPrinted();
  scratch = mkdtempSync(join(tmpdir(), 'unet-lifecycle-'));
  world = await new DaemonUnderTest().start();
});
afterEach(async () => {
  rmSync(scratch, { recursive: true });
  await world.stop();
});

/** A launcher that keeps its spec, and ends with `status` when the test says "go" for its container. */
function launcher(status: number, lastWords = ''): string {
  const path = join(scratch, 'launcher');
  const script = [
    '#!/bin/sh',
    'spec=$(cat <&3)',
    'id=$(printf %s "$spec" | grep -o "containerId[^,]*" | grep -oE "[0-9a-f]{64}")',
    `printf %s "$spec" > ${scratch}/$id.part; mv ${scratch}/$id.part ${scratch}/$id.spec`,
    `until [ -e ${scratch}/go-$id ]; do sleep 0.01; done; rm ${scratch}/go-$id`,
    lastWords,
    `exit ${status}`,
  ];
  writeFileSync(path, script.join('\n'));
  chmodSync(path, 0o755);
  return path;
}

let status = 0;
const unet = (...argv: string[]) =>
  main(argv, {
    version: '1.2.3',
    cwd: () => scratch,
    env: { ...world.env, PATH: process.env['PATH'], CALLER: 'here', UNET_LAUNCH: launcher(status) },
  });

async function spec(id: string): Promise<LaunchSpec> {
  const file = join(scratch, `${id}.spec`);
  await until(() => existsSync(file));
  const text = readFileSync(file, 'utf8');
  rmSync(file);
  return JSON.parse(text) as LaunchSpec;
}

/** Plays one start from the launcher's spec to the command's start. */
async function comeUp(id: string): Promise<LaunchSpec> {
  const seen = await spec(id);
  world.stack.attach(id);
  await world.client.wait(id, 'started');
  writeFileSync(join(scratch, `go-${id}`), '');
  return seen;
}

describe('create', () => {
  it('prints the id and starts nothing', async () => {
    expect(await unet('create', '--name', 'web', '-e', 'A=b', '--rm', '--', 'cmd', '-x')).toBe(0);
    const { id, status: state, command, autoRemove } = await world.client.inspect('web');
    expect(printed).toEqual({ out: `${id}\n`, err: '' });
    expect({ state, command, autoRemove }).toEqual({ state: 'created', command: ['cmd', '-x'], autoRemove: true });
    expect(world.stack.endpoints.size).toBe(0);
  });

  it.each([
    [['--name', 'x y']],
    [['--link', '']],
    [['--dns', 'nope']],
    [['--expose', '0']],
    [['--add-host', 'bad']],
    [['-p', '0.0.0.0:1:']],
  ])('Decision 11: %j is a usage error', async (wrong) => {
    expect(await unet('create', ...wrong, '--', 'true')).toBe(125);
  });

  it('without a command is a usage error; a taken name is a failure', async () => {
    expect(await unet('create', '--name', 'web')).toBe(125);
    expect(printed.err).toBe('unet: no command given: unet create [OPTIONS] -- COMMAND [ARG...]\n');
    await unet('create', '--name', 'web', '--', 'true');
    forgetPrinted();
    expect(await unet('create', '--name', 'web', '--', 'true')).toBe(1);
    expect(printed.err).toMatch(/^unet: Conflict\. The container name "\/web" is already in use/);
  });
});

describe('start', () => {
  it('brings up one after the other, with our environment below what they were made with', async () => {
    status = 0;
    const a = await world.client.make(createRequest({ name: 'a1', env: { A: 'stored', CALLER: 'stored' }, cwd: '/' }));
    const b = await world.client.make(createRequest({ name: 'b1', cleanEnv: true, env: { B: 'b' } }));
    const starting = unet('start', 'a1', 'nobody', b.id.slice(0, 8));
    const first = await comeUp(a.id);
    expect(existsSync(join(scratch, `${b.id}.spec`))).toBe(false);
    const second = await comeUp(b.id);
    expect(await starting).toBe(1);
    expect(printed).toEqual({ out: `a1\n${b.id.slice(0, 8)}\n`, err: 'unet: No such container: nobody\n' });
    expect(first).toMatchObject({ detach: true, env: { A: 'stored', CALLER: 'stored', PWD: '/' } });
    expect(second.env).toEqual({ PATH: process.env['PATH'], HOSTNAME: b.id.slice(0, 12), PWD: '/', B: 'b' });
  });

  it('of one that runs is content', async () => {
    await world.run({ name: 'web' });
    expect(await unet('start', 'web')).toBe(0);
    expect(printed).toEqual({ out: 'web\n', err: '' });
  });

  it('that its launcher gives up fails, and the name is not printed', async () => {
    status = 127;
    const { id } = await world.client.make(createRequest({ name: 'web' }));
    const starting = unet('start', 'web');
    await spec(id);
    writeFileSync(join(scratch, `go-${id}`), '');
    expect(await starting).toBe(1);
    expect(printed.out).toBe('');
    expect(await world.client.inspect('web')).toMatchObject({ status: 'created' });
  });

  it.each(['-a', '-ai', '--attach', '-i'])('%s: in the foreground, with the status of the command', async (option) => {
    status = 42;
    const { id } = await world.client.make(createRequest({ name: 'web' }));
    const starting = unet('start', option, 'web');
    expect(await comeUp(id)).toMatchObject({ detach: false, stdin: 'inherit', logFile: null });
    await new Promise((resolve) => setTimeout(resolve, 30));
    world.stack.exit(id, 42);
    expect(await starting).toBe(42);
    expect(printed).toEqual({ out: '', err: '' });
  });

  it('-a of several, or of one that runs, is refused', async () => {
    await world.run({ name: 'web' });
    expect(await unet('start', '-a', 'web', 'db')).toBe(125);
    expect(await unet('start', '-a', 'web')).toBe(1);
    expect(printed.err).toBe(
      'unet: you cannot start and attach multiple containers at once\nunet: container "web" runs already; \'unet logs -f web\' shows what it prints\n',
    );
  });
});

describe('restart', () => {
  it('stops, also a --rm container, and starts again', async () => {
    status = 0;
    const { id } = await world.run({ name: 'web', autoRemove: true });
    const restarting = unet('restart', '-t', '3', 'web');
    await comeUp(id);
    expect(await restarting).toBe(0);
    expect(printed).toEqual({ out: 'web\n', err: '' });
    expect(world.stack.signals).toEqual([{ id, signal: 15 }]);
    expect(await world.client.inspect('web')).toMatchObject({ id, status: 'running' });
  });

  it('of one that does not run starts it', async () => {
    status = 0;
    const { id } = await world.client.make(createRequest({ name: 'web' }));
    const restarting = unet('restart', 'web');
    await comeUp(id);
    expect(await restarting).toBe(0);
  });
});

describe('rename', () => {
  it('says nothing, or why not', async () => {
    await world.client.make(createRequest({ name: 'web' }));
    expect(await unet('rename', 'web', 'shop')).toBe(0);
    expect(printed).toEqual({ out: '', err: '' });
    expect(await unet('rename', 'shop', 'x y')).toBe(1);
    expect(printed.err).toBe('unet: Invalid container name (x y), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed\n');
    forgetPrinted();
    expect(await unet('rename', 'shop')).toBe(125);
  });
});
