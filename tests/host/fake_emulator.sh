#!/bin/sh
# SPDX-License-Identifier: MIT
# Stands in for QEMU or Bochs: puts a recorded log on the serial line (file
# descriptor 3) and then ends, or fails to, in the way FAKE_MODE says.

# Bochs with input: the line is a TCP connection that it makes.
port=$(sed -n 's/^com1: .*mode=socket-client, dev=127.0.0.1:\([0-9]*\)$/\1/p' "$3" 2>/dev/null)
if [ "$1" = -q ] && [ -n "$port" ] && [ -z "$FAKE_LINE" ]; then
	[ "$FAKE_MODE" = deaf ] && echo "fake: no line" >&2 && exit 4
	FAKE_LINE=tcp exec socat "TCP:127.0.0.1:$port" "EXEC:sh $0 $*"
fi
[ "$FAKE_LINE" = tcp ] && exec 3<&0

# The line with somebody at its other end, between begin and end of the log.
talk() {
	sed '/^@nestbed end/,$d' "$FAKE_LOG" >&3
	printf 'vm0| name? ' >&3
	IFS= read -r name <&3
	printf '%s\r\nvm0| hello %s\r\n' "$name" "$name" >&3
	echo "$name" > "$FAKE_DIR/name"
	[ "$FAKE_MODE" = talk-file ] && cat <&3 > "$FAKE_DIR/rest" &
	sleep 1
	sed -n '/^@nestbed end/,$p' "$FAKE_LOG" >&3
	[ "$FAKE_MODE" != talk-stay ] || sleep 30
}

# A kernel that does a little better as a guest; FAKE_WORSE: it does not.
kernel() {
	case "$*" in
	*mode=guests*)
		printf '@nestbed begin v=1 boot=1\r\n@nestbed plan 1\r\n@nestbed decl guest.k\r\n'
		printf '@nestbed start guest.k\r\n'
		printf 'vm0| PASS: one\r\nvm0| %s: two\r\n' "${FAKE_WORSE:-PASS}"
		printf '@nestbed test guest.k pass us=1\r\n@nestbed end verdict=pass passed=1 '
		printf 'failed=0 skipped=0 errors=0 known=0\r\n' ;;
	*)
		printf 'PASS: one\r\nnot at its start PASS\r\n%s: two\r\n' "${FAKE_BARE:-FAIL}"
		exit 3 ;;
	esac
}

printf '%s\n' "$@" > "$FAKE_DIR/args"
pwd > "$FAKE_DIR/pwd"
echo $$ > "$FAKE_DIR/self"
case $FAKE_MODE in
talk* | kernel) ;;
*) [ -n "$FAKE_LOG" ] && cat "$FAKE_LOG" >&3 ;;
esac

case $FAKE_MODE in
talk*)
	talk
	;;
kernel)
	kernel "$@" >&3
	;;
off)
	;;
status)
	echo "fake: the floppy is on fire" >&2
	exit 3
	;;
killed)
	kill -KILL $$
	;;
hang)
	# A child too: nothing of the group may stay behind.
	sleep 600 &
	echo $! > "$FAKE_DIR/pid"
	wait
	;;
chatter)
	while :; do
		echo "still here" >&3
		sleep 0.1
	done
	;;
flood)
	yes "vm0| a guest that does not stop" >&3
	;;
esac
