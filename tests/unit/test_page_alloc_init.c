// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mm/page_alloc.h"

static struct memmap map;
static struct page_alloc pa;
static char *meta;
static u64 meta_pa;

/* Only the array is ever touched: any address will do for the rest. */
static void *give_meta(void *ctx, u64 addr)
{
	assert_null(meta);
	meta_pa = addr;
	meta = malloc(*(size_t *)ctx);
	assert_non_null(meta);
	return meta;
}

static int start(size_t meta_bytes, u64 meta_limit)
{
	struct page_alloc_config cfg = {
		.to_virt = give_meta,
		.ctx = &meta_bytes,
		.meta_limit = meta_limit,
	};

	free(meta);
	meta = NULL;
	return page_alloc_init(&pa, &map, &cfg);
}

static void audit_ok(void)
{
	const char *why = NULL;

	assert_int_equal(page_alloc_check(&pa, &why), 0);
	assert_null(why);
}

static void test_zones_split_at_1m_and_4g(void **state)
{
	memmap_init(&map, NULL);
	memmap_add(&map, 0, 0x9f000, MEM_RAM);
	memmap_add(&map, 0xff000, 2ULL << 30, MEM_RAM);
	memmap_add(&map, 0xffff0000, 0x20000, MEM_RAM);
	assert_int_equal(start(8 << 20, 0), 0);
	assert_int_equal(pa.n_zones, 5);
	assert_int_equal(pa.zone[0].base, 0x1000);
	assert_int_equal(pa.zone[0].cls, PA_CLASS_1M);
	assert_int_equal(pa.zone[1].cls, PA_CLASS_1M);
	assert_int_equal(pa.zone[2].cls, PA_CLASS_4G);
	assert_int_equal(pa.zone[3].cls, PA_CLASS_4G);
	assert_int_equal(pa.zone[4].base, 1ULL << 32);
	assert_int_equal(pa.zone[4].cls, PA_CLASS_HIGH);
	assert_int_equal(meta_pa, 0x100000);
	assert_int_equal(pa.stats.total_pages + pa.stats.meta_pages,
			 0x9e + 0x80000 + 0x20);
	assert_int_equal(pa.stats.free_pages, pa.stats.total_pages);
	audit_ok();
}

static void test_array_stays_below_the_limit(void **state)
{
	memmap_init(&map, NULL);
	memmap_add(&map, 0x100000, 63ULL << 20, MEM_RAM);
	memmap_add(&map, 1ULL << 32, 1ULL << 33, MEM_RAM);
	assert_int_equal(start(32 << 20, 1ULL << 32), 0);
	assert_true(meta_pa >= 0x100000 && meta_pa < 64ULL << 20);
	assert_int_equal(pa.stats.unused_pages, 0);
	assert_int_equal(start(32 << 20, 0), 0);
	assert_true(meta_pa >= 1ULL << 32);
}

static void test_too_much_memory_is_cut(void **state)
{
	memmap_init(&map, NULL);
	memmap_add(&map, 0x100000, 1ULL << 20, MEM_RAM);
	memmap_add(&map, 1ULL << 32, 1ULL << 40, MEM_RAM);
	memmap_add(&map, 1ULL << 51, 1ULL << 50, MEM_RAM);
	assert_int_equal(start(1 << 20, 1ULL << 32), 0);
	assert_int_equal(pa.stats.meta_pages, 128);
	assert_true(pa.stats.unused_pages > 1ULL << 38);
	assert_int_equal(pa.stats.total_pages, 128 * 4096 / 12 - 1 - 128);
	audit_ok();
}

static void test_no_memory(void **state)
{
	memmap_init(&map, NULL);
	assert_int_equal(start(4096, 0), -ENOMEM);
	memmap_add(&map, 0, 0x1000, MEM_RAM);
	assert_int_equal(start(4096, 0), -ENOMEM);
	memmap_add(&map, 1ULL << 32, 1ULL << 32, MEM_RAM);
	assert_int_equal(start(4096, 1ULL << 32), -ENOMEM);
}

static void test_smallest_machine(void **state)
{
	memmap_init(&map, NULL);
	memmap_add(&map, 0x1000, 0x3000, MEM_RAM);
	assert_int_equal(start(4096, 0), 0);
	assert_int_equal(pa.stats.total_pages, 2);
	assert_int_equal(page_alloc(&pa, 1, 0), 0x2000);
	audit_ok();
}

static void test_check_sees_damage(void **state)
{
	const char *why = NULL;
	u32 idx;

	memmap_init(&map, NULL);
	memmap_add(&map, 0x100000, 1 << 20, MEM_RAM);
	assert_int_equal(start(1 << 20, 0), 0);
	audit_ok();
	pa.stats.free_pages--;
	assert_int_equal(page_alloc_check(&pa, &why), -EINVAL);
	assert_non_null(strstr(why, "count"));
	pa.stats.free_pages++;
	idx = pa.zone[0].first;
	pa.page[idx].state = PG_USED;
	assert_int_equal(page_alloc_check(&pa, &why), -EINVAL);
	pa.page[idx].state = PG_TAIL;
	assert_int_equal(page_alloc_check(&pa, &why), -EINVAL);
	assert_non_null(strstr(why, "head"));
}

static int drop(void **state)
{
	free(meta);
	meta = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones_split_at_1m_and_4g),
		cmocka_unit_test(test_array_stays_below_the_limit),
		cmocka_unit_test(test_too_much_memory_is_cut),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_smallest_machine),
		cmocka_unit_test(test_check_sees_damage),
	};

	return cmocka_run_group_tests_name("page_alloc_init", tests, NULL, drop);
}
