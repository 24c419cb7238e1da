import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeInWorld, type Stage } from '../harness/e2e.js';
import { ADDRESS } from '../harness/layout.js';
import { programs } from '../harness/programs.js';
import type { Running } from '../harness/running.js';
import { Session } from '../harness/session.js';
import { until } from '../harness/world.js';

const SHORT_ID = /^[0-9a-f]{12}$/;
const FULL_ID = /^[0-9a-f]{64}$/;
/** A real server where the seed has PostgreSQL, on PostgreSQL's port. */
const DATABASE = ['redis-server', '--port', '5432', '--bind', '0.0.0.0', '--protected-mode', 'no', '--save', ''];

/** The cells of `ps`, by column, of the row whose name comes first in NAMES. */
async function row({ unet }: Stage, name: string, ...flags: string[]): Promise<Record<string, string>> {
  const [header = '', ...lines] = (await unet.ok(['ps', ...flags])).trimEnd().split('\n');
  const columns = header.split(/ {3,}/).map((title) => ({ title, from: header.indexOf(title) }));
  const rows = lines.map((line) =>
    Object.fromEntries(columns.map(({ title, from }, i) => [title, line.slice(from, columns[i + 1]?.from).trim()])),
  );
  const found = rows.find(({ NAMES = '' }) => NAMES.split(',')[0] === name);
  if (found === undefined) throw new Error(`no ${name} in\n${[header, ...lines].join('\n')}`);
  return found;
}

/** Variables of `env`, those of one prefix. */
function variables(env: string, prefix: string): Record<string, string> {
  const pairs = env.split('\n').map((line) => /^([^=]+)=(.*)$/.exec(line) ?? []);
  return Object.fromEntries(pairs.filter(([, key]) => key?.startsWith(prefix)).map(([, key, value]) => [key, value]));
}

// In the order of the text: what one test makes, the next ones use.
describeInWorld("the seed's own sequence", (stage) => {
  const { need } = programs(stage);
  const web = ['python3', 'app.py'];
  const inApp = () => ['-w', join(stage.world.directory, 'app', 'test', 'fixtures')];
  const visit = (place: 'host' | 'server', url: string) =>
    stage.world.run(place, ['curl', '-s', '-m', '10', '-w', '%{http_code}', url]);
  let webId = '';
  let outside: Running;

  beforeAll(async () => {
    outside = stage.world.start('server', ['node', stage.world.fixture('dns-server.mjs'), ADDRESS.server]);
    await outside.output(/ready/);
  });

  beforeEach((context) => {
    need(context, 'python3', 'curl', 'redis-server', 'redis-cli', 'ping');
  });

  afterAll(() => {
    outside.kill('SIGKILL');
  });

  it('S3, S4, S8: run -d --name web prints an id, and ps -l shows the name', async () => {
    const printed = await stage.unet.ok(['run', '-d', '-p', '5000', '--name', 'web', ...inApp(), '--', ...web]);
    expect(printed).toMatch(/^[0-9a-f]{64}\n$/);
    webId = printed.trim();
    await stage.unet.logged('web', /Running on/);
    const cells = await row(stage, 'web', '-l');
    expect(Object.keys(cells)).toEqual(['CONTAINER ID', 'IMAGE', 'COMMAND', 'CREATED', 'STATUS', 'PORTS', 'NAMES']);
    expect(cells).toMatchObject({ 'CONTAINER ID': webId.slice(0, 12), COMMAND: '"python3 app.py"', NAMES: 'web' });
    expect(cells['CREATED']).toMatch(/ ago$/);
    expect(cells['STATUS']).toMatch(/^Up /);
    expect(cells['PORTS']).toMatch(/^0\.0\.0\.0:\d+->5000\/tcp/);
  });

  it('S9: inspect -f "{{ .Name }}" shows /web, by name, by id and by the start of an id', async () => {
    for (const reference of [webId.slice(0, 12), 'web', webId, webId.slice(0, 7)]) {
      expect(await stage.unet.ok(['inspect', '-f', '{{ .Name }}', reference])).toBe('/web\n');
    }
  });

  it('S2: a container without --name gets a name, which stands for it as well', async () => {
    const id = await stage.unet.detached([], ['sleep', '1000']);
    const [line = ''] = (await stage.unet.ok(['ps', '-l'])).split('\n').slice(1);
    const name = line.split(/\s+/).at(-1) ?? '';
    expect(line).toContain(id.slice(0, 12));
    expect(name).toMatch(/^[a-z]+_[a-z]+$/);
    expect(await stage.unet.ok(['inspect', '-f', '{{.Id}}', name])).toBe(`${id}\n`);
    await stage.unet.ok(['rm', '-f', name]);
  });

  it('S10: the name web is given once', async () => {
    const { code, stdout, stderr } = await stage.unet.run(['run', '-d', '--name', 'web', '--', 'true']);
    expect({ code, stdout, stderr }).toEqual({
      code: 125,
      stdout: '',
      stderr: `unet: Conflict. The container name "/web" is already in use by container "${webId}". You have to remove (or rename) that container to be able to reuse that name.\n`,
    });
  });

  it('S14, S19: run -d --name db, a server that publishes nothing: PORTS says 5432/tcp', async () => {
    expect(await stage.unet.detached(['--name', 'db'], DATABASE)).toMatch(FULL_ID);
    await stage.unet.logged('db', /Ready to accept connections/);
    await until('its port is seen', async () => (await row(stage, 'db'))['PORTS'] === '5432/tcp');
    expect(await row(stage, 'db')).toMatchObject({ PORTS: '5432/tcp', NAMES: 'db' });
  });

  it('S22: nobody outside reaches the database; a neighbour on the network does', async () => {
    for (const [place, target] of [
      ['host', '127.0.0.1'],
      ['host', ADDRESS.host],
      ['server', ADDRESS.host],
    ] as const) {
      const { stdout, stderr } = await stage.world.run(place, ['redis-cli', '-h', target, '-p', '5432', 'ping']);
      expect(`${place} ${stdout}${stderr}`).toContain('Connection refused');
    }
    expect(await stage.unet.shell('redis-cli -h db -p 5432 ping')).toBe('PONG');
  });

  it('S10, S15: rm -f web frees the name', async () => {
    expect(await stage.unet.ok(['rm', '-f', 'web'])).toBe('web\n');
    expect((await stage.unet.run(['inspect', 'web'])).code).toBe(1);
  });

  it('S13, S16, S17, S62: run --name web --link db:db starts a web that uses the database, by name and by variable', async () => {
    webId = await stage.unet.detached(['-p', '5000', '--name', 'web', '--link', 'db:db', ...inApp()], web);
    await stage.unet.logged('web', /Running on/);
    const [, port] = /0\.0\.0\.0:(\d+)->5000/.exec((await row(stage, 'web'))['PORTS'] ?? '') ?? [];
    expect((await visit('host', `http://127.0.0.1:${port}/by-name`)).stdout).toBe('visit 1\n200');
    expect((await visit('server', `http://${ADDRESS.host}:${port}/by-variable`)).stdout).toBe('visit 2\n200');
    expect(await stage.unet.shell('redis-cli -h db -p 5432 get visits')).toBe('2');
    const links = await stage.unet.ok(['inspect', '-f', '{{json .HostConfig.Links}}', 'web']);
    expect(JSON.parse(links)).toEqual(['/db:/web/db']);
  });

  it('S18: ps shows db,web/db', async () => {
    expect(await row(stage, 'db')).toMatchObject({ PORTS: '5432/tcp', NAMES: 'db,web/db' });
    expect((await row(stage, 'web'))['NAMES']).toBe('web');
    expect(await stage.unet.ok(['inspect', '-f', '{{.Name}}', 'web/db'])).toBe('/db\n');
  });

  it('S24, S25: run --rm --name web2 --link db:db … env prints the variables of the link', async () => {
    const address = await addressOf('db');
    const env = await stage.unet.ok(['run', '--rm', '--name', 'web2', '--link', 'db:db', '--', 'env']);
    expect(variables(env, 'DB_')).toEqual({
      DB_NAME: '/web2/db',
      DB_PORT: `tcp://${address}:5432`,
      DB_PORT_5432_TCP: `tcp://${address}:5432`,
      DB_PORT_5432_TCP_ADDR: address,
      DB_PORT_5432_TCP_PORT: '5432',
      DB_PORT_5432_TCP_PROTO: 'tcp',
    });
    expect((await row(stage, 'db'))['NAMES']).toBe('db,web/db');
  });

  it('S26: the prefix is the alias in capitals, with _ for -, and nothing else changed', async () => {
    const env = await stage.unet.ok(['run', '--rm', '--name', 'web2', '--link', 'db:my-db.v1', '--', 'env']);
    expect(variables(env, 'MY_DB.V1_')).toMatchObject({ 'MY_DB.V1_NAME': '/web2/my-db.v1' });
    expect(Object.keys(variables(env, 'MY_DB.V1_'))).toHaveLength(6);
  });

  it('S17: the target is a name, an id or the start of one; without an alias its text is the alias', async () => {
    const id = (await row(stage, 'db'))['CONTAINER ID'] ?? '';
    const names = async (link: string) =>
      Object.entries(
        variables(await stage.unet.ok(['run', '--rm', '--name', 'parent', '--link', link, '--', 'env']), ''),
      )
        .filter(([key, value]) => key.endsWith('_NAME') && value.startsWith('/parent/'))
        .map(([key, value]) => `${key}=${value}`);
    expect(await names('db')).toEqual(['DB_NAME=/parent/db']);
    expect(await names(`${id}:store`)).toEqual(['STORE_NAME=/parent/store']);
    expect(await names(id)).toEqual([`${id.toUpperCase()}_NAME=/parent/${id}`]);
  });

  it('S27, S28, S71: /etc/hosts begins with the own line and holds that of the link', async () => {
    const inside = await Session.open(stage.unet, ['--rm', '--link', 'db:db']);
    const lines = (await inside.ask('cat /etc/hosts')).split('\n');
    const own = await inside.ask("ip -4 -o addr show eth0 | sed 's/.* inet \\([0-9.]*\\).*/\\1/'");
    const hostname = await inside.ask('hostname');
    expect(hostname).toMatch(SHORT_ID);
    expect(lines[0]).toBe(`${own}\t${hostname}`);
    expect(lines[1]).toBe('127.0.0.1\tlocalhost');
    const { 'CONTAINER ID': id } = await row(stage, 'db');
    expect(lines.filter((line) => /\sdb\b/.test(line))).toEqual([`${await addressOf('db')}\tdb ${id}`]);
    await inside.leave();
  });

  it('S1, S23: variables, /etc/hosts and DNS tell of the same container', async () => {
    const inside = await Session.open(stage.unet, ['--rm', '--link', 'db:store']);
    const address = await addressOf('db');
    expect(await inside.ask('echo $STORE_PORT_5432_TCP_ADDR')).toBe(address);
    expect(await inside.ask("grep -P '\\tstore ' /etc/hosts | cut -f1")).toBe(address);
    expect(await inside.ask(`node -e "require('dns').resolve4('store',(e,a)=>console.log(e?e.code:a.join()))"`)).toBe(
      address,
    );
    expect(await inside.ask('redis-cli -h store -p $STORE_PORT_5432_TCP_PORT get visits')).toBe('2');
    await inside.leave();
  });

  it('S29, S30, S31: at a terminal the prompt is root@ID:/opt/webapp#', async () => {
    const place = join(stage.world.directory, 'opt', 'webapp');
    await stage.world.run('host', ['mkdir', '-p', place], { cwd: '/' });
    // Without colours and bracketed paste.
    const env = ['-e', 'TERM=dumb', '-e', 'PS1=\\u@\\h:\\w\\$ '];
    const options = ['--rm', '-t', '-i', '--user', 'root', '--link', 'db:db', '-w', place, ...env];
    const argv = stage.unet.argv('run', ...options, '--', 'bash', '--norc', '--noprofile');
    const steps = [
      { size: [24, 200] },
      { wait: `:${place}# ` },
      { type: 'tty; hostname; head -n1 /etc/hosts; exit\n' },
      { wait: '/dev/pts/' },
    ];
    const { stdout } = await stage.world.run('host', [
      'python3',
      stage.world.fixture('at-terminal.py'),
      JSON.stringify(steps),
      ...argv,
    ]);
    const screen = stdout.replaceAll('\r', '');
    const [, id = ''] = /root@([0-9a-f]{12}):/.exec(screen) ?? [];
    expect(id).toMatch(/[a-f]/);
    expect(screen).toContain(`root@${id}:${place}# `);
    expect(screen).toMatch(new RegExp(`\\n${id}\\n172\\.17\\.0\\.\\d+\\t${id}\\n`));
    expect(screen).toMatch(/\nexit 0\n$/);
  });

  it('S29: the short id is the host name, in ps and inside', async () => {
    const id = await stage.unet.detached(
      ['--name', 'named'],
      ['sh', '-c', 'hostname; cat /etc/hostname; echo $HOSTNAME'],
    );
    const short = id.slice(0, 12);
    expect(await stage.unet.logged('named', /(.+\n){3}/)).toBe(`${short}\n${short}\n${short}\n`);
    await stage.unet.ok(['rm', '-f', 'named']);
  });

  it('S32: ping db is answered by db itself, 56 bytes with ttl=64', async () => {
    const text = await stage.unet.shell('ping -c 3 -i 0.2 -W 5 -s 48 db', ['--link', 'db:db']);
    const address = await addressOf('db');
    expect(text).toMatch(new RegExp(`^PING db \\(${address}\\) 48\\(76\\) bytes of data\\.\n`));
    const replies = text.split('\n').filter((line) => line.startsWith('56 bytes from '));
    expect(replies).toHaveLength(3);
    for (const reply of replies) expect(reply).toMatch(new RegExp(`\\(${address}\\): icmp_seq=\\d ttl=64 time=`));
    expect(text).toContain('3 received, 0% packet loss');
  });

  it('S34: several webs link to one db, and one container to several others', async () => {
    const cache = ['redis-server', '--port', '6379', '--bind', '0.0.0.0', '--protected-mode', 'no', '--save', ''];
    await stage.unet.detached(['--name', 'cache'], cache);
    await stage.unet.logged('cache', /Ready to accept connections/);
    const second = await Session.open(stage.unet, ['--name', 'web2', '--link', 'db:db', '--link', 'cache:fast']);
    const third = await Session.open(stage.unet, ['--name', 'web3', '--link', 'db:main', '--link', 'cache']);
    expect((await row(stage, 'db'))['NAMES']).toBe('db,web/db,web2/db,web3/main');
    expect((await row(stage, 'cache'))['NAMES']).toBe('cache,web2/fast,web3/cache');
    const key = `set from web2`;
    expect(await second.ask(`redis-cli -h db -p $DB_PORT_5432_TCP_PORT ${key}`)).toBe('OK');
    expect(await second.ask('redis-cli -h fast -p $FAST_PORT_6379_TCP_PORT get from')).toBe('');
    expect(await third.ask('redis-cli -h main -p $MAIN_PORT_5432_TCP_PORT get from')).toBe('web2');
    expect(await third.ask('redis-cli -h cache -p $CACHE_PORT_6379_TCP_PORT ping')).toBe('PONG');
    const hosts = await second.ask("cut -f2 /etc/hosts | cut -d' ' -f1 | tail -n 2 | sort");
    expect(hosts).toBe('db\nfast');
    await second.leave();
    await third.leave();
    await stage.unet.ok(['rm', '-f', 'web2', 'web3', 'cache']);
    expect((await row(stage, 'db'))['NAMES']).toBe('db,web/db');
  });

  it('S61, S67: -h sets the host name in /etc/hostname, in the own line of /etc/hosts and in the kernel', async () => {
    const inside = await Session.open(stage.unet, ['--rm', '--name', 'box', '-h', 'shop.example.com']);
    expect(await inside.ask('cat /etc/hostname; hostname; hostname -s; echo $HOSTNAME')).toBe(
      'shop.example.com\nshop.example.com\nshop\nshop.example.com',
    );
    expect(await inside.ask('head -n 1 /etc/hosts')).toMatch(/^172\.17\.0\.\d+\tshop\.example\.com shop$/);
    await inside.leave();
  });

  it('S70: nobody else sees that name: not ps, not /etc/hosts of a linked container, not DNS', async () => {
    const id = await stage.unet.detached(['--name', 'shop', '-h', 'fred'], ['sleep', '1000']);
    expect(await stage.unet.ok(['ps', '-a', '--no-trunc'])).not.toContain('fred');
    const options = ['--rm', '--link-wait', '0', '--link', 'shop:shop'];
    const inside = await Session.open(stage.unet, options);
    expect(await inside.ask("grep -P '\\tshop' /etc/hosts")).toMatch(
      new RegExp(`^172[.0-9]+\\tshop ${id.slice(0, 12)}$`),
    );
    expect(await inside.ask('cat /etc/hosts')).not.toContain('fred');
    expect(await inside.ask('getent ahostsv4 shop')).toContain('172.17.');
    expect((await inside.try('getent ahostsv4 fred')).code).toBe(2);
    await inside.leave();
  });

  it('S87: a link asks for a container by name or id; a host name is neither', async () => {
    const { code, stdout, stderr } = await stage.unet.run(['run', '--rm', '--link', 'fred:shop', '--', 'true']);
    expect({ code, stdout, stderr }).toEqual({
      code: 125,
      stdout: '',
      stderr: 'unet: could not get container for fred: No such container: fred\n',
    });
    await stage.unet.ok(['rm', '-f', 'shop']);
  });

  it('S66, S67, S68: mount shows the three files, each its own mount', async () => {
    const mounts = (await stage.unet.shell('mount')).split('\n');
    for (const file of ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf']) {
      expect(mounts.filter((line) => line.includes(` on ${file} type `))).toHaveLength(1);
    }
  });

  it('S1: all of this is known here, and no server outside was asked for it', () => {
    expect(outside.stdout).toMatch(/^fred \d+ by /m);
    expect(outside.stdout).not.toMatch(/^(db|web|store|shop|fast|main|cache)\b/m);
  });

  async function addressOf(name: string): Promise<string> {
    const template = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    const address = (await stage.unet.ok(['inspect', '-f', template, name])).trim();
    expect(address).toMatch(/^172\.17\.0\.\d+$/);
    return address;
  }
});
