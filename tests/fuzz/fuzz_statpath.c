/* SPDX-License-Identifier: MIT */
/* Any bytes as a path into a tree with everything in it: look-up, read, write, list. */
#include <stdlib.h>
#include <string.h>

#include "stats/stat.h"
#include "stats/statsfs_path.h"
#include "tests/unit/stats_mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TRUST(cond) do { if (!(cond)) abort(); } while (0)

struct data {
	u64 n, hist[4];
};

static const struct stats_fs_hist hist = { .buckets = 4 };
static const struct stats_fs_value values[] = {
	{ .name = "n", .offset = 0, .type = &stats_fs_type_u64, .aggr_kind = STATS_FS_SUM },
	{ .name = "h", .offset = offsetof(struct data, hist), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .hist = &hist },
	{ .name = "a b", .offset = 0, .type = &stats_fs_type_u8, .aggr_kind = STATS_FS_MAX,
	  .value_flag = STATS_FS_FLOATING_VALUE },
	{ 0 },
};

static struct data d = { 7, { 1, 2, 3, 4 } };

static void build(struct stats_fs *fs)
{
	static const char *const path[] = { "/k", "/k/v0", "/k/v0/c0", "/k/v10", "/n" };
	const struct stats_fs_group_desc dir = { .array = values, .base = &d, .dir = "n" };

	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		struct stats_fs_source *s;

		TRUST(!stat_source(fs, path[i], &s));
		TRUST(!stats_fs_source_add_group(s, &dir));
		TRUST(!stats_fs_source_add_values(s, values, NULL, 0));
		stats_fs_source_put(s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stats_mem mem;
	struct stats_fs_mem ops = stats_mem_ops(&mem);
	struct stats_fs_source *made;
	struct stats_fs_entry e;
	struct stats_fs_node node;
	struct stats_fs fs;
	char path[512], buf[8];

	size = size < sizeof(path) ? size : sizeof(path) - 1;
	memcpy(path, data, size);
	path[size] = 0;
	TRUST(!stats_fs_init(&fs, &ops));
	build(&fs);
	if (!stats_fs_lookup(&fs, path, &node)) {
		u32 mode = stats_fs_node_mode(&node);
		int len = stats_fs_node_text(&node, buf, sizeof(buf));

		TRUST((mode == 0755) == (len == -EINVAL));
		TRUST((stats_fs_node_write(&node, 0) == 0) == (mode == 0644));
		for (u32 i = 0; !stats_fs_node_entry(&node, i, &e); i++)
			TRUST(i < 100 && e.name[0] && mode == 0755);
		stats_fs_node_put(&node);
	}
	if (!stat_source(&fs, path, &made))
		stats_fs_source_put(made);
	stats_fs_fini(&fs);
	TRUST(!mem.live);
	return 0;
}
