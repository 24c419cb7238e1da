import { UnetError } from './errors.js';
import { canonicalAddress } from './ip-address.js';

export type Protocol = 'tcp' | 'udp' | 'sctp';

/**
 * One port of a container to be published. Where the host port is a range (`from` < `to`), one free number out of it is
 * wanted; `null` asks for an ephemeral one.
 */
export interface PortRequest {
  /** As the kernel prints it, without brackets; null: the daemon's default address. */
  readonly hostAddress: string | null;
  readonly hostPort: { readonly from: number; readonly to: number } | null;
  readonly containerPort: number;
  readonly protocol: Protocol;
}

const MAX_PORT = 65535;
const PROTOCOLS: readonly string[] = ['tcp', 'udp', 'sctp'];
const LONG_FORM_KEYS = ['published', 'target', 'protocol'];

/**
 * Reads a value of `-p`.
 *
 * ```
 * spec  := [ [ip] ":" [host] ":" ] ctr | host ":" ctr        ctr := range [ "/" proto ]
 * host, range := num [ "-" num ]    num := 0..65535           proto := tcp | udp | sctp, any case
 * long form: published=…,target=…,protocol=…
 * ```
 *
 * It is split from the right, so a bare IPv6 address needs no brackets (`::1:80:80`). A container range with a host range
 * of the same length goes pairwise; a single container port with a host range takes one free number out of it.
 *
 * @throws UnetError INVALID
 */
export function parsePortSpec(text: string): PortRequest[] {
  const spec = text.includes('=') ? fromLongForm(text) : text;
  const { address, host, container } = splitFromTheRight(spec);
  const slash = container.indexOf('/');
  const containerText = slash < 0 ? container : container.slice(0, slash);
  const protocol = (slash < 0 ? '' : container.slice(slash + 1)).toLowerCase() || 'tcp';

  if (!isProtocol(protocol)) throw invalid(`invalid proto: ${protocol}`);
  const hostAddress = parseAddress(address);
  if (containerText === '') throw invalid(`no port specified: ${spec}<empty>`);
  const ports = parseRange(containerText) ?? fail(`invalid containerPort: ${containerText}`);
  if (ports.from === 0) throw invalid(`invalid port specification: "0/${protocol}"`);
  const hosts = host === '' ? null : (parseRange(host) ?? fail(`invalid hostPort: ${host}`));
  // Port 0 alone asks for an ephemeral one; a range that starts there names no port that could be bound.
  if (hosts?.from === 0 && hosts.to > 0) throw invalid(`invalid hostPort: ${host}`);

  const length = ports.to - ports.from;
  if (hosts !== null && length > 0 && hosts.to - hosts.from !== length) {
    throw invalid(`invalid ranges specified for container and host Ports: ${containerText} and ${host}`);
  }
  return Array.from({ length: length + 1 }, (_, offset) => ({
    hostAddress,
    hostPort: hostPortAt(hosts, length, offset),
    containerPort: ports.from + offset,
    protocol,
  }));
}

/**
 * Refuses what can be written down but not carried.
 *
 * @throws UnetError INVALID
 */
export function requireCarried(requests: readonly PortRequest[]): void {
  const refused = requests.find(({ protocol }) => protocol === 'sctp');
  if (refused) {
    throw invalid(`cannot publish ${refused.containerPort}/sctp: sctp is not supported, unet carries tcp and udp`);
  }
}

/** `[::1]:8080:6000/udp`: a request as one would type it, every part in its place. */
export function formatPortRequest({ hostAddress, hostPort, containerPort, protocol }: PortRequest): string {
  const address = hostAddress === null ? '' : hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress;
  const host = hostPort === null ? '' : formatRange(hostPort);
  const front = address === '' ? (host === '' ? '' : `${host}:`) : `${address}:${host}:`;
  return `${front}${containerPort}/${protocol}`;
}

function hostPortAt(hosts: { from: number; to: number } | null, length: number, offset: number) {
  if (hosts === null || hosts.to === 0) return null;
  return length === 0 ? hosts : { from: hosts.from + offset, to: hosts.from + offset };
}

function formatRange({ from, to }: { from: number; to: number }): string {
  return from === to ? String(from) : `${from}-${to}`;
}

function splitFromTheRight(spec: string): { address: string; host: string; container: string } {
  const parts = spec.split(':');
  const container = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  return { address: parts.join(':'), host, container };
}

function fromLongForm(text: string): string {
  const values: Record<string, string> = { protocol: 'tcp', published: '', target: '' };
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    if (equals < 1) throw invalid(`invalid publish opts format (should be name=value but got '${part}')`);
    const key = part.slice(0, equals);
    if (!LONG_FORM_KEYS.includes(key)) {
      throw invalid(`invalid publish opts format: unknown name '${key}' (known: ${LONG_FORM_KEYS.join(', ')})`);
    }
    values[key] = part.slice(equals + 1);
  }
  return `${values['published']}:${values['target']}/${values['protocol']}`;
}

function parseAddress(text: string): string | null {
  if (text === '') return null;
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  return canonicalAddress(bare) ?? fail(`invalid IP address: ${bare}`);
}

function parseRange(text: string): { from: number; to: number } | null {
  const match = /^(\d{1,16})(?:-(\d{1,16}))?$/.exec(text);
  if (!match) return null;
  const from = Number(match[1]);
  const to = match[2] === undefined ? from : Number(match[2]);
  return to > MAX_PORT || from > to ? null : { from, to };
}

function isProtocol(text: string): text is Protocol {
  return PROTOCOLS.includes(text);
}

function fail(message: string): never {
  throw invalid(message);
}

function invalid(message: string): UnetError {
  return new UnetError('INVALID', message);
}
