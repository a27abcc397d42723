// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mm/gmem.h"
#include "tests/unit/rng.h"

#define K4	PAGE_SIZE

static struct gmem g;
static u8 a[4 * PAGE_SIZE], b[2 * PAGE_SIZE], rom[PAGE_SIZE];

static int setup(void **state)
{
	memset(a, 0xaa, sizeof(a));
	memset(b, 0xbb, sizeof(b));
	memset(rom, 0xcc, sizeof(rom));
	gmem_init(&g);
	/* b is added first: slots sort themselves. */
	return gmem_add(&g, 4 * K4, sizeof(b), b, 0x7000, 0) ||
	       gmem_add(&g, 0, sizeof(a), a, 0x1000, 0) ||
	       gmem_add(&g, 6 * K4, K4, rom, 0x20000, GMEM_RO) ||
	       gmem_add(&g, 0xfee00000, K4, NULL, 0, GMEM_MMIO);
}

/* Whatever gmem_ptr has found before. */
static void test_rw(void **state)
{
	for (int hint = 0; hint < 3; hint++) {
		assert_non_null(gmem_ptr(&g, (u64[]){ 0, 4 * K4, 6 * K4 }[hint], 1));
		assert_ptr_equal(gmem_ptr_rw(&g, 8, K4), a + 8);
		assert_ptr_equal(gmem_ptr_rw(&g, 4 * K4, 2 * K4), b);
		assert_non_null(gmem_ptr(&g, 6 * K4, 1));
		assert_null(gmem_ptr_rw(&g, 6 * K4, 1));
		assert_null(gmem_ptr_rw(&g, 4 * K4, 2 * K4 + 1));
		assert_null(gmem_ptr_rw(&g, 7 * K4, 1));
		assert_null(gmem_ptr_rw(&g, 0xfee00000, 4));
	}
}

static void test_add_refuses_nonsense(void **state)
{
	assert_int_equal(gmem_add(&g, 0x800, K4, a, 0, 0), -EINVAL);
	assert_int_equal(gmem_add(&g, 1 << 20, 0x800, a, 0, 0), -EINVAL);
	assert_int_equal(gmem_add(&g, 1 << 20, 0, a, 0, 0), -EINVAL);
	assert_int_equal(gmem_add(&g, 1 << 20, K4, a, 0x10, 0), -EINVAL);
	assert_int_equal(gmem_add(&g, 1 << 20, K4, NULL, 0, 0), -EINVAL);
	assert_int_equal(gmem_add(&g, 1 << 20, K4, a, 0, 0x80), -EINVAL);
	assert_int_equal(gmem_add(&g, K4, 0ULL - K4, a, 0, 0), -EINVAL);
	assert_int_equal(gmem_add(&g, 1ULL << 52, K4, a, 0, 0), -EINVAL);
	assert_int_equal(gmem_add(&g, (1ULL << 52) - K4, 2 * K4, a, 0, 0),
			 -EINVAL);
	assert_int_equal(gmem_add(&g, 3 * K4, K4, a, 0, 0), -EEXIST);
	assert_int_equal(gmem_add(&g, 0xfee00000 - K4, 3 * K4, a, 0, 0),
			 -EEXIST);
	assert_int_equal(gmem_add(&g, 0xfee00000, K4, a, 0, 0), -EEXIST);
	for (u64 i = 4; i < GMEM_MAX_SLOTS; i++)
		assert_int_equal(gmem_add(&g, i << 20, K4, a, 0, 0), 0);
	assert_int_equal(gmem_add(&g, 99 << 20, K4, a, 0, 0), -ENOSPC);
	assert_int_equal(gmem_bytes(&g), 7 * K4 + 12 * K4);
}

static void test_ptr_stays_inside_one_slot(void **state)
{
	assert_ptr_equal(gmem_ptr(&g, 0, 1), a);
	assert_ptr_equal(gmem_ptr(&g, 4 * K4 - 1, 1), a + 4 * K4 - 1);
	assert_null(gmem_ptr(&g, 4 * K4 - 1, 2));
	assert_ptr_equal(gmem_ptr(&g, 4 * K4, 2 * K4), b);
	assert_null(gmem_ptr(&g, 4 * K4, 2 * K4 + 1));
	assert_null(gmem_ptr(&g, 4 * K4, ~0ULL));
	assert_ptr_equal(gmem_ptr(&g, 6 * K4, 1), rom);
	assert_null(gmem_ptr(&g, 7 * K4, 1));
	assert_null(gmem_ptr(&g, 7 * K4, 0));
	assert_null(gmem_ptr(&g, 0xfee00000, 4));
	assert_null(gmem_ptr(&g, ~0ULL, 1));
}

static void test_copies_are_all_or_nothing(void **state)
{
	u8 buf[8 * PAGE_SIZE];

	memset(buf, 0, sizeof(buf));
	assert_int_equal(gmem_read(&g, 4 * K4 - 2, buf, 4), 0);
	assert_memory_equal(buf, "\xaa\xaa\xbb\xbb", 4);
	assert_int_equal(gmem_read(&g, 0, buf, 7 * K4), 0);
	assert_int_equal(buf[6 * K4], 0xcc);
	memset(buf, 0x11, sizeof(buf));
	assert_int_equal(gmem_read(&g, 0, buf, 7 * K4 + 1), -EFAULT);
	assert_int_equal(buf[0], 0x11);
	assert_int_equal(gmem_write(&g, 6 * K4 - 1, buf, 2), -EFAULT);
	assert_int_equal(b[2 * K4 - 1], 0xbb);
	assert_int_equal(gmem_write(&g, 4 * K4 - 1, buf, 2), 0);
	assert_int_equal(a[4 * K4 - 1], 0x11);
	assert_int_equal(b[0], 0x11);
	assert_int_equal(b[1], 0xbb);
	assert_int_equal(gmem_zero(&g, 4 * K4 - 1, 2), 0);
	assert_int_equal(a[4 * K4 - 1] | b[0], 0);
	assert_int_equal(gmem_zero(&g, 6 * K4, 1), -EFAULT);
	assert_int_equal(gmem_zero(&g, ~0ULL, 2), -EFAULT);
	assert_int_equal(gmem_read(&g, 0xfee00000, buf, 1), -EFAULT);
	assert_int_equal(gmem_read(&g, 0x123456789, buf, 0), 0);
}

static void test_remove_forgets_the_hint(void **state)
{
	assert_int_equal(gmem_remove(&g, 0xfee00000), 0);
	assert_ptr_equal(gmem_ptr(&g, 6 * K4, 1), rom);
	assert_int_equal(gmem_remove(&g, 6 * K4 + 1), -ENOENT);
	assert_int_equal(gmem_remove(&g, 6 * K4), 0);
	assert_null(gmem_ptr(&g, 6 * K4, 1));
	assert_null(gmem_slot(&g, 6 * K4));
	assert_ptr_equal(gmem_ptr(&g, 5 * K4, 1), b + K4);
	assert_int_equal(gmem_remove(&g, 4 * K4), 0);
	assert_int_equal(gmem_remove(&g, 0), 0);
	assert_int_equal(gmem_remove(&g, 0), -ENOENT);
	assert_null(gmem_ptr(&g, 0, 1));
}

static void test_backing(void **state)
{
	struct gmem_backing k;

	gmem_init(&g);
	/* From 1M, so that the first 2M page does not fit. */
	assert_int_equal(gmem_add(&g, 1 << 20, 3ULL << 30, a, 1 << 20, 0), 0);
	assert_int_equal(gmem_add(&g, 1ULL << 40, 8 << 20, a, 0x201000,
				  GMEM_RO), 0);
	assert_int_equal(gmem_add(&g, 2ULL << 40, K4, NULL, 0, GMEM_MMIO), 0);

	assert_int_equal(gmem_backing(&g, 0x100123, SIZE_1G, &k), 0);
	assert_int_equal(k.size, K4);
	assert_int_equal(k.gpa, 0x100000);
	assert_int_equal(k.pa, 0x100000);
	assert_int_equal(gmem_backing(&g, 0x212345, SIZE_1G, &k), 0);
	assert_int_equal(k.size, SIZE_2M);
	assert_int_equal(k.gpa, 0x200000);
	assert_int_equal(gmem_backing(&g, 0x40012345, SIZE_1G, &k), 0);
	assert_int_equal(k.size, SIZE_1G);
	assert_int_equal(k.gpa, 0x40000000);
	assert_int_equal(gmem_backing(&g, 0x40012345, SIZE_2M, &k), 0);
	assert_int_equal(k.size, SIZE_2M);
	assert_int_equal(gmem_backing(&g, 0x40012345, K4, &k), 0);
	assert_int_equal(k.gpa, 0x40012000);
	/* The last 1M of the slot, behind the last whole 2M page. */
	assert_int_equal(gmem_backing(&g, 0xc0012345, SIZE_1G, &k), 0);
	assert_int_equal(k.size, K4);
	assert_int_equal(k.flags, 0);
	/* Aligned in the guest, not in the host. */
	assert_int_equal(gmem_backing(&g, (1ULL << 40) + 0x5000, SIZE_1G, &k), 0);
	assert_int_equal(k.size, K4);
	assert_int_equal(k.pa, 0x206000);
	assert_int_equal(k.flags, GMEM_RO);
	assert_int_equal(gmem_backing(&g, 2ULL << 40, SIZE_1G, &k), -ENXIO);
	assert_int_equal(gmem_backing(&g, 0, SIZE_1G, &k), -ENOENT);
	assert_int_equal(gmem_backing(&g, 1 << 20, 2048, &k), -EINVAL);
}

/* A flat picture of 64 pages says which bytes exist. */
#define PAGES	64

static void check_range(const u8 *const *page, const bool *ro, u64 gpa, u64 len)
{
	u8 buf[8 * PAGE_SIZE];
	bool readable = true, writable = true;

	for (u64 p = gpa / K4; p <= (gpa + len - 1) / K4; p++) {
		readable &= p < PAGES && page[p];
		writable &= p < PAGES && page[p] && !ro[p];
	}
	assert_int_equal(gmem_read(&g, gpa, buf, len), readable ? 0 : -EFAULT);
	if (readable)
		for (u64 i = 0; i < len; i++)
			assert_int_equal(buf[i], page[(gpa + i) / K4]
						     [(gpa + i) % K4]);
	assert_int_equal(gmem_zero(&g, gpa, len), writable ? 0 : -EFAULT);
	if (writable)
		assert_int_equal(page[gpa / K4][gpa % K4], 0);
}

static void random_slots(struct rng *r, u8 *mem, const u8 **page, bool *ro)
{
	gmem_init(&g);
	for (int i = 0; i < 24; i++) {
		u64 n = 1 + rng_below(r, 6), at = rng_below(r, PAGES - n + 1);
		u32 flags = rng_below(r, 4);
		bool free = true;
		int ret;

		for (u64 p = at; p < at + n; p++)
			free &= !page[p];
		/* To the picture a hole is the same as nothing. */
		if (flags & GMEM_MMIO)
			continue;
		ret = gmem_add(&g, at * K4, n * K4, mem + at * K4, at * K4,
			       flags);
		assert_int_equal(ret, !free ? -EEXIST :
				 g.n == GMEM_MAX_SLOTS && ret ? -ENOSPC : 0);
		for (u64 p = at; p < at + n && !ret; p++) {
			page[p] = mem + p * K4;
			ro[p] = flags & GMEM_RO;
		}
	}
}

static void test_random_against_picture(void **state)
{
	struct rng r = rng_seed(3);
	u8 *mem = malloc(PAGES * K4);

	for (int round = 0; round < 60; round++) {
		const u8 *page[PAGES] = { NULL };
		bool ro[PAGES] = { false };

		for (u64 i = 0; i < PAGES * K4 / 8; i++)
			((u64 *)mem)[i] = rng_next(&r);
		random_slots(&r, mem, page, ro);
		for (int i = 0; i < 100; i++)
			check_range(page, ro, rng_below(&r, (PAGES + 2) * K4),
				    1 + rng_below(&r, rng_one_in(&r, 2) ?
						  16 : 8 * K4));
	}
	free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_add_refuses_nonsense, setup),
		cmocka_unit_test_setup(test_ptr_stays_inside_one_slot, setup),
		cmocka_unit_test_setup(test_rw, setup),
		cmocka_unit_test_setup(test_copies_are_all_or_nothing, setup),
		cmocka_unit_test_setup(test_remove_forgets_the_hint, setup),
		cmocka_unit_test_setup(test_backing, setup),
		cmocka_unit_test_setup(test_random_against_picture, setup),
	};

	return cmocka_run_group_tests_name("gmem", tests, NULL, NULL);
}
