import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CreateContainer } from '../../../src/api/types.js';
import { createRequest, DaemonUnderTest } from '../../fixtures/daemon-under-test.js';

let world: DaemonUnderTest;
beforeEach(async () => {
  world = await new DaemonUnderTest().start();
});
afterEach(() => world.stop());

const NEVER = '0001-01-01T00:00:00Z';
const published = (containerPort: number, from: number, to = from): CreateContainer['ports'] => [
  { hostAddress: '127.0.0.1', hostPort: { from, to }, containerPort, protocol: 'tcp' },
];

describe('the document of a container', () => {
  it('says what was asked for', async () => {
    const { id } = await world.run({
      name: 'web',
      argv: ['server', '-v', 'a b'],
      cwd: '/srv',
      env: { A: 'b', C: 'd=e' },
      hostname: 'fred',
      autoRemove: true,
      openStdin: true,
      user: 'root',
      networkAliases: ['www', 'shop'],
      extraHosts: [
        { name: 'other', address: '192.0.2.3' },
        { name: 'v6', address: '2001:db8::1' },
        { name: 'outside', address: 'host-gateway' },
      ],
      dns: { servers: ['192.0.2.53'], search: ['example.org'], options: ['ndots:2'] },
      hostAccess: { all: false, ports: [5432] },
    });
    const document = await world.client.document('web');
    expect(document).toMatchObject({
      Id: id,
      Name: '/web',
      Path: 'server',
      Args: ['-v', 'a b'],
      Config: {
        Hostname: 'fred',
        User: 'root',
        Env: ['A=b', 'C=d=e'],
        Cmd: ['server', '-v', 'a b'],
        WorkingDir: '/srv',
        Tty: false,
        OpenStdin: true,
      },
      HostConfig: {
        NetworkMode: 'bridge',
        AutoRemove: true,
        PublishAllPorts: false,
        Dns: ['192.0.2.53'],
        DnsSearch: ['example.org'],
        DnsOptions: ['ndots:2'],
        ExtraHosts: ['other:192.0.2.3', 'v6:2001:db8::1', 'outside:host-gateway'],
      },
      Unet: { Mtu: 1500, Device: 'vnet-gso', HostAccess: { All: false, Ports: [5432] } },
    });
    expect(Date.parse(document.Created)).toBeLessThanOrEqual(Date.now());
    expect(document.NetworkSettings.Networks['bridge']?.Aliases).toEqual(['www', 'shop']);
  });

  it('vector 117: names it in DNS by its name, its aliases and its short id, in this order, and not by its hostname', async () => {
    const { id } = await world.run({ name: 'foobar', hostname: 'baz', networkAliases: ['myctr'] });
    const { NetworkSettings } = await world.client.document('foobar');
    expect(NetworkSettings.Networks['bridge']?.DNSNames).toEqual(['foobar', 'myctr', id.slice(0, 12)]);
  });

  it('follows its life', async () => {
    await world.client.create(createRequest({ name: 'web' }));
    const created = await world.client.document('web');
    expect(created.State).toEqual({
      Status: 'created',
      Running: false,
      Pid: 0,
      ExitCode: 0,
      StartedAt: NEVER,
      FinishedAt: NEVER,
    });
    world.stack.attach(created.Id);
    await world.client.wait('web', 'started');
    const running = await world.client.document('web');
    expect(running.State).toMatchObject({ Status: 'running', Running: true, Pid: process.pid, FinishedAt: NEVER });
    expect(Date.parse(running.State.StartedAt)).toBeGreaterThan(0);
    const endpoint = running.NetworkSettings.Networks['bridge'];
    expect(endpoint).toMatchObject({
      IPAddress: expect.stringMatching(/^\d+\.\d+\.0\.2$/),
      Gateway: expect.stringMatching(/^\d+\.\d+\.0\.1$/),
      MacAddress: expect.stringMatching(/^02:42(:[0-9a-f]{2}){4}$/),
      IPPrefixLen: 16,
    });
    const { IPAddress, Gateway, MacAddress, IPPrefixLen } = running.NetworkSettings;
    expect(endpoint).toMatchObject({ IPAddress, Gateway, MacAddress, IPPrefixLen });

    world.stack.exit(created.Id, 3);
    await world.client.wait('web', 'ended');
    const ended = await world.client.document('web');
    expect(ended.State).toMatchObject({ Status: 'exited', Running: false, Pid: 0, ExitCode: 3 });
    expect(Date.parse(ended.State.FinishedAt)).toBeGreaterThan(0);
    expect(ended.NetworkSettings).toMatchObject({
      IPAddress: '',
      Gateway: '',
      MacAddress: '',
      IPPrefixLen: 0,
      Ports: {},
    });
    expect(ended.NetworkSettings.Networks['bridge']).toMatchObject({ IPAddress: '', IPPrefixLen: 0 });
  });

  it('tells ports that are published from those that are exposed alone, by their numbers', async () => {
    const exposed = [
      { port: 443, protocol: 'tcp' },
      { port: 53, protocol: 'udp' },
      { port: 53, protocol: 'tcp' },
    ];
    await world.run({ name: 'web', exposed, ports: published(80, 29_876) });
    const { NetworkSettings, HostConfig, Config } = await world.client.document('web');
    expect(JSON.stringify(NetworkSettings.Ports)).toBe(
      '{"53/tcp":null,"53/udp":null,"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"29876"}],"443/tcp":null}',
    );
    expect(HostConfig.PortBindings).toEqual({ '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '29876' }] });
    expect(Config.ExposedPorts).toEqual({ '53/tcp': {}, '53/udp': {}, '80/tcp': {}, '443/tcp': {} });
  });

  it('keeps a wish for a port as it was', async () => {
    const ports: CreateContainer['ports'] = [
      ...published(80, 29_900, 29_910),
      { hostAddress: null, hostPort: null, containerPort: 80, protocol: 'tcp' },
    ];
    await world.run({ name: 'web', ports });
    const { NetworkSettings, HostConfig } = await world.client.document('web');
    expect(HostConfig.PortBindings).toEqual({
      '80/tcp': [
        { HostIp: '127.0.0.1', HostPort: '29900-29910' },
        { HostIp: '', HostPort: '' },
      ],
    });
    expect(NetworkSettings.Ports['80/tcp']).toHaveLength(2);
    expect(NetworkSettings.Ports['80/tcp']).not.toContainEqual({ HostIp: '', HostPort: '' });
  });

  it('vector 80: has its links as names of both sides, and follows a renaming', async () => {
    await world.run({ name: 'shortlinkdef', exposed: [{ port: 80, protocol: 'tcp' }] });
    const { id } = await world.run({ name: 'link2', links: [{ target: 'shortlinkdef', alias: 'shortlinkdef' }] });
    const links = async () => (await world.client.document(id)).HostConfig.Links;
    expect(await links()).toEqual(['/shortlinkdef:/link2/shortlinkdef']);
    expect((await world.client.document(id)).NetworkSettings.Networks['bridge']?.Links).toEqual([
      'shortlinkdef:shortlinkdef',
    ]);
    expect((await world.client.document('shortlinkdef')).Unet.LinkNames).toEqual(['link2/shortlinkdef']);
    await world.client.rename('shortlinkdef', 'child');
    await world.client.rename('link2', 'parent');
    expect(await links()).toEqual(['/child:/parent/shortlinkdef']);
    expect((await world.client.document('/parent/shortlinkdef')).Name).toBe('/child');
  });

  it('is found by a name only that there is', async () => {
    await expect(world.client.document('nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
