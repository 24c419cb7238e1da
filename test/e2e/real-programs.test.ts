import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, type TestContext } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS } from '../harness/layout.js';
import { PATIENCE, share } from '../harness/patience.js';
import { until } from '../harness/world.js';

const MEGABYTES = 20;

describeInWorld('programs as people run them', (stage) => {
  /** Where the program is missing the test says so; in CI that fails the run. */
  const need = (context: TestContext, program: string) => {
    const { status } = spawnSync('sh', ['-c', `command -v ${program}`], { env: stage.world.env });
    context.skip(status !== 0, `${program} is not installed`);
  };
  const place = (...names: string[]) => join(stage.world.directory, ...names);

  beforeEach(() => {
    mkdirSync(place('home', 'site'), { recursive: true });
    writeFileSync(place('home', 'site', 'index.html'), '<h1>hello</h1>\n');
    writeFileSync(place('home', 'site', 'big.bin'), Buffer.alloc(MEGABYTES * 1_000_000, 'unet'));
  });

  afterEach(async () => {
    await stage.unet.reset();
  });

  it('python -m http.server inside, curl from far away', async (context) => {
    need(context, 'curl');
    const server = ['python3', '-m', 'http.server', '8000', '--directory', place('home', 'site')];
    await stage.unet.detached(['--name', 'site', '-p', '8080:8000'], server);
    await until(
      'it answers',
      async () => (await stage.world.run('host', ['curl', '-sf', 'http://127.0.0.1:8080/'])).code === 0,
    );
    const page = await stage.world.run('server', ['curl', '-sf', `http://${ADDRESS.host}:8080/index.html`]);
    expect(page.stdout).toBe('<h1>hello</h1>\n');
    const big = await stage.world.run('server', [
      'sh',
      '-c',
      `curl -sf http://${ADDRESS.host}:8080/big.bin | cmp - ${place('home', 'site', 'big.bin')} && echo same`,
    ]);
    expect(big.stdout).toBe('same\n');
    expect(await stage.unet.logs('site')).toContain(ADDRESS.server);
  });

  it('nginx inside, thirty requests on ten connections', async (context) => {
    need(context, 'nginx');
    need(context, 'curl');
    const conf = `daemon off; pid ${place('tmp', 'nginx.pid')}; error_log stderr; worker_processes 1;
events { worker_connections 64; }
http {
  access_log /dev/stdout; keepalive_timeout 65;
  client_body_temp_path ${place('tmp', 'b')}; proxy_temp_path ${place('tmp', 'p')}; fastcgi_temp_path ${place('tmp', 'f')};
  uwsgi_temp_path ${place('tmp', 'u')}; scgi_temp_path ${place('tmp', 's')};
  server { listen 80; root ${place('home', 'site')}; location /who { return 200 "$remote_addr\\n"; } }
}
`;
    await stage.world.run('host', ['sh', '-c', `cat > ${place('home', 'nginx.conf')}`], { input: conf });
    await stage.unet.detached(
      ['--name', 'web', '-p', '8080:80'],
      ['nginx', '-e', 'stderr', '-c', place('home', 'nginx.conf')],
    );
    await until(
      'it answers',
      async () => (await stage.world.run('host', ['curl', '-sf', 'http://127.0.0.1:8080/'])).code === 0,
    );
    expect((await stage.world.run('server', ['curl', '-sf', `http://${ADDRESS.host}:8080/who`])).stdout).toBe(
      `${ADDRESS.server}\n`,
    );
    const urls = Array.from({ length: 30 }, () => `http://${ADDRESS.host}:8080/index.html`);
    const many = await stage.world.run('server', ['curl', '-sf', '-Z', '--parallel-max', '10', ...urls]);
    expect(many.stdout.split('\n').filter((line) => line === '<h1>hello</h1>')).toHaveLength(30);
  });

  it('curl inside, a server outside', async (context) => {
    need(context, 'curl');
    const server = stage.world.start('server', [
      'python3',
      '-m',
      'http.server',
      '8000',
      '--directory',
      place('home', 'site'),
    ]);
    await until(
      'it answers',
      async () => (await stage.world.run('server', ['curl', '-sf', 'http://127.0.0.1:8000/'])).code === 0,
    );
    expect(
      await stage.unet.shell(
        `curl -sf http://${ADDRESS.server}:8000/big.bin | cmp - ${place('home', 'site', 'big.bin')} && echo same`,
      ),
    ).toBe('same');
    server.kill('SIGKILL');
  });

  it('git clone inside, from a git daemon outside', async (context) => {
    need(context, 'git');
    const git = 'git -c user.name=t -c user.email=t@example.test -c init.defaultBranch=main';
    const make = `mkdir -p repos/one && cd repos/one && ${git} init -q && cp ../../site/* . && ${git} add . && ${git} commit -qm first`;
    expect((await stage.world.run('host', ['sh', '-c', make])).code).toBe(0);
    const daemon = stage.world.start('server', [
      'git',
      'daemon',
      '--export-all',
      '--reuseaddr',
      `--base-path=${place('home', 'repos')}`,
      place('home', 'repos'),
    ]);
    await until(
      'it answers',
      async () => (await stage.world.run('server', ['git', 'ls-remote', 'git://127.0.0.1/one'])).code === 0,
    );
    const cloned = `git clone -q git://${ADDRESS.server}/one copy && cmp copy/big.bin site/big.bin && git -C copy log --format=%s`;
    expect(await stage.unet.shell(cloned)).toBe('first');
    daemon.kill('SIGKILL');
  });

  it('iperf3, both directions and UDP', async (context) => {
    need(context, 'iperf3');
    const server = stage.world.start('server', ['iperf3', '-s', '-p', '5201', '--forceflush']);
    await server.output(/listening/i);
    const measure = async (...flags: string[]) => {
      const argv = ['iperf3', '-c', ADDRESS.server, '-p', '5201', '-t', '1', '-J', ...flags];
      const { stdout } = await stage.unet.run(['run', '--rm', '--', ...argv]);
      return JSON.parse(stdout).end;
    };
    expect((await measure()).sum_received.bytes).toBeGreaterThan(share(10_000_000));
    expect((await measure('-R')).sum_received.bytes).toBeGreaterThan(share(10_000_000));
    const udp = (await measure('-u', '-b', String(share(20_000_000)))).sum;
    expect(udp.lost_percent).toBeLessThan(5);
    // Not a share, which is rounded up: that may be more than the rate brings.
    expect(udp.packets).toBeGreaterThan(1000 / PATIENCE);
    server.kill('SIGKILL');
  });
});
