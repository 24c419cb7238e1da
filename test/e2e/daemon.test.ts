import { afterEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS } from '../harness/layout.js';
import { PATIENCE, patient, share } from '../harness/patience.js';
import { until } from '../harness/world.js';

describeInWorld('the daemon', (stage) => {
  const processesOf = (pattern: RegExp) => stage.world.processes().filter(({ command }) => pattern.test(command));
  const daemons = () => processesOf(/daemon\.mjs/);
  const launchers = () => processesOf(/unet-launch/);
  const killHard = (pids: readonly number[]) => stage.world.run('host', ['kill', '-9', ...pids.map(String)]);
  const everythingGone = () =>
    until('every process but the daemon is gone', () => processesOf(/./).length === daemons().length);

  afterEach(async () => {
    await stage.unet.reset();
    await stage.unet.run(['daemon', 'stop', '--all']);
    await until('the daemon has ended', () => daemons().length === 0);
  });

  it('is started once, however many ask at the same time', async () => {
    const results = await Promise.all(
      Array.from({ length: 4 }, () => stage.unet.run(['run', '--rm', '--', 'echo', 'hi'])),
    );
    expect(results.map(({ code, stdout, stderr }) => ({ code, stdout, stderr }))).toEqual(
      Array(4).fill({ code: 0, stdout: 'hi\n', stderr: '' }),
    );
    // The others found the lock taken; they leave without a word.
    await until('one daemon is left', () => daemons().length === 1);
  });

  it('ends by itself when it has nothing to do, not before, and leaves no socket', async () => {
    const env = { UNET_IDLE_SECONDS: String(PATIENCE) };
    await stage.unet.ok(['run', '-d', '--name', 'busy', '--', 'sleep', String(2.5 * PATIENCE)], { env });
    await new Promise((done) => setTimeout(done, patient(1800)));
    expect(daemons()).toHaveLength(1);
    await until('it has ended', () => daemons().length === 0);
    const { stdout } = await stage.world.run('host', ['sh', '-c', 'ls "$XDG_RUNTIME_DIR"/unet | grep sock || true']);
    expect(stdout).toBe('');
    expect(await stage.unet.ok(['ps', '-a'])).toMatch(/Exited \(0\).*busy/);
  });

  it('refuses to stop while containers run, and names them', async () => {
    await stage.unet.detached(['--name', 'web'], ['sleep', '100']);
    const refused = await stage.unet.run(['daemon', 'stop']);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/^unet: .*web.*\n$/);
    await stage.unet.ok(['daemon', 'stop', '--all']);
    await until('all of it has ended', () => processesOf(/./).length === 0);
  });

  it('clears up when the CLI is killed', async () => {
    const running = stage.unet.start([
      'run',
      '--rm',
      '--name',
      'web',
      '-p',
      '8080:80',
      '--',
      'sh',
      '-c',
      'echo up; sleep 100',
    ]);
    await running.output(/up/);
    await running.signal('SIGKILL');
    await everythingGone();
    await stage.unet.ok(['run', '--rm', '--name', 'web', '-p', '8080:80', '--', 'true']);
  });

  it('clears up when the launcher is killed', async () => {
    await stage.unet.detached(['--name', 'web', '-p', '8080:80'], ['sleep', '100']);
    await killHard(launchers().map(({ pid }) => pid));
    await everythingGone();
    expect(await stage.unet.ok(['ps', '-a'])).toMatch(/Exited \(\d+\).*web/);
    await stage.unet.ok(['rm', 'web']);
    await stage.unet.ok(['run', '--rm', '--name', 'web', '-p', '8080:80', '--', 'true']);
  });

  it('clears up when the command is killed', async () => {
    const running = stage.unet.start(['run', '--rm', '-p', '8080:80', '--', 'sleep', '1234']);
    await until('it runs', () => processesOf(/^sleep 1234$/).length === 1);
    await killHard(processesOf(/^sleep 1234$/).map(({ pid }) => pid));
    expect((await running.result()).code).toBe(137);
    await everythingGone();
    await stage.unet.ok(['run', '--rm', '-p', '8080:80', '--', 'true']);
  });

  it('is replaced when it is killed: containers go on, and reach the outside again', async () => {
    const server = stage.world.start('server', ['node', stage.world.fixture('tcp-peer.mjs'), 'who', '7000']);
    await server.output(/ready/);
    const ask = `node ${stage.world.fixture('tcp-client.mjs')} read ${ADDRESS.server} 7000 && echo reached`;
    await stage.unet.detached(
      ['--name', 'web', '-p', '8080:7000'],
      ['sh', '-c', `while :; do ${ask}; sleep 0.3; done`],
    );
    await stage.unet.logged('web', /reached/);
    await killHard(daemons().map(({ pid }) => pid));
    expect(launchers().length).toBeGreaterThan(0);
    // The next command brings a new daemon, which finds the container again.
    expect(await stage.unet.ok(['ps'])).toMatch(/Up .*8080->7000\/tcp.*web/);
    const before = (await stage.unet.logs('web')).split('reached').length;
    await until(
      'it reaches the outside again',
      async () => (await stage.unet.logs('web')).split('reached').length > before + 1,
      15_000,
    );
    expect(daemons()).toHaveLength(1);
    server.kill('SIGKILL');
  });

  it('is replaced on demand, also when it hangs, and containers go on', async () => {
    await stage.unet.detached(['--name', 'web', '-p', '8080:7000'], ['sleep', '100']);
    const [first] = daemons();
    expect(await stage.unet.ok(['daemon', 'restart'])).toMatch(/^the daemon runs anew as process \d+\n$/);
    const [second, ...more] = daemons();
    expect(more).toEqual([]);
    expect(second?.pid).not.toBe(first?.pid);
    await until('it is back', async () => /Up .*8080->7000\/tcp.*web/.test(await stage.unet.ok(['ps'])));
    await stage.world.run('host', ['kill', '-STOP', String(second?.pid)]);
    const { code, stderr } = await stage.unet.run(['ps']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^unet: process \d+ holds .* but does not answer at .*; end it with 'kill \d+'[^\n]*\n$/);
    await stage.unet.ok(['daemon', 'restart']);
    expect(daemons().map(({ pid }) => pid)).not.toContain(second?.pid);
    await until('it is back', async () => /Up .*8080->7000\/tcp.*web/.test(await stage.unet.ok(['ps'])));
  });

  it('is found again when its socket was removed, and refuses to share its records', async () => {
    await stage.unet.detached(['--name', 'web'], ['sleep', '100']);
    const [daemon] = daemons();
    await stage.world.run('host', ['sh', '-c', 'rm "$XDG_RUNTIME_DIR"/unet/unet.sock']);
    expect(await stage.unet.ok(['ps'])).toMatch(/web/);
    const other = `${stage.world.directory}/tmp/other-run`;
    const { code, stderr } = await stage.unet.run(['ps'], { env: { UNET_RUNTIME_DIR: other } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^unet: [^\n]*is used by process \d+, whose runtime directory is [^\n]*\n$/);
    expect(daemons().map(({ pid }) => pid)).toEqual([daemon?.pid]);
  });

  it('is not missed by a transfer between two containers: it stalls, goes on, and arrives whole', async () => {
    const bulk = stage.world.fixture('bulk.mjs');
    const bytes = share(1024 ** 3);
    await stage.unet.detached(['--name', 'source'], ['node', bulk, 'serve', '7000']);
    await stage.unet.logged('source', /ready/);
    await stage.unet.detached(['--name', 'sink'], ['node', bulk, 'get', 'source', '7000', String(bytes), '2']);
    await new Promise((done) => setTimeout(done, 500));
    expect(await stage.unet.logs('sink')).toBe('');
    await killHard(daemons().map(({ pid }) => pid));
    await stage.unet.ok(['ps']);
    expect(JSON.parse(await stage.unet.logged('sink', /bytes/, 50_000))).toMatchObject({ ok: true, bytes });
  });

  it('ends a connection that was open to the outside when it was killed, at the next word', async () => {
    const server = stage.world.start('server', ['node', stage.world.fixture('tcp-peer.mjs'), 'watch', '7000']);
    await server.output(/ready/);
    const script = `const s=require('net').connect(7000,'${ADDRESS.server}',()=>{s.write('x');console.log('connected')});
s.on('error',e=>{console.log('lost '+e.code);process.exit()});setInterval(()=>s.write('x'),200)`;
    await stage.unet.detached(['--name', 'talker'], ['node', '-e', script]);
    await stage.unet.logged('talker', /connected/);
    await killHard(daemons().map(({ pid }) => pid));
    await server.output(/ended by/);
    await stage.unet.ok(['ps']);
    await stage.unet.logged('talker', /lost ECONNRESET/, 15_000);
    server.kill('SIGKILL');
  });

  it('publishes again what was published, after a crash', async () => {
    await stage.unet.detached(
      ['--name', 'web', '-p', '8080:7000'],
      ['node', stage.world.fixture('tcp-peer.mjs'), 'who', '7000'],
    );
    await stage.unet.logged('web', /ready/);
    await killHard(daemons().map(({ pid }) => pid));
    await stage.unet.ok(['ps']);
    const client = ['node', stage.world.fixture('tcp-client.mjs'), 'read', ADDRESS.host, '8080'];
    await until('it answers', async () => (await stage.world.run('server', client)).stdout.startsWith('you are'));
  });

  it('learns what ended while no daemon was there', async () => {
    await stage.unet.detached(['--name', 'brief'], ['sh', '-c', 'sleep 1; echo last words; exit 9']);
    await killHard(daemons().map(({ pid }) => pid));
    await until('the container has ended', () => launchers().length === 0);
    expect(await stage.unet.ok(['ps', '-a'])).toMatch(/Exited \(9\).*brief/);
    expect(await stage.unet.logs('brief')).toBe('last words\n');
  });

  it('keeps a foreground command alive when it dies: its output and status are its own', async () => {
    const running = stage.unet.start(['run', '--rm', '--', 'sh', '-c', 'echo up; sleep 1.5; echo done; exit 4']);
    await running.output(/up/);
    await killHard(daemons().map(({ pid }) => pid));
    expect(await running.result()).toMatchObject({ code: 4, stdout: 'up\ndone\n' });
  });
});
