import { readFileSync } from 'node:fs';
import { DEFAULT_MTU } from '../model/limits.js';
import type { NetworkSpec } from '../native/index.js';
import { AddressPool, chooseSubnet, formatSubnet, macOf, parseRoutes, parseSubnet } from './address-pool.js';

/** Docker's name of the default network, and ours. */
export const DEFAULT_NETWORK = 'bridge';

/** The default network: its subnet, its gateway, and who has which address. */
export interface Network {
  readonly name: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly gatewayMac: string;
  /** Bytes. */
  readonly mtu: number;
  readonly pool: AddressPool;
}

/** @param subnet of containers that still run; null: the first free one of the list */
export function openDefaultNetwork(subnet: string | null, routes = readRoutes()): Network {
  const pool = new AddressPool(subnet === null ? chooseSubnet(parseRoutes(routes)) : parseSubnet(subnet));
  return {
    name: DEFAULT_NETWORK,
    subnet: formatSubnet(pool.subnet),
    gateway: pool.gateway,
    gatewayMac: macOf(pool.gateway),
    mtu: DEFAULT_MTU,
    pool,
  };
}

export function networkSpec({ name, subnet, gateway, gatewayMac, mtu }: Network): NetworkSpec {
  return { id: name, subnet, gateway, gatewayMac, mtu };
}

function readRoutes(): string {
  try {
    return readFileSync('/proc/net/route', 'utf8');
  } catch {
    return '';
  }
}
