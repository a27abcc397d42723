#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests of "nestbed stats" from outside: recorded logs, a fake monitor on a
# socket, the mount, the screen, and a machine in QEMU.
#
#   sh tests/host/stats.sh [BUILD_DIR]
#
# Prints "ok N - name", "not ok N - name" or "ok N - name # SKIP why" per test
# and the plan at the end; exits non-zero when something failed.

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
tool=$build/nestbed
logs=$here/fixtures/stats
tmp=$(mktemp -d) || exit 1
mnt=$tmp/mnt
pids=
. "$here/lib.sh"

cleanup() {
	fusermount3 -u "$mnt" 2>/dev/null
	for p in $pids; do
		kill "$p" 2>/dev/null
	done
	rm -rf "$tmp"
}
trap cleanup EXIT
cd "$tmp" && mkdir mnt || exit 1
LC_ALL=C.UTF-8
export LC_ALL

# said NAME TEXT: the last command's output
said() {
	grep -q -- "$2" out
	result "$1" $? "not said: $2"
}

good=$logs/good.log

# ---- recorded logs ---------------------------------------------------------

expect "show" 0 '── exits  *3603 count  *sum$' "$tool" stats show "$good"
said "show: labels" 'vm0 .*guest="linux "6.1"" cpus="1"'
said "show: a histogram in a line" 'exit_cycles  *49 samples  p50 1537  p90 3481  p99 65536 cycles'
expect "show: the last dump" 0 '^dump 3, ' "$tool" stats show "$good"
expect "show: a dump by number" 0 '^dump 1, ' "$tool" stats show --seq 1 "$good"
expect "show: ASCII only" 0 '`-- passed' "$tool" stats show --ascii "$good"
[ "$(LC_ALL=C "$tool" stats show "$good" | tr -d '\n -~' | wc -c)" -eq 0 ]
result "show: ASCII where the locale has no more" $?
expect "show: filter and zeros" 0 'nmis  *0 count' "$tool" stats show -z -f '^/cpu' "$good"
! grep -q exits out
result "show: the filter leaves out the rest" $?
expect "show: depth" 0 '── vm0' "$tool" stats show --depth 2 "$good"
! grep -q vcpu0 out
result "show: no deeper than that" $?
expect "show: buckets" 0 'ge_2048  *15 count' "$tool" stats show --buckets "$good"
expect "show: standard input" 0 '^dump 3, ' sh -c "'$tool' stats show - < '$good'"
"$tool" attach "$good" --out rep --quiet > /dev/null 2>&1
expect "show: a report's directory" 0 '^dump 3, ' "$tool" stats show rep
expect "show: stats.txt" 0 '^dump 3, ' "$tool" stats show rep/stats.txt
rm rep/serial.log
expect "show: a directory with stats.txt only" 0 '^dump 3, ' "$tool" stats show rep
check "report: plots of histograms" grep -q '<svg class="plot"' rep/index.html
check "report: percentiles" grep -q \
	'/kvm/exit_cycles</td><td class="n">49</td><td class="n">1537</td>' rep/index.html
have xmllint && check "report: well-formed" xmllint --nonet --noout rep/index.html

expect "json" 0 '"value":	18446744073709551615' "$tool" stats json "$good"
if have python3; then
	"$tool" stats json "$good" > j.json
	check "json: another reader finds the values" python3 -c '
import json
d = json.load(open("j.json"))
k = d["root"]["children"]["kvm"]["children"]
assert k["exits"]["value"] == 3603 and k["exits"]["children"]["npf"]["value"] == 903
assert k["exit_cycles"]["histogram"]["buckets"][1] == {"from": 1024, "count": 30}
assert d["root"]["children"]["mm"]["children"]["odd name\\"]["value"] == 2**64 - 1
assert k["vm0"]["children"]["exits"]["value"] + k["vm1"]["children"]["exits"]["value"] == 3603'
else
	skip "json: another reader finds the values" "no python3"
fi

expect "prom" 0 '^nestbed_kvm_vm_vcpu_exits_total{vm="1",vcpu="0"} 1800$' "$tool" stats prom "$good"
said "prom: units are base units" '^nestbed_kvm_halt_wait_seconds_total 0.003703701$'
said "prom: histogram" '^nestbed_kvm_exit_cycles_bucket{le="+Inf"} 49$'
tail -n 1 out | grep -qx '# EOF'
result "prom: ends as OpenMetrics does" $?
expect "prom: strict" 0 '^# TYPE nestbed_kvm_exits counter$' "$tool" stats prom --strict "$good"
if have promtool; then
	for log in good hostile interleaved; do
		"$tool" stats prom "$logs/$log.log" 2>/dev/null > m.prom
		check "prom: promtool accepts $log.log" sh -c 'promtool check metrics < m.prom'
		for form in "" --strict; do
			# This reader of OpenMetrics wants a time on each line.
			"$tool" stats prom $form "$logs/$log.log" 2>/dev/null |
				sed '/^[^#]/s/$/ 1700000000/' > m.om
			check "prom $form: promtool imports $log.log" \
				promtool tsdb create-blocks-from openmetrics m.om blocks
		done
	done
else
	skip "prom: promtool accepts it" "no promtool (package prometheus)"
fi

expect "csv" 0 '^3,6000000,/kvm/min_stack,-17,bytes,min,instant$' "$tool" stats csv "$good"
expect "csv: all dumps" 0 '^1,2000000,/kvm/exits,1203,count,sum,$' "$tool" stats csv --all "$good"
[ "$(grep -c '/kvm/exits,' out)" -eq 3 ]
result "csv: a row for each dump" $?

expect "diff: first and last" 0 '^/kvm/exits  *1203  *3603  *+2400  *600  count$' \
	"$tool" stats diff "$good"
expect "diff: two of one log" 0 '^/kvm/exits  *2403  *3603  *+1200  *600  count$' \
	"$tool" stats diff --seq 2 3 "$good"
expect "diff: the other spelling" 0 '^dump 1 to dump 2, ' "$tool" stats diff --seq 1,2 "$good"
expect "diff: two logs" 2 '^dump 3 to dump 1, not of one run' \
	"$tool" stats diff "$good" "$logs/crc.log"
expect "diff: nothing to compare" 2 'not two dumps' "$tool" stats diff "$logs/crc.log"

expect "top: a finished log" 0 '^/kvm/exits  *3603 count  *600  sum$' "$tool" stats top -1 "$good"
expect "top: sorted by path" 0 '' "$tool" stats top -b -s path "$good"
sed -n 3p out | grep -q '^/cpu0/interrupts'
result "top: the first path first" $?

# ---- damaged and hostile ---------------------------------------------------

expect "truncated: the last whole dump" 2 '^dump 2, ' "$tool" stats show "$logs/truncated.log"
said "truncated: what is missing, by name" 'missing, was in dump 2: /tests/passed'
said "truncated: counted" '1 of 3 dumps, 1[0-9] lines or dumps lost'
expect "truncated: what is good of it" 2 '^dump 3, .* 9 values' \
	"$tool" stats show --seq 3 "$logs/truncated.log"
expect "truncated: a whole one by number" 0 '^dump 1, ' \
	"$tool" stats show --seq 1 "$logs/truncated.log"
expect "missing lines" 2 'missing, was in dump 2: /kvm/min_stack' \
	"$tool" stats show "$logs/missing.log"
expect "interleaved: a broken line" 2 'line 35: not a number' \
	"$tool" stats show "$logs/interleaved.log"
said "interleaved: the rest is shown" 'npf  *303 count'
expect "interleaved: in front" 2 'broken by other output: # half a line' \
	"$tool" stats show "$logs/interleaved2.log"
expect "a changed digit" 2 'crc32 differs' "$tool" stats json "$logs/crc.log"
said "a changed digit: JSON says so" '"damaged":	true'
expect "a dump that did not come" 2 '1 dumps before dump 3 did not come' \
	"$tool" stats show "$logs/gap.log"
expect "no statistics" 2 'no statistics' "$tool" stats show "$logs/none.log"
for c in show json prom csv "top -1"; do
	"$tool" stats $c "$logs/hostile.log" > out 2> err
	code=$?
	[ $code -eq 2 ] && ! cat out err | grep -q "$(printf '\033')" &&
		! grep -v 'not a path' out | grep -q passwd &&
		grep -q 'line 33: not a path' err
	result "hostile names: $c" $? "exit code $code"
done
"$tool" attach "$logs/hostile.log" --out hrep --quiet > /dev/null 2>&1
! grep -q '<script' hrep/index.html
result "hostile names: the page" $?

# ---- usage -----------------------------------------------------------------

expect "no command" 64 'usage: nestbed stats' "$tool" stats
expect "unknown command" 64 'unknown command jump' "$tool" stats jump
expect "help" 0 'usage: nestbed stats' "$tool" stats --help
for c in show json prom csv diff top mount; do
	expect "$c --help" 0 'usage: nestbed stats' "$tool" stats $c --help
done
expect "no target" 64 'name one log or line' "$tool" stats show
expect "mount: no directory" 64 'a directory to mount on' "$tool" stats mount "$good"
expect "a bad expression" 64 'nmatched' "$tool" stats show -f 'a(' "$good"
expect "a dump that is not there" 2 'there is no dump 9; 3 dumps came' \
	"$tool" stats show --seq 9 "$good"
expect "a log that is not there" 2 'No such file' "$tool" stats show nowhere.log
expect "a bad order" 64 'must be rate, value or path' "$tool" stats top -s up "$good"

# ---- a live line -----------------------------------------------------------

# live OPEN MUTE [,fork]: the fake monitor at unix:line; sets $socat
live() {
	rm -f line trace
	FAKE_OPEN=$1 FAKE_MUTE=$2 FAKE_TRACE=$tmp/trace
	export FAKE_OPEN FAKE_MUTE FAKE_TRACE
	socat "UNIX-LISTEN:line$3" "EXEC:sh $here/fake_monitor.sh,pty,rawer,icrnl" 2>/dev/null &
	socat=$!
	pids="$pids $socat"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -e line ] && return
		sleep 0.2
	done
}

if have socat; then
	live yes no ,fork
	expect "live: a monitor is asked" 0 'exits  *100 count' "$tool" stats show unix:line
	grep -qx stats trace
	result "live: it was" $?
	expect "live: top in batch" 0 '^/kvm/exits  *[23]00 count  *100  sum' \
		"$tool" stats top -b -n 1 -i 0.2 unix:line
	kill "$socat"
	live no no ,fork
	expect "live: the monitor is opened" 0 'exits  *100 count' "$tool" stats show unix:line
	sleep 0.5
	[ "$(cat trace)" = "opened
stats
continue" ]
	result "live: and the run goes on" $?
	kill "$socat"
	live no yes ,fork
	expect "live: no monitor, but dumps" 0 '^dump ' "$tool" stats show unix:line
	expect "live: passive" 0 '^dump ' "$tool" stats show --passive unix:line
	kill "$socat"
	expect "live: nobody there" 2 'Connection refused\|No such file' \
		"$tool" stats show unix:line
else
	skip "live lines" "no socat"
fi

# ---- the screen ------------------------------------------------------------

if have tmux; then
	tmux -L "nb$$" -f /dev/null new-session -d -x 80 -y 10 "'$tool' stats top '$good'; sleep 5"
	sleep 1
	tmux -L "nb$$" capture-pane -p > out
	said "screen: title" '^nestbed: dump 3, 6.00 s after boot, rates over 2.00 s, by rate$'
	said "screen: a rate" '^/kvm/exits  *3603 count  *600  sum$'
	tmux -L "nb$$" send-keys f
	sleep 0.3
	tmux -L "nb$$" send-keys vm1 Enter
	sleep 0.5
	tmux -L "nb$$" capture-pane -p > out
	grep -q '^/kvm/vm1/exits' out && ! grep -q '^/kvm/exits' out
	result "screen: filter" $?
	tmux -L "nb$$" send-keys q
	sleep 0.5
	tmux -L "nb$$" capture-pane -p > out
	! grep -q 'q quit' out
	result "screen: q quits" $?
	tmux -L "nb$$" kill-server 2>/dev/null
else
	skip "the screen" "no tmux"
fi

# ---- the mount -------------------------------------------------------------

no_mount() {
	[ -e /dev/fuse ] || { echo "no /dev/fuse"; return; }
	have fusermount3 || { echo "no fusermount3 (package fuse3)"; return; }
	timeout 20 "$tool" stats mount "$good" "$mnt" > out 2>&1 ||
		echo "mounting is not allowed here: $(head -n 1 out)"
}

# The words of an error, as a program of its own says them: shells vary.
write_to() {
	env echo "$1" 2>&1 > "$2"
}

mount_finished() {
	[ "$(cat mnt/kvm/exits)" = 3603 ]
	result "mount: cat" $?
	[ "$(cat mnt/kvm/exits.d/npf mnt/kvm/min_stack 'mnt/mm/odd name\' | tr '\n' ' ')" = \
		"903 -17 18446744073709551615 " ]
	result "mount: values" $?
	[ "$(stat -c %a mnt mnt/kvm mnt/kvm/exits mnt/kvm/guest_mode mnt/kvm/exit_cycles/count \
		mnt/kvm/exit_cycles/p50 | tr '\n' ' ')" = "700 755 644 444 644 444 " ]
	result "mount: modes" $?
	ls -l mnt/kvm > out
	said "mount: ls -l" '^-rw-r--r-- .* 5 .* exits$'
	[ "$(grep -r . mnt | wc -l)" -eq 32 ]
	result "mount: grep -r finds every value" $?
	(echo 0 > mnt/kvm/exits) 2> out
	said "mount: a finished dump is read-only" 'Read-only'
	[ "$(cat mnt/kvm/exits)" = 3603 ]
	result "mount: and keeps its values" $?
	check "mount: unmount" fusermount3 -u "$mnt"
}

mount_live() {
	live yes no
	check "live mount" timeout 20 "$tool" stats mount unix:line "$mnt" -i 0.1
	first=$(cat mnt/kvm/exits)
	sleep 1.5
	second=$(cat mnt/kvm/exits)
	[ "$second" -gt "$first" ]
	result "live mount: numbers move" $? "$first $second"
	write_to 0 mnt/kvm/exits > out
	[ ! -s out ] && grep -qx 'clear /kvm/exits' trace && [ "$(cat mnt/kvm/exits)" -le 200 ]
	result "live mount: writing 0 clears it on the machine" $?
	write_to 1 mnt/kvm/exits > out
	said "live mount: writing anything else" 'Invalid argument'
	write_to 0 mnt/kvm/guest_mode > out
	said "live mount: a floating value" 'not permitted'
	rm -f mnt/kvm/exits 2> out
	said "live mount: files stay" 'not permitted'
	kill "$socat"
	sleep 0.5
	grep -q . mnt/kvm/exits
	result "live mount: the last numbers outlive the line" $?
	write_to 0 mnt/kvm/exits > out
	said "live mount: nobody to clear" 'error'
	check "live mount: unmount" fusermount3 -u "$mnt"
}

why=$(no_mount)
if [ -n "$why" ]; then
	skip "mount" "$why"
else
	mount_finished
	if have socat; then
		mount_live
	fi
fi

# ---- a machine -------------------------------------------------------------

machine() {
	rm -f vm.sock
	timeout 120 qemu-system-x86_64 -M q35 -accel tcg -cpu max,+svm -m 256 -smp 2 -display none \
		-kernel "$build/nestbed.elf" -append "tests=common.cpuid*,stats.* on-end=monitor" \
		-chardev socket,id=c,path=vm.sock,server=on,wait=off,logfile=vm.log \
		-serial chardev:c -no-reboot > qemu.out 2>&1 &
	qemu=$!
	pids="$pids $qemu"
	for _ in $(seq 100); do
		grep -aq 'nestbed end verdict' vm.log 2>/dev/null && return 0
		sleep 0.5
	done
	return 1
}

machine_tests() {
	expect "machine: show" 0 '── kvm' "$tool" stats show -z unix:vm.sock
	expect "machine: its monitor is asked again" 0 '^/kvm' \
		"$tool" stats top -1 -z -i 0.5 unix:vm.sock
	# Not from vm.log: QEMU writes a byte twice there when the socket is full.
	"$tool" stats csv unix:vm.sock > vm.csv
	awk -F, '$3 == "/kvm/exits" { total = $4 }
		$3 ~ "^/kvm/exits/[^/]*$" { reasons += $4 }
		END { print total, reasons; exit !(total > 0 && total == reasons) }' vm.csv > out
	result "machine: exits are the sum of their reasons" $?
	if [ -z "$why" ]; then
		check "machine: mount" timeout 20 "$tool" stats mount unix:vm.sock "$mnt"
		check "machine: ls" ls -lR mnt
		check "machine: grep -r" grep -rq . mnt/kvm
		before=$(cat mnt/kvm/exits)
		write_to 0 mnt/kvm/exits > out
		[ ! -s out ] && [ "$before" -gt 0 ] && [ "$(cat mnt/kvm/exits)" -eq 0 ]
		result "machine: echo 0 clears its counter" $? "before: $before"
		write_to 0 mnt/mm/free > out
		said "machine: what floats cannot be cleared" 'not permitted'
		check "machine: unmount" fusermount3 -u "$mnt"
	fi
}

if ! have qemu-system-x86_64 || [ ! -e "$build/nestbed.elf" ]; then
	skip "a machine" "no QEMU or no image"
elif ! grep -aq 'no serial port: no monitor' "$build/nestbed.elf"; then
	skip "a machine" "this image has no monitor"
elif machine; then
	machine_tests
	kill "$qemu" 2>/dev/null
else
	cp vm.log out 2>/dev/null
	result "a machine reaches its monitor" 1
fi

echo "1..$n"
echo "# $((n - failed)) passed, $failed failed"
[ $failed -eq 0 ]
