import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';

describeInWorld('unet run, as a command line that wraps a command', (stage) => {
  it('exits with the status of the command', async () => {
    expect((await stage.unet.run(['run', '--rm', '--', 'sh', '-c', 'exit 7'])).code).toBe(7);
    expect(await stage.unet.run(['run', '--rm', '--', 'true'])).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('exits with 127 for a command that is not there, in one line', async () => {
    const { code, stderr } = await stage.unet.run(['run', '--rm', '--', 'no-such-command']);
    expect(code).toBe(127);
    expect(stderr).toMatch(/^unet: .*no-such-command.*\n$/);
  });

  it('exits with 126 for a file that cannot be executed', async () => {
    const file = join(stage.world.directory, 'tmp', 'plain.txt');
    writeFileSync(file, 'not a program\n');
    chmodSync(file, 0o644);
    const { code, stderr } = await stage.unet.run(['run', '--rm', '--', file]);
    expect(code).toBe(126);
    expect(stderr).toMatch(/^unet: .*plain\.txt.*\n$/);
  });

  it.each([
    [['run', '--no-such-option', '--', 'true'], /no-such-option/],
    [['run', '-p', '8080:80:80:80:x', '--', 'true'], /invalid/i],
    [['run', '--rm'], /command/],
  ])('exits with 125 for %j and says why', async (args, reason) => {
    const { code, stdout, stderr } = await stage.unet.run(args);
    expect(code).toBe(125);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^unet: /);
    expect(stderr).toMatch(reason);
  });

  it('exits with 128 and the number of the signal that ended the command', async () => {
    expect((await stage.unet.run(['run', '--rm', '--', 'sh', '-c', 'kill -KILL $$'])).code).toBe(137);
    expect((await stage.unet.run(['run', '--rm', '--', 'sh', '-c', 'kill -TERM $$'])).code).toBe(143);
  });

  it('is a link of a pipe: bytes in, bytes out, streams apart', async () => {
    const input = Buffer.alloc(3_000_000, 'unet\n');
    const counted = await stage.unet.run(['run', '--rm', '--', 'wc', '-c'], { input });
    expect(counted.stdout.trim()).toBe('3000000');
    const { stdout, stderr } = await stage.unet.run(['run', '--rm', '--', 'sh', '-c', 'echo out; echo err >&2']);
    expect({ stdout, stderr }).toEqual({ stdout: 'out\n', stderr: 'err\n' });
    const binary = await stage.world.run('host', [
      'sh',
      '-c',
      `head -c 1000000 /dev/urandom > ${stage.world.env['TMPDIR']}/r; ${stage.unet.argv('run', '--rm', '--', 'cat').join(' ')} < ${stage.world.env['TMPDIR']}/r | cmp - ${stage.world.env['TMPDIR']}/r && echo same`,
    ]);
    expect(binary.stdout).toBe('same\n');
  });

  it('ends when the reader of its pipe goes away', async () => {
    const line = `${stage.unet.argv('run', '--rm', '--', 'yes').join(' ')} | head -n 2`;
    expect(await stage.world.run('host', ['sh', '-c', line], { timeoutMs: 10_000 })).toMatchObject({
      code: 0,
      stdout: 'y\ny\n',
    });
  });

  it('runs as the same user in the same directory, with the environment of the caller and its own', async () => {
    const script = 'id -u; pwd; echo "$FROM_CALLER $GIVEN"; hostname; echo "$HOSTNAME"; cat';
    const options = ['--rm', '-e', 'GIVEN=b', '-h', 'box', '--', 'sh', '-c', script];
    const cwd = join(stage.world.directory, 'tmp');
    const { stdout } = await stage.unet.run(['run', ...options], { env: { FROM_CALLER: 'a' }, cwd, input: 'typed' });
    expect(stdout).toBe(`${stage.world.identity.uid}\n${cwd}\na b\nbox\nbox\ntyped`);
  });

  it('works in another directory on demand, and says when it is missing', async () => {
    expect(await stage.unet.shell('pwd', ['-w', '/usr'])).toBe('/usr');
    const missing = await stage.unet.run(['run', '--rm', '-w', '/no/such/place', '--', 'true']);
    expect(missing.code).toBe(125);
    expect(missing.stderr).toMatch(/^unet: .*\/no\/such\/place.*\n$/);
  });

  it('plays root inside for --user root, and stays an ordinary user outside', async () => {
    const file = join(stage.world.directory, 'tmp', 'made-by-root');
    expect(await stage.unet.shell(`id -u; touch ${file}`, ['--user', 'root'])).toBe('0');
    const { stdout } = await stage.world.run('host', ['stat', '-c', '%u', file]);
    expect(stdout.trim()).toBe(String(stage.world.identity.uid));
  });

  it('gives the command no capabilities and no way to new ones', async () => {
    const status = await stage.unet.shell('grep -E "Cap(Eff|Prm|Inh|Amb)|NoNewPrivs" /proc/self/status');
    const fields = Object.fromEntries(status.split('\n').map((line) => line.split(':\t')));
    const none = '0'.repeat(16);
    expect(fields).toEqual({ CapInh: none, CapPrm: none, CapEff: none, CapAmb: none, NoNewPrivs: '1' });
  });

  it('hands a signal to the command and waits for it', async () => {
    const script = 'trap "echo got it; exit 5" TERM; echo ready; while :; do sleep 0.1; done';
    const running = stage.unet.start(['run', '--rm', '--', 'sh', '-c', script]);
    await running.output(/ready/);
    await running.signal('SIGTERM');
    expect(await running.result()).toMatchObject({ code: 5, stdout: 'ready\ngot it\n' });
  });

  it('leaves nothing of a command that is done', async () => {
    await stage.unet.reset();
    expect((await stage.unet.ok(['ps', '-a', '-q'])).trim()).toBe('');
    const left = stage.world.processes().filter(({ command }) => !command.includes('daemon.mjs'));
    expect(left).toEqual([]);
  });
});
