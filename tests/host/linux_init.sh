#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# /init of the initramfs of linux.sh: says what the kernel sees, then a shell
# on the serial console.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo "NB-CPUS $(grep -c '^processor' /proc/cpuinfo)"
echo "NB-MEM $(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)"
echo "NB-DATE $(date +%s)"
echo "NB-UPTIME $(cut -d' ' -f1 /proc/uptime)"
echo "NB-INIT"
export PS1='nb# '
exec setsid sh -c 'exec sh -i < /dev/ttyS0 > /dev/ttyS0 2>&1'
