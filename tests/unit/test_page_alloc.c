// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include <pthread.h>

#include "core/mm/page_alloc.h"
#include "tests/unit/rng.h"

#define RAM_BASE	0x100000ULL
#define RAM_PAGES	4096u			/* 16 MiB below 4G */
#define LOW_PAGES	64u			/* 0x10000.. below 1M */
#define HIGH_BASE	(1ULL << 32)
#define HIGH_PAGES	1024u

static struct memmap map;
static struct page_alloc pa;
static char *ram, *low, *high;
static int bugs;

static void *to_virt(void *ctx, u64 addr)
{
	if (addr >= HIGH_BASE)
		return high + (addr - HIGH_BASE);
	return addr >= RAM_BASE ? ram + (addr - RAM_BASE) : low + (addr - 0x10000);
}

static void on_bug(void *ctx, const char *what, u64 addr)
{
	/* Must be callable with the lock free, or a panic could not allocate. */
	assert_false(spin_is_locked(&pa.lock));
	bugs++;
}

static int setup(void **state)
{
	struct page_alloc_config cfg = { .to_virt = to_virt, .bug = on_bug };

	low = malloc(LOW_PAGES * PAGE_SIZE);
	ram = malloc(RAM_PAGES * PAGE_SIZE);
	high = malloc(HIGH_PAGES * PAGE_SIZE);
	memmap_init(&map, NULL);
	memmap_add(&map, 0x10000, LOW_PAGES * PAGE_SIZE, MEM_RAM);
	memmap_add(&map, RAM_BASE, RAM_PAGES * PAGE_SIZE, MEM_RAM);
	memmap_add(&map, HIGH_BASE, HIGH_PAGES * PAGE_SIZE, MEM_RAM);
	bugs = 0;
	return page_alloc_init(&pa, &map, &cfg);
}

static int teardown(void **state)
{
	free(low);
	free(ram);
	free(high);
	return 0;
}

static void audit_ok(void)
{
	const char *why = NULL;

	if (page_alloc_check(&pa, &why))
		fail_msg("%s", why);
}

static void test_alignment_and_class(void **state)
{
	u64 p;

	for (unsigned int order = 0; order <= 10; order++) {
		p = page_alloc(&pa, order, 0);
		assert_true(p >= HIGH_BASE || order == 10);
		assert_true(IS_ALIGNED(p, PAGE_SIZE << order));
		assert_int_equal(page_free(&pa, p, order), 0);
	}
	p = page_alloc(&pa, 3, PA_BELOW_4G);
	assert_true(p >= RAM_BASE && p < HIGH_BASE);
	p = page_alloc(&pa, 0, PA_BELOW_1M);
	assert_true(p >= 0x10000 && p < RAM_BASE);
	assert_int_equal(page_alloc(&pa, 7, PA_BELOW_1M), 0);
	assert_int_equal(page_alloc(&pa, PA_MAX_ORDER, 0), 0);
	assert_int_equal(page_alloc(&pa, PA_MAX_ORDER + 1, 0), 0);
	assert_int_equal(page_alloc(&pa, 1000, 0), 0);
	audit_ok();
}

static void test_zero_fill(void **state)
{
	u64 p = page_alloc(&pa, 2, 0);

	memset(to_virt(NULL, p), 0xa5, 4 * PAGE_SIZE);
	assert_int_equal(page_free(&pa, p, 2), 0);
	assert_int_equal(page_alloc(&pa, 2, PA_ZERO), p);
	for (u64 i = 0; i < 4 * PAGE_SIZE; i++)
		assert_int_equal(((char *)to_virt(NULL, p))[i], 0);
}

static void test_bad_frees_are_refused(void **state)
{
	u64 p = page_alloc(&pa, 2, 0), run = page_alloc_contig(&pa, 5, 0, 0);
	u64 before = pa.stats.free_pages;

	assert_int_equal(page_free(&pa, p, 1), -EINVAL);
	assert_int_equal(page_free(&pa, p + PAGE_SIZE, 0), -EINVAL);
	assert_int_equal(page_free(&pa, p + 1, 2), -EINVAL);
	assert_int_equal(page_free(&pa, 0, 0), -EINVAL);
	assert_int_equal(page_free(&pa, ~0ULL, 0), -EINVAL);
	assert_int_equal(page_free(&pa, RAM_BASE, 0), -EINVAL);	/* the array */
	assert_int_equal(page_free(&pa, run, 0), -EINVAL);
	assert_int_equal(page_free_contig(&pa, run, 4), -EINVAL);
	assert_int_equal(page_free_contig(&pa, p, 4), -EINVAL);
	assert_int_equal(page_free_contig(&pa, run + 4 * PAGE_SIZE, 1), -EINVAL);
	assert_int_equal(bugs, 10);
	assert_int_equal(pa.stats.bugs, 10);
	assert_int_equal(pa.stats.free_pages, before);
	assert_int_equal(page_free(&pa, p, 2), 0);
	assert_int_equal(page_free(&pa, p, 2), -EINVAL);
	assert_int_equal(page_free_contig(&pa, run, 5), 0);
	assert_int_equal(page_free_contig(&pa, run, 5), -EINVAL);
	assert_int_equal(bugs, 12);
	assert_int_equal(pa.stats.free_pages, pa.stats.total_pages);
	audit_ok();
}

static void test_exhaustion_and_merge(void **state)
{
	u64 n = pa.stats.total_pages, *p = calloc(n, sizeof(*p));

	for (u64 i = 0; i < n; i++)
		assert_true((p[i] = page_alloc(&pa, 0, 0)) != 0);
	assert_int_equal(page_alloc(&pa, 0, 0), 0);
	assert_int_equal(page_alloc_contig(&pa, 1, 0, 0), 0);
	assert_int_equal(pa.stats.failures, 2);
	assert_int_equal(pa.stats.free_pages, 0);
	audit_ok();
	/* Every second page, then the rest: all must grow together again. */
	for (u64 i = 0; i < n; i += 2)
		assert_int_equal(page_free(&pa, p[i], 0), 0);
	audit_ok();
	for (u64 i = 1; i < n; i += 2)
		assert_int_equal(page_free(&pa, p[i], 0), 0);
	audit_ok();
	assert_int_equal(pa.stats.free_pages, n);
	assert_int_equal(page_alloc(&pa, 10, 0), HIGH_BASE);
	free(p);
}

static void test_contig(void **state)
{
	u64 p = page_alloc_contig(&pa, HIGH_PAGES, 0, 0), q;

	assert_int_equal(p, HIGH_BASE);
	/* 2M aligned, not a power of two long, below 4G. */
	q = page_alloc_contig(&pa, 700, 9, PA_ZERO);
	assert_true(q >= RAM_BASE && q < HIGH_BASE);
	assert_true(IS_ALIGNED(q, SIZE_2M));
	audit_ok();
	assert_int_equal(page_alloc_contig(&pa, RAM_PAGES, 0, 0), 0);
	assert_int_equal(page_alloc_contig(&pa, 0, 0, 0), 0);
	assert_int_equal(page_alloc_contig(&pa, ~0ULL, 0, 0), 0);
	assert_int_equal(page_alloc_contig(&pa, 1, 63, 0), 0);
	assert_int_equal(page_free_contig(&pa, q, 700), 0);
	assert_int_equal(page_free_contig(&pa, p, HIGH_PAGES), 0);
	assert_int_equal(pa.stats.free_pages, pa.stats.total_pages);
	q = page_alloc_contig(&pa, 20, 0, PA_BELOW_1M);
	assert_true(q >= 0x10000 && q < RAM_BASE);
	assert_int_equal(page_free_contig(&pa, q, 20), 0);
	audit_ok();
}

static void test_owner_takes_all_back(void **state)
{
	u64 start = pa.stats.free_pages;
	u64 mine = page_alloc(&pa, 4, PA_OWNER(7));
	u64 freed;

	for (int i = 0; i < 50; i++) {
		assert_true(page_alloc(&pa, i % 5, PA_OWNER(9)));
		assert_true(page_alloc_contig(&pa, i + 1, 0, PA_OWNER(9)));
		assert_true(page_alloc(&pa, 0, 0));
	}
	freed = page_owner_pages(&pa, 9);
	assert_int_equal(freed, 10 * 31 + 50 * 51 / 2);
	assert_int_equal(page_free_owner(&pa, 9), freed);
	assert_int_equal(page_owner_pages(&pa, 9), 0);
	assert_int_equal(page_free_owner(&pa, 9), 0);
	audit_ok();
	assert_int_equal(page_owner_pages(&pa, 0), 50);
	assert_int_equal(page_free_owner(&pa, PA_OWNER_CORE), 0);
	assert_int_equal(pa.stats.free_pages, start - 16 - 50);
	assert_int_equal(page_free(&pa, mine, 4), 0);
	audit_ok();
}

/* Random use, with each page's holder in a model. */
struct holding {
	u64 pa, pages;
	unsigned int order;
	bool run;
	u16 owner;
};

#define MAX_HELD	300

struct world {
	struct rng rng;
	struct holding held[MAX_HELD];
	unsigned int n;
	u64 pages;
};

static void fill(const struct holding *h)
{
	for (u64 i = 0; i < h->pages; i++)
		*(u64 *)to_virt(NULL, h->pa + i * PAGE_SIZE) = h->pa;
}

static void verify(const struct holding *h)
{
	for (u64 i = 0; i < h->pages; i++)
		assert_int_equal(*(u64 *)to_virt(NULL, h->pa + i * PAGE_SIZE),
				 h->pa);
}

static void forget(struct world *w, unsigned int i)
{
	w->pages -= w->held[i].pages;
	w->held[i] = w->held[--w->n];
}

static void random_alloc(struct world *w)
{
	struct holding h = { .run = rng_one_in(&w->rng, 3) };
	unsigned int align = rng_below(&w->rng, 6);
	u32 flags;

	h.owner = rng_below(&w->rng, 5);
	flags = PA_OWNER(h.owner);
	if (rng_one_in(&w->rng, 4))
		flags |= PA_BELOW_4G;
	if (h.run) {
		h.pages = 1 + rng_below(&w->rng, 300);
		h.pa = page_alloc_contig(&pa, h.pages, align, flags);
		assert_true(IS_ALIGNED(h.pa, PAGE_SIZE << align));
	} else {
		h.order = rng_below(&w->rng, 8);
		h.pages = 1ULL << h.order;
		h.pa = page_alloc(&pa, h.order, flags);
		assert_true(IS_ALIGNED(h.pa, PAGE_SIZE << h.order));
	}
	if (!h.pa)
		return;
	if (flags & PA_BELOW_4G)
		assert_true(h.pa < HIGH_BASE);
	fill(&h);
	w->pages += h.pages;
	w->held[w->n++] = h;
}

static void random_free(struct world *w)
{
	unsigned int i = rng_below(&w->rng, w->n);
	struct holding *h = &w->held[i];

	verify(h);
	if (h->run)
		assert_int_equal(page_free_contig(&pa, h->pa, h->pages), 0);
	else
		assert_int_equal(page_free(&pa, h->pa, h->order), 0);
	forget(w, i);
}

static void random_owner_free(struct world *w)
{
	u16 owner = 1 + rng_below(&w->rng, 4);
	u64 pages = 0;

	for (unsigned int i = w->n; i > 0; i--) {
		if (w->held[i - 1].owner != owner)
			continue;
		verify(&w->held[i - 1]);
		pages += w->held[i - 1].pages;
		forget(w, i - 1);
	}
	assert_int_equal(page_free_owner(&pa, owner), pages);
}

static void test_random(void **state)
{
	static struct world w;

	w = (struct world){ .rng = rng_seed(2) };
	for (int step = 0; step < 60000; step++) {
		u64 what = rng_below(&w.rng, 1000);

		if (what < 3)
			random_owner_free(&w);
		else if (what < 5)
			page_alloc_recover(&pa);
		else if (w.n && (what < 480 || w.n == MAX_HELD))
			random_free(&w);
		else if (w.n < MAX_HELD)
			random_alloc(&w);
		assert_int_equal(pa.stats.free_pages + w.pages,
				 pa.stats.total_pages);
		if (step % 200 == 0)
			audit_ok();
	}
	while (w.n)
		random_free(&w);
	audit_ok();
	assert_int_equal(pa.stats.free_pages, pa.stats.total_pages);
	assert_int_equal(bugs, 0);
}

/*
 * A CPU stopped inside the allocator: the array is valid after each store,
 * the lists and counters are not.
 */
static void test_recover_after_a_cut_off_merge(void **state)
{
	u64 p = page_alloc(&pa, 3, PA_OWNER(4)), q;
	struct page_zone *z = &pa.zone[pa.n_zones - 1];
	u32 idx = z->first + (p - z->base) / PAGE_SIZE;

	/* Split of the used block stopped half-way, list heads lost, locked. */
	pa.page[idx].state = PG_FREE;
	pa.page[idx + 4].state = PG_FREE;
	pa.page[idx + 4].order = 2;
	memset(pa.free, 0xff, sizeof(pa.free));
	pa.stats.free_pages = 12345;
	spin_lock(&pa.lock);
	page_alloc_recover(&pa);
	audit_ok();
	assert_int_equal(pa.stats.free_pages, pa.stats.total_pages);
	q = page_alloc(&pa, 10, 0);
	assert_int_equal(q, HIGH_BASE);
}

static void *hammer(void *arg)
{
	u16 owner = (u16)(uintptr_t)arg;

	for (int i = 0; i < 20000; i++) {
		u64 p = page_alloc(&pa, i % 4, PA_OWNER(owner));

		if (!p || page_free(&pa, p, i % 4))
			return arg;
	}
	return NULL;
}

static void test_two_threads(void **state)
{
	pthread_t t[2];
	void *ret;

	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer,
						(void *)(i + 1)), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(t[i], &ret), 0);
		assert_null(ret);
	}
	audit_ok();
	assert_int_equal(pa.stats.allocs, 40000);
	assert_int_equal(pa.stats.frees, 40000);
	assert_int_equal(pa.stats.free_pages, pa.stats.total_pages);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_alignment_and_class),
		T(test_zero_fill),
		T(test_bad_frees_are_refused),
		T(test_exhaustion_and_merge),
		T(test_contig),
		T(test_owner_takes_all_back),
		T(test_random),
		T(test_recover_after_a_cut_off_merge),
		T(test_two_threads),
	};

	return cmocka_run_group_tests_name("page_alloc", tests, NULL, NULL);
}
