# SPDX-License-Identifier: MIT
pure-y += core/mm/memmap.o
