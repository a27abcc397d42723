#!/bin/sh
# SPDX-License-Identifier: MIT
# The table of emulators' defects in docs/hardware.md, out of tests/defects.def.
# usage: gen_defects_doc.sh [--check]
#
# Writes it between the two markers; with --check changes nothing and fails when
# the table there is not the current one.  CC: a compiler for the host.
set -eu
cd "$(dirname "$0")/.."
doc=docs/hardware.md
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat > "$tmp/gen.c" << 'END'
#include <stdio.h>
#include <string.h>

static const struct {
	const char *id, *platform, *reason, *evidence;
	int kills;
} defects[] = {
#define X(i, p, r, e) { i, p, r, e, 0 },
#define X_KILLS(i, p, r, e) { i, p, r, e, 1 },
#include "tests/defects.def"
	{ NULL, NULL, NULL, NULL, 0 },
};

/* Text in a table cell: no bars, and no emphasis. */
static void cell(const char *s)
{
	for (; *s; s++)
		printf(strchr("|*_<\\", *s) ? "\\%c" : "%c", *s);
}

static void row(int i)
{
	const char *colon = strchr(defects[i].id, ':');
	int n = colon ? (int)(colon - defects[i].id) : (int)strlen(defects[i].id);

	printf("| `%.*s` | ", n, defects[i].id);
	cell(colon ? colon + 1 : "(all)");
	printf(" | ");
	cell(defects[i].reason);
	printf("%s | ", defects[i].kills ? " (not run: it would end the emulator)" : "");
	cell(defects[i].evidence);
	printf(" |\n");
}

int main(void)
{
	static const char *const name[][2] = {
		{ "tcg", "QEMU 7.2, TCG (`platform=tcg`)" },
		{ "*tcg", "The same, also below a nestbed (`platform=nestbed_tcg`)" },
		{ "nestbed_tcg", "Only below a nestbed on QEMU 7.2 (`platform=nestbed_tcg`)" },
		{ "bochs", "Bochs 2.7 (`platform=bochs`)" },
	};
	int printed = 0, total = 0;

	for (int n = 0; n < 4; n++) {
		printf("\n**%s**\n\n| test | row | what it does otherwise | evidence |\n"
		       "|---|---|---|---|\n", name[n][1]);
		for (int i = 0; defects[i].id; i++)
			if (!strcmp(defects[i].platform, name[n][0])) {
				row(i);
				printed++;
			}
	}
	while (defects[total].id)
		total++;
	return printed != total;
}
END
if ! ${CC:-cc} -I. -o "$tmp/gen" "$tmp/gen.c" || ! "$tmp/gen" > "$tmp/table"; then
	echo "gen_defects_doc: tests/defects.def: a platform or a macro not known here" >&2
	exit 1
fi
awk -v table="$tmp/table" '
	/^<!-- defects end -->/ { on = 0; ends++; print "" }
	!on { print }
	/^<!-- defects begin -->/ {
		on = 1
		begins++
		while ((getline line < table) > 0)
			print line
	}
	END { exit !(begins == 1 && ends == 1) }
' "$doc" > "$tmp/doc" || { echo "gen_defects_doc: $doc has not the two markers" >&2; exit 1; }
cmp -s "$tmp/doc" "$doc" && exit 0
if [ "${1:-}" = --check ]; then
	echo "$doc: the table of defects is old; run sh tools/gen_defects_doc.sh" >&2
	exit 1
fi
cat "$tmp/doc" > "$doc"
