#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests of the host tool from outside: recorded logs, a fake emulator, sockets.
#
#   sh tests/host/run.sh [BUILD_DIR]
#
# Prints "ok N - name", "not ok N - name" or "ok N - name # SKIP why" per test
# and the plan at the end; exits non-zero when something failed.

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
tool=$build/nestbed
logs=$here/fixtures
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
. "$here/lib.sh"

# ---- recorded logs ---------------------------------------------------------

recorded() {
	expect "log $1: verdict" "$2" "$3" "$tool" attach "$logs/$1.log" --out "at/$1" --quiet
	if have xmllint; then
		check "log $1: junit.xml and index.html are well-formed" \
			xmllint --nonet --noout "at/$1/junit.xml" "at/$1/index.html"
	else
		skip "log $1: junit.xml and index.html are well-formed" "no xmllint"
	fi
	check "log $1: serial.log is what came" cmp "$logs/$1.log" "at/$1/serial.log"
	cp "at/$1/index.html" before.html
	expect "log $1: report again" "$2" "$3" "$tool" report "at/$1"
	check "log $1: the same page again" cmp before.html "at/$1/index.html"
}

recorded pass     0 'pass: 3 passed, 0 failed, 0 errors, 1 skipped, 0 known$'
recorded fail     1 'failed  a.two: RAX is 0x1, expected "0x2"'
recorded crash    2 'crashed a.two: '
recorded reset    2 'the machine reset during test a.one'
recorded missing  2 'missing a.two$'
recorded counts   2 'passed=3, 2 such lines came'
recorded cut      2 'no end line'
recorded novirt   2 'the image says: incomplete: nothing could be tested'
recorded stats    0 'statistics dropped: the crc32 differs'
recorded hostile  1 'failed  a.one: </td><script>'
recorded broken   2 '9 damaged machine lines'
recorded empty    2 'no begin line'
recorded other    2 'no begin line'

refute "no script element of the guest's making" grep -q '<script' at/hostile/index.html
refute "no escape character in any report" grep -q "$(printf '\033')" \
	at/hostile/index.html at/hostile/junit.xml at/hostile/report.json at/hostile/ktap.log
check "known defects stand apart" grep -q 'Known defects of this machine' at/fail/index.html
check "the crash page shows the last words" grep -q 'about to do something foolish' \
	at/crash/index.html
check "statistics: the last good block" grep -qx '/kvm/x 4 count sum' at/stats/stats.txt
refute "statistics: not the damaged block" grep -q '/kvm/exits 2 ' at/stats/stats.txt
check "ktap.log begins with its version" \
	sh -c 'head -n 1 at/pass/ktap.log | grep -qx "KTAP version 1"'
refute "ktap.log has no guest line" grep -q 'vm0' at/pass/ktap.log
check "JUnit says that a run is incomplete" grep -q '<error message="no end line' at/crash/junit.xml

expect "several reports: a table and the worst code" 2 '^crash.log *incomplete ' \
	"$tool" report at/pass at/fail at/crash
expect "measurements as a table" 1 '^pass.log *l1_cpuid *380 *391 *402  instructions' \
	"$tool" report --bench bench.json at/pass at/fail
check "measurements as JSON" grep -q '"l1_cpuid"' bench.json
expect "report of nothing" 2 'there is no serial.log' "$tool" report at/none
expect "attach does not destroy the log it reads" 2 'use: nestbed report' \
	"$tool" attach at/pass/serial.log --out at/pass
check "the log is still there" cmp "$logs/pass.log" at/pass/serial.log
expect "standard input" 0 'stdin: pass' sh -c "'$tool' attach - --out at/stdin < '$logs/pass.log'"
expect "a damaged report.json is not believed" 0 'is damaged' \
	sh -c "echo '{' > at/pass/report.json; '$tool' report at/pass"

# ---- usage -----------------------------------------------------------------

expect "no command" 64 'usage: nestbed' "$tool"
expect "unknown command" 64 'unknown command jump' "$tool" jump
expect "help" 0 'usage: nestbed' "$tool" --help
for c in run attach report; do
	expect "$c --help" 0 "usage: nestbed $c" "$tool" $c --help
	expect "$c with an unknown option" 64 'unrecognized option' "$tool" $c --bogus
done
expect "unknown machine: the list" 64 'bochs-vmx' "$tool" run --on pdp11
expect "no machine" 64 'MACHINE is missing' "$tool" run
expect "ISO and kernel" 64 'exclude each other' "$tool" run --on qemu-svm --iso a --kernel b
expect "bad memory size" 64 'must be like 512M' "$tool" run --on qemu-svm --mem lots
expect "bad processor count" 64 'must be a number from 1' "$tool" run --on qemu-svm --cpus 0
expect "bad timeout" 64 'not a number of seconds' "$tool" run --on qemu-svm --timeout soon
expect "missing guest file" 64 'guest no.elf: no such file' \
	"$tool" run --on qemu-svm --guest no.elf:mem=1M
expect "nothing to attach to" 64 'name one line' "$tool" attach
expect "missing line" 2 'No such file' "$tool" attach nowhere --out at/x
expect "a port that nobody has" 2 'Connection refused' "$tool" attach tcp:127.0.0.1:1 --out at/x

# ---- a fake emulator -------------------------------------------------------

FAKE_DIR=$tmp
NESTBED_QEMU=$here/fake_emulator.sh
NESTBED_BOCHS=$here/fake_emulator.sh
export FAKE_DIR FAKE_LOG FAKE_MODE NESTBED_QEMU NESTBED_BOCHS
echo 'not really an image' > image.elf

# fake MODE LOG then as expect, the command being options of "run"
fake() {
	FAKE_MODE=$1
	FAKE_LOG=${2:+$logs/$2.log}
	name=$3 want=$4 text=$5
	shift 5
	expect "$name" "$want" "$text" "$tool" run --on qemu-svm --kernel image.elf --out fk "$@"
}

# Is the emulator's child dead?  (Where nobody reaps orphans it stays a zombie.)
gone() {
	sleep 0.2
	case $(cut -d' ' -f3 "/proc/$(cat pid)/stat" 2>/dev/null) in
	'' | Z) return 0 ;;
	esac
	return 1
}

fake off pass "run: passed" 0 'qemu-svm: pass: 3 passed'
fake off fail "run: failed" 1 'qemu-svm: fail: 1 passed, 1 failed'
fake off crash "run: the emulator ends without an end line" 2 'ended with status 0'
fake status crash "run: the emulator's status and last words" 2 \
	'ended with status 3: fake: the floppy is on fire'
fake killed crash "run: a killed emulator" 2 'was killed by signal 9'
check "a killed emulator: the report says where it stopped" \
	grep -q 'the run stopped during test a.two' fk/index.html
fake hang crash "run: silence is a hang, with the test's name" 2 \
	'silent for 1 s: the machine hangs (last started test: a.two)' --silence 1
check "a hanging emulator and its children are gone" gone
fake chatter crash "run: the time limit" 2 'not ended after 1 s (last started test: a.two)' \
	--timeout 1
fake hang '' "run: nothing at all on the line" 2 'no begin line' --silence 1
fake hang pass "run: does not power off after its end" 0 'did not power off'
check "it is gone too" gone
fake hang reset "run: a reset ends the run at once" 2 'the machine reset during test a.one' \
	--timeout 30
fake flood pass "run: the end counts, whatever a guest goes on to print" 0 'qemu-svm: pass'
fake off pass "run: machine and command are in the report" 0 ''
check "report.json has the command" grep -q '"command":.*-cpu max,+svm' fk/report.json
check "report.json has the time" grep -q '"started":.*T.*Z' fk/report.json

FAKE_MODE=hang FAKE_LOG=$logs/crash.log
"$tool" run --on qemu-svm --kernel image.elf --out int > out 2>&1 &
pid=$!
sleep 1
kill -INT $pid 2>/dev/null || kill -TERM $pid
wait $pid
[ $? -eq 2 ] && grep -q 'interrupted by signal' out
result "Ctrl-C ends the run with a report" $?
check "the report of an interrupted run" grep -q 'interrupted by signal' int/index.html
check "the emulator of an interrupted run is gone" gone

# The emulator itself; the kernel cannot do as much for its children.
gone_too() {
	case $(cut -d' ' -f3 "/proc/$(cat self)/stat" 2>/dev/null) in
	'' | Z) return 0 ;;
	esac
	return 1
}

FAKE_MODE=hang FAKE_LOG=$logs/crash.log
"$tool" run --on qemu-svm --kernel image.elf --out int > out 2>&1 &
pid=$!
sleep 0.5
kill -KILL $pid
wait $pid 2>/dev/null
sleep 0.5
check "even a killed tool leaves no emulator" gone_too
kill -KILL "$(cat pid)" 2>/dev/null

FAKE_MODE=off FAKE_LOG=$logs/pass.log
expect "several machines: one verdict" 0 '^nestbed: pass' \
	"$tool" run --on qemu-svm --on qemu-novirt --kernel image.elf --out many --quiet
check "several machines: a page over all" grep -q 'href="qemu-novirt/index.html"' many/index.html
expect "several machines: the worst verdict" 2 '^nestbed: incomplete' \
	"$tool" run --on qemu-svm --on qemu-psp --kernel image.elf --out many --quiet
check "why the second one did not run" grep -q 'comes with SEV support' many/qemu-psp/index.html
expect "a machine that is not there" 2 'comes with .*SEV support' "$tool" run --on qemu-psp --out x
expect "Bochs has no UEFI" 2 'has no UEFI firmware' "$tool" run --on bochs-vmx --uefi --out x
expect "an override that is not there" 2 'no such program' \
	env NESTBED_QEMU=/nowhere/qemu "$tool" run --on qemu-svm --kernel image.elf --out x
expect "an emulator that is not installed: its package" 2 'install package qemu-system-x86' \
	env -u NESTBED_QEMU PATH=/nowhere "$tool" run --on qemu-svm --kernel image.elf --out x
expect "a log that cannot be written" 2 'serial.log' \
	"$tool" run --on qemu-svm --kernel image.elf --out image.elf/x

expect "progress without a terminal" 0 'qemu-svm: Fake CPU "quoted" 3.0GHz, 2 CPUs' \
	"$tool" run --on qemu-svm --kernel image.elf --out p
expect "quiet: only the summary" 0 '' "$tool" run --on qemu-svm --kernel image.elf --out p --quiet
[ "$(wc -l < out)" -eq 2 ]
result "quiet: two lines" $?
expect "verbose: the serial text" 0 '^vm0| hello from the guest' \
	"$tool" run --on qemu-svm --kernel image.elf --out p --verbose
if have script; then
	FAKE_MODE=hang
	timeout 20 script -qec "'$tool' run --on qemu-svm --kernel image.elf --out p --silence 1" \
		/dev/null > screen 2>&1 < /dev/null
	check "a terminal gets a live line" grep -q "$(printf '\r\033')\[Kqemu-svm: 4/4, " screen
else
	skip "a terminal gets a live line" "no script(1)"
fi

# ---- a line with input -----------------------------------------------------

fake talk pass "send: an unfinished line is answered" 0 'qemu-svm: pass' \
	--send 'vm0. name\?=bob\n' --send '^vm0. hello bob$='
check "send: the text came" grep -qx bob name
check "send: QEMU's line is a socket" sh -c '
	grep -A1 -x -e -chardev args | grep -qx "socket,id=line,fd=3" &&
	grep -A1 -x -e -serial args | grep -qx chardev:line'
fake off pass "without input it is a pipe" 0 'qemu-svm: pass'
check "without input: no socket" sh -c '! grep -qx -e -chardev args'
fake talk pass "send: a rule that nothing matched" 2 \
	'incomplete: --send: no line matched nobody says this' \
	--send 'name=bob\n' --send 'nobody says this=x'
printf 'first\nsecond\n' > typed
fake talk-file pass "input: a file, behind the conversation" 0 'qemu-svm: pass' \
	--send 'name\?=al\n' --input typed
check "input: all of it came" cmp typed rest
fake talk pass "input: the file alone" 0 'qemu-svm: pass' --input typed
check "input: its first line was the answer" grep -qx first name
expect "input: standard input" 0 'qemu-svm: pass' sh -c "echo sam |
	'$tool' run --on qemu-svm --kernel image.elf --out fk --input -"
check "input: it came" grep -qx sam name
fake talk pass "input: a file that is not there" 2 'nowhere: No such file' --input nowhere
fake talk pass "send: no regular expression" 64 'must be REGEX=TEXT' --send abc
fake talk pass "send: an unknown escape" 64 'after a backslash' --send 'a=\q'
fake talk pass "interactive: no terminal" 64 'needs a terminal' -i
fake talk pass "interactive: not with a file" 64 'exclude each other' --interactive --input typed
if have script; then
	FAKE_MODE=talk-stay
	{
		sleep 1
		printf 'tim\n'
		sleep 2
		printf '\001x'
	} | timeout 20 script -qec "
		'$tool' run --on qemu-svm --kernel image.elf -i --out ia
		echo code \$?; stty -a" /dev/null > screen 2>&1
	FAKE_MODE=talk
	check "interactive: the line's bytes" grep -q 'vm0| hello' screen
	check "interactive: Ctrl-A x ends it, the verdict is the image's" grep -q 'code 0' screen
	check "interactive: the terminal is as before" grep -q '\(^\| \)icanon' screen
	check "interactive: what was typed" grep -q tim name
else
	skip "interactive" "no script(1)"
fi
if have socat && have grub-mkrescue && have xorriso; then
	expect "Bochs: a line with input" 0 'bochs-vmx: pass' "$tool" run --on bochs-vmx \
		--kernel image.elf --out bt --send 'name\?=eve\n'
	check "Bochs: the text came" grep -qx eve name
	FAKE_MODE=deaf
	expect "Bochs: ends before it connects" 2 'ended with status 4: fake: no line' \
		"$tool" run --on bochs-vmx --kernel image.elf --out bt --send 'name\?=eve\n'
else
	skip "Bochs: a line with input" "socat, grub-mkrescue or xorriso is missing"
fi

# ---- what is booted --------------------------------------------------------

FAKE_MODE=off
"$tool" run --on qemu-svm --kernel image.elf --cpus 3 --mem 6G --append 'tests=a b' \
	--guest "image.elf:mem=64M,cpus=2 one, two" --guest image.elf --out 'sp ace,d' > out 2>&1
check "QEMU: processors and memory" sh -c 'grep -A1 -x -e -smp args | grep -qx 3 &&
	grep -A1 -x -e -m args | grep -qx 6144'
check "QEMU: no instruction counting unless asked for" sh -c '! grep -x -e -icount args'
check "QEMU: the command line" sh -c 'grep -A1 -x -e -append args | grep -qx "tests=a b"'
check "QEMU: guests with options and arguments" \
	grep -qx 'image.elf:mem=64M,,cpus=2 one,, two,image.elf' args
check "QEMU: guests are found where it runs" \
	sh -c 'cmp image.elf "$(cat pwd)/image.elf:mem=64M,cpus=2"'

if have grub-mkrescue && have xorriso; then
	check "ISO: made" sh "$build/mkiso.sh" image.elf "$here/../../boot/grub.cfg" my.iso
	check "ISO: boots from BIOS and UEFI, CD and disk" sh -c '
		xorriso -indev my.iso -report_el_torito plain -report_system_area plain \
			2>/dev/null > out
		grep -q "El Torito boot img.*BIOS" out && grep -q "El Torito boot img.*UEFI" out &&
		grep -q "grub2-mbr\|MBR" out && grep -q "GPT" out'
	expect "ISO: without its image" 1 'cannot read' sh "$build/mkiso.sh" no.elf \
		"$here/../../boot/grub.cfg" no.iso
	"$tool" run --on qemu-svm --iso my.iso --append "tests=x.*" --guest 'image.elf:mem=1M a' \
		--out iso > out 2>&1
	check "run ISO: the command line is in its menu" \
		grep -aq "multiboot /boot/nestbed.elf 'tests=x\.\*'" iso/work/run.iso
	check "run ISO: so is the guest" \
		grep -aq "module /boot/module0 'image.elf:mem=1M' 'a'" iso/work/run.iso
	check "run ISO: the image was taken over" cmp image.elf iso/work/nestbed.elf
	check "run ISO: is what is booted" grep -q 'file=.*/iso/work/run.iso' args
	"$tool" run --on bochs-vmx --kernel image.elf --mem 6G --out bx > out 2>&1
	check "Bochs: an ELF becomes an ISO" \
		grep -q 'type=cdrom, path=".*bx/work/run.iso"' bx/work/bochsrc
	check "Bochs: memory beyond what the host may give" \
		grep -q 'guest=6144, host=2048' bx/work/bochsrc
else
	skip "ISO tests" "grub-mkrescue or xorriso is missing"
fi

# ---- kernels that are not ours ----------------------------------------------

FAKE_MODE=kernel
mkdir -p fb kernels
ln -sf "$tool" "$build/mkiso.sh" fb/
cp image.elf fb/nestbed.elf
cp image.elf kernels/k.flat
cp image.elf kernels/other.elf
cat > tab <<'END'
# none
one | k | cpus=2,mem=64 | an arg
out | k | | | qemu-*: no time
no | none
END
foreign_sh=$here/../../tools/foreign.sh
foreign() {
	name=$1 text=$2
	shift 2
	expect "foreign: $name" 0 "$text" sh "$foreign_sh" -b fb -o fo -t tab "$@" \
		kernels qemu-svm
	cp out table
}
foreign "better" '^| one | 1 / 1 / 0, exit 1 | 2 / 0 / 0, exit 0 | better |$'
check "foreign: a row that is left out" grep -q '^| out | left out: no time |' table
check "foreign: a kernel without a row" grep -q '^| other | 1 / 1 / 0, exit 1 |' table
check "foreign: the sums" grep -q '^0 the same, 2 better, 0 worse, 0 not compared' table
foreign "one row" '^| one |' -r one
check "foreign: the guest's options" grep -q '^k.flat:mem=64M,,cpus=2,,.* an arg' args
FAKE_BARE=PASS FAKE_WORSE=FAIL
export FAKE_BARE FAKE_WORSE
touch kernels/k.flat
foreign "worse" '^| one | 2 / 0 / 0, exit 1 | 1 / 1 / 0, exit 0 | \*\*worse\*\* |$' -r one
check "foreign: what is worse" grep -qx 'FAIL: two' fo/qemu-svm/one.worse
FAKE_BARE=FAIL
foreign "the bare result is kept" '^| one | 2 / 0 / 0, exit 1 |' -r one
printf '@bare | qemu-* | it cannot\none | k\n' > tab
foreign "not on the bare emulator" '| 0 / 0 / 0, does not run | .* | no bare run |$' -r one
foreign "only bare" '' -n -r one
expect "foreign: no directory" 64 'usage' sh "$foreign_sh" -b fb nowhere qemu-svm
unset FAKE_BARE FAKE_WORSE

# ---- lines -----------------------------------------------------------------

# line NAME TARGET: pass.log comes out of what socat was started with
line() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -e ready ] && break
		sleep 0.2
	done
	expect "$1" 0 'pass: 3 passed' "$tool" attach "$2" --out "ln/$1" --timeout 20 --quiet
	kill $socat 2>/dev/null
	wait $socat 2>/dev/null
	rm -f ready
}

if have socat; then
	socat UNIX-LISTEN:ready "OPEN:$logs/pass.log,ignoreeof" > /dev/null 2>&1 &
	socat=$!
	line "unix socket" unix:ready
	port=$((20000 + $$ % 20000))
	socat TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr "OPEN:$logs/pass.log" > /dev/null 2>&1 &
	socat=$!
	sleep 0.5
	line "tcp socket" tcp:127.0.0.1:$port
	printf 'sleep 1; cat "%s/$1.log"; sleep 20\n' "$logs" > feed
	socat PTY,link=ready,rawer "EXEC:sh feed pass" > /dev/null 2>&1 &
	socat=$!
	line "tty" "$tmp/ready"
	socat PTY,link=ready,rawer "EXEC:sh feed crash" > /dev/null 2>&1 &
	socat=$!
	sleep 0.5
	expect "a tty that falls silent" 2 'silent for 2 s' \
		"$tool" attach ready --silence 2 --out ln/s
	expect "a tty speed that does not exist" 2 'not one that serial ports have' \
		"$tool" attach ready --speed 12345 --out ln/x
	kill $socat 2>/dev/null
else
	skip "sockets and ttys" "no socat"
fi

echo "1..$n"
echo "# $((n - failed)) passed, $failed failed"
[ $failed -eq 0 ]
