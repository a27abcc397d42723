#!/bin/sh
# SPDX-License-Identifier: MIT
# Does the documentation speak of things that exist?  Run from anywhere.
# Prints "ok" or "not ok" for each rule and, as "# ..." lines, what breaks it.
# The last line is "docs: N passed, N failed, 0 skipped".
cd "$(dirname "$0")/.." || exit 1
passed=0
failed=0
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# rule NAME: what was written to $tmp/bad breaks it.
rule() {
	if [ -s "$tmp/bad" ]; then
		failed=$((failed + 1))
		echo "not ok $((passed + failed)) - $1"
		sort -u "$tmp/bad" | sed 's/^/# /'
	else
		passed=$((passed + 1))
		echo "ok $((passed + failed)) - $1"
	fi
	: > "$tmp/bad"
}
: > "$tmp/bad"
docs=$(ls README.md CONTRIBUTING.md docs/*.md)

sh tools/gen_defects_doc.sh --check 2> "$tmp/bad"
rule "the table of defects is current"

sh tools/gen_stats_doc.sh --check 2> "$tmp/bad"
rule "the list of counters is current"

# Code: "FILE TEXT" for each span in backticks and each line of a block.
for f in $docs; do
	awk -v f="$f" -v bad="$tmp/bad" '
		/^ *```/ { block = !block; next }
		block { print f " " $0; next }
		{
			n = split($0, part, "`")
			if (n && n % 2 == 0)
				print f ":" FNR ": a code span is broken over lines" > bad
			for (i = 2; i <= n; i += 2)
				print f " " part[i]
		}
	' "$f"
done > "$tmp/code"
rule "code spans end on their line"

# Links: the file, and the heading behind '#'.
for f in $docs; do
	grep -oE '\]\([^) ]+\)' "$f" | sed 's/^](//; s/)$//' | while read -r link; do
		case $link in http:* | https:*) continue ;; esac
		path=${link%%#*}
		[ -z "$path" ] && path=$f || path=$(dirname "$f")/$path
		if [ ! -e "$path" ]; then
			echo "$f: link to $link: no such file"
			continue
		fi
		case $link in *'#'*) ;; *) continue ;; esac
		sed -n 's/^##* //p' "$path" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-' |
			grep -qx -- "${link#*#}" || echo "$f: link to $link: no such heading"
	done
done > "$tmp/bad"
rule "links lead somewhere"

# Paths of the tree; capitals in a name (NAME, FOLDER) stand for anything.
sed -n 's/^\([^ ]*\) \(.*\)$/\1 \2/p' "$tmp/code" | awk '
	{
		f = $1
		for (i = 2; i <= NF; i++) {
			w = $i
			gsub(/^["(\x27]+|["),;:.\x27]+$/, "", w)
			sub(/^\.\//, "", w)
			if (w ~ /^(boot|core|svm|vmx|sev|stats|tests|tools|docs)\// &&
			    w ~ /^[a-z]+\/[A-Za-z0-9_.*\/-]+$/)
				print f, w
		}
	}' | sort -u > "$tmp/paths"
[ "$(wc -l < "$tmp/paths")" -gt 20 ] || echo "few paths found in the pages" > "$tmp/bad"
while read -r f w; do
	glob=$(echo "$w" | sed -E 's/[A-Z]{4,}/*/g')
	case $w in */test_foo*) continue ;; esac
	# shellcheck disable=SC2086
	ls -d $glob > /dev/null 2>&1 || echo "$f: $w: no such file"
done < "$tmp/paths" >> "$tmp/bad"
rule "paths exist"

cat Makefile tools/mk/*.mk > "$tmp/make"
awk '
	{
		line = $0
		while (match(line, /(^|[ `])make( +[A-Za-z_=0-9".-]+)+/)) {
			s = substr(line, RSTART, RLENGTH)
			line = substr(line, RSTART + RLENGTH)
			n = split(s, w, " ")
			for (i = 2; i <= n; i++)
				print $1, w[i]
		}
	}' "$tmp/code" | sort -u | while read -r f w; do
	case $w in
	make | -*) ;;
	*=*)	grep -qE "^${w%%=*} *\?=|\\\$\(${w%%=*}\)" "$tmp/make" ||
			echo "$f: make $w: no such variable" ;;
	*)	grep -qE "^\.PHONY:.* $w( |\$)" "$tmp/make" || echo "$f: make $w: no such goal" ;;
	esac
done > "$tmp/bad"
rule "goals and variables of make exist"

sed -n 's/^		*{ "\([a-z-]*\)", [a-z]*_argument.*/\1/p' \
	tools/nestbed/cmd_*.c | sort -u > "$tmp/options"
[ -s "$tmp/options" ] || echo "no options found in tools/nestbed" > "$tmp/bad"
grep -E '^[^ ]+ .*nestbed |^[^ ]+ --[a-z]+( [^-]*)?$' "$tmp/code" |
	grep -vE '^docs/serial\.md .*(gzip|sed)' | awk '
	{
		for (i = 2; i <= NF; i++)
			if ($i ~ /^--[a-z]/) {
				sub(/^--/, "", $i)
				sub(/[^a-z-].*$/, "", $i)
				print $1, $i
			}
	}' | sort -u | while read -r f o; do
	grep -qx -- "$o" "$tmp/options" || echo "$f: --$o: no such option of nestbed"
done >> "$tmp/bad"
rule "options of nestbed exist"

# Both ways: what a table of the README has and what the source has.
sed -n 's/^	{ "\([a-z_-]*\)",	*OPT_.*/\1/p' core/lib/cmdline.c | sort -u > "$tmp/have"
sed -n '/^## Kernel command line/,/^## On real/s/^| `\([a-z_-]*\)=.*/\1/p' README.md |
	sort -u > "$tmp/said"
[ -s "$tmp/have" ] || echo "no words found in core/lib/cmdline.c" > "$tmp/bad"
comm -3 "$tmp/have" "$tmp/said" >> "$tmp/bad"
rule "the words of the command lines are those of core/lib/cmdline.c"

sed -n 's/^	{ \.name = "\([a-z-]*\)",$/\1/p' tools/nestbed/machines.c | sort -u > "$tmp/have"
sed -n 's/^| `\(\(qemu\|bochs\)-[a-z]*\)` |.*/\1/p' README.md | sort -u > "$tmp/said"
[ -s "$tmp/have" ] || echo "no machines found in tools/nestbed/machines.c" > "$tmp/bad"
comm -3 "$tmp/have" "$tmp/said" >> "$tmp/bad"
rule "the machines are those of tools/nestbed/machines.c"

# Messages that a page quotes, with "..." for what varies.
cat boot/*.[cS] core/*/*.c svm/*.c vmx/*.c | tr '\n\t' '  ' | sed 's/" *"//g' > "$tmp/source"
sed -n '/^<!-- messages begin -->/,/^<!-- messages end -->/p' docs/*.md |
	sed -n 's/^| \(`[^|]*`\) | .*/\1/p' | tr '`' '\n' | grep -v '^ *$' |
	sed 's/\.\.\./\n/g' | grep -v '^$' > "$tmp/messages"
[ -s "$tmp/messages" ] || echo "no messages found in docs" > "$tmp/bad"
while read -r text; do
	grep -qF -- "$text" "$tmp/source" || echo "no source prints: $text"
done < "$tmp/messages" >> "$tmp/bad"
rule "quoted messages are printed by the source"

sed -n 's/.*{ svm\.quirks\.[a-z0-9_]*, "\([a-z0-9_]*\)" }.*/\1/p' svm/probe.c | sort > "$tmp/have"
sed -n '/^| quirk/,/^$/s/^| `\([a-z0-9_]*\)` .*/\1/p' docs/hardware.md | sort > "$tmp/said"
[ -s "$tmp/have" ] || echo "no quirks found in svm/probe.c" > "$tmp/bad"
comm -3 "$tmp/have" "$tmp/said" >> "$tmp/bad"
rule "the quirks are those of svm/probe.c"

# Both ways: "NAME KIND" of each row of the policy; the name of each CPUID constant.
awk -F'[(, ]+' '
	/^\tONE\(MSR_/ { sub(/^MSR_/, "", $2); print $2, $3 }
	/^\tSOME\(MSR_/ { sub(/^MSR_/, "", $2); print $2, $(/MTRR_VARIABLE/ ? 6 : 4) }
' core/vm/msr_policy.c | sort > "$tmp/have"
sed -n '/^| MSR |/,/^$/s/^| `\([A-Z0-9_]*\)` | \([A-Z_]*\) .*/\1 \2/p' docs/cpu-model.md |
	sort > "$tmp/said"
[ -s "$tmp/have" ] || echo "no rows found in core/vm/msr_policy.c" > "$tmp/bad"
comm -3 "$tmp/have" "$tmp/said" >> "$tmp/bad"
rule "the MSRs of docs/cpu-model.md are those of core/vm/msr_policy.c"

sed -n 's/^#define \(E[A-D]X[0-9A-Z_]*\)[ \t].*/\1/p' core/vm/cpuid_filter.c | sort > "$tmp/have"
grep -oE '`E[A-D]X[0-9A-Z_]+`' docs/cpu-model.md | tr -d '`' | sort > "$tmp/said"
[ -s "$tmp/have" ] || echo "no constants found in core/vm/cpuid_filter.c" > "$tmp/bad"
comm -3 "$tmp/have" "$tmp/said" >> "$tmp/bad"
rule "the CPUID bits of docs/cpu-model.md are those of core/vm/cpuid_filter.c"

# A block behind "<!-- file PATH -->" is that file.
cat $docs | sed -n 's/^<!-- file \(.*\) -->$/\1/p' | while read -r path; do
	cat $docs | awk -v want="<!-- file $path -->" '
		$0 == want { on = 1; next }
		on == 2 && /^```$/ { exit }
		on == 2 { print }
		on == 1 && /^```/ { on = 2 }
	' | cmp -s - "$path" || echo "$path is not what the page shows"
done > "$tmp/bad"
rule "files that a page shows are as in the tree"

for f in svm/* vmx/*; do
	case $f in */dir.mk) continue ;; esac
	side=${f%%/*} column=2
	[ $side = vmx ] && column=3
	# In its column of a table of both, or by its path.
	awk -F'|' -v name="\`${f##*/}\`" -v path="\`$f\`" -v c=$((column + 1)) '
		index($c, name) || index($0, path) { found = 1 }
		END { exit !found }
	' docs/vendors.md || echo "docs/vendors.md has no $f"
done > "$tmp/bad"
rule "each file of svm and vmx has its row in docs/vendors.md"

# Tests by id or pattern.
{
	grep -rhoE '\bTEST\([a-z0-9]+, *[a-z0-9_]+' tests --include='*.c' |
		sed 's/^TEST(//; s/, */./'
	sed -nE 's/^guest(16|32|64)-y \+= //p' tests/guests/dir.mk | tr ' ' '\n' | sed 's/^/guest./'
	# Tests made by a macro of their own: "#define X ... TEST(svm, prefix_##name".
	grep -rhoE '^[A-Z_]+\([a-z0-9_]+,' tests/svm tests/vmx --include='*.c' |
		sed 's/.*(/any./; s/,//'
} | sort -u > "$tmp/ids"
tr ' ,=' '\n\n\n' < "$tmp/code" | tr -d "'\`" |
	grep -xE '(common|svm|vmx|guest|selftest)\.[a-z0-9_]*\*?' | sort -u | while read -r id; do
	re=$(echo "$id" | sed 's/\./\\./; s/\*/.*/')
	grep -qxE "$re|any\.${re#*.}" "$tmp/ids" || echo "no test is named $id"
done > "$tmp/bad"
rule "tests exist"

awk 'length($0) > 140 && !/^\|/ && !/^@nestbed/ {
	print FILENAME ":" FNR ": " length($0) " columns"
}' $docs > "$tmp/bad"
rule "no line of text has more than 140 columns"

echo "docs: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
