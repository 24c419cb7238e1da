import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../../src/cli/index.js';
import { parseFaults } from '../../../src/model/fault-spec.js';
import { DaemonUnderTest } from '../../fixtures/daemon-under-test.js';
import { forgetPrinted, printed } from '../../fixtures/printed.js';

vi.mock('node:fs', async (original) => (await import('../../fixtures/printed.js')).keepingPrinted(await original()));

let world: DaemonUnderTest;
beforeEach(async () => {
  forgetPrinted();
  world = await new DaemonUnderTest().start();
  await world.run({ name: 'web' });
  await world.run({ name: 'db' });
});
afterEach(() => world.stop());

const unet = (...argv: string[]) => main(argv, { version: '1.2.3', cwd: () => '/', env: world.env });

describe('unet fault', () => {
  it('says nothing when it has done what it was told', async () => {
    expect(await unet('fault', 'web', 'delay=50ms,jitter=5ms', 'ingress:rate=10mbit')).toBe(0);
    expect(printed).toEqual({ out: '', err: '' });
    const expected = parseFaults(['delay=50ms,jitter=5ms', 'ingress:rate=10mbit']);
    expect(await world.client.faults('web')).toMatchObject(expected);
  });

  it('prints what stands, in words that it reads again', async () => {
    await unet('fault', 'web', 'egress:delay=50ms,loss=0.1%');
    await unet('fault', '--between', 'web', 'db', 'egress:partition');
    expect(await unet('fault', 'web')).toBe(0);
    expect(printed.out).toBe('Egress:  loss=0.1%,delay=50ms\nIngress: none\nto db:   partition\nfrom db: none\n');
    printed.out = '';
    expect(await unet('fault', '--between', 'db', 'web')).toBe(0);
    expect(printed.out).toBe('db to web: none\nweb to db: partition\n');
    printed.out = '';
    expect(await unet('fault', 'web', '--json')).toBe(0);
    expect(JSON.parse(printed.out)).toEqual(await world.client.faults('web'));
  });

  it.each([
    [[], /no container given: unet fault CONTAINER/],
    [['--between', 'web'], /two containers are needed/],
    [['web', 'slow'], /invalid fault 'slow': give .*delay=TIME/],
    [['web', 'loss=1'], /invalid fault 'loss=1': give .*loss=P%/],
    [['web', 'delay=5ms', 'jitter=5ms'], /jitter is plus or minus around delay/],
    [['--between', 'web', 'db', 'up:loss=1%'], /invalid fault 'up:loss=1%'/],
    [['web', '--frob'], /unknown option '--frob'/],
  ])('refuses %j with one line and status 125, and changes nothing', async (words, message) => {
    expect(await unet('fault', ...words)).toBe(125);
    expect(printed.err).toMatch(message);
    expect(printed.err.trimEnd()).not.toContain('\n');
    expect(printed.out).toBe('');
    expect(await world.client.faults('web')).toMatchObject({ egress: null, ingress: null });
  });

  it.each([
    [['nobody'], 'unet: No such container: nobody\n'],
    [['nobody', 'loss=1%'], 'unet: No such container: nobody\n'],
    [['--between', 'web', 'nobody'], 'unet: No such container: nobody\n'],
  ])('says that there is no such container: %j', async (words, message) => {
    expect(await unet('fault', ...words)).toBe(1);
    expect(printed.err).toBe(message);
  });
});
