import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AddressPool,
  chooseSubnet,
  formatSubnet,
  macOf,
  parseRoutes,
  parseSubnet,
} from '../../../src/daemon/address-pool.js';
import { openDefaultNetwork } from '../../../src/daemon/network.js';

const HEADER = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';

/** A line of /proc/net/route, where addresses are little-endian numbers. */
function route(cidr: string): string {
  const [address = '', length = '32'] = cidr.split('/');
  const hex = (octets: number[]) =>
    octets
      .reverse()
      .map((octet) => octet.toString(16).padStart(2, '0').toUpperCase())
      .join('');
  const mask = length === '0' ? 0 : (-1 << (32 - Number(length))) >>> 0;
  const maskOctets = [mask >>> 24, (mask >>> 16) & 255, (mask >>> 8) & 255, mask & 255];
  return `eth0\t${hex(address.split('.').map(Number))}\t00000000\t0001\t0\t0\t0\t${hex(maskOctets)}\t0\t0\t0`;
}

const table = (...cidrs: string[]) => [HEADER, ...cidrs.map(route), ''].join('\n');
const choose = (...cidrs: string[]) => formatSubnet(chooseSubnet(parseRoutes(table(...cidrs))));

describe('chooseSubnet', () => {
  it.each([
    [[], '172.17.0.0/16'],
    [['0.0.0.0/0', '192.0.2.0/24'], '172.17.0.0/16'],
    [['172.17.0.0/16'], '172.18.0.0/16'],
    [['172.17.5.0/24', '172.18.0.1/32'], '172.19.0.0/16'],
    [['172.16.0.0/12'], '192.168.0.0/20'],
    [['172.16.0.0/12', '192.168.1.0/24'], '192.168.16.0/20'],
  ])('beside routes %j takes %s', (routes, expected) => {
    expect(choose(...routes)).toBe(expected);
  });

  it('gives up when the host has routes everywhere', () => {
    expect(() => choose('172.16.0.0/12', '192.168.0.0/16')).toThrow(
      /all predefined address pools have been fully subnetted/,
    );
  });

  it('reads a route table with odd lines', () => {
    expect(parseRoutes(`${HEADER}\n\nnonsense\neth0\tzz\t0\t1\t0\t0\t0\tFFFFFFFF\n`)).toEqual([]);
  });
});

describe('AddressPool', () => {
  it('leases the lowest free address, with the MAC that says it', () => {
    const pool = new AddressPool(parseSubnet('172.17.0.0/16'));
    expect(pool.gateway).toBe('172.17.0.1');
    expect(pool.lease()).toEqual({ address: '172.17.0.2', mac: '02:42:ac:11:00:02' });
    expect(pool.lease().address).toBe('172.17.0.3');
    pool.free('172.17.0.2');
    expect(pool.lease().address).toBe('172.17.0.2');
  });

  it('leaves out what is reserved, and ends before the broadcast address', () => {
    const pool = new AddressPool(parseSubnet('10.0.0.0/29'));
    pool.reserve('10.0.0.3');
    const leased = ['10.0.0.2', '10.0.0.4', '10.0.0.5', '10.0.0.6'];
    expect(leased.map(() => pool.lease().address)).toEqual(leased);
    expect(() => pool.lease()).toThrow('no available addresses on this pool');
    expect(pool.contains('10.0.0.7')).toBe(true);
    expect(pool.contains('10.0.0.8')).toBe(false);
  });

  it('never gives one address twice', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (steps) => {
        const pool = new AddressPool(parseSubnet('192.168.16.0/27'));
        const held: string[] = [];
        for (const take of steps) {
          if (take && held.length < 29) {
            const { address } = pool.lease();
            expect(held).not.toContain(address);
            held.push(address);
          } else if (held.length > 0) pool.free(held.shift() ?? '');
        }
      }),
    );
  });

  it('counts from the network address whatever address is given', () => {
    expect(formatSubnet(parseSubnet('192.168.17.9/20'))).toBe('192.168.16.0/20');
    expect(macOf('192.168.255.1')).toBe('02:42:c0:a8:ff:01');
  });
});

describe('openDefaultNetwork', () => {
  it('keeps the subnet of containers that still run, even beside a new route', () => {
    expect(openDefaultNetwork('172.18.0.0/16', table('172.18.0.0/16'))).toMatchObject({
      name: 'bridge',
      subnet: '172.18.0.0/16',
      gateway: '172.18.0.1',
      gatewayMac: '02:42:ac:12:00:01',
      mtu: 1500,
    });
    expect(openDefaultNetwork(null, table()).subnet).toBe('172.17.0.0/16');
  });
});
