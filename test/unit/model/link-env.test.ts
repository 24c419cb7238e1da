import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExposedPort } from '../../../src/model/exposed-port.js';
import { type LinkFacts, linkEnvironment } from '../../../src/model/link-env.js';

/** `6379/tcp`, `6379-6381/tcp`. */
function ports(...specs: string[]): ExposedPort[] {
  return specs.flatMap((spec) => {
    const [, from, to = from, protocol = ''] = /^(\d+)(?:-(\d+))?\/(\w+)$/.exec(spec) ?? [];
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => ({ port: Number(from) + i, protocol }));
  });
}

function facts(overrides: Partial<LinkFacts>): LinkFacts {
  return { parent: 'web', alias: 'db', address: '172.0.17.2', exposed: [], environment: {}, ...overrides };
}

/** In their order, as a program's `env` prints them. */
function lines(overrides: Partial<LinkFacts>, form: 'modern' | 'legacy' | 'none' = 'modern'): string[] {
  return Object.entries(linkEnvironment(facts(overrides), form)).map(([name, value]) => `${name}=${value}`);
}

const DOCKER_1 = { parent: 'db', alias: 'docker-1' };
const DOCKER = { parent: 'db', alias: 'docker' };

describe('variables of a link', () => {
  it('vector 66: one port is told by exactly six', () => {
    expect(lines({ ...DOCKER_1, exposed: ports('6379/tcp') })).toEqual([
      'DOCKER_1_PORT=tcp://172.0.17.2:6379',
      'DOCKER_1_PORT_6379_TCP=tcp://172.0.17.2:6379',
      'DOCKER_1_PORT_6379_TCP_ADDR=172.0.17.2',
      'DOCKER_1_PORT_6379_TCP_PORT=6379',
      'DOCKER_1_PORT_6379_TCP_PROTO=tcp',
      'DOCKER_1_NAME=/db/docker-1',
    ]);
  });

  it('vector 67: what the child was given is added, behind the name', () => {
    const all = lines({ ...DOCKER, exposed: ports('6379/tcp'), environment: { PASSWORD: 'gordon' } });
    expect(all.slice(-2)).toEqual(['DOCKER_NAME=/db/docker', 'DOCKER_ENV_PASSWORD=gordon']);
    expect(all).toHaveLength(7);
  });

  it('vector 68: a run of tcp is told at its end, one of udp with a gap is none', () => {
    const all = lines({ ...DOCKER, exposed: ports('6300/udp', '6379-6381/tcp', '6382/udp') });
    const four = (port: number, protocol: string) => [
      `DOCKER_PORT_${port}_${protocol.toUpperCase()}=${protocol}://172.0.17.2:${port}`,
      `DOCKER_PORT_${port}_${protocol.toUpperCase()}_ADDR=172.0.17.2`,
      `DOCKER_PORT_${port}_${protocol.toUpperCase()}_PORT=${port}`,
      `DOCKER_PORT_${port}_${protocol.toUpperCase()}_PROTO=${protocol}`,
    ];
    expect(all).toEqual([
      'DOCKER_PORT=tcp://172.0.17.2:6379',
      ...four(6379, 'tcp'),
      ...four(6380, 'tcp'),
      ...four(6381, 'tcp'),
      ...four(6300, 'udp'),
      // Behind the port that broke the run.
      'DOCKER_PORT_6379_TCP_START=tcp://172.0.17.2:6379',
      'DOCKER_PORT_6379_TCP_PORT_START=6379',
      'DOCKER_PORT_6379_TCP_END=tcp://172.0.17.2:6381',
      'DOCKER_PORT_6379_TCP_PORT_END=6381',
      ...four(6382, 'udp'),
      'DOCKER_NAME=/db/docker',
    ]);
  });

  it.each([
    ['modern', 'DB_PORT=tcp://172.0.17.2:80'],
    ['legacy', 'DB_PORT=udp://172.0.17.2:53'],
  ] as const)('vector 70: of 53/udp and 80/tcp the first is, %s: %s', (form, expected) => {
    expect(lines({ exposed: ports('53/udp', '80/tcp') }, form)[0]).toBe(expected);
  });

  it('vector 72: without a port there is the name, and what the child was given', () => {
    expect(lines({ alias: 'my-db' })).toEqual(['MY_DB_NAME=/web/my-db']);
    expect(lines({ alias: 'my-db', environment: { A: '1' } })).toEqual(['MY_DB_NAME=/web/my-db', 'MY_DB_ENV_A=1']);
  });

  it('vector 74: S25, the text of the seed, with the port that the child exposes', () => {
    expect(lines({ parent: 'web2', address: '172.17.0.5', exposed: ports('5432/tcp') })).toEqual([
      'DB_PORT=tcp://172.17.0.5:5432',
      'DB_PORT_5432_TCP=tcp://172.17.0.5:5432',
      'DB_PORT_5432_TCP_ADDR=172.17.0.5',
      'DB_PORT_5432_TCP_PORT=5432',
      'DB_PORT_5432_TCP_PROTO=tcp',
      'DB_NAME=/web2/db',
    ]);
  });

  it('S26: the prefix is the alias in capitals, hyphens as underscores, a dot as it is', () => {
    expect(lines({ alias: 'my-db.v2_x' })).toEqual(['MY_DB.V2_X_NAME=/web/my-db.v2_x']);
  });

  it('§2.4: HOME and PATH are not copied; equals signs in a value and the case of a name are', () => {
    const environment = { HOME: '/root', PATH: '/bin', Url: 'a=b=c', EMPTY: '' };
    expect(lines({ environment })).toEqual(['DB_NAME=/web/db', 'DB_ENV_Url=a=b=c', 'DB_ENV_EMPTY=']);
  });

  it('§2.4: tcp comes first, then the others by their names, each by number', () => {
    const exposed = ports('1/udp', '9/sctp', '7/tcp', '3/tcp', '2/udp');
    const order = lines({ exposed }).filter((line) => line.includes('_PROTO='));
    expect(order.map((line) => line.split('=')[0])).toEqual([
      'DB_PORT_3_TCP_PROTO',
      'DB_PORT_7_TCP_PROTO',
      'DB_PORT_9_SCTP_PROTO',
      'DB_PORT_1_UDP_PROTO',
      'DB_PORT_2_UDP_PROTO',
    ]);
  });

  it('§0: the form of 2014 goes by number alone, tcp first where two have one, and knows no runs', () => {
    const all = lines({ alias: 'my-db', exposed: ports('54/tcp', '53/udp', '53/tcp', '55/tcp') }, 'legacy');
    expect(all.filter((line) => !/_(ADDR|PORT|PROTO)=[^:]*$/.test(line))).toEqual([
      'MY_DB_PORT=tcp://172.0.17.2:53',
      'MY_DB_PORT_53_TCP=tcp://172.0.17.2:53',
      'MY_DB_PORT_53_UDP=udp://172.0.17.2:53',
      'MY_DB_PORT_54_TCP=tcp://172.0.17.2:54',
      'MY_DB_PORT_55_TCP=tcp://172.0.17.2:55',
      'MY_DB_NAME=/web/my-db',
    ]);
  });

  it('none is none', () => {
    expect(lines({ exposed: ports('80/tcp'), environment: { A: '1' } }, 'none')).toEqual([]);
  });
});

const anyPort = fc.record({
  port: fc.integer({ min: 1, max: 40 }),
  protocol: fc.constantFrom('tcp', 'udp', 'sctp', 'ncp'),
});

describe('for any set of ports', () => {
  it('each is told once by four variables, and nothing else is', () => {
    fc.assert(
      fc.property(fc.array(anyPort), fc.constantFrom('modern', 'legacy'), (exposed, form) => {
        const told = linkEnvironment(facts({ exposed }), form);
        const keys = new Set(exposed.map(({ port, protocol }) => `DB_PORT_${port}_${protocol.toUpperCase()}`));
        for (const { port, protocol } of exposed) {
          const key = `DB_PORT_${port}_${protocol.toUpperCase()}`;
          expect(told).toMatchObject({
            [key]: `${protocol}://172.0.17.2:${port}`,
            [`${key}_ADDR`]: '172.0.17.2',
            [`${key}_PORT`]: String(port),
            [`${key}_PROTO`]: protocol,
          });
        }
        const others = Object.keys(told).filter((name) => !/_(START|END)$/.test(name));
        expect(others).toHaveLength(keys.size * 4 + 1 + (keys.size > 0 ? 1 : 0));
      }),
    );
  });

  it('runs are what neighbours make: as long as can be, of one protocol, and told once each', () => {
    fc.assert(
      fc.property(fc.array(anyPort), (exposed) => {
        const told = linkEnvironment(facts({ exposed }), 'modern');
        const has = (port: number, protocol: string) =>
          exposed.some((other) => other.port === port && other.protocol === protocol);
        const runs: string[] = [];
        for (const { port, protocol } of exposed) {
          if (has(port - 1, protocol) || !has(port + 1, protocol)) continue;
          let last = port;
          while (has(last + 1, protocol)) last++;
          const key = `DB_PORT_${port}_${protocol.toUpperCase()}`;
          runs.push(key);
          expect(told).toMatchObject({
            [`${key}_START`]: `${protocol}://172.0.17.2:${port}`,
            [`${key}_PORT_START`]: String(port),
            [`${key}_END`]: `${protocol}://172.0.17.2:${last}`,
            [`${key}_PORT_END`]: String(last),
          });
        }
        const marks = Object.keys(told).filter((name) => /_(START|END)$/.test(name));
        expect(marks).toHaveLength(new Set(runs).size * 4);
      }),
    );
  });

  it('the order in which they were declared says nothing', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyPort, { selector: ({ port, protocol }) => `${port}/${protocol}` }), (exposed) => {
        expect(lines({ exposed: [...exposed].reverse() })).toEqual(lines({ exposed }));
      }),
    );
  });
});
