#!/bin/sh
# SPDX-License-Identifier: MIT
# make bench: what exits cost on each emulated machine.
# usage: bench.sh OUTDIR
#
# Prints a table per machine and writes OUTDIR/bench.json.  On qemu-svm-icount
# and on Bochs the figures are instructions and repeat exactly; on qemu-svm they
# are cycles of the emulating host, which vary.  Instructions are compared with
# tools/bench.tab: over a limit, or slower than Linux KVM, is a failure, and so
# is a limit without its figure.
set -u
here=$(cd "$(dirname "$0")" && pwd)
O=$1
D=$O/bench
rm -rf "$D"
mkdir -p "$D"
bad=0

# bench NAME ARGUMENTS...: runs the bench, keeps its lines in D/NAME.txt
bench() {
	name=$1
	shift
	if ! "$O/nestbed" run --quiet --out "$D/$name" "$@" > "$D/$name.log" 2>&1; then
		echo "$name: the bench did not pass; see $D/$name.log" >&2
		bad=1
	fi
	find "$D/$name" -name serial.log -exec cat {} + 2>/dev/null | tr -d '\r' |
		sed -n 's/^@nestbed bench //p' > "$D/$name.txt"
}

bench qemu-svm-icount --on qemu-svm --cpus 3 --icount --append "mode=bench profile=icount" &
bench bochs-svm --on bochs-svm --append "mode=bench" &
wait
bench bochs-vmx --on bochs-vmx --append "mode=bench" &
bench qemu-svm --on qemu-svm --cpus 3 --append "mode=bench" &
wait
# With two CPUs Bochs' clock steps by its quantum: only IPIs come from there.
bench bochs-svm-smp --on bochs-svm --cpus 2 --append "mode=bench tests=bench.ipi,bench.l1_ipi" &
bench bochs-vmx-smp --on bochs-vmx --cpus 2 --append "mode=bench tests=bench.ipi,bench.l1_ipi" &
wait
for m in bochs-svm bochs-vmx; do
	cat "$D/$m-smp.txt" >> "$D/$m.txt"
done

# Exit code 1: something is over its limit or slower than KVM.
table() {
	[ -s "$D/$1.txt" ] || return 0
	awk -v machine="$1" '
	FNR == NR {
		if ($1 == "#" && $2 == "name") {
			for (i = 4; i <= NF; i++)
				if ($i == machine)
					column = i - 1
		} else if ($1 !~ /^#/ && NF && column && $column != "-") {
			if ($2 ~ /^to:/) {
				other[$1] = substr($2, 4)
				times[$1] = $column
			} else {
				wanted[$1, $2] = $column
			}
			if ($2 != "kvm")
				must[$1] = 1
		}
		next
	}
	{
		for (i = 2; i <= NF; i++) { split($i, kv, "="); v[kv[1]] = kv[2] }
		n++; name[n] = $1; min[n] = v["min"]; med[n] = v["median"]; max[n] = v["max"]
		unit[n] = v["unit"]; median[$1] = v["median"]
		if ($1 == "world_switch") bare = v["median"]
	}
	function judge(i,    text, kvm) {
		if (((name[i], "kvm") in wanted)) {
			kvm = wanted[name[i], "kvm"]
			text = sprintf("%10d %6.2f", kvm, med[i] / kvm)
			if (med[i] > kvm) { text = text "  SLOWER"; bad = 1 }
		}
		if (((name[i], "limit") in wanted) && med[i] > wanted[name[i], "limit"]) {
			text = text "  OVER " wanted[name[i], "limit"]
			bad = 1
		}
		if (name[i] in other && med[i] > times[name[i]] * median[other[name[i]]]) {
			text = text "  OVER " times[name[i]] " OF " other[name[i]]
			bad = 1
		}
		return text
	}
	END {
		printf "\n%s\n  %-19s %10s %10s %10s  %-12s %14s %10s %6s\n", machine, "",
			"min", "median", "max", "unit", "to a bare exit", "KVM", "of it"
		for (i = 1; i <= n; i++) {
			counted = unit[i] ~ /^(instructions|cycles)$/
			ratio = bare && counted ? sprintf("%.1f", med[i] / bare) : ""
			line = sprintf("  %-19s %10d %10d %10d  %-12s %14s %s", name[i], min[i],
				med[i], max[i], unit[i], ratio, judge(i))
			sub(/ +$/, "", line)
			print line
		}
		for (m in must)
			if (!(m in median)) {
				printf "  %-19s MISSING\n", m
				bad = 1
			}
		exit bad
	}' "$here/bench.tab" "$D/$1.txt"
}

json() {
	echo "{"
	sep=
	for m in qemu-svm-icount qemu-svm bochs-svm bochs-vmx; do
		[ -s "$D/$m.txt" ] || continue
		printf '%s  "%s": {\n' "$sep" "$m"
		awk '{
			for (i = 2; i <= NF; i++) { split($i, kv, "="); v[kv[1]] = kv[2] }
			printf "%s    \"%s\": {\"min\": %s, \"median\": %s, \"max\": %s, ",
				s, $1, v["min"], v["median"], v["max"]
			printf "\"unit\": \"%s\"}", v["unit"]
			s = ",\n"
		} END { print "" }' "$D/$m.txt"
		printf '  }'
		sep=",
"
	done
	printf '\n}\n'
}

for m in qemu-svm-icount bochs-svm bochs-vmx qemu-svm; do
	table $m || bad=1
done
json > "$O/bench.json"
echo
echo "written: $O/bench.json"
exit $bad
