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
});
