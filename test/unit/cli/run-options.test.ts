import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContainerSchema } from '../../../src/api/schemas.js';
import { type RunOptions, readRunOptions } from '../../../src/cli/run-options.js';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'unet-run-'));
  writeFileSync(join(cwd, 'vars'), 'A=file\nB=file\n');
});
afterAll(() => rmSync(cwd, { recursive: true }));

/** As commander gives them. */
const DEFAULTS = { user: 'self', offload: 'on', network: 'bridge', linkEnv: 'modern' };

const read = (options: Partial<RunOptions> = {}, argv: string[] = ['true']) =>
  readRunOptions({ ...DEFAULTS, ...options }, argv, {
    version: '',
    env: { MINE: 'm' },
    cwd: () => cwd,
  });

describe('readRunOptions', () => {
  it('has defaults', () => {
    expect(read()).toEqual({
      name: null,
      argv: ['true'],
      cwd,
      env: {},
      detach: false,
      autoRemove: false,
      openStdin: false,
      tty: false,
      user: 'self',
      hostname: null,
      network: 'bridge',
      ports: [],
      mtu: null,
      hostAccess: { all: false, ports: [] },
      offload: true,
      faults: null,
      links: [],
      linkEnv: 'modern',
      exposed: [],
      exposeSeen: true,
      extraHosts: [],
      dns: { servers: null, search: null, options: null },
      networkAliases: [],
      cleanEnv: false,
    });
  });

  it('lets -e override the files, and finds both from the working directory', () => {
    const { env, cwd: directory } = read({ envFile: ['vars'], env: ['A=option', 'MINE'], workdir: 'sub' });
    expect(env).toEqual({ A: 'option', B: 'file', MINE: 'm' });
    // Good names for variables, and for what every object has.
    const odd = read({ env: ['__proto__=1', 'constructor=2', 'toString', 'prototype=3'] });
    expect(Object.entries(odd.env)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
      ['prototype', '3'],
    ]);
    const sent = v.parse(createContainerSchema, JSON.parse(JSON.stringify(odd)));
    expect(Object.entries(sent.env)).toEqual(Object.entries(odd.env));
    expect(directory).toBe(join(cwd, 'sub'));
  });

  it('says so when the working directory was removed, unless it is not needed', () => {
    const removed = () => {
      throw new Error('ENOENT: uv_cwd');
    };
    const context = { version: '', env: {}, cwd: removed };
    expect(() => readRunOptions(DEFAULTS, ['true'], context)).toThrow(/the working directory does not exist any more/);
    expect(readRunOptions({ ...DEFAULTS, workdir: '/tmp/../srv' }, ['true'], context).cwd).toBe('/srv');
  });

  it('adds up ports and host access', () => {
    const request = read({ publish: ['8080:80', '53/udp'], hostAccess: ['80', '443'] });
    expect(request.ports).toHaveLength(2);
    expect(request.hostAccess.ports).toEqual([80, 443]);
  });

  it('vector 36: keeps what is exposed beside what is published', () => {
    const request = read({ publish: ['80'], expose: ['80-81/tcp', '53/udp'] });
    expect(request.ports).toHaveLength(1);
    expect(request.exposed).toEqual([
      { port: 80, protocol: 'tcp' },
      { port: 81, protocol: 'tcp' },
      { port: 53, protocol: 'udp' },
    ]);
    expect(read({ expose: ['none'] })).toMatchObject({ exposed: [], exposeSeen: false });
  });

  it('S13, S34: gathers links', () => {
    const request = read({ link: ['db:db', '/cache:/web/redis', 'plain'], linkEnv: 'legacy', linkWait: '0.5' });
    expect(request).toMatchObject({
      links: [
        { target: 'db', alias: 'db' },
        { target: 'cache', alias: 'redis' },
        { target: 'plain', alias: 'plain' },
      ],
      linkEnv: 'legacy',
      linkWaitSeconds: 0.5,
    });
  });

  it('S58, S59, S61: says whom to ask, and what it is called', () => {
    const request = read({
      hostname: 'foobar.example.com',
      networkAlias: ['api', 'v2.api'],
      addHost: ['myhost=[192.168.0.1]', 'gw:host-gateway'],
      dns: ['1.1.1.1', '::1'],
      dnsSearch: ['.example.com', '.'],
      dnsOption: ['ndots:9'],
    });
    expect(request).toMatchObject({
      hostname: 'foobar.example.com',
      networkAliases: ['api', 'v2.api'],
      extraHosts: [
        { name: 'myhost', address: '192.168.0.1' },
        { name: 'gw', address: 'host-gateway' },
      ],
      dns: { servers: ['1.1.1.1', '::1'], search: ['example.com', '.'], options: ['ndots:9'] },
    });
  });

  it('makes requests that the daemon takes', () => {
    const request = read({
      publish: ['127.0.0.1::80/udp'],
      expose: ['8080/ncp'],
      link: ['db'],
      addHost: ['v6=0:0:0:0:0:0:0:1', 'mapped=::ffff:192.0.2.1'],
      dns: ['2001:db8::53'],
      dnsSearch: ['.'],
      networkAlias: ['_a'],
    });
    expect(v.safeParse(createContainerSchema, request).issues).toBeUndefined();
  });

  it.each([
    ['no command', {}, [], /no command given/],
    ['an empty command', {}, [''], /no command given/],
    ['a bad name', { name: 'x y' }, ['true'], /Invalid container name \(x y\)/],
    ['a bad port', { publish: ['80:http'] }, ['true'], /invalid containerPort: http/],
    ['sctp', { publish: ['80/sctp'] }, ['true'], /sctp is not supported/],
    ['a bad MTU', { mtu: '10' }, ['true'], /invalid MTU number: 10/],
    ['a bad host access', { hostAccess: ['some'] }, ['true'], /give ports from 1 to 65535/],
    ['a bad user', { user: 'nobody' }, ['true'], /invalid --user 'nobody': give self or root/],
    ['a bad offload', { offload: 'maybe' }, ['true'], /invalid --offload 'maybe': give on or off/],
    ['another network', { network: 'mine' }, ['true'], /network mine not found/],
    [
      'vector 78, a link and --net=host',
      { link: ['db'], network: 'host' },
      ['true'],
      /^conflicting options: host type networking can't be used with links\. This would result in undefined behavior$/,
    ],
    [
      "vector 78, a link and another's network",
      { link: ['db'], network: 'container:db' },
      ['true'],
      /^conflicting options: container type network can't be used with links\. This would result in undefined behavior$/,
    ],
    ['a missing env file', { envFile: ['nonesuch'] }, ['true'], /cannot read the env file: .*nonesuch/],
    ['a bad link', { link: ['too:much:of:it'] }, ['true'], /^bad format for links: too:much:of:it/],
    ['an empty link', { link: [''] }, ['true'], /^empty string specified for links/],
    ['a bad link env', { linkEnv: 'old' }, ['true'], /invalid --link-env 'old': give modern or legacy or none/],
    ['a bad link wait', { linkWait: '-1' }, ['true'], /invalid --link-wait '-1': give seconds from 0 to 3600/],
    ['a long link wait', { linkWait: '3601' }, ['true'], /give seconds from 0 to 3600/],
    ['a bad expose', { expose: ['x'] }, ['true'], /^invalid range format for --expose: x; give /],
    ['a bad added host', { addHost: ['x'] }, ['true'], /^bad format for add-host: "x"; give /],
    ['a bad DNS server', { dns: ['x'] }, ['true'], /^IP address is not correctly formatted: x; give an IPv4 or/],
    ['a bad search domain', { dnsSearch: ['17'] }, ['true'], /^17 is not a valid domain; give a name such as/],
    ['a bad alias', { networkAlias: ['a b'] }, ['true'], /^invalid network alias "a b": give /],
    ['a bad hostname', { hostname: 'a b' }, ['true'], /invalid hostname 'a b'/],
  ] as const)('refuses %s', (_, options, argv, message) => {
    expect(() => read(options, [...argv])).toThrow(
      expect.objectContaining({ name: 'UnetError', message: expect.stringMatching(message) }),
    );
  });
});
