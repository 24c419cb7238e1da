import { findProcess } from '../measure/cpu.js';
import { onPath } from './on-path.js';
import { MTUS, type Peer } from './peer.js';

/** slirp4netns (libslirp). 10.0.2.2 is the host's loopback. */
export function slirp4netns(): Peer | null {
  const program = onPath('SLIRP4NETNS', 'slirp4netns');
  if (program === null) return null;
  return {
    name: 'slirp4netns',
    mtus: MTUS,
    server: '10.0.2.2',
    // It attaches to a process that is there already: that one waits until its interface has an address, then becomes the
    // client.
    wrap: (client, mtu) => ['bash', '-c', SCRIPT, 'bash', program, String(mtu), ...client],
    stack: () => findProcess(/^slirp4netns/),
  };
}

const SCRIPT = `
slirp=$1 mtu=$2; shift 2
unshare --user --map-root-user --net bash -c '
  for i in $(seq 100); do ip -4 addr show dev tap0 2>/dev/null | grep -q inet && break; sleep 0.05; done
  exec "$@"' bash "$@" &
inside=$!
for i in $(seq 100); do
  [ "$(readlink /proc/$inside/ns/net)" != "$(readlink /proc/self/ns/net)" ] && break
  sleep 0.02
done
"$slirp" --configure --mtu="$mtu" "$inside" tap0 >/dev/null 2>&1 &
slirp_pid=$!
wait "$inside"; status=$?
kill "$slirp_pid" 2>/dev/null
exit "$status"
`;
