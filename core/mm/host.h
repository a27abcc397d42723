/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own memory: the one page allocator and the one host page
 * table of the running image.  Virtual equals physical.  Image only.
 */
#ifndef CORE_MM_HOST_H
#define CORE_MM_HOST_H

#include "core/mm/hostmap.h"
#include "core/mm/page_alloc.h"

struct x86_env;
struct cpu_caps;

extern struct page_alloc host_pages;
extern struct memmap host_map;

/*
 * Takes over the memory of host_map (image and modules already reserved),
 * builds the W^X host page table and loads it.  Panics when memory does not
 * suffice: nothing can run then.
 */
void host_mem_init(const struct cpu_caps *caps);
/* CR0.WP, CR4, EFER.NXE, PAT and CR3 of a CPU that joins. */
void host_mem_enable_cpu(void);

/* count zeroed pages in a row, or NULL.  owner: PA_OWNER_CORE or a test's. */
void *host_alloc(u64 count, u16 owner);
void host_free(void *p, u64 count);
/* A stack of size bytes with an unmapped page below; its top, or 0. */
u64 host_alloc_stack(u32 size);
/* Device memory, uncached (or MT_WC ... MT_WB); its address, or 0. */
u64 host_map_device(u64 pa, u64 len, u32 memtype);
/* Environment of core/x86. */
void host_x86_env(struct x86_env *env);
/* CR3 of the host table. */
u64 host_cr3(void);

#endif
