#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's own kernel with a small initramfs, on the bare emulator and as a
# guest of nestbed: boots to a shell on its serial console, which is asked
# questions, and powers off.  Then as a hypervisor: its KVM runs the guests of
# kvm_client.c, with nested paging and without.
#
#   sh tests/host/linux.sh [BUILD_DIR [[kvm:]MACHINE[:CPUS] ...]]
#
# MACHINE is one of "nestbed run --on", or "bare" for QEMU with nothing in
# between (default: bare:1 and qemu-svm:1, twice; qemu-svm:2 kvm:qemu-svm:1 kvm:qemu-svm:2).
# Prints "ok N - name" or "not ok N - name" per check and, with both, the time to
# init as a multiple of the bare one, of the fastest boot of each, since others want
# the host too; where it is more than LINUX_RATIO (1.5), both are booted up to three
# times more before it fails.
# LINUX_APPEND is added to nestbed's command line.  The packages come from apt
# and are kept, like everything else, in BUILD_DIR/foreign.
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
[ $# -gt 0 ] && shift
[ $# -gt 0 ] ||
	set -- bare:1 qemu-svm:1 bare:1 qemu-svm:1 qemu-svm:2 kvm:qemu-svm:1 kvm:qemu-svm:2
tool=$build/nestbed
qemu=${NESTBED_QEMU:-qemu-system-x86_64}
dir=$build/foreign
mkdir -p "$dir" || exit 1
cd "$dir" || exit 1
. "$here/lib.sh"
mem=256
pids=
# shellcheck disable=SC2086
trap 'kill $pids 2> /dev/null' EXIT

# ---- kernel and initramfs --------------------------------------------------

# fetch PACKAGE: its .deb, as apt names it now
fetch() {
	ls "$1"_*.deb > /dev/null 2>&1 || apt-get download "$1" > apt.log 2>&1
	ls "$1"_*.deb 2> /dev/null | tail -n 1
}

# pack INIT IMAGE: the initramfs in root
pack() {
	cp "$here/$1" root/init
	chmod 755 root/init
	# Its own cpio: one package less.
	(cd root && find . | bin/busybox cpio -o -H newc 2> /dev/null | gzip -9) > "$2"
}

make_init() {
	rm -rf root
	mkdir -p root/bin root/dev root/proc root/sys root/lib
	dpkg-deb --fsys-tarfile "$busybox" | tar -x -O ./bin/busybox > root/bin/busybox || return 1
	chmod 755 root/bin/busybox
	pack linux_init.sh initrd.gz
}

# The same with KVM's modules, without what is for a debugger, and the client.
make_kvm_init() {
	rm -rf modules
	mkdir modules
	dpkg-deb --fsys-tarfile "$linux" | tar -x -C modules --wildcards \
		'*/irqbypass.ko' '*/kvm.ko' '*/ccp.ko' '*/kvm-amd.ko' || return 1
	find modules -name '*.ko' | while read -r mod; do
		objcopy --strip-debug "$mod" "root/lib/${mod##*/}" || return 1
	done
	# Guests run its functions: nothing that needs a thread or a table of the library.
	"${HOSTCC:-gcc}" -std=gnu11 -O1 -Wall -Wextra -Wno-unused-parameter -static -no-pie \
		-fno-stack-protector -fcf-protection=none -fno-jump-tables \
		"$here/kvm_client.c" -o root/bin/kvm_client || return 1
	pack linux_kvm_init.sh kvm.gz
}

kernel=$(apt-cache depends linux-image-amd64 2> /dev/null |
	sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
linux=$([ -n "$kernel" ] && fetch "$kernel")
busybox=$(fetch busybox-static)
if [ -z "$linux" ] || [ -z "$busybox" ]; then
	skip "Linux as a guest" "apt has no linux-image-amd64 or busybox-static for us"
	echo "1..$n"
	exit 0
fi
dpkg-deb --fsys-tarfile "$linux" | tar -x -O --wildcards './boot/vmlinuz-*' > vmlinuz &&
	make_init
result "kernel and initramfs of $kernel" $?
rm -f kvm.gz
[ $failed -eq 0 ] || exit 1

# ---- one boot --------------------------------------------------------------

now() {
	date +%s.%N
}

# wait_for SECONDS REGEX: until the log has it; $at is then
wait_for() {
	tries=$(($1 * 20))
	while ! grep -qaE -- "$2" "$log" 2> /dev/null; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] && kill -0 $pid 2> /dev/null || break
		sleep 0.05
	done
	at=$(now)
	grep -qaE -- "$2" "$log"
}

# calc EXPRESSION of awk
calc() {
	awk "BEGIN { printf \"%.2f\", $1 }"
}

# The smaller of two times; the first may be missing.
least() {
	calc "${1:-$2} < $2 ? ${1:-$2} : $2"
}

# What init said about itself: value NAME
value() {
	tr -d '\r' < "$log" | sed -n "s/^\(vm[0-9]*| \)*NB-$1 \([0-9.]*\)$/\2/p" | head -n 1
}

# The conversation.  What is typed comes back as echo: no question holds its answer.
converse() {
	"$@" --quiet --timeout "$limit" --out "$dir/$name" \
		--send 'NB-INIT=' \
		--send 'nb# =echo sum $((6*7))\r' \
		--send 'sum 42=' \
		--send 'nb# =date +NB-T1\\ %s; sleep 3; date +NB-T2\\ %s\r' \
		--send 'NB-T2 [0-9]+=' \
		--send 'nb# =poweroff -f\r' > "$name.out" 2>&1
}

# A clean start on QEMU as nestbed's machine is, without nestbed.
boot_bare() {
	rm -f line
	"$qemu" -nodefaults -no-user-config -display none -vga std -machine q35 -accel tcg \
		-cpu max,+svm -m $mem -smp "$cpus" -serial unix:line,server=on,wait=on \
		-kernel vmlinuz -initrd initrd.gz -append "console=ttyS0" > "$name.qemu" 2>&1 &
	pids="$pids $!"
	emulator=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -S line ] && break
		sleep 0.2
	done
	converse "$tool" attach unix:line
	sleep 1
	# Powered off by itself?
	if kill -0 $emulator 2> /dev/null; then
		kill $emulator
		return 1
	fi
}

boot_nestbed() {
	args=' console=ttyS0'
	converse "$tool" run --on "$machine" --mem 768M \
		--append "mode=guests console_in=vmlinuz $LINUX_APPEND" \
		--guest "vmlinuz:mem=${mem}M,cpus=$cpus,initrd=initrd.gz,timeout=$limit$args" \
		--guest initrd.gz
}

# near NAME GOT LEAST MOST
near() {
	[ -n "$2" ] && awk "BEGIN { exit !($2 >= $3 && $2 <= $4) }"
	result "$1" $? "got ${2:-nothing}, expected $3 to $4"
}

check_answers() {
	cat "$name.out" > out
	near "$name: sees its processors" "$(value CPUS)" "$cpus" "$cpus"
	# What the kernel keeps for itself and its initramfs is not in MemTotal.
	near "$name: sees its memory (kB)" "$(value MEM)" $((mem * 1024 - 65536)) $((mem * 1024))
	near "$name: knows the time" "$(value DATE)" "$(calc "$init_at - $slack")" \
		"$(calc "$init_at + $slack")"
	grep -qa 'sum 42' "$log"
	result "$name: answers a command" $?
	slept=$(calc "0$(value T2) - 0$(value T1)")
	near "$name: sleeps 3 s by its own clock" "$slept" 3 4
	[ $slack -gt 10 ] ||
		near "$name: and by ours" "$(calc "$slept_at - $sleep_at")" 2.5 4.5
}

# boot MACHINE CPUS
boot() {
	machine=$1 cpus=$2 name=linux-$1-$2 slack=5 limit=240
	log=$dir/$name/serial.log
	# The time of Bochs goes by instructions, not with ours.
	case $machine in
	bare) limit=90 ;;
	bochs*) slack=100000 limit=1500 ;;
	esac
	rm -rf "$name" "$name".*
	start=$(now)
	case $machine in
	bare) boot_bare ;;
	*) boot_nestbed ;;
	esac &
	pid=$!
	pids="$pids $pid"
	if [ "$machine" != bare ]; then
		wait_for 60 "^@nestbed start guest.vmlinuz"
		start=$at
	fi
	wait_for $limit 'NB-INIT'
	result "$name: boots to init" $? "$(tail -n 3 "$log" 2> /dev/null)"
	init_at=$at
	took=$(calc "$init_at - $start")
	wait_for 60 'NB-T1 [0-9]'
	sleep_at=$at
	wait_for 60 'NB-T2 [0-9]'
	slept_at=$at
	wait $pid
	code=$?
	check_answers
	if [ "$machine" != bare ]; then
		grep -q '^@nestbed test guest.vmlinuz pass' "$log"
		code=$?
	fi
	result "$name: powers off" $code
	echo "# $name: init after $took s ($(value UPTIME) s by its own clock)"
	[ "$machine:$cpus" = bare:1 ] && bare=$(least "$bare" "$took")
	[ "$machine:$cpus" = qemu-svm:1 ] && nested=$(least "$nested" "$took")
}

# ---- KVM in it -------------------------------------------------------------

# On a busy host the kernel's looks at its clocks fail: without a frequency of the
# TSC its KVM waits forever.  The plain boots let it look.
tsc_khz() {
	"$tool" run --quiet --on "$1" --append "mode=guests" --out "$dir/khz" > khz.out 2>&1
	sed -n 's/^@nestbed begin .* tsc_khz=\([0-9]*\).*/\1/p' khz/serial.log
}

kvm_bare() {
	"$qemu" -nodefaults -no-user-config -display none -vga std -machine q35 -accel tcg \
		-cpu max,+svm -m $mem -smp "$cpus" -serial "file:$log" -kernel vmlinuz \
		-initrd kvm.gz -append "console=ttyS0" > "$name.out" 2>&1
}

kvm_nestbed() {
	keys=cpus=$cpus,timeout=$limit
	args=" console=ttyS0 panic=-1 no_timer_check tsc_early_khz=$(tsc_khz "$machine")"
	"$tool" run --quiet --on "$machine" --cpus $((cpus + 1)) --mem 768M --timeout "$limit" \
		--out "$dir/$name" --append "mode=guests $LINUX_APPEND" \
		--guest "vmlinuz:mem=${mem}M,$keys,nested=svm,initrd=kvm.gz$args" \
		--guest kvm.gz > "$name.out" 2>&1
}

# said REGEX: a line of the guest's
said() {
	tr -d '\r' < "$log" | grep -qaE "^(vm[0-9]*\| )?$1\$"
}

check_client() {
	said "NB-DEV npt=$1 $2"
	result "$name, npt=$1: /dev/kvm appears" $?
	for t in $(root/bin/kvm_client list); do
		said "NB-KVM npt=$1 $t ok"
		result "$name, npt=$1: $t" $? "$(grep -a "NB-KVM npt=$1 $t " "$log")"
	done
	said "NB-L2 npt=$1 real: hello from real mode" &&
		said "NB-L2 npt=$1 hello: hello from 64-bit code"
	result "$name, npt=$1: what L2 prints" $?
}

# kvm MACHINE CPUS
kvm() {
	machine=$1 cpus=$2 name=kvm-$1-$2 limit=900
	rm -rf "$name" "$name".*
	mkdir "$name"
	log=$dir/$name/serial.log
	start=$(now)
	case $machine in
	bare) kvm_bare ;;
	*) kvm_nestbed ;;
	esac
	result "$name: the run" $? "$(tail -n 30 "$log")"
	: > out
	check_client 1 Y
	check_client 0 N
	said NB-END && ! grep -a NB-BAD "$log" > out
	result "$name: the kernel has nothing to complain of" $?
	echo "# $name: $(calc "$(now) - $start") s"
	: > out
}

for m in "$@"; do
	what=boot
	case $m in
	kvm:*) what=kvm m=${m#kvm:} ;;
	esac
	cpus=${m#*:}
	[ "$cpus" = "$m" ] && cpus=1
	if [ $what = kvm ] && [ ! -f kvm.gz ]; then
		make_kvm_init > out 2>&1
		result "KVM's modules and a client" $?
		[ $failed -eq 0 ] || exit 1
	fi
	$what "${m%%:*}" "$cpus"
done
if [ -n "$bare" ] && [ -n "$nested" ]; then
	ratio=${LINUX_RATIO:-1.5} more=3
	while [ $more -gt 0 ] && ! awk "BEGIN { exit !($nested <= $ratio * $bare) }"; do
		boot bare 1
		boot qemu-svm 1
		more=$((more - 1))
	done
	near "time to init, as a multiple of the bare one" "$(calc "$nested / $bare")" 0 "$ratio"
	echo "# bare $bare s, as a guest $nested s: $(calc "$nested / $bare")"
fi
echo "1..$n"
echo "# $((n - failed)) passed, $failed failed"
[ $failed -eq 0 ]
