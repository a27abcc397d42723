# SPDX-License-Identifier: MIT
# Test functions of run.sh and stats.sh, which source this file in their own
# scratch directory.  They count in $n and $failed and keep the last command's
# output in the file "out".
n=0
failed=0

# result NAME STATUS [DETAIL]
result() {
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n - $1"
	else
		failed=$((failed + 1))
		echo "not ok $n - $1"
		[ -n "$3" ] && echo "  # $3"
		sed 's/^/  # /' out 2>/dev/null | tail -n 25
	fi
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# expect NAME CODE TEXT COMMAND...: exit code and a text somewhere in the output
expect() {
	name=$1 want=$2 text=$3
	shift 3
	timeout 60 "$@" > out 2>&1
	code=$?
	why=
	[ $code -eq "$want" ] || why="exit code $code, expected $want"
	[ -z "$text" ] || grep -q -- "$text" out || why="$why; not said: $text"
	[ -z "$why" ]
	result "$name" $? "$why"
}

# check NAME COMMAND...: the command must succeed
check() {
	name=$1
	shift
	"$@" > out 2>&1
	result "$name" $? "failed: $*"
}

refute() {
	name=$1
	shift
	! "$@" > out 2>&1
	result "$name" $? "must fail: $*"
}

have() {
	command -v "$1" > /dev/null
}
