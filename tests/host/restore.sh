#!/bin/sh
# SPDX-License-Identifier: MIT
# Guests that are saved in the middle, leave over the serial line, and go on to
# their end on another machine: tests/guests/count.c, whose output is the same
# each time, with two CPUs and as a hypervisor whose guest counts.
#
#   sh tests/host/restore.sh [BUILD_DIR [MACHINE...]]
#
# MACHINE: qemu-svm bochs-svm bochs-vmx (default: the first two).  make guests
# builds the guest.  Prints "ok N - name" or "not ok N - name".
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
[ $# -gt 0 ] && shift
machines=${*:-qemu-svm bochs-svm}
tool=$build/nestbed
count=$build/guests/count.elf
dir=$build/restore
mkdir -p "$dir" || exit 1
cd "$dir" || exit 1
. "$here/lib.sh"

# run OUT ARGUMENTS...: of the tool; Bochs wants an ISO, and makes one of the image
run() {
	to=$1
	shift
	rm -rf "$to"
	"$tool" run --quiet --kernel "$build/nestbed.elf" --out "$to" "$@" > out 2>&1
}

# text OUT: what the guest printed, without the ends of lines: the line on which
# it was saved begins on one machine and ends on another
text() {
	tr -d '\r' < "$1/serial.log" | sed -n 's/^vm[0-9]*| //p' | tr -d '\n'
}

# save_at STEP OUT ARGUMENTS...: saves the guest that prints that step, and stops
save_at() {
	step=$1
	shift
	run "$@" --send "step $step =\\r" --send 'monitor ready=save 0\r' \
		--send 'monitor ok save=send\r' --send 'monitor ok send=poweroff\r'
	[ $? -eq 2 ] && grep -q '^  note: saved guest count[^ ]*: [0-9]* bytes, in ' out
}

# continues WHOLE FIRST SECOND: the second begins where the first was saved, behind
# its step 10, and comes to the end of the whole
continues() {
	whole=$(text "$1") first=$(text "$2") second=$(text "$3")
	echo "whole ${#whole}, first ${#first}, second ${#second} characters"
	case $whole in "$first"*) ;; *) echo "the first is another one" && return 1 ;; esac
	case $whole in *"$second") ;; *) echo "the second is another one" && return 1 ;; esac
	case $second in *"step 10 "*) echo "it began anew" && return 1 ;; esac
	case $second in *"step 60 "*"183 checks, 0 failed"*) ;; *) return 1 ;; esac
	[ $((${#first} + ${#second})) -ge ${#whole} ]
}

# refused NAME REASON ARGUMENTS...: the image says why it does not take that guest
refused() {
	name=$1 reason=$2
	shift 2
	run bad --append mode=guests "$@"
	code=$?
	said=$(grep -a '^@nestbed test guest[^ ]* fail ' bad/serial.log)
	[ $code -eq 1 ] && echo "$said" | grep -q "reason=\"$reason"
	result "$name" $? "exit code $code; not said: $reason; $said"
}

# damaged FILE OFFSET BYTES: a copy of the good one with other bytes (octal), or more of them
damaged() {
	cp "$saved" "$1"
	printf "\\$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2> /dev/null
}

# saved_and_restored MACHINE GUEST KEY NAME: saved, and back on a machine of that kind
saved_and_restored() {
	m=$1 guest=$2 key=$1-$3 what="$1: $4"
	check "$what, undisturbed" run "$key.whole" --on "$m" --append mode=guests --guest "$guest"
	check "$what, saved" save_at 20 "$key.first" --on "$m" --append mode=guests \
		--guest "$guest"
	check "$what, its file" test -s "$key.first/count.elf.save"
	check "$what, restored" run "$key.second" --on "$m" --mem 300M \
		--restore "$key.first/count.elf.save:timeout=200"
	check "$what, goes on" continues "$key.whole" "$key.first" "$key.second"
}

# among MACHINE: is it one of those?
among() {
	case " $machines " in *" $1 "*) return 0 ;; esac
	return 1
}

for m in $machines; do
	# Slow where two CPUs take turns on one.
	[ "$m" = bochs-svm ] ||
		saved_and_restored "$m" "$count:cpus=2,mem=16M,timeout=200" plain "two CPUs"
	[ "$m" = bochs-vmx ] && continue
	saved_and_restored "$m" "$count:nested=svm,mem=16M nested" nested "a guest hypervisor"
done

key=qemu-svm-plain
saved="$dir/$key.first/count.elf.save"
if among qemu-svm && [ -f "$saved" ]; then
	check "one CPU instead of two, less memory" run other --on qemu-svm --cpus 1 --mem 128M \
		--restore "$saved"
	check "goes on" continues "$key.whole" "$key.first" other
	check "four, more memory, from an ISO, beside another guest" \
		run other --on qemu-svm --cpus 4 --mem 6G --uefi --restore "$saved" \
		--guest "$build/guests/regs64.elf:mem=16M" --append mode=guests
	check "the other one ran, too" \
		grep -q '^@nestbed test guest.regs64.elf pass' other/serial.log

	check "saved once more on the second machine, migrating, and goes on on a third" \
		save_at 40 again --on qemu-svm --cpus 3 --append 'mode=guests migrate=50' \
		--restore "$saved"
	check "restored" run third --on qemu-svm --restore again/count.elf.save
	check "goes on to the end" continues "$key.second" again third

	# The way over the line.
	expect "the log has it, too" 2 'note: saved guest count.elf: [0-9]* bytes, in' \
		"$tool" attach --quiet "$key.first/serial.log" --out log
	check "the same bytes" cmp "$saved" log/count.elf.save
	sed '/^@nestbed blob 17 /d' "$key.first/serial.log" > lost.log
	expect "a line is lost" 2 \
		'incomplete: saved guest count.elf, block 1: line 17 is missing$' \
		"$tool" attach --quiet lost.log --out lost
	refute "and no file is written" test -e lost/count.elf.save
	sed '/^@nestbed blob 17 /s/A/B/' "$key.first/serial.log" > lost.log
	expect "a line is damaged" 2 'saved guest count.elf, block 1: line 17 is damaged$' \
		"$tool" attach --quiet lost.log --out lost

	# What the tool does not even try, and what the image does not take.
	expect "not a saved guest" 64 'not a saved guest' "$tool" run --on qemu-svm \
		--restore "$count"
	head -c 5000 "$saved" > bad.save
	expect "cut off" 64 'bad.save: cut off' "$tool" run --on qemu-svm --restore bad.save
	expect "arguments" 64 'takes no arguments' "$tool" run --on qemu-svm \
		--restore "$saved x"
	damaged bad.save 8 2
	expect "a newer version" 64 'saved by another version of nestbed' \
		"$tool" run --on qemu-svm --restore bad.save
	refused "a newer version, refused by the image" \
		'not restored: container 0: of another version' --on qemu-svm --guest bad.save
	head -c 5000 "$saved" > bad.save
	refused "cut off" 'not restored: container 0: ends too early' --on qemu-svm --guest bad.save
	size=$(wc -c < "$saved")
	head -c $((size - 1)) "$saved" > bad.save
	refused "cut off at the end" 'not restored: memory 0: ends too early' --on qemu-svm \
		--guest bad.save
	damaged bad.save 12 2
	refused "another vendor" 'not restored: container 0: of the other vendor' --on qemu-svm \
		--restore bad.save
	damaged bad.save 200 377
	refused "a byte of its state" 'not restored: container 0: damaged' --on qemu-svm \
		--restore bad.save
	damaged bad.save $((size - 2000)) '252\252\252'
	refused "a byte of its memory" 'not restored: memory 0: has a wrong checksum' \
		--on qemu-svm --restore bad.save
	damaged bad.save "$size" 0
	refused "a byte too many" 'not restored: container 0: goes on behind its end' \
		--on qemu-svm --restore bad.save
	refused "a size of its own" 'refused: a saved machine takes timeout=' --on qemu-svm \
		--restore "$saved:mem=32M"
	check "saved with more memory" save_at 20 large --on qemu-svm --mem 512M \
		--append mode=guests --guest "$count:mem=300M"
	refused "more memory than there is" \
		'not restored: memory 0: takes 299 MiB, [0-9]* MiB are free here' \
		--on qemu-svm --mem 256M --restore large/count.elf.save
	among bochs-svm && refused "a CPU with fewer features" \
		'not restored: CPU 0: lacks features of CPUID ' --on bochs-svm --restore "$saved"
fi

echo "1..$n"
[ $failed -eq 0 ] && [ $n -gt 0 ]
