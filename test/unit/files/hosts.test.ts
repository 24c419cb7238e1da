import { describe, expect, it } from 'vitest';
import { renderHostname, renderHosts } from '../../../src/files/index.js';

const LOCAL_BLOCK = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

describe('renderHosts', () => {
  it('puts the own line first, then the localhost block', () => {
    expect(renderHosts({ addresses: ['172.17.0.7'], hostname: 'aed84ee21bde' }).split('\n')).toEqual([
      '172.17.0.7\taed84ee21bde',
      ...LOCAL_BLOCK,
      '',
    ]);
  });

  it('adds the short name of a full one', () => {
    const [own] = renderHosts({ addresses: ['192.168.123.2'], hostname: 'c1.invalid' }).split('\n');
    expect(own).toBe('192.168.123.2\tc1.invalid c1');
  });

  it('appends links and added hosts in the order given', () => {
    const text = renderHosts({
      addresses: ['172.17.0.3'],
      hostname: 'web',
      extra: [
        { address: '172.17.0.2', name: 'db 35de8003b19e postgres' },
        { address: '2001:db8::1234', name: 'otherhost.invalid' },
      ],
    });
    expect(text.split('\n').slice(7)).toEqual([
      '172.17.0.2\tdb 35de8003b19e postgres',
      '2001:db8::1234\totherhost.invalid',
      '',
    ]);
  });

  it('has no own line without an address', () => {
    expect(renderHosts({ addresses: [], hostname: 'alone' }).split('\n')).toEqual([...LOCAL_BLOCK, '']);
  });

  it.each(['a\n6.6.6.6\tbank.example', 'a b', '', '#x', 'a\tb', 'a\rb'])('refuses %j as a hostname', (hostname) => {
    expect(() => renderHosts({ addresses: ['172.17.0.2'], hostname })).toThrow(TypeError);
    expect(() => renderHostname(hostname)).toThrow(TypeError);
  });

  it('refuses a line break smuggled into an added host', () => {
    const extra = [{ address: '10.0.0.1', name: 'ok\n6.6.6.6\tbank.example' }];
    expect(() => renderHosts({ addresses: ['172.17.0.2'], hostname: 'web', extra })).toThrow(TypeError);
  });
});

describe('renderHostname', () => {
  it('writes the whole name and a line feed', () => {
    expect(renderHostname('foobar.example.com')).toBe('foobar.example.com\n');
  });
});
