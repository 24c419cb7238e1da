import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseFaults } from '../../../src/model/fault-spec.js';
import { DaemonUnderTest } from '../../fixtures/daemon-under-test.js';
import { until } from '../../fixtures/until.js';

let world: DaemonUnderTest;
let web: string;
let db: string;
beforeEach(async () => {
  world = await new DaemonUnderTest().start();
  web = (await world.run({ name: 'web' })).id;
  db = (await world.run({ name: 'db' })).id;
});
afterEach(() => world.stop());

const change = (...specs: string[]) => parseFaults(specs);
const spec = (text: string) => parseFaults([text]).egress ?? null;
const NONE = { egress: null, ingress: null };

describe('the faults of a container', () => {
  it('begin with what it was started with', async () => {
    const faults = { egress: spec('loss=1%'), ingress: null };
    const { id } = await world.run({ faults });
    expect(world.stack.endpoints.get(id)?.spec.faults).toEqual(faults);
    expect(await world.client.faults(id)).toEqual({ ...faults, between: [] });
  });

  it('are none otherwise, and change a direction at a time', async () => {
    expect(await world.client.faults('web')).toEqual({ ...NONE, between: [] });
    await world.client.setFaults('web', change('delay=50ms'));
    expect(await world.client.setFaults('web', change('ingress:rate=1mbit'))).toEqual({
      egress: spec('delay=50ms'),
      ingress: spec('rate=1mbit'),
    });
    expect(world.stack.endpoints.get(web)?.faults.ingress).toEqual(spec('rate=1mbit'));
    await world.client.setFaults('web', change('none'));
    expect(world.stack.endpoints.get(web)?.faults).toEqual(NONE);
    expect(world.stack.endpoints.get(db)?.faults).toEqual(NONE);
  });

  it('between two stand in both lists, whichever is named first', async () => {
    await world.client.setFaultsBetween('web', 'db', change('egress:partition'));
    await world.client.setFaultsBetween('db', 'web', change('egress:delay=5ms'));
    const [cut, slow] = [spec('partition'), spec('delay=5ms')];
    expect(await world.client.faultsBetween('web', 'db')).toEqual({ egress: cut, ingress: slow });
    expect(await world.client.faultsBetween('db', 'web')).toEqual({ egress: slow, ingress: cut });
    expect(await world.client.faults('db')).toEqual({
      ...NONE,
      between: [{ name: 'web', egress: slow, ingress: cut }],
    });
    expect(world.stack.between.get(`${db} ${web}`)).toEqual({ egress: slow, ingress: cut });
    await world.client.setFaultsBetween('web', 'db', change('none'));
    expect(await world.client.faultsBetween('db', 'web')).toEqual(NONE);
  });

  it('are known to a new engine and to a new daemon', async () => {
    await world.client.setFaults('web', change('delay=50ms'));
    await world.client.setFaultsBetween('db', 'web', change('egress:partition'));
    const stands = () => {
      const { endpoints, between } = world.stack;
      expect(endpoints.get(web)?.spec.faults).toEqual({ egress: spec('delay=50ms'), ingress: spec('delay=50ms') });
      const directions = [between.get(`${db} ${web}`)?.egress, between.get(`${web} ${db}`)?.ingress];
      expect(directions.filter(Boolean)).toEqual([spec('partition')]);
    };
    const engine = world.stack;
    engine.crash('for the test');
    await until(() => world.stack !== engine && world.stack.between.size > 0);
    stands();
    await world.crash();
    await world.start();
    stands();
  });

  it('end with the container, also those to others', async () => {
    await world.client.setFaults('web', change('delay=50ms'));
    await world.client.setFaultsBetween('db', 'web', change('partition'));
    world.stack.exit(web, 0);
    await world.client.wait('web', 'ended');
    expect(await world.client.faults('db')).toEqual({ ...NONE, between: [] });
    const record = JSON.parse(readFileSync(join(world.paths.containersDirectory, web, 'container.json'), 'utf8'));
    expect([record.faults, record.faultsTo]).toEqual([null, {}]);
  });

  it('are refused for what has none, in words', async () => {
    await expect(world.client.setFaults('nobody', change('none'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'No such container: nobody',
    });
    await expect(world.client.setFaultsBetween('web', 'web', change('none'))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: '"web" is one container; name two for the way between them',
    });
    world.stack.exit(db, 0);
    await world.client.wait('db', 'ended');
    const ended = { code: 'CONFLICT', message: expect.stringMatching(/^container "db" does not run any more/) };
    await expect(world.client.faults('db')).rejects.toMatchObject(ended);
    await expect(world.client.setFaults('db', change('none'))).rejects.toMatchObject(ended);
    await expect(world.client.faultsBetween('web', 'db')).rejects.toMatchObject(ended);
    await expect(world.client.setFaultsBetween('web', 'db', change('none'))).rejects.toMatchObject(ended);
  });

  it.each([
    [{ loss: 2 }, /egress\.loss/],
    [{ jitterUs: 1 }, /must not have more jitter than delay/],
    [{ delayUs: 1e9 }, /egress\.delayUs/],
    // The engine would make none of it: no limit at all.
    [{ rateBits: 0.4 }, /egress\.rateBits/],
    [{ corrupt: 1 }, /egress\.corrupt/],
  ])('are checked by the daemon, too: %j', async (wrong, message) => {
    const egress = { loss: 0, duplicate: 0, reorder: 0, delayUs: 0, jitterUs: 0, rateBits: 0, ...wrong };
    await expect(world.client.setFaults('web', { egress })).rejects.toMatchObject({ code: 'INVALID', message });
  });
});
