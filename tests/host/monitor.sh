#!/bin/sh
# SPDX-License-Identifier: MIT
# A session at the monitor: types on a terminal whose other end is the serial
# line of a live QEMU, as a person with a terminal program does.
#
#   sh tests/host/monitor.sh [BUILD_DIR]
#
# Prints "ok N - name" or "not ok N - name" per step.  SESSION=FILE keeps what
# the terminal received.
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
qemu=${NESTBED_QEMU:-qemu-system-x86_64}
tmp=$(mktemp -d) || exit 1
n=0
failed=0
machine=
line=

stop() {
	exec 3>&-
	for p in $machine $line; do
		kill "$p" 2> /dev/null
		wait "$p" 2> /dev/null
	done
	machine= line=
}
trap 'stop; rm -rf "$tmp"' EXIT

result() {
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n - $1"
	else
		failed=$((failed + 1))
		echo "not ok $n - $1"
		echo "  # $3"
		since | tail -n 30 | cat -v | sed 's/^/  # /'
	fi
}

# What came since mark, and whether it has a line that matches, within S seconds.
mark() {
	pos=$(wc -c < "$tmp/log")
}
since() {
	tail -c +$((pos + 1)) "$tmp/log" | tr -d '\r'
}
wait_for() {
	tries=$((${2:-20} * 20))
	while ! since | grep -qaE -- "$1"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

# boot COMMAND-LINE QEMU-ARGUMENTS...
boot() {
	append=$1
	shift
	rm -f "$tmp/sock" "$tmp/tty"
	: > "$tmp/log"
	timeout 120 "$qemu" -nodefaults -no-user-config -display none -machine q35 -accel tcg \
		-cpu max,+svm -m 256 -smp 3 -serial "unix:$tmp/sock,server=on,wait=on" \
		-kernel "$build/nestbed.elf" -append "$append" "$@" > "$tmp/qemu" 2>&1 &
	machine=$!
	i=0
	while [ ! -S "$tmp/sock" ] && [ $i -lt 100 ]; do
		sleep 0.05
		i=$((i + 1))
	done
	# The machine starts when the socket is open, that is once the terminal is.
	socat "PTY,link=$tmp/tty,rawer,wait-slave" "UNIX-CONNECT:$tmp/sock" 2> "$tmp/socat" &
	line=$!
	i=0
	while [ ! -e "$tmp/tty" ] && [ $i -lt 100 ]; do
		sleep 0.05
		i=$((i + 1))
	done
	exec 3<> "$tmp/tty"
	cat <&3 >> "$tmp/log" &
	line="$! $line"
	pos=0
}

type_keys() {
	# shellcheck disable=SC2059
	printf "$1" >&3
}

# step NAME KEYS TEXT [SECONDS]: types, waits for TEXT
step() {
	mark
	type_keys "$2"
	wait_for "$3" "${4:-20}"
	result "$1" $? "did not come: $3"
}

# command NAME COMMAND ANSWER TEXT: the answer line is ANSWER, the output has TEXT
command() {
	mark
	type_keys "$2\\r"
	why=
	wait_for '^@nestbed monitor (ok|error) ' 60 || why="no answer;"
	since | grep -qaE -- "^@nestbed monitor $3" || why="$why not the answer: $3;"
	since | grep -qaE -- "$4" || why="$why not in the output: $4"
	[ -z "$why" ]
	result "$1" $? "$why"
}

# The tool reads the log as the image meant it: complete, and with its verdict.
same_verdict() {
	verdict=$(tr -d '\r' < "$tmp/log" | sed -n 's/^@nestbed end verdict=\(pass\|fail\) .*/\1/p')
	"$build/nestbed" attach "$tmp/log" --quiet --out "$tmp/report" > "$tmp/verdict" 2>&1
	[ -n "$verdict" ] && grep -q ": $verdict: " "$tmp/verdict"
}

up='\033[A' down='\033[B' left='\033[D' home='\033[H' del='\033[3~'

boot "tests=common.cpuid_exit,selftest.passes on-end=monitor" \
	-initrd "$build/guests/hlt.elf,$build/guests/cpuid.elf"
wait_for '^@nestbed monitor ready$' 60
result "on-end=monitor opens the monitor" $? "no ready line"
since | grep -qaE '^@nestbed end verdict='
result "the end line comes before" $? "no end line"
wait_for '^nestbed> .?.?.?$'
result "the prompt" $? "no prompt"

command "help names every command" "help" "ok help$" "^  poweroff "
for c in help ls cat clear stats tests run guests console type save send restore vm cpu mem \
	continue reboot; do
	since | grep -qaE "^  $c " || echo "$c" >> "$tmp/missing"
done
[ ! -s "$tmp/missing" ]
result "help is complete" $? "missing: $(cat "$tmp/missing" 2> /dev/null)"

command "ls of the root" "ls" "ok ls$" '^drwxr-xr-x kvm/$'
command "ls of a directory" "ls /kvm" "ok ls /kvm$" '^-rw-r--r-- exits$'
command "cat of a value" "cat /kvm/exits" "ok cat /kvm/exits$" '^[1-9][0-9]*$'
command "cat of a directory prints what is below it" "cat /kvm" "ok cat /kvm$" \
	'^/kvm/exits/[a-z_]+ [0-9]+$'
command "cat of a histogram" "cat /tests/duration" "ok" '^/tests/duration/p90 [0-9]+$'
command "a pattern" "cat /*/exit?" "ok" '^/kvm/exits [1-9][0-9]*$'
command "a floating value is read-only" "ls /mm" "ok" '^-r--r--r-- free$'
command "clear of it is refused, with the path" "clear /mm/free" \
	"error clear /mm/free: not permitted$" '^# error: clear: /mm/free: not permitted$'
command "clear" "clear /kvm/exits" "ok clear /kvm/exits$" "ok"
command "it is 0 then" "cat /kvm/exits" "ok" '^0$'
command "clear of a pattern" "clear /tests/p*" "ok" "ok"
command "that worked, too" "cat /tests/passed" "ok" '^0$'
command "clear of a directory is refused" "clear /mm" "error clear /mm: is a directory$" "# error"
command "a path that is not there" "cat /kvm/nothing" \
	"error cat /kvm/nothing: no such file$" '^# error: cat: /kvm/nothing: no such file$'
command "a pattern without files" "cat /kvm/zz*" "error cat /kvm/zz\*: /kvm/zz\*: no such file$" "#"
command "a mistyped command" "guest" "error guest: no such command$" "did you mean guests"
command "too few arguments" "run" "error run: needs an argument$" "run GLOB"
command "stats writes a block" "stats" "ok stats$" '^@nestbed stats end lines=[1-9]'
command "tests are listed with their sections" "tests svm.vmrun*" "ok|error" '.'
command "tests by pattern" "tests common.cpuid_exi?" "ok" "^  common.cpuid_exit"
command "run" "run common.cpuid_exit" "ok run common.cpuid_exit$" \
	'^@nestbed monitor test common.cpuid_exit pass .*us='
since | grep -qaE '^@nestbed monitor plan 1$' && since | grep -qaE '^# ok 1 common.cpuid_exit$' &&
	since | grep -qaE '^@nestbed monitor end verdict=pass passed=1 '
result "run has a plan and an end of its own" $? "lines are missing"
! since | grep -qaE '^(@nestbed test|@nestbed end|ok )'
result "and nothing that belongs to the run" $? "such a line came"
command "a test that fails" "run selftest.fails" "ok" \
	'^@nestbed monitor end verdict=fail passed=0 failed=1 '
command "a hanging test is stopped" "run selftest.hang_guest" "ok" \
	'^@nestbed monitor test selftest.hang_guest fail reason="timed out'
command "a mistyped test" "run common.cpuid_exot" \
	"error run common.cpuid_exot: no such test$" \
	"did you mean common.cpuid_exit"
command "guests are listed" "guests" "ok guests$" '^  hlt'
command "a guest runs" "guests cpuid*" "ok guests cpuid" \
	'^@nestbed monitor test guest.cpuid.elf pass '
command "vm" "vm" "ok vm$" '^  svm: .*npt'
command "cpu" "cpu" "ok cpu$" '^ +1 +1 +1 online'
command "mem" "mem" "ok mem$" '^  bookkeeping is consistent$'
command "continue after the end" "continue" "error continue: the run is over$" "#"

# Keys.
step "completion of a command" 'rebo\t' '^reboot '
step "Ctrl-U empties the line" '\025' 'nestbed> .\[K$'
step "completion of a path, step by step" 'cat /te\tpas\t' 'cat /tests/passed '
step "it works" '\r' '^@nestbed monitor ok cat /tests/passed$'
step "completion lists what is possible" 'cat /kvm/exi\t\t' '^  exits/?$'
step "completion of a test" '\025run common.cpuid_ex\t' 'common.cpuid_exit '
step "it runs" '\r' '^@nestbed monitor test common.cpuid_exit pass'
step "completion of nothing changes nothing" 'cat /zzz\t\r' 'error cat /zzz: no such file'
step "history: two lines up, one down" "$up$up$up$down\\r" \
	'^@nestbed monitor ok run common.cpuid_exit$'
step "editing: arrows, home, delete, backspace" \
	"xls /mmm$left\\177$home$del\\r" '^@nestbed monitor ok ls /mm$'
step "a line feed behind the CR is no second command" 'ls /mm\r\n' '^@nestbed monitor ok ls /mm$'
sleep 0.3
[ "$(since | grep -acE '^@nestbed monitor')" -eq 1 ]
result "one answer each" $? "answers: $(since | grep -acE '^@nestbed monitor')"
long=$(printf '%0200d' 0)
step "a line that is longer than the terminal" "cat /$long\\r" "error cat /$long: no such file"
step "bytes of any kind" '\001\033[99;99~\033Oz\200\377\0\002\r' 'nestbed> '
command "it still works" "ls /mm" "ok ls /mm$" "free"
since | grep -aE '@nestbed' | grep -qavE '^@nestbed'
[ $? -ne 0 ]
result "machine lines are at column 0" $? "one is not"
mark
type_keys 'poweroff\r'
wait "$machine"
code=$?
[ $code -eq 0 ]
result "poweroff" $? "QEMU's exit code $code"
[ -n "$SESSION" ] && cp "$tmp/log" "$SESSION"
same_verdict
result "the run's verdict is what it was" $? "$(cat "$tmp/verdict")"
stop

# A key during the run.
boot "tests=selftest.hang_guest,common.* timeout=2 stats=end"
wait_for '^@nestbed start selftest.hang_guest|^@nestbed start common' 60
step "a key opens the monitor between two tests" ' ' '^@nestbed monitor ready$' 60
command "it runs a test of the plan" "run common.cpuid_exit" "ok" \
	'^@nestbed monitor test common.cpuid_exit pass'
mark
type_keys 'continue\r'
wait_for '^@nestbed end ' 60 && ! since | grep -qaE '^@nestbed monitor (ready|test)'
result "continue goes on to the end" $? "no end line"
wait "$machine"
same_verdict
result "each test of the plan has one result" $? "$(cat "$tmp/verdict")"
stop

# A key while a guest runs, and the way of what is typed to it.
gcc -m32 -nostdlib -static -Wl,-N,-Ttext=0x100000,--build-id=none -o "$tmp/echo" \
	"$here/echo.S" 2> /dev/null
boot "mode=guests" -initrd "$tmp/echo echo:timeout=60"
wait_for '^vm0. echo> $' 60
result "a prompt without a line end is shown" $? "no prompt"
step "a key opens the monitor while the guest runs" ' ' '^@nestbed monitor ready$'
command "it lists the guest" "guests" "ok guests$" '^  vm0: echo is running$'
command "nothing else is started" "run common.hlt" "error run common.hlt: a guest is running$" "#"
command "a guest that does not run" "console none" \
	"error console none: no such guest is running$" "#"
command "type" "type echo ab c" "ok type echo ab c$" "@"
wait_for '^vm0. ab c'
result "the guest gets it" $? "no echo"
step "a key again" '\r' '^@nestbed monitor ready$'
command "console" "console vm0" "ok console vm0$" "Ctrl-] takes it back"
step "the guest has the line" 'xyz' '^vm0. xyz'
step "Ctrl-] takes it back" '\035' '^@nestbed monitor ready$'
command "and console gives it" "console 0" "ok console 0$" "Ctrl-]"
step "the guest ends" 'q' '^@nestbed test guest.echo pass '
wait_for '^@nestbed end verdict=pass ' 20
result "so does the run" $? "no end line"
wait "$machine"
stop

# A guest is kept, goes on to its end, and goes on from there once more, with two CPUs of
# the machine, of which the guest has both.
boot "mode=guests on-end=monitor" -initrd "$tmp/echo echo:timeout=60,,cpus=2,,mem=8M"
wait_for '^vm0. echo> $' 60
step "a key opens the monitor" ' ' '^@nestbed monitor ready$'
command "there is nothing to restore, and a guest runs" "restore" \
	"error restore: a guest is running$" "#"
command "a guest that does not run is not saved" "save none" \
	"error save none: no such guest is running$" "#"
command "save" "save echo" "ok save echo$" '^# vm0 is kept in memory, [0-9]{4,6} bytes$'
command "and again" "save 0" "ok save 0$" '^# vm0 is kept in memory, '
mark
type_keys 'send\rjunk\003vm\r'
wait_for '^@nestbed monitor error send: stopped behind line [0-9]+$'
result "Ctrl-C stops send" $? "it went on"
since | grep -qaE '^@nestbed blob abort seq=1 lines=[0-9]+$' &&
	! since | grep -qaE '^@nestbed blob end '
result "the block says so" $? "no abort line"
wait_for '^@nestbed monitor ok vm$'
result "what was typed behind it is the next command" $? "no answer to it"
command "send" "send" "ok send$" '^# sent echo, [0-9]{4,6} bytes in [0-9]+ lines$'
command "the guest goes on" "type echo first" "ok type echo first$" "@"
wait_for '^vm0. first'
result "it still gets what is typed" $? "no echo"
step "a key again" '\r' '^@nestbed monitor ready$'
command "it ends" "type echo q" "ok type echo q$" "@"
wait_for '^@nestbed end verdict=pass ' 30 && wait_for '^@nestbed monitor ready$' 30
result "so does the run" $? "no end line"
mark
type_keys 'restore\r'
wait_for '^@nestbed monitor start guest.echo$'
result "restore starts it" $? "no start line"
sleep 1
step "a key opens the monitor in its run" ' ' '^@nestbed monitor ready$'
command "it waits where it was kept" "type echo second q" "ok type echo second q$" "@"
wait_for '^vm0. second q' && wait_for '^@nestbed monitor test guest.echo pass' 30
result "and ends once more" $? "no result"
! since | grep -qaE '^vm0. ready'
result "it did not start from the beginning" $? "it did"
mark
type_keys 'poweroff\r'
wait "$machine"
same_verdict && grep -q 'note: saved guest echo, block 1: stopped behind line [0-9]*$' \
	"$tmp/verdict" && grep -q 'note: saved guest echo: [0-9]* bytes, in ' "$tmp/verdict"
result "the tool knows the stopped block, and has the other one" $? "$(cat "$tmp/verdict")"
stop

# From the start: prompt and echo are one line.
boot "mode=guests console_in=ec*" -initrd "$tmp/echo echo:timeout=60"
wait_for '^vm0. echo> ' 60
step "console_in: the guest has the line" 'one q' '^@nestbed test guest.echo pass '
pos=0
wait_for '^vm0. echo> one q$' 1
result "console_in: prompt and echo are one line" $? "they are not"
wait_for '^@nestbed end verdict=pass ' 20
result "console_in: the run ends" $? "no end line"
wait "$machine"
stop

# The monitor alone; leaving it ends the run, which has tested nothing.
boot "mode=monitor stats=off"
wait_for '^@nestbed monitor ready$' 60
result "mode=monitor" $? "no ready line"
command "without statistics" "ls" "error ls: no statistics$" "#"
mark
type_keys 'poweroff\r'
wait_for '^@nestbed end verdict=incomplete '
result "poweroff ends the run first" $? "no end line"
wait "$machine"
stop

echo "monitor: $((n - failed)) passed, $failed failed, 0 skipped"
[ $failed -eq 0 ] && [ $n -gt 0 ]
