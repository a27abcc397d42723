#!/bin/sh
# SPDX-License-Identifier: MIT
# What a loader and W^X rely on, read back from the linked image.
# usage: check_image.sh ELF64 ELF32
set -eu
elf64=$1 elf32=$2
fail() { echo "check_image: $1" >&2; exit 1; }

if readelf -lW "$elf64" | awk '$1 == "LOAD" && / RWE /{bad=1} END{exit !bad}'; then
	fail "a segment is writable and executable"
fi
[ "$(readelf -lW "$elf64" | grep -c LOAD)" -eq 3 ] || fail "expected the segments rx, ro, rw"
readelf -hW "$elf32" | grep -q 'Class: *ELF32' || fail "$elf32 is no 32-bit ELF"
size=$(wc -c < "$elf32")
[ "$size" -le 2097152 ] || fail "$elf32 has $size bytes, the limit is 2 MiB"
# Multiboot 1 magic within the first 8 KiB of the file.
od -An -tx4 -v -w4 -N8192 "$elf32" | grep -q 1badb002 ||
	fail "no multiboot header in the first 8 KiB"
