#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# /init of the second initramfs of linux.sh: KVM's modules and a client, with
# nested paging and without, and what the kernel said to that.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo "NB-INIT"
for m in irqbypass kvm ccp; do
	insmod /lib/$m.ko
done
for npt in 1 0; do
	insmod /lib/kvm-amd.ko npt=$npt && [ -c /dev/kvm ] &&
		echo "NB-DEV npt=$npt $(cat /sys/module/kvm_amd/parameters/npt)"
	/bin/kvm_client npt=$npt
	rmmod kvm-amd || echo "NB-BAD rmmod"
done
bad='WARNING:|BUG:|Oops|Call Trace|general protection|unchecked MSR'
dmesg | grep -E "$bad|[Kk][Vv][Mm].*(unhandled|error|invalid)" | sed 's/^/NB-BAD /'
echo "NB-END"
poweroff -f
