// SPDX-License-Identifier: MIT
#include "tests/unit/shadow_box.h"

#define L2	0x00400000ULL

static struct shadow_box box;
static struct shadow_cache cache;

/* Nested tables number i of L1: an own root, with one page at L2. */
static struct shadow_key tables(unsigned int i, u32 asid)
{
	struct pt_config cfg = box.l1.cfg;
	struct pt pt;

	assert_int_equal(pt_init(&pt, &cfg), 0);
	assert_int_equal(pt_map(&pt, L2, ODD + i * PAGE_SIZE, PAGE_SIZE, PT_RWX | PT_U,
				PAGE_SIZE), 0);
	return box_key(&box, pt.root, asid);
}

static void open_cache(u32 n)
{
	box_open_l1(&box, MODE_4LEVEL);
	assert_int_equal(shadow_cache_init(&cache, &box.cfg, n), 0);
}

static void close_cache(void)
{
	shadow_cache_fini(&cache);
	box_close_l1(&box);
}

static struct shadow *use(const struct shadow_key *key)
{
	struct shadow *s = shadow_cache_find(&cache, key);
	struct shadow_fault f;

	assert_non_null(s);
	assert_int_equal(shadow_fill(s, L2, PTA_WRITE, &f), SHADOW_OK);
	return s;
}

static bool has(const struct shadow *s)
{
	struct pt_mapping m;

	return !pt_query(&s->pt, L2, &m);
}

static void test_least_recently_used(void **state)
{
	struct shadow_key key[4];
	struct shadow *s[4];
	u64 gen;

	open_cache(3);
	for (unsigned int i = 0; i < 4; i++)
		key[i] = tables(i, i + 1);
	for (unsigned int i = 0; i < 3; i++)
		s[i] = use(&key[i]);
	assert_true(s[0] != s[1] && s[1] != s[2] && s[0] != s[2]);
	assert_true(s[0]->gen != s[1]->gen && s[1]->gen != s[2]->gen);
	assert_ptr_equal(shadow_cache_find(&cache, &key[0]), s[0]);
	assert_true(has(s[0]));
	gen = s[1]->gen;
	s[3] = shadow_cache_find(&cache, &key[3]);
	assert_ptr_equal(s[3], s[1]);
	assert_false(has(s[3]));
	assert_int_not_equal(s[3]->gen, gen);
	assert_true(has(s[0]) && has(s[2]));
	use(&key[3]);
	assert_ptr_equal(shadow_cache_find(&cache, &key[1]), s[2]);
	close_cache();
}

/* Other modes read the same tables differently. */
static void test_modes_have_own_shadows(void **state)
{
	struct shadow_key a, b;

	open_cache(SHADOW_CACHE_MAX);
	a = tables(0, 1);
	b = shadow_key(a.root, CR4_PAE, EFER_LMA, 1);
	assert_ptr_not_equal(shadow_cache_find(&cache, &a), shadow_cache_find(&cache, &b));
	b = shadow_key(a.root, CR4_PAE | CR4_LA57, EFER_LMA | EFER_NXE, 1);
	assert_ptr_not_equal(shadow_cache_find(&cache, &a), shadow_cache_find(&cache, &b));
	/* SMEP decides whether error codes show a fetch. */
	b = shadow_key(a.root, CR4_PAE | CR4_SMEP, EFER_LMA | EFER_NXE, 1);
	assert_ptr_not_equal(shadow_cache_find(&cache, &a), shadow_cache_find(&cache, &b));
	/* What has no part in it makes no other key. */
	b = shadow_key(a.root, CR4_PAE | CR4_SMAP | CR4_PKE, EFER_LMA | EFER_NXE | EFER_SVME, 1);
	assert_ptr_equal(shadow_cache_find(&cache, &a), shadow_cache_find(&cache, &b));
	close_cache();
}

static void break_tables(const struct shadow_key *key)
{
	u64 zero = 0;

	memcpy(box.low + key->root, &zero, 8);
}

static void test_flushes_by_asid(void **state)
{
	struct shadow_key key[2];
	struct shadow *s[2];
	u64 gen;

	open_cache(4);
	for (unsigned int i = 0; i < 2; i++) {
		key[i] = tables(i, i + 1);
		s[i] = use(&key[i]);
		break_tables(&key[i]);
	}
	/* Nobody has flushed: as in a TLB. */
	assert_true(has(shadow_cache_find(&cache, &key[0])));
	gen = s[0]->gen;
	shadow_cache_flush_asid(&cache, 1);
	assert_ptr_equal(shadow_cache_find(&cache, &key[0]), s[0]);
	assert_false(has(s[0]));
	assert_int_not_equal(s[0]->gen, gen);
	assert_true(has(shadow_cache_find(&cache, &key[1])));
	assert_int_equal(s[1]->stats.syncs, 0);
	shadow_cache_flush_all(&cache);
	assert_false(has(shadow_cache_find(&cache, &key[1])));
	assert_int_equal(s[1]->stats.syncs, 1);
	close_cache();
}

/* One flush, one comparison. */
static void test_flush_is_done_once(void **state)
{
	struct shadow_key key;
	struct shadow *s;

	open_cache(1);
	key = tables(0, 1);
	s = use(&key);
	shadow_cache_flush_all(&cache);
	shadow_cache_flush_asid(&cache, 1);
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(shadow_cache_find(&cache, &key), s);
	assert_int_equal(s->stats.syncs, 1);
	assert_int_equal(s->stats.compared, 4);
	assert_true(has(s));
	close_cache();
}

/* L1 without FLUSHBYASID takes a new ASID instead (APM2 15.16.1). */
static void test_new_asid_is_a_flush(void **state)
{
	struct shadow_key key;
	struct shadow *s;
	u64 gen;

	open_cache(4);
	key = tables(0, 1);
	s = use(&key);
	gen = s->gen;
	key.asid = 2;
	assert_ptr_equal(shadow_cache_find(&cache, &key), s);
	/* Nothing has changed, so nothing is filled again, but the TLB goes. */
	assert_true(has(s));
	assert_int_not_equal(s->gen, gen);
	break_tables(&key);
	assert_true(has(shadow_cache_find(&cache, &key)));
	key.asid = 3;
	assert_false(has(shadow_cache_find(&cache, &key)));
	/* A flush of the ASID that was left is not one of this. */
	shadow_cache_flush_asid(&cache, 1);
	assert_false(s->stale);
	shadow_cache_flush_asid(&cache, 3);
	assert_true(s->stale);
	close_cache();
}

static void test_drop_all(void **state)
{
	struct shadow_key key[2];
	struct shadow *s[2];

	open_cache(2);
	for (unsigned int i = 0; i < 2; i++) {
		key[i] = tables(i, 7);
		s[i] = use(&key[i]);
	}
	shadow_cache_drop_all(&cache);
	for (unsigned int i = 0; i < 2; i++) {
		assert_false(has(s[i]));
		assert_int_equal(s[i]->n, 0);
		assert_ptr_equal(shadow_cache_find(&cache, &key[i]), s[i]);
	}
	close_cache();
}

/* Without memory for another shadow an old one serves; without any, none. */
static void test_cache_without_memory(void **state)
{
	struct shadow_key key[2];
	struct shadow *s;

	assert_int_equal(shadow_cache_init(&cache, &box.cfg, 0), -EINVAL);
	assert_int_equal(shadow_cache_init(&cache, &box.cfg, SHADOW_CACHE_MAX + 1), -EINVAL);
	open_cache(2);
	key[0] = tables(0, 1);
	key[1] = tables(1, 2);
	box.arena.budget = 1;
	assert_null(shadow_cache_find(&cache, &key[0]));
	box.arena.budget = 2;
	s = shadow_cache_find(&cache, &key[0]);
	assert_non_null(s);
	assert_ptr_equal(shadow_cache_find(&cache, &key[1]), s);
	assert_true(shadow_same_tables(&s->key, &key[1]));
	box.arena.budget = ~0u;
	assert_ptr_not_equal(shadow_cache_find(&cache, &key[0]), s);
	close_cache();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_least_recently_used),
		cmocka_unit_test(test_modes_have_own_shadows),
		cmocka_unit_test(test_flushes_by_asid),
		cmocka_unit_test(test_flush_is_done_once),
		cmocka_unit_test(test_new_asid_is_a_flush),
		cmocka_unit_test(test_drop_all),
		cmocka_unit_test(test_cache_without_memory),
	};

	return cmocka_run_group_tests_name("shadow_cache", tests, NULL, NULL);
}
