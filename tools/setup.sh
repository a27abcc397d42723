#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what a goal of the Makefile needs, on Debian and Ubuntu.
# usage: setup.sh run|check
# Says first what is missing and why; without apt it prints the list and fails.
set -eu
goal=${1:-run}

# package                what it is needed for
build="
gcc                      the compiler of the image and of the host tool
make                     the build
binutils                 the linker and objcopy
git                      the build id
grub-common              grub-mkrescue, which makes the ISO
grub-pc-bin              GRUB for BIOS
grub-efi-amd64-bin       GRUB for UEFI
xorriso                  the ISO image
acpica-tools             iasl, which compiles the guests' ACPI tables
mtools                   the EFI partition of the ISO
libcjson-dev             JSON reports
libncurses-dev           nestbed stats top, the live screen
libfuse3-dev             nestbed stats mount, the file system
fuse3                    mounting it without being root, unmounting it
pkg-config               where these two libraries are
libc6-dev                the host tool
gcc-multilib             32- and 16-bit payload guests
"
machines="
qemu-system-x86          the AMD-like machine
bochs                    the Intel-like machine
bochs-term               Bochs without a window
bochsbios                firmware of Bochs
vgabios                  VGA firmware of Bochs
ovmf                     UEFI firmware for QEMU
"
tests="
libcmocka-dev            unit tests
libzydis-dev             the decoder's oracle
libzycore-dev            the decoder's oracle
clang                    fuzz targets
libclang-rt-14-dev       sanitizers and libFuzzer for clang
libxml2-utils            xmllint, for the report's tests
libxml2-dev              the report's tests
socat                    sockets and terminals for the host tool's tests
tmux                     what nestbed stats top shows
"
list="$build$machines"
[ "$goal" = check ] && list="$list$tests"

# Another clang than Debian 12's brings its own runtime package.
have() {
	case $1 in
	libclang-rt-14-dev) ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a \
		/usr/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a >/dev/null 2>&1 ;;
	*) dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q '^install ok installed' ;;
	esac
}

if ! command -v dpkg-query >/dev/null 2>&1; then
	command -v qemu-system-x86_64 >/dev/null && command -v bochs >/dev/null &&
		command -v grub-mkrescue >/dev/null && exit 0
	echo "This machine has no apt. Install the equivalents of:" >&2
	echo "$list" | sed '/^$/d; s/^/  /' >&2
	exit 1
fi

missing=$(echo "$list" | while read -r pkg why; do
	[ -n "$pkg" ] || continue
	have "$pkg" || echo "$pkg $why"
done)
[ -n "$missing" ] || exit 0

echo "Missing packages:"
echo "$missing" | while read -r pkg why; do printf '  %-22s %s\n' "$pkg" "$why"; done
names=$(echo "$missing" | cut -d' ' -f1)
sudo=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || {
		echo "Not root and no sudo: install them and run make again." >&2
		exit 1
	}
	sudo=sudo
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "apt-get not found: install them and run make again." >&2
	exit 1
fi
echo "Installing them with apt-get."
# shellcheck disable=SC2086
{
	$sudo apt-get update -qq
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends $names >/dev/null
} || {
	echo "apt-get failed: install the packages above and run make again." >&2
	exit 1
}
