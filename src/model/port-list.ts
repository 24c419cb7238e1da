/** A published port as it stands: really bound on the host. */
export interface PublishedPort {
  /** Without brackets. */
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/**
 * The PORTS column of `ps`. Neighbours whose host and container numbers are the same join to a range
 * (`0.0.0.0:80-81->80-81/tcp`); those that differ stand alone, after the joined ones.
 */
export function formatPorts(ports: readonly PublishedPort[]): string {
  const sorted = [...ports].sort(comparePorts);
  const same = sorted.filter((port) => port.hostPort === port.containerPort);
  const different = sorted.filter((port) => port.hostPort !== port.containerPort);
  return [...joinRuns(same), ...different.map(formatOne)].join(', ');
}

/** `0.0.0.0:8080` or `[::1]:8080`. */
export function formatHostPort(address: string, port: number | string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function formatOne({ hostAddress, hostPort, containerPort, protocol }: PublishedPort): string {
  return `${formatHostPort(hostAddress, hostPort)}->${containerPort}/${protocol}`;
}

function joinRuns(sorted: readonly PublishedPort[]): string[] {
  const runs: { first: PublishedPort; last: number }[] = [];
  // Per address and protocol, so that 80/tcp on two addresses does not break the run 80-81 of either.
  const open = new Map<string, { first: PublishedPort; last: number }>();
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
    const range = first.containerPort === last ? String(last) : `${first.containerPort}-${last}`;
    return `${formatHostPort(first.hostAddress, range)}->${range}/${first.protocol}`;
  });
}

function comparePorts(a: PublishedPort, b: PublishedPort): number {
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
