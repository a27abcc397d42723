/* SPDX-License-Identifier: MIT */
/*
 * A stream of operations on a small tree, compared with a model that adds up
 * by walking parents: aggregates, errors, retire, clear, and no byte of memory
 * left at the end.  Allocations fail where the input says so.
 */
#include <stdlib.h>
#include <string.h>

#include "stats/stat_fmt.h"
#include "stats/statsfs.h"
#include "stats/statsfs_path.h"
#include "tests/unit/stats_mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SOURCES	12
#define TRUST(cond) do { if (!(cond)) abort(); } while (0)

struct data {
	u64 count, level;
	s8 low;
};

static const struct stats_fs_value values[] = {
	{ .name = "count", .offset = offsetof(struct data, count), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_SUM, .value_flag = STATS_FS_COUNTER },
	{ .name = "level", .offset = offsetof(struct data, level), .type = &stats_fs_type_u64,
	  .aggr_kind = STATS_FS_AVG, .value_flag = STATS_FS_FLOATING_VALUE },
	{ .name = "low", .offset = offsetof(struct data, low), .type = &stats_fs_type_s8,
	  .aggr_kind = STATS_FS_MIN },
	{ 0 },
};

struct model {
	struct stats_fs_source *src;
	int parent;		/* -1: none; SOURCES: the root */
	bool simple, total;	/* has a group with, without base */
	u64 cleared;
	struct data d;
};

static struct stats_fs fs;
static struct model m[SOURCES];

static bool below(int i, int top)
{
	for (; i >= 0 && i < SOURCES; i = m[i].parent)
		if (i == top)
			return true;
	return false;
}

static void check(int top)
{
	u64 count = 0, level = 0, n = 0, got;
	s64 low = INT64_MAX;

	for (int i = 0; i < SOURCES; i++) {
		if (!m[i].src || !m[i].simple || !below(i, top))
			continue;
		count += m[i].d.count - m[i].cleared;
		level += m[i].d.level;
		low = m[i].d.low < low ? m[i].d.low : low;
		n++;
	}
	if (!m[top].total || m[top].simple)
		return;
	TRUST(!stats_fs_source_get_value(m[top].src, &values[0], &got) && got == count);
	TRUST(!stats_fs_source_get_value(m[top].src, &values[1], &got) &&
	      got == (n ? level / n : 0));
	TRUST(!stats_fs_source_get_value(m[top].src, &values[2], &got) && (s64)got == low);
}

static void create(int i, u8 arg)
{
	if (m[i].src)
		return;
	memset(&m[i], 0, sizeof(m[i]));
	m[i].parent = -1;
	if (stats_fs_source_create(&fs, &m[i].src, arg & 1 ? STATS_FS_HIDDEN : 0, "s%d", arg % 8))
		TRUST(!m[i].src);
}

static void add_values(int i, u8 arg)
{
	bool base = arg & 1, had = base ? m[i].simple : m[i].total;
	int err;

	/* With both, the order of adding decides what is read: not modelled. */
	if (base ? m[i].total : m[i].simple)
		return;
	err = stats_fs_source_add_values(m[i].src, values, base ? &m[i].d : NULL, arg & 2);
	if (had)
		TRUST(err == -EEXIST);
	else if (err)
		TRUST(err == -ENOMEM);
	else if (base)
		m[i].simple = true;
	else
		m[i].total = true;
}

static void add_subordinate(int i, int k)
{
	int err = stats_fs_source_add_subordinate(m[i].src, m[k].src);

	if (!err) {
		TRUST(m[k].parent == -1 && !below(i, k));
		m[k].parent = i;
	} else if (m[k].parent >= 0) {
		TRUST(err == (m[k].parent == i ? -EEXIST : -EBUSY));
	} else {
		TRUST(below(i, k) ? err == -ELOOP : err == -EEXIST);
	}
}

/* The source goes; what is below it has no parent any more. */
static void drop(int i)
{
	stats_fs_source_put(m[i].src);
	if (m[i].parent >= 0)
		stats_fs_source_remove_subordinate(
			m[i].parent == SOURCES ? fs.root : m[m[i].parent].src, m[i].src);
	m[i].src = NULL;
	for (int k = 0; k < SOURCES; k++)
		if (m[k].src && m[k].parent == i)
			m[k].parent = -1;
}

static void clear(int i, u8 arg)
{
	const struct stats_fs_value *v = &values[arg % 3];
	int err = stats_fs_source_clear(m[i].src, v);

	if (!m[i].simple && !m[i].total) {
		TRUST(err == -ENOENT);
		return;
	}
	if (v == &values[1]) {
		TRUST(err == -EPERM);
		return;
	}
	TRUST(!err || err == -ENOMEM);
	/* After -ENOMEM only some are cleared. */
	if (v == &values[2])
		return;		/* the data itself is 0 now */
	if (v == &values[0]) {
		for (int k = 0; k < SOURCES; k++) {
			u64 got;

			if (!m[k].src || !m[k].simple || !below(k, i))
				continue;
			TRUST(!stats_fs_source_get_value(m[k].src, v, &got));
			TRUST(got <= m[k].d.count);
			m[k].cleared = m[k].d.count - got;
		}
	}
}

/* Members of src that retire or revoke: a group without base is an aggregate. */
static void take_data(int i)
{
	for (int k = 0; k < SOURCES; k++) {
		if (!m[k].src || !below(k, i))
			continue;
		m[k].total |= m[k].simple;
		m[k].simple = false;
	}
}

static void retire(int i, int into)
{
	u64 sum, got;

	if (below(into, i) || !m[into].simple)
		return;
	sum = m[into].d.count - m[into].cleared;
	for (int k = 0; k < SOURCES; k++) {
		if (!m[k].src || !m[k].simple || !below(k, i))
			continue;
		sum += m[k].d.count - m[k].cleared;
	}
	stats_fs_source_retire(m[i].src, m[into].src);
	take_data(i);
	m[i].parent = -1;
	TRUST(!stats_fs_source_get_value(m[into].src, &values[0], &got));
	TRUST(got == sum);
	m[into].cleared = m[into].d.count - got;
}

static void line(void *ctx, const char *text)
{
	*(size_t *)ctx += strlen(text);
	TRUST(strlen(text) < STAT_LINE_MAX);
}

static void dump(void)
{
	size_t n = 0;
	const struct stat_out out = { line, &n };
	struct stat_dump_totals t;

	stat_dump(&fs, 1, 2, &out, &t);
	TRUST(n > 0 && !t.skipped);
}

static void one(u8 op, u8 a, u8 b, struct stats_mem *mem)
{
	int i = a % SOURCES, k = b % SOURCES;

	if (op % 16 == 0) {
		create(i, b);
		return;
	}
	if (!m[i].src)
		return;
	switch (op % 16) {
	case 1: add_values(i, b); break;
	case 2: if (m[k].src) add_subordinate(i, k); break;
	case 3: drop(i); break;
	case 4: m[i].d.count += b; break;
	case 5: m[i].d.level = b; break;
	case 6: m[i].d.low = (s8)b; break;
	case 7: clear(i, b); break;
	case 8: if (m[k].src) retire(i, k); break;
	case 9: stats_fs_source_revoke(m[i].src); take_data(i); break;
	case 10: mem->left = b & 1 ? -1 : b / 32; break;
	case 11: dump(); break;
	case 12:
		if (!stats_fs_source_register(m[i].src))
			m[i].parent = SOURCES;
		break;
	case 13:
		if (!stats_fs_source_label(m[i].src, b & 1 ? "k" : "key", b & 2 ? "\x1b[1m" : "v"))
			TRUST(stats_fs_source_get_label(m[i].src, b & 1 ? "k" : "key"));
		break;
	default: check(i);
	}
}

/* Bytes as a path: every answer is allowed, no crash is. */
static void paths(const uint8_t *data, size_t size)
{
	struct stats_fs_node node;
	char path[256], buf[16];

	size = size < sizeof(path) ? size : sizeof(path) - 1;
	memcpy(path, data, size);
	path[size] = 0;
	if (stats_fs_lookup(&fs, path, &node)) {
		TRUST(!node.src);
		return;
	}
	TRUST(stats_fs_node_mode(&node));
	stats_fs_node_text(&node, buf, sizeof(buf));
	stats_fs_node_put(&node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stats_mem mem;
	struct stats_fs_mem ops = stats_mem_ops(&mem);
	size_t i = 0;

	memset(m, 0, sizeof(m));
	TRUST(!stats_fs_init(&fs, &ops));
	for (; i + 3 <= size && data[i] != 0xff; i += 3)
		one(data[i], data[i + 1], data[i + 2], &mem);
	if (i < size)
		paths(data + i + 1, size - i - 1);
	for (int k = 0; k < SOURCES; k++)
		if (m[k].src)
			drop(k);
	stats_fs_fini(&fs);
	TRUST(!mem.live);
	return 0;
}
