import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';

describeInWorld('what a command inside cannot do', (stage) => {
  const runtime = () => join(stage.world.directory, 'run', 'unet');
  const state = () => join(stage.world.directory, 'state', 'unet');

  it('see the control socket or the state of unet', async () => {
    const listing = await stage.unet.shell(`ls -A ${runtime()} ${state()} 2>&1; ls -A ${runtime()} | wc -l`);
    expect(listing).not.toMatch(/\.sock|daemon\.log|containers/);
    expect(listing.split('\n').at(-1)).toBe('0');
  });

  it('see it from a working directory that lies there', async () => {
    await stage.unet.ok(['run', '--rm', '--', 'true']);
    const { stdout } = await stage.unet.run(['run', '--rm', '--', 'sh', '-c', 'ls -A . | grep sock; echo done'], {
      cwd: runtime(),
    });
    expect(stdout.replace(/^done\n$/, '')).toBe('');
  });

  it('speak to the daemon, should it find the socket by another way', async () => {
    await stage.unet.ok(['run', '--rm', '--', 'true']);
    const ask = `require('http').get({socketPath:'${runtime()}/unet.sock',path:'/v1/version'},r=>{console.log(r.statusCode);r.resume()}).on('error',e=>console.log(e.code))`;
    const outside = await stage.world.run('host', ['node', '-e', ask]);
    expect(outside.stdout).toMatch(/^(200|404)\n$/);
    // The same user in another user namespace: what a guest is, with the mask lifted.
    const inside = await stage.world.run('host', ['unshare', '--user', '--map-current-user', 'node', '-e', ask]);
    expect(inside.stdout).toMatch(/^(403|ECONNRESET|EPIPE|ECONNREFUSED)\n$/);
  });

  it('trace or freeze the process that watches over it', async () => {
    const script =
      'ls -l /proc/1/exe 2>&1; cat /proc/1/environ 2>&1; kill -STOP 1; echo $?; kill -KILL 1; echo still here';
    const { stdout } = await stage.unet.run(['run', '--rm', '--', 'sh', '-c', script], { timeoutMs: 10_000 });
    expect(stdout).toContain('Permission denied');
    expect(stdout).toContain('still here');
  });

  it('change its address, its route or its interface', async () => {
    const script =
      'ip addr add 172.17.0.99/16 dev eth0; ip link set eth0 down; ip route del default; ip -br addr show eth0';
    const { stdout } = await stage.unet.run(['run', '--rm', '--', 'sh', '-c', `${script} 2>/dev/null`]);
    expect(stdout).toMatch(/^eth0\s+\w+\s+172\.17\.0\.\d+\/16/);
    expect(stdout).not.toContain('172.17.0.99');
  });

  it('speak in the name of another: frames with a foreign source address go nowhere', async () => {
    // As root of its own namespaces a guest has no CAP_NET_RAW either.
    const raw = 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)';
    const { code, stderr } = await stage.unet.run(['run', '--rm', '--user', 'root', '--', 'python3', '-c', raw]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('PermissionError');
  });
});
