/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/vm/msr_stats.h"
#include "stats/statsfs_path.h"
#include "tests/unit/stats_mem.h"

#define ENDED_ROWS	6

/* Two machines of four rows, and what is left of those that ended. */
static struct {
	struct stats_mem mem;
	struct stats_fs fs;
	struct stats_fs_source *kvm, *vm[2], *ended_src;
	struct msr_stats s[2], ended;
	struct msr_stats_row row[2][5], ended_row[ENDED_ROWS + 1];
} box;

static struct stats_fs_source *source(struct stats_fs_source *parent, const char *name)
{
	struct stats_fs_source *src;

	assert_int_equal(stats_fs_source_create(&box.fs, &src, 0, "%s", name), 0);
	assert_int_equal(stats_fs_source_add_subordinate(parent, src), 0);
	assert_int_equal(msr_stats_add_totals(src), 0);
	return src;
}

static int setup(void **state)
{
	struct stats_fs_mem ops;

	memset(&box, 0, sizeof(box));
	ops = stats_mem_ops(&box.mem);
	if (stats_fs_init(&box.fs, &ops))
		return -1;
	box.kvm = source(box.fs.root, "kvm");
	box.ended_src = source(box.kvm, "ended");
	box.vm[0] = source(box.kvm, "vm0");
	box.vm[1] = source(box.kvm, "vm1");
	for (u32 i = 0; i < 2; i++) {
		msr_stats_init(&box.s[i], box.row[i], 4);
		msr_stats_show(&box.s[i], &box.fs, box.vm[i]);
	}
	msr_stats_init(&box.ended, box.ended_row, ENDED_ROWS);
	msr_stats_show(&box.ended, &box.fs, box.ended_src);
	return msr_stats_show_other(&box.ended);
}

static int teardown(void **state)
{
	struct stats_fs_source *src[] = { box.kvm, box.ended_src, box.vm[0], box.vm[1] };

	box.mem.left = -1;
	msr_stats_end(&box.s[0], &box.ended);
	msr_stats_end(&box.s[1], &box.ended);
	stats_fs_source_put(box.ended_row[ENDED_ROWS].src);
	for (u32 i = 0; i < ENDED_ROWS; i++)
		stats_fs_source_put(box.ended_row[i].src);
	stats_fs_source_put(box.ended.dir);
	for (u32 i = 0; i < ARRAY_SIZE(src); i++)
		stats_fs_source_put(src[i]);
	stats_fs_fini(&box.fs);
	assert_int_equal(box.mem.live, 0);
	return 0;
}

/* -1: there is no such path. */
static long at(const char *path)
{
	char buf[32];

	return stats_fs_read_path(&box.fs, path, buf, sizeof(buf)) > 0 ? atol(buf) : -1;
}

static void test_by_number(void **state)
{
	msr_stats_count(&box.s[0], 0xc0010063, false);
	msr_stats_count(&box.s[0], 0x1c4, true);
	msr_stats_count(&box.s[0], 0xc0010063, false);
	msr_stats_count(&box.s[0], 0xc0010063, true);
	msr_stats_count(&box.s[1], 0x1c4, true);
	assert_int_equal(at("/kvm/vm0/msr/0xc0010063/rdmsr_unknown"), 2);
	assert_int_equal(at("/kvm/vm0/msr/0xc0010063/wrmsr_unknown"), 1);
	assert_int_equal(at("/kvm/vm0/msr/0x1c4/rdmsr_unknown"), 0);
	assert_int_equal(at("/kvm/vm0/msr/0x1c4/wrmsr_unknown"), 1);
	assert_int_equal(at("/kvm/vm1/msr/0xc0010063/rdmsr_unknown"), -1);
	assert_int_equal(at("/kvm/vm0/msr/other/rdmsr_unknown"), -1);
	assert_int_equal(at("/kvm/vm0/wrmsr_unknown"), 2);
	assert_int_equal(at("/kvm/vm1/wrmsr_unknown"), 1);
	assert_int_equal(at("/kvm/wrmsr_unknown"), 3);
	assert_int_equal(at("/kvm/rdmsr_unknown"), 2);
}

/* A guest that tries all numbers gets no more memory than for its rows. */
static void test_bounded(void **state)
{
	long live;

	for (u32 msr = 0; msr < 5; msr++)
		msr_stats_count(&box.s[0], msr, false);
	live = box.mem.live;
	for (u32 msr = 5; msr < 10000; msr++)
		msr_stats_count(&box.s[0], msr * 0x10001, msr & 1);
	msr_stats_count(&box.s[0], 3, false);
	assert_int_equal(box.mem.live, live);
	assert_int_equal(at("/kvm/vm0/msr/0x0/rdmsr_unknown"), 1);
	assert_int_equal(at("/kvm/vm0/msr/0x3/rdmsr_unknown"), 2);
	assert_int_equal(at("/kvm/vm0/msr/0x4/rdmsr_unknown"), -1);
	assert_int_equal(at("/kvm/vm0/msr/other/rdmsr_unknown"), 1 + 9995 / 2);
	assert_int_equal(at("/kvm/vm0/msr/other/wrmsr_unknown"), 9995 - 9995 / 2);
	assert_int_equal(at("/kvm/vm0/rdmsr_unknown") + at("/kvm/vm0/wrmsr_unknown"), 10001);
}

static void test_end(void **state)
{
	long reads;

	for (u32 msr = 0; msr < 6; msr++) {
		msr_stats_count(&box.s[0], msr, false);
		msr_stats_count(&box.s[1], 2 + msr, false);
	}
	reads = at("/kvm/rdmsr_unknown");
	assert_int_equal(reads, 12);
	for (u32 i = 0; i < 2; i++) {
		msr_stats_end(&box.s[i], &box.ended);
		assert_int_equal(at("/kvm/rdmsr_unknown"), reads);
	}
	/* 0 to 3 from the first, 2 to 5 from the second; both have others. */
	assert_int_equal(at("/kvm/ended/msr/0x0/rdmsr_unknown"), 1);
	assert_int_equal(at("/kvm/ended/msr/0x3/rdmsr_unknown"), 2);
	assert_int_equal(at("/kvm/ended/msr/0x5/rdmsr_unknown"), 1);
	assert_int_equal(at("/kvm/ended/msr/other/rdmsr_unknown"), 4);
	assert_int_equal(at("/kvm/ended/rdmsr_unknown"), 12);
	assert_int_equal(at("/kvm/vm0/rdmsr_unknown"), 0);
	assert_int_equal(at("/kvm/vm0/msr/0x0/rdmsr_unknown"), -1);
	/* Numbers that no longer fit are counted with the others. */
	msr_stats_show(&box.s[0], &box.fs, box.vm[0]);
	msr_stats_count(&box.s[0], 0x77, true);
	msr_stats_end(&box.s[0], &box.ended);
	assert_int_equal(at("/kvm/ended/msr/0x77/wrmsr_unknown"), -1);
	assert_int_equal(at("/kvm/ended/msr/other/wrmsr_unknown"), 1);
}

/* Without memory, or without statistics, only the sources are missing. */
static void test_not_shown(void **state)
{
	for (long left = 0; left < 6; left++) {
		box.mem.left = left;
		msr_stats_count(&box.s[0], (u32)left, true);
	}
	box.mem.left = -1;
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(box.row[0][i].writes, 1);
	assert_int_equal(box.row[0][4].writes, 2);
	msr_stats_init(&box.s[1], box.row[1], 4);
	msr_stats_count(&box.s[1], 7, false);
	assert_int_equal(box.row[1][0].reads, 1);
	assert_null(box.row[1][0].src);
	assert_int_equal(at("/kvm/vm1/rdmsr_unknown"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_by_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_shown, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
