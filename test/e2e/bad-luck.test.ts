import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS } from '../harness/layout.js';
import { patient } from '../harness/patience.js';

const ONE_LINE = /^unet: [^\n]+\n$/;

describeInWorld('bad luck', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  const refused = async (args: readonly string[], env: Record<string, string> = {}) => {
    const { code, stdout, stderr } = await stage.unet.run(['run', '--rm', ...args, '--', 'echo', 'ran'], { env });
    expect(stderr).toMatch(ONE_LINE);
    expect({ code, stdout }).toEqual({ code: 125, stdout: '' });
    return stderr;
  };

  it('a port that another container has', async () => {
    await stage.unet.detached(['--name', 'first', '-p', '8080:80'], ['sleep', '100']);
    expect(await refused(['-p', '8080:80'])).toContain(
      'Bind for 0.0.0.0:8080 failed: port is already allocated (by container first)',
    );
    expect(await stage.unet.ok(['ps', '-a', '-q'])).toHaveLength(13);
  });

  it('a port that a stranger has', async () => {
    const stranger = stage.world.start('host', ['node', stage.world.fixture('tcp-peer.mjs'), 'who', '8081']);
    await stranger.output(/ready/);
    expect(await refused(['-p', '8081:80'])).toMatch(/8081\/tcp: address already in use/);
    stranger.kill('SIGKILL');
  });

  it('one taken port among several: none of them stays bound', async () => {
    const stranger = stage.world.start('host', ['node', stage.world.fixture('tcp-peer.mjs'), 'who', '8082']);
    await stranger.output(/ready/);
    await refused(['-p', '8090:80', '-p', '8082:80']);
    await stage.unet.ok(['run', '--rm', '-p', '8090:80', '--', 'true']);
    stranger.kill('SIGKILL');
  });

  it('a port below 1024', async () => {
    expect(await refused(['-p', '80:80'])).toContain('net.ipv4.ip_unprivileged_port_start');
  });

  it('an address that the host does not have', async () => {
    expect(await refused(['-p', '192.0.2.7:8080:80'])).toContain('192.0.2.7');
  });

  it('a working directory that was removed', async () => {
    const gone = join(stage.world.directory, 'tmp', 'gone');
    mkdirSync(gone, { recursive: true });
    const [command = '', ...args] = stage.unet.argv('run', '--rm', '--', 'echo', 'ran');
    const { code, stdout, stderr } = await stage.world.run('host', [
      'sh',
      '-c',
      `cd ${gone} && rmdir ${gone} && exec ${command} ${args.join(' ')}`,
    ]);
    expect({ code, stdout }).toEqual({ code: 125, stdout: '' });
    expect(stderr).toMatch(/^unet: [^\n]+\n$/);
  });

  it('a runtime directory that is open to others, a link, or no directory', async () => {
    const open = join(stage.world.directory, 'tmp', 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    expect(await refused([], { UNET_RUNTIME_DIR: open })).toContain(open);
    const link = join(stage.world.directory, 'tmp', 'link');
    symlinkSync(open, link);
    expect(await refused([], { UNET_RUNTIME_DIR: link })).toContain('symbolic link');
    expect(await refused([], { UNET_RUNTIME_DIR: '/etc/hostname' })).toContain('/etc/hostname');
    expect(await refused([], { UNET_RUNTIME_DIR: '/usr' })).toContain('/usr');
    rmSync(open, { recursive: true });
  });

  it('a state directory that cannot be written to', async () => {
    const state = join(stage.world.directory, 'tmp', 'state');
    const env = { UNET_RUNTIME_DIR: join(stage.world.directory, 'tmp', 'run'), UNET_STATE_DIR: state };
    await stage.world.run('host', ['mkdir', '-m', '500', state]);
    expect(await refused([], env)).toContain(`chmod u+rwx ${state}`);
  });

  it('a container whose files cannot be deleted', async () => {
    const id = await stage.unet.detached(['--name', 'stuck'], ['true']);
    const directory = join(stage.world.directory, 'state', 'unet', 'containers', id);
    await stage.unet.run(['stop', 'stuck']);
    await stage.world.run('host', ['chmod', '500', directory]);
    const { code, stdout, stderr } = await stage.unet.run(['rm', 'stuck']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain(directory);
    await stage.world.run('host', ['chmod', '700', directory]);
    expect(await stage.unet.ok(['rm', 'stuck'])).toBe('stuck\n');
  });

  it("the caller's own limit on open files is the command's", async () => {
    const [command = '', ...args] = stage.unet.argv('run', '--rm', '--', 'sh', '-c', 'ulimit -Sn');
    const quoted = args.map((word) => `'${word}'`).join(' ');
    // The last command would replace the shell, and its limit would be read of whoever started that.
    const { stdout } = await stage.world.run('host', ['sh', '-c', `ulimit -Sn 2000; ${command} ${quoted}; exit`]);
    expect(stdout).toBe('2000\n');
  });

  it('relative directories', async () => {
    expect(await refused([], { UNET_RUNTIME_DIR: 'run' })).toContain('give an absolute path');
    expect(await refused([], { UNET_STATE_DIR: 'state' })).toContain('give an absolute path');
  });

  it('no /dev/net/tun', async () => {
    await stage.world.admin('mkdir -p /run/empty && mount --bind /run/empty /dev/net');
    const began = performance.now();
    expect(await refused([])).toContain('/dev/net/tun');
    expect(performance.now() - began).toBeLessThan(patient(3000));
    await stage.world.admin('umount /dev/net');
    await stage.unet.ok(['run', '--rm', '--', 'true']);
  });

  it('a resolv.conf that is missing, a dangling link, or a link', async () => {
    const resolve = 'grep ^nameserver /etc/resolv.conf';
    await stage.world.admin('rm /etc/resolv.conf');
    expect(await stage.unet.shell(resolve)).toBe('nameserver 172.17.0.1');
    await stage.world.admin('ln -s /run/no/such/resolv.conf /etc/resolv.conf');
    expect(await stage.unet.shell(resolve)).toBe('nameserver 172.17.0.1');
    await stage.world.admin(
      `mkdir -p /run/stub && echo nameserver ${ADDRESS.server} > /run/stub/resolv.conf && ln -sf /run/stub/resolv.conf /etc/resolv.conf`,
    );
    expect(await stage.unet.shell(resolve)).toBe('nameserver 172.17.0.1');
    expect(await stage.unet.shell(`grep -c ${ADDRESS.server} /etc/resolv.conf`)).toBe('1');
    await stage.world.admin(`rm /etc/resolv.conf && echo nameserver ${ADDRESS.server} > /etc/resolv.conf`);
  });

  it('a resolv.conf that is a directory', async ({ skip }) => {
    const made = await stage.world.admin('rm /etc/resolv.conf; mkdir /etc/resolv.conf 2>&1 || true');
    const restore = `rm -rf /etc/resolv.conf; echo nameserver ${ADDRESS.server} > /etc/resolv.conf`;
    if (made !== '') await stage.world.admin(restore);
    skip(
      made !== '',
      "the world's /etc cannot hold it: tmpfs has user xattrs, which overlayfs needs for it, since Linux 6.6",
    );
    const odd = await stage.unet.run(['run', '--rm', '--', 'echo', 'ran']);
    expect([0, 125]).toContain(odd.code);
    if (odd.code === 125) expect(odd.stderr).toMatch(ONE_LINE);
    await stage.world.admin(restore);
  });

  it('a daemon that cannot start says why', async () => {
    const { code, stderr } = await stage.unet.run(['run', '--rm', '--', 'true'], {
      env: { UNET_RUNTIME_DIR: join(stage.world.directory, 'tmp', 'other'), UNET_NATIVE: '/no/such/unet.node' },
    });
    expect(code).toBe(125);
    expect(stderr).toMatch(/^unet: /);
    expect(stderr).toContain('/no/such/unet.node');
  });

  it('stale sockets of a daemon that was killed', async () => {
    await stage.unet.ok(['run', '--rm', '--', 'true']);
    const [daemon] = stage.world.processes().filter(({ command }) => command.includes('daemon.mjs'));
    await stage.world.run('host', ['kill', '-9', String(daemon?.pid)]);
    await stage.unet.ok(['run', '--rm', '--', 'true']);
  });
});
