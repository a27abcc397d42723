/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "core/vm/task.h"
#include "core/x86/regs.h"

#define MEM_SIZE	0x8000u
#define GDT		0x1000u
#define LDT		0x2000u
#define TSS_A		0x3000u		/* the old task */
#define TSS_B		0x4000u
#define STACK_B		0x6000u

#define SEL_A		0x28
#define SEL_B		0x30
#define SEL_LDT		0x38
#define SEL_CODE	0x08
#define SEL_DATA	0x10
#define SEL_CODE3	0x1b
#define SEL_DATA3	0x23

static struct box {
	u8 mem[MEM_SIZE];
	struct task_state s, before;
	struct task_request req;
	struct event out;
	bool switched;
	u32 fault_at;		/* this byte is on a page that is not there */
	bool fault_write_only;
	u32 cr3;
	int cr3_result;
	u32 writes, user_writes;
} b;

static int check(u32 linear, unsigned int n, bool is_write, struct event *fault)
{
	assert_in_range(n, 1, 104);
	if (b.fault_at - linear < n && (is_write || !b.fault_write_only)) {
		*fault = event_exception_err(VEC_PF, is_write ? PFERR_W : 0);
		fault->payload = b.fault_at;
		return -EFAULT;
	}
	return linear < MEM_SIZE && n <= MEM_SIZE - linear ? 0 : -EIO;
}

static int op_read(void *ctx, u32 linear, void *buf, unsigned int n, struct event *fault)
{
	int err = check(linear, n, false, fault);

	if (!err)
		memcpy(buf, b.mem + linear, n);
	return err;
}

static int op_write(void *ctx, u32 linear, const void *buf, unsigned int n, bool user,
		    struct event *fault)
{
	int err = check(linear, n, true, fault);

	b.writes++;
	b.user_writes += user;
	if (!err)
		memcpy(b.mem + linear, buf, n);
	return err;
}

static int op_probe(void *ctx, u32 linear, unsigned int n, struct event *fault)
{
	return check(linear, n, true, fault);
}

static int op_cr3(void *ctx, u32 cr3)
{
	b.cr3 = cr3;
	return b.cr3_result;
}

static const struct task_ops ops = { op_read, op_write, op_probe, op_cr3 };

static void put(u32 at, u32 val, unsigned int n)
{
	memcpy(b.mem + at, &val, n);
}

static u32 get(u32 at, unsigned int n)
{
	u32 val = 0;

	memcpy(&val, b.mem + at, n);
	return val;
}

/* attr as in struct vsegment. */
static void descriptor(u32 table, u16 sel, u32 base, u32 limit, u16 attr)
{
	u32 at = table + (sel & ~7u);

	put(at, (limit & 0xffff) | base << 16, 4);
	put(at + 4, (base >> 16 & 0xff) | (u32)(attr & 0xff) << 8 | (limit & 0xf0000) |
	    (u32)(attr & 0xf00) << 12 | (base & 0xff000000), 4);
}

static u8 type_of(u16 sel)
{
	return b.mem[GDT + (sel & ~7u) + 5];
}

static void new_tss32(void)
{
	put(TSS_B + 0x1c, 0x7000, 4);
	put(TSS_B + 0x20, 0x1234, 4);
	put(TSS_B + 0x24, 0x202, 4);
	for (u32 i = 0; i < 8; i++)
		put(TSS_B + 0x28 + 4 * i, 0xb0000000 + i, 4);
	put(TSS_B + 0x28 + 4 * 4, STACK_B, 4);
	for (u32 i = 0; i < 6; i++)
		put(TSS_B + 0x48 + 4 * i, i == VSEG_CS ? SEL_CODE : SEL_DATA, 2);
}

static int setup(void **state)
{
	const struct vsegment data = { .selector = SEL_DATA, .attr = 0xc93, .limit = ~0u };

	memset(&b, 0, sizeof(b));
	b.fault_at = ~0u;
	descriptor(GDT, SEL_CODE, 0, 0xfffff, 0xc9a);
	descriptor(GDT, SEL_DATA, 0, 0xfffff, 0xc92);
	descriptor(GDT, SEL_CODE3, 0, 0xfffff, 0xcfa);
	descriptor(GDT, SEL_DATA3, 0, 0xfffff, 0xcf2);
	descriptor(GDT, SEL_A, TSS_A, 0x67, 0x8b);
	descriptor(GDT, SEL_B, TSS_B, 0x67, 0x89);
	descriptor(GDT, SEL_LDT, LDT, 0x17, 0x82);
	new_tss32();
	for (u32 i = 0; i < 8; i++)
		b.s.gpr[i] = 0xa0000000 + i;
	b.s.eip = 0x777;
	b.s.eflags = 0x4246;		/* NT is set */
	b.s.cr0 = CR0_PE | CR0_PG;
	b.s.dr7 = 0x7ff;
	for (u32 i = 0; i < 6; i++)
		b.s.seg[i] = data;
	b.s.seg[VSEG_CS] = (struct vsegment){ .selector = SEL_CODE, .attr = 0xc9b, .limit = ~0u };
	b.s.ldtr.unusable = true;
	b.s.tr = (struct vsegment){ .selector = SEL_A, .attr = 0x8b, .limit = 0x67, .base = TSS_A };
	b.s.gdt_base = GDT;
	b.s.gdt_limit = 0xff;
	b.req = (struct task_request){ .selector = SEL_B, .source = TASK_JMP };
	return 0;
}

static int go(void)
{
	b.before = b.s;
	return task_switch(&b.s, &b.req, &ops, NULL, &b.out, &b.switched);
}

static void expect_ok(void)
{
	assert_int_equal(go(), 0);
	assert_true(b.switched);
	assert_int_equal(b.out.type, EVENT_NONE);
}

static void expect_fault(u8 vector, u32 error)
{
	assert_int_equal(go(), -EFAULT);
	assert_int_equal(b.out.type, EVENT_EXCEPTION);
	assert_int_equal(b.out.vector, vector);
	assert_true(b.out.has_error);
	assert_int_equal(b.out.error, error);
}

/* The fault is the old task's: nothing may have changed. */
static void expect_old(u8 vector, u32 error)
{
	static u8 mem[MEM_SIZE];

	memcpy(mem, b.mem, MEM_SIZE);
	expect_fault(vector, error);
	assert_false(b.switched);
	assert_memory_equal(&b.s, &b.before, sizeof(b.s));
	assert_memory_equal(b.mem, mem, MEM_SIZE);
}

static void expect_new(u8 vector, u32 error)
{
	expect_fault(vector, error);
	assert_true(b.switched);
	assert_int_equal(b.s.tr.selector, SEL_B);
	assert_int_equal(b.s.eip, get(TSS_B + 0x20, 4));
	assert_int_equal(type_of(SEL_B) & 0xf, 0xb);
}

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

static void old_is_16(void)
{
	b.s.tr.attr = 0x83;
	b.s.tr.limit = 0x2b;
	descriptor(GDT, SEL_A, TSS_A, 0x2b, 0x83);
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
		b.req = (struct task_request){ .selector = row[i].selector, .source = row[i].source };
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
