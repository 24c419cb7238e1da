import { describe, expect, it } from 'vitest';
import { linkLines } from '../../../src/files/hosts.js';
import { renderHostname, renderHosts } from '../../../src/files/index.js';
import { parseExtraHost } from '../../../src/model/extra-host.js';

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

describe('the vectors of /etc/hosts', () => {
  const alone = { addresses: [], hostname: 'alone' };
  const linesOf = (text: string) => text.trimEnd().split('\n');

  it('vector 88: the default block, each line ended', () => {
    expect(renderHosts(alone)).toBe(
      '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n',
    );
  });

  it('vector 89: without IPv6 no line has such an address, an added one neither', () => {
    const extra = [
      { address: '2001:db8::1', name: 'another.example' },
      { address: '10.11.12.13', name: 'another.example' },
    ];
    expect(linesOf(renderHosts({ ...alone, ipv6: false, extra }))).toEqual([
      '127.0.0.1\tlocalhost',
      '10.11.12.13\tanother.example',
    ]);
  });

  it('vector 90: another address of prefix leaves the line of prefixAndMore alone', () => {
    const of = (address: string) =>
      linesOf(
        renderHosts({
          ...alone,
          extra: [
            ...linkLines({ addresses: [address], alias: 'prefix', others: ['35de8003b19e', 'prefix'] }),
            ...linkLines({ addresses: ['1.1.1.2'], alias: 'prefixAndMore', others: ['45de8003b19e', 'other'] }),
          ],
        }),
      );
    const [before, after] = [of('1.1.1.1'), of('5.5.5.5')];
    expect(after.filter((line, index) => line !== before[index])).toEqual(['5.5.5.5\tprefix 35de8003b19e']);
    expect(after.at(-1)).toBe('1.1.1.2\tprefixAndMore 45de8003b19e other');
  });

  it('vector 92: own lines of both families come first, added hosts last', () => {
    const extra = [
      { address: '192.0.2.3', name: 'otherhost.invalid' },
      { address: '2001:db8::1234', name: 'otherhost.invalid' },
    ];
    const addresses = ['192.168.123.2', 'fde6:be58:aedf::2'];
    expect(linesOf(renderHosts({ addresses, hostname: 'c1.invalid', extra }))).toEqual([
      '192.168.123.2\tc1.invalid c1',
      'fde6:be58:aedf::2\tc1.invalid c1',
      ...LOCAL_BLOCK,
      '192.0.2.3\totherhost.invalid',
      '2001:db8::1234\totherhost.invalid',
    ]);
    expect(linesOf(renderHosts({ addresses: [], hostname: 'c1.invalid', extra })).slice(0, 6)).toEqual(LOCAL_BLOCK);
  });

  it('vector 93: a full hostname stands in /etc/hostname as it is, and with its short form in hosts', () => {
    expect(renderHostname('foobar.example.com')).toBe('foobar.example.com\n');
    const [own] = linesOf(renderHosts({ addresses: ['172.17.0.2'], hostname: 'foobar.example.com' }));
    expect(own).toBe('172.17.0.2\tfoobar.example.com foobar');
  });

  it.each([
    ['vector 94', 'myhost=[192.168.0.1]', '192.168.0.1\tmyhost'],
    ['vector 95', 'ipv6local=0:0:0:0:0:0:0:1', '0:0:0:0:0:0:0:1\tipv6local'],
  ])('%s: --add-host %s is the line %j', (_, typed, line) => {
    expect(linesOf(renderHosts({ ...alone, extra: [parseExtraHost(typed)] })).at(-1)).toBe(line);
  });
});

describe('linkLines', () => {
  const link = { addresses: ['172.17.0.2'], alias: 'db', others: ['35de8003b19e', 'postgres'] };

  it('S28: alias, short id, name, in a line a family', () => {
    expect(linkLines({ ...link, addresses: ['172.17.0.2', 'fd00::2'] })).toEqual([
      { address: '172.17.0.2', name: 'db 35de8003b19e postgres' },
      { address: 'fd00::2', name: 'db 35de8003b19e postgres' },
    ]);
  });

  it('§2.5: leaves the name out where it is the alias, and says the id once', () => {
    expect(linkLines({ ...link, others: ['35de8003b19e', 'db'] })).toEqual([
      { address: '172.17.0.2', name: 'db 35de8003b19e' },
    ]);
    expect(linkLines({ ...link, alias: '35de8003b19e' })).toEqual([
      { address: '172.17.0.2', name: '35de8003b19e postgres' },
    ]);
  });
});

describe('renderHostname', () => {
  it('writes the whole name and a line feed', () => {
    expect(renderHostname('foobar.example.com')).toBe('foobar.example.com\n');
  });
});
