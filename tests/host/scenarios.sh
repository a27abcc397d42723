#!/bin/sh
# SPDX-License-Identifier: MIT
# The image from outside: what it says when things go wrong on purpose.
#
#   sh tests/host/scenarios.sh [BUILD_DIR]
#
# Prints "ok N - name" or "not ok N - name" per scenario.
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
tool=$build/nestbed
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
failed=0

result() {
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n - $1"
	else
		failed=$((failed + 1))
		echo "not ok $n - $1"
		echo "  # $3"
		tail -n 30 "$tmp/out" | sed 's/^/  # /'
	fi
}

# scenario NAME EXIT-CODE TEXT ARGUMENTS...: runs the image directly; TEXT must
# be on the serial line or in the tool's output
scenario() {
	name=$1 want=$2 text=$3
	shift 3
	rm -rf "$tmp/run"
	"$tool" run --quiet --timeout 60 --out "$tmp/run" --kernel "$build/nestbed.elf" "$@" \
		> "$tmp/out" 2>&1
	code=$?
	log=$(find "$tmp/run" -name serial.log | head -1)
	[ -n "$log" ] && cat "$log" >> "$tmp/out"
	why=
	[ $code -eq "$want" ] || why="exit code $code, expected $want;"
	grep -qE -- "$text" "$tmp/out" || why="$why not said: $text"
	[ -z "$why" ]
	result "$name" $? "$why"
}

selftest() {
	scenario "selftest.$1: $4" "$2" "$3" --on "${5:-qemu-svm}" --append \
		"tests=selftest.$1,common.cpuid_exit"
}

t='^@nestbed test selftest'
# What goes wrong, and how the report must put it.
selftest passes 0 "$t.passes pass" "the control"
selftest fails 1 "$t.fails fail reason=\"line [0-9]+: 1 \+ 1 != 3" "a failed check"
selftest rows 1 '^  not ok 2 bad "row"' "a failed row"
selftest checks_nothing 1 "$t.checks_nothing error .*checked nothing" "an empty test"
selftest hang_guest 1 "$t.hang_guest fail reason=\"timed out: guest hung at rip" "a hung guest"
hung='fail reason="timed out: hypervisor hung in'
selftest hang_hypervisor 1 "$t.hang_hypervisor $hung .*timer" "a hang with interrupts on"
selftest hang_hypervisor_cli 1 "$t.hang_hypervisor_cli $hung .*NMI" "a hang with interrupts off"
selftest hang_other_cpu 1 "$t.hang_other_cpu fail reason=\"CPU 1" "a hang on the second CPU"
selftest wild_pointer 2 "$t.wild_pointer error reason=\"panic: #PF .*write.* at 10 in" \
	"a wild write"
selftest write_to_code 2 "$t.write_to_code error reason=\"panic: #PF" "W^X, writing"
selftest execute_data 2 "$t.execute_data error reason=\"panic: #PF page fault .execute" \
	"W^X, executing"
selftest stack_overflow 2 "$t.stack_overflow error reason=\"panic: stack overflow" \
	"the guard page"
selftest triple_fault 2 "reset" "the machine resets"
selftest guest_triple_fault 0 "$t.guest_triple_fault pass" "a guest's triple fault"
selftest forged_pass 1 "^vm0\| @nestbed test selftest.forged_pass pass" "a guest that lies"

# After each hang the next test runs in a fresh machine.
scenario "tests go on after hangs" 1 "^@nestbed end .*passed=2 failed=3" --on qemu-svm --append \
	"tests=selftest.hang_guest,selftest.hang_hypervisor*,selftest.passes,common.cpuid_exit"

scenario "unknown test name: near matches, incomplete" 2 \
	"no test is named common.cpuid_exot; did you mean common.cpuid_exit" --on qemu-svm \
	--append "tests=common.cpuid_exot,common.cpuid_exit"
scenario "unknown word: warned, goes on" 0 "warning: .*colour" \
	--on qemu-svm --append "colour=blue tests=common.cpuid_exit"
scenario "no virtualization: inventory, reason, incomplete" 2 "info virt_reason no SVM: CPUID" \
	--on qemu-novirt
scenario "no virtualization, tests that need none" 0 "verdict=pass" \
	--on qemu-novirt --append "tests=selftest.passes"

scenario "statistics by four CPUs at once, 10 s" 0 "^@nestbed test stats.concurrent_10s pass" \
	--on qemu-svm --cpus 4 --append "tests=stats.concurrent_10s"

# A guest that tries 2000 MSRs: 32 by number, the rest together, no more memory.
scenario "unknown MSRs are counted by number" 0 \
	"^@nestbed stat /kvm/ended/msr/0x50000000/wrmsr_unknown 1 count sum" \
	--on qemu-svm --append "tests=guest.msrflood"
grep -q "^@nestbed stat /kvm/ended/msr/other/rdmsr_unknown 1968 count sum" "$tmp/out"
result "and those beyond the table together" $? "no such line"

# Guests as modules.
printf 'this is no kernel' > "$tmp/text"
head -c 3000 "$build/guests/regs64.elf" > "$tmp/truncated"
cp "$build/guests/regs64.elf" "$tmp/good"
cp "$build/guests/triple.elf" "$tmp/triple"
scenario "bad modules are refused by name, the good guest runs" 1 \
	"^@nestbed test guest.good pass" --on qemu-svm --append "mode=guests" \
	--guest "$tmp/text" --guest "$tmp/truncated" --guest "$tmp/good"
grep -q "^@nestbed test guest.text fail reason=\"refused: .*text" "$tmp/out"
result "a module that is no kernel: refused with the reason" $? "no such line"
grep -q "^@nestbed test guest.truncated fail reason=\"refused: .*truncated" "$tmp/out"
result "a truncated ELF: refused with the reason" $? "no such line"
scenario "a guest that triple faults is named" 1 \
	"^@nestbed test guest.triple_[0-9]* fail reason=\"ended with shutdown" \
	--on qemu-svm --append "mode=guests" --guest "$tmp/triple"
scenario "a guest with an expected result" 1 "ended with 0, expected 3" \
	--on qemu-svm --append "mode=guests" --guest "$tmp/good:expect=3"
scenario "mem= beyond what is there" 1 "guest.good fail reason=\"refused: mem=" \
	--on qemu-svm --append "mode=guests" --guest "$tmp/good:mem=64G"
scenario "an unknown key" 1 "guest.good fail reason=\"refused: .*" \
	--on qemu-svm --append "mode=guests" --guest "$tmp/good:color=red"
cp "$build/guests/tscrate.elf" "$tmp/scaled"
scenario "tsc= where the CPU cannot scale" 1 \
	"guest.scaled fail reason=\"refused: tsc=: this CPU does not scale" \
	--on qemu-svm --append "mode=guests" --guest "$tmp/scaled:tsc=1000000,cpus=2"
scenario "tsc= out of range" 1 "tsc=999: must be 1000..60000000" \
	--on qemu-svm --append "mode=guests" --guest "$tmp/scaled:tsc=999"
scenario "tsc= where it can: the guest measures it" 0 "^@nestbed test guest.scaled pass" \
	--on bochs-vmx --append "mode=guests" \
	--guest "$tmp/scaled:tsc=12345,cpus=2,nested=off tsc=12345"
scenario "a guest alone" 0 "^@nestbed test guest.good pass" \
	--on qemu-svm --append "mode=guests" --guest "$tmp/good"

# A guest in HLT, which nothing but what is typed wakes, on another CPU than the one that
# reads the line; and while it is migrated at each exit.
typed() {
	scenario "$1" 0 "^vm0\| line 3: q" --on qemu-svm \
		--append "mode=guests console_in=typed* $2" \
		--guest "$build/guests/typed.elf:cpus=2,mem=16M" --send 'asleep=hello\r' \
		--send 'line 1: hello=and once more\r' --send 'line 2: and once more=q\r'
}
typed "what is typed wakes a guest on another CPU" ""
typed "and one that migrates" "migrate=1"
# Each exit begins on a new machine: a guest hypervisor, two CPUs, and one
# whose registers have what no guest of sense writes, in their usual time.
scenario "migrated at each exit" 0 "^@nestbed end .*passed=2 failed=0 .*known=1" \
	--on qemu-svm --append "tests=guest.nsvm_misc,guest.smp2,guest.scribble migrate=1"

# A machine without a serial port must still come to its end (by ACPI).
timeout 60 qemu-system-x86_64 -machine q35 -accel tcg -cpu max,+svm -m 256 -display none \
	-nodefaults -serial none -vga std -kernel "$build/nestbed.elf" \
	-append "tests=common.cpuid_exit" > "$tmp/out" 2>&1
result "no serial port: the run still ends" $? "exit code of QEMU"

# The console where the command line, or the firmware's SPCR table, puts it.
#   console_at NAME APPEND ARGUMENTS...  (of QEMU; "$tmp/ser2" is the port to find)
console_at() {
	name=$1 append=$2
	shift 2
	rm -f "$tmp/ser" "$tmp/ser2"
	timeout 60 qemu-system-x86_64 -machine q35 -accel tcg -cpu max,+svm -m 256 -display none \
		-nodefaults -vga std -kernel "$build/nestbed.elf" \
		-append "tests=common.cpuid_exit $append" "$@" > "$tmp/out" 2>&1
	code=$?
	cat "$tmp/ser2" >> "$tmp/out" 2>/dev/null
	[ $code -eq 0 ] && grep -q "^@nestbed end verdict=pass" "$tmp/ser2" && ! [ -s "$tmp/ser" ]
	result "$name" $? "exit code $code, or no verdict on that port alone"
}

com2="-serial file:$tmp/ser -serial file:$tmp/ser2"
console_at "console=io: the second port" console=io:0x2f8,115200 $com2
console_at "console=pci: a UART on a card" console=pci:00:05.0 -serial "file:$tmp/ser" \
	-chardev "file,id=c,path=$tmp/ser2" -device pci-serial,chardev=c,addr=5
# ACPI 5.2.6 header, then SPCR revision 2: 16550, I/O port 0x2f8, 115200 8N1.
{
	printf 'SPCR\120\0\0\0\002\0TESTERSPCRTEST\001\0\0\0TEST\001\0\0\0'
	printf '\0\0\0\0\001\010\0\001\370\002\0\0\0\0\0\0\0\0\0\0\0\0\007\0\001\0\0\0'
	printf '\377\377\377\377\0\0\0\0\0\0\0\0\0\0\0\0'
} > "$tmp/spcr"
console_at "the port that SPCR names" "" $com2 -acpitable "file=$tmp/spcr"

# What a machine without serial shows: the verdict in its colour.
#   screen NAME COLOUR ARGUMENTS...  (of QEMU)
screen() {
	name=$1 colour=$2
	shift 2
	rm -f "$tmp/ser" "$tmp/shot.ppm"
	: > "$tmp/ser"
	{
		i=0
		while [ $i -lt 150 ] && ! grep -q '^@nestbed end' "$tmp/ser"; do
			sleep 0.3
			i=$((i + 1))
		done
		sleep 0.5
		echo "screendump $tmp/shot.ppm"
		sleep 1
		echo quit
	} | timeout 90 qemu-system-x86_64 -machine q35 -accel tcg -cpu max,+svm -m 256 -vga std \
		-display none -serial "file:$tmp/ser" -monitor stdio "$@" > "$tmp/out" 2>&1
	[ -s "$tmp/shot.ppm" ] && tail -c +16 "$tmp/shot.ppm" | od -An -v -tu1 -w3 | awk \
		-v want="$colour" '
		$2 > 140 && $1 < 110 && $3 < 140 { n["green"]++ }
		$1 > 140 && $2 < 110 && $3 < 110 { n["red"]++ }
		END { other = want == "green" ? "red" : "green"
		      exit !(n[want] > 500 && n[other] < 50) }'
	result "$name" $? "the screen does not show a large $colour word"
}

screen "VGA text shows the verdict pass" green -kernel "$build/nestbed.elf" \
	-append "tests=common.cpuid_exit on-end=halt"
screen "VGA text shows the verdict fail" red -kernel "$build/nestbed.elf" \
	-append "tests=selftest.fails on-end=halt"
cat > "$tmp/grub.cfg" <<END
set timeout=0
insmod all_video
menuentry test {
	multiboot2 /boot/nestbed.elf tests=common.cpuid_exit on-end=halt
	boot
}
END
sh "$here/../../tools/mkiso.sh" "$build/nestbed.elf" "$tmp/grub.cfg" "$tmp/uefi.iso" \
	> "$tmp/out" 2>&1
for f in /usr/share/OVMF/OVMF_CODE.fd /usr/share/OVMF/OVMF_CODE_4M.fd; do
	[ -f "$f" ] && code=$f
done
cp "$(echo "$code" | sed s/CODE/VARS/)" "$tmp/vars.fd"
screen "the UEFI framebuffer shows the verdict" green -cdrom "$tmp/uefi.iso" \
	-drive "if=pflash,format=raw,readonly=on,file=$code" \
	-drive "if=pflash,format=raw,file=$tmp/vars.fd"

screen "multiboot 2 through BIOS" green -cdrom "$tmp/uefi.iso"

# The same ISO as a USB stick, through BIOS.
rm -f "$tmp/ser"
timeout 300 qemu-system-x86_64 -machine q35 -accel tcg -cpu max,+svm -m 256 -display none \
	-serial "file:$tmp/ser" -device qemu-xhci \
	-drive "if=none,id=s,format=raw,file=$build/nestbed.iso" \
	-device usb-storage,drive=s,bootindex=0 > "$tmp/out" 2>&1
grep -q '^@nestbed end' "$tmp/ser"
result "the ISO as a USB stick" $? "no end line"

# An emulator that is killed: the report says where the run stopped.
rm -rf "$tmp/run"
"$tool" run --quiet --out "$tmp/run" --kernel "$build/nestbed.elf" --on qemu-svm --append \
	"tests=selftest.hang_guest,selftest.passes" > "$tmp/out" 2>&1 &
pid=$!
i=0
while [ $i -lt 100 ] && ! grep -q "start selftest.hang_guest" "$tmp/run/serial.log" 2>/dev/null; do
	sleep 0.1
	i=$((i + 1))
done
pkill -KILL -P $pid qemu
wait $pid
code=$?
[ $code -eq 2 ] && grep -q "stopped during test selftest.hang_guest" "$tmp/out"
result "a killed emulator: exit code 2, and where it stopped" $? "exit code $code"

echo "1..$n"
[ $failed -eq 0 ]
