import { describe, expect, it } from 'vitest';
import { parseResolvConf, renderResolvConf } from '../../../src/files/index.js';

const gateway = '172.17.0.1';

function configLines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('renderResolvConf', () => {
  it('names the gateway alone and says in comments who is asked', () => {
    const host = parseResolvConf('nameserver 127.0.0.53\nnameserver 9.9.9.9\n', '/etc/resolv.conf');
    expect(renderResolvConf({ gateway, host }).split('\n')).toEqual([
      'nameserver 172.17.0.1',
      'options ndots:0',
      '',
      "# Based on host file: '/etc/resolv.conf' (answered by unet at the gateway; changes there are followed live)",
      '# ExtServers: [host(127.0.0.53) host(9.9.9.9)]',
      '# Overrides: []',
      '# Option ndots from: internal',
      '',
    ]);
  });

  it("takes search and options of the host's file", () => {
    const host = parseResolvConf('search corp.example lab.example\noptions timeout:3 ndots:1\n');
    const text = renderResolvConf({ gateway, host });
    expect(configLines(text)).toEqual([
      'nameserver 172.17.0.1',
      'search corp.example lab.example',
      'options timeout:3 ndots:1',
    ]);
    expect(text).toContain('# Option ndots from: host\n');
  });

  it('replaces whole lists by those of the run', () => {
    const host = parseResolvConf('search corp.example\noptions rotate ndots:1\n');
    const text = renderResolvConf({
      gateway,
      host,
      search: ['mydomain', 'mydomain2'],
      options: ['ndots:9', 'timeout:3'],
    });
    expect(configLines(text)).toEqual([
      'nameserver 172.17.0.1',
      'search mydomain mydomain2',
      'options ndots:9 timeout:3',
    ]);
    expect(text).toContain('# Overrides: [search options]\n');
    expect(text).toContain('# Option ndots from: override\n');
  });

  it('reads "." as no search domain at all', () => {
    const host = parseResolvConf('search corp.example\n');
    expect(configLines(renderResolvConf({ gateway, host, search: ['.'] }))).toEqual([
      'nameserver 172.17.0.1',
      'options ndots:0',
    ]);
  });

  it.each(['ndots:', 'ndots:x', 'ndots:-1', 'ndots'])('drops a malformed %s and sets its own', (option) => {
    const host = parseResolvConf(`options ${option} rotate\n`);
    expect(configLines(renderResolvConf({ gateway, host }))[1]).toBe('options rotate ndots:0');
  });

  it('says so when the host names nobody, and lists what is no address', () => {
    const text = renderResolvConf({ gateway, host: parseResolvConf('nameserver 1.2.3.4.5\n') });
    expect(configLines(text)).toEqual(['nameserver 172.17.0.1', 'options ndots:0']);
    expect(text).toContain('# NO EXTERNAL NAMESERVERS DEFINED\n');
    expect(text).toContain('# Invalid nameservers: [1.2.3.4.5]\n');
  });

  it('lets nobody add a line', () => {
    const host = parseResolvConf('', '/tmp/odd\nnameserver 6.6.6.6');
    expect(configLines(renderResolvConf({ gateway, host }))).toEqual(['nameserver 172.17.0.1', 'options ndots:0']);
    const search = ['a\nnameserver 6.6.6.6'];
    expect(() => renderResolvConf({ gateway, host: parseResolvConf(''), search })).toThrow(TypeError);
  });
});
