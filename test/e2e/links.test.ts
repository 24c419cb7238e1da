import { afterEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { patient } from '../harness/patience.js';
import { until } from '../harness/world.js';

const SLEEP = ['sleep', '1000'];
/** Says what it has of `store` in its hosts file, with the inode, whenever that changes. */
const WATCH_HOSTS = [
  'sh',
  '-c',
  'last=-; while :; do now=$(grep store /etc/hosts); if [ "$now" != "$last" ]; then echo "inode $(stat -c %i /etc/hosts) has <$now>"; last=$now; fi; sleep 0.05; done',
];
/** Listens on `port` of `host` after some milliseconds. */
const listener = (port: number, host: string, after = 0) => [
  process.execPath,
  '-e',
  `setTimeout(() => require('net').createServer((c) => c.end('hello')).listen(${port}, '${host}', () => console.log('listening')), ${after}); setInterval(() => {}, 1000)`,
];

describeInWorld('links', (stage) => {
  afterEach(async () => {
    await stage.unet.reset();
  });

  const detached = (options: readonly string[], argv: readonly string[] = SLEEP) => stage.unet.detached(options, argv);
  const shell = (script: string, options: readonly string[]) => stage.unet.shell(script, options);
  const row = async (name: string): Promise<string> => {
    const rows = (await stage.unet.ok(['ps', '-a'])).split('\n');
    return rows.find((line) => new RegExp(`\\s(${name})(,|$)`).test(line)) ?? '';
  };
  const addressOf = async (name: string): Promise<string> =>
    (
      await shell(`grep '\\baddressee\\b' /etc/hosts | cut -f1`, ['--link', `${name}:addressee`, '--link-wait', '0'])
    ).trim();

  it('S24, S25: tell of the child by variables, which -e overrides', async () => {
    await detached(['--name', 'db', '--expose', '5432', '-e', 'PASSWORD=gordon', '-e', 'PATH=/usr/bin:/bin']);
    const script = 'env | grep ^DB_ | sort';
    const address = await addressOf('db');
    expect((await shell(script, ['--name', 'web2', '--link', 'db:db'])).split('\n')).toEqual([
      'DB_ENV_PASSWORD=gordon',
      'DB_NAME=/web2/db',
      `DB_PORT=tcp://${address}:5432`,
      `DB_PORT_5432_TCP=tcp://${address}:5432`,
      `DB_PORT_5432_TCP_ADDR=${address}`,
      'DB_PORT_5432_TCP_PORT=5432',
      'DB_PORT_5432_TCP_PROTO=tcp',
    ]);
    const overridden = await shell('echo $DB_NAME', ['--link', 'db', '-e', 'DB_NAME=mine']);
    expect(overridden).toBe('mine');
  });

  it('S27, S28, S32: tell of it in /etc/hosts, and it answers by its alias', async () => {
    const id = await detached(['--name', 'db', '-h', 'fred', '--expose', 'none']);
    const address = await addressOf('db');
    const options = [
      '-h',
      'web',
      '--link',
      'db:store',
      '--add-host',
      'build:192.0.2.3',
      '--add-host',
      'me:host-gateway',
    ];
    const text = await shell('cat /etc/hosts; ip route | sed -n "s/default via \\([^ ]*\\).*/\\1/p"', options);
    const lines = text.split('\n');
    const gateway = lines.at(-1) ?? '';
    expect(lines[0]).toMatch(/^172\.17\.0\.\d+\tweb$/);
    expect(lines.slice(1, -1)).toEqual([
      '127.0.0.1\tlocalhost',
      '::1\tlocalhost ip6-localhost ip6-loopback',
      'fe00::\tip6-localnet',
      'ff00::\tip6-mcastprefix',
      'ff02::1\tip6-allnodes',
      'ff02::2\tip6-allrouters',
      `${address}\tstore ${id.slice(0, 12)} db`,
      '192.0.2.3\tbuild',
      `${gateway}\tme`,
    ]);
    expect(await shell('ping -c 1 -W 5 store', options)).toMatch(/64 bytes from .*ttl=64/);
    expect(await shell('getent hosts fred || echo nobody', options)).toBe('nobody');
  });

  it('Decision 1: running parents follow a stop, a start with another address, renames and a removal, in one inode', async () => {
    const id = await detached(['--name', 'db', '--expose', 'none']);
    await detached(['--name', 'web', '--link', 'db:store', '--link-wait', '0'], WATCH_HOSTS);
    await stage.unet.logged('web', /has <172\.17\.0\.\d+\tstore \w+ db>/);
    await stage.unet.ok(['stop', '-t', '0', 'db']);
    await stage.unet.logged('web', /has <>/);
    await detached(['--name', 'squatter']);
    await stage.unet.ok(['start', 'db']);
    await stage.unet.logged('web', /has <>[\s\S]*has <172\.17\.0\.\d+\tstore \w+ db>/);
    await stage.unet.ok(['rename', 'db', 'postgres']);
    await stage.unet.logged('web', /store \w+ postgres>/);
    expect(await row('postgres')).toMatch(/\spostgres,web\/store$/);
    await stage.unet.ok(['rename', 'web', 'front']);
    expect(await row('postgres')).toMatch(/\spostgres,front\/store$/);
    await stage.unet.ok(['rm', '-f', 'postgres']);
    const log = await stage.unet.logged('front', /postgres>[\s\S]*has <>/);

    const seen = [...log.matchAll(/inode (\d+) has <(.*)>/g)];
    expect(new Set(seen.map(([, inode]) => inode)).size).toBe(1);
    const addresses = seen.flatMap(([, , line = '']) => (line === '' ? [] : [line.split('\t')[0]]));
    expect(new Set(addresses).size).toBe(2);
    expect(seen.map(([, , line = '']) => line.replace(/^.*\t/, ''))).toEqual([
      `store ${id.slice(0, 12)} db`,
      '',
      `store ${id.slice(0, 12)} db`,
      `store ${id.slice(0, 12)} postgres`,
      '',
    ]);
  });

  it('a guest with a lease on its own hosts file holds up nobody but itself', async () => {
    const lease =
      'import fcntl, os, signal, time; signal.signal(signal.SIGIO, signal.SIG_IGN); ' +
      'fd = os.open("/etc/hosts", os.O_RDONLY); fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK); print("leased", flush=True); time.sleep(1000)';
    await detached(['--name', 'db', '--expose', 'none']);
    await detached(['--name', 'evil', '--link', 'db', '--link-wait', '0'], ['python3', '-c', lease]);
    await detached(['--name', 'web', '--link', 'db:store', '--link-wait', '0'], WATCH_HOSTS);
    await stage.unet.logged('evil', /leased/);
    await stage.unet.logged('web', /store \w+ db>/);
    // The kernel would take the lease away after 45 seconds, and the daemon would have waited for it.
    const began = Date.now();
    await stage.unet.ok(['rename', 'db', 'postgres']);
    await stage.unet.logged('web', /store \w+ postgres>/);
    // Beyond the second after which a file is written under the eyes of its readers.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await stage.unet.ok(['ps']);
    expect(Date.now() - began).toBeLessThan(patient(15_000));
  });

  it('S34: many to many, in ps too, and rm --link takes one away', async () => {
    await detached(['--name', 'db', '--expose', '5432']);
    await detached(['--name', 'cache', '--expose', '6379-6380', '--expose', '53/udp']);
    await detached(['--name', 'web1', '--expose', 'none', '--link', 'db', '--link', 'cache:redis']);
    await detached(['--name', 'web2', '--expose', 'none', '--link', 'cache', '--link', 'db:store'], WATCH_HOSTS);
    // S18, S19.
    expect(await row('db')).toMatch(/\s5432\/tcp\s+db,web1\/db,web2\/store$/);
    expect(await row('cache')).toMatch(/\s53\/udp, 6379-6380\/tcp\s+cache,web1\/redis,web2\/cache$/);

    await stage.unet.logged('web2', /store \w+ db>/);
    expect(await stage.unet.ok(['rm', '--link', 'web2/store'])).toBe('web2/store\n');
    await stage.unet.logged('web2', /has <>/);
    expect(await row('db')).toMatch(/\sdb,web1\/db$/);
    expect(await stage.unet.run(['rm', '--link', '/db'])).toMatchObject({
      code: 1,
      stderr: 'unet: Conflict, cannot remove the default link name of the container\n',
    });
    expect(await stage.unet.run(['rm', '--link', 'web2/store'])).toMatchObject({
      code: 1,
      stderr: 'unet: No such container: web2/store\n',
    });
    await stage.unet.ok(['stop', '-t', '0', 'cache']);
    expect(await row('cache')).toMatch(/Exited \(\d+\).* ago\s+cache,web1\/redis,web2\/cache$/);
  });

  it.each([
    ['vector 75', '', 'empty string specified for links'],
    ['vector 75', 'too:much:of:it', 'bad format for links: too:much:of:it'],
    ['vector 77', 'bogus:alias', 'could not get container for bogus: No such container: bogus'],
    ['vector 87', 'third:bar', 'could not get container for third: No such container: third'],
  ])('%s: --link %j is refused with 125', async (_, value, message) => {
    const { code, stderr } = await stage.unet.run(['run', '--rm', '--link', value, '--', 'true']);
    expect({ code, stderr: stderr.split('\n')[0] }).toEqual({ code: 125, stderr: `unet: ${message}` });
  });

  it('vector 84: one made anew under the old name does not repair the link', async () => {
    await detached(['--name', 'test', '--expose', '1']);
    await detached(['--name', 'test2', '--link', 'test']);
    await stage.unet.ok(['rm', '-f', 'test']);
    await detached(['--name', 'test', '--expose', '1']);
    await stage.unet.ok(['stop', '-t', '0', 'test2']);
    expect(await stage.unet.run(['start', 'test2'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Cannot link to a non running container: /test AS /test2/test'),
    });
  });

  it('Decision 8: wait for the first port of a child that declares none, and know it everywhere', async () => {
    await detached(['--name', 'db'], listener(7000, '0.0.0.0', 1500));
    const waited = await stage.unet.run([
      'run',
      '--rm',
      '--link',
      'db',
      '--',
      'sh',
      '-c',
      'echo $DB_PORT_7000_TCP_PORT',
    ]);
    expect(waited).toMatchObject({ code: 0, stdout: '7000\n', stderr: '' });
    expect(await row('db')).toMatch(/\s7000\/tcp\s+db$/);
    await detached(['--name', 'secret', '--expose', 'none'], listener(7001, '0.0.0.0'));
    await stage.unet.logged('secret', /listening/);
    expect(await row('secret')).not.toMatch(/7001/);
  });

  it('Decision 8: go on with a warning when nothing is heard, and do not count loopback', async () => {
    await detached(['--name', 'db'], listener(7000, '127.0.0.1'));
    await stage.unet.logged('db', /listening/);
    const began = performance.now();
    const { code, stdout, stderr } = await stage.unet.run([
      ...['run', '--rm', '--name', 'web', '--link', 'db', '--link-wait', '1'],
      ...['--', 'sh', '-c', 'env | grep ^DB_'],
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'DB_NAME=/web/db\n' });
    expect(stderr).toMatch(/linked container db listens on no port after 1 s, so DB_PORT and the like are not set/);
    expect(performance.now() - began).toBeGreaterThan(1000);
    expect(performance.now() - began).toBeLessThan(patient(5000));
  });

  it.each([
    ['a piece of musl', 1024, 0],
    ['a few bytes', 48, 0],
    ['a few bytes, now and then', 48, 0.001],
  ])('no reader sees half of /etc/hosts: %s', async (_, piece, pause) => {
    const reader = stage.world.fixture('hosts-reader.py');
    const names = ['short', 'a_name_that_is_much_longer_than_the_other_one'];
    await detached(['--name', 'short', '--expose', 'none']);
    await detached(
      ['--name', 'web', '-h', 'reader', '--link', 'short:store', '--add-host', 'last-line:192.0.2.9'],
      ['python3', reader, String(piece), String(pause)],
    );
    await stage.unet.logged('web', /reading/);
    for (let round = 0; round < 16; round++) {
      await stage.unet.ok(['rename', names[round % 2] ?? '', names[(round + 1) % 2] ?? '']);
    }
    await stage.unet.ok(['stop', 'web']);
    const log = await stage.unet.logged('web', /readings=.*/);
    const [, readings, texts, torn] = /readings=(\d+) texts=(\d+) torn=(\d+)/.exec(log) ?? [];
    expect(`torn: ${torn}\n${log}`).toMatch(/^torn: 0\n/);
    expect(Number(readings)).toBeGreaterThan(100);
    expect(Number(texts)).toBeGreaterThanOrEqual(2);
  });

  it('variables never change after the start, hosts do', async () => {
    await detached(['--name', 'db', '--expose', '5432']);
    await detached(
      ['--name', 'web', '--link', 'db:store'],
      ['sh', '-c', 'while :; do echo "$STORE_PORT_5432_TCP_ADDR $(grep store /etc/hosts | cut -f1)"; sleep 0.1; done'],
    );
    const first = await stage.unet.logged('web', /^(\S+) \1$/m);
    const [, address = ''] = /^(\S+) \1$/m.exec(first) ?? [];
    await stage.unet.ok(['stop', '-t', '0', 'db']);
    await detached(['--name', 'squatter']);
    await stage.unet.ok(['start', 'db']);
    await until('the hosts line has another address', async () => {
      const last = (await stage.unet.logs('web')).trimEnd().split('\n').at(-1) ?? '';
      const [variable, line] = last.split(' ');
      return variable === address && line !== undefined && line !== '' && line !== address;
    });
  });
});
