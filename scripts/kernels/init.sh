#!/bin/busybox sh
# First process of the machine, out of the initramfs: reaches the files of the machine outside and goes there.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev

give_up() {
  echo "unet: $1" > /dev/ttyS1
  poweroff -f
}

while read -r module; do
  insmod "/modules/$module" || give_up "the module $module cannot be loaded"
done < /modules/order

# One set of rights for all: whoever runs QEMU reads, and this kernel checks who may.
share='-t 9p -o trans=virtio,version=9p2000.L,msize=512000,access=any'
mount $share,cache=loose,ro files /new || give_up 'the files of the machine outside cannot be mounted (9p)'
mount --move /proc /new/proc
mount --move /sys /new/sys
mount --move /dev /new/dev
mount -t tmpfs -o mode=755 run /new/run
mount -t tmpfs -o mode=755 mnt /new/mnt

# The clone gets a layer to write to; what becomes of it there is forgotten.
mkdir /new/run/clone /new/run/clone/below /new/run/clone/above /new/run/clone/work /new/mnt/clone /new/mnt/out
mount $share,cache=loose,ro clone /new/run/clone/below || give_up 'the clone cannot be mounted (9p)'
mount -t overlay -o lowerdir=/new/run/clone/below,upperdir=/new/run/clone/above,workdir=/new/run/clone/work clone /new/mnt/clone ||
  give_up 'no overlay over the clone'
mount $share out /new/mnt/out || give_up 'the directory for results cannot be mounted (9p)'
cp /bin/busybox /inside.sh /new/run/
exec switch_root /new /bin/bash /run/inside.sh
