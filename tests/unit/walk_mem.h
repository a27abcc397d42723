/* SPDX-License-Identifier: MIT */
/*
 * A small guest memory for tests of walkers.  Nothing behind its end can be
 * read, and every access must be aligned and of the size of an entry.
 */
#ifndef TESTS_UNIT_WALK_MEM_H
#define TESTS_UNIT_WALK_MEM_H

#include "tests/unit/unit.h"

#include "core/mm/pt_walk.h"

#define WALK_PAGES	16u
#define WALK_BYTES	(WALK_PAGES * 4096u)

struct walk_mem {
	u8 mem[WALK_BYTES] __aligned(8);
	unsigned int reads;
	/* The next so many cmpxchg find the entry changed. */
	unsigned int races;
};

static inline int walk_read(void *ctx, u64 gpa, void *buf, unsigned int len)
{
	struct walk_mem *m = ctx;

	assert_true(len == 4 || len == 8);
	assert_int_equal(gpa % len, 0);
	m->reads++;
	if (gpa >= WALK_BYTES)
		return -EFAULT;
	memcpy(buf, m->mem + gpa, len);
	return 0;
}

static inline int walk_cmpxchg(void *ctx, u64 gpa, u64 old, u64 new,
			       unsigned int len)
{
	struct walk_mem *m = ctx;
	u64 now = 0;

	assert_true(gpa < WALK_BYTES && gpa % len == 0);
	memcpy(&now, m->mem + gpa, len);
	if (m->races) {
		/* Another CPU has set a bit that no format defines. */
		m->races--;
		now ^= 1 << 9;
		memcpy(m->mem + gpa, &now, len);
	}
	if (now != old)
		return -EAGAIN;
	memcpy(m->mem + gpa, &new, len);
	return 0;
}

static inline struct pt_mem walk_access(struct walk_mem *m)
{
	return (struct pt_mem){ walk_read, walk_cmpxchg, m };
}

#endif
