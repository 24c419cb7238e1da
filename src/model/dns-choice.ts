/** Lists of a resolver's configuration that somebody gave; null: left to the next in line. */
export interface DnsLists {
  readonly servers: readonly string[] | null;
  readonly search: readonly string[] | null;
  readonly options: readonly string[] | null;
}

export const NO_DNS_LISTS: DnsLists = { servers: null, search: null, options: null };

/** In the order in which they are asked for a list. */
export type DnsOrigin = 'run' | 'daemon' | 'host';

/** A list, and whose it is. */
export interface DnsList {
  readonly origin: DnsOrigin;
  readonly list: readonly string[];
}

export type DnsChoice = { readonly [key in keyof DnsLists]: DnsList };

/** The host has every list, if only an empty one. */
type HostLists = { readonly [key in keyof DnsLists]: readonly string[] };

/** Each list whole from the first who gave it: the run, else the daemon, else the host. */
export function chooseDns(run: DnsLists, daemon: DnsLists, host: HostLists): DnsChoice {
  const choose = (key: keyof DnsLists): DnsList => {
    if (run[key] !== null) return { origin: 'run', list: run[key] };
    if (daemon[key] !== null) return { origin: 'daemon', list: daemon[key] };
    return { origin: 'host', list: host[key] };
  };
  return { servers: choose('servers'), search: choose('search'), options: choose('options') };
}
