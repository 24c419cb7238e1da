import { requireConfigWord } from '../model/config-word.js';

export interface HostsLine {
  readonly address: string;
  /** One name, or several separated by single spaces as they stand on the line. */
  readonly name: string;
}

export interface HostsOptions {
  /** The container's addresses, IPv4 first; none for a container without a network, which then has no line of its own. */
  readonly addresses: readonly string[];
  readonly hostname: string;
  /** False where its kernel has no IPv6: then no line has an IPv6 address. Default true. */
  readonly ipv6?: boolean;
  /** Links first, then `--add-host`, in the order in which they shall stand. */
  readonly extra?: readonly HostsLine[];
}

/** Whom a container links to, for the line that tells of it. */
export interface LinkedHost {
  /** IPv4 first. */
  readonly addresses: readonly string[];
  readonly alias: string;
  /** What else it is known as there: the 12-hex id and the name. Never a hostname given with `-h`. */
  readonly others: readonly string[];
}

/** The block that every Docker container has had. */
const LOCAL_LINES: readonly HostsLine[] = [
  { address: '127.0.0.1', name: 'localhost' },
  { address: '::1', name: 'localhost ip6-localhost ip6-loopback' },
  { address: 'fe00::', name: 'ip6-localnet' },
  { address: 'ff00::', name: 'ip6-mcastprefix' },
  { address: 'ff02::1', name: 'ip6-allnodes' },
  { address: 'ff02::2', name: 'ip6-allrouters' },
];

/** /etc/hosts: the container's own lines, the localhost block, then links and added hosts. */
export function renderHosts({ addresses, hostname, ipv6 = true, extra = [] }: HostsOptions): string {
  const own = linesOf(addresses, ownNames(hostname));
  const lines = [...own, ...LOCAL_LINES, ...extra];
  return lines
    .filter(({ address }) => ipv6 || !address.includes(':'))
    .map(renderLine)
    .join('');
}

/** A line an address: the alias first, then the other words, each once. */
export function linkLines({ addresses, alias, others }: LinkedHost): HostsLine[] {
  return linesOf(addresses, [...new Set([alias, ...others])].join(' '));
}

function linesOf(addresses: readonly string[], name: string): HostsLine[] {
  return addresses.map((address) => ({ address, name }));
}

/** `web.example.com` is known as itself and as `web`. */
function ownNames(hostname: string): string {
  const dot = requireConfigWord('hostname', hostname).indexOf('.');
  return dot > 0 ? `${hostname} ${hostname.slice(0, dot)}` : hostname;
}

function renderLine({ address, name }: HostsLine): string {
  requireConfigWord('address', address);
  for (const word of name.split(' ')) requireConfigWord('name', word);
  return `${address}\t${name}\n`;
}
