/* SPDX-License-Identifier: MIT */
/* The machine's own statistics, and the memory in which statsfs lives. */
#include "core/vm/vcpu_stats.h"

#include "core/mm/host.h"
#include "core/x86/percpu.h"
#include "stats/stat.h"

/*
 * Blocks of 64 bytes to half a page from lists that only grow; larger ones are
 * pages.  statsfs calls with its lock held, so none is needed here.
 */
#define CLASSES		6
#define CLASS_SIZE(i)	(64u << (i))

struct free_block {
	struct free_block *next;
};

static struct free_block *free_list[CLASSES];
static struct stats_fs tree;

static u32 class_of(size_t size)
{
	u32 i = 0;

	while (i < CLASSES && CLASS_SIZE(i) < size)
		i++;
	return i;
}

static u64 pages_of(size_t size)
{
	return ALIGN_UP((u64)size, PAGE_SIZE) / PAGE_SIZE;
}

static void push(u32 class, void *p)
{
	struct free_block *b = p;

	b->next = free_list[class];
	free_list[class] = b;
}

static void *mem_alloc(void *ctx, size_t size)
{
	u32 class = class_of(size);
	struct free_block *b;
	u8 *page;

	if (class == CLASSES)
		return host_alloc(pages_of(size), PA_OWNER_CORE);
	if (!free_list[class]) {
		page = host_alloc(1, PA_OWNER_CORE);
		for (u32 off = 0; page && off < PAGE_SIZE; off += CLASS_SIZE(class))
			push(class, page + off);
	}
	b = free_list[class];
	if (b)
		free_list[class] = b->next;
	return b;
}

static void mem_free(void *ctx, void *p, size_t size)
{
	u32 class = class_of(size);

	if (class == CLASSES)
		host_free(p, pages_of(size));
	else
		push(class, p);
}

/* Listed in docs/stats.md by tools/gen_stats_doc.sh: arguments on one line. */
#define MM_VALUE(name_, member, flag, unit_, help_)				\
	{ .name = name_, .offset = offsetof(struct page_alloc_stats, member),	\
	  .type = &stats_fs_type_u64, .aggr_kind = STATS_FS_SUM,			\
	  .value_flag = STATS_FS_##flag, .unit = unit_, .help = help_ }

/* clang-format off */
static const struct stats_fs_value mm_values[] = {
	MM_VALUE("total", total_pages, FLOATING_VALUE, "pages", "under management"),
	MM_VALUE("free", free_pages, FLOATING_VALUE, "pages", "free"),
	MM_VALUE("bookkeeping", meta_pages, FLOATING_VALUE, "pages", "taken by the allocator"),
	MM_VALUE("unused", unused_pages, FLOATING_VALUE, "pages", "left out: no bookkeeping"),
	MM_VALUE("allocs", allocs, COUNTER, "count", "allocations"),
	MM_VALUE("frees", frees, COUNTER, "count", "frees"),
	MM_VALUE("failures", failures, COUNTER, "count", "requests that found no memory"),
	MM_VALUE("bugs", bugs, COUNTER, "count", "frees that were refused"),
	{ 0 },
};
/* clang-format on */

#define CPU_VALUE(name_, member, unit_, help_)					\
	{ .name = name_, .offset = offsetof(struct percpu, member),		\
	  .type = &stats_fs_type_u64, .aggr_kind = STATS_FS_SUM,			\
	  .value_flag = STATS_FS_COUNTER, .unit = unit_, .help = help_ }

static const struct stats_fs_value cpu_values[] = {
	CPU_VALUE("irqs", irqs, "count", "interrupts taken by the hypervisor"),
	CPU_VALUE("nmis", nmis, "count", "NMIs taken"),
	CPU_VALUE("nmis_unknown", nmis_unknown, "count", "NMIs that no handler knew"),
	{ 0 },
};

SECTION_BOUNDS(struct stat_rec, stats);

static int add_machine(struct stats_fs *fs)
{
	struct stats_fs_source *src;
	int err = stat_source(fs, "/mm", &src);

	if (err)
		return err;
	err = stats_fs_source_add_values(src, mm_values, &host_pages.stats, 0);
	stats_fs_source_put(src);
	for (u32 i = 0; i < cpu_count && !err; i++) {
		err = stats_fs_source_create(fs, &src, 0, "cpu%u", i);
		if (err)
			return err;
		err = stats_fs_source_add_values(src, cpu_values, percpu_table[i], 0);
		if (!err)
			err = stats_fs_source_register(src);
		stats_fs_source_put(src);
	}
	return err;
}

int host_stats_init(void)
{
	const struct stats_fs_mem mem = { .alloc = mem_alloc, .free = mem_free };
	int err = stats_fs_init(&tree, &mem);

	if (!err)
		err = kvm_stats_init(&tree);
	if (!err)
		err = add_machine(&tree);
	if (!err)
		err = stat_register_table(&tree, __start_nb_stats, __stop_nb_stats);
	if (!err)
		stat_fs = &tree;
	return err;
}
