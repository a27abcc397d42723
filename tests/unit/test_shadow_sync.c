// SPDX-License-Identifier: MIT
/* Shadow tables: what a flush takes away and what it costs, limits, races. */
#include "tests/unit/shadow_box.h"

#include <pthread.h>

#define L2	0x00400000ULL		/* an address in all modes, 4M aligned */
#define PAGES	16u

static struct shadow_box box;

/* PAGES pages of 4K at L2, all filled. */
static void open_filled(const struct l1_mode *m, u32 access)
{
	box_open(&box, m);
	l1_map(&box, L2, ODD, PAGES * PAGE_SIZE, PT_RWX | PT_U);
	for (u64 i = 0; i < PAGES; i++)
		assert_int_equal(fill(&box, L2 + i * PAGE_SIZE, access), SHADOW_OK);
}

static unsigned int mapped_pages(void)
{
	unsigned int n = 0;

	for (u64 i = 0; i < PAGES; i++)
		n += mapped(&box, L2 + i * PAGE_SIZE);
	return n;
}

/* ---- flushes ---------------------------------------------------------- */

static void test_nothing_changed(void **state)
{
	for (const struct l1_mode *m = l1_modes; m < l1_modes + ARRAY_SIZE(l1_modes); m++) {
		u64 gen;

		open_filled(m, PTA_WRITE);
		/* Upper levels are shared. */
		assert_int_equal(box.s.n, PAGES + m->format->levels - 1);
		gen = box.s.gen;
		for (int i = 0; i < 10; i++)
			assert_false(shadow_sync(&box.s));
		assert_int_equal(box.s.gen, gen);
		assert_int_equal(box.s.stats.compared, 10 * box.s.n);
		assert_int_equal(box.s.stats.syncs, 10);
		assert_int_equal(box.s.stats.taken, 0);
		assert_int_equal(mapped_pages(), PAGES);
		box_close(&box);
	}
}

/* A new mapping needs no flush: a fault was never cached. */
static void test_added_rights_need_no_flush(void **state)
{
	u64 gen;

	box_open(&box, MODE_4LEVEL);
	assert_int_equal(fill(&box, L2, PTA_READ), SHADOW_REFLECT);
	l1_map(&box, L2, ODD, PAGE_SIZE, PT_R | PT_X | PT_U);
	assert_int_equal(fill(&box, L2, PTA_READ), SHADOW_OK);
	assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_REFLECT);
	assert_int_equal(box.f.error_code, PFERR_P | PFERR_W | PFERR_U);
	/* Refused accesses change nothing that is mapped. */
	expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, PT_RX);
	gen = box.s.gen;
	l1_set(&box, L2, 1, l1_get(&box, L2, 1) | PTE_W);
	assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_OK);
	expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, PT_RWX);
	assert_int_not_equal(box.s.gen, gen);
	assert_int_equal(box.s.n, 4);
	assert_false(shadow_sync(&box.s));
	box_close(&box);
}

/* Removed: there until the flush, gone after it, and only that. */
static void test_removal_of_each_level(void **state)
{
	for (const struct l1_mode *m = l1_modes; m < l1_modes + ARRAY_SIZE(l1_modes); m++)
		for (unsigned int level = 1; level <= m->format->levels; level++) {
			u64 far = L2 + (level < 4 ? 0x40000000 : 0);

			open_filled(m, PTA_WRITE);
			l1_map(&box, far + 0x800000, ODD, PAGE_SIZE, PT_RW | PT_U);
			assert_int_equal(fill(&box, far + 0x800000, PTA_WRITE), SHADOW_OK);
			l1_set(&box, L2 + 5 * PAGE_SIZE, level, 0);
			assert_int_equal(mapped_pages(), PAGES);
			assert_true(shadow_sync(&box.s));
			assert_int_equal(mapped_pages(), level == 1 ? PAGES - 1 : 0);
			assert_false(mapped(&box, L2 + 5 * PAGE_SIZE));
			assert_int_equal(mapped(&box, far + 0x800000), level < 4);
			assert_int_equal(box.s.stats.taken, 1);
			/* What is gone is not compared again. */
			if (level == m->format->levels && m != MODE_PAE && m != MODE_32BIT)
				assert_int_equal(box.s.n, 0);
			assert_false(shadow_sync(&box.s));
			assert_int_equal(fill(&box, L2 + 5 * PAGE_SIZE, PTA_READ), SHADOW_REFLECT);
			box_close(&box);
		}
}

/* Each bit that a mapping depends on; whatever else changes may end it too. */
static void test_every_change_counts(void **state)
{
	static const u64 flips[] = {
		PTE_P, PTE_W, PTE_U, PTE_NX, PTE_A, PTE_D, BIT(12), BIT(39), BIT(40),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(flips); i++) {
		open_filled(MODE_4LEVEL, PTA_WRITE);
		l1_set(&box, L2, 1, l1_get(&box, L2, 1) ^ flips[i]);
		assert_true(shadow_sync(&box.s));
		assert_false(mapped(&box, L2));
		assert_int_equal(mapped_pages(), PAGES - 1);
		box_close(&box);
	}
}

/* Another CPU of L1 has written, or L1 sets the bits itself. */
static void test_new_dirty_bits_are_no_change(void **state)
{
	open_filled(MODE_4LEVEL, PTA_READ);
	for (u64 i = 0; i < PAGES; i++)
		l1_set(&box, L2 + i * PAGE_SIZE, 1, l1_get(&box, L2 + i * PAGE_SIZE, 1) | PTE_D);
	assert_false(shadow_sync(&box.s));
	expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, PT_RX);
	/* But then the bit was seen: taking it away again is one. */
	l1_set(&box, L2, 1, l1_get(&box, L2, 1) & ~PTE_D);
	assert_true(shadow_sync(&box.s));
	assert_int_equal(mapped_pages(), PAGES - 1);
	box_close(&box);
}

static void test_many_changes_in_one_flush(void **state)
{
	open_filled(MODE_32BIT, PTA_WRITE);
	for (u64 i = 0; i < PAGES; i += 3)
		l1_set(&box, L2 + i * PAGE_SIZE, 1, 0);
	assert_true(shadow_sync(&box.s));
	for (u64 i = 0; i < PAGES; i++)
		assert_int_equal(mapped(&box, L2 + i * PAGE_SIZE), i % 3 != 0);
	assert_int_equal(box.s.n - box.s.vacant, 1 + PAGES - (PAGES + 2) / 3);
	assert_false(shadow_sync(&box.s));
	/* Some come back, into the records that they had. */
	l1_set(&box, L2 + 3 * PAGE_SIZE, 1, ODD | PTE_P | PTE_W | PTE_U);
	assert_int_equal(fill(&box, L2 + 3 * PAGE_SIZE, PTA_WRITE), SHADOW_OK);
	assert_int_equal(box.s.n, 1 + PAGES);
	assert_int_equal(box.s.n - box.s.vacant, 2 + PAGES - (PAGES + 2) / 3);
	l1_set(&box, L2 + 3 * PAGE_SIZE, 1, 0);
	/* Too many are vacant then, and all go. */
	for (u64 i = 0; i < PAGES; i++)
		if (i % 3)
			l1_set(&box, L2 + i * PAGE_SIZE, 1, 0);
	assert_true(shadow_sync(&box.s));
	assert_int_equal(mapped_pages(), 0);
	assert_int_equal(box.s.n, 1);
	assert_int_equal(box.s.vacant, 0);
	box_close(&box);
}

/*
 * L1 exchanges a table without a flush, and L2 faults in it: what stood in the
 * old table must not outlive the flush, whose comparison sees only the new one.
 */
static void test_table_exchanged_without_flush(void **state)
{
	u64 gen, table, e;

	open_filled(MODE_4LEVEL, PTA_WRITE);
	gen = box.s.gen;
	table = l1_alloc(&box);
	e = (ODD + 0x100000) | PTE_P | PTE_W | PTE_U;
	memcpy(box.low + table + 8 * PAGES, &e, 8);
	l1_set(&box, L2, 2, table | PTE_P | PTE_W | PTE_U);
	assert_int_equal(fill(&box, L2 + PAGES * PAGE_SIZE, PTA_WRITE), SHADOW_OK);
	assert_int_equal(mapped_pages(), 0);
	assert_int_not_equal(box.s.gen, gen);
	expect_mapping(&box, L2 + PAGES * PAGE_SIZE, ODD_PA + 0x100000, PAGE_SIZE, PT_RWX);
	assert_int_equal(box.s.n, 4);
	assert_false(shadow_sync(&box.s));
	box_close(&box);
}

/* The same for a page: large by small, and one large by another. */
static void test_page_exchanged_without_flush(void **state)
{
	u64 table, e = (ODD + PAGE_SIZE) | PTE_P | PTE_W | PTE_U;

	box_open(&box, MODE_4LEVEL);
	l1_map(&box, L2, HUGE, SIZE_2M, PT_RWX | PT_U);
	assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_OK);
	expect_mapping(&box, L2 + 0x1234, HUGE_PA + 0x1234, SIZE_2M, PT_RWX);
	l1_set(&box, L2, 2, (HUGE + SIZE_2M) | PTE_P | PTE_W | PTE_U | PTE_PS);
	assert_int_equal(fill(&box, L2, PTA_READ), SHADOW_OK);
	expect_mapping(&box, L2, HUGE_PA + SIZE_2M, SIZE_2M, PT_RX);
	assert_int_equal(box.s.n, 3);
	table = l1_alloc(&box);
	memcpy(box.low + table + 8, &e, 8);
	l1_set(&box, L2, 2, table | PTE_P | PTE_W | PTE_U);
	assert_int_equal(fill(&box, L2 + PAGE_SIZE, PTA_READ), SHADOW_OK);
	assert_false(mapped(&box, L2));
	expect_mapping(&box, L2 + PAGE_SIZE, ODD_PA + PAGE_SIZE, PAGE_SIZE, PT_RX);
	assert_int_equal(box.s.n, 4);
	/* And back to a large one, over the small one. */
	l1_set(&box, L2, 2, HUGE | PTE_P | PTE_W | PTE_U | PTE_PS);
	assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_OK);
	expect_mapping(&box, L2 + PAGE_SIZE, HUGE_PA + PAGE_SIZE, SIZE_2M, PT_RWX);
	assert_int_equal(box.s.n, 3);
	assert_false(shadow_sync(&box.s));
	box_close(&box);
}

/* ---- limits ------------------------------------------------------------ */

static void open_limited(u32 records, u32 tables)
{
	struct shadow_key key;

	box_open_l1(&box, MODE_4LEVEL);
	box.cfg.max_records = records;
	box.cfg.max_tables = tables;
	assert_int_equal(shadow_init(&box.s, &box.cfg), 0);
	key = box_key(&box, box.l1.root, 1);
	shadow_bind(&box.s, &key);
}

static void test_limit_of_records(void **state)
{
	u64 root;

	open_limited(200, 512);
	root = box.s.pt.root;
	l1_map(&box, L2, ODD, 500 * PAGE_SIZE, PT_RWX | PT_U);
	for (u64 i = 0; i < 500; i++) {
		u64 gen = box.s.gen, drops = box.s.stats.drops;

		assert_int_equal(fill(&box, L2 + i * PAGE_SIZE, PTA_WRITE), SHADOW_OK);
		assert_true(mapped(&box, L2 + i * PAGE_SIZE));
		assert_true(box.s.n <= 200 && box.s.chunks <= 2);
		assert_int_equal(gen != box.s.gen, drops != box.s.stats.drops);
	}
	/* 3 upper entries and 197 pages at a time. */
	assert_int_equal(box.s.stats.drops, 2);
	assert_int_equal(box.s.n, 3 + 500 - 2 * 197);
	assert_false(mapped(&box, L2));
	assert_int_equal(box.s.pt.root, root);
	assert_false(shadow_sync(&box.s));
	box_close(&box);
}

static void test_limit_of_tables(void **state)
{
	unsigned int most = 0;

	open_limited(8192, SHADOW_MIN_TABLES);
	for (u64 i = 0; i < 64; i++) {
		u64 l2 = i << 39 & BITS(46, 0);

		l1_map(&box, l2, ODD, PAGE_SIZE, PT_RWX | PT_U);
		assert_int_equal(fill(&box, l2, PTA_WRITE), SHADOW_OK);
		most = MAX(most, ARENA_PAGES - box.arena.n_free);
		assert_true(box.s.pt.tables <= SHADOW_MIN_TABLES);
	}
	/* Tables, the index and one page of records. */
	assert_true(most <= SHADOW_MIN_TABLES + 2);
	assert_int_equal(box.s.stats.drops, 31);
	box_close(&box);
}

static void test_out_of_memory(void **state)
{
	for (unsigned int budget = 0; budget < 12; budget++) {
		open_limited(8192, 512);
		l1_map(&box, L2, ODD, PAGE_SIZE, PT_RWX | PT_U);
		l1_map(&box, L2 << 20, ODD, PAGE_SIZE, PT_RWX | PT_U);
		box.arena.budget = budget;
		/* One page of records, three tables; then three more. */
		assert_int_equal(fill(&box, L2, PTA_WRITE),
				 budget < 4 ? SHADOW_NOMEM : SHADOW_OK);
		box.arena.budget = ~0u;
		assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_OK);
		/* The old mappings are given up, here in vain. */
		box.arena.budget = 0;
		assert_int_equal(fill(&box, L2 << 20, PTA_WRITE), SHADOW_NOMEM);
		assert_false(mapped(&box, L2));
		box_close(&box);
	}
}

static void test_bad_configurations(void **state)
{
	struct shadow_config good;

	box_open_l1(&box, MODE_4LEVEL);
	good = box.cfg;
#define BAD(member, value) do { \
		box.cfg = good; \
		box.cfg.member = (value); \
		assert_int_equal(shadow_init(&box.s, &box.cfg), -EINVAL); \
	} while (0)
	BAD(max_records, PT_MAX_LEVELS - 1);
	BAD(max_records, SHADOW_MAX_RECORDS + 1);
	BAD(max_tables, SHADOW_MIN_TABLES - 1);
	BAD(page_max, 0);
	BAD(page_max, SIZE_2M + PAGE_SIZE);
	BAD(mem, NULL);
	BAD(pt.format, NULL);
#undef BAD
	for (unsigned int budget = 0; budget < 2; budget++) {
		box.arena.budget = budget;
		assert_int_equal(shadow_init(&box.s, &good), -ENOMEM);
		assert_int_equal(box.arena.n_free, ARENA_PAGES);
	}
	box_close_l1(&box);
}

static void test_drop_keeps_the_root(void **state)
{
	u64 root, gen;

	open_filled(MODE_4LEVEL, PTA_WRITE);
	root = box.s.pt.root;
	gen = box.s.gen;
	shadow_drop(&box.s);
	assert_int_equal(mapped_pages(), 0);
	assert_int_equal(box.s.pt.root, root);
	assert_int_equal(box.s.pt.tables, 1);
	assert_int_not_equal(box.s.gen, gen);
	/* Root and index. */
	assert_int_equal(box.arena.n_free, ARENA_PAGES - 2);
	gen = box.s.gen;
	shadow_drop(&box.s);
	assert_int_equal(box.s.gen, gen);
	assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_OK);
	box_close(&box);
}

/* ---- L1's other CPU ---------------------------------------------------- */

struct racer {
	u64 *entry;
	u64 value[2];
	bool stop;
};

static void *race(void *arg)
{
	struct racer *r = arg;

	for (unsigned int i = 0; !__atomic_load_n(&r->stop, __ATOMIC_RELAXED); i++)
		__atomic_store_n(r->entry, r->value[i / 64 & 1], __ATOMIC_RELAXED);
	return NULL;
}

/* The entry's A bit goes and its page changes while it is used. */
static void test_tables_that_keep_changing(void **state)
{
	struct racer r;
	pthread_t thread;

	box_open(&box, MODE_4LEVEL);
	l1_map(&box, L2, ODD, PAGES * PAGE_SIZE, PT_RWX | PT_U);
	r = (struct racer){ .entry = pt_entry(&box.l1, L2, 1) };
	r.value[0] = *r.entry;
	r.value[1] = *r.entry + PAGE_SIZE;
	assert_int_equal(pthread_create(&thread, NULL, race, &r), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		enum shadow_result ret = fill(&box, L2, i % 2 ? PTA_WRITE : PTA_READ);

		assert_true(ret == SHADOW_OK || ret == SHADOW_RETRY);
		if (i % 16 == 0)
			shadow_sync(&box.s);
		assert_true(box.s.n <= 4);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	shadow_sync(&box.s);
	*r.entry = r.value[1];
	assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_OK);
	expect_mapping(&box, L2, ODD_PA + PAGE_SIZE, PAGE_SIZE, PT_RWX);
	box_close(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_changed),
		cmocka_unit_test(test_added_rights_need_no_flush),
		cmocka_unit_test(test_removal_of_each_level),
		cmocka_unit_test(test_every_change_counts),
		cmocka_unit_test(test_new_dirty_bits_are_no_change),
		cmocka_unit_test(test_many_changes_in_one_flush),
		cmocka_unit_test(test_table_exchanged_without_flush),
		cmocka_unit_test(test_page_exchanged_without_flush),
		cmocka_unit_test(test_limit_of_records),
		cmocka_unit_test(test_limit_of_tables),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_bad_configurations),
		cmocka_unit_test(test_drop_keeps_the_root),
		cmocka_unit_test(test_tables_that_keep_changing),
	};

	return cmocka_run_group_tests_name("shadow_sync", tests, NULL, NULL);
}
