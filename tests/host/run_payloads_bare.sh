#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs payload guests on the bare emulator, with no hypervisor in between: the
# evidence that what they check is how the machine is.  Payloads that say
# bare=no (they need nestbed, or never end) are skipped.
#
#   run_payloads_bare.sh OUT [NAME...]	OUT: the build directory
#
# A line per payload; the console of those that fail follows.  Last line:
# "payloads: N passed, N failed, N skipped".  Exit code 0 when none failed.

dir=$1/guests
shift
only=" $* "
qemu=${QEMU:-qemu-system-x86_64}
passed=0 failed=0 skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# QEMU's exit code for the right end: isa-debug-exit gives (V << 1) | 1, a
# reset with -no-reboot 0, as does switching off.
wanted()
{
	case $1 in
	shutdown|poweroff|reset)	echo 0 ;;
	timeout)	echo 124 ;;
	any)		echo any ;;
	*)		echo $((($1 << 1 | 1) & 255)) ;;
	esac
}

while IFS='|' read -r mode name expect bare mem timeout cpus nested ref desc; do
	[ $# -eq 0 ] || case $only in *" $name "*) ;; *) continue ;; esac
	if [ "$bare" != yes ]; then
		skipped=$((skipped + 1))
		continue
	fi
	timeout $((timeout / 1000 + 5)) "$qemu" -accel tcg -cpu max \
		-smp "$cpus" -m "$mem" -display none -monitor none \
		-no-reboot -nodefaults -serial file:"$log" \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -device pc-testdev \
		-kernel "$dir/$name.elf" -append "platform=tcg" < /dev/null > /dev/null 2>&1
	code=$?
	want=$(wanted "$expect")
	if [ "$code" = "$want" ] || { [ "$want" = any ] && [ $code -ne 134 ]; }; then
		echo "$name: passed"
		passed=$((passed + 1))
	elif [ $code -eq 7 ]; then
		echo "$name: passed, $(grep -c '^KNOWN' "$log") known defects of the emulator"
		passed=$((passed + 1))
	elif [ $code -eq 5 ]; then
		echo "$name: skipped ($(sed -n 's/^SKIP //p' "$log" | tr -d '\r'))"
		skipped=$((skipped + 1))
	else
		echo "$name: failed, exit code $code, not $want"
		sed 's/^/    /' "$log"
		failed=$((failed + 1))
	fi
done < "$dir/payloads.list"

echo "payloads: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -ne 0 ]
