/* SPDX-License-Identifier: MIT */
/* Task switches that work. */
#include "tests/unit/task_box.h"

static void test_jmp(void **state)
{
	expect_ok();
	/* The old task, saved. */
	assert_int_equal(get(TSS_A + 0x20, 4), 0x777);
	assert_int_equal(get(TSS_A + 0x24, 4), 0x4246);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(get(TSS_A + 0x28 + 4 * i, 4), 0xa0000000 + i);
	for (u32 i = 0; i < 6; i++)
		assert_int_equal(get(TSS_A + 0x48 + 4 * i, 2), i == VSEG_CS ? SEL_CODE : SEL_DATA);
	/* The static fields stay. */
	assert_int_equal(get(TSS_A + 0x1c, 4), 0);
	assert_int_equal(get(TSS_A + 0x60, 4), 0);
	assert_int_equal(type_of(SEL_A), 0x89);
	assert_int_equal(type_of(SEL_B), 0x8b);
	assert_int_equal(get(TSS_B, 2), 0);
	/* The new one. */
	assert_int_equal(b.s.eip, 0x1234);
	assert_int_equal(b.s.eflags, 0x202);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(b.s.gpr[i], i == 4 ? STACK_B : 0xb0000000 + i);
	assert_int_equal(b.cr3, 0x7000);
	assert_int_equal(b.s.cr0, CR0_PE | CR0_PG | CR0_TS);
	assert_int_equal(b.s.dr7, 0x6aa);
	assert_int_equal(b.s.tr.base, TSS_B);
	assert_int_equal(b.s.tr.attr, 0x8b);
	assert_int_equal(b.s.tr.limit, 0x67);
	assert_true(b.s.ldtr.unusable);
	for (u32 i = 0; i < 6; i++) {
		assert_int_equal(b.s.seg[i].attr, i == VSEG_CS ? 0xc9b : 0xc93);
		assert_int_equal(b.s.seg[i].limit, ~0u);
		assert_false(b.s.seg[i].unusable);
	}
	/* Accessed in the table too. */
	assert_int_equal(type_of(SEL_CODE), 0x9b);
	assert_int_equal(type_of(SEL_DATA), 0x93);
}

static void test_call_links(void **state)
{
	b.req.source = TASK_CALL;
	expect_ok();
	assert_int_equal(get(TSS_B, 2), SEL_A);
	assert_int_equal(type_of(SEL_A), 0x8b);
	assert_int_equal(type_of(SEL_B), 0x8b);
	assert_int_equal(b.s.eflags, 0x202 | RFLAGS_NT);
	assert_int_equal(get(TSS_A + 0x24, 4), 0x4246);
}

static void test_iret(void **state)
{
	b.req.source = TASK_IRET;
	descriptor(GDT, SEL_B, TSS_B, 0x67, 0x8b);
	expect_ok();
	assert_int_equal(type_of(SEL_A), 0x89);
	assert_int_equal(type_of(SEL_B), 0x8b);
	assert_int_equal(get(TSS_A + 0x24, 4), 0x0246);
	assert_int_equal(b.s.eflags, 0x202);
	assert_int_equal(get(TSS_B, 2), 0);
}

static void test_gate_with_error(void **state)
{
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_GATE, .external = true,
				       .has_error = true, .error = 0xfeed0008 };
	expect_ok();
	assert_int_equal(b.s.eflags, 0x202 | RFLAGS_NT);
	assert_int_equal(get(TSS_B, 2), SEL_A);
	assert_int_equal(b.s.gpr[VREG_RSP], STACK_B - 4);
	assert_int_equal(get(STACK_B - 4, 4), 0xfeed0008);
	assert_int_equal(b.user_writes, 0);
}

static void test_error_on_user_stack(void **state)
{
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_GATE, .has_error = true };
	put(TSS_B + 0x4c, SEL_CODE3, 2);
	put(TSS_B + 0x50, SEL_DATA3, 2);
	for (u32 i = 0x48; i <= 0x5c; i += 4)
		if (i != 0x4c && i != 0x50)
			put(TSS_B + i, SEL_DATA3, 2);
	expect_ok();
	assert_int_equal(b.user_writes, 1);
	assert_int_equal(b.s.seg[VSEG_SS].attr >> 5 & 3, 3);
}

/* SS.B = 0: SP wraps in 16 bits, its upper half stays. */
static void test_error_on_small_stack(void **state)
{
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_GATE, .has_error = true,
				       .error = 0x77 };
	descriptor(GDT, 0x40, 0, 0xffff, 0x92);
	put(TSS_B + 0x50, 0x40, 2);
	put(TSS_B + 0x38, 0x12346000, 4);
	expect_ok();
	assert_int_equal(b.s.gpr[VREG_RSP], 0x12345ffc);
	assert_int_equal(get(0x5ffc, 4), 0x77);
}

static void test_error_beyond_stack(void **state)
{
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_GATE, .has_error = true,
				       .external = true };
	descriptor(GDT, 0x40, 0, 0x5000, 0x492);
	put(TSS_B + 0x50, 0x40, 2);
	expect_new(VEC_SS, 1);
	/* Expand-down: valid above the limit only. */
	setup(NULL);
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_GATE, .has_error = true };
	descriptor(GDT, 0x40, 0, 0x5000, 0x496);
	put(TSS_B + 0x50, 0x40, 2);
	expect_ok();
	setup(NULL);
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_GATE, .has_error = true };
	descriptor(GDT, 0x40, 0, 0x6000, 0x496);
	put(TSS_B + 0x50, 0x40, 2);
	expect_new(VEC_SS, 0);
}

static void test_16_bit_old(void **state)
{
	old_is_16();
	memset(b.mem + TSS_A + 44, 0xee, 64);
	expect_ok();
	assert_int_equal(get(TSS_A + 14, 2), 0x777);
	assert_int_equal(get(TSS_A + 16, 2), 0x4246);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(get(TSS_A + 18 + 2 * i, 2), i);
	assert_int_equal(get(TSS_A + 34, 2), SEL_DATA);
	assert_int_equal(get(TSS_A + 36, 2), SEL_CODE);
	assert_int_equal(get(TSS_A + 42, 2), 0);
	assert_int_equal(get(TSS_A + 44, 4), 0xeeeeeeee);
	assert_int_equal(type_of(SEL_A), 0x81);
}

static void test_16_bit_new(void **state)
{
	descriptor(GDT, SEL_B, TSS_B, 0x2b, 0x81);
	memset(b.mem + TSS_B, 0, 0x68);
	put(TSS_B + 14, 0x4321, 2);
	put(TSS_B + 16, 0x0a02, 2);
	for (u32 i = 0; i < 8; i++)
		put(TSS_B + 18 + 2 * i, 0xcc00 + i, 2);
	put(TSS_B + 26, 0x5000, 2);
	for (u32 i = 0; i < 4; i++)
		put(TSS_B + 34 + 2 * i, i == VSEG_CS ? SEL_CODE : SEL_DATA, 2);
	put(TSS_B + 42, SEL_LDT, 2);
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_GATE, .has_error = true,
				       .error = 0x12345678 };
	b.cr3 = 0x99;
	b.s.gpr[VREG_RSP] = 0x1111;
	expect_ok();
	assert_int_equal(b.s.eip, 0x4321);
	assert_int_equal(b.s.eflags, 0x0a02 | RFLAGS_NT);
	assert_int_equal(b.s.gpr[0], 0xa000cc00);
	assert_int_equal(b.s.gpr[7], 0xa000cc07);
	/* No CR3, no FS and GS, no T bit in a 16-bit TSS. */
	assert_int_equal(b.cr3, 0x99);
	assert_int_equal(b.s.seg[VSEG_FS].selector, 0);
	assert_true(b.s.seg[VSEG_FS].unusable && b.s.seg[VSEG_GS].unusable);
	assert_int_equal(b.s.ldtr.base, LDT);
	assert_int_equal(b.s.ldtr.attr, 0x82);
	assert_int_equal(b.s.tr.attr, 0x83);
	/* Two bytes of error code: the stack segment is 32 bits wide. */
	assert_int_equal(b.s.gpr[VREG_RSP], 0x4ffe);
	assert_int_equal(get(0x4ffe, 4), 0x5678);
}

static void test_ldt_segments(void **state)
{
	put(TSS_B + 0x60, SEL_LDT, 2);
	descriptor(LDT, 0x0c, 0x100, 0xfff, 0x493);
	put(TSS_B + 0x54, 0x0c, 2);
	expect_ok();
	assert_int_equal(b.s.seg[VSEG_DS].base, 0x100);
	assert_int_equal(b.s.seg[VSEG_DS].limit, 0xfff);
	assert_int_equal(b.s.ldtr.selector, SEL_LDT);
	assert_false(b.s.ldtr.unusable);
	/* Beyond the LDT, and without an LDT. */
	setup(NULL);
	put(TSS_B + 0x60, SEL_LDT, 2);
	put(TSS_B + 0x54, 0x1c, 2);
	expect_new(VEC_TS, 0x1c);
	setup(NULL);
	put(TSS_B + 0x54, 0x0c, 2);
	expect_new(VEC_TS, 0x0c);
}

static void test_v86(void **state)
{
	put(TSS_B + 0x24, RFLAGS_VM | 2, 4);
	for (u32 i = 0; i < 6; i++)
		put(TSS_B + 0x48 + 4 * i, 0x1230 + i, 2);
	expect_ok();
	for (u32 i = 0; i < 6; i++) {
		assert_int_equal(b.s.seg[i].selector, 0x1230 + i);
		assert_int_equal(b.s.seg[i].base, (0x1230 + i) << 4);
		assert_int_equal(b.s.seg[i].limit, 0xffff);
		assert_int_equal(b.s.seg[i].attr, 0xf3);
	}
}

static void test_reserved_eflags(void **state)
{
	put(TSS_B + 0x24, ~0u & ~(u32)RFLAGS_VM, 4);
	expect_ok();
	assert_int_equal(b.s.eflags, 0x003d7fd7);
	setup(NULL);
	put(TSS_B + 0x24, 0, 4);
	expect_ok();
	assert_int_equal(b.s.eflags, 2);
}

static void test_no_paging(void **state)
{
	b.s.cr0 = CR0_PE;
	b.cr3 = 0x99;
	expect_ok();
	assert_int_equal(b.cr3, 0x99);
}

static void test_debug_trap(void **state)
{
	put(TSS_B + 0x64, 1, 2);
	assert_int_equal(go(), 0);
	assert_true(b.switched);
	assert_int_equal(b.out.type, EVENT_EXCEPTION);
	assert_int_equal(b.out.vector, VEC_DB);
	assert_int_equal(b.out.payload, DR6_BT);
	assert_false(b.out.has_error);
	/* A fault of the new task is all there is to deliver. */
	setup(NULL);
	put(TSS_B + 0x64, 1, 2);
	put(TSS_B + 0x4c, 0, 2);
	expect_new(VEC_TS, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_jmp, setup),
		cmocka_unit_test_setup(test_call_links, setup),
		cmocka_unit_test_setup(test_iret, setup),
		cmocka_unit_test_setup(test_gate_with_error, setup),
		cmocka_unit_test_setup(test_error_on_user_stack, setup),
		cmocka_unit_test_setup(test_error_on_small_stack, setup),
		cmocka_unit_test_setup(test_error_beyond_stack, setup),
		cmocka_unit_test_setup(test_16_bit_old, setup),
		cmocka_unit_test_setup(test_16_bit_new, setup),
		cmocka_unit_test_setup(test_ldt_segments, setup),
		cmocka_unit_test_setup(test_v86, setup),
		cmocka_unit_test_setup(test_reserved_eflags, setup),
		cmocka_unit_test_setup(test_no_paging, setup),
		cmocka_unit_test_setup(test_debug_trap, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
