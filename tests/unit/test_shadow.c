// SPDX-License-Identifier: MIT
/* Shadow tables: what is mapped, what is not, and why. */
#include "tests/unit/shadow_box.h"

#define L2	0x00400000ULL		/* an address in all modes, 4M aligned */

static struct shadow_box box;

static bool is_pae_top(const struct shadow_box *b, unsigned int level)
{
	return b->mode == MODE_PAE && level == 3;
}

#define EACH_MODE(m) \
	(const struct l1_mode *m = l1_modes; m < l1_modes + ARRAY_SIZE(l1_modes); m++)

/* ---- rights ---------------------------------------------------------- */

struct denial {
	u64 clear, set;		/* bits of one entry of L1 */
	u32 present;		/* PFERR_P when the entry stays present */
	bool denied[3];		/* read, write, fetch */
	u32 prot;		/* what a read maps when it is allowed, D set */
};

static const u32 accesses[] = { PTA_READ, PTA_WRITE, PTA_EXEC };
static const u32 access_codes[] = { 0, PFERR_W, PFERR_I };

static const struct denial denials[] = {
	{ 0,       0,      0,       { false, false, false }, PT_RWX },
	{ PTE_P,   0,      0,       { true,  true,  true  }, 0 },
	{ PTE_W,   0,      PFERR_P, { false, true,  false }, PT_RX },
	{ PTE_U,   0,      PFERR_P, { true,  true,  true  }, 0 },
	{ 0,       PTE_NX, PFERR_P, { false, false, true  }, PT_RW },
	{ PTE_W,   PTE_NX, PFERR_P, { false, true,  true  }, PT_R },
};

static void check_denial(const struct l1_mode *m, const struct denial *d, unsigned int level,
			 unsigned int a)
{
	/* Instruction fetches are told apart only under NXE (APM2 8.4.2). */
	u32 code = m->efer & EFER_NXE ? access_codes[a] : access_codes[a] & ~PFERR_I;
	enum shadow_result want = d->denied[a] ? SHADOW_REFLECT : SHADOW_OK;

	box_open(&box, m);
	l1_map(&box, L2, ODD, PAGE_SIZE, PT_RWX | PT_U);
	l1_set(&box, L2, 1, l1_get(&box, L2, 1) | PTE_D);
	l1_set(&box, L2, level, (l1_get(&box, L2, level) & ~d->clear) | d->set);
	assert_int_equal(fill(&box, L2 + 0x123, accesses[a]), want);
	if (want == SHADOW_OK) {
		expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, d->prot);
		assert_int_equal(box.f.l1_gpa, ODD + 0x123);
		assert_int_equal(box.f.page_size, PAGE_SIZE);
	} else {
		assert_int_equal(box.f.error_code, code | d->present | PFERR_U);
		assert_false(mapped(&box, L2));
		assert_int_equal(box.s.n, 0);
	}
	box_close(&box);
}

/* APM2 15.25.5, 15.25.6: each bit of each level decides, and is reported. */
static void test_every_right_at_every_level(void **state)
{
	for EACH_MODE(m)
		for (unsigned int level = 1; level <= m->format->levels; level++)
			for (unsigned int i = 0; i < ARRAY_SIZE(denials) * 3; i++) {
				const struct denial *d = &denials[i / 3];

				box.mode = m;
				if (is_pae_top(&box, level) && (d->clear | d->set) != PTE_P)
					continue;
				if (d->set && !(m->efer & EFER_NXE))
					continue;
				check_denial(m, d, level, i % 3);
			}
}

/* Without EFER.NXE bit 63 is reserved. */
static void test_nx_needs_nxe(void **state)
{
	struct l1_mode no_nx = *MODE_4LEVEL;

	no_nx.efer &= ~EFER_NXE;
	box_open(&box, &no_nx);
	l1_map(&box, L2, ODD, PAGE_SIZE, PT_RW | PT_U);
	assert_int_equal(fill(&box, L2, PTA_READ), SHADOW_REFLECT);
	assert_int_equal(box.f.error_code, PFERR_P | PFERR_RSVD | PFERR_U);
	l1_map(&box, L2, ODD, PAGE_SIZE, PT_RWX | PT_U);
	assert_int_equal(fill(&box, L2, PTA_EXEC), SHADOW_OK);
	box_close(&box);
}

/* ---- reserved bits and strange tables -------------------------------- */

static void expect_reserved(const struct l1_mode *m, u64 l1, u64 size, unsigned int level, u64 bit)
{
	box_open(&box, m);
	l1_map(&box, L2, l1, size, PT_RWX | PT_U);
	l1_set(&box, L2, level, l1_get(&box, L2, level) | bit);
	assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_REFLECT);
	assert_int_equal(box.f.error_code, PFERR_P | PFERR_RSVD | PFERR_U | PFERR_W);
	assert_false(mapped(&box, L2));
	box_close(&box);
}

/* APM2 5.2.3, 5.3.3-5.3.5 */
static void test_reserved_bits(void **state)
{
	for EACH_MODE(m)
		for (unsigned int level = 1; level <= m->format->levels; level++)
			if (m->format->entry_size == 8)
				expect_reserved(m, ODD, PAGE_SIZE, level, BIT(40));
	expect_reserved(MODE_4LEVEL, ODD, PAGE_SIZE, 4, PTE_PS);
	expect_reserved(MODE_4LEVEL, ODD, PAGE_SIZE, 4, PTE_G);
	expect_reserved(MODE_4LEVEL, HUGE, SIZE_2M, 2, BIT(13));
	expect_reserved(MODE_4LEVEL, HUGE, SIZE_2M, 2, BIT(20));
	expect_reserved(MODE_PAE, ODD, PAGE_SIZE, 3, PTE_W);
	expect_reserved(MODE_PAE, ODD, PAGE_SIZE, 3, PTE_A);
	expect_reserved(MODE_PAE, ODD, PAGE_SIZE, 1, BIT(62));
	expect_reserved(MODE_32BIT, HUGE, 4 << 20, 2, BIT(21));
}

/* Reserved bits in the top level of PAE are no new A and D bits. */
static void test_reserved_in_pae_top_ends_mappings(void **state)
{
	static const u64 bits[] = { PTE_A, PTE_D };

	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		box_open(&box, MODE_PAE);
		l1_map(&box, L2, ODD, PAGE_SIZE, PT_RWX | PT_U);
		assert_int_equal(fill(&box, L2, PTA_READ), SHADOW_OK);
		l1_set(&box, L2, 3, l1_get(&box, L2, 3) | bits[i]);
		assert_true(shadow_sync(&box.s));
		assert_false(mapped(&box, L2));
		box_close(&box);
	}
}

static void test_page1g_as_cpuid_says(void **state)
{
	box_open_l1(&box, MODE_4LEVEL);
	box.cfg.page1g = false;
	assert_int_equal(shadow_init(&box.s, &box.cfg), 0);
	shadow_bind(&box.s, &(struct shadow_key){ box.l1.root, CR4_PAE, EFER_LMA | EFER_NXE, 1 });
	l1_map(&box, 0, HUGE, SIZE_1G, PT_RWX | PT_U);
	assert_int_equal(fill(&box, 0, PTA_READ), SHADOW_REFLECT);
	assert_int_equal(box.f.error_code, PFERR_P | PFERR_RSVD | PFERR_U);
	box_close(&box);
}

/* Every level of the walk reads the same entry of the same page. */
static void test_table_that_is_its_own_page(void **state)
{
	u64 root, e;

	box_open(&box, MODE_4LEVEL);
	root = box.l1.root;
	e = root | PTE_P | PTE_W | PTE_U;
	memcpy(box.low + root, &e, 8);
	assert_int_equal(fill(&box, 0x10, PTA_WRITE), SHADOW_OK);
	memcpy(&e, box.low + root, 8);
	assert_int_equal(e, root | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D);
	expect_mapping(&box, 0, LOW_PA + root, PAGE_SIZE, PT_RWX);
	assert_int_equal(box.s.n, 4);
	/* The four records know the bits that were set through the others. */
	assert_false(shadow_sync(&box.s));
	memset(box.low + root, 0, 8);
	assert_true(shadow_sync(&box.s));
	assert_int_equal(box.s.n, 0);
	assert_false(mapped(&box, 0));
	box_close(&box);
}

/* L2 writes L1's tables through its own mapping: they are only memory. */
static void test_tables_mapped_to_l2(void **state)
{
	box_open(&box, MODE_32BIT);
	l1_map(&box, L2, TABLES, PAGE_SIZE, PT_RW | PT_U);
	assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_OK);
	expect_mapping(&box, L2, LOW_PA + TABLES, PAGE_SIZE, PT_RWX);
	box_close(&box);
}

/* Where L1 has no memory its tables read all ones. */
static void test_tables_outside_memory(void **state)
{
	static const u64 where[] = { NOTHING, DEVICE, 1ULL << 38 };

	for (unsigned int i = 0; i < ARRAY_SIZE(where); i++)
		for (unsigned int level = 2; level <= 4; level++) {
			box_open(&box, MODE_4LEVEL);
			l1_map(&box, L2, ODD, PAGE_SIZE, PT_RWX | PT_U);
			l1_set(&box, L2, level, where[i] | PTE_P | PTE_W | PTE_U);
			assert_int_equal(fill(&box, L2, PTA_READ), SHADOW_REFLECT);
			assert_int_equal(box.f.error_code, PFERR_P | PFERR_RSVD | PFERR_U);
			box_close(&box);
		}
	box_open(&box, MODE_4LEVEL);
	shadow_bind(&box.s, &(struct shadow_key){ NOTHING, CR4_PAE, EFER_LMA | EFER_NXE, 1 });
	assert_int_equal(fill(&box, L2, PTA_READ), SHADOW_REFLECT);
	assert_int_equal(box.f.error_code, PFERR_P | PFERR_RSVD | PFERR_U);
	box_close(&box);
}

/* Without reserved bits all ones are a page: here at the end of 4G. */
static void test_all_ones_can_map_memory(void **state)
{
	const struct l1_mode no_pse = { "32-bit without PSE", &pt_format_32bit, 0, 0 };

	box_open(&box, &no_pse);
	assert_int_equal(gmem_add(&box.mem, 0xfffff000, PAGE_SIZE, box.odd, ODD_PA, 0), 0);
	l1_map(&box, L2, ODD, PAGE_SIZE, PT_RWX | PT_U);
	l1_set(&box, L2, 2, NOTHING | PTE_P | PTE_W | PTE_U);
	assert_int_equal(fill(&box, L2 + 5, PTA_WRITE), SHADOW_OK);
	assert_int_equal(box.f.l1_gpa, 0xfffff005);
	expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, PT_RWX);
	assert_false(shadow_sync(&box.s));
	box_close(&box);
}

/* L1's ROM takes no accessed and dirty bits, and its tables work. */
static void test_tables_in_rom(void **state)
{
	u64 e = ODD | PTE_P | PTE_W | PTE_U;

	box_open(&box, MODE_4LEVEL);
	l1_map(&box, L2, ODD, PAGE_SIZE, PT_RWX | PT_U);
	l1_set(&box, L2, 2, ROM | PTE_P | PTE_W | PTE_U);
	memcpy(box.rom, &e, 8);
	assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_OK);
	expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, PT_RWX);
	assert_memory_equal(box.rom, &e, 8);
	assert_false(shadow_sync(&box.s));
	box_close(&box);
}

/* Neither what L1's format lacks, nor what only L1's has: 5 levels. */
static void test_addresses_beyond_a_format(void **state)
{
	for EACH_MODE(m) {
		u64 beyond = 1ULL << MIN(m->format->va_bits, 48);
		bool five = m->format->levels == 5;

		box_open(&box, m);
		l1_map(&box, five ? beyond + L2 : L2, ODD, PAGE_SIZE, PT_RWX | PT_U);
		assert_int_equal(fill(&box, beyond + L2, PTA_WRITE), SHADOW_REFLECT);
		assert_int_equal(box.f.error_code, PFERR_U | PFERR_W);
		assert_int_equal(fill(&box, ~0ULL, PTA_READ), SHADOW_REFLECT);
		assert_int_equal(box.f.error_code, PFERR_U);
		box_close(&box);
	}
}

/* Nested addresses are not sign-extended: bit 47 is an address bit. */
static void test_upper_half(void **state)
{
	u64 top = (1ULL << 48) - PAGE_SIZE;

	box_open(&box, MODE_4LEVEL);
	l1_map(&box, top | BITS(63, 48), ODD, PAGE_SIZE, PT_RWX | PT_U);
	assert_int_equal(fill(&box, top, PTA_READ), SHADOW_OK);
	expect_mapping(&box, top, ODD_PA, PAGE_SIZE, PT_RX);
	l1_set(&box, top | BITS(63, 48), 4, 0);
	assert_true(shadow_sync(&box.s));
	assert_false(mapped(&box, top));
	box_close(&box);
}

/* ---- page sizes ------------------------------------------------------ */

struct sizes {
	const struct l1_mode *mode;
	u64 l1_page, l1_gpa, pa, page_max, want;
};

static const struct sizes sizes[] = {
	{ MODE_4LEVEL, PAGE_SIZE, 0x200000, LOW_PA + 0x200000, SIZE_1G, PAGE_SIZE },
	{ MODE_4LEVEL, PAGE_SIZE, HUGE, HUGE_PA, SIZE_1G, PAGE_SIZE },
	{ MODE_4LEVEL, PAGE_SIZE, ODD, ODD_PA, SIZE_1G, PAGE_SIZE },
	{ MODE_4LEVEL, SIZE_2M, 0x200000, LOW_PA + 0x200000, SIZE_1G, SIZE_2M },
	{ MODE_4LEVEL, SIZE_2M, HUGE + SIZE_2M, HUGE_PA + SIZE_2M, SIZE_1G, SIZE_2M },
	{ MODE_4LEVEL, SIZE_2M, ODD, ODD_PA, SIZE_1G, PAGE_SIZE },
	{ MODE_4LEVEL, SIZE_2M, HUGE, HUGE_PA, PAGE_SIZE, PAGE_SIZE },
	{ MODE_4LEVEL, SIZE_1G, 0, LOW_PA, SIZE_1G, SIZE_2M },
	{ MODE_4LEVEL, SIZE_1G, HUGE, HUGE_PA, SIZE_1G, SIZE_1G },
	{ MODE_4LEVEL, SIZE_1G, HUGE, HUGE_PA, SIZE_2M, SIZE_2M },
	{ MODE_4LEVEL, SIZE_1G, ODD, ODD_PA, SIZE_1G, PAGE_SIZE },
	{ MODE_PAE, SIZE_2M, HUGE, HUGE_PA, SIZE_1G, SIZE_2M },
	{ MODE_PAE, SIZE_2M, ODD, ODD_PA, SIZE_1G, PAGE_SIZE },
	{ MODE_32BIT, SIZE_2M * 2, HUGE, HUGE_PA, SIZE_1G, SIZE_2M },
	{ MODE_32BIT, SIZE_2M * 2, ODD, ODD_PA, SIZE_1G, PAGE_SIZE },
};

/* APM2 15.25.9: the smaller one of both sides, at the right place in it. */
static void check_sizes(const struct sizes *t)
{
	u64 l2 = t->l1_page == SIZE_1G ? 3 * SIZE_1G : L2;
	u64 offsets[] = { 0, t->l1_page / 4 + 0x234, t->l1_page / 2, t->l1_page - 1 };
	struct shadow_key key;

	box_open_l1(&box, t->mode);
	box.cfg.page_max = t->page_max;
	assert_int_equal(shadow_init(&box.s, &box.cfg), 0);
	key = box_key(&box, box.l1.root, 1);
	shadow_bind(&box.s, &key);
	l1_map(&box, l2, t->l1_gpa, t->l1_page, PT_RWX | PT_U);
	for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++) {
		u64 off = offsets[i];
		bool memory = gmem_ptr(&box.mem, t->l1_gpa + off, 1);

		assert_int_equal(fill(&box, l2 + off, PTA_READ), memory ? SHADOW_OK : SHADOW_MMIO);
		assert_int_equal(box.f.l1_gpa, t->l1_gpa + off);
		assert_int_equal(box.f.page_size, t->l1_page);
		if (memory)
			expect_mapping(&box, l2 + off, t->pa + off, t->want, PT_RX);
	}
	l1_set(&box, l2, t->l1_page == PAGE_SIZE ? 1 : t->l1_page == SIZE_1G ? 3 : 2, 0);
	assert_true(shadow_sync(&box.s));
	for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++)
		assert_false(mapped(&box, l2 + offsets[i]));
	box_close(&box);
}

static void test_page_sizes(void **state)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		check_sizes(&sizes[i]);
}

/* ---- accessed and dirty ---------------------------------------------- */

static u64 ad_of(unsigned int level)
{
	return l1_get(&box, L2, level) & (PTE_A | PTE_D);
}

/* APM2 5.4.2, and a page is writable only when L1 can see that it is dirty. */
static void test_accessed_and_dirty(void **state)
{
	for EACH_MODE(m) {
		u64 gen;

		box_open(&box, m);
		l1_map(&box, L2, ODD, PAGE_SIZE, PT_RWX | PT_U);
		assert_int_equal(fill(&box, L2, PTA_EXEC), SHADOW_OK);
		for (unsigned int level = 1; level <= m->format->levels; level++)
			assert_int_equal(ad_of(level), is_pae_top(&box, level) ? 0 : PTE_A);
		expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, PT_RX);
		gen = box.s.gen;
		assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_OK);
		assert_int_equal(ad_of(1), PTE_A | PTE_D);
		assert_int_equal(ad_of(2), PTE_A);
		expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, PT_RWX);
		/* A present entry has changed: the TLB must go. */
		assert_int_not_equal(box.s.gen, gen);
		assert_int_equal(box.s.n, m->format->levels);
		assert_false(shadow_sync(&box.s));
		/* L1 looks for new writes: clears D and flushes. */
		l1_set(&box, L2, 1, l1_get(&box, L2, 1) & ~PTE_D);
		assert_true(shadow_sync(&box.s));
		assert_int_equal(fill(&box, L2, PTA_READ), SHADOW_OK);
		expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, PT_RX);
		box_close(&box);
	}
}

/* The dirty bit of a large page opens each small piece only as it is used. */
static void test_dirty_in_pieces(void **state)
{
	box_open(&box, MODE_4LEVEL);
	l1_map(&box, L2, ODD, SIZE_2M, PT_RWX | PT_U);
	assert_int_equal(fill(&box, L2, PTA_READ), SHADOW_OK);
	assert_int_equal(fill(&box, L2 + 0x1000, PTA_WRITE), SHADOW_OK);
	expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, PT_RX);
	expect_mapping(&box, L2 + 0x1000, ODD_PA + 0x1000, PAGE_SIZE, PT_RWX);
	assert_int_equal(fill(&box, L2, PTA_READ), SHADOW_OK);
	expect_mapping(&box, L2, ODD_PA, PAGE_SIZE, PT_RWX);
	assert_int_equal(box.s.n, 3);
	box_close(&box);
}

/* Hardware sets no bits in tables that deny the access. */
static void test_denied_access_leaves_tables_alone(void **state)
{
	box_open(&box, MODE_4LEVEL);
	l1_map(&box, L2, ODD, PAGE_SIZE, PT_RX | PT_U);
	assert_int_equal(fill(&box, L2, PTA_WRITE), SHADOW_REFLECT);
	for (unsigned int level = 1; level <= 4; level++)
		assert_int_equal(ad_of(level), 0);
	box_close(&box);
}

/* ---- no memory ------------------------------------------------------- */

static void test_devices_and_rom(void **state)
{
	static const u64 no_ram[] = { DEVICE, NOTHING, 1ULL << 39 };

	for (unsigned int i = 0; i < ARRAY_SIZE(no_ram); i++) {
		box_open(&box, MODE_4LEVEL);
		l1_map(&box, L2, no_ram[i], PAGE_SIZE, PT_RWX | PT_U);
		assert_int_equal(fill(&box, L2 + 0xb0, PTA_WRITE), SHADOW_MMIO);
		assert_int_equal(box.f.l1_gpa, no_ram[i] + 0xb0);
		assert_int_equal(ad_of(1), PTE_A | PTE_D);
		assert_false(mapped(&box, L2));
		box_close(&box);
	}
	box_open(&box, MODE_4LEVEL);
	l1_map(&box, L2, ROM, PAGE_SIZE, PT_RWX | PT_U);
	assert_int_equal(fill(&box, L2 + 8, PTA_WRITE), SHADOW_MMIO);
	assert_int_equal(box.f.l1_gpa, ROM + 8);
	assert_false(mapped(&box, L2));
	assert_int_equal(fill(&box, L2 + 8, PTA_EXEC), SHADOW_OK);
	expect_mapping(&box, L2, ROM_PA, PAGE_SIZE, PT_RX);
	/* L1's table allows it and is dirty, but the page stays ROM. */
	assert_int_equal(fill(&box, L2 + 8, PTA_WRITE), SHADOW_MMIO);
	expect_mapping(&box, L2, ROM_PA, PAGE_SIZE, PT_RX);
	box_close(&box);
}

static void test_translate_maps_nothing(void **state)
{
	box_open(&box, MODE_PAE);
	l1_map(&box, L2, DEVICE, PAGE_SIZE, PT_RWX | PT_U);
	assert_int_equal(shadow_translate(&box.s, L2 + 4, PTA_WRITE, &box.f), SHADOW_OK);
	assert_int_equal(box.f.l1_gpa, DEVICE + 4);
	assert_int_equal(box.f.page_size, PAGE_SIZE);
	assert_int_equal(ad_of(1), PTE_A | PTE_D);
	assert_int_equal(box.s.n, 0);
	assert_false(mapped(&box, L2));
	assert_int_equal(shadow_translate(&box.s, 0, PTA_WRITE, &box.f), SHADOW_REFLECT);
	assert_int_equal(box.f.error_code, PFERR_U | PFERR_W);
	box_close(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_right_at_every_level),
		cmocka_unit_test(test_nx_needs_nxe),
		cmocka_unit_test(test_reserved_bits),
		cmocka_unit_test(test_reserved_in_pae_top_ends_mappings),
		cmocka_unit_test(test_page1g_as_cpuid_says),
		cmocka_unit_test(test_table_that_is_its_own_page),
		cmocka_unit_test(test_tables_mapped_to_l2),
		cmocka_unit_test(test_tables_outside_memory),
		cmocka_unit_test(test_all_ones_can_map_memory),
		cmocka_unit_test(test_tables_in_rom),
		cmocka_unit_test(test_addresses_beyond_a_format),
		cmocka_unit_test(test_upper_half),
		cmocka_unit_test(test_page_sizes),
		cmocka_unit_test(test_accessed_and_dirty),
		cmocka_unit_test(test_dirty_in_pieces),
		cmocka_unit_test(test_denied_access_leaves_tables_alone),
		cmocka_unit_test(test_devices_and_rom),
		cmocka_unit_test(test_translate_maps_nothing),
	};

	return cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
