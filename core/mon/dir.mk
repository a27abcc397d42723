# SPDX-License-Identifier: MIT
pure-y += core/mon/line.o
pure-y += core/mon/log.o
pure-y += core/mon/console.o
pure-y += core/mon/screen.o
pure-y += core/mon/font8x16.o
obj-y += core/mon/uart_hw.o
pure-y += core/mon/lineedit.o core/mon/montree.o
pure-y += core/mon/shell.o core/mon/shell_fs.o core/mon/shell_guest.o core/mon/monitor.o
pure-y += core/mon/guest_input.o core/mon/blob.o
