// SPDX-License-Identifier: MIT
/*
 * Shadow tables under random L1s: tables that point to each other, to
 * themselves and to memory of each kind, and change with and without flushes.
 * After a flush the shadow must agree with a fresh walk of both levels; what
 * did not change must have survived it.
 */
#include "tests/unit/shadow_box.h"
#include "tests/unit/rng.h"

#define TABLE_PAGES	8u
#define ENTRIES		3u	/* used of each table, from 0 */
#define POOL		81u	/* ENTRIES ^ 4 */
#define AD		(PTE_A | PTE_D)

static struct shadow_box box;

struct path {
	unsigned int n;
	bool ad_changed;	/* A and D bits may have changed several times */
	u64 gpa[PT_MAX_LEVELS], value[PT_MAX_LEVELS];
};

/* The addresses of L2 that are used, and how those that are mapped were found. */
static struct {
	u64 l2;
	struct path path;
} pool[POOL];
static unsigned int pooled;

static struct {
	u64 fills, kept, gone, reflected, mmio;
} seen;

/* ---- the fresh walk ---------------------------------------------------- */

static u64 memory(u64 gpa)
{
	u64 e = 0;
	unsigned int size = box.mode->format->entry_size;

	return gmem_read(&box.mem, gpa, &e, size) ? ~0ULL >> (64 - 8 * size) : e;
}

static int model_read(void *ctx, u64 gpa, void *buf, unsigned int len)
{
	struct path *p = ctx;
	u64 e = memory(gpa);

	p->gpa[p->n] = gpa;
	p->value[p->n++] = e;
	memcpy(buf, &e, len);
	return 0;
}

static int fresh_walk(u64 l2, u32 access, struct pt_walk_result *res, struct path *path)
{
	struct pt_walk_env env = {
		.cr0 = CR0_PG | CR0_WP, .cr3 = box.s.key.root, .cr4 = box.mode->cr4,
		.efer = box.mode->efer, .maxphyaddr = box.cfg.maxphyaddr,
		.page1g = box.cfg.page1g, .amd = true, .nested = true,
		.mem = { model_read, NULL, path },
	};

	path->n = 0;
	return pt_walk(&env, l2, access | PTA_USER, res);
}

/* ---- random L1 --------------------------------------------------------- */

static u64 random_target(struct rng *r)
{
	static const u64 others[] = { ROM, DEVICE, NOTHING, HUGE, HUGE + SIZE_2M, 0x200000, 0 };

	if (!rng_one_in(r, 4))
		return TABLES + rng_below(r, TABLE_PAGES) * PAGE_SIZE;
	if (rng_one_in(r, 2))
		return ODD + rng_below(r, 4) * PAGE_SIZE;
	return others[rng_below(r, ARRAY_SIZE(others))];
}

/* What large pages of all sizes can point to, and some cannot. */
static u64 random_large(struct rng *r)
{
	static const u64 targets[] = { 0, HUGE, HUGE, HUGE + SIZE_2M, ODD, 0x400000, NOTHING };

	return targets[rng_below(r, ARRAY_SIZE(targets))] | PTE_PS;
}

static u64 random_entry(struct rng *r)
{
	u64 e = rng_one_in(r, 10) ? random_large(r) : random_target(r);

	e |= PTE_P | PTE_W | PTE_U;
	if (rng_one_in(r, 16))
		e &= ~PTE_P;
	if (rng_one_in(r, 8))
		e &= ~PTE_W;
	if (rng_one_in(r, 20))
		e &= ~PTE_U;
	if (rng_one_in(r, 8))
		e |= PTE_NX;
	if (rng_one_in(r, 4))
		e |= rng_next(r) & AD;
	if (rng_one_in(r, 20))
		e ^= rng_next(r) & (BITS(62, 52) | BITS(20, 8));
	/* The top level of PAE has only reserved bits there. */
	if (box.mode == MODE_PAE && rng_one_in(r, 3))
		e &= ~(PTE_W | PTE_U | AD | PTE_NX | PTE_PS);
	return e;
}

static void write_entry(struct rng *r)
{
	unsigned int size = box.mode->format->entry_size;
	bool rom = rng_one_in(r, 20);
	u8 *page = rom ? box.rom : box.low + TABLES + rng_below(r, TABLE_PAGES) * PAGE_SIZE;
	u8 *p = page + rng_below(r, ENTRIES) * size;
	u64 e = 0;

	memcpy(&e, p, size);
	if (rng_one_in(r, 4))
		e ^= 1ULL << rng_below(r, 12);
	else
		e = random_entry(r);
	memcpy(p, &e, size);
}

/* ---- comparison -------------------------------------------------------- */

static void check_mapping(u64 l2, const struct pt_mapping *m, bool just_filled)
{
	struct gmem_backing b;
	struct pt_walk_result res;
	struct path path;
	bool rw;

	assert_int_equal(fresh_walk(l2, PTA_READ, &res, &path), 0);
	assert_int_equal(gmem_backing(&box.mem, res.gpa, MIN(res.page_size, box.cfg.page_max),
				      &b), 0);
	assert_int_equal(m->pa, b.pa + (res.gpa - b.gpa));
	assert_int_equal(m->size, b.size);
	assert_int_equal(m->prot & PT_X, res.prot & PT_X);
	rw = res.prot & PT_W && res.dirty && !(b.flags & GMEM_RO);
	/* A write that ROM took for the dirty bit was only good for one fill. */
	if (!just_filled)
		assert_true(!(m->prot & PT_W) || rw || path.gpa[path.n - 1] >= ROM);
	else if (rw)
		assert_true(m->prot & PT_W);
}

/* True when all of a path is as it was; *changed when more than A and D is not. */
static bool intact(struct path *p, bool *changed)
{
	bool same = true;

	*changed = false;
	for (unsigned int i = 0; i < p->n; i++) {
		u64 diff = p->value[i] ^ memory(p->gpa[i]);

		same = same && !diff;
		*changed = *changed || diff & ~AD;
	}
	p->ad_changed = p->ad_changed || !same;
	return same && !p->ad_changed;
}

/* Values must be those of after the fill: its A and D bits are in memory. */
static void note_fill(u64 l2)
{
	struct pt_walk_result res;
	struct pt_mapping m;
	struct path path = { .n = 0 };
	bool changed;

	assert_int_equal(pt_query(&box.s.pt, l2, &m), 0);
	check_mapping(l2, &m, true);
	assert_int_equal(fresh_walk(l2, PTA_READ, &res, &path), 0);
	for (unsigned int i = 0; i < pooled; i++)
		intact(&pool[i].path, &changed);
	for (unsigned int i = 0; i < pooled; i++)
		if (pool[i].l2 - ALIGN_DOWN(l2, m.size) < m.size)
			pool[i].path = path;
}

static void random_fill(struct rng *r)
{
	static const u32 kinds[] = { PTA_READ, PTA_WRITE, PTA_EXEC };
	u64 l2 = pool[rng_below(r, pooled)].l2;
	u32 access = kinds[rng_below(r, 3)];
	struct pt_walk_result res;
	struct path path;
	int ret = fresh_walk(l2, access, &res, &path);
	enum shadow_result got = fill(&box, l2, access);

	if (ret) {
		assert_int_equal(ret, -EFAULT);
		assert_int_equal(got, SHADOW_REFLECT);
		assert_int_equal(box.f.error_code, res.error_code);
		seen.reflected++;
		return;
	}
	assert_int_equal(box.f.l1_gpa, res.gpa);
	assert_int_equal(box.f.page_size, res.page_size);
	if (got == SHADOW_MMIO) {
		const struct gmem_slot *s = gmem_slot(&box.mem, res.gpa);

		assert_true(!s || s->flags & GMEM_MMIO ||
			    (s->flags & GMEM_RO && access & PTA_WRITE));
		seen.mmio++;
		return;
	}
	assert_int_equal(got, SHADOW_OK);
	note_fill(l2);
	seen.fills++;
}

static void sync_and_check(void)
{
	bool was[POOL], same[POOL], changed[POOL];
	struct pt_mapping m;
	u64 gen = box.s.gen;
	bool any = false, taken;

	for (unsigned int i = 0; i < pooled; i++) {
		was[i] = mapped(&box, pool[i].l2);
		same[i] = intact(&pool[i].path, &changed[i]);
		any = any || (was[i] && changed[i]);
	}
	taken = shadow_sync(&box.s);
	assert_int_equal(taken, box.s.gen != gen);
	if (any)
		assert_int_not_equal(box.s.gen, gen);
	for (unsigned int i = 0; i < pooled; i++) {
		bool now = !pt_query(&box.s.pt, pool[i].l2, &m);

		if (!was[i] || changed[i])
			assert_false(now);
		else if (same[i])
			assert_true(now);
		if (now)
			check_mapping(pool[i].l2, &m, false);
		seen.kept += now;
		seen.gone += was[i] && !now;
	}
}

/* ---- the runs ---------------------------------------------------------- */

static void make_pool(void)
{
	const struct pt_format *f = box.mode->format;
	unsigned int levels = MIN(f->levels, 4);

	pooled = 1;
	for (unsigned int l = 0; l < levels; l++)
		pooled *= ENTRIES;
	for (unsigned int i = 0; i < pooled; i++) {
		unsigned int rest = i;

		memset(&pool[i], 0, sizeof(pool[i]));
		for (unsigned int l = 0; l < levels; l++, rest /= ENTRIES)
			pool[i].l2 |= (u64)(rest % ENTRIES) << f->level[l].shift;
	}
}

static void open_random(struct rng *r, const struct l1_mode *m)
{
	struct shadow_key key;

	box_open_l1(&box, m);
	box.cfg.max_records = rng_one_in(r, 2) ? 8192 : 5 + rng_below(r, 60);
	box.cfg.max_tables = rng_one_in(r, 2) ? 512 : 8 + rng_below(r, 20);
	box.cfg.page_max = rng_one_in(r, 3) ? PAGE_SIZE : rng_one_in(r, 2) ? SIZE_2M : SIZE_1G;
	assert_int_equal(shadow_init(&box.s, &box.cfg), 0);
	key = box_key(&box, TABLES, 1);
	shadow_bind(&box.s, &key);
	make_pool();
	for (unsigned int i = 0; i < 60; i++)
		write_entry(r);
}

static void random_l1(struct rng *r, const struct l1_mode *m)
{
	open_random(r, m);
	for (unsigned int i = 0; i < 1500; i++) {
		unsigned int what = rng_below(r, 16);

		if (what < 11)
			random_fill(r);
		else if (what < 13)
			write_entry(r);
		else
			sync_and_check();
		assert_true(box.s.n <= box.cfg.max_records);
		assert_true(box.s.pt.tables <= box.cfg.max_tables);
	}
	box_close(&box);
}

static void test_random(const struct l1_mode *m, u64 seed)
{
	struct rng r = rng_seed(seed);

	memset(&seen, 0, sizeof(seen));
	for (int i = 0; i < 40; i++)
		random_l1(&r, m);
	printf("# %s: %llu fills, %llu reflected, %llu devices; flushes kept %llu, took %llu\n",
	       m->name, (unsigned long long)seen.fills, (unsigned long long)seen.reflected,
	       (unsigned long long)seen.mmio, (unsigned long long)seen.kept,
	       (unsigned long long)seen.gone);
	assert_true(seen.fills > 400 && seen.kept > 1000 && seen.gone > 50);
}

static void test_random_4level(void **state)
{
	test_random(&l1_modes[0], 21);
}

static void test_random_5level(void **state)
{
	test_random(&l1_modes[1], 22);
}

static void test_random_pae(void **state)
{
	test_random(&l1_modes[2], 23);
}

static void test_random_32bit(void **state)
{
	test_random(&l1_modes[3], 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_4level),
		cmocka_unit_test(test_random_5level),
		cmocka_unit_test(test_random_pae),
		cmocka_unit_test(test_random_32bit),
	};

	return cmocka_run_group_tests_name("shadow_model", tests, NULL, NULL);
}
