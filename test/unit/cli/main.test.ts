import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  scratch = mkdtempSync(join(tmpdir(), 'unet-main-'));
  world = await new DaemonUnderTest().start();
});
afterEach(async () => {
  rmSync(scratch, { recursive: true });
  await world.stop();
});

/** A launcher that keeps its spec and ends as told; what it should do with the engine, the test does. */
function launcher(status: number): string {
  const path = join(scratch, 'launcher');
  writeFileSync(
    path,
    `#!/bin/sh\ncat <&3 >${join(scratch, 'spec')}\nwhile [ ! -e ${join(scratch, 'go')} ]; do sleep 0.01; done\nexit ${status}\n`,
  );
  chmodSync(path, 0o755);
  return path;
}

const unet = (...argv: string[]) =>
  main(argv, {
    version: '1.2.3',
    cwd: () => scratch,
    env: { ...world.env, PATH: process.env['PATH'], UNET_LAUNCH: launcher(42) },
  });
const readSpec = () => JSON.parse(readFileSync(join(scratch, 'spec'), 'utf8')) as LaunchSpec;
const letLauncherEnd = () => writeFileSync(join(scratch, 'go'), '');

describe('run', () => {
  it('gives the command line on word by word, and the status back', async () => {
    letLauncherEnd();
    const argv = [
      'run',
      '--name',
      'web',
      '-h',
      'inside',
      '-e',
      'A=b',
      '-it',
      '--',
      'cmd',
      '-p',
      '80',
      '--',
      '--rm',
      '',
    ];
    await expect(unet(...argv.filter((word) => word !== '-it'))).resolves.toBe(42);
    const spec = readSpec();
    expect(spec.argv).toEqual(['cmd', '-p', '80', '--', '--rm', '']);
    expect(spec).toMatchObject({ name: 'web', hostname: 'inside', detach: false, stdin: 'inherit', cwd: scratch });
    expect(spec.env).toMatchObject({ A: 'b', HOSTNAME: 'inside', PATH: process.env['PATH'] });
    expect(printed).toEqual({ out: '', err: '' });
  });

  it('takes everything after the first word that is no option as the command', async () => {
    letLauncherEnd();
    await unet('run', '--rm', 'cmd', '--name', 'x', '-d');
    expect(readSpec()).toMatchObject({ argv: ['cmd', '--name', 'x', '-d'], detach: false });
  });

  it('waits for the daemon to have seen the end', async () => {
    const running = unet('run', '--name', 'web', '--', 'cmd');
    await until(() => world.stack.endpoints.size === 1);
    const [id = ''] = world.stack.endpoints.keys();
    world.stack.attach(id);
    await world.client.wait(id, 'started');
    letLauncherEnd();
    await new Promise((resolve) => setTimeout(resolve, 50));
    world.stack.exit(id, 42);
    expect(await running).toBe(42);
    expect(await world.client.inspect('web')).toMatchObject({ status: 'exited', exitCode: 42 });
  });

  it.each([
    [['run'], /^unet: no command given/],
    [['run', '--nonsense', 'true'], /^unet: unknown option '--nonsense' \(see 'unet run --help'\)\n$/],
    [['run', '--nam', 'x', 'true'], /Did you mean --name\?/],
    [['run', '-p'], /^unet: option '-p, --publish <port>' argument missing/],
    [
      ['run', '-p', '80:http', '--', 'true'],
      /^unet: invalid containerPort: http; give -p \[\[ADDRESS:\]PORT:\]CONTAINER-PORT\[\/udp\], ports 1 to 65535\n$/,
    ],
    [['run', '--name', 'a b', '--', 'true'], /^unet: Invalid container name \(a b\)/],
    [['run', '--net', 'mine', '--', 'true'], /^unet: network mine not found/],
    [['nonsense'], /^unet: unknown command 'nonsense'/],
    [['ps', 'x'], /^unet: too many arguments for 'ps'/],
    [['stop'], /^unet: missing required argument 'container'/],
    [['stop', '-t', 'soon', 'web'], /^unet: invalid --time 'soon': give a whole number from 0 to 3600\n$/],
  ])('%j is a usage error', async (argv, message) => {
    expect(await unet(...argv)).toBe(125);
    expect(printed.err).toMatch(message);
    expect(printed.err.split('\n')).toHaveLength(2);
    expect(printed.out).toBe('');
    expect(world.stack.endpoints.size).toBe(0);
  });

  it('fails with 125 when the daemon refuses', async () => {
    await world.run({ name: 'web' });
    expect(await unet('run', '--name', 'web', '--', 'true')).toBe(125);
    expect(printed.err).toMatch(/^unet: Conflict\. The container name "\/web" is already in use/);
  });
});

describe('the other verbs', () => {
  it('list, newest first', async () => {
    const web = await world.run({ name: 'web' });
    const db = await world.run({ name: 'db' });
    world.stack.exit(db.id, 0);
    await world.client.wait(db.id, 'ended');
    expect(await unet('ps', '-q')).toBe(0);
    expect(printed.out).toBe(`${web.id.slice(0, 12)}\n`);
    printed.out = '';
    await unet('ps', '-aq', '--no-trunc');
    expect(printed.out).toBe(`${db.id}\n${web.id}\n`);
    printed.out = '';
    await unet('ps', '-l');
    expect(printed.out).toMatch(/^CONTAINER ID .*\n.*Exited \(0\).* db\n$/);
    printed.out = '';
    await unet('ps', '-n', '1', '-q');
    expect(printed.out).toBe(`${db.id.slice(0, 12)}\n`);
  });

  it('show logs, each stream to its own, and the time on request', async () => {
    const { id, launch } = await world.run({ name: 'web' });
    const records = [
      { time: '2026-01-01T00:00:00.000000001Z', stream: 'stdout', data: 'one\n' },
      { time: '2026-01-01T00:00:00.000000002Z', stream: 'stderr', data: '/wo=', b64: true },
      { time: '2026-01-01T00:00:00.000000003Z', stream: 'stdout', data: 'three\n' },
    ];
    writeFileSync(launch.logFile ?? '', records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    expect(await unet('logs', id.slice(0, 6))).toBe(0);
    expect(printed).toEqual({ out: 'one\nthree\n', err: '\ufffd\n' });
    printed.out = '';
    await unet('logs', '-t', '-n', '1', 'web');
    expect(printed.out).toBe('2026-01-01T00:00:00.000000003Z three\n');
    printed.out = '';
    const following = unet('logs', '-f', 'web');
    await until(() => printed.out !== '');
    world.stack.exit(id, 0);
    expect(await following).toBe(0);
    expect(printed.out).toBe('one\nthree\n');
  });

  it('go through all names, say what went wrong and fail with 1', async () => {
    await world.run({ name: 'web' });
    await world.run({ name: 'db' });
    expect(await unet('stop', 'web', 'nonesuch', 'db')).toBe(1);
    expect(printed).toEqual({ out: 'web\ndb\n', err: 'unet: No such container: nonesuch\n' });
    printed.err = '';
    expect(await unet('rm', '-f', 'web', 'nonesuch')).toBe(0);
    expect(printed).toEqual({ out: 'web\ndb\nweb\n', err: '' });
  });

  it('fail with 1 for what is no usage error', async () => {
    expect(await unet('logs', 'nonesuch')).toBe(1);
    expect(printed.err).toBe('unet: No such container: nonesuch\n');
  });

  it('tell of the daemon, and end it', async () => {
    await world.run({ name: 'web' });
    await unet('daemon', 'status');
    expect(printed.out).toMatch(/^Version: {4}1\.2\.3\n[\s\S]*Containers: 1 running \(web\), 1 in all\n/);
    expect(await unet('daemon', 'stop')).toBe(1);
    expect(printed.err).toMatch(/^unet: 1 container runs: web/);
    expect(await unet('daemon', 'stop', '--all')).toBe(0);
    printed.out = '';
    await unet('daemon', 'status');
    await unet('daemon', 'status', '--json');
    await unet('daemon', 'stop');
    await unet('version');
    expect(printed.out).toBe(
      'no daemon runs; the next command that needs one starts it\nnull\nno daemon runs\nunet 1.2.3\n',
    );
  });

  it('help', async () => {
    for (const argv of [
      [],
      ['--help'],
      ['help'],
      ['help', 'run'],
      ['run', '--help'],
      ['ps', '-h'],
      ['daemon', 'stop', '--help'],
      ['daemon', 'restart', '--help'],
    ]) {
      printed.out = '';
      expect(await unet(...argv), argv.join(' ')).toBe(0);
      expect(printed.out, argv.join(' ')).toMatch(/^Usage: unet/);
    }
    expect(printed.err).toBe('');
  });
});

describe('a container that was created elsewhere', () => {
  it('is not mistaken for a running one', async () => {
    await world.client.create(createRequest({ name: 'web' }));
    await unet('ps', '-q');
    expect(printed.out).toBe('');
    await unet('ps', '-a');
    expect(printed.out).toMatch(/Created +web\n$/);
  });
});
