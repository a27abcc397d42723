# SPDX-License-Identifier: MIT
pure-y += core/load/load.o core/load/load_elf.o core/load/load_mb1.o
