/* SPDX-License-Identifier: MIT */
/* Memory of a statsfs under test: counted, and can be made to run out. */
#ifndef TESTS_UNIT_STATS_MEM_H
#define TESTS_UNIT_STATS_MEM_H

#include <stdlib.h>

#include "stats/statsfs.h"

struct stats_mem {
	long live;		/* blocks */
	long left;		/* allocations until failure; < 0: never */
};

static void *stats_mem_alloc(void *ctx, size_t size)
{
	struct stats_mem *m = ctx;

	if (!m->left)
		return NULL;
	m->left -= m->left > 0;
	m->live++;
	return malloc(size);
}

static void stats_mem_free(void *ctx, void *p, size_t size)
{
	struct stats_mem *m = ctx;

	(void)size;
	m->live--;
	free(p);
}

static inline struct stats_fs_mem stats_mem_ops(struct stats_mem *m)
{
	*m = (struct stats_mem){ .left = -1 };
	return (struct stats_fs_mem){ stats_mem_alloc, stats_mem_free, m };
}

#endif
