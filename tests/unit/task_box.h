/* SPDX-License-Identifier: MIT */
/* A machine for tests of core/vm/task.c: memory, GDT, an old and a new task. */
#ifndef TESTS_UNIT_TASK_BOX_H
#define TESTS_UNIT_TASK_BOX_H

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

static inline int check(u32 linear, unsigned int n, bool is_write, struct event *fault)
{
	assert_in_range(n, 1, 104);
	if (b.fault_at - linear < n && (is_write || !b.fault_write_only)) {
		*fault = event_exception_err(VEC_PF, is_write ? PFERR_W : 0);
		fault->payload = b.fault_at;
		return -EFAULT;
	}
	return linear < MEM_SIZE && n <= MEM_SIZE - linear ? 0 : -EIO;
}

static inline int op_read(void *ctx, u32 linear, void *buf, unsigned int n, struct event *fault)
{
	int err = check(linear, n, false, fault);

	if (!err)
		memcpy(buf, b.mem + linear, n);
	return err;
}

static inline int op_write(void *ctx, u32 linear, const void *buf, unsigned int n, bool user,
		    struct event *fault)
{
	int err = check(linear, n, true, fault);

	b.writes++;
	b.user_writes += user;
	if (!err)
		memcpy(b.mem + linear, buf, n);
	return err;
}

static inline int op_probe(void *ctx, u32 linear, unsigned int n, struct event *fault)
{
	return check(linear, n, true, fault);
}

static inline int op_cr3(void *ctx, u32 cr3)
{
	b.cr3 = cr3;
	return b.cr3_result;
}

static const struct task_ops ops = { op_read, op_write, op_probe, op_cr3 };

static inline void put(u32 at, u32 val, unsigned int n)
{
	memcpy(b.mem + at, &val, n);
}

static inline u32 get(u32 at, unsigned int n)
{
	u32 val = 0;

	memcpy(&val, b.mem + at, n);
	return val;
}

/* attr as in struct vsegment. */
static inline void descriptor(u32 table, u16 sel, u32 base, u32 limit, u16 attr)
{
	u32 at = table + (sel & ~7u);

	put(at, (limit & 0xffff) | base << 16, 4);
	put(at + 4, (base >> 16 & 0xff) | (u32)(attr & 0xff) << 8 | (limit & 0xf0000) |
	    (u32)(attr & 0xf00) << 12 | (base & 0xff000000), 4);
}

static inline u8 type_of(u16 sel)
{
	return b.mem[GDT + (sel & ~7u) + 5];
}

static inline void new_tss32(void)
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

static inline int setup(void **state)
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

static inline int go(void)
{
	b.before = b.s;
	return task_switch(&b.s, &b.req, &ops, NULL, &b.out, &b.switched);
}

static inline void expect_ok(void)
{
	assert_int_equal(go(), 0);
	assert_true(b.switched);
	assert_int_equal(b.out.type, EVENT_NONE);
}

static inline void expect_fault(u8 vector, u32 error)
{
	assert_int_equal(go(), -EFAULT);
	assert_int_equal(b.out.type, EVENT_EXCEPTION);
	assert_int_equal(b.out.vector, vector);
	assert_true(b.out.has_error);
	assert_int_equal(b.out.error, error);
}

/* The fault is the old task's: nothing may have changed. */
static inline void expect_old(u8 vector, u32 error)
{
	static u8 mem[MEM_SIZE];

	memcpy(mem, b.mem, MEM_SIZE);
	expect_fault(vector, error);
	assert_false(b.switched);
	assert_memory_equal(&b.s, &b.before, sizeof(b.s));
	assert_memory_equal(b.mem, mem, MEM_SIZE);
}

static inline void expect_new(u8 vector, u32 error)
{
	expect_fault(vector, error);
	assert_true(b.switched);
	assert_int_equal(b.s.tr.selector, SEL_B);
	assert_int_equal(b.s.eip, get(TSS_B + 0x20, 4));
	assert_int_equal(type_of(SEL_B) & 0xf, 0xb);
}

static inline void old_is_16(void)
{
	b.s.tr.attr = 0x83;
	b.s.tr.limit = 0x2b;
	descriptor(GDT, SEL_A, TSS_A, 0x2b, 0x83);
}

#endif
