import { dnsPeer, LOCAL_ADDRESS, LOCAL_NAME, UPSTREAM_PORT } from './dns-peer.js';
import { onPath } from './on-path.js';
import type { Peer } from './peer.js';

const CACHE_ENTRIES = 10_000;

/** dnsmasq (Debian: `dnsmasq-base`): what libvirt, LXD and older Podman networks put on their bridges. */
export function dnsmasq(): Peer | null {
  const program = onPath('DNSMASQ', 'dnsmasq');
  if (program === null) return null;
  return dnsPeer({
    name: 'dnsmasq',
    argv: (address) => [
      // --no-daemon: it stays who it is; there is no other user in its namespace to become.
      ...[program, '--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--bind-interfaces'],
      ...[`--listen-address=${address}`, `--host-record=${LOCAL_NAME},${LOCAL_ADDRESS},60`],
      ...[`--server=127.0.0.1#${UPSTREAM_PORT}`, `--cache-size=${CACHE_ENTRIES}`],
    ],
  });
}
