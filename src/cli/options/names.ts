import type { Command } from 'commander';
import type { CreateContainer } from '../../api/types.js';
import { parseDnsOption, parseDnsSearch, parseDnsServer, parseNetworkAlias } from '../../model/dns-options.js';
import { EXTRA_HOST_FORM, parseExtraHost } from '../../model/extra-host.js';
import { parseHostname } from '../../model/limits.js';
import { collect, readEach } from '../values.js';

/** What the container is called, and how it finds others by their names. */
export interface NameOptions {
  readonly hostname?: string;
  readonly networkAlias?: readonly string[];
  readonly addHost?: readonly string[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOption?: readonly string[];
}

export function addNameOptions(command: Command): Command {
  return command
    .option('-h, --hostname <name>', "host name inside (default: the container's short id); others do not see it")
    .option('--net-alias, --network-alias <name>', 'another name by which others find it', collect)
    .option('--add-host <name:ip>', `a line of its /etc/hosts: ${EXTRA_HOST_FORM}`, collect)
    .option('--dns <ip>', 'ask this DNS server; 127.0.0.1 is one inside (default: whom this machine asks)', collect)
    .option('--dns-search <domain>', "search domain; . for none (default: this machine's)", collect)
    .option('--dns-opt, --dns-option <option>', "resolver option, such as ndots:1 (default: this machine's)", collect);
}

type NamePart = Pick<CreateContainer, 'hostname' | 'networkAliases' | 'extraHosts' | 'dns'>;

/** @throws UnetError USAGE or INVALID */
export function readNameOptions(options: NameOptions): NamePart {
  return {
    hostname: options.hostname === undefined ? null : parseHostname(options.hostname),
    networkAliases: (options.networkAlias ?? []).map(parseNetworkAlias),
    extraHosts: (options.addHost ?? []).map((text) => ({ ...parseExtraHost(text) })),
    dns: {
      servers: orNull(options.dns, parseDnsServer, 'an IPv4 or IPv6 address, as in --dns 10.0.0.1'),
      search: orNull(options.dnsSearch, parseDnsSearch, 'a name such as corp.example, or . for no search domain'),
      options: options.dnsOption?.map(parseDnsOption) ?? null,
    },
  };
}

function orNull(values: readonly string[] | undefined, parse: (text: string) => string, advice: string) {
  return values === undefined ? null : readEach(values, parse, advice);
}
