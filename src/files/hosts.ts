import { requireConfigWord } from '../model/config-word.js';

export interface HostsLine {
  readonly address: string;
  /** One name, or several separated by single spaces as they stand on the line. */
  readonly name: string;
}

export interface HostsOptions {
  /** The container's address; null for a container without a network, which then has no line of its own. */
  readonly address: string | null;
  readonly hostname: string;
  /** Links first, then `--add-host`, in the order in which they shall stand. */
  readonly extra?: readonly HostsLine[];
}

/** The block that every Docker container has had; the IPv6 names are harmless where IPv6 is off. */
const LOCAL_LINES: readonly HostsLine[] = [
  { address: '127.0.0.1', name: 'localhost' },
  { address: '::1', name: 'localhost ip6-localhost ip6-loopback' },
  { address: 'fe00::', name: 'ip6-localnet' },
  { address: 'ff00::', name: 'ip6-mcastprefix' },
  { address: 'ff02::1', name: 'ip6-allnodes' },
  { address: 'ff02::2', name: 'ip6-allrouters' },
];

/** /etc/hosts: the container's own line, the localhost block, then links and added hosts. */
export function renderHosts({ address, hostname, extra = [] }: HostsOptions): string {
  const own = address === null ? [] : [{ address, name: ownNames(hostname) }];
  return [...own, ...LOCAL_LINES, ...extra].map(renderLine).join('');
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
