# SPDX-License-Identifier: MIT
obj-y += boot/header.o boot/start.o boot/traps.o boot/main.o boot/setup.o boot/announce.o
pure-y += boot/bootinfo.o
obj-y += boot/ap_trampoline.o
