/* SPDX-License-Identifier: MIT */
/* Single instructions, and the bits that payloads use. */
#ifndef TESTS_GUESTS_RT_CPU_H
#define TESTS_GUESTS_RT_CPU_H

#include "tests/guests/rt/types.h"

/* Vectors (SDM3 table 6-1). */
enum {
	VEC_DE, VEC_DB, VEC_NMI, VEC_BP, VEC_OF, VEC_BR, VEC_UD, VEC_NM, VEC_DF,
	VEC_TS = 10, VEC_NP, VEC_SS, VEC_GP, VEC_PF, VEC_MF = 16, VEC_AC, VEC_MC,
	VEC_XM,
	VEC_NONE = -1,
};

#define CR0_PE		BIT64(0)
#define CR0_MP		BIT64(1)
#define CR0_EM		BIT64(2)
#define CR0_TS		BIT64(3)
#define CR0_ET		BIT64(4)
#define CR0_NE		BIT64(5)
#define CR0_WP		BIT64(16)
#define CR0_AM		BIT64(18)
#define CR0_NW		BIT64(29)
#define CR0_CD		BIT64(30)
#define CR0_PG		BIT64(31)

#define CR4_TSD		BIT64(2)
#define CR4_DE		BIT64(3)
#define CR4_PSE		BIT64(4)
#define CR4_PAE		BIT64(5)
#define CR4_PGE		BIT64(7)
#define CR4_PCE		BIT64(8)
#define CR4_OSFXSR	BIT64(9)
#define CR4_OSXMMEXCPT	BIT64(10)
#define CR4_UMIP	BIT64(11)
#define CR4_PCIDE	BIT64(17)
#define CR4_OSXSAVE	BIT64(18)
#define CR4_SMEP	BIT64(20)
#define CR4_SMAP	BIT64(21)

#define EFER_SCE	BIT64(0)
#define EFER_LME	BIT64(8)
#define EFER_LMA	BIT64(10)
#define EFER_NXE	BIT64(11)

#define FL_CF		0x1
#define FL_TF		0x100
#define FL_IF		0x200
#define FL_DF		0x400
#define FL_NT		0x4000
#define FL_RF		0x10000
#define FL_VM		0x20000
#define FL_AC		0x40000
#define FL_ID		0x200000

#define MSR_TSC			0x10
#define MSR_APIC_BASE		0x1b
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_TSC_DEADLINE	0x6e0
#define MSR_X2APIC		0x800
#define MSR_PAT			0x277
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_SFMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_TSC_AUX		0xc0000103

static inline void outb(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outw(u16 port, u16 v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outl(u16 port, u32 v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
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

struct cpuid { u32 eax, ebx, ecx, edx; };

static inline struct cpuid cpuid2(u32 leaf, u32 sub)
{
	struct cpuid c;

	__asm__ volatile("cpuid" : "=a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx)
			 : "a"(leaf), "c"(sub));
	return c;
}

static inline struct cpuid cpuid(u32 leaf)
{
	return cpuid2(leaf, 0);
}

/* Only for MSRs that exist: others go through rt_rdmsr and rt_wrmsr. */
static inline u64 rdmsr(u32 index)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index));
	return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 index, u64 v)
{
	__asm__ volatile("wrmsr" : : "a"((u32)v), "d"((u32)(v >> 32)), "c"(index)
			 : "memory");
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (u64)hi << 32;
}

#define DEFINE_REG(reg) \
static inline ulong read_##reg(void) \
{ \
	ulong v; \
	__asm__ volatile("mov %%" #reg ", %0" : "=r"(v) : : "memory"); \
	return v; \
} \
static inline void write_##reg(ulong v) \
{ \
	__asm__ volatile("mov %0, %%" #reg : : "r"(v) : "memory"); \
}
DEFINE_REG(cr0)
DEFINE_REG(cr2)
DEFINE_REG(cr3)
DEFINE_REG(cr4)
DEFINE_REG(dr0)
DEFINE_REG(dr1)
DEFINE_REG(dr2)
DEFINE_REG(dr3)
DEFINE_REG(dr6)
DEFINE_REG(dr7)
#ifdef __x86_64__
DEFINE_REG(cr8)
#endif

#define DEFINE_SEG(seg) \
static inline u16 read_##seg(void) \
{ \
	u16 v; \
	__asm__ volatile("mov %%" #seg ", %0" : "=rm"(v)); \
	return v; \
} \
static inline void write_##seg(u16 v) \
{ \
	__asm__ volatile("mov %0, %%" #seg : : "rm"(v) : "memory"); \
}
DEFINE_SEG(ds)
DEFINE_SEG(es)
DEFINE_SEG(fs)
DEFINE_SEG(gs)
DEFINE_SEG(ss)

static inline u16 read_cs(void)
{
	u16 v;

	__asm__ volatile("mov %%cs, %0" : "=rm"(v));
	return v;
}

static inline ulong read_flags(void)
{
	ulong v;

	__asm__ volatile("pushf; pop %0" : "=r"(v) : : "memory");
	return v;
}

static inline void write_flags(ulong v)
{
	__asm__ volatile("push %0; popf" : : "r"(v) : "memory", "cc");
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline void cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

/* Interrupts come after the next instruction only (SDM2 STI): see sti_nop. */
static inline void sti(void)
{
	__asm__ volatile("sti" : : : "memory");
}

/* What is pending has come when this returns; leaves interrupts on. */
static inline void sti_nop(void)
{
	__asm__ volatile("sti; nop; nop" : : : "memory");
}

/* Sleeps until an interrupt, which cannot come before the HLT. */
static inline void sti_hlt(void)
{
	__asm__ volatile("sti; hlt" : : : "memory");
}

static inline u32 lock_xadd(volatile u32 *p, u32 v)
{
	__asm__ volatile("lock xadd %0, %1" : "+r"(v), "+m"(*p) : : "memory", "cc");
	return v;
}

static inline u32 xchg(volatile u32 *p, u32 v)
{
	__asm__ volatile("xchg %0, %1" : "+r"(v), "+m"(*p) : : "memory");
	return v;
}

static inline void invlpg(const volatile void *p)
{
	__asm__ volatile("invlpg (%0)" : : "r"(p) : "memory");
}

struct table_ptr {
	u16 limit;
	ulong base;
} __attribute__((packed));

static inline void lgdt(const struct table_ptr *p)
{
	__asm__ volatile("lgdt %0" : : "m"(*p));
}

static inline void lidt(const struct table_ptr *p)
{
	__asm__ volatile("lidt %0" : : "m"(*p));
}

static inline void sgdt(struct table_ptr *p)
{
	__asm__ volatile("sgdt %0" : "=m"(*p));
}

static inline void sidt(struct table_ptr *p)
{
	__asm__ volatile("sidt %0" : "=m"(*p));
}

static inline u64 xgetbv(u32 index)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(index));
	return lo | (u64)hi << 32;
}

#endif
