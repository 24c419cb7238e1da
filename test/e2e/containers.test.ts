import { afterEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { patient } from '../harness/patience.js';
import { until } from '../harness/world.js';

describeInWorld('containers in the background', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  it('start, are listed, print to a log, stop and go', async () => {
    const script = 'trap "echo bye; exit 3" TERM; echo out; echo err >&2; while :; do sleep 0.1; done';
    const id = await stage.unet.detached(['--name', 'web', '-p', '8080:80'], ['sh', '-c', script]);
    expect(id).toMatch(/^[0-9a-f]{64}$/);

    const [header, row] = (await stage.unet.ok(['ps'])).split('\n');
    expect(header).toMatch(/^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$/);
    expect(row).toMatch(new RegExp(`^${id.slice(0, 12)} .* Up .* 0\\.0\\.0\\.0:8080->80/tcp.* web$`));

    await stage.unet.logged('web', /out[\s\S]*err|err[\s\S]*out/);
    const { stdout, stderr } = await stage.unet.run(['logs', 'web']);
    expect({ stdout, stderr }).toEqual({ stdout: 'out\n', stderr: 'err\n' });

    expect(await stage.unet.ok(['stop', 'web'])).toBe('web\n');
    expect(await stage.unet.ok(['ps', '-q'])).toBe('');
    expect(await stage.unet.ok(['ps', '-a'])).toMatch(/Exited \(3\)/);
    expect((await stage.unet.run(['logs', 'web'])).stdout).toBe('out\nbye\n');
    expect(await stage.unet.ok(['rm', 'web'])).toBe('web\n');
    expect(await stage.unet.ok(['ps', '-a', '-q'])).toBe('');
  });

  it('follow a log to the end', async () => {
    await stage.unet.detached(['--name', 'counter'], ['sh', '-c', 'for i in 1 2 3; do echo $i; sleep 0.3; done']);
    const followed = await stage.unet.run(['logs', '-f', 'counter']);
    expect(followed).toMatchObject({ code: 0, stdout: '1\n2\n3\n' });
    expect((await stage.unet.run(['logs', '-n', '1', 'counter'])).stdout).toBe('3\n');
  });

  it('keep large and binary output whole', async () => {
    const script = 'head -c 300000 /dev/zero | tr "\\0" x; echo; printf "\\377\\001\\n"; echo end';
    await stage.unet.detached(['--name', 'noisy'], ['sh', '-c', script]);
    await stage.unet.logged('noisy', /end/);
    const { stdout } = await stage.world.run('host', [
      'sh',
      '-c',
      `${stage.unet.argv('logs', 'noisy').join(' ')} | sha256sum`,
    ]);
    const expected = await stage.world.run('host', ['sh', '-c', `(${script}) | sha256sum`]);
    expect(stdout).toBe(expected.stdout);
  });

  it('are killed when they do not heed a stop', async () => {
    await stage.unet.detached(
      ['--name', 'deaf'],
      ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done'],
    );
    await stage.unet.logged('deaf', /ready/);
    const began = performance.now();
    await stage.unet.ok(['stop', '-t', '1', 'deaf']);
    expect(performance.now() - began).toBeLessThan(patient(5000));
    expect(await stage.unet.ok(['ps', '-a'])).toMatch(/Exited \(137\)/);
  });

  it('are removed by themselves with --rm', async () => {
    await stage.unet.detached(['--rm', '--name', 'brief'], ['sleep', '0.3']);
    await until('the container is gone', async () => (await stage.unet.ok(['ps', '-a', '-q'])) === '');
  });

  it('are found by name, id and the start of an id, and names are used once', async () => {
    const id = await stage.unet.detached(['--name', 'web'], ['sleep', '100']);
    const twice = await stage.unet.run(['run', '-d', '--name', 'web', '--', 'true']);
    expect(twice.code).toBe(125);
    expect(twice.stderr).toContain(`The container name "/web" is already in use by container "${id}"`);
    const running = await stage.unet.run(['rm', 'web']);
    expect(running.code).toBe(1);
    expect(running.stderr).toContain('container is running');
    expect(await stage.unet.ok(['rm', '-f', id.slice(0, 6)])).toBe(`${id.slice(0, 6)}\n`);
    const missing = await stage.unet.run(['stop', 'web']);
    expect(missing).toMatchObject({ code: 1, stdout: '', stderr: 'unet: No such container: web\n' });
    expect((await stage.unet.run(['rm', '-f', 'web'])).code).toBe(0);
  });

  it('report a command that cannot start, and leave nothing', async () => {
    const failed = await stage.unet.run(['run', '-d', '--rm', '--name', 'bad', '--', 'no-such-command']);
    expect(failed.code).toBe(127);
    expect(failed.stderr).toMatch(/^unet: .*no-such-command/);
    expect(await stage.unet.ok(['ps', '-a', '-q'])).toBe('');
  });
});
