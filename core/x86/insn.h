/* SPDX-License-Identifier: MIT */
/* Wrappers of single instructions.  A file that includes this is not pure. */
#ifndef CORE_X86_INSN_H
#define CORE_X86_INSN_H

#include "core/lib/base.h"

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid_count(u32 leaf, u32 subleaf)
{
	struct cpuid_result r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline struct cpuid_result cpuid(u32 leaf)
{
	return cpuid_count(leaf, 0);
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 val)
{
	__asm__ volatile("wrmsr" :: "c"(msr), "a"((u32)val), "d"((u32)(val >> 32)) : "memory");
}

static inline u64 rdtsc(void)
{
	u64 lo, hi;

	/* SDM2 RDTSC: clears the high halves of RAX and RDX. */
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) :: "memory");
	return hi << 32 | lo;
}

/* Waits for earlier loads and instructions before reading (SDM2 RDTSC). */
static inline u64 rdtsc_ordered(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) :: "memory");
	return (u64)hi << 32 | lo;
}

static inline u8 inb(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u16 inw(u16 port)
{
	u16 v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u32 inl(u16 port)
{
	u32 v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void outb(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" :: "a"(v), "Nd"(port) : "memory");
}

static inline void outw(u16 port, u16 v)
{
	__asm__ volatile("outw %0, %1" :: "a"(v), "Nd"(port) : "memory");
}

static inline void outl(u16 port, u32 v)
{
	__asm__ volatile("outl %0, %1" :: "a"(v), "Nd"(port) : "memory");
}

static inline u8 mmio_read8(u64 pa)
{
	u8 v;

	__asm__ volatile("movb (%1), %0" : "=q"(v) : "r"(pa) : "memory");
	return v;
}

static inline u16 mmio_read16(u64 pa)
{
	u16 v;

	__asm__ volatile("movw (%1), %0" : "=r"(v) : "r"(pa) : "memory");
	return v;
}

static inline u32 mmio_read32(u64 pa)
{
	u32 v;

	__asm__ volatile("movl (%1), %0" : "=r"(v) : "r"(pa) : "memory");
	return v;
}

static inline u64 mmio_read64(u64 pa)
{
	u64 v;

	__asm__ volatile("movq (%1), %0" : "=r"(v) : "r"(pa) : "memory");
	return v;
}

static inline void mmio_write8(u64 pa, u8 v)
{
	__asm__ volatile("movb %0, (%1)" :: "q"(v), "r"(pa) : "memory");
}

static inline void mmio_write16(u64 pa, u16 v)
{
	__asm__ volatile("movw %0, (%1)" :: "r"(v), "r"(pa) : "memory");
}

static inline void mmio_write32(u64 pa, u32 v)
{
	__asm__ volatile("movl %0, (%1)" :: "r"(v), "r"(pa) : "memory");
}

static inline void mmio_write64(u64 pa, u64 v)
{
	__asm__ volatile("movq %0, (%1)" :: "r"(v), "r"(pa) : "memory");
}

#define DEFINE_REG(name)						\
static inline u64 read_##name(void)					\
{									\
	u64 v;								\
									\
	__asm__ volatile("mov %%" #name ", %0" : "=r"(v) :: "memory");	\
	return v;							\
}									\
static inline void write_##name(u64 v)					\
{									\
	__asm__ volatile("mov %0, %%" #name :: "r"(v) : "memory");	\
}
DEFINE_REG(cr0)
DEFINE_REG(cr2)
DEFINE_REG(cr3)
DEFINE_REG(cr4)
DEFINE_REG(cr8)
DEFINE_REG(dr0)
DEFINE_REG(dr1)
DEFINE_REG(dr2)
DEFINE_REG(dr3)
DEFINE_REG(dr6)
DEFINE_REG(dr7)
#undef DEFINE_REG

static inline u64 read_rflags(void)
{
	u64 v;

	__asm__ volatile("pushfq; popq %0" : "=r"(v) :: "memory");
	return v;
}

static inline void invlpg(u64 va)
{
	__asm__ volatile("invlpg (%0)" :: "r"(va) : "memory");
}

static inline u64 xgetbv(u32 n)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(n));
	return (u64)hi << 32 | lo;
}

static inline void xsetbv(u32 n, u64 v)
{
	__asm__ volatile("xsetbv" :: "c"(n), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline void cli(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void sti(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void hlt(void)
{
	__asm__ volatile("hlt" ::: "memory");
}

static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" ::: "memory");
}

/* Interrupts off; returns the flags for irq_restore. */
static inline u64 irq_save(void)
{
	u64 f = read_rflags();

	cli();
	return f;
}

static inline void irq_restore(u64 flags)
{
	if (flags & BIT(9))
		sti();
}

/*
 * Accesses that may fault: 0, or the vector + 1 that they raised (the
 * exception table in traps.c resumes behind the instruction).
 */
#define EX_TABLE(from, to)				\
	".pushsection .nb.ex_table, \"a\"\n\t"		\
	".balign 8\n\t.quad " from ", " to "\n\t"	\
	".popsection\n\t"

static inline int rdmsr_safe(u32 msr, u64 *val)
{
	u32 lo = 0, hi = 0;
	u64 err = 0;

	/* The fix-up puts vector + 1 into %r8. */
	__asm__ volatile("xor %%r8d, %%r8d\n"
			 "1: rdmsr\n2:\n\t" EX_TABLE("1b", "2b")
			 "mov %%r8, %2"
			 : "+a"(lo), "+d"(hi), "=r"(err) : "c"(msr) : "r8", "memory");
	*val = err ? 0 : (u64)hi << 32 | lo;
	return (int)err;
}

static inline int wrmsr_safe(u32 msr, u64 val)
{
	u64 err = 0;

	__asm__ volatile("xor %%r8d, %%r8d\n"
			 "1: wrmsr\n2:\n\t" EX_TABLE("1b", "2b")
			 "mov %%r8, %0"
			 : "=r"(err) : "c"(msr), "a"((u32)val), "d"((u32)(val >> 32))
			 : "r8", "memory");
	return (int)err;
}

#endif
