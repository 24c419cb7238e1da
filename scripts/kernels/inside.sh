# Runs as root on the kernel under test, over the files of the machine outside: makes of them what a stock Debian is after boot,
# and runs the tests as an ordinary user. /mnt/out/arguments says how, line by line; results go beside it.
set -u
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 -opost -echo
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8

off() {
  sync
  /run/busybox poweroff -f
}
trap off EXIT

{
  read -r node
  read -r release_root
  read -r uid
  read -r gid
  read -r patience
  mapfile -t arguments
} < /mnt/out/arguments

# Modules are loaded as a stock kernel loads them: at need, by its own call for modprobe.
printf '#!/bin/sh\nexec /sbin/modprobe -d %s "$@"\n' "$release_root" > /run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe

mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/lock
ip link set lo up
hostname unet-kernel
ulimit -n 1024 && ulimit -Hn 524288

# What udev's and systemd's own rules do on Debian.
/run/modprobe tun
chmod 666 /dev/net/tun /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx
ln -sfn /proc/self/fd /dev/fd
ln -sfn /proc/self/fd/0 /dev/stdin
ln -sfn /proc/self/fd/1 /dev/stdout
ln -sfn /proc/self/fd/2 /dev/stderr
echo '0 2147483647' > /proc/sys/net/ipv4/ping_group_range

name=$(getent passwd "$uid" | cut -d: -f1)
mkdir -p /tmp/home
chown "$uid:$gid" /tmp/home /mnt/clone /mnt/clone/node_modules
cd /mnt/clone || exit 1
uname -r > /mnt/out/release
# Vitest gives its worker a minute to start, and the first reading of a file is the slow one.
find "$node" node_modules/vitest node_modules/vite node_modules/@vitest -type f -name '*[!p]' -exec cat {} + > /dev/null
setpriv --reuid="$uid" --regid="$gid" --clear-groups --inh-caps=-all -- env -i \
  HOME=/tmp/home USER="${name:-$uid}" LOGNAME="${name:-$uid}" SHELL=/bin/bash LANG=C.UTF-8 TERM=dumb NO_COLOR=1 CI=true \
  PATH="$(dirname "$node"):/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" UNET_TEST_PATIENCE="$patience" UNET_KERNEL="$(uname -r)" UNET_KERNEL_REPORT=/tmp/report.json \
  "$node" node_modules/vitest/vitest.mjs run "${arguments[@]}" | cat
status=${PIPESTATUS[0]}
cp /tmp/report.json /mnt/out/report.json
echo "$status" > /mnt/out/status
