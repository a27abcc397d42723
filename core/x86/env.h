/* SPDX-License-Identifier: MIT */
/*
 * What the machine half needs from the memory half, which lies above it:
 * boot fills this in.
 */
#ifndef CORE_X86_ENV_H
#define CORE_X86_ENV_H

#include "core/lib/base.h"

struct x86_env {
	/* Maps device memory uncached; the virtual address, or 0. */
	u64 (*map_mmio)(u64 pa, u64 len);
	/* Zeroed, page-aligned, contiguous, mapped read-write; NULL when out. */
	void *(*alloc_pages)(u32 count);
	/* A mapped stack with a guard page below; its top, or 0. */
	u64 (*alloc_stack)(u32 size);
	/*
	 * Physical address of a free RAM page below 1 MiB that was taken from
	 * the memory map for the AP trampoline, mapped 1:1 read-write; 0: none.
	 */
	u64 low_page;
};

#endif
