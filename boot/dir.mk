# SPDX-License-Identifier: MIT
obj-y += boot/header.o boot/start.o boot/traps.o boot/main.o
pure-y += boot/bootinfo.o
