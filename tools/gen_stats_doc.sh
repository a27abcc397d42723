#!/bin/sh
# SPDX-License-Identifier: MIT
# The list of counters in docs/stats.md, out of the code that declares them.
# usage: gen_stats_doc.sh [--check]
#
# Writes it between the two markers; with --check changes nothing and fails when
# the list there is not the current one.
set -eu
cd "$(dirname "$0")/.."
doc=docs/stats.md
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# One declaration a line: "MACRO(arguments)", from wherever it starts to its end.
export LC_ALL=C
{
	find core svm vmx stats tests -path tests/unit -prune -o -name '*.c' -print
	echo core/vm/vcpu_stats.def
	echo core/vm/exit_reasons.def
} | sort | xargs awk '
	FNR == 1 { text = ""; reasons = FILENAME ~ /exit_reasons\.def$/ }
	reasons && /^X\(/ {
		split($0, w, "[(), \t]+")
		note = toupper(w[3])
		gsub(/_/, " ", note)
		if (match($0, /\/\*.*\*\//))
			note = substr($0, RSTART + 3, RLENGTH - 6)
		print "REASON(\"" w[3] "\", \"" note "\")"
	}
	/^STAT_(COUNTER|PEAK|LOG2)\(/ { text = " " }
	/^\t(MM|CPU|VM|OWN|MSR)_VALUE\(/ { text = " " }
	/^VCPU_(EXIT|STAT|INJECTED|NPF)\(/ { text = " " }
	text != "" {
		line = $0
		sub(/^[ \t]+/, "", line)
		text = text " " line
		if (line ~ /\)[,;]?$/) {
			sub(/^ +/, "", text)
			print text
			text = ""
		}
	}' > "$tmp/declared"

awk '
	# The n-th quoted string of the declaration.
	function str(n,   q) { split($0, q, "\""); return q[2 * n] }
	function strings(   q) { return int((split($0, q, "\"") - 1) / 2) }
	function row(path, kind, unit, help) {
		printf "| `%s` | %s | %s | %s |\n", path, kind, unit, help
	}
	function first_word(   w) { split($0, w, /[(,]/); return w[2] }
	/^STAT_COUNTER/ { row(str(1) "/" str(2), "counter", str(3), str(4)) }
	/^STAT_PEAK/ { row(str(1) "/" str(2), "peak", str(3), str(4)) }
	/^STAT_LOG2/ { row(str(1) "/" str(2), "histogram", str(3), str(4)) }
	/^MM_VALUE/ { row("/mm/" str(1), kind(), str(2), str(3)) }
	/^CPU_VALUE/ { row("/cpuN/" str(1), kind(), str(2), str(3)) }
	/^VM_VALUE/ { row("/kvm/vmN/" str(1), kind(), str(2), str(3)) }
	/^MSR_VALUE/ {
		row("/kvm/vmN/" str(1), "counter", "count", str(2))
		row("/kvm/vmN/msr/NUMBER/" str(1), "counter", "count", "of one number, or `other`")
	}
	/^OWN_VALUE/ { row(V str(1), /_hist/ ? "histogram" : "counter", str(2), str(3)) }
	/^VCPU_EXIT/ { row(V first_word(), "counter", "count", str(1)) }
	/^VCPU_STAT/ { row(V first_word(), "counter", str(1), str(2)) }
	/^VCPU_INJECTED/ { row(V first_word(), "counter", "count", str(1)) }
	/^VCPU_NPF/ { row(V "npf/" first_word(), "counter", "count", str(1)) }
	/^REASON/ { row(V "exits/" str(1), "counter", "count", str(2)) }
	function kind() { return /FLOATING/ ? "level" : "counter" }
	BEGIN { V = "/kvm/vmN/vcpuM/" }
' "$tmp/declared" | sort > "$tmp/rows"

[ "$(wc -l < "$tmp/rows")" -gt 50 ] || { echo "hardly any counter found in the code" >&2; exit 1; }
{
	echo "| path | kind | unit | what is counted |"
	echo "|---|---|---|---|"
	cat "$tmp/rows"
} > "$tmp/list"
awk -v list="$tmp/list" '
	/<!-- end of the list -->/ { skip = 0 }
	!skip
	/<!-- list of counters: tools\/gen_stats_doc.sh -->/ {
		print ""
		while ((getline line < list) > 0)
			print line
		print ""
		skip = 1
	}
' "$doc" > "$tmp/doc"
if [ "${1:-}" = --check ]; then
	cmp -s "$doc" "$tmp/doc" && exit 0
	echo "$doc: the list of counters is not current: sh tools/gen_stats_doc.sh" >&2
	exit 1
fi
cmp -s "$doc" "$tmp/doc" || cp "$tmp/doc" "$doc"
