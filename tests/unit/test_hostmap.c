// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mm/hostmap.h"
#include "tests/unit/pt_arena.h"
#include "tests/unit/rng.h"

static struct pt_arena arena;
static struct memmap map;
static struct pt pt;
static struct hostmap_caps caps;

static const struct hostmap_region image[] = {
	{ "text", 0x100000, 0x40000, PT_RX },
	{ "rodata", 0x140000, 0x10000, PT_R },
	{ "guard", 0x180000, 0x1000, 0 },
	{ "vga", 0xb8000, 0x8000, PT_RW | PT_UC },
	{ "nothing", 0x123, 0, PT_RWX },
};

static int setup(void **state)
{
	struct pt_config cfg;

	caps = (struct hostmap_caps){ .nx = true, .page1g = true,
				      .maxphyaddr = 40 };
	arena_open(&arena);
	cfg = arena_config(&arena, &pt_format_4level);
	memmap_init(&map, NULL);
	memmap_add(&map, 0, 0x9fc00, MEM_RAM);
	memmap_add(&map, 0x9fc00, 0x400, MEM_RESERVED);
	memmap_add(&map, 0xf0000, 0x10000, MEM_RESERVED);
	memmap_add(&map, 0x100000, 0xbfee0000 - 0x100000, MEM_RAM);
	memmap_add(&map, 0xbfee0000, 0x1234, MEM_ACPI);
	memmap_add(&map, 0xfffc0000, 0x40000, MEM_RESERVED);
	memmap_add(&map, 1ULL << 32, 3ULL << 30, MEM_RAM);
	memmap_reserve(&map, 0x100000, 0x100000);
	return pt_init(&pt, &cfg);
}

static int teardown(void **state)
{
	pt_free(&pt);
	assert_int_equal(arena.n_free, ARENA_PAGES);
	arena_close(&arena);
	return 0;
}

static void build(void)
{
	assert_int_equal(hostmap_build(&pt, &map, image, ARRAY_SIZE(image),
				       &caps), 0);
}

/* prot 0: not mapped; size 0: any. */
static void expect(u64 va, u32 prot, u64 size)
{
	struct pt_mapping k;
	int ret = pt_query(&pt, va, &k);

	if (!prot) {
		assert_int_equal(ret, -ENOENT);
		return;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(k.pa, va);
	assert_int_equal(k.prot, prot);
	if (size)
		assert_int_equal(k.size, size);
}

#define WB(p)	((p) | PT_MT(MT_WB))

static void test_layout(void **state)
{
	build();
	expect(0, 0, 0);
	expect(0xfff, 0, 0);
	expect(0x1000, WB(PT_RW), PAGE_SIZE);
	expect(0x9f800, WB(PT_RW), PAGE_SIZE);
	expect(0xa0000, 0, 0);
	expect(0xb8000, PT_RW | PT_UC, PAGE_SIZE);
	expect(0xf0000, 0, 0);
	expect(0x100000, WB(PT_RX), PAGE_SIZE);
	expect(0x13ffff, WB(PT_RX), PAGE_SIZE);
	expect(0x140000, WB(PT_R), PAGE_SIZE);
	expect(0x150000, WB(PT_RW), PAGE_SIZE);
	expect(0x17ffff, WB(PT_RW), PAGE_SIZE);
	expect(0x180000, 0, 0);
	expect(0x181000, WB(PT_RW), PAGE_SIZE);
	expect(0x200000, WB(PT_RW), SIZE_2M);
	expect(SIZE_1G, WB(PT_RW), SIZE_1G);
	expect(0xbfee1fff, WB(PT_RW), PAGE_SIZE);	/* rest of the table's page */
	expect(0xbfee2000, 0, 0);
	expect(0xfffc0000, 0, 0);
	expect(6 * SIZE_1G, WB(PT_RW), SIZE_1G);
	expect(7 * SIZE_1G, 0, 0);
	assert_true(hostmap_is_wx_clean(&pt));
}

static void test_without_1g_pages(void **state)
{
	caps.page1g = false;
	build();
	expect(SIZE_1G, WB(PT_RW), SIZE_2M);
}

static void test_bad_regions(void **state)
{
	struct hostmap_region r = { "x", 0x200000, 0x1000, PT_RWX };

	assert_int_equal(hostmap_build(&pt, &map, &r, 1, &caps), -EINVAL);
	r.prot = PT_R;
	r.base = 0x200800;
	assert_int_equal(hostmap_build(&pt, &map, &r, 1, &caps), -EINVAL);
	r.base = 1ULL << 40;
	assert_int_equal(hostmap_build(&pt, &map, &r, 1, &caps), -ERANGE);
	r.base = PAGE_SIZE;
	r.size = ~0ULL - PAGE_SIZE + 1;
	assert_int_equal(hostmap_build(&pt, &map, &r, 1, &caps), -ERANGE);
	caps.nx = false;
	assert_int_equal(hostmap_build(&pt, &map, NULL, 0, &caps), -EINVAL);
}

static void test_without_nx(void **state)
{
	pt.cfg.nx = caps.nx = false;
	build();
	expect(0x100000, WB(PT_RX), PAGE_SIZE);
	expect(0x200000, WB(PT_RWX), SIZE_2M);
	assert_false(hostmap_is_wx_clean(&pt));
}

static void test_memory_beyond_maxphyaddr_is_ignored(void **state)
{
	memmap_add(&map, (1ULL << 40) - SIZE_2M, 2 * SIZE_2M, MEM_RAM);
	memmap_add(&map, 1ULL << 45, SIZE_2M, MEM_RAM);
	build();
	expect((1ULL << 40) - 1, WB(PT_RW), SIZE_2M);
	expect(1ULL << 40, 0, 0);
	expect(1ULL << 45, 0, 0);
}

static void test_out_of_memory(void **state)
{
	arena.budget = 3;
	assert_int_equal(hostmap_build(&pt, &map, image, ARRAY_SIZE(image),
				       &caps), -ENOMEM);
	arena.budget = ~0u;
}

static int mmio(u64 pa, u64 size, u32 type)
{
	return hostmap_map_mmio(&pt, &map, pa, size, type, &caps);
}

static void test_mmio(void **state)
{
	build();
	assert_int_equal(mmio(0xfee00020, 0x10, MT_UC), 0);
	expect(0xfee00000, PT_RW | PT_UC, PAGE_SIZE);
	expect(0xfee01000, 0, 0);
	assert_int_equal(mmio(0xfee00fff, 2, MT_UC), 0);
	expect(0xfee01000, PT_RW | PT_UC, PAGE_SIZE);
	/* A large window, partly mapped before. */
	assert_int_equal(mmio(0xe0000000, 0x10000000, MT_UC), 0);
	expect(0xe0000000, PT_RW | PT_UC, SIZE_2M);
	assert_int_equal(mmio(0xe8000000, 0x1000, MT_UCM), 0);
	expect(0xe8000000, PT_RW | PT_MT(MT_UCM), PAGE_SIZE);
	expect(0xe8001000, PT_RW | PT_UC, PAGE_SIZE);
	assert_int_equal(mmio(0xf0000, 0x10000, MT_WB), 0);
	expect(0xf8000, WB(PT_RW), PAGE_SIZE);
	assert_true(hostmap_is_wx_clean(&pt));
}

static void test_mmio_from_hostile_tables(void **state)
{
	build();
	assert_int_equal(mmio(0xfee00000, 0, MT_UC), -EINVAL);
	assert_int_equal(mmio(~0ULL, 2, MT_UC), -EINVAL);
	assert_int_equal(mmio(~0ULL, 1, MT_UC), -ERANGE);
	assert_int_equal(mmio((1ULL << 40) - 1, 2, MT_UC), -ERANGE);
	/* RAM, the image, a guard page, page 0. */
	assert_int_equal(mmio(0x200000, 4, MT_UC), -EBUSY);
	assert_int_equal(mmio(0xbfedfff0, 0x20, MT_UC), -EBUSY);
	assert_int_equal(mmio(0x100000, 4, MT_WB), 0);
	expect(0x100000, WB(PT_RX), PAGE_SIZE);
	assert_int_equal(mmio(0x180000, 4, MT_WB), -EBUSY);
	assert_int_equal(mmio(0x17f000, 0x3000, MT_WB), -EBUSY);
	expect(0x180000, 0, 0);
	assert_int_equal(mmio(0, 4, MT_WB), -EBUSY);
	expect(0, 0, 0);
	/* ACPI tables are mapped already, and may be mapped once more. */
	assert_int_equal(mmio(0xbfee1000, 0x234, MT_WB), 0);
	expect(0xbfee1000, WB(PT_RW), PAGE_SIZE);
}

static void test_guard(void **state)
{
	build();
	assert_int_equal(hostmap_guard(&pt, 0x40003000), 0);
	expect(0x40003000, 0, 0);
	expect(0x40002000, WB(PT_RW), PAGE_SIZE);
	expect(0x40004000, WB(PT_RW), PAGE_SIZE);
	assert_int_equal(hostmap_guard(&pt, 0x40003000), 0);
	assert_int_equal(hostmap_guard(&pt, 0x40003800), -EINVAL);
	assert_int_equal(hostmap_unguard(&pt, 0x40003000), 0);
	expect(0x40003000, WB(PT_RW), PAGE_SIZE);
}

/* Random firmware maps: what is mapped is what has contents, and no more. */
static void test_random_maps(void **state)
{
	struct rng r = rng_seed(4);

	for (int round = 0; round < 200; round++) {
		struct pt_config cfg = arena_config(&arena, &pt_format_4level);

		pt_free(&pt);
		assert_int_equal(pt_init(&pt, &cfg), 0);
		memmap_init(&map, NULL);
		for (int i = 0; i < 20; i++)
			memmap_add(&map, rng_below(&r, 1 << 24) << 10,
				   (1 + rng_below(&r, 1 << 22)) << 10,
				   1 + rng_below(&r, 5));
		assert_int_equal(hostmap_build(&pt, &map, NULL, 0, &caps), 0);
		for (int i = 0; i < 300; i++) {
			u64 va = rng_below(&r, 1 << 22) << 12;
			const struct mem_range *m = memmap_find(&map, va);
			bool in = m && m->type != MEM_RESERVED &&
				  m->type != MEM_BAD;

			/* Pages that hold a border may go either way. */
			if (!va || !m || m->base + m->size < va + PAGE_SIZE)
				continue;
			expect(va, in ? WB(PT_RW) : 0, 0);
		}
		assert_true(hostmap_is_wx_clean(&pt));
	}
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_layout),
		T(test_without_1g_pages),
		T(test_bad_regions),
		T(test_without_nx),
		T(test_memory_beyond_maxphyaddr_is_ignored),
		T(test_out_of_memory),
		T(test_mmio),
		T(test_mmio_from_hostile_tables),
		T(test_guard),
		T(test_random_maps),
	};

	return cmocka_run_group_tests_name("hostmap", tests, NULL, NULL);
}
