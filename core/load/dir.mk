# SPDX-License-Identifier: MIT
pure-y += core/load/load.o core/load/load_plan.o core/load/load_info.o core/load/load_elf.o \
	core/load/load_mb1.o core/load/load_mb2.o core/load/load_linux.o
