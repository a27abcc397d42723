// SPDX-License-Identifier: MIT
/* Stack instructions and near branches in all widths. */
#include "tests/unit/emul_box.h"

#define TOP	(BOX_BASE + 0x1800)
#define M64	INSN_MODE_64

static void push_pop(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	box_put(&b, BOX_BASE, 0x1122334455667788, 8);
	/* push qword [rax] */
	assert_int_equal(box_run(&b, M64, 0xff, 0x30), 0);
	assert_int_equal(b.s.gpr[4], TOP - 8);
	assert_int_equal(box_get(&b, TOP - 8, 8), 0x1122334455667788);
	/* pop qword [rsp + 8]: addressed with the new rSP */
	assert_int_equal(box_run(&b, M64, 0x8f, 0x44, 0x24, 0x08), 0);
	assert_int_equal(b.s.gpr[4], TOP);
	assert_int_equal(box_get(&b, TOP + 8, 8), 0x1122334455667788);
	/* push -1 (imm8), pop rdx; push rsp pushes the old value; pop rsp */
	assert_int_equal(box_run(&b, M64, 0x6a, 0xff), 0);
	assert_int_equal(box_run(&b, M64, 0x5a), 0);
	assert_int_equal(b.s.gpr[2], ~0ULL);
	assert_int_equal(box_run(&b, M64, 0x54), 0);
	assert_int_equal(box_get(&b, TOP - 8, 8), TOP);
	box_put(&b, TOP - 8, 0x4242, 8);
	assert_int_equal(box_run(&b, M64, 0x5c), 0);
	assert_int_equal(b.s.gpr[4], 0x4242);
}

/* SS.B chooses SP or ESP; bits above stay. */
static void stack_width(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[4] = 0xabcd0002;
	b.s.seg[VSEG_SS].base = BOX_BASE;
	b.s.seg[VSEG_SS].attr &= ~SEG_D;
	b.s.seg[VSEG_SS].limit = 0xffff;
	b.s.gpr[1] = 0x99887766;
	assert_int_equal(box_run(&b, INSN_MODE_32, 0x66, 0x51), 0);
	assert_int_equal(b.s.gpr[4], 0xabcd0000);
	assert_int_equal(box_get(&b, BOX_BASE, 2), 0x7766);
	/* wraps to FFFE: outside the box, a page fault, SP stays */
	b.s.rip = 0x1000;
	box_assert_fault(&b, box_run(&b, INSN_MODE_32, 0x66, 0x51), VEC_PF, PFERR_W);
	assert_int_equal(b.fault.payload, BOX_BASE + 0xfffe);
	assert_int_equal(b.s.gpr[4], 0xabcd0000);
	/* limit of the stack segment: #SS */
	b.s.seg[VSEG_SS].limit = 0xfff;
	box_assert_fault(&b, box_run(&b, INSN_MODE_32, 0x66, 0x51), VEC_SS, 0);
	/* ESP */
	box_init(&b);
	assert_int_equal(box_run(&b, INSN_MODE_32, 0x51), 0);
	assert_int_equal(b.s.gpr[4], TOP - 4);
}

/* All 64 bits of RSP count in 64-bit mode, whatever SS says. */
static void wide_stack(void **state)
{
	struct box b;

	box_init(&b);
	b.s.seg[VSEG_SS].attr = 0;
	b.s.gpr[4] = 0x500000000;
	box_assert_fault(&b, box_run(&b, M64, 0x50), VEC_PF, PFERR_W);
	assert_int_equal(b.fault.payload, 0x4fffffff8);
	b.s.gpr[4] = 0x800000000000;
	box_assert_fault(&b, box_run(&b, M64, 0x58), VEC_SS, 0);
}

static void pop_faults(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = 0x900000;
	/* pop [rax]: the store faults, rSP is as before */
	box_assert_fault(&b, box_run(&b, M64, 0x8f, 0x00), VEC_PF, PFERR_W);
	assert_int_equal(b.s.gpr[4], TOP);
	/* into a read-only segment; a stack that is read-only */
	b.s.seg[VSEG_DS].attr &= ~2;
	b.s.gpr[0] = BOX_BASE;
	box_assert_fault(&b, box_run(&b, INSN_MODE_32, 0x8f, 0x00), VEC_GP, 0);
	b.s.seg[VSEG_SS].attr &= ~2;
	box_assert_fault(&b, box_run(&b, INSN_MODE_32, 0x50), VEC_SS, 0);
	assert_int_equal(b.s.gpr[4], TOP);
	b.s.gpr[0] = 0x900000;
	/* the stack itself */
	b.s.gpr[4] = 0x900000;
	box_assert_fault(&b, box_run(&b, M64, 0x58), VEC_PF, 0);
	assert_int_equal(b.s.gpr[0], 0x900000);
}

static void branches(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	box_put(&b, BOX_BASE, 0x123456789a, 8);
	/* jmp [rax]; call [rax]; ret 16 */
	assert_int_equal(box_run(&b, M64, 0xff, 0x20), 0);
	assert_int_equal(b.s.rip, 0x123456789a);
	b.s.rip = 0x1000;
	assert_int_equal(box_run(&b, M64, 0xff, 0x10), 0);
	assert_int_equal(b.s.rip, 0x123456789a);
	assert_int_equal(box_get(&b, TOP - 8, 8), 0x1002);
	assert_int_equal(box_run(&b, M64, 0xc2, 0x10, 0x00), 0);
	assert_int_equal(b.s.rip, 0x1002);
	assert_int_equal(b.s.gpr[4], TOP + 16);
	/* call rel32, backwards */
	b.s.rip = 0x1000;
	assert_int_equal(box_run(&b, M64, 0xe8, 0xfb, 0xff, 0xff, 0xff), 0);
	assert_int_equal(b.s.rip, 0x1000);
	assert_int_equal(box_get(&b, TOP + 8, 8), 0x1005);
	/* 16-bit operand size cuts the target */
	assert_int_equal(box_run(&b, INSN_MODE_32, 0x66, 0xff, 0x20), 0);
	assert_int_equal(b.s.rip, 0x789a);
}

static void branch_faults(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	box_put(&b, BOX_BASE, 0x1234567890000000, 8);
	box_assert_fault(&b, box_run(&b, M64, 0xff, 0x20), VEC_GP, 0);
	/* a call pushes nothing then */
	box_assert_fault(&b, box_run(&b, M64, 0xff, 0x10), VEC_GP, 0);
	assert_int_equal(b.s.gpr[4], TOP);
	assert_int_equal(b.writes, 0);
	/* beyond the limit of CS */
	b.s.seg[VSEG_CS].limit = 0x8fffffff;
	box_assert_fault(&b, box_run(&b, INSN_MODE_32, 0xff, 0x20), VEC_GP, 0);
	b.s.seg[VSEG_CS].limit = 0x90000000;
	assert_int_equal(box_run(&b, INSN_MODE_32, 0xff, 0x20), 0);
	assert_int_equal(b.s.rip, 0x90000000);
}

static void leave(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[5] = BOX_BASE + 0x100;
	box_put(&b, BOX_BASE + 0x100, 0x7777, 8);
	assert_int_equal(box_run(&b, M64, 0xc9), 0);
	assert_int_equal(b.s.gpr[5], 0x7777);
	assert_int_equal(b.s.gpr[4], BOX_BASE + 0x108);
}

static void enter(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[5] = BOX_BASE + 0x200;
	box_put(&b, BOX_BASE + 0x1f8, 0xaaaa, 8);
	/* enter 0x20, 0 */
	assert_int_equal(box_run(&b, M64, 0xc8, 0x20, 0x00, 0x00), 0);
	assert_int_equal(box_get(&b, TOP - 8, 8), BOX_BASE + 0x200);
	assert_int_equal(b.s.gpr[5], TOP - 8);
	assert_int_equal(b.s.gpr[4], TOP - 8 - 0x20);
	assert_int_equal(b.probes, 1);
	/* enter 0, 2: the outer frame's pointer and the new one */
	b.s.gpr[5] = BOX_BASE + 0x200;
	b.s.gpr[4] = TOP;
	assert_int_equal(box_run(&b, M64, 0xc8, 0x00, 0x00, 0x22), 0);
	assert_int_equal(box_get(&b, TOP - 16, 8), 0xaaaa);
	assert_int_equal(box_get(&b, TOP - 24, 8), TOP - 8);
	assert_int_equal(b.s.gpr[5], TOP - 8);
	assert_int_equal(b.s.gpr[4], TOP - 24);
	/* the end of the frame must be writable */
	b.s.rip = 0x1000;
	b.s.gpr[4] = BOX_BASE + 0x100;
	b.s.gpr[5] = 0x77;
	box_assert_fault(&b, box_run(&b, M64, 0xc8, 0x00, 0x02, 0x00), VEC_PF, PFERR_W);
	assert_int_equal(b.s.gpr[4], BOX_BASE + 0x100);
	assert_int_equal(b.s.gpr[5], 0x77);
}

BOX_TESTS(cmocka_unit_test(push_pop), cmocka_unit_test(stack_width),
	  cmocka_unit_test(wide_stack),
	  cmocka_unit_test(pop_faults), cmocka_unit_test(branches),
	  cmocka_unit_test(branch_faults), cmocka_unit_test(leave),
	  cmocka_unit_test(enter))
