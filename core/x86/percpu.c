/* SPDX-License-Identifier: MIT */
#include "core/x86/percpu.h"

#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/trap.h"

#include "core/x86/segments.h"

struct percpu *percpu_table[MAX_CPUS];
u32 cpu_count = 1;

static void build_gdt(struct percpu *p)
{
	u64 base = (u64)&p->tss;

	p->gdt[SEL_CODE64 / 8] = 0x00af9b000000ffffULL;
	p->gdt[SEL_DATA / 8] = 0x00cf93000000ffffULL;
	p->gdt[SEL_CODE32 / 8] = 0x00cf9b000000ffffULL;
	/* APM2 4.8.3: available 64-bit TSS; LTR makes it busy. */
	p->gdt[SEL_TSS / 8] = (sizeof(p->tss) - 1) | (base & 0xffffff) << 16 |
			      0x89ULL << 40 | (base >> 24 & 0xff) << 56;
	p->gdt[SEL_TSS / 8 + 1] = base >> 32;
}

void percpu_load(struct percpu *p)
{
	struct { u16 limit; u64 base; } __packed ptr;

	p->self = p;
	build_gdt(p);
	for (unsigned int i = 0; i < IST_COUNT; i++)
		p->tss.ist[i] = p->ist_top[i];
	p->tss.iomap_base = sizeof(p->tss);
	ptr.limit = sizeof(p->gdt) - 1;
	ptr.base = (u64)p->gdt;
	__asm__ volatile("lgdt %0" :: "m"(ptr));
	__asm__ volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:"
			 :: "i"(SEL_CODE64) : "rax", "memory");
	__asm__ volatile("mov %0, %%ss; mov %0, %%ds; mov %0, %%es\n\t"
			 "mov %1, %%fs; mov %1, %%gs" :: "r"(SEL_DATA), "r"(0) : "memory");
	wrmsr(MSR_GS_BASE, (u64)p);
	__asm__ volatile("ltr %w0" :: "r"(SEL_TSS) : "memory");
	trap_load_idt();
}
