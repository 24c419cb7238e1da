import { usageError } from './errors.js';

/** Which ports of the host's loopback a container may reach (by the gateway's address). */
export interface HostAccess {
  readonly all: boolean;
  readonly ports: readonly number[];
}

export const NO_HOST_ACCESS: HostAccess = { all: false, ports: [] };

/** More than this many single ports is not a list any more; `all` says it better. */
export const MAX_HOST_ACCESS_PORTS = 1024;

/**
 * Reads `--host-access`: `all`, or ports separated by commas.
 *
 * @throws UnetError USAGE
 */
export function parseHostAccess(text: string): HostAccess {
  if (text === 'all') return { all: true, ports: [] };
  const ports = text.split(',').map((part) => {
    const port = /^\d{1,5}$/.test(part) ? Number(part) : 0;
    if (port < 1 || port > 65535) {
      throw usageError(`invalid --host-access '${text}': give ports from 1 to 65535 separated by commas, or all`);
    }
    return port;
  });
  if (ports.length > MAX_HOST_ACCESS_PORTS) {
    throw usageError(`--host-access takes at most ${MAX_HOST_ACCESS_PORTS} ports; say all to open every one`);
  }
  return { all: false, ports: [...new Set(ports)].sort((a, b) => a - b) };
}

/** Two options add up: `--host-access 5432 --host-access 6379`. */
export function mergeHostAccess(a: HostAccess, b: HostAccess): HostAccess {
  if (a.all || b.all) return { all: true, ports: [] };
  return { all: false, ports: [...new Set([...a.ports, ...b.ports])].sort((x, y) => x - y) };
}
