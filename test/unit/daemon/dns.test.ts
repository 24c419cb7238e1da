import { decode, encode, type Packet, RECURSION_DESIRED } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DaemonUnderTest } from '../../fixtures/daemon-under-test.js';
import { until } from '../../fixtures/until.js';

let world: DaemonUnderTest;
beforeEach(async () => {
  world = await new DaemonUnderTest().start();
});
afterEach(() => world.stop());

async function ask(
  endpoint: string,
  name: string,
  type: 'A' | 'AAAA' | 'PTR' = 'A',
): Promise<Packet & { rcode: string }> {
  const question = encode({ type: 'query', id: 7, flags: RECURSION_DESIRED, questions: [{ type, name, class: 'IN' }] });
  const query = world.stack.askDns(endpoint, question);
  const find = () => world.stack.dnsAnswers.find((answer) => answer.query === query);
  await until(() => find() !== undefined);
  return decode(find()?.message ?? Buffer.alloc(0)) as unknown as Packet & { rcode: string };
}

const addresses = ({ answers }: Packet) => answers?.map((answer) => ('data' in answer ? answer.data : null));

describe('names inside', () => {
  it('are container names, short ids and either with the network behind it, in any case', async () => {
    const web = await world.run({ name: 'Web' });
    const db = await world.run({ name: 'db' });
    const { address } = web.launch.interface;
    for (const name of ['web', 'WEB', web.id.slice(0, 12), 'web.bridge', `${web.id.slice(0, 12)}.bridge`]) {
      expect(addresses(await ask(db.id, name)), name).toEqual([address]);
    }
    expect(await ask(db.id, 'web', 'AAAA')).toMatchObject({ rcode: 'NOERROR', answers: [] });
  });

  it('of a container that is down do not exist, and are not asked elsewhere', async () => {
    const web = await world.run({ name: 'web' });
    const db = await world.run({ name: 'db' });
    world.stack.exit(web.id, 0);
    await world.client.wait(web.id, 'ended');
    expect(await ask(db.id, 'web')).toMatchObject({ rcode: 'NXDOMAIN' });
  });

  it('do not include a hostname', async () => {
    const db = await world.run({ name: 'db', hostname: 'private.bridge' });
    const zone = world.daemon.house.registry;
    expect(zone.findByHostName('private.bridge')).toBeUndefined();
    expect(zone.findByHostName('db')?.id).toBe(db.id);
  });

  it('are found by address', async () => {
    const web = await world.run({ name: 'web' });
    const reverse = `${web.launch.interface.address.split('.').reverse().join('.')}.in-addr.arpa`;
    expect(addresses(await ask(web.id, reverse, 'PTR'))).toEqual(['web.bridge']);
  });

  it('give the host only to who may reach it', async () => {
    const open = await world.run({ hostAccess: { all: false, ports: [5432] } });
    const closed = await world.run();
    expect(addresses(await ask(open.id, 'host.unet.internal'))).toEqual([open.launch.interface.gateway]);
    expect(await ask(closed.id, 'host.docker.internal')).toMatchObject({ rcode: 'NXDOMAIN' });
  });
});
