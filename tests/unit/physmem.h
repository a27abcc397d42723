/* SPDX-License-Identifier: MIT */
/*
 * A physical memory for parsers of firmware's structures: one block of the
 * heap, so that the sanitizer sees every byte read outside.
 */
#ifndef TESTS_UNIT_PHYSMEM_H
#define TESTS_UNIT_PHYSMEM_H

#include <stdlib.h>
#include <string.h>

#include "core/lib/physview.h"

struct physmem {
	u64 base;
	u64 size;
	u8 *mem;
	struct phys_view view;
};

static const void *physmem_map(void *ctx, u64 pa, u64 len)
{
	const struct physmem *m = ctx;

	if (pa < m->base || pa - m->base > m->size || len > m->size - (pa - m->base))
		return NULL;
	return m->mem + (pa - m->base);
}

static inline void physmem_init(struct physmem *m, u64 base, u64 size)
{
	m->base = base;
	m->size = size;
	m->mem = calloc(1, size);
	m->view.map = physmem_map;
	m->view.ctx = m;
}

static inline void physmem_free(struct physmem *m)
{
	free(m->mem);
	m->mem = NULL;
}

static inline void physmem_put(struct physmem *m, u64 pa, const void *data, u64 len)
{
	memcpy(m->mem + (pa - m->base), data, len);
}

/* Little-endian value of n bytes. */
static inline void physmem_put_le(struct physmem *m, u64 pa, unsigned int n, u64 value)
{
	for (; n--; value >>= 8)
		m->mem[pa++ - m->base] = (u8)value;
}

#endif
