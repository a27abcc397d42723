#!/bin/sh
# SPDX-License-Identifier: MIT
# Rules about the tree that a compiler does not check; run from its root.
# Prints "ok" or "not ok" for each and, as "# ..." lines, what breaks it.  The
# last line is "layers: N passed, N failed, 0 skipped".
#
#   CC=gcc		compiles the headers

CC=${CC:-gcc}
passed=0
failed=0
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# rule NAME: what was written to $tmp/bad breaks it.
rule() {
	if [ -s "$tmp/bad" ]; then
		failed=$((failed + 1))
		echo "not ok $((passed + failed)) - $1"
		sed 's/^/# /' "$tmp/bad"
	else
		passed=$((passed + 1))
		echo "ok $((passed + failed)) - $1"
	fi
	: > "$tmp/bad"
}
: > "$tmp/bad"

product=
for dir in boot core svm vmx sev stats; do
	[ -d $dir ] && product="$product $dir"
done
find $product tests tools docs -type f | sort > "$tmp/all"
grep -E '\.(c|h|S|def)$' "$tmp/all" > "$tmp/code"
grep -E '^(boot|core|svm|vmx|sev|stats)/' "$tmp/code" > "$tmp/product"

# Lists of the build, as make sees them: "pure core/lib/string.o".
cat > "$tmp/lists.mk" << 'END'
include $(shell find * -path build -prune -o -name dir.mk -print)
nb-lists:
	@printf 'obj %s\n' $(obj-y)
	@printf 'pure %s\n' $(pure-y)
	@printf 'unit %s\n' $(unit-y)
	@printf 'fuzz %s\n' $(fuzz-y)
END
make -s --no-print-directory -f "$tmp/lists.mk" O="$tmp" nb-lists > "$tmp/lists" 2>> "$tmp/bad"
for v in obj pure unit fuzz; do
	grep -q "^$v ." "$tmp/lists" || echo "no $v-y" >> "$tmp/bad"
done
rule "the lists of dir.mk can be read"

# Who may include whom.
cat > "$tmp/allowed" << 'END'
boot		boot core
core/lib	core/lib
core/x86	core/x86 core/lib
core/mm		core/mm core/x86 core/lib
core/dev	core/dev core/mm core/lib stats
core/load	core/load core/mm core/lib
core/mon	core/mon core/lib
core/vm		core/vm core/dev core/mm core/x86 core/lib stats
svm		svm core stats
vmx		vmx core stats
sev		sev core stats svm/vmcb.h
stats		stats core/lib
END

# "FILE INCLUDED" for each #include "..." of all code.
xargs awk '
	/^[ \t]*#[ \t]*include[ \t]*"/ { split($0, q, "\""); print FILENAME, q[2] }
' < "$tmp/code" > "$tmp/includes"

awk -v allowed="$tmp/allowed" '
	BEGIN {
		while ((getline line < allowed) > 0) {
			n = split(line, w)
			for (i = 2; i <= n; i++)
				ok[w[1], i - 1] = w[i]
			count[w[1]] = n - 1
		}
	}
	function layer(path,   p, n) {
		n = split(path, p, "/")
		return p[1] == "core" && n > 2 ? p[1] "/" p[2] : p[1]
	}
	/^(tests|tools)\// { next }
	# Made by the build, below no folder.
	$2 == "build_id.h" || $2 == "asm_offsets.h" || $2 == "dsdt.h" { next }
	# Never linked: only tells the offsets of structures.
	$1 == "core/x86/asm_offsets.c" { next }
	{
		from = layer($1)
		for (i = 1; i <= count[from]; i++) {
			a = ok[from, i]
			if ($2 == a || index($2, a "/") == 1)
				next
		}
		print $1 " includes " $2
	}
' "$tmp/includes" > "$tmp/bad"
rule "each folder includes only what its layer may"

# Pure code reaches no header that touches the machine.
cat > "$tmp/impure" << 'END'
core/x86/insn.h
core/x86/percpu.h
core/mon/uart_hw.h
svm/insn.h
vmx/insn.h
END
sed -n 's/^pure \(.*\)\.o$/\1.c/p' "$tmp/lists" > "$tmp/pure"
awk -v impure="$tmp/impure" -v includes="$tmp/includes" '
	BEGIN {
		while ((getline line < impure) > 0)
			bad[line] = 1
		while ((getline line < includes) > 0) {
			split(line, w)
			inc[w[1], ++n[w[1]]] = w[2]
		}
	}
	function walk(file, trail,   i, next_file) {
		for (i = 1; i <= n[file]; i++) {
			next_file = inc[file, i]
			if (next_file in seen)
				continue
			seen[next_file] = 1
			if (next_file in bad)
				print trail " -> " next_file
			walk(next_file, trail " -> " next_file)
		}
	}
	{ split("", seen); walk($1, $1) }
' "$tmp/pure" > "$tmp/bad"
rule "pure files reach no header of the hardware"

# svm and vmx hold the same file names; vmcb and vmcs, npt and ept correspond.
for side in svm vmx; do
	find $side -type f -name '*.[chS]' | sort | while read -r f; do
		other=$(echo "$f" | awk '
			BEGIN {
				split("svm vmx vmcb vmcs npt ept", w, " ")
				for (i = 1; i < 7; i += 2) {
					to[w[i]] = w[i + 1]
					to[w[i + 1]] = w[i]
				}
			}
			{
				s = $0
				while (match(s, /[a-z0-9]+/)) {
					t = substr(s, RSTART, RLENGTH)
					out = out substr(s, 1, RSTART - 1) (t in to ? to[t] : t)
					s = substr(s, RSTART + RLENGTH)
				}
				print out s
			}')
		[ -f "$other" ] && continue
		# The first comment that is not the licence.
		awk '
			/SPDX-License-Identifier/ { next }
			/\/\*/ { on = 1 }
			on && /[Oo]nly on/ { found = 1 }
			on && /\*\// { exit }
			END { exit !found }
		' "$f" ||
			echo "$f: no $other, and its first comment does not say \"only on\""
	done
done > "$tmp/bad"
rule "svm and vmx mirror each other, or say why not"

# test_NAME.c or test_FOLDER_NAME.c; always the latter where names repeat.
while read -r f; do
	dir=$(basename "$(dirname "$f")")
	t=tests/unit/test_${dir}_$(basename "$f")
	case $dir in
	svm | vmx) ;;
	*) [ -f "$t" ] || t=tests/unit/test_$(basename "$f") ;;
	esac
	grep -qx "unit $t" "$tmp/lists" || echo "$f: $t is not in unit-y"
done < "$tmp/pure" > "$tmp/bad"
rule "each pure file has a unit test"

# A source that nothing builds is dead, or was forgotten.
{
	grep -E '\.(c|S)$' "$tmp/product" | while read -r f; do
		n=$(grep -cxE "(obj|pure) ${f%.*}\.o" "$tmp/lists")
		[ "$f" = core/x86/asm_offsets.c ] && continue
		[ "$n" -eq 1 ] || echo "$f: listed $n times in obj-y and pure-y"
	done
	grep -E '^tests/(unit/test|fuzz/fuzz)_.*\.c$' "$tmp/code" | while read -r f; do
		n=$(grep -cxE "(unit|fuzz) $f" "$tmp/lists")
		[ "$n" -eq 1 ] || echo "$f: listed $n times in unit-y and fuzz-y"
	done
} > "$tmp/bad"
rule "each source is built once"

# A name that no function has is no error of the linker.
sed -n 's/^HOT(\(.*\))$/\1/p' boot/hot.ld | while read -r f; do
	xargs grep -qE "^$f:|^[a-z].*[ *]$f\\(" < "$tmp/code" ||
		echo "boot/hot.ld: no function $f"
done > "$tmp/bad"
sed -n 's/^HOT_R[OW](\(.*\))$/\1/p' boot/hot.ld | while read -r v; do
	xargs grep -qE "^[a-z}].*[ *]$v(\[.*|\\)\(.*)?( =|;)|^STAT_COUNTER\\($v," \
		< "$tmp/code" || echo "boot/hot.ld: no variable $v"
done >> "$tmp/bad"
rule "each function and variable of boot/hot.ld is there"

grep -E '^((boot|core|svm|vmx|sev|stats)/.*|tests/[^/]*|tests/unit/.*)\.h$' "$tmp/code" |
	while read -r f; do
	$CC -std=gnu11 -ffreestanding -fsyntax-only -Wall -Wextra -Wno-unused -Werror \
		-Wno-unused-parameter -I. -x c "$f" > "$tmp/cc" 2>&1 || {
		echo "$f does not compile alone:"
		head -n 5 "$tmp/cc"
	}
done > "$tmp/bad"
rule "each header compiles alone"

grep -E '\.(c|h|S|def|sh|mk|py|ld|cfg)$' "$tmp/all" | while read -r f; do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f"
done > "$tmp/bad"
for f in Makefile linker.ld; do
	[ -f $f ] && ! head -n 3 $f | grep -q 'SPDX-License-Identifier: MIT' && echo $f
done >> "$tmp/bad"
rule "each file names its licence"

grep -E '\.(c|h|S|def|sh)$' "$tmp/all" | while read -r f; do
	expand -t 8 "$f" | awk -v f="$f" '
		length($0) > 100 { print f ":" NR ": " length($0) " columns" }
	'
done > "$tmp/bad"
rule "no line has more than 100 columns"

grep -E '\.(c|h|S|def|sh|mk)$' "$tmp/all" |
	xargs grep -nE '[ 	]$' | sed 's/^\([^:]*:[0-9]*\):.*/\1/' > "$tmp/bad"
rule "no line ends with a blank"

echo "layers: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
