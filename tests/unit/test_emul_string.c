// SPDX-License-Identifier: MIT
/* String instructions: REP, direction, address size, faults half-way, INS/OUTS. */
#include "tests/unit/emul_box.h"

#define M64	INSN_MODE_64
#define RCX	1
#define RSI	6
#define RDI	7

static void setup(struct box *b, u64 count)
{
	box_init(b);
	b->s.gpr[RCX] = count;
	b->s.gpr[RSI] = BOX_BASE;
	b->s.gpr[RDI] = BOX_BASE + 0x1000;
}

static void rep_movs(void **state)
{
	struct box b;

	setup(&b, 10);
	assert_int_equal(box_run(&b, M64, 0xf3, 0x48, 0xa5), 0);
	assert_memory_equal(b.mem, b.mem + 0x1000, 80);
	assert_int_equal(b.s.gpr[RCX], 0);
	assert_int_equal(b.s.gpr[RSI], BOX_BASE + 80);
	assert_int_equal(b.s.gpr[RDI], BOX_BASE + 0x1050);
	assert_int_equal(b.s.rip, 0x1003);
	/* backwards, without REP: RCX does not count */
	setup(&b, 10);
	b.s.rflags |= RFLAGS_DF;
	assert_int_equal(box_run(&b, M64, 0x66, 0xa5), 0);
	assert_int_equal(b.s.gpr[RSI], BOX_BASE - 2);
	assert_int_equal(b.s.gpr[RDI], BOX_BASE + 0xffe);
	assert_int_equal(b.s.gpr[RCX], 10);
	/* zero times: no access */
	setup(&b, 0);
	assert_int_equal(box_run(&b, M64, 0xf3, 0xa4), 0);
	assert_int_equal(b.reads + b.writes, 0);
	assert_int_equal(b.s.rip, 0x1002);
}

/* 67 in 64-bit mode: ECX, ESI, EDI, upper halves are cleared by the update. */
static void address_sizes(void **state)
{
	struct box b;

	setup(&b, 0xffffffff00000002);
	b.s.gpr[RSI] |= 0xabcULL << 32;
	b.s.gpr[RDI] |= 0xdefULL << 32;
	assert_int_equal(box_run(&b, M64, 0x67, 0xf3, 0xa4), 0);
	assert_int_equal(b.s.gpr[RCX], 0);
	assert_int_equal(b.s.gpr[RSI], BOX_BASE + 2);
	assert_int_equal(b.s.gpr[RDI], BOX_BASE + 0x1002);
	/* 16 bits: CX, SI, DI wrap and leave the rest */
	setup(&b, 0xffff0002);
	b.s.seg[VSEG_DS].base = b.s.seg[VSEG_ES].base = BOX_BASE;
	b.s.gpr[RSI] = 0x12340000;
	b.s.gpr[RDI] = 0x56781000;
	b.s.rflags |= RFLAGS_DF;
	assert_int_equal(box_run(&b, INSN_MODE_16, 0xa4), 0);
	assert_int_equal(b.s.gpr[RSI], 0x1234ffff);
	assert_int_equal(b.s.gpr[RDI], 0x56780fff);
	assert_int_equal(b.s.gpr[RCX], 0xffff0002);
}

/* The source can be overridden, the destination is always ES. */
static void segments(void **state)
{
	struct box b;

	setup(&b, 1);
	b.s.seg[VSEG_FS].base = BOX_BASE;
	b.s.seg[VSEG_ES].base = BOX_BASE + 0x800;
	b.s.gpr[RSI] = 0x10;
	b.s.gpr[RDI] = 0x20;
	b.mem[0x10] = 0x99;
	assert_int_equal(box_run(&b, INSN_MODE_32, 0x64, 0xa4), 0);
	assert_int_equal(b.mem[0x820], 0x99);
	/* a read-only ES faults on the store, nothing has moved */
	b.s.rip = 0x1000;
	b.s.seg[VSEG_ES].attr &= ~2;
	box_assert_fault(&b, box_run(&b, INSN_MODE_32, 0x64, 0xa4), VEC_GP, 0);
	assert_int_equal(b.s.gpr[RSI], 0x11);
}

static void stos_lods(void **state)
{
	struct box b;

	setup(&b, 3);
	b.s.gpr[0] = 0x1122334455667788;
	assert_int_equal(box_run(&b, M64, 0xf3, 0xab), 0);
	assert_int_equal(box_get(&b, BOX_BASE + 0x1008, 4), 0x55667788);
	assert_int_equal(b.s.gpr[RSI], BOX_BASE);
	assert_int_equal(b.s.gpr[RDI], BOX_BASE + 0x100c);
	/* lodsb keeps the rest of RAX, lodsd clears it */
	assert_int_equal(box_run(&b, M64, 0xac), 0);
	assert_int_equal(b.s.gpr[0], 0x1122334455667700 | b.mem[0]);
	assert_int_equal(box_run(&b, M64, 0xad), 0);
	assert_int_equal(b.s.gpr[0], box_get(&b, BOX_BASE + 1, 4));
}

static void scans(void **state)
{
	struct box b;

	/* repne scasb finds 0x42 at distance 5 */
	setup(&b, 100);
	memset(b.mem + 0x1000, 0, 100);
	b.mem[0x1005] = 0x42;
	b.s.gpr[0] = 0x42;
	assert_int_equal(box_run(&b, M64, 0xf2, 0xae), 0);
	assert_int_equal(b.s.gpr[RDI], BOX_BASE + 0x1006);
	assert_int_equal(b.s.gpr[RCX], 94);
	assert_true(b.s.rflags & RFLAGS_ZF);
	/* repe cmpsb stops at the difference */
	setup(&b, 50);
	memcpy(b.mem + 0x1000, b.mem, 50);
	b.mem[0x1000 + 7] ^= 1;
	assert_int_equal(box_run(&b, M64, 0xf3, 0xa6), 0);
	assert_int_equal(b.s.gpr[RCX], 42);
	assert_false(b.s.rflags & RFLAGS_ZF);
	/* equal to the end */
	setup(&b, 7);
	memcpy(b.mem + 0x1000, b.mem, 7);
	assert_int_equal(box_run(&b, M64, 0xf3, 0xa6), 0);
	assert_int_equal(b.s.gpr[RCX], 0);
	assert_true(b.s.rflags & RFLAGS_ZF);
}

/* A fault in the middle: what was done stays done, RIP does not move. */
static void fault_halfway(void **state)
{
	struct box b;

	setup(&b, 10);
	b.fault_at = BOX_BASE + 0x1000 + 4;
	box_assert_fault(&b, box_run(&b, M64, 0xf3, 0xa4), VEC_PF, PFERR_W);
	assert_int_equal(b.s.gpr[RCX], 6);
	assert_int_equal(b.s.gpr[RSI], BOX_BASE + 4);
	assert_int_equal(b.writes, 4);
	/* mended, it goes on */
	b.fault_at = 0;
	assert_int_equal(box_run(&b, M64, 0xf3, 0xa4), 0);
	assert_memory_equal(b.mem, b.mem + 0x1000, 10);
	assert_int_equal(b.writes, 10);
	/* flags of the comparisons done so far */
	setup(&b, 10);
	memset(b.mem, 0, sizeof(b.mem));
	b.fault_at = BOX_BASE + 0x1000 + 4;
	box_assert_fault(&b, box_run(&b, M64, 0xf3, 0xa6), VEC_PF, 0);
	assert_true(b.s.rflags & RFLAGS_ZF);
}

/* A long REP comes back in between. */
static void batches(void **state)
{
	struct box b;
	unsigned int calls = 1;

	setup(&b, 4096);
	b.s.gpr[RDI] = BOX_BASE;
	b.s.gpr[0] = 0x5a;
	while (box_run(&b, M64, 0xf3, 0xaa) == 1) {
		assert_int_equal(b.s.rip, 0x1000);
		calls++;
	}
	assert_true(calls > 1);
	assert_int_equal(b.s.rip, 0x1002);
	assert_int_equal(b.s.gpr[RCX], 0);
	assert_int_equal(b.writes, 4096);
	for (unsigned int k = 0; k < 4096; k++)
		assert_int_equal(b.mem[k], 0x5a);
}

/* The memory side of INS and OUTS. */
static void io_blocks(void **state)
{
	static const u8 rep_outsw[] = { 0xf3, 0x66, 0x65, 0x6f };
	static const u8 insb[] = { 0x67, 0x6c };
	struct box b;
	u64 linear;

	setup(&b, 3);
	b.s.seg[VSEG_GS].base = 0x100;
	assert_int_equal(insn_decode(&b.i, rep_outsw, 4, M64), 0);
	assert_int_equal(emul_rep_count(&b.s, &b.i), 3);
	assert_int_equal(emul_io_linear(&b.s, &b.i, &linear, &b.fault), 0);
	assert_int_equal(linear, BOX_BASE + 0x100);
	emul_io_step(&b.s, &b.i);
	assert_int_equal(b.s.gpr[RSI], BOX_BASE + 2);
	assert_int_equal(b.s.gpr[RDI], BOX_BASE + 0x1000);
	assert_int_equal(b.s.gpr[RCX], 2);

	setup(&b, 9);
	b.s.rflags |= RFLAGS_DF;
	b.s.gpr[RDI] |= 5ULL << 32;
	assert_int_equal(insn_decode(&b.i, insb, 2, M64), 0);
	assert_int_equal(emul_rep_count(&b.s, &b.i), 1);
	assert_int_equal(emul_io_linear(&b.s, &b.i, &linear, &b.fault), 0);
	assert_int_equal(linear, BOX_BASE + 0x1000);
	emul_io_step(&b.s, &b.i);
	assert_int_equal(b.s.gpr[RDI], BOX_BASE + 0xfff);
	assert_int_equal(b.s.gpr[RCX], 9);
	/* INS needs a writable ES, OUTS does not ask ES */
	b.s.seg[VSEG_ES].attr &= ~2;
	assert_int_equal(insn_decode(&b.i, insb + 1, 1, INSN_MODE_32), 0);
	assert_int_equal(emul_io_linear(&b.s, &b.i, &linear, &b.fault), -EFAULT);
	assert_int_equal(b.fault.vector, VEC_GP);
	assert_int_equal(insn_decode(&b.i, (const u8 []){ 0x6e }, 1, INSN_MODE_32), 0);
	assert_int_equal(emul_io_linear(&b.s, &b.i, &linear, &b.fault), 0);
}

BOX_TESTS(cmocka_unit_test(rep_movs), cmocka_unit_test(address_sizes),
	  cmocka_unit_test(segments), cmocka_unit_test(stos_lods), cmocka_unit_test(scans),
	  cmocka_unit_test(fault_halfway), cmocka_unit_test(batches),
	  cmocka_unit_test(io_blocks))
