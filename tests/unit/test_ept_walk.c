// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mm/pt.h"
#include "core/mm/pt_walk.h"
#include "tests/unit/pt_arena.h"
#include "tests/unit/rng.h"
#include "tests/unit/walk_mem.h"

static struct walk_mem ept, before;

/* Four levels at pages 0..3, a 4K page behind them; 2M and 1G capable. */
static struct ept_walk_env plain_env(void)
{
	static const u64 entry[] = { 0x1007, 0x2007, 0x3007, 0xabc037 };

	memset(&ept, 0, sizeof(ept));
	for (unsigned int i = 0; i < 4; i++)
		memcpy(ept.mem + i * 0x1000, &entry[i], 8);
	return (struct ept_walk_env){
		.eptp = 0x1e,
		.cap = EPT_CAP_2M | EPT_CAP_1G | EPT_CAP_WALK_4,
		.maxphyaddr = 40,
		.mem = walk_access(&ept),
	};
}

static int walk_with(const struct ept_walk_env *env, unsigned int level, u64 e,
		     u32 access, struct ept_walk_result *res)
{
	memcpy(ept.mem + (4 - level) * 0x1000, &e, 8);
	return ept_walk(env, 0x123, access, res);
}

/*
 * SDM3 29.3.3.1 row by row: the value of the entry at a level, and what a
 * read through it gives.
 */
struct row {
	unsigned int level;
	u64 e;
	int ret, ret_exec_only;
};

static const struct row rows[] = {
	/* bits 2:0 */
	{ 1, 0xabc030, -EFAULT, -EFAULT },	/* 000: not present */
	{ 1, 0xabc031, 0, 0 },			/* 001 */
	{ 1, 0xabc032, -EPROTO, -EPROTO },	/* 010: write only */
	{ 1, 0xabc033, 0, 0 },
	{ 1, 0xabc034, -EPROTO, -EFAULT },	/* 100: execute only */
	{ 1, 0xabc035, 0, 0 },
	{ 1, 0xabc036, -EPROTO, -EPROTO },	/* 110 */
	{ 4, 0x1002, -EPROTO, -EPROTO },
	{ 2, 0x3006, -EPROTO, -EPROTO },
	/* memory types of a leaf */
	{ 1, 0xabc007, 0, 0 },
	{ 1, 0xabc00f, 0, 0 },
	{ 1, 0xabc017, -EPROTO, -EPROTO },
	{ 1, 0xabc01f, -EPROTO, -EPROTO },
	{ 1, 0xabc027, 0, 0 },
	{ 1, 0xabc02f, 0, 0 },
	{ 1, 0xabc03f, -EPROTO, -EPROTO },
	{ 2, 0x200097, -EPROTO, -EPROTO },
	{ 2, 0x2000b7, 0, 0 },
	/* reserved bits of a PML4E: 7:3 */
	{ 4, 0x100f, -EPROTO, -EPROTO },
	{ 4, 0x1047, -EPROTO, -EPROTO },
	{ 4, 0x1087, -EPROTO, -EPROTO },
	{ 4, 0x1f07, 0, 0 },
	/* of a PDPTE and PDE that point to tables: 6:3 */
	{ 3, 0x200f, -EPROTO, -EPROTO },
	{ 3, 0x2047, -EPROTO, -EPROTO },
	{ 2, 0x3037, -EPROTO, -EPROTO },
	/* low address bits of large pages */
	{ 2, 0x2010b7, -EPROTO, -EPROTO },
	{ 2, 0x3000b7, -EPROTO, -EPROTO },
	{ 3, 0x400000b7, 0, 0 },
	{ 3, 0x402000b7, -EPROTO, -EPROTO },
	/* address bits from MAXPHYADDR to 51 */
	{ 1, 0x10000abc037, -EPROTO, -EPROTO },
	{ 1, 0x8000000abc037, -EPROTO, -EPROTO },
	{ 1, 0xfff0000000abc037, 0, 0 },
	{ 1, 0x8000000abc030, -EFAULT, -EFAULT },	/* not present first */
	/* a 4K entry ignores bit 7 and has the ignore-PAT bit */
	{ 1, 0xabc0f7, 0, 0 },
};

static void test_misconfigurations(void **state)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		struct ept_walk_result res;
		struct ept_walk_env env = plain_env();
		int a = walk_with(&env, r->level, r->e, PTA_READ, &res), b;

		env = plain_env();
		env.cap |= EPT_CAP_EXEC_ONLY;
		b = walk_with(&env, r->level, r->e, PTA_READ, &res);
		if (a != r->ret || b != r->ret_exec_only)
			fail_msg("row %u: %d, %d", i, a, b);
		if (!b)
			continue;
		assert_int_equal(res.entry, r->e);
		assert_int_equal(res.level, r->level);
	}
}

static void test_page_sizes_must_be_offered(void **state)
{
	struct ept_walk_env env = plain_env();
	struct ept_walk_result res;

	assert_int_equal(walk_with(&env, 2, 0x2000b7, PTA_READ, &res), 0);
	assert_int_equal(res.page_size, SIZE_2M);
	assert_int_equal(res.gpa, 0x200123);
	assert_int_equal(res.memtype, MT_WB);
	env.cap = EPT_CAP_1G;
	assert_int_equal(walk_with(&env, 2, 0x2000b7, PTA_READ, &res), -EPROTO);
	env = plain_env();
	env.cap = EPT_CAP_2M;
	assert_int_equal(walk_with(&env, 3, 0x400000b7, PTA_READ, &res),
			 -EPROTO);
	env.cap = EPT_CAP_1G;
	assert_int_equal(walk_with(&env, 3, 0x400000f7, PTA_READ, &res), 0);
	assert_int_equal(res.page_size, SIZE_1G);
	assert_true(res.ipat);
}

static void test_qualification(void **state)
{
	struct ept_walk_env env = plain_env();
	struct ept_walk_result res;

	env.cap |= EPT_CAP_EXEC_ONLY;
	assert_int_equal(walk_with(&env, 1, 0xabc031, PTA_WRITE, &res), -EFAULT);
	assert_int_equal(res.qualification, EPT_VIOL_WRITE | EPT_VIOL_R);
	assert_int_equal(walk_with(&env, 1, 0xabc033, PTA_EXEC, &res), -EFAULT);
	assert_int_equal(res.qualification,
			 EPT_VIOL_FETCH | EPT_VIOL_R | EPT_VIOL_W);
	assert_int_equal(walk_with(&env, 1, 0xabc034, PTA_READ, &res), -EFAULT);
	assert_int_equal(res.qualification, EPT_VIOL_READ | EPT_VIOL_X);
	assert_int_equal(walk_with(&env, 1, 0, PTA_READ, &res), -EFAULT);
	assert_int_equal(res.qualification, EPT_VIOL_READ);
	/* Rights are the AND over all levels. */
	walk_with(&env, 1, 0xabc037, PTA_READ, &res);
	assert_int_equal(walk_with(&env, 3, 0x2005, PTA_WRITE, &res), -EFAULT);
	assert_int_equal(res.qualification,
			 EPT_VIOL_WRITE | EPT_VIOL_R | EPT_VIOL_X);
	ept.reads = 0;
	assert_int_equal(ept_walk(&env, 1ULL << 48, PTA_READ, &res), -EFAULT);
	assert_int_equal(res.qualification, EPT_VIOL_READ);
	assert_int_equal(ept.reads, 0);
}

static void test_mode_based_execute(void **state)
{
	struct ept_walk_env env = plain_env();
	struct ept_walk_result res;
	const u64 x_super = 0xabc035, x_user = 0xabc431;

	/* Bit 10 means nothing without the control. */
	assert_int_equal(walk_with(&env, 1, x_user, PTA_EXEC | PTA_USER, &res),
			 -EFAULT);
	env.mode_based_exec = true;
	for (unsigned int level = 2; level <= 4; level++)
		walk_with(&env, level, (5 - level) << 12 | 0x407, PTA_READ, &res);
	assert_int_equal(walk_with(&env, 1, x_user, PTA_EXEC | PTA_USER, &res),
			 0);
	assert_int_equal(res.prot, PT_R | PT_U);
	assert_int_equal(walk_with(&env, 1, x_user, PTA_EXEC, &res), -EFAULT);
	assert_int_equal(res.qualification,
			 EPT_VIOL_FETCH | EPT_VIOL_R | EPT_VIOL_XU);
	assert_int_equal(walk_with(&env, 1, x_super, PTA_EXEC, &res), 0);
	assert_int_equal(walk_with(&env, 1, x_super, PTA_EXEC | PTA_USER, &res),
			 -EFAULT);
	/* Bit 10 alone makes an entry present, here execute-only. */
	assert_int_equal(walk_with(&env, 1, 0xabc430, PTA_READ, &res), -EPROTO);
}

static void test_accessed_and_dirty(void **state)
{
	struct ept_walk_env env = plain_env();
	struct ept_walk_result res;

	env.set_ad = true;
	assert_int_equal(ept_walk(&env, 0, PTA_WRITE, &res), 0);
	assert_int_equal(res.entry & (EPT_A | EPT_D), 0);
	env.eptp |= EPTP_AD;
	assert_int_equal(ept_walk(&env, 0, PTA_READ, &res), 0);
	assert_int_equal(res.entry & (EPT_A | EPT_D), EPT_A);
	assert_int_equal(ept.mem[0x1001] & 3, 1);
	assert_int_equal(ept_walk(&env, 0, PTA_WRITE, &res), 0);
	assert_int_equal(res.entry & (EPT_A | EPT_D), EPT_A | EPT_D);
	ept.races = 2;
	ept.mem[0x3001] = 0xc0;
	assert_int_equal(ept_walk(&env, 0, PTA_READ, &res), 0);
	assert_int_equal(ept.races, 0);
	ept.races = 1000;
	ept.mem[0x3001] = 0xc0;
	assert_int_equal(ept_walk(&env, 0, PTA_READ, &res), -EAGAIN);
}

static void test_table_reads_count_as_writes(void **state)
{
	struct ept_walk_env env = plain_env();
	struct ept_walk_result res;

	assert_int_equal(walk_with(&env, 1, 0xabc031, PTA_TABLE, &res), 0);
	env.eptp |= EPTP_AD;
	env.set_ad = true;
	assert_int_equal(walk_with(&env, 1, 0xabc031, PTA_TABLE, &res), -EFAULT);
	assert_int_equal(res.qualification,
			 EPT_VIOL_READ | EPT_VIOL_WRITE | EPT_VIOL_R);
	assert_int_equal(walk_with(&env, 1, 0xabc033, PTA_TABLE, &res), 0);
	assert_int_equal(res.entry & EPT_D, EPT_D);
}

static void test_tables_beyond_memory(void **state)
{
	struct ept_walk_env env = plain_env();
	struct ept_walk_result res;

	assert_int_equal(walk_with(&env, 2, 0x99000007, PTA_READ, &res), -EIO);
	assert_int_equal(res.entry_gpa, 0x99000000);
	assert_int_equal(res.level, 1);
}

/* ---- random tables against a model ----------------------------------- */

struct verdict {
	int ret;
	u64 q, gpa, size;
	u64 used[4];
	unsigned int n;
};

static bool model_bad(const struct ept_walk_env *env, u64 e, int level, bool leaf)
{
	u64 allowed = 0xfff0000000000f00ULL;
	unsigned int rwx = e & 7, mt = e >> 3 & 7;

	if (rwx == 2 || rwx == 6)
		return true;
	if (rwx == 4 && !(env->cap & EPT_CAP_EXEC_ONLY))
		return true;
	allowed |= 7;
	for (unsigned int i = 12; i < env->maxphyaddr; i++)
		allowed |= 1ULL << i;
	if (leaf)
		allowed |= 0xf8;
	if (leaf && level == 2)
		allowed &= ~0x1ff000ULL;
	if (leaf && level == 3)
		allowed &= ~0x3ffff000ULL;
	if (level == 1)
		allowed |= 0x80;
	if ((level == 2 && !(env->cap & EPT_CAP_2M)) ||
	    (level == 3 && !(env->cap & EPT_CAP_1G)))
		allowed &= ~0x80ULL;
	if (e & ~allowed)
		return true;
	return leaf && (mt == 2 || mt == 3 || mt == 7);
}

static void model(const struct ept_walk_env *env, u64 gpa, u32 access,
		  struct verdict *v)
{
	u64 table = env->eptp & 0xffffffffff000ULL, rights = 7, e;
	u64 need = access == PTA_EXEC ? 4 : access == PTA_WRITE ? 2 : 1;

	*v = (struct verdict){ .ret = 0 };
	for (int level = 4;; level--) {
		u64 at = table + (gpa >> (12 + 9 * (level - 1)) & 511) * 8;
		bool leaf;

		v->used[v->n++] = at;
		if (at >= WALK_BYTES) {
			v->ret = -EIO;
			return;
		}
		memcpy(&e, before.mem + at, 8);
		rights &= e;
		leaf = level == 1 || ((e & 0x80) && level < 4);
		if ((e & 7) && model_bad(env, e, level, leaf)) {
			v->ret = -EPROTO;
			return;
		}
		if (!(e & 7) || (leaf && !(rights & need))) {
			v->ret = -EFAULT;
			v->q = need | rights << 3;
			return;
		}
		if (leaf) {
			v->size = 4096ULL << (9 * (level - 1));
			v->gpa = (e & 0xffffffffff000ULL & ~(v->size - 1)) |
				 (gpa & (v->size - 1));
			return;
		}
		table = e & 0xffffffffff000ULL;
	}
}

static u64 random_entry(struct rng *r)
{
	u64 e = rng_below(r, WALK_PAGES) << 12 | (rng_next(r) & 0xf00);

	e |= rng_one_in(r, 3) ? rng_below(r, 8) : 7;
	if (rng_one_in(r, 3)) {
		e = (e & 0xf07) | rng_below(r, 16) << 30 | 0xb0;
		e |= rng_one_in(r, 4) ? rng_next(r) & 0x3ffff000 : 0;
	}
	if (rng_one_in(r, 8))
		e |= rng_next(r) & 0xf8;
	if (rng_one_in(r, 12))
		e ^= 1ULL << rng_below(r, 64);
	return e;
}

static void model_set_ad(const struct verdict *v, u32 access)
{
	for (unsigned int i = 0; i < v->n; i++)
		before.mem[v->used[i] + 1] |=
			i == v->n - 1 && access == PTA_WRITE ? 3 : 1;
}

static void test_random_against_model(void **state)
{
	static const u32 accesses[] = { PTA_READ, PTA_WRITE, PTA_EXEC };
	struct rng r = rng_seed(30);
	unsigned int good = 0, violation = 0, misconfig = 0, io = 0;

	for (int round = 0; round < 1000; round++) {
		struct ept_walk_env env = {
			.eptp = rng_below(&r, WALK_PAGES) << 12 | 0x1e |
				(rng_next(&r) & EPTP_AD),
			.cap = rng_next(&r),
			.maxphyaddr = 34 + rng_below(&r, 19),
			.set_ad = rng_one_in(&r, 2),
			.mem = walk_access(&ept),
		};

		for (unsigned int i = 0; i < WALK_BYTES; i += 8) {
			u64 e = random_entry(&r);

			memcpy(ept.mem + i, &e, 8);
		}
		memcpy(before.mem, ept.mem, WALK_BYTES);
		for (int i = 0; i < 60; i++) {
			u64 gpa = rng_next(&r) >> 16;
			u32 access = accesses[rng_below(&r, 3)];
			struct ept_walk_result res;
			struct verdict v;

			model(&env, gpa, access, &v);
			assert_int_equal(ept_walk(&env, gpa, access, &res), v.ret);
			assert_int_equal(res.qualification, v.q);
			assert_int_equal(res.entry_gpa, v.used[v.n - 1]);
			good += !v.ret;
			violation += v.ret == -EFAULT;
			misconfig += v.ret == -EPROTO;
			io += v.ret == -EIO;
			if (v.ret)
				continue;
			assert_int_equal(res.gpa, v.gpa);
			assert_int_equal(res.page_size, v.size);
			if (env.set_ad && (env.eptp & EPTP_AD))
				model_set_ad(&v, access);
		}
		assert_memory_equal(before.mem, ept.mem, WALK_BYTES);
	}
	printf("# good %u, violation %u, misconfiguration %u, no memory %u\n",
	       good, violation, misconfig, io);
	assert_true(good > 2000 && violation > 2000 && misconfig > 2000);
	assert_true(io > 100);
}

static void test_walks_what_pt_maps(void **state)
{
	static struct pt_arena arena;
	struct rng r = rng_seed(31);
	struct ept_walk_env env = { .cap = ~0ULL, .maxphyaddr = 52 };
	struct ept_walk_result res;
	struct pt_config cfg;
	struct pt_mapping k;
	struct pt pt;
	int hits = 0;

	arena_open(&arena);
	cfg = arena_config(&arena, &pt_format_ept);
	assert_int_equal(pt_init(&pt, &cfg), 0);
	env.mem = (struct pt_mem){ arena_read, NULL, &arena };
	env.eptp = pt.root | 0x1e;
	for (int i = 0; i < 300; i++) {
		u64 size = (1 + rng_below(&r, 1200)) << 12;
		u64 gpa = rng_below(&r, 64 << 20) & PAGE_MASK;
		u32 prot = PT_R | (rng_next(&r) & (PT_RWX | PT_IPAT));

		if (rng_one_in(&r, 2))
			prot |= PT_MT(MT_WC);
		assert_int_equal(pt_map(&pt, gpa, gpa + (5ULL << 30), size, prot,
					SIZE_1G), 0);
	}
	for (int i = 0; i < 5000; i++) {
		u64 gpa = rng_below(&r, 64 << 20);
		int ret = pt_query(&pt, gpa, &k);

		assert_int_equal(ept_walk(&env, gpa, PTA_READ, &res),
				 ret ? -EFAULT : 0);
		if (ret)
			continue;
		hits++;
		assert_int_equal(res.gpa, k.pa);
		assert_int_equal(res.page_size, k.size);
		assert_int_equal(res.prot, k.prot & PT_RWX);
		assert_int_equal(res.memtype, PT_PROT_MT(k.prot));
		assert_int_equal(res.ipat, !!(k.prot & PT_IPAT));
	}
	assert_true(hits > 1000);
	pt_free(&pt);
	arena_close(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_misconfigurations),
		cmocka_unit_test(test_page_sizes_must_be_offered),
		cmocka_unit_test(test_qualification),
		cmocka_unit_test(test_mode_based_execute),
		cmocka_unit_test(test_accessed_and_dirty),
		cmocka_unit_test(test_table_reads_count_as_writes),
		cmocka_unit_test(test_tables_beyond_memory),
		cmocka_unit_test(test_random_against_model),
		cmocka_unit_test(test_walks_what_pt_maps),
	};

	return cmocka_run_group_tests_name("ept_walk", tests, NULL, NULL);
}
