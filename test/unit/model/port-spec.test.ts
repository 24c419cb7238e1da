import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPortRequest, parsePortSpec, requireCarried } from '../../../src/model/port-spec.js';

/** ctr/proto ← ip|host, as docker-semantics writes it; an empty host is ephemeral. */
function notation(spec: string): string[] {
  return parsePortSpec(spec).map(({ hostAddress, hostPort, containerPort, protocol }) => {
    const host =
      hostPort === null ? '' : hostPort.from === hostPort.to ? hostPort.from : `${hostPort.from}-${hostPort.to}`;
    return `${containerPort}/${protocol} ← ${hostAddress ?? ''}|${host}`;
  });
}

describe('parsePortSpec', () => {
  it.each([
    ['1234/tcp', ['1234/tcp ← |']],
    ['80', ['80/tcp ← |']],
    ['3456:3456/sctp', ['3456/sctp ← |3456']],
    ['192.168.1.100:8080:80', ['80/tcp ← 192.168.1.100|8080']],
    ['192.168.1.100::6000/udp', ['6000/udp ← 192.168.1.100|']],
    ['0.0.0.0:1234-1235:3333-3334/tcp', ['3333/tcp ← 0.0.0.0|1234', '3334/tcp ← 0.0.0.0|1235']],
    ['1234-1236/tcp', ['1234/tcp ← |', '1235/tcp ← |', '1236/tcp ← |']],
    ['[::1]:80:80', ['80/tcp ← ::1|80']],
    ['::1:80:80', ['80/tcp ← ::1|80']],
    ['::::80', ['80/tcp ← ::|']],
    ['::6000', ['6000/tcp ← |']],
    ['[0:0::0:1]::80', ['80/tcp ← ::1|']],
    ['::ffff:127.0.0.1:80:80', ['80/tcp ← 127.0.0.1|80']],
    ['[::ffff:7f00:1]:80:80', ['80/tcp ← 127.0.0.1|80']],
    ['8080:80/TCP', ['80/tcp ← |8080']],
    ['8080:80/', ['80/tcp ← |8080']],
    ['08080:0080', ['80/tcp ← |8080']],
    ['8080-8090:80', ['80/tcp ← |8080-8090']],
    ['8080-8080:80-80', ['80/tcp ← |8080']],
    ['0:80', ['80/tcp ← |']],
    [':80', ['80/tcp ← |']],
    ['target=10,published=20', ['10/tcp ← |20']],
    ['target=53,protocol=udp', ['53/udp ← |']],
  ])('reads %s', (spec, expected) => {
    expect(notation(spec)).toEqual(expected);
  });

  it.each([
    ['', 'no port specified: <empty>'],
    ['0.0.0.0:1234-1235:/tcp', 'no port specified: 0.0.0.0:1234-1235:/tcp<empty>'],
    ['0.0.0.0:1234-1235:', 'no port specified: 0.0.0.0:1234-1235:<empty>'],
    ['localhost:1234:1234/tcp', 'invalid IP address: localhost'],
    ['[fe80::1%eth0]:80:80', 'invalid IP address: fe80::1%eth0'],
    ['[127.0.0.1:80:80', 'invalid IP address: [127.0.0.1'],
    ['256.0.0.1:80:80', 'invalid IP address: 256.0.0.1'],
    ['127.0.0.1:80', 'invalid hostPort: 127.0.0.1'],
    ['192.168.1.100:-1:-1', 'invalid containerPort: -1'],
    ['9090-9089:80', 'invalid hostPort: 9090-9089'],
    ['9090-:80', 'invalid hostPort: 9090-'],
    ['-9090:80', 'invalid hostPort: -9090'],
    ['0-5:80', 'invalid hostPort: 0-5'],
    ['65536:80', 'invalid hostPort: 65536'],
    ['80:65536', 'invalid containerPort: 65536'],
    ['80:http', 'invalid containerPort: http'],
    ['80:8 0', 'invalid containerPort: 8 0'],
    ['80:0', 'invalid port specification: "0/tcp"'],
    ['80:80/icmp', 'invalid proto: icmp'],
    ['80:80/tcp/udp', 'invalid proto: tcp/udp'],
    ['8080-8081:80-82', 'invalid ranges specified for container and host Ports: 80-82 and 8080-8081'],
    ['8080:80-82', 'invalid ranges specified for container and host Ports: 80-82 and 8080'],
    ['published=1500,target:444', "invalid publish opts format (should be name=value but got 'target:444')"],
    ['published=1500', 'no port specified: 1500:/tcp<empty>'],
    ['target=80,mode=host', "invalid publish opts format: unknown name 'mode' (known: published, target, protocol)"],
  ])('refuses %j: %s', (spec, message) => {
    expect(() => parsePortSpec(spec)).toThrow(expect.objectContaining({ message, code: 'INVALID' }));
  });

  it('prints back what it reads', () => {
    expect(parsePortSpec('::1:8080:6000/udp').map(formatPortRequest)).toEqual(['[::1]:8080:6000/udp']);
    const port = fc.integer({ min: 1, max: 65535 });
    const request = fc.record({
      hostAddress: fc.option(fc.oneof(fc.ipV4(), fc.constantFrom('::', '::1', 'fe80::1', '2001:db8::80:80'))),
      hostPort: fc.option(fc.tuple(port, port).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))),
      containerPort: port,
      protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
    });
    fc.assert(
      fc.property(request, (wanted) => {
        expect(parsePortSpec(formatPortRequest(wanted))).toEqual([wanted]);
      }),
    );
  });

  it('answers any text with ports in range or with one line', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9:.\-/a-f[\]=,]{0,30}$/));
    fc.assert(
      fc.property(text, (spec) => {
        try {
          for (const { hostPort, containerPort } of parsePortSpec(spec)) {
            expect(containerPort).toBeGreaterThan(0);
            expect(containerPort).toBeLessThan(65536);
            expect(hostPort?.from ?? 1).toBeGreaterThan(0);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID' });
        }
      }),
    );
  });
});

describe('requireCarried', () => {
  it('refuses sctp by name', () => {
    expect(() => requireCarried(parsePortSpec('80:80/sctp'))).toThrow('cannot publish 80/sctp: sctp is not supported');
    expect(() => requireCarried(parsePortSpec('80:80/udp'))).not.toThrow();
  });
});
