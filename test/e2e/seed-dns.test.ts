import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS, GATEWAY } from '../harness/layout.js';
import type { Running } from '../harness/running.js';
import { Session } from '../harness/session.js';
import { until } from '../harness/world.js';

/** In server's network, and nobody's. */
const DEAD_SERVER = '10.91.2.99';
/** Two servers that answer differently, so that an answer tells who was asked. */
const FIRST = { address: ADDRESS.server, answers: '192.0.2.1' } as const;
const SECOND = { address: ADDRESS.serverSecond, answers: '192.0.2.2' } as const;
const HOST_FILE = `nameserver ${FIRST.address}\nsearch host.example\noptions timeout:3\n`;

describeInWorld("the seed's chapter on DNS", (stage) => {
  const servers: Running[] = [];
  const [first, second] = [0, 1].map((index) => () => servers[index]?.stdout ?? '') as [() => string, () => string];
  const open = (...options: string[]) => Session.open(stage.unet, ['--rm', ...options]);
  /** What libc makes of a name, or nothing. */
  const resolve = async (inside: Session, name: string) =>
    /^\S+/.exec((await inside.try(`getent ahostsv4 ${name}`)).text)?.[0] ?? '';
  const directives = (inside: Session) => inside.ask("grep -v -e '^#' -e '^$' /etc/resolv.conf");

  beforeAll(async () => {
    for (const { address, answers } of [FIRST, SECOND]) {
      const names = ['who.test', 'host.example.com', 'inner.host.example', 'other.example.org', 'db.example.com'];
      const argv = [
        'node',
        stage.world.fixture('dns-server.mjs'),
        address,
        ...names.map((name) => `${name}=${answers}`),
      ];
      const server = stage.world.start('server', argv);
      await server.output(/ready/);
      servers.push(server);
    }
    await stage.world.writeEtc('resolv.conf', HOST_FILE);
    await stage.unet.detached(['--name', 'db'], ['sleep', '1000']);
  });

  afterEach(async () => {
    await stage.world.writeEtc('resolv.conf', HOST_FILE);
  });

  afterAll(() => {
    for (const server of servers) server.kill('SIGKILL');
  });

  it("S74: without --dns and --dns-search the host's resolv.conf decides", async () => {
    const inside = await open();
    expect(await directives(inside)).toBe(`nameserver ${GATEWAY}\nsearch host.example\noptions timeout:3 ndots:0`);
    expect(await resolve(inside, 'who.test')).toBe(FIRST.answers);
    expect(await resolve(inside, 'inner')).toBe(FIRST.answers);
    expect(first()).toMatch(/^inner 1 by udp\ninner\.host\.example 1 by udp$/m);
    expect(second()).toBe('ready 53\n');
    await inside.leave();
  });

  it('S58: --dns names the server that is asked', async () => {
    const inside = await open('--dns', SECOND.address);
    expect(await inside.ask('cat /etc/resolv.conf')).toMatch(
      new RegExp(`^nameserver ${GATEWAY}\n[^]*${SECOND.address}`),
    );
    expect(await resolve(inside, 'who.test')).toBe(SECOND.answers);
    await inside.leave();
  });

  it('S58: of several --dns one that is dead costs a wait, not the answer', async () => {
    const inside = await open('--dns', DEAD_SERVER, '--dns', SECOND.address);
    expect(await resolve(inside, 'other.example.org')).toBe(SECOND.answers);
    expect(await resolve(inside, 'who.test')).toBe(SECOND.answers);
    await inside.leave();
  });

  it('S58: --dns 127.0.0.1 is a resolver of the container itself', async () => {
    const inside = await open('--dns', '127.0.0.1', '--link-wait', '0', '--link', 'db:store');
    expect(inside.stderr).toMatch(/^unet: warning: .*127\.0\.0\.1/m);
    expect((await directives(inside)).split('\n')[0]).toBe('nameserver 127.0.0.1');
    const server = `node ${stage.world.fixture('dns-server.mjs')} 127.0.0.1 who.test=192.0.2.77`;
    await inside.ask(
      `${server} > "$TMPDIR/inner.log" & for n in $(seq 200); do grep -q ready "$TMPDIR/inner.log" && break; sleep 0.1; done`,
    );
    expect(await resolve(inside, 'who.test')).toBe('192.0.2.77');
    expect(await resolve(inside, 'store')).toMatch(/^172\.17\.0\.\d+$/);
    await inside.ask('kill $(pgrep -f dns-server.mjs)');
    await inside.leave();
  });

  it('S72: --dns answers for every name that is not in /etc/hosts, one of a single label too', async () => {
    const options = ['--dns', SECOND.address, '--dns-search', '.', '--link-wait', '0', '--link', 'db:who.test'];
    const inside = await open(...options);
    const before = second().length;
    expect(await resolve(inside, 'who.test')).toMatch(/^172\.17\.0\.\d+$/);
    expect(await resolve(inside, 'lonely')).toBe('');
    expect(await resolve(inside, 'other.example.org')).toBe(SECOND.answers);
    const asked = second().slice(before);
    expect(asked).not.toContain('who.test');
    expect(asked).toMatch(/^lonely 1 by udp$/m);
    expect(first()).not.toMatch(/^lonely\b/m);
    await inside.leave();
  });

  it('S59, S73: --dns-search .example.com: a name is searched as host, and as host.example.com', async () => {
    const inside = await open('--dns-search', '.example.com');
    expect(await directives(inside)).toContain('\nsearch example.com\n');
    const before = first().length;
    expect(await resolve(inside, 'host')).toBe(FIRST.answers);
    expect(first().slice(before)).toMatch(/^host 1 by udp\nhost\.example\.com 1 by udp$/m);
    await inside.leave();
  });

  it('S59, S73: with ndots:1 the suffix comes first, and a local name wins over what the server has under it', async () => {
    const inside = await open('--dns-search', 'example.com', '--dns-opt', 'ndots:1');
    const before = first().length;
    expect(await resolve(inside, 'db')).toMatch(/^172\.17\.0\.\d+$/);
    expect(await resolve(inside, 'db.example.com')).toMatch(/^172\.17\.0\.\d+$/);
    expect(await resolve(inside, 'other')).toBe('');
    expect(first().slice(before)).toMatch(/^other\.example\.com 1 by udp$/m);
    expect(first().slice(before)).not.toMatch(/^db\b/m);
    await inside.leave();
  });

  it('S59: several domains are searched in their order, and . alone means none', async () => {
    const several = await open('--dns-search', 'nothing.test', '--dns-search', 'example.org');
    expect(await directives(several)).toContain('\nsearch nothing.test example.org\n');
    expect(await resolve(several, 'other')).toBe(FIRST.answers);
    await several.leave();
    const none = await open('--dns-search', '.');
    expect(await directives(none)).not.toContain('search');
    expect(await resolve(none, 'inner')).toBe('');
    await none.leave();
  });

  it("S69: a change of the host's resolv.conf reaches every container at once, and no file inside changes", async () => {
    const insides = [
      await open('--name', 'one'),
      await open('--name', 'two', '--dns-search', 'example.com'),
      await open(),
    ];
    const given = await open('--dns', FIRST.address);
    const file = 'stat -c "%i %y" /etc/resolv.conf; cat /etc/resolv.conf';
    const files = await Promise.all(insides.map((inside) => inside.ask(file)));
    // Asked before, so that the answer stands in the cache when its server is dismissed.
    for (const inside of [...insides, given]) expect(await resolve(inside, 'who.test')).toBe(FIRST.answers);

    await stage.world.writeEtc('resolv.conf', HOST_FILE.replace(FIRST.address, SECOND.address));
    for (const inside of insides) {
      await until('it asks the new server', async () => (await resolve(inside, 'who.test')) === SECOND.answers, 3000);
    }
    const dismissed = first().length;
    for (const inside of insides) expect(await resolve(inside, 'other.example.org')).toBe(SECOND.answers);
    expect(first().slice(dismissed)).toBe('');
    expect(await resolve(given, 'who.test')).toBe(FIRST.answers);
    expect(await Promise.all(insides.map((inside) => inside.ask(file)))).toEqual(files);
    for (const inside of [...insides, given]) await inside.leave();
  });

  it('S60: the daemon has defaults, list by list, and each option of a run replaces its list whole', async () => {
    await stage.unet.ok(['daemon', 'stop', '--all']);
    const config = join(stage.world.directory, 'config', 'unet', 'config.json');
    mkdirSync(dirname(config), { recursive: true });
    writeFileSync(
      config,
      JSON.stringify({ dns: [DEAD_SERVER, SECOND.address], 'dns-search': ['example.org', 'a.test'] }),
    );

    const plain = await open();
    expect(await directives(plain)).toBe(`nameserver ${GATEWAY}\nsearch example.org a.test\noptions timeout:3 ndots:0`);
    expect(await resolve(plain, 'other')).toBe(SECOND.answers);
    await plain.leave();

    const searching = await open('--dns-search', 'example.com');
    expect(await directives(searching)).toContain('\nsearch example.com\n');
    expect(await resolve(searching, 'host')).toBe(SECOND.answers);
    await searching.leave();

    const asking = await open('--dns', FIRST.address);
    expect(await directives(asking)).toContain('\nsearch example.org a.test\n');
    expect(await asking.ask('cat /etc/resolv.conf')).not.toContain(SECOND.address);
    expect(await resolve(asking, 'who.test')).toBe(FIRST.answers);
    await asking.leave();

    rmSync(config);
    await stage.unet.ok(['daemon', 'stop', '--all']);
    const env = { UNET_OPTS: `--dns ${SECOND.address} --dns-opt=timeout:2` };
    const seen = await stage.unet.shell('cat /etc/resolv.conf; getent ahostsv4 who.test', [], { env });
    expect(seen).toContain('\nsearch host.example\noptions timeout:2 ndots:0\n');
    expect(seen).toContain(`${SECOND.answers} `);
  });
});
