#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the cmocka programs given as arguments and prints a line for each:
#
#   test_string: 9 passed
#   test_acpi: 20 passed, 1 failed		(its output follows)
#
# The last line counts test functions: "unit: N passed, N failed, N skipped".
# A program that crashes, ends early or runs no test counts as one failure.
# Exit code: 0 when nothing failed and something ran.

passed=0
failed=0
skipped=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

for bin in "$@"; do
	name=${bin##*/}
	CMOCKA_MESSAGE_OUTPUT=TAP timeout "${UNIT_TIMEOUT:-300}" "$bin" > "$out" 2>&1
	code=$?
	# The plan line of each group is summed; a test that is missing from
	# the output was not reached.
	set -- $(awk '
		/^1\.\.[0-9]+/ { sub(/^1\.\./, ""); plan += $1; next }
		/^ok .*# SKIP/ || /^not ok .*# SKIP/ { skip++; next }
		/^ok [0-9]/ { pass++; next }
		/^not ok [0-9]/ { fail++ }
		END { print plan + 0, pass + 0, fail + 0, skip + 0 }' "$out")
	plan=$1 p=$2 f=$3 s=$4
	why=
	if [ "$plan" -eq 0 ]; then
		why=", ran no test (exit code $code)"
	elif [ $((p + f + s)) -ne "$plan" ]; then
		why=", ended after $((p + f + s)) of $plan tests (exit code $code)"
	elif [ $code -ne 0 ] && [ "$f" -eq 0 ]; then
		why=", exit code $code"
	fi
	line="$name: $p passed"
	[ "$f" -ne 0 ] && line="$line, $f failed"
	[ "$s" -ne 0 ] && line="$line, $s skipped"
	echo "$line$why"
	[ -n "$why" ] && f=$((f + 1))
	[ "$f" -ne 0 ] && sed 's/^/    /' "$out"
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
done

echo "unit: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -ne 0 ]
