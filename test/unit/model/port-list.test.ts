import { describe, expect, it } from 'vitest';
import { formatPorts, type PublishedPort } from '../../../src/model/port-list.js';

function port(text: string): PublishedPort {
  const match = /^(.*):(\d+)>(\d+)\/(tcp|udp)$/.exec(text);
  if (!match) throw new Error(text);
  const [, hostAddress = '', hostPort, containerPort, protocol] = match;
  return { hostAddress, hostPort: Number(hostPort), containerPort: Number(containerPort), protocol: protocol as 'tcp' };
}

describe('formatPorts', () => {
  it.each([
    [[], ''],
    [['0.0.0.0:8080>80/tcp'], '0.0.0.0:8080->80/tcp'],
    [['::1:8899>9988/tcp'], '[::1]:8899->9988/tcp'],
    [['0.0.0.0:3000>80/tcp', '0.0.0.0:5000>5000/tcp'], '0.0.0.0:5000->5000/tcp, 0.0.0.0:3000->80/tcp'],
    [['0.0.0.0:81>81/tcp', '0.0.0.0:80>80/tcp'], '0.0.0.0:80-81->80-81/tcp'],
    [['0.0.0.0:80>80/tcp', '0.0.0.0:82>82/tcp'], '0.0.0.0:80->80/tcp, 0.0.0.0:82->82/tcp'],
    [['0.0.0.0:80>80/tcp', '0.0.0.0:81>81/udp'], '0.0.0.0:80->80/tcp, 0.0.0.0:81->81/udp'],
    [
      ['0.0.0.0:80>80/tcp', '127.0.0.1:80>80/tcp', '0.0.0.0:81>81/tcp', '127.0.0.1:81>81/tcp'],
      '0.0.0.0:80-81->80-81/tcp, 127.0.0.1:80-81->80-81/tcp',
    ],
    [['0.0.0.0:8080>80/tcp', '0.0.0.0:8081>81/tcp'], '0.0.0.0:8080->80/tcp, 0.0.0.0:8081->81/tcp'],
  ])('%j → %s', (ports, expected) => {
    expect(formatPorts(ports.map(port))).toBe(expected);
  });

  const exposed = (...specs: string[]) =>
    specs.map((spec) => ({ port: Number.parseInt(spec, 10), protocol: spec.split('/')[1] ?? '' }));

  it.each([
    ['vector 55', [], ['9988/tcp'], '9988/tcp'],
    ['vector 57', ['::1:8899>9988/tcp'], [], '[::1]:8899->9988/tcp'],
    ['vector 60', [], ['9999/udp', '9998/udp'], '9998-9999/udp'],
    ['vector 63', ['0.0.0.0:3000>80/tcp', '0.0.0.0:5000>5000/tcp'], [], '0.0.0.0:5000->5000/tcp, 0.0.0.0:3000->80/tcp'],
    ['vector 64', [], ['80/tcp', '81/tcp', '82/tcp'], '80-82/tcp'],
    ['S19', [], ['5432/tcp'], '5432/tcp'],
    ['§3.7, both', ['0.0.0.0:8080>80/tcp'], ['80/tcp', '81/tcp'], '81/tcp, 0.0.0.0:8080->80/tcp'],
    [
      '§3.7, both joined',
      ['0.0.0.0:81>81/tcp'],
      ['80/tcp', '82/tcp', '83/tcp'],
      '80/tcp, 0.0.0.0:81->81/tcp, 82-83/tcp',
    ],
    ['§3.7, protocols', [], ['53/tcp', '53/udp', '54/udp'], '53/tcp, 53-54/udp'],
    ['§3.2', [], ['8080/ncp'], '8080/ncp'],
  ])('%s: %j and unpublished %j → %s', (_, published, unpublished, expected) => {
    expect(formatPorts(published.map(port), exposed(...unpublished))).toBe(expected);
  });
});
