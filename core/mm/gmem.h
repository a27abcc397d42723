/* SPDX-License-Identifier: MIT */
/*
 * Guest physical memory: up to 16 slots, sorted by guest address, disjoint.
 * A slot is RAM or ROM behind a host pointer, or a hole that devices answer.
 * Readers need no lock; slots change only while no vCPU of the guest runs.
 */
#ifndef CORE_MM_GMEM_H
#define CORE_MM_GMEM_H

#include "core/lib/base.h"

#define GMEM_MAX_SLOTS	16
/* Physical addresses have at most 52 bits (APM2 1.1.3). */
#define GMEM_GPA_LIMIT	(1ULL << 52)

#define GMEM_RO		0x1u	/* guest (and gmem_write) may not write */
#define GMEM_MMIO	0x2u	/* no memory: accesses go to devices */
#define GMEM_ALIAS	0x4u	/* its bytes belong to another slot */

struct gmem_slot {
	u64 gpa;
	u64 size;
	u64 mem_size;		/* size, or 0 for GMEM_MMIO: see gmem_ptr */
	u8 *host;		/* where the CPU reaches it */
	u64 pa;			/* what nested page tables hold */
	u32 flags;
};

struct gmem {
	struct gmem_slot slot[GMEM_MAX_SLOTS];
	u32 n;
	u32 last;		/* a hint that readers update without a lock */
};

/* What backs one guest page: for nested page faults. */
struct gmem_backing {
	u64 gpa;		/* start of the largest page, size aligned */
	u64 pa;			/* host physical address of that start */
	u64 size;		/* 4K, 2M or 1G */
	u32 flags;		/* of the slot */
};

void gmem_init(struct gmem *g);

/*
 * Adds a slot.  gpa, size and pa are multiples of 4K, size > 0, the end at
 * most 2^52; host and pa are ignored for GMEM_MMIO.  Returns 0, -EINVAL for
 * a bad value, -EEXIST for an overlap, -ENOSPC when all slots are used.
 */
int __must_check gmem_add(struct gmem *g, u64 gpa, u64 size, void *host, u64 pa,
			  u32 flags);

/* Removes the slot that starts at gpa.  Returns 0 or -ENOENT. */
int gmem_remove(struct gmem *g, u64 gpa);

/* The slot that holds gpa, of any kind, or NULL. */
const struct gmem_slot *gmem_slot(const struct gmem *g, u64 gpa);

/* The slow half of gmem_ptr: searches all slots, remembers the hit. */
void *gmem_ptr_slow(const struct gmem *g, u64 gpa, u64 len);

/*
 * Host pointer to len bytes at gpa, or NULL unless all of them are memory of
 * one slot.  The pointer of a GMEM_RO slot must not be written for the guest.
 */
static inline void *gmem_ptr(const struct gmem *g, u64 gpa, u64 len)
{
	const struct gmem_slot *s = &g->slot[READ_ONCE(g->last)];
	u64 off = gpa - s->gpa;

	if (likely(off < s->mem_size && len <= s->mem_size - off))
		return s->host + off;
	return gmem_ptr_slow(g, gpa, len);
}

/* The same for memory that the guest can write. */
void *gmem_ptr_rw_slow(const struct gmem *g, u64 gpa, u64 len);

static inline void *gmem_ptr_rw(const struct gmem *g, u64 gpa, u64 len)
{
	const struct gmem_slot *s = &g->slot[READ_ONCE(g->last)];
	u64 off = gpa - s->gpa;

	if (likely(off < s->mem_size && len <= s->mem_size - off && !(s->flags & GMEM_RO)))
		return s->host + off;
	return gmem_ptr_rw_slow(g, gpa, len);
}

/*
 * Copy from or to guest memory, across slots.  Returns 0, or -EFAULT when any
 * byte is not memory (or, for writing, read-only): then nothing was copied.
 */
int __must_check gmem_read(const struct gmem *g, u64 gpa, void *buf, u64 len);
int __must_check gmem_write(const struct gmem *g, u64 gpa, const void *buf,
			    u64 len);
int __must_check gmem_zero(const struct gmem *g, u64 gpa, u64 len);

/*
 * What backs gpa, with the largest page of at most max_page bytes (4K, 2M,
 * 1G) that lies inside the slot and is aligned in guest and host.  Returns 0,
 * -ENOENT outside all slots, -ENXIO for GMEM_MMIO, -EINVAL for max_page.
 */
int __must_check gmem_backing(const struct gmem *g, u64 gpa, u64 max_page,
			      struct gmem_backing *out);

/* Bytes of memory in all slots. */
u64 gmem_bytes(const struct gmem *g);

#endif
