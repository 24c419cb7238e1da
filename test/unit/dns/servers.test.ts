import { describe, expect, it } from 'vitest';
import { dnsWarnings, serversOf } from '../../../src/daemon/container-dns.js';
import type { ContainerRecord } from '../../../src/daemon/record.js';
import { type ServerChoice, serverList } from '../../../src/dns/servers.js';
import { parseDnsServer } from '../../../src/model/dns-options.js';
import { createRequest } from '../../fixtures/daemon-under-test.js';

const noReach = { isGateway: () => false, isInside: () => false };
const addressesOf = (choice: ServerChoice | null, host: readonly string[] = []) =>
  serverList(choice, host, 'web', noReach).servers.map(({ address }) => address);

describe('serverList', () => {
  const closed = ['0.0.0.0', '::', '127.0.0.53', '::1', '169.254.169.253'];

  it('asks nobody for a container that Decision 13 closes to it, whatever the run or the daemon says', () => {
    for (const origin of ['run', 'daemon'] as const) {
      expect(addressesOf({ origin, servers: [...closed, '192.0.2.1'] })).toEqual(['192.0.2.1']);
    }
  });

  it('asks a link-local server of a run that has access to it, and whom the host asks in any case', () => {
    expect(addressesOf({ origin: 'run', servers: closed, linkLocal: true })).toEqual(['169.254.169.253']);
    expect(addressesOf(null, ['127.0.0.53', '169.254.169.253'])).toEqual(['127.0.0.53', '169.254.169.253']);
  });
});

describe('a link-local server of a run', () => {
  const of = (hostAccess: { all: boolean; ports: number[] }) => {
    const dns = { servers: ['169.254.169.253', '10.0.0.1'], search: null, options: null };
    const request = createRequest({ dns, hostAccess });
    return { request, dnsDefaults: { servers: null, search: null, options: null } } as unknown as ContainerRecord;
  };

  it('is closed with a warning, and open with --host-access', () => {
    const closed = of({ all: false, ports: [80] });
    expect(addressesOf(serversOf(closed))).toEqual(['10.0.0.1']);
    expect(dnsWarnings(closed)).toEqual([
      'DNS server 169.254.169.253 is not asked: link-local addresses are closed to containers; --host-access 53 opens them',
    ]);
    for (const access of [
      { all: true, ports: [] },
      { all: false, ports: [53] },
    ]) {
      expect(addressesOf(serversOf(of(access)))).toEqual(['169.254.169.253', '10.0.0.1']);
      expect(dnsWarnings(of(access))).toEqual([]);
    }
  });
});

describe('parseDnsServer', () => {
  it.each(['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0', ' 0.0.0.0 '])('refuses %j', (text) => {
    expect(() => parseDnsServer(text)).toThrow(
      expect.objectContaining({ code: 'INVALID', message: `IP address is not correctly formatted: ${text}` }),
    );
  });
});
