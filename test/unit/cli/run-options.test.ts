import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunOptions, readRunOptions } from '../../../src/cli/run-options.js';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'unet-run-'));
  writeFileSync(join(cwd, 'vars'), 'A=file\nB=file\n');
});
afterAll(() => rmSync(cwd, { recursive: true }));

const read = (options: Partial<RunOptions> = {}, argv: string[] = ['true']) =>
  readRunOptions({ user: 'self', offload: 'on', net: 'bridge', ...options }, argv, {
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
    });
  });

  it('lets -e override the files, and finds both from the working directory', () => {
    const { env, cwd: directory } = read({ envFile: ['vars'], env: ['A=option', 'MINE'], workdir: 'sub' });
    expect(env).toEqual({ A: 'option', B: 'file', MINE: 'm' });
    expect(directory).toBe(join(cwd, 'sub'));
  });

  it('says so when the working directory was removed, unless it is not needed', () => {
    const removed = () => {
      throw new Error('ENOENT: uv_cwd');
    };
    const context = { version: '', env: {}, cwd: removed };
    const options = { user: 'self', offload: 'on', net: 'bridge' };
    expect(() => readRunOptions(options, ['true'], context)).toThrow(/the working directory does not exist any more/);
    expect(readRunOptions({ ...options, workdir: '/tmp/../srv' }, ['true'], context).cwd).toBe('/srv');
  });

  it('adds up ports and host access', () => {
    const request = read({ publish: ['8080:80', '53/udp'], hostAccess: ['80', '443'] });
    expect(request.ports).toHaveLength(2);
    expect(request.hostAccess.ports).toEqual([80, 443]);
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
    ['another network', { net: 'mine' }, ['true'], /network mine not found/],
    ['a missing env file', { envFile: ['nonesuch'] }, ['true'], /cannot read the env file: .*nonesuch/],
    ['a bad hostname', { hostname: 'a b' }, ['true'], /invalid hostname 'a b'/],
  ] as const)('refuses %s', (_, options, argv, message) => {
    expect(() => read(options, [...argv])).toThrow(
      expect.objectContaining({ name: 'UnetError', message: expect.stringMatching(message) }),
    );
  });
});
