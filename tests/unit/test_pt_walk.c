// SPDX-License-Identifier: MIT
/*
 * pt_walk against a model that was written from the manuals without looking
 * at it: no tables, one function per paging mode.
 */
#include "tests/unit/unit.h"

#include "core/mm/pt.h"
#include "core/mm/pt_walk.h"
#include "core/x86/regs.h"
#include "tests/unit/pt_arena.h"
#include "tests/unit/rng.h"
#include "tests/unit/walk_mem.h"

static struct walk_mem guest, before;

/* ---- the model ------------------------------------------------------- */

struct used {
	u64 gpa, e;
	unsigned int bytes;
	bool has_a;
};

struct verdict {
	int ret;
	bool not_present, rsvd;
	u64 gpa, size, leaf;
	bool w, u, x;
	struct used used[5];
	unsigned int n;
};

static bool bit(u64 v, unsigned int n)
{
	return v >> n & 1;
}

/* Reads one entry and folds its rights in; false ends the walk. */
static bool take(struct verdict *v, u64 gpa, unsigned int bytes, bool rights)
{
	struct used *u = &v->used[v->n++];

	*u = (struct used){ .gpa = gpa, .bytes = bytes, .has_a = rights };
	if (gpa >= WALK_BYTES) {
		v->ret = -EIO;
		return false;
	}
	memcpy(&u->e, before.mem + gpa, bytes);
	v->leaf = u->e;
	if (!bit(u->e, 0)) {
		v->ret = -EFAULT;
		v->not_present = true;
		return false;
	}
	if (rights) {
		v->w = v->w && bit(u->e, 1);
		v->u = v->u && bit(u->e, 2);
		v->x = v->x && (bytes == 4 || !bit(u->e, 63));
	}
	return true;
}

static bool rsvd_if(struct verdict *v, bool cond)
{
	if (cond) {
		v->ret = -EFAULT;
		v->rsvd = true;
	}
	return cond;
}

static bool any_bit(u64 v, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i <= to; i++)
		if (bit(v, i))
			return true;
	return false;
}

static void model_32(const struct pt_walk_env *env, u32 va, struct verdict *v)
{
	u64 e;

	if (!take(v, (env->cr3 & 0xfffff000) + (va >> 22) * 4, 4, true))
		return;
	e = v->leaf;
	if (bit(env->cr4, 4) && bit(e, 7)) {
		unsigned int width = env->maxphyaddr > 40 ? 40 : env->maxphyaddr;

		/* Bits 13.. hold address bits 32..; the rest to 21 is zero. */
		if (rsvd_if(v, any_bit(e, width - 32 + 13, 21)))
			return;
		v->size = 4 << 20;
		v->gpa = (e & 0xffc00000) | (e >> 13 & 0xff) << 32 |
			 (va & 0x3fffff);
		return;
	}
	if (!take(v, (e & 0xfffff000) + (va >> 12 & 0x3ff) * 4, 4, true))
		return;
	v->size = 4096;
	v->gpa = (v->leaf & 0xfffff000) | (va & 0xfff);
}

static bool bad_high(const struct pt_walk_env *env, u64 e, bool pae)
{
	if (env->maxphyaddr < 52 && any_bit(e, env->maxphyaddr, 51))
		return true;
	if (pae && any_bit(e, 52, 62))
		return true;
	return bit(e, 63) && !bit(env->efer, 11);
}

#define ADDR(e)	((e) & 0x000ffffffffff000ULL)

/* The two lowest levels, which PAE and long mode share. */
static void model_low(const struct pt_walk_env *env, u64 va, u64 pd, bool pae,
		      struct verdict *v)
{
	u64 e;

	if (!take(v, pd + (va >> 21 & 511) * 8, 8, true))
		return;
	e = v->leaf;
	if (rsvd_if(v, bad_high(env, e, pae)))
		return;
	if (bit(e, 7)) {
		if (rsvd_if(v, any_bit(e, 13, 20)))
			return;
		v->size = 2 << 20;
		v->gpa = (ADDR(e) & ~0x1fffffULL) | (va & 0x1fffff);
		return;
	}
	if (!take(v, ADDR(e) + (va >> 12 & 511) * 8, 8, true))
		return;
	if (rsvd_if(v, bad_high(env, v->leaf, pae)))
		return;
	v->size = 4096;
	v->gpa = ADDR(v->leaf) | (va & 0xfff);
}

static void model_pae(const struct pt_walk_env *env, u32 va, struct verdict *v)
{
	u64 e;

	if (env->use_pdptr) {
		e = env->pdptr[va >> 30];
		if (!bit(e, 0)) {
			v->ret = -EFAULT;
			v->not_present = true;
			return;
		}
	} else {
		if (!take(v, (env->cr3 & 0xffffffe0) + (va >> 30) * 8, 8, false))
			return;
		e = v->leaf;
		if (rsvd_if(v, bad_high(env, e, true) || bit(e, 63) ||
			       any_bit(e, 1, 2) || any_bit(e, 5, 8)))
			return;
	}
	model_low(env, va, ADDR(e), true, v);
}

static void model_long(const struct pt_walk_env *env, u64 va, struct verdict *v)
{
	u64 table = ADDR(env->cr3), e;

	for (int shift = bit(env->cr4, 12) ? 48 : 39; shift >= 39; shift -= 9) {
		if (!take(v, table + (va >> shift & 511) * 8, 8, true))
			return;
		e = v->leaf;
		if (rsvd_if(v, bad_high(env, e, false) || bit(e, 7) ||
			       (env->amd && bit(e, 8))))
			return;
		table = ADDR(e);
	}
	if (!take(v, table + (va >> 30 & 511) * 8, 8, true))
		return;
	e = v->leaf;
	if (rsvd_if(v, bad_high(env, e, false) || (bit(e, 7) && !env->page1g)))
		return;
	if (bit(e, 7)) {
		if (rsvd_if(v, any_bit(e, 13, 29)))
			return;
		v->size = 1 << 30;
		v->gpa = (ADDR(e) & ~0x3fffffffULL) | (va & 0x3fffffff);
		return;
	}
	model_low(env, va, ADDR(e), false, v);
}

/* SDM3 4.6.1, sentence by sentence. */
static bool model_allows(const struct pt_walk_env *env, u32 access,
			 const struct verdict *v)
{
	bool user_mode = (access & PTA_USER) && !(access & PTA_IMPLICIT);
	bool user_page = v->u, wp = bit(env->cr0, 16);
	bool smep = bit(env->cr4, 20), smap = bit(env->cr4, 21);
	bool ac = bit(env->rflags, 18) && !(access & PTA_IMPLICIT);

	if (access & PTA_EXEC) {
		if (user_mode)
			return user_page && v->x;
		return v->x && !(user_page && smep);
	}
	if (user_mode && !user_page)
		return false;
	if (!user_mode && user_page && smap && !ac)
		return false;
	if (access & PTA_WRITE)
		return v->w || (!user_mode && !wp);
	return true;
}

static bool model_key_allows(const struct pt_walk_env *env, u32 access,
			     const struct verdict *v)
{
	unsigned int key = v->leaf >> 59 & 15;
	bool on = bit(env->cr4, v->u ? 22 : 24) && bit(env->efer, 10);
	u32 reg = v->u ? env->pkru : env->pkrs;
	bool user_mode = (access & PTA_USER) && !(access & PTA_IMPLICIT);

	if (!on || (access & PTA_EXEC))
		return true;
	if (bit(reg, 2 * key))
		return false;
	return !(access & PTA_WRITE) || !bit(reg, 2 * key + 1) ||
	       (!user_mode && !bit(env->cr0, 16));
}

static u32 model_code(const struct pt_walk_env *env, u32 access,
		      const struct verdict *v, bool pk)
{
	u32 code = v->not_present ? 0 : 1;

	if (access & PTA_WRITE)
		code |= 2;
	if ((access & PTA_USER) && !(access & PTA_IMPLICIT))
		code |= 4;
	if (v->rsvd)
		code |= 8;
	if ((access & PTA_EXEC) && (bit(env->cr4, 20) ||
				    (bit(env->efer, 11) && bit(env->cr4, 5))))
		code |= 16;
	return pk ? code | 32 : code;
}

/* Fills v; returns the error code of a page fault. */
static u32 model(const struct pt_walk_env *env, u64 va, u32 access,
		 struct verdict *v)
{
	unsigned int bits = bit(env->cr4, 12) ? 57 : 48;
	bool pk = false;

	*v = (struct verdict){ .w = true, .u = true, .x = true };
	if (!bit(env->cr0, 31)) {
		v->gpa = env->nested ? va : (u32)va;
		v->size = 4096;
		return 0;
	}
	if (!bit(env->efer, 10) || !bit(env->cr4, 5))
		bits = 32;
	if (env->nested && bits < 64 && va >= 1ULL << bits) {
		v->ret = -EFAULT;
		v->not_present = true;
		return model_code(env, access, v, false);
	}
	if (!env->nested && bits > 32 && va + (1ULL << (bits - 1)) >= 1ULL << bits) {
		v->ret = -ERANGE;
		return 0;
	}
	if (!bit(env->cr4, 5))
		model_32(env, va, v);
	else if (!bit(env->efer, 10))
		model_pae(env, va, v);
	else
		model_long(env, va, v);
	if (!v->ret) {
		pk = !model_key_allows(env, access, v);
		if (pk || !model_allows(env, access, v))
			v->ret = -EFAULT;
	}
	return v->ret == -EFAULT ? model_code(env, access, v, pk) : 0;
}

/* Accessed and dirty as the model wants them, in before.mem. */
static void model_set_ad(u32 access, const struct verdict *v)
{
	for (unsigned int i = 0; i < v->n; i++) {
		u64 e = v->used[i].e;

		if (!v->used[i].has_a)
			continue;
		e |= 0x20;
		if (i == v->n - 1 && (access & PTA_WRITE))
			e |= 0x40;
		memcpy(before.mem + v->used[i].gpa, &e, v->used[i].bytes);
	}
}

/* ---- random tables --------------------------------------------------- */

enum outcome { GOOD, NOT_PRESENT, RSVD, DENIED, KEY, NO_MEMORY, NOT_CANONICAL,
	       OUTCOMES };

static u64 random_entry(struct rng *r, const struct pt_walk_env *env)
{
	u64 e = rng_next(r) & 0xe7e, addr = rng_below(r, WALK_PAGES) << 12;

	e |= !rng_one_in(r, 20);
	e |= rng_one_in(r, 4) ? 0 : 6;
	if (rng_one_in(r, 4)) {
		e |= 0x80;
		addr = rng_one_in(r, 3) ? addr : rng_below(r, 8) << 30;
		addr |= rng_one_in(r, 5) ? rng_next(r) & 0x3ffff000 : 0;
	}
	if (rng_one_in(r, 20))
		e |= 0x100;
	if (rng_one_in(r, 30))
		addr = rng_next(r) & 0xffffffffff000ULL;
	if (rng_one_in(r, bit(env->efer, 11) ? 8 : 60))
		e |= 1ULL << 63;
	if (rng_one_in(r, 3) && bit(env->efer, 10))
		e |= rng_next(r) & 0x7ff0000000000000ULL;
	return e | addr;
}

static u64 random_pdpte(struct rng *r)
{
	u64 e = rng_below(r, WALK_PAGES) << 12 | !rng_one_in(r, 10);

	return rng_one_in(r, 6) ? e | 1ULL << rng_below(r, 64) : e;
}

static struct pt_walk_env random_env(struct rng *r)
{
	struct pt_walk_env env = {
		.cr0 = 1 | (u64)!rng_one_in(r, 20) << 31 |
		       (rng_next(r) & CR0_WP),
		.cr3 = rng_below(r, WALK_PAGES) << 12 | (rng_next(r) & 0xfff),
		.cr4 = rng_next(r) & (CR4_PSE | CR4_PGE | CR4_LA57 | CR4_SMEP |
				      CR4_SMAP | CR4_PKE | CR4_PKS),
		.efer = rng_next(r) & EFER_NXE,
		.rflags = rng_next(r),
		.pkru = rng_next(r) & rng_next(r),
		.pkrs = rng_next(r) & rng_next(r),
		.maxphyaddr = 36 + rng_below(r, 17),
		.page1g = rng_one_in(r, 2),
		.amd = rng_one_in(r, 2),
		.set_ad = rng_one_in(r, 2),
		.nested = rng_one_in(r, 6),
		.mem = walk_access(&guest),
	};

	if (!rng_one_in(r, 4))
		env.cr4 |= CR4_PAE;
	if ((env.cr4 & CR4_PAE) && !rng_one_in(r, 3))
		env.efer |= EFER_LMA;
	env.use_pdptr = rng_one_in(r, 2);
	for (int i = 0; i < 4; i++)
		env.pdptr[i] = random_pdpte(r);
	return env;
}

static void random_tables(struct rng *r, const struct pt_walk_env *env)
{
	for (unsigned int i = 0; i < WALK_BYTES; i += 8) {
		u64 e = random_entry(r, env);

		if (!(env->cr4 & CR4_PAE))
			e = (u32)random_entry(r, env) | e << 32;
		else if (!(env->efer & EFER_LMA) && i % 32 == (i & 0x3ff))
			e = random_pdpte(r);
		memcpy(guest.mem + i, &e, 8);
	}
}

static u64 random_va(struct rng *r, const struct pt_walk_env *env)
{
	unsigned int bits = env->cr4 & CR4_LA57 ? 57 : 48;
	u64 va = rng_next(r);

	if (rng_one_in(r, 10))
		return va;
	if (env->nested)
		return va & ((1ULL << (env->efer & EFER_LMA ? bits : 32)) - 1);
	return (u64)((s64)(va << (64 - bits)) >> (64 - bits));
}

static enum outcome classify(const struct verdict *v, u32 code)
{
	if (v->ret == -EIO)
		return NO_MEMORY;
	if (v->ret == -ERANGE)
		return NOT_CANONICAL;
	if (!v->ret)
		return GOOD;
	if (v->not_present)
		return NOT_PRESENT;
	if (v->rsvd)
		return RSVD;
	return code & PFERR_PK ? KEY : DENIED;
}

static void compare(const struct pt_walk_env *env, u64 va, u32 access,
		    const struct verdict *v, u32 code)
{
	struct pt_walk_result res;
	int ret;

	guest.reads = 0;
	ret = pt_walk(env, va, access, &res);
	assert_int_equal(ret, v->ret);
	/* A table that maps itself changes under its own accessed bits. */
	assert_true(guest.reads <= (env->set_ad ? 30 : 5));
	assert_int_equal(res.error_code, code);
	if (ret == -EIO)
		assert_int_equal(res.entry_gpa, v->used[v->n - 1].gpa);
	if (ret)
		return;
	assert_int_equal(res.gpa, v->gpa);
	assert_int_equal(res.page_size, v->size);
	assert_int_equal(res.prot, PT_R | (v->w ? PT_W : 0) | (v->x ? PT_X : 0) |
			 (v->u ? PT_U : 0));
	if (v->n) {
		assert_int_equal(res.entry_gpa, v->used[v->n - 1].gpa);
		assert_int_equal(res.dirty, bit(res.entry, 6));
	}
}

static void test_random_against_model(void **state)
{
	static const u32 accesses[] = { PTA_READ, PTA_WRITE, PTA_EXEC };
	struct rng r = rng_seed(20);
	unsigned int count[OUTCOMES] = { 0 };

	for (int round = 0; round < 1200; round++) {
		struct pt_walk_env env = random_env(&r);

		random_tables(&r, &env);
		memcpy(before.mem, guest.mem, WALK_BYTES);
		for (int i = 0; i < 60; i++) {
			u64 va = random_va(&r, &env);
			u32 access = accesses[rng_below(&r, 3)], code;
			struct verdict v;

			access |= rng_one_in(&r, 2) ? PTA_USER : 0;
			access |= rng_one_in(&r, 8) && !(access & PTA_EXEC) ?
				  PTA_IMPLICIT : 0;
			code = model(&env, va, access, &v);
			compare(&env, va, access, &v, code);
			if (!v.ret && env.set_ad)
				model_set_ad(access, &v);
			count[classify(&v, code)]++;
		}
		assert_memory_equal(before.mem, guest.mem, WALK_BYTES);
	}
	/* 72000 walks: none of the outcomes may be rare. */
	for (int i = 0; i < OUTCOMES; i++)
		assert_true(count[i] > 500);
	printf("# good %u, not present %u, reserved %u, denied %u, key %u, no memory %u, "
	       "not canonical %u\n",
	       count[0], count[1], count[2], count[3], count[4], count[5],
	       count[6]);
}

/* ---- what the random test does not reach ----------------------------- */

static void put(u64 gpa, u64 e)
{
	memcpy(guest.mem + gpa, &e, 8);
}

static struct pt_walk_env long_env(void)
{
	memset(&guest, 0, sizeof(guest));
	put(0x0000, 0x1007);
	put(0x1000, 0x2007);
	put(0x2000, 0x3007);
	put(0x3000, 0xabc007);
	return (struct pt_walk_env){
		.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr4 = CR4_PAE,
		.efer = EFER_LMA | EFER_NXE, .maxphyaddr = 48, .set_ad = true,
		.mem = walk_access(&guest),
	};
}

static void test_changing_entries_start_the_walk_again(void **state)
{
	struct pt_walk_env env = long_env();
	struct pt_walk_result res;

	guest.races = 3;
	assert_int_equal(pt_walk(&env, 0x123, PTA_WRITE, &res), 0);
	assert_int_equal(res.gpa, 0xabc123);
	assert_true(res.dirty);
	assert_int_equal(guest.races, 0);
	assert_int_equal(guest.reads, 4 * 4);
	env = long_env();
	guest.races = 1000000;
	assert_int_equal(pt_walk(&env, 0, PTA_READ, &res), -EAGAIN);
	assert_true(guest.races > 999900);
}

static int refuse(void *ctx, u64 gpa, u64 old, u64 new, unsigned int len)
{
	return gpa == 0x2000 ? -EPERM : walk_cmpxchg(ctx, gpa, old, new, len);
}

static void test_table_in_rom(void **state)
{
	struct pt_walk_env env = long_env();
	struct pt_walk_result res;

	env.mem.cmpxchg = refuse;
	assert_int_equal(pt_walk(&env, 0, PTA_READ, &res), -EIO);
	assert_int_equal(res.entry_gpa, 0x2000);
	assert_int_equal(res.level, 2);
	/* Entries that have their bits are not written. */
	put(0x2000, 0x3027);
	assert_int_equal(pt_walk(&env, 0, PTA_READ, &res), 0);
	assert_int_equal(res.dirty, false);
}

static void test_pat_index(void **state)
{
	struct pt_walk_env env = long_env();
	struct pt_walk_result res;

	put(0x3000, 0xabc007 | PTE_PAT | PTE_PWT);
	assert_int_equal(pt_walk(&env, 0, PTA_READ, &res), 0);
	assert_int_equal(res.pat_index, 5);
	put(0x2000, 0x200087 | PTE_PAT_LARGE | PTE_PCD);
	assert_int_equal(pt_walk(&env, 0, PTA_READ, &res), 0);
	assert_int_equal(res.pat_index, 6);
	assert_int_equal(res.page_size, SIZE_2M);
	assert_int_equal(res.gpa, 0x200000);
}

/* The walker finds what the mapper made, in every mode. */
static void walk_mapped(const struct pt_format *f, u64 cr4, u64 efer, u64 base)
{
	static struct pt_arena arena;
	struct rng r = rng_seed(21);
	struct pt_config cfg;
	struct pt_walk_env env = {
		.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr4 = cr4, .efer = efer,
		.maxphyaddr = 52, .page1g = true, .amd = true,
	};
	struct pt_walk_result res;
	struct pt_mapping k;
	unsigned int hits = 0;
	struct pt pt;

	arena_open(&arena);
	cfg = arena_config(&arena, f);
	assert_int_equal(pt_init(&pt, &cfg), 0);
	for (int i = 0; i < 200; i++) {
		u64 size = (1 + rng_below(&r, 600)) << 12;
		u64 off = rng_below(&r, (64 << 20) - size) & PAGE_MASK;
		u32 prot = PT_R | (rng_next(&r) & (PT_RWX | PT_U));

		if (f->entry_size == 4)
			prot |= PT_X;
		assert_int_equal(pt_map(&pt, base + off, off, size, prot,
					SIZE_1G), 0);
	}
	env.cr3 = pt.root;
	env.mem = (struct pt_mem){ arena_read, NULL, &arena };
	for (int i = 0; i < 5000; i++) {
		u64 va = base + rng_below(&r, 64 << 20);
		int ret = pt_query(&pt, va, &k);

		hits += !ret;
		assert_int_equal(pt_walk(&env, va, PTA_READ, &res),
				 ret ? -EFAULT : 0);
		if (ret)
			continue;
		assert_int_equal(res.gpa, k.pa);
		assert_int_equal(res.page_size, k.size);
		assert_int_equal(res.entry, k.entry);
		assert_int_equal(res.prot, k.prot & (PT_RWX | PT_U));
	}
	assert_true(hits > 1000);
	pt_free(&pt);
	arena_close(&arena);
}

static void test_walks_what_pt_maps(void **state)
{
	walk_mapped(&pt_format_32bit, CR4_PSE, 0, 0xfc000000);
	walk_mapped(&pt_format_pae, CR4_PAE, EFER_NXE, 0x7f000000);
	walk_mapped(&pt_format_4level, CR4_PAE, EFER_NXE | EFER_LMA,
		    0xffffffffbf000000);
	walk_mapped(&pt_format_5level, CR4_PAE | CR4_LA57, EFER_NXE | EFER_LMA,
		    0xffabcdef7f000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_against_model),
		cmocka_unit_test(test_changing_entries_start_the_walk_again),
		cmocka_unit_test(test_table_in_rom),
		cmocka_unit_test(test_pat_index),
		cmocka_unit_test(test_walks_what_pt_maps),
	};

	return cmocka_run_group_tests_name("pt_walk", tests, NULL, NULL);
}
