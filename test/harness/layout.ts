/**
 * The world outside, three network namespaces in a user namespace of its own:
 *
 *   host ── 10.91.1.0/24 ── router ── 10.91.2.0/24 ── server
 *
 * `host` is the machine where the daemon and its guests live, `server` is somebody far away, `router` stands between them
 * and can drop, delay or refuse. All of it is made and removed without root.
 */
export type Place = 'host' | 'router' | 'server';

export const ADDRESS = {
  host: '10.91.1.2',
  /** A second address of the host, to publish on one and not the other. */
  hostSecond: '10.91.1.3',
  routerToHost: '10.91.1.1',
  routerToServer: '10.91.2.1',
  server: '10.91.2.2',
  serverSecond: '10.91.2.3',
  /** Routed to `router`, which has no way on: host unreachable. */
  nowhere: '10.91.7.7',
} as const;

/** What the first user network of unet is called in addresses: Docker's own. */
export const GATEWAY = '172.17.0.1';

/** Run by the first process of the world, with every capability over its namespaces and none outside. */
export function worldScript(directory: string, gid: number): string {
  return `
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/etc/upper /run/etc/work
# Our own /etc on top of the machine's: resolv.conf can be written, renamed and removed here.
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work,userxattr /etc
rm -f /etc/resolv.conf
echo 'nameserver ${ADDRESS.server}' > /etc/resolv.conf

for place in host router server; do
  ip netns add $place
  ip -n $place link set lo up
done
ip link add host-eth netns host type veth peer name to-host netns router
ip link add server-eth netns server type veth peer name to-server netns router
ip -n host link set host-eth name eth0
ip -n server link set server-eth name eth0
ip -n host addr add ${ADDRESS.host}/24 dev eth0
ip -n host addr add ${ADDRESS.hostSecond}/24 dev eth0
ip -n router addr add ${ADDRESS.routerToHost}/24 dev to-host
ip -n router addr add ${ADDRESS.routerToServer}/24 dev to-server
ip -n server addr add ${ADDRESS.server}/24 dev eth0
ip -n server addr add ${ADDRESS.serverSecond}/24 dev eth0
ip -n host link set eth0 up
ip -n server link set eth0 up
ip -n router link set to-host up
ip -n router link set to-server up
ip -n host route add default via ${ADDRESS.routerToHost}
ip -n server route add default via ${ADDRESS.routerToServer}

in_place() { nsenter --net=/run/netns/$1 sh -c "$2"; }
in_place router 'echo 1 > /proc/sys/net/ipv4/ip_forward'
in_place server 'echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start'
# As systemd sets it on most machines. A test that wants it closed closes it.
in_place host 'echo "${gid} ${gid}" > /proc/sys/net/ipv4/ping_group_range'
mkdir -p ${directory}/home ${directory}/run ${directory}/state ${directory}/config ${directory}/tmp
chmod 700 ${directory}/home ${directory}/run
set +e
`;
}
