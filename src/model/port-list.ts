import type { ExposedPort } from './exposed-port.js';

/** A published port as it stands: really bound on the host. */
export interface PublishedPort {
  /** Without brackets. */
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** What stands in the list: `->` only where it is published. */
interface Entry {
  /** Empty: not published. */
  readonly hostAddress: string;
  /** Of an unpublished port its own number. */
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: string;
}

/**
 * The PORTS column of `ps`: published ports, and exposed ones that are not. Neighbours join to a range where host and container numbers are
 * the same or there is no host's (`80-82/tcp`, `0.0.0.0:80-81->80-81/tcp`); those that differ stand alone, after the joined ones.
 */
export function formatPorts(ports: readonly PublishedPort[], exposed: readonly ExposedPort[] = []): string {
  const sorted = [...ports, ...unpublished(ports, exposed)].sort(comparePorts);
  const same = sorted.filter((port) => port.hostPort === port.containerPort);
  const different = sorted.filter((port) => port.hostPort !== port.containerPort);
  return [...joinRuns(same), ...different.map((port) => formatOne(port, port.hostPort, port.containerPort))].join(', ');
}

function unpublished(ports: readonly PublishedPort[], exposed: readonly ExposedPort[]): Entry[] {
  const published = new Set(ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  return exposed
    .filter(({ port, protocol }) => !published.has(`${port}/${protocol}`))
    .map(({ port, protocol }) => ({ hostAddress: '', hostPort: port, containerPort: port, protocol }));
}

/** `0.0.0.0:8080` or `[::1]:8080`. */
export function formatHostPort(address: string, port: number | string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Numbers, or ranges of them. */
function formatOne({ hostAddress, protocol }: Entry, host: number | string, own: number | string): string {
  return hostAddress === '' ? `${own}/${protocol}` : `${formatHostPort(hostAddress, host)}->${own}/${protocol}`;
}

function joinRuns(sorted: readonly Entry[]): string[] {
  const runs: { first: Entry; last: number }[] = [];
  // Per address and protocol, so that 80/tcp on two addresses does not break the run 80-81 of either.
  const open = new Map<string, { first: Entry; last: number }>();
  for (const port of sorted) {
    const key = `${port.hostAddress}/${port.protocol}`;
    const run = open.get(key);
    if (run && run.last + 1 === port.containerPort) {
      run.last = port.containerPort;
    } else {
      const started = { first: port, last: port.containerPort };
      open.set(key, started);
      runs.push(started);
    }
  }
  return runs.map(({ first, last }) => {
    const range = first.containerPort === last ? last : `${first.containerPort}-${last}`;
    return formatOne(first, range, range);
  });
}

function comparePorts(a: Entry, b: Entry): number {
  return (
    a.containerPort - b.containerPort ||
    compareText(a.hostAddress, b.hostAddress) ||
    a.hostPort - b.hostPort ||
    compareText(a.protocol, b.protocol)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
