import { describe, expect, it } from 'vitest';
import type { DnsExplanation, DnsFigures, DnsUpstream } from '../../../src/api/index.js';
import { renderContainerDns, renderExplanation, renderNetworkDns } from '../../../src/cli/render/dns.js';

const figures: DnsFigures = {
  questions: 9,
  local: 4,
  cached: 3,
  merged: 0,
  forwarded: 2,
  failed: 0,
  refused: 0,
  dropped: 0,
};
const healthy: DnsUpstream = {
  address: '192.0.2.53',
  origin: 'host',
  inside: false,
  failed: false,
  reason: null,
  failedForSeconds: null,
  asked: 2,
  answered: 2,
  lastMilliseconds: 1.5,
};

describe('unet dns', () => {
  it('shows what a container can resolve, why, and whom else it asks', () => {
    const text = renderContainerDns({
      id: '35de8003b19e'.padEnd(64, '0'),
      name: 'web',
      network: 'bridge',
      nameservers: ['172.17.0.1'],
      search: ['corp.example'],
      names: [
        { name: 'db', rule: 'link', owners: ['pg'], addresses: ['172.17.0.3'] },
        { name: 'old', rule: 'name', owners: ['old'], addresses: [] },
      ],
      upstreams: [
        healthy,
        {
          ...healthy,
          address: '192.0.2.54',
          origin: 'run',
          failed: true,
          reason: 'no answer in time',
          failedForSeconds: 12,
          asked: 1,
          answered: 0,
          lastMilliseconds: null,
        },
      ],
      figures,
    });
    expect(text).toBe(
      [
        'Container:  web (35de8003b19e) on bridge',
        'Nameserver: 172.17.0.1',
        'Search:     corp.example',
        'Questions:  9 (4 local, 3 cached, 2 forwarded)',
        '',
        'NAME      WHY       CONTAINER   ADDRESS',
        'db        link      pg          172.17.0.3',
        'old       name      old         down',
        '',
        'Each also with .bridge behind it, and with a search domain.',
        '',
        'UPSTREAM     FROM      ASKED     ANSWERED   LAST      STATE',
        '192.0.2.53   host      2         2          1.5 ms    answers',
        '192.0.2.54   --dns     1         0          -         asked last: no answer in time, 12 s ago',
        '',
      ].join('\n'),
    );
  });

  it('says of a network without servers what that means', () => {
    const text = renderNetworkDns({
      network: { name: 'bridge', subnet: '172.17.0.0/16', gateway: '172.17.0.1' },
      names: [],
      upstreams: [],
      figures: { ...figures, questions: 0, local: 0, cached: 0, forwarded: 0 },
      inFlight: 0,
      cache: { entries: 1, bytes: 300 },
    });
    expect(text).toContain('Questions:    0\n');
    expect(text).toContain('Cache:        1 answer, 1 KiB\n');
    expect(text).toContain('No upstream: other names are answered with SERVFAIL.\n');
  });
});

describe('unet dns query', () => {
  const local: DnsExplanation = {
    name: 'db.corp.example',
    type: 'A',
    source: 'local',
    rule: 'link',
    owners: ['pg'],
    down: false,
    suffix: 'corp.example',
    age: null,
    tries: [],
    rcode: 'NOERROR',
    answers: [{ name: 'db.corp.example.', type: 'A', ttl: 5, data: '172.17.0.3' }],
  };
  const why = (explanation: Partial<DnsExplanation>) =>
    /^Why: +(.*)$/m.exec(renderExplanation('web', { ...local, ...explanation }))?.[1];

  it('says the answer and its reason', () => {
    expect(renderExplanation('web', local)).toBe(
      [
        'Question: db.corp.example A, asked by web',
        'Answer:   NOERROR',
        'Records:  db.corp.example. 5 A 172.17.0.3',
        'Why:      answered here: what web calls its link to pg, after the search domain corp.example was taken off',
        '',
      ].join('\n'),
    );
  });

  it('lists every server that was asked', () => {
    const tries = [
      { server: '192.0.2.1', origin: 'run', result: 'no answer in time', milliseconds: 2000 },
      { server: '192.0.2.2', origin: 'host', result: 'NOERROR', milliseconds: 3 },
    ] as const;
    const text = renderExplanation('web', { ...local, source: 'server', rule: null, owners: [], suffix: null, tries });
    expect(text).toContain(
      [
        'Why:      no name of a container; forwarded',
        'Asked:    192.0.2.1 (--dns): no answer in time after 2000 ms',
        '          192.0.2.2 (host): NOERROR after 3 ms',
        '',
      ].join('\n'),
    );
  });

  it.each<[Partial<DnsExplanation>, string]>([
    [{ rule: 'name', suffix: null }, 'answered here: the name of container pg'],
    [{ rule: 'alias', suffix: null, owners: ['a', 'b'] }, 'answered here: a network alias of a, b'],
    [{ rule: 'id', suffix: null }, 'answered here: the short id of container pg'],
    [
      { suffix: null, owners: [], down: true, rcode: 'NXDOMAIN', answers: [] },
      'answered here: a link of web to a container that is gone; it is down, and nobody else is asked',
    ],
    [
      { rule: 'name', suffix: null, type: 'MX', answers: [] },
      'answered here: the name of container pg; it has no MX record, and nobody else is asked',
    ],
    [
      { rule: 'host', suffix: null, down: true, answers: [] },
      'answered here: the host; web may not reach it (--host-access)',
    ],
    [{ source: 'cache', age: 7 }, 'no name of a container; answered from the cache, where it has been for 7 s'],
    [{ source: 'nobody' }, 'no name of a container, and no server is known to forward it to'],
  ])('%j: %s', (explanation, text) => {
    expect(why(explanation)).toBe(text);
  });
});
