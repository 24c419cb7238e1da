import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { describeInWorld, type Stage } from '../harness/e2e.js';
import { ADDRESS, GATEWAY } from '../harness/layout.js';
import type { Running } from '../harness/running.js';
import { until } from '../harness/world.js';

const HOST_SERVER = `nameserver ${ADDRESS.server}\n`;

describeInWorld('names and files of a container', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
    await stage.world.writeEtc('resolv.conf', HOST_SERVER);
  });

  describe('the three files', () => {
    it('S66: are three mounts over /etc', async () => {
      const mounts = await stage.unet.shell(
        `mount | awk '$3 ~ "^/etc/(hosts|hostname|resolv.conf)$" {print $3}' | sort`,
      );
      expect(mounts.split('\n')).toEqual(['/etc/hostname', '/etc/hosts', '/etc/resolv.conf']);
    });

    it('S61, S67, vector 93: hold the whole hostname', async () => {
      const script = 'cat /etc/hostname; hostname; hostname -s; echo $HOSTNAME; head -1 /etc/hosts';
      const text = await stage.unet.shell(script, ['--hostname', 'foobar.example.com']);
      const [file, kernel, short, variable, hosts] = text.split('\n');
      expect([file, kernel, short, variable]).toEqual([
        'foobar.example.com',
        'foobar.example.com',
        'foobar',
        'foobar.example.com',
      ]);
      expect(hosts).toMatch(/^172\.17\.0\.\d+\tfoobar\.example\.com foobar$/);
    });

    it('S61: -h is the hostname and no call for help; without it, it is the short id', async () => {
      expect(await stage.unet.shell('cat /etc/hostname', ['-h', 'mine'])).toBe('mine');
      const id = await stage.unet.detached(['--name', 'plain'], ['cat', '/etc/hostname']);
      expect(await stage.unet.logged('plain', /\n/)).toBe(`${id.slice(0, 12)}\n`);
    });

    it('vector 94, vector 95: hold added hosts last, as they were typed', async () => {
      const options = ['--add-host', 'myhost=[192.168.0.1]', '--add-host', 'ipv6local=0:0:0:0:0:0:0:1'];
      const hosts = await stage.unet.shell('cat /etc/hosts; getent ahostsv4 myhost | head -1', [
        ...options,
        '--add-host',
        'gw:host-gateway',
      ]);
      const lines = hosts.split('\n');
      expect(lines.slice(1, 3)).toEqual(['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback']);
      expect(lines.slice(7, 10)).toEqual(['192.168.0.1\tmyhost', '0:0:0:0:0:0:0:1\tipv6local', `${GATEWAY}\tgw`]);
      expect(lines[10]).toMatch(/^192\.168\.0\.1 /);
    });

    it.each([
      ['--add-host', 'nonsense', 'unet: bad format for add-host: "nonsense"; give NAME:IP|NAME=IP|NAME:host-gateway\n'],
      [
        '--dns',
        'ns1',
        'unet: IP address is not correctly formatted: ns1; give an IPv4 or IPv6 address, as in --dns 10.0.0.1\n',
      ],
      [
        '--dns-search',
        '17',
        'unet: 17 is not a valid domain; give a name such as corp.example, or . for no search domain\n',
      ],
    ])('%s %s is refused with what to do', async (option, value, message) => {
      expect(await stage.unet.run(['run', '--rm', option, value, '--', 'true'])).toMatchObject({
        code: 125,
        stdout: '',
        stderr: message,
      });
    });
  });

  describe('resolv.conf', () => {
    const resolvConf = (...options: string[]) => stage.unet.shell('cat /etc/resolv.conf', options);
    const directives = async (...options: string[]) =>
      (await resolvConf(...options)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

    it("S68, S74: is the host's but for the nameserver", async () => {
      await stage.world.writeEtc('resolv.conf', `${HOST_SERVER}search corp.example\noptions timeout:3\n`);
      const text = await resolvConf();
      expect(text.split('\n')).toEqual([
        `nameserver ${GATEWAY}`,
        'search corp.example',
        'options timeout:3 ndots:0',
        '',
        "# Based on host file: '/etc/resolv.conf' (answered by unet at the gateway; changes there are followed live)",
        `# ExtServers: [host(${ADDRESS.server})]`,
        '# Overrides: []',
        '# Option ndots from: internal',
      ]);
    });

    it('S60, vector 111: is replaced by the run, list by list', async () => {
      await stage.world.writeEtc('resolv.conf', `${HOST_SERVER}search corp.example\noptions rotate\n`);
      const searches = ['--dns-search', 'mydomain', '--dns-search', '.mydomain2'];
      expect(await directives(...searches)).toEqual([
        `nameserver ${GATEWAY}`,
        'search mydomain mydomain2',
        'options rotate ndots:0',
      ]);
      const all = await resolvConf(
        '--dns=1.1.1.1',
        '--dns=2.2.2.2',
        ...searches,
        '--dns-opt=ndots:9',
        '--dns-option=timeout:3',
      );
      expect(all).toContain('\noptions ndots:9 timeout:3\n');
      expect(all).toContain('\n# ExtServers: [run(1.1.1.1) run(2.2.2.2)]\n# Overrides: [nameservers search options]\n');
      expect(await directives('--dns-search', '.')).toEqual([`nameserver ${GATEWAY}`, 'options rotate ndots:0']);
    });

    it("follows the host's search domains in a container that runs, in the same file", async () => {
      await stage.world.writeEtc('resolv.conf', `${HOST_SERVER}search first.example\n`);
      const watch =
        'while :; do echo "$(stat -c %i /etc/resolv.conf) $(grep search /etc/resolv.conf)"; sleep 0.1; done';
      await stage.unet.detached(['--name', 'follows'], ['sh', '-c', watch]);
      await stage.unet.detached(
        ['--name', 'chose', '--dns-search', 'own.example', '--dns-opt', 'rotate'],
        ['sh', '-c', watch],
      );
      await stage.unet.logged('chose', /search own\.example/);
      const before = await stage.unet.logged('follows', /search first\.example/);
      await stage.world.writeEtc('resolv.conf', `${HOST_SERVER}search second.example\n`);
      const after = await stage.unet.logged('follows', /search second\.example/);
      const inodes = new Set(
        after
          .trim()
          .split('\n')
          .map((line) => line.split(' ')[0]),
      );
      expect([...inodes]).toEqual([before.split(' ')[0]]);
      expect(await stage.unet.logs('chose')).not.toContain('second.example');
    });

    it('S69: is not touched when only the servers of the host change', async () => {
      await stage.world.writeEtc('resolv.conf', `${HOST_SERVER}search same.example\n`);
      const script =
        'stat -c "%i %y" /etc/resolv.conf; read line; stat -c "%i %y" /etc/resolv.conf; cat /etc/resolv.conf';
      const guest = stage.unet.start(['run', '--rm', '--name', 'stays', '--', 'sh', '-c', script]);
      const other = startServer(stage, ADDRESS.serverSecond);
      await other.output(/ready/);
      await guest.output(/\n/);
      await stage.world.writeEtc('resolv.conf', `nameserver ${ADDRESS.serverSecond}\nsearch same.example\n`);
      await until('the other server is asked', async () => {
        await stage.unet.run(['run', '--rm', '--', 'getent', 'ahostsv4', 'outside.test']);
        return other.stdout.includes('outside.test');
      });
      guest.child.stdin?.end('\n');
      const { stdout } = await guest.result();
      const [first, second, ...text] = stdout.split('\n');
      expect(second).toBe(first);
      expect(text).toContain(`# ExtServers: [host(${ADDRESS.server})]`);
      other.kill('SIGKILL');
    });
  });

  describe('DNS', () => {
    let server: Running;
    let other: Running;

    beforeAll(async () => {
      server = startServer(stage, ADDRESS.server);
      other = startServer(stage, ADDRESS.serverSecond, 'other.test=10.9.9.9', 'host.corp.example=10.8.8.8');
      await Promise.all([server.output(/ready/), other.output(/ready/)]);
    });
    afterAll(() => {
      server.kill('SIGKILL');
      other.kill('SIGKILL');
    });

    const lookup = (name: string, ...options: string[]) =>
      stage.unet.run(['run', '--rm', ...options, '--', 'getent', 'ahostsv4', name]);

    it('S58, S72: of the run answers every name that is not in hosts', async () => {
      expect((await lookup('other.test')).code).toBe(2);
      expect((await lookup('other.test', '--dns', ADDRESS.serverSecond)).stdout).toMatch(/^10\.9\.9\.9 /);
      const added = await lookup('other.test', '--dns', ADDRESS.serverSecond, '--add-host', 'other.test:10.1.1.1');
      expect(added.stdout).toMatch(/^10\.1\.1\.1 /);
    });

    it('S59, S73: is asked for a name and then for it in the search domain', async () => {
      const options = ['--dns', ADDRESS.serverSecond, '--dns-search', '.corp.example'];
      const from = other.stdout.length;
      expect((await lookup('host', ...options)).stdout).toMatch(/^10\.8\.8\.8 /);
      const asked = other.stdout
        .slice(from)
        .split('\n')
        .filter((line) => / 1 by /.test(line));
      expect(asked.map((line) => line.split(' ')[0])).toEqual(['host', 'host.corp.example']);
    });

    it('vector 132: --dns 127.0.0.1 is a resolver inside, and a warning says what it does not know', async () => {
      const fixture = stage.world.fixture('dns-server.mjs');
      const script = `node ${fixture} 127.0.0.1 inner.test=10.7.7.7 & until getent ahostsv4 inner.test; do sleep 0.1; done; kill $!; cat /etc/resolv.conf`;
      const { stdout, stderr } = await stage.unet.run(['run', '--rm', '--dns', '127.0.0.1', '--', 'sh', '-c', script]);
      expect(stdout).toMatch(/^10\.7\.7\.7 /m);
      expect(stdout).toMatch(/^nameserver 127\.0\.0\.1$/m);
      expect(stdout).not.toContain(`nameserver ${GATEWAY}`);
      expect(stderr).toBe(
        'unet: warning: DNS server 127.0.0.1 is asked inside the container: it does not know the names of other containers, which come from /etc/hosts only\n',
      );
    });

    it('S70: does not know the hostname of another container', async () => {
      await stage.unet.detached(['--name', 'known', '-h', 'private', '--network-alias', 'also'], ['sleep', '1000']);
      expect((await lookup('private')).code).toBe(2);
      expect(await stage.unet.ok(['ps'])).not.toContain('private');
      const address = (await lookup('known')).stdout.split(' ')[0];
      expect(address).toMatch(/^172\.17\.0\.\d+$/);
      expect((await lookup('also')).stdout.split(' ')[0]).toBe(address);
      const { stdout } = await stage.unet.run(['run', '--rm', '--link', 'known:it', '--', 'cat', '/etc/hosts']);
      expect(stdout).toContain('\tit ');
      expect(stdout).not.toContain('private');
    });
  });

  describe("the daemon's defaults", () => {
    const configure = (text: string) =>
      stage.world.admin(
        `mkdir -p ${stage.world.directory}/config/unet && printf %s '${text}' > ${stage.world.directory}/config/unet/config.json`,
      );
    const text = (...options: string[]) => stage.unet.shell('cat /etc/resolv.conf', options);

    afterEach(async () => {
      await stage.world.admin(`rm -f ${stage.world.directory}/config/unet/config.json`);
      await stage.unet.run(['daemon', 'stop', '--all']);
    });

    it('S60: come from config.json, and the run replaces them list by list', async () => {
      await stage.unet.run(['daemon', 'stop', '--all']);
      await configure('{"dns": ["10.91.2.3"], "dns-search": ["corp.example"], "dns-opts": ["timeout:7"]}');
      const byDefault = await text();
      expect(byDefault).toMatch(/\nsearch corp\.example\noptions timeout:7 ndots:0\n/);
      expect(byDefault).toContain('\n# ExtServers: [daemon(10.91.2.3)]\n# Overrides: [nameservers search options]\n');
      const replaced = await text('--dns-search', 'mine.example');
      expect(replaced).toMatch(/\nsearch mine\.example\noptions timeout:7 ndots:0\n/);
      expect(replaced).toContain('\n# Of these from the daemon: [nameservers options]\n');
      expect(await stage.unet.ok(['daemon', 'status'])).toMatch(
        /^Settings: +dns 10\.91\.2\.3; dns-search corp\.example; dns-opts timeout:7 \(from .*\/config\/unet\/config\.json\)$/m,
      );
    });

    it('S60: come from UNET_OPTS before the file', async () => {
      await stage.unet.run(['daemon', 'stop', '--all']);
      await configure('{"dns-search": ["file.example"], "dns-opts": ["timeout:7"]}');
      const env = { UNET_OPTS: '--dns-search=opts.example' };
      const written = await stage.unet.shell('cat /etc/resolv.conf', [], { env });
      expect(written).toMatch(/\nsearch opts\.example\noptions timeout:7 ndots:0\n/);
    });

    it('S60: answer names by their servers', async () => {
      const other = startServer(stage, ADDRESS.serverSecond, 'other.test=10.9.9.9');
      await other.output(/ready/);
      await stage.unet.run(['daemon', 'stop', '--all']);
      await configure(`{"dns": ["${ADDRESS.serverSecond}"]}`);
      expect(await stage.unet.shell('getent ahostsv4 other.test')).toMatch(/^10\.9\.9\.9 /);
      other.kill('SIGKILL');
    });

    it('that are wrong keep the daemon from starting, in one line', async () => {
      await stage.unet.run(['daemon', 'stop', '--all']);
      await configure('{"dsn": []}');
      const { code, stderr } = await stage.unet.run(['run', '--rm', '--', 'true']);
      expect(code).toBe(125);
      expect(stderr).toMatch(
        /^unet: cannot start the daemon .*config file \/.*\/config\/unet\/config\.json: "dsn": is no key of this file; the keys are dns, dns-search, dns-opts; its log is [^\n]*\n$/,
      );
    });
  });
});

function startServer({ world }: Stage, ...args: string[]): Running {
  return world.start('server', ['node', world.fixture('dns-server.mjs'), ...args]);
}
