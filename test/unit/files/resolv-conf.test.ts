import { describe, expect, it } from 'vitest';
import { parseResolvConf, renderResolvConf } from '../../../src/files/index.js';
import { chooseDns, type DnsLists, NO_DNS_LISTS } from '../../../src/model/dns-choice.js';

const gateway = '172.17.0.1';

interface Case {
  /** The host's file. */
  readonly host?: string;
  readonly run?: Partial<DnsLists>;
  readonly daemon?: Partial<DnsLists>;
  readonly path?: string;
}

function render({ host: text = '', run, daemon, path = '/etc/resolv.conf' }: Case): string {
  const host = parseResolvConf(text, path);
  const lists = { servers: host.nameservers, search: host.search, options: host.options };
  const chosen = chooseDns({ ...NO_DNS_LISTS, ...run }, { ...NO_DNS_LISTS, ...daemon }, lists);
  return renderResolvConf({ gateway, host, chosen });
}

const directives = (what: Case) =>
  render(what)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
const comments = (what: Case) =>
  render(what)
    .split('\n')
    .filter((line) => line.startsWith('#'));

describe('renderResolvConf', () => {
  it('vector 100: names the gateway alone, and says in comments who is asked', () => {
    expect(render({ host: 'nameserver 127.0.0.53\n' }).split('\n')).toEqual([
      'nameserver 172.17.0.1',
      'options ndots:0',
      '',
      "# Based on host file: '/etc/resolv.conf' (answered by unet at the gateway; changes there are followed live)",
      '# ExtServers: [host(127.0.0.53)]',
      '# Overrides: []',
      '# Option ndots from: internal',
      '',
    ]);
  });

  it('vector 101: takes ndots of the host', () => {
    const what = { host: 'search corp.example lab.example\noptions timeout:3 ndots:1\n' };
    expect(directives(what)).toEqual([
      'nameserver 172.17.0.1',
      'search corp.example lab.example',
      'options timeout:3 ndots:1',
    ]);
    expect(comments(what)).toContain('# Option ndots from: host');
  });

  it('vector 102: takes ndots of the run', () => {
    const what = { host: 'options ndots:1 rotate\n', run: { options: ['ndots:2'] } };
    expect(directives(what)).toEqual(['nameserver 172.17.0.1', 'options ndots:2']);
    expect(comments(what).slice(-2)).toEqual(['# Overrides: [options]', '# Option ndots from: override']);
  });

  it('vector 105: says so when the host names nobody', () => {
    expect(directives({})).toEqual(['nameserver 172.17.0.1', 'options ndots:0']);
    expect(comments({})).toContain('# NO EXTERNAL NAMESERVERS DEFINED');
  });

  it('vector 111: replaces whole lists by those of the run, and names its servers', () => {
    const what = {
      host: 'nameserver 9.9.9.9\nsearch corp.example\noptions rotate ndots:1\n',
      run: {
        servers: ['1.1.1.1', '2.2.2.2'],
        search: ['mydomain', 'mydomain2'],
        options: ['ndots:9', 'timeout:3'],
      },
    };
    expect(directives(what)).toEqual([
      'nameserver 172.17.0.1',
      'search mydomain mydomain2',
      'options ndots:9 timeout:3',
    ]);
    expect(comments(what).slice(1)).toEqual([
      '# ExtServers: [run(1.1.1.1) run(2.2.2.2)]',
      '# Overrides: [nameservers search options]',
      '# Option ndots from: override',
    ]);
  });

  it("S60: says which lists are the daemon's", () => {
    const what = {
      host: 'nameserver 9.9.9.9\noptions rotate\n',
      daemon: { servers: ['10.0.0.1'], search: ['corp'] },
      run: { search: ['mine'] },
    };
    expect(directives(what)).toEqual(['nameserver 172.17.0.1', 'search mine', 'options rotate ndots:0']);
    expect(comments(what).slice(1)).toEqual([
      '# ExtServers: [daemon(10.0.0.1)]',
      '# Overrides: [nameservers search]',
      '# Of these from the daemon: [nameservers]',
      '# Option ndots from: internal',
    ]);
  });

  it('vector 114: lists what is no address', () => {
    const what = { host: 'nameserver 1.2.3.4.5\n' };
    expect(directives(what)).toEqual(['nameserver 172.17.0.1', 'options ndots:0']);
    expect(comments(what)).toContain('# Invalid nameservers: [1.2.3.4.5]');
    expect(comments({ ...what, run: { servers: ['1.1.1.1'] } })).not.toContain('# Invalid nameservers: [1.2.3.4.5]');
  });

  it.each([
    ['127.0.0.1', ['127.0.0.1'], ['127.0.0.1']],
    ['127.9.9.9', ['127.9.9.9'], ['127.9.9.9']],
    ['::1 with another before it', ['10.0.0.1', '::1'], [gateway, '::1']],
    ['127.0.0.1 between others', ['10.0.0.1', '127.0.0.1', '10.0.0.2'], [gateway, '127.0.0.1']],
    ['127.0.0.1 first', ['127.0.0.1', '10.0.0.1'], ['127.0.0.1', gateway]],
  ])("vector 132: --dns %s is the container's own resolver, in its place", (_, servers, expected) => {
    expect(directives({ run: { servers } }).slice(0, -1)).toEqual(expected.map((address) => `nameserver ${address}`));
    expect(directives({ daemon: { servers } })).toEqual(directives({ run: { servers } }));
  });

  it('vector 132: tells who is asked beside it', () => {
    expect(comments({ run: { servers: ['127.0.0.1', '10.0.0.1'] } })[1]).toBe('# ExtServers: [run(10.0.0.1)]');
    expect(comments({ run: { servers: ['127.0.0.1'] } })[1]).toBe(
      "# NO EXTERNAL NAMESERVERS: the resolver is the container's own, names of other containers are in /etc/hosts only",
    );
  });

  it('asks nobody where the list is given and empty', () => {
    const what = { host: 'nameserver 9.9.9.9\n', run: { servers: [] } };
    expect(directives(what)).toEqual(['nameserver 172.17.0.1', 'options ndots:0']);
    expect(comments(what)[1]).toBe('# NO EXTERNAL NAMESERVERS DEFINED');
  });

  it('S59: reads "." as no search domain at all', () => {
    const host = 'search corp.example\n';
    expect(directives({ host, run: { search: ['.'] } })).toEqual(['nameserver 172.17.0.1', 'options ndots:0']);
    expect(directives({ host, run: { search: ['.', 'lab.example'] } })[1]).toBe('search lab.example');
  });

  it.each(['ndots:', 'ndots:x', 'ndots:-1', 'ndots'])('drops a malformed %s and sets its own', (option) => {
    expect(directives({ host: `options ${option} rotate\n` })[1]).toBe('options rotate ndots:0');
  });

  it('lets nobody add a line', () => {
    const what = { path: '/tmp/odd\nnameserver 6.6.6.6' };
    expect(directives(what)).toEqual(['nameserver 172.17.0.1', 'options ndots:0']);
    expect(() => render({ run: { search: ['a\nnameserver 6.6.6.6'] } })).toThrow(TypeError);
    expect(() => render({ run: { options: ['a\nnameserver 6.6.6.6'] } })).toThrow(TypeError);
  });
});
