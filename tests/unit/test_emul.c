// SPDX-License-Identifier: MIT
/* The order of an instruction, what is covered, and the plain moves. */
#include "tests/unit/emul_box.h"

#define M64	INSN_MODE_64

static void moves(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE + 8;
	b.s.gpr[1] = 0x1122334455667788;
	/* mov [rax], rcx; then back in pieces */
	assert_int_equal(box_run(&b, M64, 0x48, 0x89, 0x08), 0);
	assert_int_equal(b.last_n, 8);
	assert_int_equal(b.s.rip, 0x1003);
	assert_int_equal(box_get(&b, BOX_BASE + 8, 8), 0x1122334455667788);
	b.s.gpr[2] = ~0ULL;
	/* mov edx, [rax] clears the upper half, mov dx, mov dl do not */
	assert_int_equal(box_run(&b, M64, 0x8b, 0x10), 0);
	assert_int_equal(b.s.gpr[2], 0x55667788);
	b.s.gpr[2] = ~0ULL;
	assert_int_equal(box_run(&b, M64, 0x66, 0x8b, 0x10), 0);
	assert_int_equal(b.s.gpr[2], 0xffffffffffff7788);
	assert_int_equal(box_run(&b, M64, 0x8a, 0x50, 0x07), 0);
	assert_int_equal(b.s.gpr[2], 0xffffffffffff7711);
	/* mov dh, [rax]: no REX; mov sil, [rax]: REX */
	assert_int_equal(box_run(&b, M64, 0x8a, 0x30), 0);
	assert_int_equal(b.s.gpr[2], 0xffffffffffff8811);
	assert_int_equal(box_run(&b, M64, 0x40, 0x8a, 0x30), 0);
	assert_int_equal(b.s.gpr[6], 0x88);
	/* movzx, movsx, movsxd, movbe, bswap */
	assert_int_equal(box_run(&b, M64, 0x0f, 0xb6, 0x18), 0);
	assert_int_equal(b.s.gpr[3], 0x88);
	assert_int_equal(box_run(&b, M64, 0x48, 0x0f, 0xbe, 0x18), 0);
	assert_int_equal(b.s.gpr[3], 0xffffffffffffff88);
	b.mem[11] = 0x85;
	assert_int_equal(box_run(&b, M64, 0x48, 0x63, 0x18), 0);
	assert_int_equal(b.s.gpr[3], 0xffffffff85667788);
	assert_int_equal(box_run(&b, M64, 0x0f, 0x38, 0xf0, 0x18), 0);
	assert_int_equal(b.s.gpr[3], 0x88776685);
	assert_int_equal(box_run(&b, M64, 0x66, 0x0f, 0x38, 0xf1, 0x18), 0);
	assert_int_equal(box_get(&b, BOX_BASE + 8, 2), 0x8566);
	/* mov qword [rax], -2 */
	assert_int_equal(box_run(&b, M64, 0x48, 0xc7, 0x00, 0xfe, 0xff, 0xff, 0xff), 0);
	assert_int_equal(box_get(&b, BOX_BASE + 8, 8), ~1ULL);
}

static void absolute_moves(void **state)
{
	struct box b;

	box_init(&b);
	/* mov eax, [moffs64]; mov [moffs32], al */
	assert_int_equal(box_run(&b, M64, 0xa1, 0x10, 0x00, 0x01, 0, 0, 0, 0, 0), 0);
	assert_int_equal(b.s.gpr[0], box_get(&b, 0x10010, 4));
	b.s.gpr[0] = 0x5a;
	assert_int_equal(box_run(&b, M64, 0x67, 0xa2, 0x20, 0x00, 0x01, 0), 0);
	assert_int_equal(b.mem[0x20], 0x5a);
	/* xlat: [rbx + al] */
	b.s.gpr[3] = BOX_BASE;
	b.s.gpr[0] = 0xfff0;
	assert_int_equal(box_run(&b, M64, 0xd7), 0);
	assert_int_equal(b.s.gpr[0], 0xff00 | b.mem[0xf0]);
	/* rip-relative counts from the next instruction, immediate included */
	b.s.rip = 0x1000;
	assert_int_equal(box_run(&b, M64, 0xc6, 0x05, 0xf9, 0xef, 0, 0, 0x77), 0);
	assert_int_equal(b.mem[0], 0x77);
}

static void segment_registers(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	box_put(&b, BOX_BASE, 0, 8);
	/* mov [rax], gs: 16 bits even with REX.W */
	assert_int_equal(box_run(&b, M64, 0x48, 0x8c, 0x28), 0);
	assert_int_equal(b.last_n, 2);
	assert_int_equal(box_get(&b, BOX_BASE, 8), 8 * VSEG_GS);
	/* mov ds, [rax] in real mode; in protected mode see test_emul_seg.c */
	b.s.cr0 = 0;
	b.s.gpr[3] = 0x234;
	b.s.seg[VSEG_DS].base = BOX_BASE;
	box_put(&b, BOX_BASE + 0x234, 0xbeef, 2);
	b.s.gpr[6] = 0;
	assert_int_equal(box_run(&b, INSN_MODE_16, 0x8e, 0x18), 0);
	assert_int_equal(b.s.seg[VSEG_DS].selector, 0xbeef);
	assert_int_equal(b.s.seg[VSEG_DS].base, 0xbeef0);
}

/* A store that faults leaves registers, flags and RIP alone. */
static void faults_change_nothing(void **state)
{
	struct emul_state before;
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	b.s.gpr[1] = ~0ULL;
	b.s.rflags |= RFLAGS_RF;
	b.read_only = true;
	before = b.s;
	/* add, xadd, xchg, inc, neg, shl, mov, setcc, bts, cmpxchg8b */
	box_assert_fault(&b, box_run(&b, M64, 0x01, 0x08), VEC_PF, PFERR_W);
	assert_int_equal(b.reads, 0);
	box_assert_fault(&b, box_run(&b, M64, 0x0f, 0xc1, 0x08), VEC_PF, PFERR_W);
	box_assert_fault(&b, box_run(&b, M64, 0x87, 0x08), VEC_PF, PFERR_W);
	box_assert_fault(&b, box_run(&b, M64, 0xff, 0x00), VEC_PF, PFERR_W);
	box_assert_fault(&b, box_run(&b, M64, 0xf7, 0x18), VEC_PF, PFERR_W);
	box_assert_fault(&b, box_run(&b, M64, 0xd1, 0x20), VEC_PF, PFERR_W);
	box_assert_fault(&b, box_run(&b, M64, 0x89, 0x08), VEC_PF, PFERR_W);
	box_assert_fault(&b, box_run(&b, M64, 0x0f, 0x92, 0x00), VEC_PF, PFERR_W);
	box_assert_fault(&b, box_run(&b, M64, 0x0f, 0xab, 0x08), VEC_PF, PFERR_W);
	box_assert_fault(&b, box_run(&b, M64, 0x0f, 0xc7, 0x08), VEC_PF, PFERR_W);
	assert_memory_equal(&before, &b.s, sizeof(before));
	assert_int_equal(b.fault.payload, BOX_BASE);
	/* and without the optional probe: the read comes first, then the store */
	static const struct emul_ops plain = { .read = box_read, .write = box_write };
	static const u8 add[] = { 0x01, 0x08 };

	box_assert_fault(&b, box_run_ops(&b, M64, &plain, add, 2), VEC_PF, PFERR_W);
	assert_int_equal(b.reads, 1);
	assert_memory_equal(&before, &b.s, sizeof(before));
	/* RF goes when an instruction completes */
	b.read_only = false;
	assert_int_equal(box_run(&b, M64, 0x01, 0x08), 0);
	assert_false(b.s.rflags & RFLAGS_RF);
}

static void locked(void **state)
{
	struct box b;

	box_init(&b);
	b.s.gpr[0] = BOX_BASE;
	b.s.gpr[1] = 5;
	box_put(&b, BOX_BASE, 10, 4);
	/* lock add [rax], ecx: through cmpxchg */
	assert_int_equal(box_run(&b, M64, 0xf0, 0x01, 0x08), 0);
	assert_int_equal(b.swaps, 1);
	assert_int_equal(b.writes, 0);
	assert_int_equal(box_get(&b, BOX_BASE, 4), 15);
	/* xchg is locked without a prefix */
	assert_int_equal(box_run(&b, M64, 0x87, 0x08), 0);
	assert_int_equal(b.swaps, 2);
	assert_int_equal(b.s.gpr[1], 15);
	/* a lost race: nothing changed, try again */
	b.race = true;
	b.s.rip = 0x1000;
	assert_int_equal(box_run(&b, M64, 0xf0, 0x0f, 0xc1, 0x08), 1);
	assert_int_equal(b.s.rip, 0x1000);
	assert_int_equal(b.s.gpr[1], 15);
	assert_int_equal(box_get(&b, BOX_BASE, 4), 5);
	assert_int_equal(box_run(&b, M64, 0xf0, 0x0f, 0xc1, 0x08), 0);
	assert_int_equal(b.s.gpr[1], 5);
	assert_int_equal(box_get(&b, BOX_BASE, 4), 20);
	/* not locked, no cmpxchg */
	b.swaps = 0;
	assert_int_equal(box_run(&b, M64, 0x01, 0x08), 0);
	assert_int_equal(b.swaps, 0);
}

/* An error of a callback that is not the guest's comes back as it is. */
static int broken(void *ctx, u64 linear, void *buf, unsigned int n)
{
	return -EIO;
}

static void callback_errors(void **state)
{
	static const struct emul_ops ops = { .read = broken, .write = box_write };
	static const u8 mov[] = { 0x8b, 0x08 };
	struct box b;

	box_init(&b);
	assert_int_equal(box_run_ops(&b, M64, &ops, mov, 2), -EIO);
	assert_int_equal(b.fault.type, EVENT_NONE);
	assert_int_equal(b.s.rip, 0x1000);
}

struct support_case {
	u8 bytes[6];
	u8 mode;
	bool want;
};

static void coverage(void **state)
{
	static const struct support_case cases[] = {
		{ { 0x89, 0x08 }, M64, true },
		{ { 0x63, 0x08 }, M64, true },
		{ { 0x63, 0x08 }, INSN_MODE_32, false },	/* ARPL */
		{ { 0xc7, 0xf8, 0, 0, 0, 0 }, M64, false },	/* XBEGIN */
		{ { 0xc6, 0xf8, 0 }, M64, false },		/* XABORT */
		{ { 0x0f, 0xc7, 0x08 }, M64, true },
		{ { 0x0f, 0xc7, 0xf0 }, M64, false },		/* RDRAND */
		{ { 0x0f, 0xc7, 0x30 }, M64, false },		/* VMPTRLD */
		{ { 0xff, 0x18 }, M64, false },			/* CALL far */
		{ { 0xff, 0x28 }, M64, true },			/* JMP far */
		{ { 0x0f, 0x00, 0x18 }, M64, true },		/* LTR */
		{ { 0x0f, 0x00, 0xd8 }, M64, false },		/* of a register */
		{ { 0x0f, 0x00, 0x20 }, M64, false },		/* VERR */
		{ { 0x0f, 0x01, 0x30 }, M64, true },		/* LMSW */
		{ { 0x0f, 0x01, 0xf0 }, M64, false },
		{ { 0x0f, 0x01, 0x10 }, M64, false },		/* LGDT */
		{ { 0xff, 0x10 }, M64, true },
		{ { 0x0f, 0xa2 }, M64, false },			/* CPUID */
		{ { 0x0f, 0x28, 0x08 }, M64, true },		/* MOVAPS, memory */
		{ { 0x0f, 0x28, 0xc8 }, M64, false },
		{ { 0x0f, 0x58, 0x08 }, M64, false },		/* ADDPS */
		{ { 0xf2, 0x0f, 0x38, 0xf0, 0x08 }, M64, false }, /* CRC32 */
		{ { 0x6c }, M64, false },			/* INS */
		{ { 0xc5, 0xf8, 0x28, 0x08 }, M64, true },
		{ { 0xc5, 0xf8, 0x77 }, M64, false },
	};
	struct box b;

	for (unsigned int k = 0; k < ARRAY_SIZE(cases); k++) {
		const struct support_case *c = &cases[k];
		struct insn i;

		box_init(&b);
		assert_int_equal(insn_decode(&i, c->bytes, sizeof(c->bytes), c->mode), 0);
		assert_int_equal(emul_supported(&i), c->want);
		if (!c->want)
			assert_int_equal(emul_insn(&b.s, &i, &box_ops, &b, &b.fault),
					 -EOPNOTSUPP);
	}
}

static void one_operand(void **state)
{
	static const struct support_case cases[] = {
		{ { 0x89, 0x08 }, M64, true },
		{ { 0xa3, 0, 0, 0, 0 }, INSN_MODE_32, true },	/* MOV moffs */
		{ { 0xc7, 0x00, 0, 0, 0, 0 }, M64, true },
		{ { 0x0f, 0xab, 0x08 }, M64, true },		/* BTS */
		{ { 0xff, 0x20 }, M64, true },			/* JMP */
		{ { 0x0f, 0x01, 0x20 }, M64, true },		/* SMSW */
		{ { 0x0f, 0x01, 0x30 }, M64, true },		/* LMSW */
		{ { 0x0f, 0x00, 0x00 }, M64, true },		/* SLDT */
		{ { 0x89, 0xc8 }, M64, false },			/* no memory */
		{ { 0xff, 0x10 }, M64, false },			/* CALL */
		{ { 0xff, 0x30 }, M64, false },			/* PUSH */
		{ { 0x8f, 0x00 }, M64, false },			/* POP */
		{ { 0x8e, 0x18 }, M64, false },			/* MOV DS: descriptors */
		{ { 0x0f, 0x00, 0x10 }, M64, false },		/* LLDT */
		{ { 0x0f, 0x00, 0x18 }, M64, false },		/* LTR */
		{ { 0xff, 0x28 }, M64, false },			/* JMP far */
		{ { 0xa4 }, M64, false },			/* MOVS */
		{ { 0x0f, 0xa2 }, M64, false },			/* not emulated */
	};
	struct insn i;

	for (unsigned int k = 0; k < ARRAY_SIZE(cases); k++) {
		assert_int_equal(insn_decode(&i, cases[k].bytes, sizeof(cases[k].bytes),
					     cases[k].mode), 0);
		assert_int_equal(emul_one_operand(&i), cases[k].want);
	}
}

/* Outside 64-bit mode RIP has 32 bits. */
static void rip_width(void **state)
{
	struct box b;

	box_init(&b);
	b.s.rip = 0xffffffff;
	b.s.gpr[0] = BOX_BASE;
	assert_int_equal(box_run(&b, INSN_MODE_32, 0x8b, 0x08), 0);
	assert_int_equal(b.s.rip, 1);
	b.s.rip = 0xffffffff;
	assert_int_equal(box_run(&b, M64, 0x8b, 0x08), 0);
	assert_int_equal(b.s.rip, 0x100000001);
}

BOX_TESTS(cmocka_unit_test(moves), cmocka_unit_test(absolute_moves),
	  cmocka_unit_test(segment_registers), cmocka_unit_test(faults_change_nothing),
	  cmocka_unit_test(locked), cmocka_unit_test(callback_errors),
	  cmocka_unit_test(coverage), cmocka_unit_test(one_operand), cmocka_unit_test(rip_width))
