import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeInWorld } from '../harness/e2e.js';
import { share } from '../harness/patience.js';
import { programs } from '../harness/programs.js';
import { Session } from '../harness/session.js';
import { until } from '../harness/world.js';

const BLOB_BYTES = 3_000_000;
const REQUESTS = share(3200);

// Redis and its own client: what they see of each other is what libc and sockets give them.
describeInWorld('a real database over a link', (stage) => {
  const { need, has } = programs(stage);
  const place = (name: string) => join(stage.world.directory, 'home', name);
  let web: Session;
  const cli = 'redis-cli -h store -p $STORE_PORT_6379_TCP_PORT';
  const hostsLine = () => web.ask("grep -P '\\tstore ' /etc/hosts");

  beforeEach((context) => {
    need(context, 'redis-server', 'redis-cli');
  });

  beforeAll(async () => {
    if (!has('redis-server')) return;
    writeFileSync(place('blob'), Buffer.alloc(BLOB_BYTES, 'row of a table; '));
    const server = ['redis-server', '--bind', '0.0.0.0', '--protected-mode', 'no', '--appendonly', 'yes'];
    await stage.unet.detached(['--name', 'db'], [...server, '--dir', place('.')]);
    // Linked while the server may still be on its way up: its first listener is waited for.
    web = await Session.open(stage.unet, ['--name', 'web', '--link', 'db:store']);
  });

  afterAll(async () => {
    await web?.leave();
  });

  it('S25, S28: is found by alias, at the port that the variables tell, although nobody declared one', async () => {
    expect(await web.ask('echo $STORE_PORT_6379_TCP_PORT $STORE_NAME')).toBe('6379 /web/store');
    expect(await web.ask(`${cli} ping`)).toBe('PONG');
    expect(await web.ask(`${cli} set greeting 'hello, world'`)).toBe('OK');
    expect(await web.ask(`${cli} get greeting`)).toBe('hello, world');
  });

  it('S13: carries megabytes there and back, whole', async () => {
    expect(await web.ask(`${cli} -x set blob < ${place('blob')}`)).toBe('OK');
    expect(await web.ask(`${cli} strlen blob`)).toBe(String(BLOB_BYTES));
    expect(await web.ask(`${cli} get blob | head -c ${BLOB_BYTES} | cmp - ${place('blob')} && echo same`)).toBe('same');
  });

  it('S13: serves many connections at once', async (context) => {
    need(context, 'redis-benchmark');
    const host = '-h store -p $STORE_PORT_6379_TCP_PORT';
    const { code } = await web.try(`redis-benchmark ${host} -t incr -n ${REQUESTS} -c 40 -q`, 60_000);
    expect(code).toBe(0);
    expect(await web.ask(`${cli} get counter:__rand_int__`)).toBe(String(REQUESTS));
  });

  it('S13: the alias is that of the linked container alone', async () => {
    const other = await stage.unet.run(['run', '--rm', '--', 'redis-cli', '-h', 'store', 'ping']);
    expect(other.code).not.toBe(0);
    expect(other.stderr).toMatch(/store/);
    expect(await stage.unet.shell('redis-cli -h db get greeting')).toBe('hello, world');
  });

  it('S28: a database that is down has no name, and nobody waits for it', async () => {
    await stage.unet.ok(['stop', 'db']);
    await until('its line is gone', async () => (await hostsLine()) === '');
    expect((await web.try('getent ahostsv4 store')).code).toBe(2);
    expect((await web.try(`${cli} ping`)).text).toMatch(/store/);
  });

  it('S28: one that comes back at another address is found there by the container that runs, with its data', async () => {
    const address = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    const inode = await web.ask('stat -c %i /etc/hosts');
    const before = await web.ask('echo $STORE_PORT_6379_TCP_ADDR');
    const squatter = await stage.unet.detached(['--name', 'squatter'], ['sleep', '1000']);
    expect((await stage.unet.ok(['inspect', '-f', address, squatter])).trim()).toBe(before);

    await stage.unet.ok(['start', 'db']);
    const after = (await stage.unet.ok(['inspect', '-f', address, 'db'])).trim();
    expect(after).not.toBe(before);
    await until('the line follows', async () => (await hostsLine()).startsWith(`${after}\t`));
    expect(await web.ask('stat -c %i /etc/hosts')).toBe(inode);
    expect((await web.ask('getent ahostsv4 store')).split(' ')[0]).toBe(after);
    await until('it answers', async () => (await web.ask(`${cli} ping`)) === 'PONG');
    expect(await web.ask(`${cli} get greeting`)).toBe('hello, world');
    expect(await web.ask(`${cli} strlen blob`)).toBe(String(BLOB_BYTES));
    // A process keeps the variables that it was started with.
    expect(await web.ask('echo $STORE_PORT_6379_TCP_ADDR')).toBe(before);
  });

  it('S28: and after a restart, which ends every connection, at once', async () => {
    await stage.unet.ok(['restart', 'db']);
    await until('it answers', async () => (await web.ask(`${cli} ping`)) === 'PONG');
    expect(await web.ask(`${cli} get greeting`)).toBe('hello, world');
  });
});
