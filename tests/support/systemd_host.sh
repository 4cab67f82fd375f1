#!/bin/sh
#
# systemd_host.sh - run a systemd as process 1 of namespaces of its own; see systemd_host.py, which calls it.
#
#   systemd_host.sh BASE DIR NAME    in fresh mount, pid, uts, ipc and cgroup namespaces
#
# BASE: a root file system, which is only read. DIR: a folder for what is written. NAME: of the host.
# Nothing of the machine's own root is mounted into the new one, no device but null and its like, and what could
# change the machine itself (clock, modules, sysctls outside the network's) is read-only or forbidden.

set -eu
base=$1 dir=$2 name=$3

hostname "$name"
mount -t overlay -o "lowerdir=$base,upperdir=$dir/upper,workdir=$dir/work" overlay "$dir/root"
cd "$dir/root"

mount -t proc -o nosuid,nodev,noexec proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,rw proc/sys/net
if [ -e proc/sysrq-trigger ]; then
	mount --bind proc/sysrq-trigger proc/sysrq-trigger
	mount -o remount,bind,ro proc/sysrq-trigger
fi

mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup

mount -t tmpfs -o nosuid,mode=755 tmpfs dev
for device in null:3 zero:5 full:7 random:8 urandom:9; do
	mknod -m 666 "dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs run
mount -t tmpfs -o nosuid,nodev tmpfs tmp

mkdir run/old
pivot_root . run/old
cd /
umount -l run/old
rmdir run/old
forbidden=-sys_time,-sys_module,-sys_rawio,-syslog,-wake_alarm,-block_suspend,-mac_admin,-mac_override
exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	setpriv --bounding-set "$forbidden" --inh-caps "$forbidden" /lib/systemd/systemd --log-target=journal
