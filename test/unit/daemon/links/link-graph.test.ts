import { readFileSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerSummary, CreateContainer } from '../../../../src/api/index.js';
import { parseLinkSpec } from '../../../../src/model/link-spec.js';
import { createRequest, DaemonUnderTest } from '../../../fixtures/daemon-under-test.js';
import { until } from '../../../fixtures/until.js';

let world: DaemonUnderTest;
beforeEach(async () => {
  world = await new DaemonUnderTest().start();
});
afterEach(() => world.stop());

/** Declares what it has, so that nobody waits for listeners. */
const quiet = { exposeSeen: false } as const;
const linkedTo = (...links: string[]) => ({ links: links.map(parseLinkSpec), ...quiet });
const run = (name: string, request: Partial<CreateContainer> = {}) => world.run({ name, ...quiet, ...request });
const make = (name: string, request: Partial<CreateContainer> = {}) =>
  world.client.make(createRequest({ name, ...quiet, ...request }));

function hostsFile(id: string): string {
  return world.daemon.house.state.etcFile(id, 'hosts');
}

/** The lines behind the localhost block. */
function linkLines(id: string): string[] {
  const lines = readFileSync(hostsFile(id), 'utf8').trimEnd().split('\n');
  return lines.slice(lines.indexOf('ff02::2\tip6-allrouters') + 1);
}

function summaryOf(ref: string): ContainerSummary {
  const { registry, links } = world.daemon.house;
  return registry.resolve(ref).summary(links);
}

function addressOf(ref: string): string {
  const { address } = summaryOf(ref);
  if (address === null) throw new Error(`${ref} has no address`);
  return address;
}

async function start(ref: string): Promise<void> {
  const { id } = await world.client.start(ref);
  world.stack.attach(id);
  await world.client.wait(ref, 'started', { timeout: 2000 });
}

async function stop(ref: string): Promise<void> {
  await world.client.stop(ref, 1);
}

function namesOf(ref: string): readonly string[] {
  return summaryOf(ref).names;
}

describe('a link at create', () => {
  it('vector 77: the target must exist', async () => {
    await expect(run('web', linkedTo('bogus:alias'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'could not get container for bogus: No such container: bogus',
    });
    expect(await world.client.list(true)).toEqual([]);
  });

  it('vector 87: on every network, though it should be created later', async () => {
    await expect(make('web', linkedTo('third:bar'))).rejects.toThrow(
      'could not get container for third: No such container: third',
    );
  });

  it('§2.3: a container does not find itself by its new name', async () => {
    await expect(run('me', linkedTo('me'))).rejects.toThrow('could not get container for me: No such container: me');
  });

  it('§2.3: a prefix that several ids have is refused, one that only one has is taken', async () => {
    const ids: string[] = [];
    // By the seventeenth two begin with the same digit.
    for (let i = 0; i < 17; i++) ids.push((await make(`c${i}`)).id);
    const first = ids.find((id, index) => ids.some((other, at) => at !== index && other[0] === id[0])) ?? '';
    const prefix = first.slice(0, 1);
    await expect(make('web', linkedTo(`${prefix}:db`))).rejects.toMatchObject({
      code: 'AMBIGUOUS',
      message: `could not get container for ${prefix}: multiple IDs found with provided prefix: ${prefix}`,
    });
    const { id } = await make('web', linkedTo(`${first.slice(0, 12)}:db`, `${first}:full`));
    expect(world.daemon.house.registry.get(id)?.record.links).toEqual([
      { child: first, alias: 'db' },
      { child: first, alias: 'full' },
    ]);
  });

  it('S87: a hostname is no name', async () => {
    await run('db', { hostname: 'fred' });
    await expect(make('web', linkedTo('fred'))).rejects.toThrow('could not get container for fred');
  });

  it('§2.2: of two links with one alias the first wins, in any case of letters', async () => {
    const [db] = [await run('db'), await run('other')];
    const { id } = await run('web', linkedTo('db:store', 'other:store', 'other:STORE'));
    expect(world.daemon.house.registry.get(id)?.record.links).toEqual([{ child: db.id, alias: 'store' }]);
    expect(linkLines(id)).toEqual([`${addressOf('db')}\tstore ${db.id.slice(0, 12)} db`]);
  });
});

describe('a link at start', () => {
  it('§2.3: the target must run; the container stays, made', async () => {
    await make('db');
    await expect(run('web', linkedTo('db'))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'Cannot link to a non running container: /db AS /web/db',
    });
    expect(await world.client.list(true)).toMatchObject([{ name: 'web', status: 'created' }, { name: 'db' }]);
    await start('db');
    await start('web');
    expect(namesOf('db')).toEqual(['db', 'web/db']);
  });

  it('vector 84: one made anew under the old name does not repair the link', async () => {
    await run('test');
    await make('test2', linkedTo('test'));
    await world.client.remove('test', true);
    await run('test');
    await expect(world.client.start('test2')).rejects.toThrow(
      'Cannot link to a non running container: /test AS /test2/test',
    );
    expect(namesOf('test')).toEqual(['test']);
  });

  it('gives the variables, of what was declared and what the child was given', async () => {
    await run('db', { exposed: [{ port: 5432, protocol: 'tcp' }], env: { PASSWORD: 'gordon' } });
    const { linkEnv, warnings } = await run('web', linkedTo('db:store'));
    const address = addressOf('db');
    expect(linkEnv).toEqual({
      STORE_PORT: `tcp://${address}:5432`,
      STORE_PORT_5432_TCP: `tcp://${address}:5432`,
      STORE_PORT_5432_TCP_ADDR: address,
      STORE_PORT_5432_TCP_PORT: '5432',
      STORE_PORT_5432_TCP_PROTO: 'tcp',
      STORE_NAME: '/web/store',
      STORE_ENV_PASSWORD: 'gordon',
    });
    expect(warnings).toEqual([]);
  });

  it('S24: gives the variables of --link-env, or none', async () => {
    await run('db', { exposed: [53, 80].map((port) => ({ port, protocol: port === 53 ? 'udp' : 'tcp' })) });
    const legacy = await run('old', { ...linkedTo('db'), linkEnv: 'legacy' });
    expect(legacy.linkEnv).toMatchObject({ DB_PORT: `udp://${addressOf('db')}:53` });
    expect((await run('bare', { ...linkedTo('db'), linkEnv: 'none' })).linkEnv).toEqual({});
  });

  it('lets the first of two aliases have their one prefix', async () => {
    await run('aa');
    await run('bb');
    const { linkEnv } = await run('web', linkedTo('aa:my-db', 'bb:my_db'));
    expect(linkEnv).toEqual({ MY_DB_NAME: '/web/my-db' });
  });

  it('counts published ports, by their own number, as declared', async () => {
    const port = { hostAddress: '127.0.0.1', hostPort: null, containerPort: 80, protocol: 'tcp' as const };
    await run('http', { ports: [port], exposed: [{ port: 443, protocol: 'tcp' }] });
    const { linkEnv } = await run('web', linkedTo('http'));
    expect(Object.keys(linkEnv)).toContain('HTTP_PORT_80_TCP');
    expect(summaryOf('http').exposed).toEqual([
      { port: 80, protocol: 'tcp' },
      { port: 443, protocol: 'tcp' },
    ]);
  });
});

describe('what follows a link', () => {
  it('S34: many to many', async () => {
    const [db, cache] = [await run('db'), await run('cache')];
    const webs = [await run('web1', linkedTo('db', 'cache:redis')), await run('web2', linkedTo('cache', 'db:store'))];
    expect(namesOf('db')).toEqual(['db', 'web1/db', 'web2/store']);
    expect(namesOf('cache')).toEqual(['cache', 'web1/redis', 'web2/cache']);
    const [a, b] = [addressOf('db'), addressOf('cache')];
    const [one = '', two = ''] = webs.map(({ id }) => linkLines(id).join('\n'));
    expect(one).toBe(`${a}\tdb ${db.id.slice(0, 12)}\n${b}\tredis ${cache.id.slice(0, 12)} cache`);
    expect(two).toBe(`${b}\tcache ${cache.id.slice(0, 12)}\n${a}\tstore ${db.id.slice(0, 12)} db`);
  });

  it('vector 81: a line has alias, id and name, and never a hostname given with -h', async () => {
    const { id: child } = await run('container1', { hostname: 'fred' });
    const { id } = await run('web', linkedTo('container1:alias1'));
    expect(linkLines(id)).toEqual([`${addressOf('container1')}\talias1 ${child.slice(0, 12)} container1`]);
  });

  it('a word that is the alias of one link stands in no other line, in any case of letters', async () => {
    await run('db');
    const cache = await run('cache');
    const web = await run('web', linkedTo('cache:w', 'db:Store'));
    await world.client.rename('cache', 'store');
    expect(linkLines(web.id)).toEqual([
      `${addressOf('store')}\tw ${cache.id.slice(0, 12)}`,
      `${addressOf('db')}\tStore ${summaryOf('db').id.slice(0, 12)} db`,
    ]);
  });

  it('vector 82: the names of a child', async () => {
    await run('first');
    await run('second', linkedTo('first'));
    expect(namesOf('first')).toEqual(['first', 'second/first']);
  });

  it('Decision 1: a child that stops has no line, and comes with its new address, in the same inode', async () => {
    const db = await run('db');
    const web = await run('web', linkedTo('db:store'));
    const { ino } = statSync(hostsFile(web.id));
    const before = addressOf('db');
    await stop('db');
    expect(linkLines(web.id)).toEqual([]);
    await run('squatter');
    expect(addressOf('squatter')).toBe(before);
    await start('db');
    expect(addressOf('db')).not.toBe(before);
    expect(linkLines(web.id)).toEqual([`${addressOf('db')}\tstore ${db.id.slice(0, 12)} db`]);
    expect(statSync(hostsFile(web.id)).ino).toBe(ino);
  });

  it('§2.2: names follow when parent or child is renamed, and the file of a running parent too', async () => {
    const db = await run('db');
    const web = await run('web', linkedTo('db:store'));
    await world.client.rename('web', 'front');
    await world.client.rename('db', 'postgres');
    expect(namesOf('postgres')).toEqual(['postgres', 'front/store']);
    expect(linkLines(web.id)).toEqual([`${addressOf('postgres')}\tstore ${db.id.slice(0, 12)} postgres`]);
    expect(summaryOf('front/store').id).toBe(db.id);
    expect(() => summaryOf('web/store')).toThrow('No such container: web/store');
    await stop('postgres');
    await stop('front');
    await expect(world.client.start('front')).rejects.toThrow(
      'Cannot link to a non running container: /postgres AS /front/store',
    );
  });

  it('§2.2: with the parent its link names go; with the child its line', async () => {
    await run('db');
    const web = await run('web', linkedTo('db'));
    await run('web2', linkedTo('db'));
    await world.client.remove('web2', true);
    expect(namesOf('db')).toEqual(['db', 'web/db']);
    await world.client.remove('db', true);
    expect(linkLines(web.id)).toEqual([]);
  });

  it('lives in the record: a daemon that comes later knows it', async () => {
    const db = await run('db');
    await make('web', linkedTo('db:store'));
    await stop('db');
    await world.crash();
    await world.start();
    expect(namesOf('db')).toEqual(['db', 'web/store']);
    await start('db');
    await start('web');
    expect(summaryOf('web/store').id).toBe(db.id);
  });

  it('puts --add-host behind the links, with the gateway where it was asked for', async () => {
    const db = await run('db');
    const extraHosts = [
      { name: 'build', address: '192.0.2.3' },
      { name: 'host', address: 'host-gateway' as const },
    ];
    const web = await run('web', { ...linkedTo('db'), extraHosts });
    expect(linkLines(web.id)).toEqual([
      `${addressOf('db')}\tdb ${db.id.slice(0, 12)}`,
      '192.0.2.3\tbuild',
      `${world.daemon.house.network.gateway}\thost`,
    ]);
  });
});

describe('rm --link', () => {
  it('§2.2: takes the link alone: the line, the name, the alias', async () => {
    await run('db');
    const web = await run('web', linkedTo('db', 'db:store'));
    await world.client.unlink('web', 'db');
    expect(namesOf('db')).toEqual(['db', 'web/store']);
    expect(linkLines(web.id)).toHaveLength(1);
    expect((await world.client.list()).map(({ name }) => name)).toEqual(['web', 'db']);
    await world.crash();
    await world.start();
    expect(namesOf('db')).toEqual(['db', 'web/store']);
  });

  it('is not undone by what else is written of its parent at the same time', async () => {
    await run('db');
    const rounds = Array.from({ length: 10 }, (_, round) => `web${round}`);
    for (const name of rounds) {
      const { id } = await run(name, linkedTo('db'));
      await Promise.all([world.client.unlink(name, 'db'), world.client.rename(id, `${name}-new`)]);
    }
    await world.crash();
    await world.start();
    expect(namesOf('db')).toEqual(['db']);
  });

  it('finds an alias as long as a DNS name', async () => {
    await run('db');
    const alias = 'a'.repeat(253);
    await run('web', linkedTo(`db:${alias}`));
    expect((await world.client.inspect(`web/${alias}`)).name).toBe('db');
    await world.client.unlink('web', alias);
    expect(namesOf('db')).toEqual(['db']);
  });

  it('§2.3: refuses the name of a container', async () => {
    await run('db');
    await expect(world.client.unlink('db', '')).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'Conflict, cannot remove the default link name of the container',
    });
  });

  it.each([
    ['web', 'nope', 'No such container: web/nope'],
    ['nobody', 'db', 'No such container: nobody'],
    ['nobody', '', 'No such container: nobody'],
  ])('does not find %s/%s', async (parent, alias, message) => {
    await run('web');
    await expect(world.client.unlink(parent, alias)).rejects.toMatchObject({ code: 'NOT_FOUND', message });
  });
});

describe('an alias', () => {
  it('Decision 3: is known to the linking container alone, in any case of letters', async () => {
    const [db] = [await run('db')];
    const web = await run('web', linkedTo('db:Store'));
    const { links } = world.daemon.house;
    expect(links.childByAlias(web.id, 'sTORE')?.id).toBe(db.id);
    expect(links.childByAlias(db.id, 'Store')).toBeUndefined();
    expect(links.childByAlias(web.id, 'db')).toBeUndefined();
    await world.client.remove('db', true);
    await until(() => links.childByAlias(web.id, 'Store') === undefined);
  });
});
