#!/bin/sh
# SPDX-License-Identifier: MIT
# A machine whose monitor is on standard input and output (docs/serial.md):
# one counter that rises with each dump, one that floats.
#
# FAKE_OPEN=no: it runs, and the first byte opens the monitor; "continue" closes it.
# FAKE_MUTE=yes: no monitor at all, a dump each half second.

seq=0
exits=0
open=${FAKE_OPEN:-yes}
nl=$(printf '\r')

say() {
	printf '%s\r\n' "$*"
}

crc() {
	printf '%s\n%s\n' "$1" "$2" | gzip -c | tail -c 8 | od -An -N4 -tx4 | tr -d ' '
}

dump() {
	seq=$((seq + 1))
	exits=$((exits + 100))
	a="@nestbed stat /kvm/exits $exits count sum"
	b="@nestbed stat /kvm/guest_mode 1 bool sum,instant"
	say "@nestbed stats begin seq=$seq us=$((seq * 1000000))"
	say "$a"
	say "vm0| a guest goes on printing"
	say "$b"
	say "@nestbed stats end lines=2 crc32=$(crc "$a" "$b")"
}

clear() {
	case $1 in
	/kvm/exits) exits=0 ;;
	/kvm/guest_mode) say "@nestbed monitor error clear $1: not permitted"; return ;;
	*) say "@nestbed monitor error clear $1: no such file"; return ;;
	esac
	say "@nestbed monitor ok clear $1"
}

say "@nestbed begin v=1 boot=1"
if [ "${FAKE_MUTE:-no}" = yes ]; then
	while dump; do
		sleep 0.5
	done
fi
while IFS= read -r line; do
	if [ "$open" = no ]; then
		open=yes
		say "@nestbed monitor ready"
		echo opened >> "${FAKE_TRACE:-/dev/null}"
		continue
	fi
	line=${line%"$nl"}
	[ -n "$line" ] || continue
	say "nestbed> $line"
	echo "$line" >> "${FAKE_TRACE:-/dev/null}"
	case $line in
	stats) dump; say "@nestbed monitor ok stats" ;;
	clear\ *) clear "${line#clear }" ;;
	continue) say "@nestbed monitor ok continue"; open=no ;;
	*) say "@nestbed monitor error $line: no such command" ;;
	esac
done
