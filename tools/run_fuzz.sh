#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: run_fuzz.sh SECONDS OUTDIR BIN...
#
# Runs each libFuzzer program for SECONDS, two at a time.  The corpus grows in
# OUTDIR/fuzz/corpus/NAME and starts with tests/fuzz/seeds/NAME.  One line for
# each program:
#
#   fuzz_acpi: ok, 1725856 execs, cov 378
#   fuzz_acpi: FAILED, OUTDIR/fuzz/crash/fuzz_acpi/crash-0123...	(and how to rerun)
#
# The last line is "N passed, N failed, 0 skipped".  Exit code: 0 when no
# program found anything and all of them really ran.

if [ $# -lt 3 ]; then
	echo "usage: $0 SECONDS OUTDIR BIN..." >&2
	exit 64
fi
seconds=$1
out=$2
shift 2

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
logs=$out/fuzz/log
mkdir -p "$logs" || exit 1

# Longest input: enough for a few structures, short enough to stay fast.
max_len() {
	case $1 in
	fuzz_cmdline) echo 3000 ;;
	fuzz_acpi | fuzz_multiboot) echo 8192 ;;
	*) echo 4096 ;;
	esac
}

fuzz_one() {
	name=${1##*/}
	corpus=$out/fuzz/corpus/$name
	crash=$out/fuzz/crash/$name
	rm -rf "$crash"
	mkdir -p "$corpus" "$crash"
	seeds=$root/tests/fuzz/seeds/$name
	[ -d "$seeds" ] || seeds=
	# A program that hangs in one input is stopped by -timeout; this is the
	# net below it.
	timeout $((seconds + 120)) "$1" -max_total_time="$seconds" \
		-max_len="$(max_len "$name")" -timeout=20 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$crash/" \
		"$corpus" $seeds > "$logs/$name.log" 2>&1
	echo $? > "$logs/$name.rc"
}

report_one() {
	name=${1##*/}
	log=$logs/$name.log
	rc=$(cat "$logs/$name.rc" 2> /dev/null || echo 127)
	execs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" 2> /dev/null)
	cov=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" 2> /dev/null | tail -n 1)
	if [ "$rc" -eq 0 ] && [ "${execs:-0}" -gt 0 ]; then
		echo "$name: ok, $execs execs, cov ${cov:-0}"
		return 0
	fi
	input=$(find "$out/fuzz/crash/$name" -type f 2> /dev/null | head -n 1)
	echo "$name: FAILED, ${input:-no input saved, exit code $rc}"
	tail -n 25 "$log" 2> /dev/null | sed 's/^/    /'
	[ -n "$input" ] && echo "    rerun: $1 $input"
	return 1
}

# Two at a time: the second of a pair runs in the foreground.
pid=
for bin in "$@"; do
	rm -f "$logs/${bin##*/}.rc"
	if [ -z "$pid" ]; then
		fuzz_one "$bin" &
		pid=$!
	else
		fuzz_one "$bin"
		wait "$pid"
		pid=
	fi
done
[ -n "$pid" ] && wait "$pid"

passed=0
failed=0
for bin in "$@"; do
	if report_one "$bin"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
