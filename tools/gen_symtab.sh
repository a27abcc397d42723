#!/bin/sh
# SPDX-License-Identifier: MIT
# nm -n output on standard input -> assembly of the symbol table that the
# panic backtrace reads: code symbols only, addresses below 4 GiB.
awk '
BEGIN {
	n = 0
	off = 0
	print "\t.section .symtab_nb, \"a\""
	print "\t.globl symtab_count, symtab, symtab_names"
	print "\t.balign 8\nsymtab:"
}
($2 == "t" || $2 == "T") && $3 !~ /^\./ {
	name[n] = $3
	print "\t.long 0x" substr($1, length($1) - 7) ", " off
	off += length($3) + 1
	n++
}
END {
	print "\t.balign 4\nsymtab_count:\n\t.long " n + 0
	print "symtab_names:"
	for (i = 0; i < n; i++)
		print "\t.asciz \"" name[i] "\""
	print "\t.byte 0"
}'
