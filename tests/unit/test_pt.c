// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mm/pt.h"
#include "tests/unit/pt_arena.h"
#include "tests/unit/rng.h"

static struct pt_arena arena;

static int setup(void **state)
{
	arena_open(&arena);
	return 0;
}

static int teardown(void **state)
{
	arena_close(&arena);
	return 0;
}

static struct pt_config config(const struct pt_format *f)
{
	return arena_config(&arena, f);
}

static void start(struct pt *pt, const struct pt_format *f)
{
	struct pt_config cfg = config(f);

	assert_int_equal(pt_init(pt, &cfg), 0);
}

static void stop(struct pt *pt)
{
	pt_free(pt);
	assert_int_equal(pt->tables, 0);
	assert_int_equal(arena.n_free, ARENA_PAGES);
}

static u64 entry(struct pt *pt, u64 va, unsigned int level)
{
	void *p = pt_entry(pt, va, level);

	assert_non_null(p);
	return pt->cfg.format->entry_size == 4 ? *(u32 *)p : *(u64 *)p;
}

static void test_raw_entries_long(void **state)
{
	u64 va = 0xffff800000000000ULL;
	struct pt pt;

	start(&pt, &pt_format_4level);
	assert_int_equal(pt_map(&pt, va, 0x5000, 0x1000, PT_RW, SIZE_1G), 0);
	assert_int_equal(entry(&pt, va, 1), 0x8000000000005003);
	assert_int_equal(entry(&pt, va, 2) & 0xfff, 7);
	assert_int_equal(entry(&pt, va, 4) & 0x8000000000000fff, 7);
	assert_int_equal(pt_map(&pt, va, SIZE_1G, SIZE_1G,
				PT_RX | PT_U | PT_G | PT_UC, SIZE_1G), 0);
	assert_int_equal(entry(&pt, va, 3), SIZE_1G | 0x19d);
	assert_null(pt_entry(&pt, va, 2));
	assert_null(pt_entry(&pt, va, 0));
	assert_null(pt_entry(&pt, va, 5));
	assert_int_equal(pt.tables, 2);
	/* Write-through is PAT entry 1; PAT moves between bit 12 and bit 7. */
	pt.cfg.pat = 0x0107040600070406ULL;
	assert_int_equal(pt_map(&pt, va, SIZE_2M, SIZE_2M,
				PT_RWX | PT_MT(MT_WC), SIZE_2M), 0);
	assert_int_equal(entry(&pt, va, 2), SIZE_2M | 0x109b);
	assert_int_equal(pt_protect(&pt, va, 0x1000, PT_RX | PT_MT(MT_WT)), 0);
	assert_int_equal(entry(&pt, va, 1), SIZE_2M | 0x009);
	assert_int_equal(entry(&pt, va + 0x1000, 1), (SIZE_2M + 0x1000) | 0x9b);
	stop(&pt);
}

static void test_raw_entries_ept(void **state)
{
	struct pt pt;

	start(&pt, &pt_format_ept);
	assert_int_equal(pt_map(&pt, 0, 0x200000, SIZE_2M, PT_RWX, SIZE_2M), 0);
	assert_int_equal(entry(&pt, 0, 4) & 0xfff, 7);
	assert_int_equal(entry(&pt, 0, 2), 0x2000b7);
	assert_int_equal(pt_protect(&pt, 0x3000, 0x1000,
				    PT_X | PT_MT(MT_UC) | PT_IPAT), 0);
	assert_int_equal(entry(&pt, 0x3000, 1), 0x203044);
	assert_int_equal(entry(&pt, 0x4000, 1), 0x204037);
	assert_int_equal(pt_map(&pt, 0, 0, 0x1000, PT_W, PAGE_SIZE), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0, 0x1000, PT_W | PT_X, PAGE_SIZE),
			 -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0, 0x1000, 0, PAGE_SIZE), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0, 0x1000, PT_R | PT_MT(MT_UCM),
				PAGE_SIZE), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0, 0x1000, PT_R | PT_MT(2), PAGE_SIZE),
			 -EINVAL);
	stop(&pt);
}

static void test_raw_entries_legacy(void **state)
{
	struct pt pt;

	start(&pt, &pt_format_32bit);
	assert_int_equal(pt_map(&pt, 0xffc00000, 0x400000, 0x400000, PT_RWX,
				4 << 20), 0);
	assert_int_equal(entry(&pt, 0xffc00000, 2), 0x400083);
	assert_int_equal(pt_unmap(&pt, 0xfffff000, 0x1000), 0);
	assert_int_equal(entry(&pt, 0xffffe000, 1), 0x7fe003);
	assert_int_equal(entry(&pt, 0xfffff000, 1), 0);
	assert_int_equal(pt_map(&pt, 0, 1ULL << 32, 0x1000, PT_R, PAGE_SIZE),
			 -ERANGE);
	stop(&pt);

	start(&pt, &pt_format_pae);
	assert_int_equal(pt_map(&pt, 0xc0000000, 1ULL << 40, 0x1000, PT_RW | PT_U,
				SIZE_1G), 0);
	/* SDM3 table 4-8: all but P, PWT, PCD and the address is reserved. */
	assert_int_equal(entry(&pt, 0xc0000000, 3) & ~PTE_ADDR, 1);
	assert_int_equal(entry(&pt, 0xc0000000, 1),
			 0x8000000000000007 | 1ULL << 40);
	stop(&pt);

	start(&pt, &pt_format_npt);
	assert_int_equal(pt_map(&pt, 0, 0, 0x1000, PT_RX | PT_G, SIZE_1G), 0);
	assert_int_equal(entry(&pt, 0, 1), 5);
	stop(&pt);
}

static void test_no_nx(void **state)
{
	struct pt_config cfg = config(&pt_format_4level);
	struct pt_mapping k;
	struct pt pt;

	cfg.nx = false;
	assert_int_equal(pt_init(&pt, &cfg), 0);
	assert_int_equal(pt_map(&pt, 0x1000, 0x1000, 0x1000, PT_R, PAGE_SIZE), 0);
	assert_int_equal(entry(&pt, 0x1000, 1), 0x1001);
	assert_int_equal(pt_query(&pt, 0x1000, &k), 0);
	assert_true(k.prot & PT_X);
	stop(&pt);
}

static void test_arguments(void **state)
{
	struct pt_config none = config(NULL);
	struct pt_mapping k;
	struct pt pt;

	assert_int_equal(pt_init(&pt, &none), -EINVAL);
	start(&pt, &pt_format_4level);
	assert_int_equal(pt_map(&pt, 1, 0, PAGE_SIZE, PT_R, PAGE_SIZE), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 1, PAGE_SIZE, PT_R, PAGE_SIZE), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0, 1, PT_R, PAGE_SIZE), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0, 0, PT_R, PAGE_SIZE), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0, PAGE_SIZE, PT_W, PAGE_SIZE), -EINVAL);
	assert_int_equal(pt_map(&pt, 0, 0, PAGE_SIZE, PT_R, 1), -EINVAL);
	assert_int_equal(pt_map(&pt, 1ULL << 47, 0, PAGE_SIZE, PT_R, PAGE_SIZE),
			 -ERANGE);
	assert_int_equal(pt_map(&pt, (1ULL << 47) - PAGE_SIZE, 0, 2 * PAGE_SIZE,
				PT_R, PAGE_SIZE), -ERANGE);
	/* Both ends are canonical, the hole lies between them. */
	assert_int_equal(pt_unmap(&pt, (1ULL << 47) - PAGE_SIZE,
				  (0xffffULL << 48) + 2 * PAGE_SIZE), -ERANGE);
	assert_int_equal(pt_map(&pt, 0ULL - PAGE_SIZE, 0, 2 * PAGE_SIZE, PT_R,
				PAGE_SIZE), -ERANGE);
	assert_int_equal(pt_map(&pt, 0, (1ULL << 52) - PAGE_SIZE, 2 * PAGE_SIZE,
				PT_R, PAGE_SIZE), -ERANGE);
	/* The very last page does exist. */
	assert_int_equal(pt_map(&pt, 0ULL - PAGE_SIZE, 0, PAGE_SIZE, PT_R,
				PAGE_SIZE), 0);
	assert_int_equal(pt_query(&pt, ~0ULL, &k), 0);
	assert_int_equal(k.pa, 0xfff);
	assert_int_equal(pt_query(&pt, 1ULL << 47, &k), -ERANGE);
	assert_int_equal(pt_query(&pt, 0x1000, &k), -ENOENT);
	assert_int_equal(k.level, 4);
	assert_int_equal(k.size, 1ULL << 39);
	assert_int_equal(pt_unmap(&pt, 0, 1ULL << 47), 0);
	assert_int_equal(pt_unmap(&pt, 0xffffULL << 48 | 1ULL << 47, 1ULL << 47),
			 0);
	assert_int_equal(pt.tables, 1);
	stop(&pt);

	start(&pt, &pt_format_5level);
	assert_int_equal(pt_map(&pt, 1ULL << 55, 0, PAGE_SIZE, PT_R, PAGE_SIZE),
			 0);
	assert_int_equal(pt.tables, 5);
	assert_int_equal(pt_map(&pt, 1ULL << 56, 0, PAGE_SIZE, PT_R, PAGE_SIZE),
			 -ERANGE);
	stop(&pt);
}

static void test_out_of_memory_leaves_a_usable_table(void **state)
{
	struct pt_config cfg = config(&pt_format_npt);
	struct pt_mapping k;
	struct pt pt;

	start(&pt, &pt_format_npt);
	assert_int_equal(pt_map(&pt, 0, 0, SIZE_1G, PT_RW, SIZE_1G), 0);
	for (unsigned int budget = 0; budget < 3; budget++) {
		int ret;

		arena.budget = budget;
		ret = pt_unmap(&pt, 0x5000, 0x1000);
		arena.budget = ~0u;
		/* From 1G to 4K it takes two tables. */
		assert_int_equal(ret, budget < 2 ? -ENOMEM : 0);
		assert_int_equal(pt_query(&pt, 0x6123, &k), 0);
		assert_int_equal(k.pa, 0x6123);
		if (budget < 2) {
			assert_int_equal(pt_query(&pt, 0x5123, &k), 0);
			assert_int_equal(pt_map(&pt, 0, 0, SIZE_1G, PT_RW,
						SIZE_1G), 0);
		}
	}
	assert_int_equal(pt_query(&pt, 0x5123, &k), -ENOENT);
	stop(&pt);
	arena.budget = 0;
	assert_int_equal(pt_init(&pt, &cfg), -ENOMEM);
}

/* pt_map_page against pt_map, over what was there. */
static void test_map_page(void **state)
{
	static const u64 sizes[] = { PAGE_SIZE, SIZE_2M, SIZE_1G };
	struct pt_mapping a, b;
	struct pt pt, ref;
	bool replaced;

	start(&pt, &pt_format_npt);
	start(&ref, &pt_format_npt);
	for (unsigned int i = 0; i < 9; i++) {
		u64 size = sizes[i * 5 % 3], va = ALIGN_DOWN(SIZE_1G + 0x654000, size);
		u32 prot = i % 2 ? PT_RWX | PT_UC : PT_R;

		assert_int_equal(pt_map_page(&pt, va, SIZE_1G * i, size, prot, &replaced), 0);
		assert_int_equal(replaced, i > 0);
		assert_int_equal(pt_map(&ref, va, SIZE_1G * i, size, prot, size), 0);
		for (u64 off = 0; off < SIZE_1G; off += SIZE_2M / 2 + PAGE_SIZE) {
			int err = pt_query(&ref, SIZE_1G + off, &b);

			assert_int_equal(pt_query(&pt, SIZE_1G + off, &a), err);
			if (!err)
				assert_int_equal(a.entry, b.entry);
		}
		assert_int_equal(pt.tables, ref.tables);
	}
	pt_free(&ref);
	assert_int_equal(pt_map_page(&pt, 0, 0, SIZE_2M * 2, PT_R, &replaced), -EINVAL);
	assert_int_equal(pt_map_page(&pt, 0, 0, 1ULL << 39, PT_R, &replaced), -EINVAL);
	assert_int_equal(pt_map_page(&pt, PAGE_SIZE, 0, SIZE_2M, PT_R, &replaced), -EINVAL);
	assert_int_equal(pt_map_page(&pt, 0, PAGE_SIZE, SIZE_2M, PT_R, &replaced), -EINVAL);
	assert_int_equal(pt_map_page(&pt, 0, 0, PAGE_SIZE, PT_W, &replaced), -EINVAL);
	assert_int_equal(pt_map_page(&pt, 1ULL << 48, 0, PAGE_SIZE, PT_R, &replaced), -ERANGE);
	assert_int_equal(pt_map_page(&pt, 0, 1ULL << 52, PAGE_SIZE, PT_R, &replaced), -ERANGE);
	arena.budget = 1;
	assert_int_equal(pt_map_page(&pt, 1ULL << 40, 0, PAGE_SIZE, PT_R, &replaced), -ENOMEM);
	stop(&pt);
}

static void test_clear_keeps_only_the_root(void **state)
{
	struct pt_mapping m;
	struct pt pt;
	u64 root;

	start(&pt, &pt_format_npt);
	root = pt.root;
	for (u64 va = 0; va < 1ULL << 48; va += 1ULL << 44) {
		assert_int_equal(pt_map(&pt, va, 0x5000, PAGE_SIZE, PT_RWX, PAGE_SIZE), 0);
		assert_int_equal(pt_map(&pt, va + SIZE_1G, SIZE_2M, SIZE_2M, PT_RWX, SIZE_2M), 0);
	}
	pt_clear(&pt);
	assert_int_equal(pt.root, root);
	assert_int_equal(pt.tables, 1);
	for (u64 va = 0; va < 1ULL << 48; va += 1ULL << 44) {
		assert_int_equal(pt_query(&pt, va, &m), -ENOENT);
		assert_int_equal(m.level, 4);
	}
	stop(&pt);
}

static void test_make_entry(void **state)
{
	struct pt_mapping k;
	struct pt pt;
	u64 *e;

	start(&pt, &pt_format_ept);
	assert_int_equal(pt_map(&pt, 0, 0, SIZE_1G, PT_RWX, SIZE_1G), 0);
	e = pt_make_entry(&pt, 0x201000, 1);
	assert_non_null(e);
	assert_int_equal(*e, 0x201037);
	assert_ptr_equal(e, pt_entry(&pt, 0x201000, 1));
	*e = EPT_W;
	assert_int_equal(pt_query(&pt, 0x201000, &k), 0);
	assert_int_equal(k.prot & PT_RWX, PT_W);
	assert_null(pt_make_entry(&pt, 0, 5));
	assert_null(pt_make_entry(&pt, 0, 0));
	assert_null(pt_make_entry(&pt, 1ULL << 48, 1));
	stop(&pt);
}

/*
 * Random operations against a flat picture: one record per 4K page of a
 * window of a little over 2G.
 */
#define WINDOW	((2 * SIZE_1G + 3 * SIZE_2M) / PAGE_SIZE)

struct cell {
	u64 pa;
	u32 prot;		/* 0 = not mapped */
	bool a, d;
};

struct model {
	const struct pt_format *f;
	struct pt pt;
	struct rng rng;
	u64 base;
	struct cell *cell;
	u32 mask;		/* protection bits that the format can say */
	u64 mapped, unmapped;	/* pages seen by expect_page */
};

static void expect_page(struct model *w, u64 page)
{
	u64 off = rng_below(&w->rng, PAGE_SIZE), va = w->base + page * PAGE_SIZE;
	const struct cell *c = &w->cell[page];
	struct pt_mapping k;
	int ret = pt_query(&w->pt, va + off, &k);

	if (!c->prot) {
		assert_int_equal(ret, -ENOENT);
		w->unmapped++;
		return;
	}
	w->mapped++;
	assert_int_equal(ret, 0);
	assert_int_equal(k.pa, c->pa + off);
	assert_int_equal(k.prot, c->prot);
	assert_int_equal(k.accessed, c->a);
	assert_int_equal(k.dirty, c->d);
}

/* A range with a length and an alignment that large pages like or not. */
static void random_range(struct model *w, u64 *first, u64 *pages)
{
	u64 unit = 1, max;

	switch (rng_below(&w->rng, 4)) {
	case 0:
		unit = SIZE_2M / PAGE_SIZE;
		break;
	case 1:
		if (rng_one_in(&w->rng, 4))
			unit = SIZE_1G / PAGE_SIZE;
		break;
	default:
		break;
	}
	max = MIN(WINDOW / unit, 3 * 512 / MIN(unit, 512) + 1);
	*pages = unit * (1 + rng_below(&w->rng, max));
	*pages = MIN(*pages, WINDOW);
	*first = rng_below(&w->rng, (WINDOW - *pages) / unit + 1) * unit;
	if (rng_one_in(&w->rng, 8) && *first + *pages < WINDOW)
		++*first;
}

static u32 random_prot(struct model *w)
{
	static const u8 types[] = { MT_UC, MT_WT, MT_WB };
	u32 prot = (rng_next(&w->rng) & w->mask) | PT_R;

	if (w->f->nx == 0 && !w->f->ept)
		prot |= PT_X;
	if (w->f->always_user)
		prot |= PT_U;
	return prot | PT_MT(types[rng_below(&w->rng, 3)]);
}

/* The largest page that pt_map may use for one page of a fresh mapping. */
static u64 best_size(struct model *w, u64 first, u64 pages, u64 pa, u64 max, u64 at)
{
	for (unsigned int level = w->f->levels; level > 1; level--) {
		u64 size = pt_level_size(w->f, level), n = size / PAGE_SIZE;
		u64 va = w->base + at * PAGE_SIZE;
		u64 start = ALIGN_DOWN(va, size);

		if (!w->f->level[level - 1].leaf || size > max)
			continue;
		if (start < w->base + first * PAGE_SIZE ||
		    (start - w->base) / PAGE_SIZE + n > first + pages)
			continue;
		if (IS_ALIGNED(pa + (start - w->base - first * PAGE_SIZE), size))
			return size;
	}
	return PAGE_SIZE;
}

static void random_map(struct model *w, u64 first, u64 pages)
{
	static const u64 caps[] = { PAGE_SIZE, SIZE_2M, 4ULL << 20, SIZE_1G };
	u64 cap = caps[rng_below(&w->rng, 4)];
	u64 align = rng_one_in(&w->rng, 3) ? PAGE_SIZE : SIZE_1G;
	u64 va = w->base + first * PAGE_SIZE, pa;
	u32 prot = random_prot(w);
	u64 limit = 1ULL << MIN(w->f->pa_bits, 46);

	pa = ALIGN_DOWN(rng_below(&w->rng, limit - pages * PAGE_SIZE), align);
	pa += va & (align - 1);
	if (pa + pages * PAGE_SIZE > limit)
		pa = 0;
	assert_int_equal(pt_map(&w->pt, va, pa, pages * PAGE_SIZE, prot, cap), 0);
	for (u64 i = 0; i < pages; i++)
		w->cell[first + i] = (struct cell){ pa + i * PAGE_SIZE, prot,
						    false, false };
	for (int i = 0; i < 20; i++) {
		u64 at = first + rng_below(&w->rng, pages);
		struct pt_mapping k;

		assert_int_equal(pt_query(&w->pt, w->base + at * PAGE_SIZE, &k),
				 0);
		assert_int_equal(k.size, best_size(w, first, pages, pa, cap, at));
	}
}

/* Sets A and D by hand, as a processor would, in one whole leaf. */
static void random_touch(struct model *w, u64 page)
{
	u64 va = w->base + page * PAGE_SIZE, bits, n;
	struct pt_mapping k;
	void *e;

	if (pt_query(&w->pt, va, &k))
		return;
	bits = w->f->accessed | (rng_one_in(&w->rng, 2) ? w->f->dirty : 0);
	e = pt_entry(&w->pt, va, k.level);
	assert_non_null(e);
	if (w->f->entry_size == 4)
		*(u32 *)e |= bits;
	else
		*(u64 *)e |= bits;
	n = k.size / PAGE_SIZE;
	page -= (va & (k.size - 1)) / PAGE_SIZE;
	for (u64 i = page; i < page + n; i++) {
		w->cell[i].a = true;
		w->cell[i].d |= !!(bits & w->f->dirty);
	}
}

static void random_clear(struct model *w, u64 first, u64 pages)
{
	u64 last = first + pages - 1;
	struct pt_mapping k;

	assert_int_equal(pt_clear_ad(&w->pt, w->base + first * PAGE_SIZE,
				     pages * PAGE_SIZE), 0);
	if (!pt_query(&w->pt, w->base + first * PAGE_SIZE, &k))
		first -= ((w->base + first * PAGE_SIZE) & (k.size - 1)) / PAGE_SIZE;
	if (!pt_query(&w->pt, w->base + last * PAGE_SIZE, &k))
		last |= k.size / PAGE_SIZE - 1;
	for (u64 i = first; i <= last && i < WINDOW; i++)
		w->cell[i].a = w->cell[i].d = false;
}

static void random_op(struct model *w)
{
	u64 first, pages, va, size;
	u32 prot = random_prot(w);

	random_range(w, &first, &pages);
	va = w->base + first * PAGE_SIZE;
	size = pages * PAGE_SIZE;
	switch (rng_below(&w->rng, 8)) {
	case 0:
		assert_int_equal(pt_unmap(&w->pt, va, size), 0);
		for (u64 i = 0; i < pages; i++)
			w->cell[first + i].prot = 0;
		break;
	case 1:
	case 2:
		assert_int_equal(pt_protect(&w->pt, va, size, prot), 0);
		for (u64 i = 0; i < pages; i++)
			if (w->cell[first + i].prot)
				w->cell[first + i].prot = prot;
		break;
	case 3:
		random_clear(w, first, pages);
		break;
	case 4:
		for (int i = 0; i < 30; i++)
			random_touch(w, first + rng_below(&w->rng, pages));
		break;
	default:
		random_map(w, first, pages);
		break;
	}
	expect_page(w, first);
	expect_page(w, first + pages - 1);
	if (first)
		expect_page(w, first - 1);
	if (first + pages < WINDOW)
		expect_page(w, first + pages);
}

static void random_format(const struct pt_format *f, u64 base, u32 mask, u64 seed)
{
	struct model w = { .f = f, .rng = rng_seed(seed), .base = base,
			   .mask = mask };

	setup(NULL);
	w.cell = calloc(WINDOW, sizeof(*w.cell));
	start(&w.pt, f);
	for (int step = 0; step < 250; step++) {
		random_op(&w);
		for (int i = 0; i < 300; i++)
			expect_page(&w, rng_below(&w.rng, WINDOW));
	}
	/* The picture must not have been trivial. */
	assert_true(w.mapped > 10000 && w.unmapped > 1000);
	for (u64 i = 0; i < WINDOW; i++)
		expect_page(&w, i);
	assert_int_equal(pt_unmap(&w.pt, base, WINDOW * PAGE_SIZE), 0);
	for (int i = 0; i < 100; i++) {
		u64 at = rng_below(&w.rng, WINDOW);

		w.cell[at].prot = 0;
		expect_page(&w, at);
	}
	stop(&w.pt);
	free(w.cell);
	teardown(NULL);
}

#define X86_MASK	(PT_RWX | PT_U | PT_G)

static void test_random_32bit(void **state)
{
	random_format(&pt_format_32bit, 0x40000000, X86_MASK, 10);
}

static void test_random_pae(void **state)
{
	random_format(&pt_format_pae, 0x40000000, X86_MASK, 11);
}

static void test_random_4level(void **state)
{
	random_format(&pt_format_4level, 0xffffffff40000000, X86_MASK, 12);
}

static void test_random_5level(void **state)
{
	random_format(&pt_format_5level, (1ULL << 47) - SIZE_1G, X86_MASK, 13);
}

static void test_random_npt(void **state)
{
	random_format(&pt_format_npt, 0, PT_RWX | PT_U, 14);
}

static void test_random_ept(void **state)
{
	random_format(&pt_format_ept, 511 * SIZE_1G, PT_RWX | PT_IPAT, 15);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_raw_entries_long),
		T(test_raw_entries_ept),
		T(test_raw_entries_legacy),
		T(test_no_nx),
		T(test_arguments),
		T(test_out_of_memory_leaves_a_usable_table),
		T(test_map_page),
		T(test_clear_keeps_only_the_root),
		T(test_make_entry),
		cmocka_unit_test(test_random_32bit),
		cmocka_unit_test(test_random_pae),
		cmocka_unit_test(test_random_4level),
		cmocka_unit_test(test_random_5level),
		cmocka_unit_test(test_random_npt),
		cmocka_unit_test(test_random_ept),
	};

	return cmocka_run_group_tests_name("pt", tests, NULL, NULL);
}
