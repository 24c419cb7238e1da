import { afterEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { until } from '../harness/world.js';

/** Prints its environment and address, and then waits. */
const SELF = 'echo "address $(hostname -i)"; echo "who=$WHO host=$HOSTNAME pwd=$PWD"; exec sleep 1000';

describeInWorld('containers that live more than once', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  const inspect = async (name: string, column: string) => {
    const row = (await stage.unet.ok(['ps', '-a', '--no-trunc'])).split('\n').find((line) => line.includes(name));
    return row?.includes(column) ?? false;
  };
  const addressOf = async (name: string) => {
    const log = await stage.unet.logged(name, /address \S+/);
    return /address (\S+)/.exec(log.slice(log.lastIndexOf('address')))?.[1];
  };

  it('S4, S16: create prints an id and runs nothing; start runs it with the environment of whoever starts it', async () => {
    const made = (
      await stage.unet.ok(['create', '--name', 'web', '-w', '/usr', '-e', 'WHO=given', '--', 'sh', '-c', SELF])
    ).trim();
    expect(made).toMatch(/^[0-9a-f]{64}$/);
    expect(await stage.unet.ok(['ps', '-q'])).toBe('');
    expect(await inspect('web', 'Created')).toBe(true);
    expect((await stage.unet.run(['logs', 'web'])).stdout).toBe('');

    expect(await stage.unet.ok(['start', 'web'])).toBe('web\n');
    const log = await stage.unet.logged('web', /who=/);
    expect(log).toContain(`who=given host=${made.slice(0, 12)} pwd=/usr`);
    expect(await stage.unet.run(['start', 'web'])).toMatchObject({ code: 0, stdout: 'web\n', stderr: '' });
  });

  it('start after a stop: another address where somebody else took it, the log goes on', async () => {
    await stage.unet.detached(['--name', 'web', '-p', '8080:80'], ['sh', '-c', SELF]);
    const first = await addressOf('web');
    await stage.unet.ok(['stop', '-t', '1', 'web']);
    await stage.unet.detached(['--name', 'thief'], ['sh', '-c', SELF]);
    expect(await addressOf('thief')).toBe(first);

    expect(await stage.unet.ok(['start', 'web'])).toBe('web\n');
    await until('the log has both', async () => (await stage.unet.logs('web')).match(/address/g)?.length === 2);
    expect(await addressOf('web')).not.toBe(first);
    expect(await stage.unet.ok(['ps'])).toMatch(/0\.0\.0\.0:8080->80\/tcp.* web/);
  });

  it('restart: another run of the same container, of a --rm one, too', async () => {
    const id = await stage.unet.detached(['--name', 'web', '--rm'], ['sh', '-c', SELF]);
    await stage.unet.logged('web', /address/);
    expect(await stage.unet.ok(['restart', '-t', '1', 'web'])).toBe('web\n');
    await until('the log has both', async () => (await stage.unet.logs('web')).match(/address/g)?.length === 2);
    expect(await stage.unet.ok(['ps', '-q', '--no-trunc'])).toBe(`${id}\n`);
    await stage.unet.ok(['stop', '-t', '1', 'web']);
    expect(await stage.unet.ok(['ps', '-a', '-q'])).toBe('');
    expect(await stage.unet.run(['restart', 'web'])).toMatchObject({
      code: 1,
      stderr: 'unet: No such container: web\n',
    });
  });

  it('start -a: output, standard input and exit status pass', async () => {
    await stage.unet.ok(['create', '--name', 'job', '--', 'sh', '-c', 'read line; echo "got $line"; exit 7']);
    const options = { input: 'hello\n' };
    expect(await stage.unet.run(['start', '-a', 'job'], options)).toMatchObject({ code: 7, stdout: 'got hello\n' });
    expect(await inspect('job', 'Exited (7)')).toBe(true);
    expect(await stage.unet.run(['start', '-ai', 'job'], options)).toMatchObject({ code: 7, stdout: 'got hello\n' });
  });

  it('start -a: a signal to the command line reaches the command', async () => {
    await stage.unet.ok([
      'create',
      '--name',
      'job',
      '--',
      'sh',
      '-c',
      'trap "echo bye; exit 9" TERM; echo up; while :; do sleep 0.1; done',
    ]);
    const running = stage.unet.start(['start', '-a', 'job']);
    await running.output(/up/);
    await running.signal('SIGTERM');
    expect(await running.result()).toMatchObject({ code: 9, stdout: 'up\nbye\n' });
    expect(await inspect('job', 'Exited (9)')).toBe(true);
  });

  it('start -a of several, or of one that runs, is refused', async () => {
    await stage.unet.detached(['--name', 'web'], ['sleep', '1000']);
    await stage.unet.ok(['create', '--name', 'job', '--', 'true']);
    expect(await stage.unet.run(['start', '-a', 'web', 'job'])).toMatchObject({
      code: 125,
      stderr: 'unet: you cannot start and attach multiple containers at once\n',
    });
    expect(await stage.unet.run(['start', '-a', 'web'])).toMatchObject({
      code: 1,
      stderr: 'unet: container "web" runs already; \'unet logs -f web\' shows what it prints\n',
    });
  });

  it('a start that fails says why and leaves the container as it was', async () => {
    await stage.unet.ok(['create', '--name', 'typo', '--', 'nonesuch-command']);
    const failed = await stage.unet.run(['start', 'typo']);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toMatch(/^unet: .*nonesuch-command.*\n$/);
    expect(await inspect('typo', 'Created')).toBe(true);
    expect(await stage.unet.run(['start', '-a', 'typo'])).toMatchObject({ code: 127 });
    expect(await stage.unet.run(['start', 'typo', 'nobody'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/unet: No such container: nobody\n$/),
    });
  });

  it('S3, S10, S29: rename frees the old name, keeps the hostname, and refuses a taken one', async () => {
    const id = await stage.unet.detached(['--name', 'web'], ['sh', '-c', SELF]);
    await stage.unet.logged('web', /address/);
    expect(await stage.unet.ok(['rename', 'web', 'shop'])).toBe('');
    await stage.unet.detached(['--name', 'web'], ['sleep', '1000']);
    expect(await stage.unet.run(['rename', 'shop', 'web'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^unet: Conflict\. The container name "\/web" is already in use by container "/),
    });
    await stage.unet.ok(['restart', '-t', '1', 'shop']);
    await until('both runs are in the log', async () => (await stage.unet.logs('shop')).match(/host=/g)?.length === 2);
    expect((await stage.unet.logs('shop')).match(/host=\S+/g)).toEqual(Array(2).fill(`host=${id.slice(0, 12)}`));
  });

  it('S15, S16: a run that links to one that does not run is left created; both come up in order', async () => {
    await stage.unet.ok(['create', '--name', 'db', '--expose', '5432', '--', 'sleep', '1000']);
    expect(
      await stage.unet.run(['run', '-d', '--name', 'web', '--link', 'db', '--', 'sh', '-c', 'env; sleep 1000']),
    ).toMatchObject({
      code: 125,
      stdout: '',
      stderr: 'unet: Cannot link to a non running container: /db AS /web/db\n',
    });
    expect(await inspect('web', 'Created')).toBe(true);
    expect(await stage.unet.ok(['start', 'db', 'web'])).toBe('db\nweb\n');
    expect(await stage.unet.logged('web', /DB_PORT_5432_TCP_PORT=/)).toMatch(/DB_NAME=\/web\/db/);
    expect(await stage.unet.ok(['rm', '-f', 'web'])).toBe('web\n');
  });

  it('the daemon may go in between: created and ended ones can be started, running ones renamed', async () => {
    await stage.unet.ok(['create', '--name', 'made', '--', 'sh', '-c', SELF]);
    await stage.unet.detached(['--name', 'ended'], ['true']);
    await stage.unet.detached(['--name', 'web'], ['sh', '-c', SELF]);
    await until('it has ended', () => inspect('ended', 'Exited (0)'));
    await stage.unet.ok(['daemon', 'restart']);
    expect(await stage.unet.ok(['start', 'made', 'ended'])).toBe('made\nended\n');
    await stage.unet.logged('made', /address/);
    await stage.unet.ok(['rename', 'web', 'shop']);
    await stage.unet.ok(['restart', '-t', '1', 'shop']);
    expect(await stage.unet.ok(['ps'])).toMatch(/ shop\n/);
  });
});
