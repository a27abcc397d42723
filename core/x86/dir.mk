# SPDX-License-Identifier: MIT
obj-y += core/x86/trap.o core/x86/percpu.o core/x86/panic.o
