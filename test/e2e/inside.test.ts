import { expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS, GATEWAY } from '../harness/layout.js';
import { PATIENCE } from '../harness/patience.js';

describeInWorld('the network that a command finds inside', (stage) => {
  it('has eth0 with a /16, a default route by the gateway and an MTU of 1500', async () => {
    const [address = '', ...routes] = (await stage.unet.shell('ip -br addr show eth0; ip route')).split('\n');
    expect(address).toMatch(/^eth0\s+(UP|UNKNOWN)\s+172\.17\.0\.\d+\/16/);
    const own = /172\.17\.0\.\d+/.exec(address)?.[0];
    expect(routes.map((line) => line.trim())).toEqual([
      `default via ${GATEWAY} dev eth0`,
      `172.17.0.0/16 dev eth0 proto kernel scope link src ${own}`,
    ]);
    expect(await stage.unet.shell('cat /sys/class/net/eth0/mtu; cat /sys/class/net/eth0/address')).toMatch(
      /^1500\n02:42:ac:11:00:[0-9a-f]{2}$/,
    );
    expect(await stage.unet.shell('cat /sys/class/net/eth0/mtu', ['--mtu', '9000'])).toBe('9000');
  });

  it('is up before the command starts: the first packet is not lost', async () => {
    for (let round = 0; round < 5; round++) {
      const { stdout } = await stage.unet.run(['run', '--rm', '--', 'ping', '-c1', '-W1', '-q', GATEWAY]);
      expect(stdout).toContain('1 received');
    }
  });

  it('lets an ordinary user ping the gateway, the outside and nobody', async () => {
    expect(await stage.unet.shell(`ping -c2 -i0.2 -W2 ${GATEWAY}`)).toMatch(/2 received, 0% packet loss/);
    expect(await stage.unet.shell(`ping -c2 -i0.2 -W2 ${ADDRESS.server}`)).toMatch(/2 received, 0% packet loss/);
    expect(await stage.unet.shell('ping -c1 -W2 127.0.0.1')).toMatch(/1 received/);
    const nobody = await stage.unet.run(['run', '--rm', '--', 'ping', '-c1', '-W1', '172.17.200.200']);
    expect(nobody.code).not.toBe(0);
  });

  it('pings with large packets, in fragments', async () => {
    expect(await stage.unet.shell(`ping -c1 -W2 -s 4000 ${GATEWAY}`)).toMatch(/4008 bytes from/);
  });

  it('has files of its own under /etc, read-only, the host file untouched', async () => {
    const text = await stage.unet.shell('cat /etc/hostname /etc/hosts; grep -v "^#" /etc/resolv.conf', [
      '-h',
      'web.example.org',
    ]);
    const [hostname, own, ...rest] = text.split('\n');
    expect(hostname).toBe('web.example.org');
    expect(own).toMatch(/^172\.17\.0\.\d+\tweb\.example\.org web$/);
    expect(rest.slice(0, 2)).toEqual(['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback']);
    expect(text).toContain(`\nnameserver ${GATEWAY}\n`);
    expect(text).toMatch(/\noptions ndots:0$/);
    const edit = await stage.unet.run(['run', '--rm', '--', 'sh', '-c', 'echo 6.6.6.6 bank >> /etc/hosts']);
    expect(edit.code).not.toBe(0);
    expect((await stage.world.run('host', ['cat', '/etc/resolv.conf'])).stdout).toBe(`nameserver ${ADDRESS.server}\n`);
  });

  it('lets ports below 1024 be bound inside', async () => {
    const script = `node ${stage.world.fixture('tcp-peer.mjs')} who 80 & sleep ${PATIENCE / 2}; node ${stage.world.fixture('tcp-client.mjs')} read 127.0.0.1 80; kill $!`;
    expect(await stage.unet.shell(script)).toContain('you are 127.0.0.1:');
  });

  it('gives every container its own address, and lets them talk', async () => {
    await stage.unet.detached(['--name', 'first'], ['node', stage.world.fixture('tcp-peer.mjs'), 'who', '7000']);
    await stage.unet.logged('first', /ready/);
    expect(
      await stage.unet.shell(
        `ip -br addr show eth0 | tr -s ' '; node ${stage.world.fixture('tcp-client.mjs')} read first 7000`,
      ),
    ).toMatch(/^eth0 \w+ (172\.17\.0\.\d+)\/16[^\n]*\nyou are \1:\d+$/);
    expect(await stage.unet.shell('ping -c1 -W2 first')).toMatch(/1 received/);
    await stage.unet.ok(['rm', '-f', 'first']);
  });

  it('shows only its own processes and loopback', async () => {
    expect(await stage.unet.shell('ls /sys/class/net | sort | tr "\\n" " "')).toBe('eth0 lo');
    const processes = await stage.unet.shell('ps -e -o comm= | sort | uniq | tr "\\n" " "');
    expect(processes).not.toContain('node');
  });
});
