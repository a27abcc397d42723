/* SPDX-License-Identifier: MIT */
/* Task switches that fault, in the old task and in the new one. */
#include "tests/unit/task_box.h"

/* SDM3 table 8-1, rows about the TSS descriptor. */
static void test_bad_tss(void **state)
{
	static const struct {
		u8 source;
		u16 selector, attr;
		u32 limit;
		u8 vector;
		u32 error;
	} row[] = {
		{ TASK_JMP, 0, 0x89, 0x67, VEC_GP, 0 },
		{ TASK_JMP, 3, 0x89, 0x67, VEC_GP, 0 },
		{ TASK_CALL, SEL_B | 4, 0x89, 0x67, VEC_GP, SEL_B | 4 },
		{ TASK_IRET, SEL_B | 4, 0x8b, 0x67, VEC_TS, SEL_B | 4 },
		{ TASK_JMP, 0x100, 0x89, 0x67, VEC_GP, 0x100 },
		{ TASK_IRET, 0x100, 0x89, 0x67, VEC_TS, 0x100 },
		{ TASK_JMP, SEL_B, 0x8b, 0x67, VEC_GP, SEL_B },		/* busy */
		{ TASK_CALL, SEL_B, 0x83, 0x67, VEC_GP, SEL_B },
		{ TASK_GATE, SEL_B, 0x8b, 0x67, VEC_GP, SEL_B },
		{ TASK_IRET, SEL_B, 0x89, 0x67, VEC_TS, SEL_B },	/* not busy */
		{ TASK_IRET, SEL_B, 0x81, 0x67, VEC_TS, SEL_B },
		{ TASK_JMP, SEL_B, 0x82, 0x67, VEC_GP, SEL_B },		/* an LDT */
		{ TASK_JMP, SEL_B, 0x85, 0x67, VEC_GP, SEL_B },		/* a gate */
		{ TASK_JMP, SEL_B, 0x99, 0x67, VEC_GP, SEL_B },		/* code */
		{ TASK_JMP, SEL_B, 0x09, 0x67, VEC_NP, SEL_B },
		{ TASK_IRET, SEL_B, 0x0b, 0x67, VEC_NP, SEL_B },
		{ TASK_JMP, SEL_B, 0x0b, 0x67, VEC_GP, SEL_B },		/* type before P */
		{ TASK_JMP, SEL_B, 0x89, 0x66, VEC_TS, SEL_B },
		{ TASK_JMP, SEL_B, 0x81, 0x2a, VEC_TS, SEL_B },
		{ TASK_JMP, SEL_B, 0x09, 0x66, VEC_NP, SEL_B },		/* P before limit */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		setup(NULL);
		descriptor(GDT, SEL_B, TSS_B, row[i].limit, row[i].attr);
		b.req = (struct task_request){ .selector = row[i].selector,
					       .source = row[i].source };
		expect_old(row[i].vector, row[i].error);
	}
	/* The last descriptor of the table, and one byte less. */
	setup(NULL);
	b.s.gdt_limit = SEL_B + 7;
	expect_ok();
	setup(NULL);
	b.s.gdt_limit = SEL_B + 6;
	expect_old(VEC_GP, SEL_B);
}

static void test_ext_bit(void **state)
{
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_GATE, .external = true };
	descriptor(GDT, SEL_B, TSS_B, 0x67, 0x09);
	expect_old(VEC_NP, SEL_B | 1);
	setup(NULL);
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_GATE, .external = true };
	put(TSS_B + 0x50, 0, 2);
	expect_new(VEC_TS, 1);
}

static void test_old_tss_too_small(void **state)
{
	b.s.tr.limit = 0x5e;
	expect_old(VEC_TS, SEL_A);
	setup(NULL);
	old_is_16();
	b.s.tr.limit = 0x28;
	expect_old(VEC_TS, SEL_A);
}

/* SDM3 8.3 step 5: page faults come before anything is written. */
static void test_page_faults(void **state)
{
	static const struct { u8 source; u32 at; bool write; } row[] = {
		{ TASK_JMP, TSS_A + 0x20, true }, { TASK_JMP, TSS_A + 0x5f, true },
		{ TASK_JMP, TSS_B + 0x67, false }, { TASK_JMP, TSS_B, false },
		{ TASK_CALL, TSS_B, true }, { TASK_CALL, TSS_B + 1, true },
		{ TASK_JMP, GDT + SEL_B + 5, true }, { TASK_JMP, GDT + SEL_A + 5, true },
		{ TASK_IRET, GDT + SEL_A + 5, true }, { TASK_JMP, GDT + SEL_B, false },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		setup(NULL);
		b.req.source = row[i].source;
		if (row[i].source == TASK_IRET)
			descriptor(GDT, SEL_B, TSS_B, 0x67, 0x8b);
		b.fault_at = row[i].at;
		b.fault_write_only = row[i].write;
		expect_old(VEC_PF, row[i].write ? PFERR_W : 0);
		assert_int_equal(b.out.payload, row[i].at);
		assert_int_equal(b.writes, 0);
	}
	/* What a JMP does not write may be read-only. */
	setup(NULL);
	b.fault_at = TSS_B;
	b.fault_write_only = true;
	expect_ok();
	/* Nor are the static fields of the old TSS touched. */
	setup(NULL);
	b.fault_at = TSS_A + 0x1f;
	expect_ok();
	/* Of the new task: its stack. */
	setup(NULL);
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_GATE, .has_error = true };
	b.fault_at = STACK_B - 1;
	expect_new(VEC_PF, PFERR_W);
}

/* SDM3 table 8-1, rows about segments: in the context of the new task. */
static void test_bad_segments(void **state)
{
	static const struct {
		u32 field;		/* in the TSS */
		u16 sel, attr;		/* attr 0: no descriptor is written */
		u8 vector;		/* 0: it is good */
	} row[] = {
		{ 0x60, SEL_LDT | 4, 0, VEC_TS }, { 0x60, 0x108, 0, VEC_TS },
		{ 0x60, 0x40, 0x89, VEC_TS }, { 0x60, 0x40, 0x02, VEC_TS },
		{ 0x60, 0x40, 0x92, VEC_TS }, { 0x60, 0x40, 0x82, 0 }, { 0x60, 3, 0, 0 },
		{ 0x4c, 0, 0, VEC_TS }, { 0x4c, 0x100, 0, VEC_TS }, { 0x4c, SEL_DATA, 0, VEC_TS },
		{ 0x4c, SEL_B, 0, VEC_TS }, { 0x4c, 0x40, 0xcfa, VEC_TS },
		{ 0x4c, 0x40, 0xc1a, VEC_NP }, { 0x4c, 0x40, 0xc9e, 0 },
		{ 0x4c, 0x40, 0xcfe, VEC_TS },
		{ 0x50, 0, 0, VEC_TS }, { 0x50, 0x100, 0, VEC_TS }, { 0x50, SEL_CODE, 0, VEC_TS },
		{ 0x50, 0x40, 0xc90, VEC_TS }, { 0x50, 0x40, 0xc12, VEC_SS },
		{ 0x50, 0x43, 0xcf2, VEC_TS }, { 0x50, 0x41, 0xc92, VEC_TS },
		{ 0x50, 0x40, 0xcf2, VEC_TS }, { 0x50, 0x40, 0xc96, 0 },
		{ 0x54, 0, 0, 0 }, { 0x54, 3, 0, 0 }, { 0x54, 0x100, 0, VEC_TS },
		{ 0x54, 0x40, 0xc98, VEC_TS }, { 0x54, 0x40, 0xc9a, 0 }, { 0x54, 0x40, 0xc90, 0 },
		{ 0x54, 0x40, 0xc12, VEC_NP }, { 0x54, 0x43, 0xc92, VEC_TS },
		{ 0x54, 0x43, 0xc9e, 0 }, { 0x54, 0x43, 0xcf2, 0 }, { 0x54, SEL_B, 0, VEC_TS },
		{ 0x48, 0x40, 0xc12, VEC_NP }, { 0x58, 0x40, 0xc12, VEC_NP },
		{ 0x5c, 0x40, 0xc12, VEC_NP },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		setup(NULL);
		if (row[i].attr)
			descriptor(GDT, row[i].sel, 0, 0xfffff, row[i].attr);
		put(TSS_B + row[i].field, row[i].sel, 2);
		if (!row[i].vector)
			expect_ok();
		else
			expect_new(row[i].vector, row[i].sel & 0xfffc);
	}
}

/* What a refused segment register holds can be entered with. */
static void test_state_after_fault(void **state)
{
	put(TSS_B + 0x4c, 0x43, 2);
	descriptor(GDT, 0x40, 0, 0xfffff, 0xc9a);
	expect_new(VEC_TS, 0x40);
	assert_int_equal(b.s.seg[VSEG_CS].selector, 0x43);
	assert_int_equal(b.s.seg[VSEG_CS].attr, 0xcfb);
	assert_false(b.s.seg[VSEG_CS].unusable);
	assert_true(b.s.seg[VSEG_SS].unusable);
	assert_int_equal(b.s.seg[VSEG_SS].attr, SEG_DPL(3));
	assert_int_equal(b.s.seg[VSEG_DS].selector, SEL_DATA);
	assert_true(b.s.seg[VSEG_DS].unusable);
	assert_int_equal(b.s.cr0 & CR0_TS, CR0_TS);
}

static void test_bad_cr3_and_eip(void **state)
{
	b.cr3_result = -EINVAL;
	expect_new(VEC_GP, 0);
	setup(NULL);
	descriptor(GDT, 0x40, 0, 0x1233, 0x49a);
	put(TSS_B + 0x4c, 0x40, 2);
	expect_new(VEC_GP, 0);
	setup(NULL);
	descriptor(GDT, 0x40, 0, 0x1234, 0x49a);
	put(TSS_B + 0x4c, 0x40, 2);
	expect_ok();
}

/* Callbacks' own errors come through. */
static void test_not_memory(void **state)
{
	descriptor(GDT, SEL_B, 0xffff0000, 0x67, 0x89);
	assert_int_equal(go(), -EIO);
	assert_false(b.switched);
	assert_memory_equal(&b.s, &b.before, sizeof(b.s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_bad_tss, setup),
		cmocka_unit_test_setup(test_ext_bit, setup),
		cmocka_unit_test_setup(test_old_tss_too_small, setup),
		cmocka_unit_test_setup(test_page_faults, setup),
		cmocka_unit_test_setup(test_bad_segments, setup),
		cmocka_unit_test_setup(test_state_after_fault, setup),
		cmocka_unit_test_setup(test_bad_cr3_and_eip, setup),
		cmocka_unit_test_setup(test_not_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
