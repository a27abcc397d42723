# SPDX-License-Identifier: MIT
pure-y += core/mm/memmap.o core/mm/page_alloc.o core/mm/page_alloc_init.o
pure-y += core/mm/gmem.o core/mm/hostmap.o core/mm/pt.o core/mm/pt_walk.o \
	core/mm/ept_walk.o core/mm/shadow.o core/mm/shadow_cache.o
obj-y += core/mm/host.o
