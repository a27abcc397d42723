#!/bin/sh
# SPDX-License-Identifier: MIT
# Stands in for QEMU or Bochs: puts a recorded log on the serial line (file
# descriptor 3) and then ends, or fails to, in the way FAKE_MODE says.

printf '%s\n' "$@" > "$FAKE_DIR/args"
pwd > "$FAKE_DIR/pwd"
echo $$ > "$FAKE_DIR/self"
[ -n "$FAKE_LOG" ] && cat "$FAKE_LOG" >&3

case $FAKE_MODE in
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
