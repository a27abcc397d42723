#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs test kernels that are not ours on the bare emulator and as guests of
# nestbed, and compares what they say.
#
#   sh tools/foreign.sh [options] DIR MACHINE...
#
# DIR has multiboot kernels, *.flat or *.elf; nothing is built or fetched.
# MACHINE is one of "nestbed run --on".  For each a markdown table goes to
# standard output, progress to standard error.
#
#   -t TABLE   how each is run (default tools/foreign.tab)
#   -o DIR     logs (default BUILD/foreign/kernels); results of the bare
#              emulator are taken from there when they are newer than the kernel
#   -b BUILD   build directory (default build)
#   -r GLOB    only rows whose name matches
#   -n         only bare
#   -a WORDS   further words for nestbed's command line, as migrate=1000
#
# A line of the table "@bare | GLOB | reason" says that on the machines that
# match these kernels do not run without nestbed.
#
# A line that begins with PASS, FAIL or SKIP is a check; some that passed have
# no line and are only in the kernel's SUMMARY.  "worse" is: more
# checks failed than on the bare emulator, fewer passed, or no proper end where
# the bare one has it; FAIL lines that only the guest has are in ROW.worse.
here=$(cd "$(dirname "$0")" && pwd)
table=$here/foreign.tab build=build out= only='*' bare_only= append=
while getopts t:o:b:r:a:n opt; do
	case $opt in
	t) table=$OPTARG ;;
	o) out=$OPTARG ;;
	b) build=$OPTARG ;;
	r) only=$OPTARG ;;
	n) bare_only=yes ;;
	a) append=" $OPTARG" ;;
	*) sed -n '/^# Runs/,/^# the bare one/s/^# \{0,1\}//p' "$0" >&2 && exit 64 ;;
	esac
done
shift $((OPTIND - 1))
if [ $# -lt 2 ] || [ ! -d "$1" ] || [ ! -r "$table" ]; then
	echo "usage: sh tools/foreign.sh [-t TABLE] [-o DIR] [-b BUILD] [-r GLOB] [-a WORDS] [-n]" \
		"DIR MACHINE..." >&2
	exit 64
fi
build=$(cd "$build" && pwd) || exit 1
dir=$(cd "$1" && pwd)
shift
tool=$build/nestbed
out=${out:-$build/foreign/kernels}
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1

# What a kernel for QEMU's test machine may count on, and it stops at a reset.
cat > "$out/qemu.sh" <<END
#!/bin/sh
exec ${NESTBED_QEMU:-qemu-system-x86_64} "\$@" -no-reboot \\
	-device isa-debug-exit,iobase=0xf4,iosize=4 -device pc-testdev
END
chmod 755 "$out/qemu.sh"

# A value of a row's options: option NAME DEFAULT
option() {
	v=$(echo "$opts" | tr ',' '\n' | sed -n "s/^$1=//p")
	echo "${v:-$2}"
}

# ---- one run ---------------------------------------------------------------

# How a run on the bare emulator ended, from what the tool said.
bare_end() {
	case $(cat "$log.out") in
	*'ended with status 0'*) echo reset ;;
	*'ended with status '*)
		s=$(sed -n 's/.*ended with status \([0-9]*\).*/\1/p' "$log.out" | head -n 1)
		# isa-debug-exit: (value << 1) | 1.  Of Bochs the status says nothing.
		case $machine in qemu*) echo "exit $((s / 2))" ;; *) echo end ;; esac ;;
	*'silent for'* | *'not ended after'*) echo timeout ;;
	*'again and again'*) echo reset ;;
	*) echo '?' ;;
	esac
}

run_bare() {
	log=$out/$machine/$name.bare
	if [ -n "$no_bare" ]; then
		: > "$log"
		echo "does not run" > "$log.end"
		return
	fi
	[ "$log" -nt "$file" ] && [ -s "$log.end" ] && return
	set -- --on "$machine" --kernel "$file" --cpus "$cpus" --mem "$mem" --quiet
	[ -n "$args" ] && set -- "$@" --append "$args"
	case $machine in
	bochs*)
		# No firmware configuration device says how large the machine is:
		# such kernels take it from a module.
		printf 'NR_CPUS=%s\nMEMSIZE=%s\nTEST_DEVICE=0\nBOOTLOADER=1\n' "$cpus" "$mem" \
			> "$out/$machine/env"
		set -- "$@" --guest "$out/$machine/env" ;;
	esac
	NESTBED_QEMU=$out/qemu.sh "$tool" run "$@" --timeout "$timeout" --silence "$timeout" \
		--out "$work" > "$log.out" 2>&1
	tr -d '\r' < "$work/serial.log" > "$log"
	bare_end > "$log.end"
}

run_nested() {
	log=$out/$machine/$name.guest
	"$tool" run --on "$machine" --kernel "$build/nestbed.elf" --quiet --mem $((mem + 256)) \
		--append "mode=guests stats=off$append" --timeout $((timeout * 2 + 60)) \
		--silence $((timeout * 2 + 60)) --out "$work" --guest \
		"$file:$keys,timeout=$((timeout * 2)),output=64M${args:+ $args}" \
		> "$log.out" 2>&1
	tr -d '\r' < "$work/serial.log" > "$log.all"
	sed -n 's/^vm[0-9]*| //p' "$log.all" > "$log"
	result=$(sed -n '
		s/^@nestbed test guest\.[^ ]* \([a-z]*\)\( reason="\(.*\)" us=.*\)*.*/\1 \3/p
		' "$log.all" | head -n 1)
	case $result in
	pass*) echo "exit 0" ;;
	*'ended with '[0-9]*)
		# Of a process's status QEMU has seven bits left for it.
		s=$(echo "$result" | sed 's/.*ended with \([0-9]*\),.*/\1/')
		echo "exit $((s % 128))" ;;
	*'timed out'*) echo timeout ;;
	*'ended with shutdown'*) echo reset ;;
	'') echo "nestbed did not finish" ;;
	*) echo "${result#fail }" | cut -c 1-60 ;;
	esac > "$log.end"
}

# ---- the comparison --------------------------------------------------------

# count WORD LOG
count() {
	grep -acE "^[[:blank:]]*$1\>" "$2"
}

# Checks that passed: what the kernel sums up where it does, else the lines.
passed() {
	n=$(sed -n 's/^SUMMARY: \([0-9]*\) tests.*/\1/p' "$1" | tail -n 1)
	if [ -n "$n" ]; then
		echo $((n - $(count '(FAIL|XFAIL)' "$1") - $(count SKIP "$1")))
	else
		count PASS "$1"
	fi
}

fails() {
	grep -aE '^[[:blank:]]*FAIL\>' "$1" | sort -u
}

ended() {
	case $1 in 'exit '* | end) return 0 ;; esac
	return 1
}

compare() {
	b=$out/$machine/$name.bare g=$out/$machine/$name.guest
	bp=$(passed "$b") bf=$(count FAIL "$b") bs=$(count SKIP "$b") be=$(cat "$b.end")
	if [ -n "$bare_only" ]; then
		echo "| $name | $bp / $bf / $bs, $be |"
		return
	fi
	gp=$(passed "$g") gf=$(count FAIL "$g") gs=$(count SKIP "$g") ge=$(cat "$g.end")
	verdict=same
	if [ -n "$no_bare" ]; then
		verdict='no bare run'
	elif [ "$gf" -gt "$bf" ] || [ "$gp" -lt "$bp" ] || { ended "$be" && ! ended "$ge"; }; then
		verdict='**worse**'
		fails "$b" > "$work/b"
		fails "$g" | comm -13 "$work/b" - > "$out/$machine/$name.worse"
	elif [ "$gf" -lt "$bf" ] || [ "$gp" -gt "$bp" ] || { ! ended "$be" && ended "$ge"; }; then
		verdict=better
	fi
	echo "$verdict" >> "$out/$machine/verdicts"
	echo "| $name | $bp / $bf / $bs, $be | $gp / $gf / $gs, $ge | $verdict |"
}

# Does the reason (or "GLOB: reason" for some machines) leave this row out?
left_out() {
	case $1 in
	'') return 1 ;;
	'all: '*) why=${1#all: } ;;
	*': '*)
		# shellcheck disable=SC2254
		case $machine in ${1%%: *}) why=${1#*: } ;; *) return 1 ;; esac ;;
	*) why=$1 ;;
	esac
}

# row NAME FILE OPTIONS ARGS REASON
row() {
	name=$1 file= opts=$3 args=$4
	# shellcheck disable=SC2254
	case $name in $only) ;; *) return ;; esac
	for f in "$dir/$2.flat" "$dir/$2.elf" "$dir/$2"; do
		[ -f "$f" ] && file=$f && break
	done
	[ -n "$file" ] || return
	echo "$2" >> "$out/seen"
	if left_out "$5"; then
		if [ -n "$bare_only" ]; then
			echo "| $name | left out: $why |"
		else
			echo "| $name | left out: $why | | |"
		fi
		return
	fi
	cpus=$(option cpus 1) mem=$(option mem 128) timeout=$(option timeout 30)
	nested=$(option nested off)
	keys=mem=${mem}M,cpus=$cpus,nested=$nested
	# Some twenty times slower.
	case $machine in bochs*) timeout=$((timeout * 8)) ;; esac
	echo "$machine: $name" >&2
	work=$out/$machine/work
	rm -rf "$work"
	mkdir -p "$work"
	rm -f "$out/$machine/$name.worse"
	run_bare
	[ -n "$bare_only" ] || run_nested
	compare
}

# The table without comments, each field without the blanks around it.
lines() {
	sed 's/#.*//; /^[[:blank:]]*$/d; s/[[:blank:]]*|[[:blank:]]*/|/g; s/^[[:blank:]]*//;
		s/[[:blank:]]*$//' "$table"
}

rows() {
	lines | grep -v '^@'
}

# Why these kernels do not run on the bare machine, or nothing.
bare_refused() {
	lines | sed -n 's/^@bare|//p' | while IFS='|' read -r glob reason; do
		# shellcheck disable=SC2254
		case $machine in $glob) echo "$reason" ;; esac
	done
}

for machine in "$@"; do
	mkdir -p "$out/$machine"
	: > "$out/seen"
	: > "$out/$machine/verdicts"
	no_bare=$(bare_refused)
	[ -z "$no_bare" ] || [ -z "$bare_only" ] || continue
	echo "### $machine"
	[ -z "$no_bare" ] || printf '\nNot on the bare emulator: %s\n' "$no_bare"
	echo
	if [ -n "$bare_only" ]; then
		printf '| kernel | bare: passed / failed / skipped, end |\n|---|---|\n'
	else
		echo "| kernel | bare: passed / failed / skipped, end | on nestbed | verdict |"
		echo "|---|---|---|---|"
	fi
	rows | while IFS='|' read -r a b c d e; do
		row "$a" "${b:-$a}" "$c" "$d" "$e" < /dev/null
	done
	# Kernels that the table does not name run as they are.
	for f in "$dir"/*.flat "$dir"/*.elf; do
		base=${f##*/} base=${base%.*}
		[ -f "$f" ] && ! grep -qx -- "$base" "$out/seen" || continue
		rows | cut -d'|' -f2 | grep -qx -- "$base" && continue
		row "$base" "$base" '' '' ''
	done
	echo
	[ -n "$bare_only" ] || echo "$(grep -c same "$out/$machine/verdicts") the same," \
		"$(grep -c better "$out/$machine/verdicts") better," \
		"$(grep -c worse "$out/$machine/verdicts") worse," \
		"$(grep -c 'no bare' "$out/$machine/verdicts") not compared."
	echo
done
