#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes a bootable ISO: BIOS and UEFI, from CD or, written raw, from a USB stick.
#
#   sh tools/mkiso.sh ELF GRUBCFG OUT.iso [FILE[=NAME] ...]
#
# The image becomes /boot/nestbed.elf; each further FILE becomes /boot/NAME
# (default: its own name), where the menu file can name it as a module.
set -eu

if [ $# -lt 3 ]; then
	echo "usage: sh tools/mkiso.sh ELF GRUBCFG OUT.iso [FILE[=NAME] ...]" >&2
	exit 64
fi
elf=$1 cfg=$2 out=$3
shift 3

lib=${GRUB_LIB:-/usr/lib/grub}
missing=
command -v grub-mkrescue > /dev/null || missing="$missing grub-common"
command -v xorriso > /dev/null || missing="$missing xorriso"
command -v mformat > /dev/null || missing="$missing mtools"
[ -d "$lib/i386-pc" ] || missing="$missing grub-pc-bin"
[ -d "$lib/x86_64-efi" ] || missing="$missing grub-efi-amd64-bin"
if [ -n "$missing" ]; then
	echo "mkiso: to make an ISO install:$missing" >&2
	exit 1
fi
for f in "$elf" "$cfg"; do
	[ -r "$f" ] || { echo "mkiso: cannot read $f" >&2; exit 1; }
done

stage=$(mktemp -d "${TMPDIR:-/tmp}/nestbed-iso.XXXXXX")
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$stage/boot/grub"
cp "$elf" "$stage/boot/nestbed.elf"
cp "$cfg" "$stage/boot/grub/grub.cfg"
for f in "$@"; do
	path=$f
	name=${f##*/}
	case $name in *=*) path=${f%=*} name=${f##*=} ;; esac
	cp "$path" "$stage/boot/$name" || { echo "mkiso: cannot read $path" >&2; exit 1; }
done

# Only what the menu needs: the ISO stays small and GRUB starts quickly.
mods="normal configfile echo test true regexp multiboot multiboot2 serial terminal
	all_video gfxterm reboot halt minicmd search search_fs_file iso9660 fat part_gpt part_msdos
	relocator"
if ! grub-mkrescue -o "$out.new" --install-modules="$(echo $mods)" --locales= --fonts= \
	--themes= --compress=no "$stage" > "$stage.log" 2>&1; then
	cat "$stage.log" >&2
	rm -f "$stage.log" "$out.new"
	exit 1
fi
rm -f "$stage.log"
mv "$out.new" "$out"
