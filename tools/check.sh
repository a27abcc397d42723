#!/bin/sh
# SPDX-License-Identifier: MIT
# make check: builds with warnings as errors, then runs every kind of test.
# usage: check.sh OUTDIR
#
# Each step's output goes to OUTDIR/check/STEP.log; a table shows the counts.
# The last line is "N passed, N failed, N skipped".  Failures that the table of
# emulator defects foretells are counted as skipped, and shown apart.
set -u
O=$1
L=$O/check
mkdir -p "$L"
: > "$L/table"
start=$(date +%s)

# record STEP PASSED FAILED SKIPPED KNOWN: one row of the table
record() {
	printf '%s %s %s %s %s\n' "$1" "$2" "$3" "$4" "$5" >> "$L/table"
	printf '%-26s %5s passed %3s failed %3s skipped %3s known\n' "$1" "$2" "$3" "$4" "$5"
	if [ "$3" -ne 0 ]; then
		grep -E '^(not ok|  failed|.*: (error|fail|incomplete))' "$L/$1.log" | head -20 |
			sed 's/^/    /'
		# What the guest programs of a machine said.
		[ -f "$L/$1/serial.log" ] && grep -hE '^[a-z0-9]+\| FAIL' "$L/$1/serial.log" |
			head -20 | sed 's/^/    /'
		echo "    output: $L/$1.log"
	fi
}

# Steps that print "ok" and "not ok" lines.
count_ok() {
	p=$(grep -cE '^ok ' "$L/$1.log")
	s=$(grep -cE '^ok .*# SKIP' "$L/$1.log")
	f=$(grep -cE '^not ok' "$L/$1.log")
	[ "$2" -ne 0 ] && [ "$f" -eq 0 ] && f=1
	[ "$p" -eq 0 ] && [ "$f" -eq 0 ] && f=1
	record "$1" $((p - s)) "$f" "$s" 0
}

step_ok() {
	name=$1
	shift
	"$@" > "$L/$name.log" 2>&1
	count_ok "$name" $?
}

# Steps whose last line is "...: N passed, N failed, N skipped".
step_totals() {
	name=$1
	shift
	"$@" > "$L/$name.log" 2>&1
	code=$?
	set -- $(grep -E '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$L/$name.log" | tail -1 |
		tr -d ',' | awk '{ print $(NF - 5), $(NF - 3), $(NF - 1) }')
	if [ $# -ne 3 ]; then
		record "$name" 0 1 0 0
	elif [ $code -ne 0 ] && [ "$2" -eq 0 ]; then
		record "$name" "$1" 1 "$3" 0
	else
		record "$name" "$1" "$2" "$3" 0
	fi
}

# A machine: the counts of "nestbed run".  A run without a pass verdict that
# names no failure is one.
count_machine() {
	set -- "$1" "$2" $(grep -E '^[a-z0-9-]+: [a-z]+: [0-9]+ passed, ' "$L/$1.log" | tail -1 |
		tr -d ':,' | awk '{ print $2, $3, $5, $7, $9, $11 }')
	if [ $# -ne 8 ]; then
		record "$1" 0 1 0 0
		return
	fi
	f=$(($5 + $6))
	[ "$2" -ne 0 ] && [ "$f" -eq 0 ] && f=1
	record "$1" "$4" "$f" "$7" "$8"
}

machine() {
	name=$1
	shift
	"$O/nestbed" run --quiet --out "$L/$name" "$@" > "$L/$name.log" 2>&1
	echo $? > "$L/$name.code"
}

build() {
	make --no-print-directory -j"$(nproc)" O="$O" all guests unit fuzz-build \
		> "$L/build.log" 2>&1 && return
	grep -E 'error|warning|\*\*\*' "$L/build.log" | head -20
	echo "the build failed; output: $L/build.log"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}

build
record build 1 0 0 0
step_ok layers sh tools/check_layers.sh
step_ok docs sh tools/check_docs.sh
step_totals unit sh tools/run_unit.sh $(make --no-print-directory -s O="$O" list-unit)
step_ok tool sh tests/host/run.sh "$O"
step_ok stats-readers sh tests/host/stats.sh "$O"
step_ok monitor sh tests/host/monitor.sh "$O"
step_totals payloads-bare sh tests/host/run_payloads_bare.sh "$O"

# Two machines at a time: each emulator uses one core most of the time.
machine qemu-svm --on qemu-svm &
machine bochs-vmx --on bochs-vmx &
wait
machine qemu-svm-uefi --on qemu-svm --uefi --cpus 4 &
machine bochs-svm --on bochs-svm &
wait
machine qemu-svm-large --on qemu-svm --mem 6G --cpus 16 &
machine bochs-vmx-smp --on bochs-vmx --cpus 2 &
wait
machine qemu-svm-small --on qemu-svm --mem 64M --cpus 1 &
machine bochs-svm-smp --on bochs-svm --cpus 2 --append "tests=guest.*" &
wait
for m in qemu-svm qemu-svm-uefi qemu-svm-large qemu-svm-small bochs-svm bochs-svm-smp bochs-vmx \
	bochs-vmx-smp; do
	count_machine $m "$(cat "$L/$m.code")"
done
step_ok scenarios sh tests/host/scenarios.sh "$O"
step_ok restore sh tests/host/restore.sh "$O"
step_ok nested sh tests/host/nested.sh "$O"

echo "took $((($(date +%s) - start) / 60)) min $((($(date +%s) - start) % 60)) s"
awk '{ p += $2; f += $3; s += $4 + $5; k += $5 }
	END {
		if (k) printf "%d of the skipped are known defects of the emulators\n", k
		printf "%d passed, %d failed, %d skipped\n", p, f, s
		exit f != 0
	}' "$L/table"
