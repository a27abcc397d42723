// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mm/memmap.h"
#include "tests/unit/rng.h"

static struct memmap m;

static void expect(unsigned int i, u64 base, u64 size, u32 type)
{
	assert_true(i < m.n);
	assert_int_equal(m.range[i].base, base);
	assert_int_equal(m.range[i].size, size);
	assert_int_equal(m.range[i].type, type);
}

static void test_restrictive_type_wins(void **state)
{
	memmap_init(&m, NULL);
	memmap_add(&m, 0x2000, 0x1000, MEM_RESERVED);
	memmap_add(&m, 0x1000, 0x4000, MEM_RAM);
	memmap_add(&m, 0x4000, 0x2000, MEM_ACPI);
	assert_int_equal(m.n, 4);
	expect(0, 0x1000, 0x1000, MEM_RAM);
	expect(1, 0x2000, 0x1000, MEM_RESERVED);
	expect(2, 0x3000, 0x1000, MEM_RAM);
	expect(3, 0x4000, 0x2000, MEM_ACPI);
}

static void test_unknown_types_are_reserved(void **state)
{
	memmap_init(&m, NULL);
	memmap_add(&m, 0, 0x1000, 0);
	memmap_add(&m, 0x1000, 0x1000, 7);
	memmap_add(&m, 0x2000, 0x1000, MEM_TAKEN);
	memmap_add(&m, 0x3000, 0x1000, ~0u);
	assert_int_equal(m.n, 1);
	expect(0, 0, 0x4000, MEM_RESERVED);
}

static void test_wrap_around_is_clamped(void **state)
{
	memmap_init(&m, NULL);
	memmap_add(&m, MEMMAP_LIMIT - 0x1000, ~0ULL, MEM_RAM);
	memmap_add(&m, ~0ULL - 5, 10, MEM_RAM);
	memmap_add(&m, MEMMAP_LIMIT, 10, MEM_RAM);
	memmap_add(&m, 0x5000, 0, MEM_RAM);
	assert_int_equal(m.n, 1);
	expect(0, MEMMAP_LIMIT - 0x1000, 0x1000, MEM_RAM);
	assert_int_equal(memmap_top(&m), MEMMAP_LIMIT);
	memmap_add(&m, 1, ~0ULL, MEM_BAD);
	assert_int_equal(m.n, 1);
	expect(0, 1, MEMMAP_LIMIT - 1, MEM_BAD);
	assert_int_equal(memmap_top(&m), 0);
}

static void test_reserve_takes_ram_only(void **state)
{
	memmap_init(&m, NULL);
	memmap_add(&m, 0, 0x4000, MEM_RAM);
	memmap_add(&m, 0x6000, 0x2000, MEM_NVS);
	memmap_reserve(&m, 0x3000, 0x4000);
	assert_int_equal(m.n, 3);
	expect(1, 0x3000, 0x1000, MEM_TAKEN);
	expect(2, 0x6000, 0x2000, MEM_NVS);
	assert_true(memmap_has_ram(&m, 0x3fff, 1));
	assert_false(memmap_has_ram(&m, 0x4000, 0x100000));
	assert_int_equal(memmap_top(&m), 0x4000);
	assert_int_equal(memmap_bytes(&m, MEM_TAKEN), 0x1000);
	/* A later, overlapping report of RAM does not give it back. */
	memmap_add(&m, 0, 0x4000, MEM_RAM);
	assert_true(memmap_is(&m, 0x3000, 0x1000, MEM_TAKEN));
	assert_false(memmap_is(&m, 0x3000, 0x1001, MEM_TAKEN));
	assert_false(memmap_is(&m, 0x3000, 0, MEM_TAKEN));
}

static void test_ram_is_whole_pages(void **state)
{
	unsigned int it = 0;
	u64 base, size;

	memmap_init(&m, NULL);
	memmap_add(&m, 0x1, 0x1fff, MEM_RAM);		/* one page */
	memmap_add(&m, 0x3800, 0xc00, MEM_RAM);		/* none */
	memmap_add(&m, 0x100000, 0x10fff, MEM_RAM);
	assert_true(memmap_next_ram(&m, &it, &base, &size));
	assert_int_equal(base, 0x1000);
	assert_int_equal(size, 0x1000);
	assert_true(memmap_next_ram(&m, &it, &base, &size));
	assert_int_equal(base, 0x100000);
	assert_int_equal(size, 0x10000);
	assert_false(memmap_next_ram(&m, &it, &base, &size));
}

static void test_place(void **state)
{
	memmap_init(&m, NULL);
	memmap_add(&m, 0x1000, 0x9e000, MEM_RAM);
	memmap_add(&m, 0x100000, 0x700000, MEM_RAM);
	memmap_reserve(&m, 0x8000, 0x1000);
	assert_int_equal(memmap_place(&m, 0x1000, 0x1000, 0, 1 << 20), 0x1000);
	assert_int_equal(memmap_place(&m, 0x8000, 0x1000, 0, 1 << 20), 0x9000);
	assert_int_equal(memmap_place(&m, 0x1000, 0x10000, 0, 1 << 20), 0x10000);
	assert_int_equal(memmap_place(&m, 0x100000, 0x1000, 0, 1 << 20),
			 MEMMAP_LIMIT);
	assert_int_equal(memmap_place(&m, 0x100000, 0x200000, 0, ~0ULL),
			 0x200000);
	assert_int_equal(memmap_place(&m, 1, 1ULL << 63, 0, ~0ULL),
			 MEMMAP_LIMIT);
	assert_int_equal(memmap_place(&m, ~0ULL, 1, 0, ~0ULL), MEMMAP_LIMIT);
}

static void test_names(void **state)
{
	assert_string_equal(mem_type_name(MEM_RAM), "ram");
	assert_string_equal(mem_type_name(MEM_TAKEN), "taken");
	assert_string_equal(mem_type_name(0), "unknown");
	assert_string_equal(mem_type_name(77), "unknown");
}

static void count_line(void *ctx, const char *line)
{
	assert_non_null(strstr(line, "memmap"));
	++*(int *)ctx;
}

static void test_overflow_drops_the_smallest_ram(void **state)
{
	int lines = 0;
	struct diag d = { count_line, &lines };

	memmap_init(&m, &d);
	for (u64 i = 0; i < MEMMAP_MAX + 44; i++)
		memmap_add(&m, i << 24, 0x1000 * (i + 1), MEM_RAM);
	assert_int_equal(m.n, MEMMAP_MAX);
	assert_int_equal(m.dropped, 44);
	assert_int_equal(lines, 1);
	expect(0, 44 << 24, 45 * 0x1000, MEM_RAM);
}

static void test_overflow_never_frees_reserved(void **state)
{
	memmap_init(&m, NULL);
	for (u64 i = 0; i < 2 * MEMMAP_MAX; i++)
		memmap_add(&m, i << 16, 0x1000, MEM_RESERVED);
	memmap_add(&m, 0, (u64)MEMMAP_MAX << 17, MEM_RAM);
	for (u64 i = 0; i < 2 * MEMMAP_MAX; i++)
		assert_false(memmap_has_ram(&m, i << 16, 0x1000));
	assert_int_equal(m.n, MEMMAP_MAX);
}

/*
 * Model: the type of each of 4096 units.  With few ranges the map must equal
 * it; after an overflow it must not be more permissive.
 */
#define UNITS	4096
#define UNIT	0x800ULL

static const u32 ranking[] = { 0, MEM_RAM, MEM_TAKEN, MEM_ACPI, MEM_NVS,
			       MEM_RESERVED, MEM_BAD };

static unsigned int rank_of(u32 type)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ranking); i++)
		if (ranking[i] == type)
			return i;
	fail_msg("type %u", type);
	return 0;
}

static void model_add(u32 *model, u64 first, u64 count, u32 type, bool reserve)
{
	for (u64 i = first; i < first + count; i++) {
		if (reserve && model[i] != MEM_RAM)
			continue;
		if (rank_of(type) > rank_of(model[i]))
			model[i] = type;
	}
}

static void compare(const u32 *model, bool exact)
{
	for (unsigned int i = 0; i < m.n; i++) {
		assert_true(m.range[i].size > 0);
		if (i)
			assert_true(m.range[i - 1].base + m.range[i - 1].size <=
				    m.range[i].base);
	}
	for (u64 i = 0; i < UNITS; i++) {
		const struct mem_range *r = memmap_find(&m, i * UNIT + 5);
		u32 type = r ? r->type : 0;

		if (exact)
			assert_int_equal(type, model[i]);
		else if (type)
			assert_true(rank_of(type) >= rank_of(model[i]));
		else
			assert_true(model[i] <= MEM_RAM);
	}
}

static void random_round(struct rng *r, unsigned int adds,
			 unsigned int max_units, u32 first_type)
{
	static u32 model[UNITS];

	memset(model, 0, sizeof(model));
	memmap_init(&m, NULL);
	for (unsigned int i = 0; i < adds; i++) {
		u64 count = 1 + rng_below(r, max_units);
		u64 first = rng_below(r, UNITS - count);
		u32 type = first_type + rng_below(r, 6 - first_type);
		bool reserve = rng_one_in(r, 4) && !m.dropped;

		if (reserve)
			memmap_reserve(&m, first * UNIT, count * UNIT);
		else
			memmap_add(&m, first * UNIT, count * UNIT, type);
		model_add(model, first, count, reserve ? MEM_TAKEN : type,
			  reserve);
		assert_true(m.n <= MEMMAP_MAX);
	}
	compare(model, !m.dropped);
}

static void test_random_against_model(void **state)
{
	struct rng r = rng_seed(1);

	for (int i = 0; i < 300; i++)
		random_round(&r, 40, 500, MEM_RAM);
	for (int i = 0; i < 30; i++)
		random_round(&r, 1500, 3, MEM_RAM);
	for (int i = 0; i < 30; i++)
		random_round(&r, 1500, 3, MEM_RESERVED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restrictive_type_wins),
		cmocka_unit_test(test_unknown_types_are_reserved),
		cmocka_unit_test(test_wrap_around_is_clamped),
		cmocka_unit_test(test_reserve_takes_ram_only),
		cmocka_unit_test(test_ram_is_whole_pages),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_overflow_drops_the_smallest_ram),
		cmocka_unit_test(test_overflow_never_frees_reserved),
		cmocka_unit_test(test_random_against_model),
	};

	return cmocka_run_group_tests_name("memmap", tests, NULL, NULL);
}
