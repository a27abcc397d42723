// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tests/unit/capture.h"
#include "tests/unit/load_build.h"

static struct load_guest g;
static struct load_plan p;
static struct capture cap;
static u8 file[0x4000];

static int setup(void **state)
{
	guest_init(&g);
	for (u32 i = 0; i < sizeof(file); i++)
		file[i] = (u8)(i * 7 + 1);
	g.img.data = file;
	g.img.size = sizeof(file);
	memset(&p, 0, sizeof(p));
	p.img = &g.img;
	p.d = capture_start(&cap);
	return 0;
}

static int teardown(void **state)
{
	guest_free(&g);
	return 0;
}

static void test_in_ram(void **state)
{
	assert_true(plan_in_ram(&g.img, 0, GUEST_LOW));
	assert_false(plan_in_ram(&g.img, 0, GUEST_LOW + 1));
	assert_false(plan_in_ram(&g.img, 0xf0000, 1));
	assert_true(plan_in_ram(&g.img, GUEST_HIGH, GUEST_TOP - GUEST_HIGH));
	assert_false(plan_in_ram(&g.img, GUEST_TOP - 1, 2));
	/* No wrap around, nothing from 4 GiB on. */
	assert_false(plan_in_ram(&g.img, GUEST_HIGH, ~0ULL - GUEST_HIGH + 2));
	assert_false(plan_in_ram(&g.img, ~0ULL, 1));
	g.map[2].size = 1ULL << 33;
	assert_true(plan_in_ram(&g.img, 0xffffffff, 1));
	assert_false(plan_in_ram(&g.img, 0xffffffff, 2));
	assert_false(plan_in_ram(&g.img, 1ULL << 32, 1));
	/* Neighbouring ranges are one memory. */
	g.map[1] = (struct mem_range){ GUEST_LOW, GUEST_HIGH - GUEST_LOW, MEM_RAM };
	assert_true(plan_in_ram(&g.img, GUEST_LOW - 1, GUEST_HIGH));
}

static u64 place(u64 size, u64 align, u64 min, u64 max)
{
	const struct plan_window w = { min, max, align, PLAN_LOWEST };

	return plan_place(&p, &w, size, NULL);
}

static u64 place_high(u64 size, u64 align, u64 min, u64 max)
{
	const struct plan_window w = { min, max, align, PLAN_HIGHEST };

	return plan_place(&p, &w, size, NULL);
}

static void test_place(void **state)
{
	assert_int_equal(plan_add_segment(&p, 0x3000, 0x1000, 0, 0), 0);
	assert_int_equal(plan_add_segment(&p, 0x5000, 0x1000, 0, 0), 0);
	/* Before, between, behind; each is then taken. */
	assert_int_equal(place(0x1000, 0x1000, 0x2001, GUEST_TOP), 0x4000);
	assert_int_equal(place(0x1000, 0x1000, 0x2000, GUEST_TOP), 0x2000);
	assert_int_equal(place(0x1001, 0x1000, 0x2000, GUEST_TOP), 0x6000);
	assert_int_equal(place(1, 16, 0x7000, GUEST_TOP), 0x7010);
	/* Over the hole, and never outside [min, max). */
	assert_int_equal(place(GUEST_LOW, 8, 0x2000, GUEST_TOP), GUEST_HIGH);
	assert_int_equal(place(2, 1, 0x9ffff, GUEST_HIGH), 0);
	assert_int_equal(place(0x100, 8, 0x8000, 0x80ff), 0);
	assert_int_equal(place(0x100, 8, 0x8000, 0x8100), 0x8000);
	assert_int_equal(place(~0ULL, 8, 0x2000, GUEST_TOP), 0);
	assert_int_equal(p.end, GUEST_HIGH + GUEST_LOW);
	/* Address 0 says that there is none: it is not used. */
	assert_int_equal(place(0x10, 8, 0, 0x20), 8);
	assert_int_equal(place(0x10, 0x20, 0, 0x20), 0);
}

static void test_place_high(void **state)
{
	assert_int_equal(place_high(0x1001, 0x1000, 0x1000, GUEST_TOP), GUEST_TOP - 0x2000);
	/* Below what is there; a gap that is too small is passed over. */
	assert_int_equal(plan_add_segment(&p, GUEST_TOP - 0x4000, 0x1000, 0, 0), 0);
	assert_int_equal(place_high(0x1001, 0x1000, 0x1000, GUEST_TOP), GUEST_TOP - 0x6000);
	assert_int_equal(place_high(0x1000, 0x1000, 0x1000, GUEST_TOP), GUEST_TOP - 0x3000);
	/* The limit counts, and alignment. */
	assert_int_equal(place_high(1, 1, 0x1000, 0x180000), 0x17ffff);
	assert_int_equal(place_high(1, 0x10000, 0x1000, 0x180000), 0x170000);
	/* The lower range, and nothing at all. */
	assert_int_equal(place_high(0x9f000, 0x1000, 0x1000, GUEST_HIGH), 0x1000);
	assert_int_equal(place_high(0x1001, 1, 0x9f000, GUEST_HIGH), 0);
	assert_int_equal(place_high(~0ULL, 1, 0x1000, GUEST_TOP), 0);
	assert_int_equal(place_high(1, 1, GUEST_TOP, ~0ULL), 0);
	assert_int_equal(place_high(0x1800, 0x1000, 0x101800, 0x103800), 0x102000);
	assert_int_equal(place_high(0x1800, 0x1000, 0x101800, 0x103800), 0);
}

static void test_place_is_full(void **state)
{
	for (u32 i = 0; i < ARRAY_SIZE(p.seg); i++)
		assert_int_equal(place(1, 1, 0x1000, GUEST_TOP), 0x1000 + i);
	assert_int_equal(place(1, 1, 0x1000, GUEST_TOP), 0);
}

/* Two segments of 0x1000 and 0x800 bytes, 0x1800 in between. */
static void add_two(u64 at)
{
	p.n_segs = 0;
	p.end = 0;
	p.floating = true;
	assert_int_equal(plan_add_segment(&p, at + 0x2800, 0x800, 0x100, 0x10), 0);
	assert_int_equal(plan_add_segment(&p, at, 0x1000, 0, 0x1000), 0);
	p.entry = at + 0x20;
}

static void expect_settled(const struct plan_window *w, u64 at)
{
	assert_int_equal(plan_settle(&p, w), at);
	assert_int_equal(p.seg[0].gpa, at + 0x2800);
	assert_int_equal(p.seg[1].gpa, at);
	assert_int_equal(p.entry, at + 0x20);
	assert_int_equal(p.end, at + 0x3000);
}

static void test_settle(void **state)
{
	struct plan_window w = { 0, 1ULL << 32, 0x1000, PLAN_ANYWHERE };

	add_two(0x150000);
	expect_settled(&w, 0x150000);
	w.preference = PLAN_LOWEST;
	expect_settled(&w, 0x1000);
	w.preference = PLAN_HIGHEST;
	expect_settled(&w, GUEST_TOP - 0x3000);
	/* Outside RAM, the window, or its alignment: moved to the lowest place. */
	w.preference = PLAN_ANYWHERE;
	w.min = 0x9e800;
	add_two(0x40000000);
	expect_settled(&w, GUEST_HIGH);
	w.min = GUEST_HIGH + 1;
	add_two(GUEST_HIGH);
	expect_settled(&w, GUEST_HIGH + 0x1000);
	w.align = 0x100000;
	w.min = 0;
	expect_settled(&w, GUEST_HIGH);
	w.align = 0x1000;
	w.max = GUEST_HIGH + 0x2fff;
	w.min = GUEST_HIGH;
	assert_int_equal(plan_settle(&p, &w), 0);
	w.max++;
	expect_settled(&w, GUEST_HIGH);
	/* An entry that is not in them stays. */
	p.entry = 0x99;
	w.max = 1ULL << 32;
	w.min = 0x180000;
	assert_int_equal(plan_settle(&p, &w), 0x180000);
	assert_int_equal(p.entry, 0x99);
}

static void test_floating(void **state)
{
	p.floating = true;
	assert_int_equal(plan_add_segment(&p, 0x80000000, 0x1000, 0, 0), 0);
	assert_int_equal(plan_add_segment(&p, 0xfffff000, 0x1001, 0, 0), -ENOSPC);
	assert_one_message(&cap, "is beyond the guest's memory");
	p.floating = false;
	assert_int_equal(plan_add_segment(&p, 0x90000000, 0x1000, 0, 0), -ENOSPC);
}

static void test_entry(void **state)
{
	assert_int_equal(plan_check_entry(&p), -EINVAL);
	assert_one_message(&cap, "guest kut: refused: nothing to load");
	p.d = capture_start(&cap);
	assert_int_equal(plan_add_segment(&p, 0x3000, 0x1000, 0, 0x800), 0);
	p.entry = 0x37ff;
	assert_int_equal(plan_check_entry(&p), 0);
	p.entry = 0x3800;
	assert_int_equal(plan_check_entry(&p), -EINVAL);
	assert_one_message(&cap, "entry 0x3800 is outside what is loaded");
	assert_true(plan_has_code(&p, 0x3000));
	assert_false(plan_has_code(&p, 0x2fff));
}

static void test_write(void **state)
{
	assert_int_equal(plan_add_segment(&p, 0x3000, 0x1000, 0x10, 0x800), 0);
	assert_int_equal(plan_add_segment(&p, 0x5000, 0x1000, 0x20, 0x800), 0);
	p.seg[1].rest_kept = true;
	assert_int_equal(plan_write(&p, &g.mem), 0);
	assert_memory_equal(g.ram + 0x3000, file + 0x10, 0x800);
	assert_memory_equal(g.ram + 0x5000, file + 0x20, 0x800);
	assert_int_equal(g.ram[0x3800] | g.ram[0x3fff], 0);
	assert_int_equal(g.ram[0x4000], 0xcc);
	assert_int_equal(g.ram[0x5800], 0xcc);
	assert_int_equal(g.ram[0x5fff], 0xcc);
	p.seg[1].gpa = GUEST_LOW - 0x7ff;
	assert_int_equal(plan_write(&p, &g.mem), -ENOSPC);
	assert_one_message(&cap, "0x1000 bytes at 0x9f801 cannot be written");
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_in_ram),
		T(test_place),
		T(test_place_high),
		T(test_place_is_full),
		T(test_settle),
		T(test_floating),
		T(test_entry),
		T(test_write),
	};

	return cmocka_run_group_tests_name("load_plan", tests, NULL, NULL);
}
