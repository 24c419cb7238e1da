import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { ContainerDns, DnsExplanation, NetworkDns } from '../../src/api/dns.js';
import { describeInWorld } from '../harness/e2e.js';
import { ADDRESS, GATEWAY } from '../harness/layout.js';
import { PATIENCE, patient } from '../harness/patience.js';
import type { Running } from '../harness/running.js';
import { until } from '../harness/world.js';

/** In the server's network, and nobody's: questions to it are lost. */
const DEAD_SERVER = '10.91.2.99';
const HOST_FILE = `nameserver ${ADDRESS.server}\nsearch host.example\n`;
const CLIENTS = 200;

describeInWorld('the DNS service', (stage) => {
  let server: Running;
  const names = Array.from({ length: 10 }, (_, index) => `n${index}.test`);

  beforeAll(async () => {
    const known = names.map((name) => `${name}=192.0.2.7`);
    server = stage.world.start('server', ['node', stage.world.fixture('dns-server.mjs'), ADDRESS.server, ...known]);
    await server.output(/ready/);
    await stage.world.writeEtc('resolv.conf', HOST_FILE);
  });

  afterEach(async () => {
    await stage.unet.reset();
    await stage.world.writeEtc('resolv.conf', HOST_FILE);
  });

  afterAll(() => {
    server.kill('SIGKILL');
  });

  const query = async (...args: string[]) =>
    JSON.parse(await stage.unet.ok(['dns', 'query', '--json', ...args])) as DnsExplanation;

  it('loses time to a dead first server once, not with every question', async () => {
    await stage.unet.ok(['daemon', 'stop', '--all']);
    await stage.world.writeEtc('resolv.conf', `nameserver ${DEAD_SERVER}\nnameserver ${ADDRESS.server}\n`);
    const script = `
      const { resolve4 } = require('dns').promises;
      (async () => {
        for (const name of ${JSON.stringify(names)}) {
          const began = performance.now();
          const found = await resolve4(name).catch((error) => [error.code]);
          console.log(found[0], Math.round(performance.now() - began));
        }
      })();`;
    const lines = (await stage.unet.shell(`exec "${process.execPath}" -e '${script.replaceAll("'", '"')}'`)).split(
      '\n',
    );
    expect(lines.map((line) => line.split(' ')[0])).toEqual(names.map(() => '192.0.2.7'));
    const times = lines.map((line) => Number(line.split(' ')[1]));
    expect(times[0]).toBeLessThan(patient(4000));
    expect(Math.max(...times.slice(1))).toBeLessThan(patient(1000));
    const { upstreams } = JSON.parse(await stage.unet.ok(['dns', '--json'])) as NetworkDns;
    expect(upstreams.map(({ address, failed }) => [address, failed])).toEqual([
      [DEAD_SERVER, true],
      [ADDRESS.server, false],
    ]);
  });

  it('keeps none of 200 clients waiting, with an idle one by TCP among them', async () => {
    await stage.unet.detached(['--name', 'db'], ['sleep', '1000']);
    const questions = Math.ceil(10 / PATIENCE);
    const crowd = [
      'node',
      stage.world.fixture('dns-crowd.mjs'),
      GATEWAY,
      `${CLIENTS}`,
      `${questions}`,
      'db',
      '*.crowd.test',
    ];
    const result = await stage.unet.run(['run', '--rm', '--', ...crowd], { timeoutMs: 60_000 });
    const { answers, lost, max } = JSON.parse(result.stdout) as { answers: number; lost: number; max: number };
    expect({ answers, lost }).toEqual({ answers: CLIENTS * questions, lost: 0 });
    // Clients of libc ask again after five seconds.
    expect(max).toBeLessThan(patient(2500));
  });

  it('asks a --dns server in the container’s own network through that network', async () => {
    const inner = ['node', stage.world.fixture('dns-server.mjs'), '0.0.0.0', 'inner.test=192.0.2.88'];
    await stage.unet.detached(['--name', 'names'], inner);
    await stage.unet.logged('names', /ready/);
    const network = JSON.parse(await stage.unet.ok(['dns', '--json'])) as NetworkDns;
    const address = network.names.find(({ name }) => name === 'names')?.addresses[0] ?? '';
    const found = await stage.unet.shell('getent ahostsv4 inner.test; getent ahostsv4 names', ['--dns', address]);
    expect(found).toContain('192.0.2.88 ');
    expect(found).toContain(`${address} `);
    expect(await stage.unet.logs('names')).toMatch(/^inner\.test 1 by udp$/m);
    expect(server.stdout).not.toContain('inner.test');
  });

  it('shows what a container can resolve, why, and whom else it asks', async () => {
    await stage.unet.detached(['--name', 'pg', '--network-alias', 'Store'], ['sleep', '1000']);
    const link = ['--link', 'pg:db', '--link-wait', '0'];
    const id = await stage.unet.detached(['--name', 'web', '--dns-search', 'lab.test', ...link], ['sleep', '1000']);
    const text = await stage.unet.ok(['dns', 'web']);
    expect(text).toMatch(new RegExp(`^Container: +web \\(${id.slice(0, 12)}\\) on bridge$`, 'm'));
    expect(text).toMatch(new RegExp(`^Nameserver: +${GATEWAY}$`, 'm'));
    expect(text).toMatch(/^Search: +lab\.test$/m);
    expect(text).toMatch(/^db +link +pg +172\.17\.0\.\d+$/m);
    expect(text).toMatch(/^store +alias +pg +172\.17\.0\.\d+$/m);
    expect(text).toMatch(new RegExp(`^${ADDRESS.server} +host +\\d+ +\\d+ `, 'm'));
    const dns = JSON.parse(await stage.unet.ok(['dns', '--json', 'web'])) as ContainerDns;
    expect(dns).toMatchObject({ id, name: 'web', network: 'bridge', nameservers: [GATEWAY], search: ['lab.test'] });
    expect((await stage.unet.run(['dns', 'nobody'])).stderr).toBe('unet: No such container: nobody\n');

    const network = await stage.unet.ok(['dns']);
    expect(network).toMatch(/^Network: +bridge 172\.17\.0\.0\/16$/m);
    expect(network).toMatch(/^pg +name +pg +172\.17\.0\.\d+$/m);
    expect(network).not.toMatch(/^db /m);
  });

  it('says how a name is answered, and why', async () => {
    await stage.unet.detached(['--name', 'pg'], ['sleep', '1000']);
    const link = ['--link', 'pg:db', '--link-wait', '0'];
    await stage.unet.detached(['--name', 'web', '--dns-search', 'lab.test', ...link], ['sleep', '1000']);
    const text = await stage.unet.ok(['dns', 'query', 'web', 'db.lab.test']);
    expect(text).toMatch(/^Question: +db\.lab\.test A, asked by web$/m);
    expect(text).toMatch(/^Records: +db\.lab\.test\. 5 A 172\.17\.0\.\d+$/m);
    expect(text).toMatch(/^Why: .*what web calls its link to pg, after the search domain lab\.test was taken off$/m);

    expect(await query('pg', 'db')).toMatchObject({ source: 'server', rcode: 'NXDOMAIN' });
    const first = await query('web', 'n5.test');
    expect(first).toMatchObject({ source: 'server', answers: [{ data: '192.0.2.7', ttl: 60 }] });
    expect(first.tries).toMatchObject([{ server: ADDRESS.server, origin: 'host', result: 'NOERROR' }]);
    expect(await query('pg', 'N5.test')).toMatchObject({ source: 'cache', tries: [] });
    expect(await query('web', 'pg', 'TXT')).toMatchObject({
      source: 'local',
      rule: 'name',
      rcode: 'NOERROR',
      answers: [],
    });
    await stage.unet.ok(['stop', '-t', '0', 'pg']);
    await until('it is down', async () => (await query('web', 'pg')).down);
    expect(await stage.unet.ok(['dns', 'query', 'web', 'db'])).toMatch(
      /^Answer: +NXDOMAIN$[\s\S]*it is down, and nobody else/m,
    );
    expect((await stage.unet.run(['dns', 'query', 'web', 'a..b'])).stderr).toMatch(/^unet: 'a\.\.b' is not a name/);
  });
});
