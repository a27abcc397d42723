// SPDX-License-Identifier: MIT
#include "tests/guests/rt/trap.h"

#include "tests/guests/rt/rt.h"

#define VEC_TRY_END	0x80	/* the end of rt_try_user */
#define GATES		64	/* that exist from the start; more: rt_irq */
#define STUB_SIZE	16

extern char trap_common[];
extern ulong rt_try_sp;
extern char rt_trap_stack_top[], rt_ist_stack_top[];
void rt_unwind(void) __attribute__((noreturn));
void rt_trap(struct rt_regs *r);

volatile struct rt_fault rt_fault;
volatile ulong rt_fixup;
struct rt_tss rt_tss;
static rt_handler handlers[256];
static rt_irq_fn irqs[256];
static u8 stubs[256 * STUB_SIZE] __attribute__((aligned(16)));

#ifdef __x86_64__
#define CODE_FLAGS	0xa	/* G, L */
#define IDT_ENTRY	16
#else
#define CODE_FLAGS	0xc	/* G, D */
#define IDT_ENTRY	8
#endif
u8 rt_idt[256 * IDT_ENTRY] __attribute__((aligned(16)));

#define DESC(limit, type, flags) \
	(((limit) & 0xffffULL) | (u64)(type) << 40 | ((limit) >> 16 & 0xfULL) << 48 | \
	 (u64)(flags) << 52)

u64 rt_gdt[GDT_ENTRIES] __attribute__((aligned(16))) = {
	[1] = DESC(0xfffff, 0x9b, CODE_FLAGS),
	[2] = DESC(0xfffff, 0x93, 0xc),
	[3] = DESC(0xfffff, 0x9b, 0xc),
	[4] = DESC(0xffff, 0x9b, 0),
	[5] = DESC(0xffff, 0x93, 0),
	[6] = DESC(0xfffff, 0xfb, 0xc),
	[7] = DESC(0xfffff, 0xf3, 0xc),
	[8] = DESC(0xfffff, 0xfb, CODE_FLAGS),
};

u64 rt_desc(u32 base, u32 limit, u8 type, u8 flags)
{
	return DESC(limit, type, flags) | (u64)(base & 0xffffff) << 16 |
	       (u64)(base >> 24) << 56;
}

void rt_set_gate(unsigned int vector, void *fn, u16 sel, u8 type, u8 dpl, u8 ist)
{
	u8 *gate = rt_idt + vector * IDT_ENTRY;
	ulong at = (ulong)fn;
	u32 low = (u32)(at & 0xffff) | (u32)sel << 16;
	u32 high = (u32)(at & 0xffff0000) | (0x80u | (u32)dpl << 5 | type) << 8 | ist;

	memset(gate, 0, IDT_ENTRY);
	memcpy(gate, &low, 4);
	memcpy(gate + 4, &high, 4);
}

void rt_set_handler(unsigned int vector, rt_handler fn)
{
	handlers[vector] = fn;
}

/*
 * Stubs are made here and not in assembly, where all of them would be in the
 * file of each payload: push $0, where the CPU pushes no error code (SDM3 table
 * 6-1); push $vector; jmp trap_common.
 */
static void set_stub(unsigned int vector, u8 dpl, u8 ist)
{
	const u32 has_error = 1u << VEC_DF | 0x1fu << VEC_TS | 1u << VEC_AC | 1u << 21;
	u8 *start = stubs + vector * STUB_SIZE, *p = start;
	u32 rel;

	if (vector >= 32 || !(has_error >> vector & 1)) {
		*p++ = 0x6a;
		*p++ = 0;
	}
	*p++ = 0x68;
	memcpy(p, &vector, 4);
	p += 4;
	*p++ = 0xe9;
	rel = (u32)(ulong)trap_common - (u32)(ulong)(p + 4);
	memcpy(p, &rel, 4);
	rt_set_gate(vector, start, SEL_CODE, 0xe, dpl, ist);
}

static bool dispatch(struct rt_regs *r)
{
	irqs[r->vector]((unsigned int)r->vector);
	return true;
}

void rt_irq(unsigned int vector, rt_irq_fn fn)
{
	irqs[vector] = fn;
	rt_set_handler(vector, fn ? dispatch : NULL);
	if (fn && vector >= GATES && vector != VEC_TRY_END)
		set_stub(vector, 0, 0);
}

static void set_tss(void)
{
	u32 base = (u32)(ulong)&rt_tss;

	rt_gdt[SEL_TSS / 8] = rt_desc(base, sizeof(rt_tss) - 1, 0x89, 0);
	rt_tss.iomap = sizeof(rt_tss);
#ifdef __x86_64__
	rt_tss.rsp[0] = (ulong)rt_trap_stack_top;
	rt_tss.ist[0] = (ulong)rt_ist_stack_top;
#else
	rt_tss.esp0 = (ulong)rt_trap_stack_top;
	rt_tss.ss0 = SEL_DATA;
#endif
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS) : "memory");
}

void rt_trap_init(void)
{
	struct table_ptr gdtr = { sizeof(rt_gdt) - 1, (ulong)rt_gdt };
	struct table_ptr idtr = { sizeof(rt_idt) - 1, (ulong)rt_idt };

	for (unsigned int i = 0; i < GATES; i++)
		set_stub(i, i == VEC_BP || i == VEC_OF ? 3 : 0, 0);
	set_stub(VEC_TRY_END, 3, 0);
	lgdt(&gdtr);
	lidt(&idtr);
	set_tss();
#ifdef __x86_64__
	/* #DF and NMI get a stack that is good whatever the payload did. */
	set_stub(VEC_DF, 0, 1);
	set_stub(VEC_NMI, 0, 1);
#endif
}

static void record(const struct rt_regs *r)
{
	rt_fault.vector = (int)r->vector;
	rt_fault.error = (u32)r->error;
	rt_fault.cr2 = read_cr2();
	rt_fault.ip = r->ip;
	rt_fault.flags = r->flags;
	rt_fault.cs = (u16)r->cs;
}

void rt_trap(struct rt_regs *r)
{
	if (r->vector == VEC_TRY_END && rt_try_sp)
		rt_unwind();
	if (handlers[r->vector] && handlers[r->vector](r))
		return;
	if (rt_fixup && r->vector < 32) {
		record(r);
		r->ip = rt_fixup;
		rt_fixup = 0;
		return;
	}
	if (rt_try_sp && r->vector < 32) {
		record(r);
		rt_unwind();
	}
	rt_printf("FAIL unexpected exception %lu error %lx at %lx:%lx cr2 %lx flags %lx\n",
		  r->vector, r->error, r->cs, r->ip, read_cr2(), r->flags);
	rt_exit(RT_FAIL);
}

bool rt_expect(const char *name, int got, int want, s32 error)
{
	if (got != want)
		return rt_check(false, name, "vector %d, not %d", got, want);
	if (want != VEC_NONE && error >= 0 && rt_fault.error != (u32)error)
		return rt_check(false, name, "error code %x, not %x", rt_fault.error,
				(u32)error);
	return rt_check(true, name, " ");
}

int rt_rdmsr(u32 index, u64 *v)
{
	u32 lo = 0, hi = 0;
	int vec = RT_TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(index) : "memory");

	*v = lo | (u64)hi << 32;
	return vec;
}

int rt_wrmsr(u32 index, u64 v)
{
	return RT_TRY("wrmsr", : : "a"((u32)v), "d"((u32)(v >> 32)), "c"(index)
		      : "memory");
}

int rt_hypercall(ulong nr, ulong arg, ulong *ret)
{
	ulong ax = nr;
	int vec;

	if (rt.vendor == RT_AMD)
		vec = RT_TRY("vmmcall", : "+a"(ax) : "b"(arg), "c"(0), "d"(0), "S"(0)
			     : "memory");
	else
		vec = RT_TRY("vmcall", : "+a"(ax) : "b"(arg), "c"(0), "d"(0), "S"(0)
			     : "memory");
	*ret = ax;
	return vec;
}
