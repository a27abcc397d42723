// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/x86/regs.h"
#include "svm/nested_state_blob.h"

#define PHYS	40
#define SIZE	sizeof(struct svm_nested_blob)

/* A state, and the vCPU that it is for. */
struct box {
	struct svm_nested_blob b;
	u64 len;
	struct svm_nested_facts f;
};

static struct vmcb page;

static void put(struct box *x, enum vmcb_field f, u64 val)
{
	const struct vmcb_field_info *i = vmcb_field_info(f);

	memcpy(x->b.control + i->offset, &val, i->width);
}

#define PUT(field, val)	put(x, VMCB_F_##field, (val))

/* In guest mode, L1 in 64-bit mode; every check passes. */
static void good(struct box *x)
{
	memset(x, 0, sizeof(*x));
	x->len = SIZE;
	x->b.h = (struct nested_blob_header){
		.flags = NESTED_GUEST_MODE | NESTED_GIF_SET, .format = NESTED_FORMAT_SVM,
		.size = SIZE, .vendor = { 0x3000 },
	};
	x->f = (struct svm_nested_facts){
		.env = {
			.efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME,
			.cr4_allowed = BITS(10, 0), .maxphyaddr = PHYS, .linear_bits = 48,
			.npt = true, .vnmi = true, .l1_paging = true,
		},
		.svme = true, .cr0 = CR0_PE | CR0_PG,
	};
	PUT(intercept_vec4, VEC4_VMRUN);
	PUT(guest_asid, 1);
	PUT(cr0, CR0_PE | CR0_PG);
	PUT(cr4, CR4_PAE);
	PUT(efer, EFER_LME | EFER_LMA | EFER_SVME);
}

static int check(struct box *x, struct svm_nested_flags *s, const char **row)
{
	/* Exactly as long, so that a read behind the end is noticed. */
	u8 *buf = malloc(x->len ? x->len : 1);
	int err;

	memcpy(buf, &x->b, x->len);
	err = svm_nested_blob_check(buf, x->len, &x->f, s, &page, row);
	free(buf);
	return err;
}

/* One for each way to fail; x is otherwise whatever it is. */
#define FAULT(name)	static void fault_##name(struct box *x)
#define SET_FAULT(name, field, val)	FAULT(name) { PUT(field, val); }

FAULT(header) { x->len = 127; }
FAULT(size) { x->b.h.size = 127; }
FAULT(flags) { x->b.h.flags |= 0x10; }
FAULT(run_pending)
{
	x->b.h.flags |= NESTED_RUN_PENDING;
	x->b.h.flags &= (u16)~NESTED_GUEST_MODE;
}
FAULT(format) { x->b.h.format = NESTED_FORMAT_VMX; }
FAULT(svm_flags) { x->b.h.flags |= NESTED_EVMCS; }
FAULT(svme) { x->f.svme = false; }
FAULT(smm) { x->f.smm = true; }
FAULT(vmcb_pa) { x->b.h.vendor[0] = ~0ULL; }
FAULT(svm_size) { x->b.h.size = SIZE - 1; }
FAULT(data) { x->len = SIZE - 1; }
SET_FAULT(vmrun_intercept, intercept_vec4, 0)
SET_FAULT(asid, guest_asid, 0)
FAULT(np_unsupported)
{
	PUT(nested_ctl, 1);
	x->f.env.npt = false;
}
FAULT(ncr3)
{
	PUT(nested_ctl, 1);
	PUT(n_cr3, BIT(PHYS));
}
SET_FAULT(msrpm, msrpm_base_pa, BIT(PHYS) - 0x1000)
SET_FAULT(iopm, iopm_base_pa, BIT(PHYS) - 0x2000)
SET_FAULT(set_vnmi_intercept, int_ctl, INT_CTL_V_NMI_ENABLE)
SET_FAULT(event_type, eventinj, EVENTINJ_VALID | EVENTINJ_TYPE(7))
SET_FAULT(event_vector, eventinj, EVENTINJ_VALID | EVENTINJ_TYPE(3) | 2)
FAULT(l2_cr0_nw) { x->f.cr0 |= CR0_NW; }
SET_FAULT(l1_cr0_pg, cr0, CR0_PE)
SET_FAULT(l1_cr0_pe, cr0, CR0_PG)
SET_FAULT(l1_rflags_vm, rflags, RFLAGS_VM)
SET_FAULT(efer_svme, efer, EFER_LME | EFER_LMA)
SET_FAULT(cr0_nw, cr0, CR0_PE | CR0_PG | CR0_NW)
SET_FAULT(cr0_high, cr0, CR0_PE | CR0_PG | BIT(32))
SET_FAULT(dr6_high, dr6, BIT(32))
SET_FAULT(dr7_high, dr7, BIT(32))
SET_FAULT(lme_pae, cr4, 0)
SET_FAULT(cr3, cr3, BIT(PHYS))
SET_FAULT(cs_l_d, cs_attrib, 0x600)
SET_FAULT(cr4, cr4, CR4_PAE | BIT(63))
SET_FAULT(efer, efer, EFER_LME | EFER_LMA | EFER_SVME | BIT(63))

/* In the order in which they must be found. */
static const struct { void (*fault)(struct box *x); const char *row; int err; } faults[] = {
#define F(name, err)	{ fault_##name, #name, err }
	F(header, -EFAULT), F(size, -EINVAL), F(flags, -EINVAL), F(run_pending, -EINVAL),
	F(format, -EINVAL), F(svm_flags, -EINVAL), F(svme, -EINVAL), F(smm, -EINVAL),
	F(vmcb_pa, -EINVAL), F(svm_size, -EINVAL), F(data, -EFAULT),
	F(vmrun_intercept, -EINVAL), F(asid, -EINVAL), F(np_unsupported, -EINVAL),
	F(ncr3, -EINVAL), F(msrpm, -EINVAL), F(iopm, -EINVAL), F(set_vnmi_intercept, -EINVAL),
	F(event_type, -EINVAL), F(event_vector, -EINVAL), F(l2_cr0_nw, -EINVAL),
	F(l1_cr0_pg, -EINVAL), F(l1_cr0_pe, -EINVAL), F(l1_rflags_vm, -EINVAL),
	F(efer_svme, -EINVAL), F(cr0_nw, -EINVAL), F(cr0_high, -EINVAL), F(dr6_high, -EINVAL),
	F(dr7_high, -EINVAL), F(lme_pae, -EINVAL), F(cr3, -EINVAL), F(cs_l_d, -EINVAL),
	F(cr4, -EINVAL), F(efer, -EINVAL),
#undef F
};

/* Each alone, and each with every later one: the first counts.  *s stays. */
static void test_order(void **state)
{
	static struct box x;

	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		for (unsigned int j = i; j < ARRAY_SIZE(faults); j++) {
			struct svm_nested_flags s, before;
			const char *row = "none";
			int err;

			memset(&s, 0x5a, sizeof(s));
			before = s;
			good(&x);
			faults[j].fault(&x);
			faults[i].fault(&x);
			err = check(&x, &s, &row);
			if (err != faults[i].err || strcmp(row, faults[i].row))
				fail_msg("%s and %s: %d, %s", faults[i].row, faults[j].row, err,
					 row);
			assert_memory_equal(&s, &before, sizeof(s));
		}
	}
}

/* Every rule that a blob is held against is among the faults above. */
static void test_all_rules_tried(void **state)
{
	for (unsigned int r = 0; r < NESTED_RULE_COUNT; r++) {
		bool seen = false;

		if (!(svm_nested_rules[r].groups & (NESTED_GROUP_SET | NESTED_GROUP_L1_SAVE)))
			continue;
		for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++)
			seen |= !strcmp(faults[i].row, svm_nested_rules[r].id);
		if (!seen)
			fail_msg("%s", svm_nested_rules[r].id);
	}
}

/* The other side of each limit. */
FAULT(pa_last) { x->b.h.vendor[0] = BIT(PHYS) - 0x1000; }
FAULT(more) { x->b.h.size = 0xffffffff; }
FAULT(pending) { x->b.h.flags |= NESTED_RUN_PENDING; }
FAULT(gif_clear) { x->b.h.flags &= (u16)~NESTED_GIF_SET; }
FAULT(l2_cd_nw) { x->f.cr0 |= CR0_CD | CR0_NW; }
FAULT(l2_unpaged) { x->f.cr0 = 0; }
SET_FAULT(map_low_bits, msrpm_base_pa, BIT(PHYS) - 0x1001)
SET_FAULT(exitcode, exitcode, ~0ULL)
SET_FAULT(gpat, g_pat, ~0ULL)
FAULT(l1_32)
{
	PUT(efer, EFER_SVME);
	PUT(cr4, 0);
	PUT(cr3, ~0ULL);
}

static void test_accepted(void **state)
{
	static void (*const change[])(struct box *) = {
		fault_pa_last, fault_more, fault_pending, fault_gif_clear, fault_l2_cd_nw,
		fault_l2_unpaged, fault_map_low_bits, fault_exitcode, fault_gpat, fault_l1_32,
	};
	static struct box x;

	for (unsigned int i = 0; i < ARRAY_SIZE(change); i++) {
		struct svm_nested_flags s;
		const char *row = "none";

		good(&x);
		change[i](&x);
		if (check(&x, &s, &row))
			fail_msg("%u: %s", i, row);
		assert_true(s.guest_mode);
		assert_int_equal(s.run_pending, change[i] == fault_pending);
		assert_int_equal(s.gif, change[i] != fault_gif_clear);
		assert_int_equal(s.vmcb_pa, x.b.h.vendor[0]);
	}
}

/* What KVM's nested_set_state_test asserts, case by case. */
static void test_kvm_cases(void **state)
{
	static const struct {
		u16 format, flags;
		u32 size;
		u64 vmcb_pa;
		bool svme;
		int err;
	} rows[] = {
		{ 0, 0, SIZE, 0x3000, true, -EINVAL },
		{ 1, NESTED_EVMCS, SIZE, 0x3000, true, -EINVAL },
		{ 1, NESTED_GUEST_MODE, SIZE, 0x3000, false, -EINVAL },
		{ 1, 0, SIZE, 0x3000, false, 0 },
		{ 1, NESTED_GIF_SET, SIZE, 0x3000, false, 0 },
		{ 1, 0, SIZE, ~0ULL, true, 0 },
		{ 1, NESTED_GUEST_MODE, SIZE, ~0ULL, true, -EINVAL },
		{ 1, 0, SIZE / 2, 0x3000, true, 0 },
		{ 1, NESTED_GUEST_MODE, SIZE / 2, 0x3000, true, -EINVAL },
		{ 1, NESTED_GIF_SET, SIZE, ~0ULL, true, 0 },
		{ 1, 0, 128, 0x3000, true, 0 },
		{ 1, 0, 0, 0x3000, true, -EINVAL },
		{ 1, 0xf, SIZE, 0x3000, true, -EINVAL },
		{ 1, NESTED_RUN_PENDING, SIZE, 0x3000, true, -EINVAL },
	};
	static struct box x;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct svm_nested_flags s;
		const char *row;

		memset(&s, 0x5a, sizeof(s));
		good(&x);
		x.b.h.format = rows[i].format;
		x.b.h.flags = rows[i].flags;
		x.b.h.size = rows[i].size;
		x.b.h.vendor[0] = rows[i].vmcb_pa;
		x.f.svme = rows[i].svme;
		/* The areas do not count out of guest mode. */
		if (!(rows[i].flags & NESTED_GUEST_MODE))
			memset(x.b.control, 0xff, PAGE_SIZE);
		/* Out of guest mode SMM is no obstacle. */
		x.f.smm = i == 3;
		assert_int_equal(check(&x, &s, &row), rows[i].err);
		if (rows[i].err)
			continue;
		assert_false(s.guest_mode || s.run_pending);
		assert_int_equal(s.gif, !!(rows[i].flags & NESTED_GIF_SET));
		/* What a get then shows. */
		assert_int_equal(s.vmcb_pa, 0);
	}
}

/* The areas reach the page as VMRUN would load them. */
static void test_page(void **state)
{
	struct svm_nested_flags s;
	static struct box x_, *x = &x_;
	const char *row;

	good(x);
	PUT(msrpm_base_pa, 0x5fff);
	PUT(tsc_offset, 0x123456789);
	PUT(gdtr_base, BIT(47));
	PUT(rip, 0xffffffff81000000);
	PUT(efer, EFER_LME | EFER_SVME);
	assert_int_equal(check(x, &s, &row), 0);
	assert_int_equal(vmcb_get_msrpm_base_pa(&page), 0x5000);
	assert_int_equal(vmcb_get_tsc_offset(&page), 0x123456789);
	assert_int_equal(vmcb_get_gdtr(&page)->base, 0xffff800000000000);
	assert_int_equal(page.rip, 0xffffffff81000000);
	assert_int_equal(vmcb_get_efer(&page), EFER_LME | EFER_LMA | EFER_SVME);
}

static struct vmcb control, l1;

/* Two VMCBs in which every byte says which it is. */
static void fill(void)
{
	memset(&control, 0xcc, sizeof(control));
	memset(&l1, 0x11, sizeof(l1));
}

static int get(u8 *buf, u64 len, u32 room, bool guest_mode, bool pending, bool gif)
{
	const struct svm_nested_flags s = { guest_mode, pending, gif, 0x7000 };

	memset(buf, 0xee, SIZE + 8);
	memcpy(buf + 4, &room, 4);
	return svm_nested_blob_get(buf, len, &s, &control, &l1);
}

/* Sizes and what they leave in the buffer; nothing behind it is touched. */
static void test_get_sizes(void **state)
{
	static const struct { bool guest_mode; u16 len; u32 room; int err; u32 size; } rows[] = {
		{ false, 4, 128, -EFAULT, 128 }, { false, 8, 0, -E2BIG, 128 },
		{ false, 128, 127, -E2BIG, 128 }, { false, 128, 128, 0, 128 },
		{ false, SIZE, SIZE, 0, 128 }, { false, 100, 128, -EFAULT, 128 },
		{ true, 8, 0, -E2BIG, SIZE }, { true, 128, 128, -E2BIG, SIZE },
		{ true, SIZE, SIZE - 1, -E2BIG, SIZE }, { true, SIZE, SIZE, 0, SIZE },
		{ true, SIZE - 1, SIZE, -EFAULT, SIZE }, { true, SIZE, SIZE + 1, 0, SIZE },
	};
	static u8 buf[SIZE + 8];

	fill();
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 size, end;

		assert_int_equal(get(buf, rows[i].len, rows[i].room, rows[i].guest_mode, false,
				     true), rows[i].err);
		memcpy(&size, buf + 4, 4);
		if (rows[i].err != -EFAULT)
			assert_int_equal(size, rows[i].size);
		/* The test itself wrote up to 8. */
		end = rows[i].err ? MIN(MAX(rows[i].len, 8u), 128u) : rows[i].size;
		for (u32 b = end; b < sizeof(buf); b++)
			assert_int_equal(buf[b], 0xee);
	}
}

static void test_get_header(void **state)
{
	static u8 buf[SIZE + 8];
	struct nested_blob_header h;

	fill();
	for (unsigned int i = 0; i < 8; i++) {
		bool guest = i & 1, pending = i & 2, gif = i & 4;

		assert_int_equal(get(buf, SIZE, SIZE, guest, pending, gif), 0);
		memcpy(&h, buf, sizeof(h));
		assert_int_equal(h.flags, (guest ? 1 : 0) | (guest && pending ? 2 : 0) |
				 (gif ? 0x100 : 0));
		assert_int_equal(h.format, 1);
		assert_int_equal(h.vendor[0], guest ? 0x7000 : 0);
		for (unsigned int v = 1; v < ARRAY_SIZE(h.vendor); v++)
			assert_int_equal(h.vendor[v], 0);
	}
}

/* Bytes of the areas by the manual's offsets: whose they are, or zero. */
static void test_get_areas(void **state)
{
	static const struct { u16 first, end; u8 byte; } rows[] = {
		{ 0x000, 0x018, 0xcc }, { 0x018, 0x03c, 0 }, { 0x03c, 0x05d, 0xcc },
		{ 0x05d, 0x060, 0 }, { 0x060, 0x098, 0xcc }, { 0x098, 0x0a8, 0 },
		{ 0x0a8, 0x0c0, 0xcc }, { 0x0c0, 0x0c8, 0 }, { 0x0c8, 0x0d0, 0xcc },
		{ 0x0d0, 0x400, 0 }, { 0x400, 0x6e8, 0x11 }, { 0x6e8, 0x1000, 0 },
	};
	static u8 buf[SIZE + 8];

	fill();
	assert_int_equal(get(buf, SIZE, SIZE, true, false, false), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		for (u32 b = rows[i].first; b < rows[i].end; b++)
			if (buf[128 + b] != rows[i].byte)
				fail_msg("%03x is %02x", b, buf[128 + b]);
}

/* Get after set after get: the same bytes. */
static void test_round_trip(void **state)
{
	static struct svm_nested_blob a, b;
	static struct box x;
	struct svm_nested_flags s;
	const char *row;

	good(&x);
	x.b.h.flags |= NESTED_RUN_PENDING;
	assert_int_equal(check(&x, &s, &row), 0);
	a.h.size = b.h.size = SIZE;
	assert_int_equal(svm_nested_blob_get(&a, SIZE, &s, &page, &page), 0);
	assert_memory_equal(&a, &x.b, SIZE);
	assert_int_equal(svm_nested_blob_check(&a, SIZE, &x.f, &s, &page, &row), 0);
	assert_int_equal(svm_nested_blob_get(&b, SIZE, &s, &page, &page), 0);
	assert_memory_equal(&a, &b, SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_all_rules_tried),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_kvm_cases),
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_get_sizes),
		cmocka_unit_test(test_get_header),
		cmocka_unit_test(test_get_areas),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
