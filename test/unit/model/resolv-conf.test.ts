import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseResolvConf, renderResolvConf } from '../../../src/files/index.js';
import { chooseDns, NO_DNS_LISTS } from '../../../src/model/dns-choice.js';
import { MAX_RESOLV_CONF_CHARS, MAX_SEARCH_DOMAINS } from '../../../src/model/resolv-conf.js';

describe('parseResolvConf', () => {
  it('reads servers of both families in their order, at most three, each once', () => {
    const text =
      'nameserver 10.0.0.1\nnameserver fd00::53\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver 10.0.0.9\n';
    expect(parseResolvConf(text).nameservers).toEqual(['10.0.0.1', 'fd00::53', 'fe80::1%eth0']);
  });

  it('takes the last of search and domain, and adds options up', () => {
    const parsed = parseResolvConf(
      'search a.example b.example\noptions rotate\ndomain c.example ignored\noptions timeout:1\n',
    );
    expect(parsed.search).toEqual(['c.example']);
    expect(parsed.options).toEqual(['rotate', 'timeout:1']);
  });

  it('passes over comments, unknown words and stray spaces', () => {
    const text =
      '# nameserver 1.1.1.1\n; search x\nsortlist 1.2.3.4\n\t nameserver\t 9.9.9.9  trailing\nnameserver\n\n';
    expect(parseResolvConf(text)).toMatchObject({ nameservers: ['9.9.9.9'], invalid: [], search: [], options: [] });
  });

  it('takes a file with carriage returns and without a last line feed', () => {
    expect(parseResolvConf('nameserver 1.1.1.1\r\nnameserver 2.2.2.2').nameservers).toEqual(['1.1.1.1', '2.2.2.2']);
  });

  it('counts a missing file as an empty one', () => {
    expect(parseResolvConf(null, '/etc/resolv.conf')).toEqual({
      path: '/etc/resolv.conf',
      nameservers: [],
      invalid: [],
      search: [],
      options: [],
      cut: false,
    });
  });

  it('reads a bounded part of a huge file and never half a line', () => {
    const filler = `nameserver 1.1.1.1\n${'#'.repeat(MAX_RESOLV_CONF_CHARS - 30)}\n`;
    const parsed = parseResolvConf(`${filler}nameserver 2.2.2.222\nnameserver 3.3.3.3\n`);
    expect(parsed.nameservers).toEqual(['1.1.1.1']);
    expect(parsed.cut).toBe(true);
  });

  it('bounds the lists', () => {
    const many = Array.from({ length: 500 }, (_, i) => `d${i}.example`).join(' ');
    expect(parseResolvConf(`search ${many}\n`).search).toHaveLength(MAX_SEARCH_DOMAINS);
  });

  it('never throws, and what it read can always be written', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'nameserver',
        'search',
        'domain',
        'options',
        '#',
        ';',
        '\n',
        '\t',
        '\0',
        '1.1.1.1',
        '::1',
        'ndots:2',
        '.',
      ),
      fc.string({ unit: 'binary', maxLength: 12 }),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), fc.constantFrom(' ', '\n', ''), (words, glue) => {
        const host = parseResolvConf(words.join(glue));
        const chosen = chooseDns(NO_DNS_LISTS, NO_DNS_LISTS, { ...host, servers: host.nameservers });
        const text = renderResolvConf({ gateway: '172.17.0.1', host, chosen });
        const servers = text.split('\n').filter((line) => line.startsWith('nameserver'));
        expect(servers).toEqual(['nameserver 172.17.0.1']);
      }),
      { numRuns: 500 },
    );
  });
});
