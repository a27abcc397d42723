// SPDX-License-Identifier: MIT
/* pt_walk_fast may give up, but when it answers pt_walk must agree. */
#include "tests/unit/unit.h"

#include "core/mm/pt_fast.h"
#include "core/mm/pt_walk.h"
#include "core/x86/regs.h"
#include "tests/unit/rng.h"

#define PAGES	16u

static struct gmem g;
static u8 mem[PAGES * PAGE_SIZE] __aligned(8);

static int read_gmem(void *ctx, u64 gpa, void *buf, unsigned int len)
{
	return gmem_read(ctx, gpa, buf, len);
}

static u64 random_entry(struct rng *r)
{
	u64 e = rng_below(r, PAGES) << 12 | (rng_next(r) & 0xe60);

	e |= rng_one_in(r, 20) ? 6 : 7;
	if (rng_one_in(r, 5))
		e &= ~(u64)(rng_next(r) & 6);
	if (rng_one_in(r, 4)) {
		e = (e & 0xfff) | 0x80 | rng_below(r, 64) << 30;
		e |= rng_one_in(r, 4) ? rng_next(r) & 0x3ffff000 : 0;
	}
	if (rng_one_in(r, 20))
		e |= PTE_NX;
	if (rng_one_in(r, 30))
		e |= 1ULL << (46 + rng_below(r, 6));
	return e;
}

static void compare(struct rng *r, u64 cr3, u64 va, unsigned int *hits,
		    unsigned int *misses)
{
	static const struct { u64 need, deny; u32 access; } kind[] = {
		{ PTE_P | PTE_U, PT_FAST_DENY_FETCH, PTA_EXEC | PTA_USER },
		{ PTE_P, PT_FAST_DENY_FETCH, PTA_EXEC },
		{ PTE_P | PTE_U | PTE_W, PT_FAST_DENY_DATA,
		  PTA_WRITE | PTA_USER },
		{ PTE_P, PT_FAST_DENY_DATA, PTA_READ },
	};
	unsigned int i = rng_below(r, ARRAY_SIZE(kind));
	struct pt_walk_env env = {
		.cr0 = CR0_PG | CR0_PE | CR0_WP, .cr3 = cr3, .cr4 = CR4_PAE,
		.efer = EFER_LMA | EFER_NXE, .maxphyaddr = 46, .page1g = true,
		.mem = { .read = read_gmem, .ctx = &g },
	};
	struct pt_walk_result res;
	int ret = pt_walk(&env, va, kind[i].access, &res);
	u64 gpa = pt_walk_fast(&g, cr3, va, kind[i].need, kind[i].deny);

	if (gpa == PT_FAST_MISS) {
		/* Here the rules are the same, so it gives up only on faults. */
		assert_true(ret != 0);
		++*misses;
	} else {
		assert_int_equal(ret, 0);
		assert_int_equal(gpa, res.gpa);
		++*hits;
	}
}

static void test_agrees_with_pt_walk(void **state)
{
	struct rng r = rng_seed(40);
	unsigned int hits = 0, misses = 0;

	gmem_init(&g);
	assert_int_equal(gmem_add(&g, 0, 8 * PAGE_SIZE, mem, 0, 0), 0);
	/* A second slot and a gap: tables are found in either. */
	assert_int_equal(gmem_add(&g, 9 * PAGE_SIZE, 6 * PAGE_SIZE,
				  mem + 9 * PAGE_SIZE, 9 * PAGE_SIZE, 0), 0);
	for (int round = 0; round < 500; round++) {
		u64 cr3 = rng_below(&r, PAGES) << 12 | (rng_next(&r) & 0xfff);

		for (unsigned int i = 0; i < sizeof(mem); i += 8) {
			u64 e = random_entry(&r);

			memcpy(mem + i, &e, 8);
		}
		for (int i = 0; i < 60; i++) {
			u64 va = rng_next(&r);

			if (!rng_one_in(&r, 20))
				va = (u64)((s64)(va << 16) >> 16);
			compare(&r, cr3, va, &hits, &misses);
		}
	}
	printf("# hits %u, misses %u\n", hits, misses);
	assert_true(hits > 5000 && misses > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees_with_pt_walk),
	};

	return cmocka_run_group_tests_name("pt_fast", tests, NULL, NULL);
}
