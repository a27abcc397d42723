/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU data, reached through GS.  A file that includes this is not pure.
 * boot: slot 0 is the boot processor; APs get theirs before they start.
 */
#ifndef CORE_X86_PERCPU_H
#define CORE_X86_PERCPU_H

#include "core/lib/base.h"

#define MAX_CPUS	256
#define CPU_STACK_SIZE	(16 * 1024)	/* and a guard page below */
#define IST_STACK_SIZE	(8 * 1024)

struct vcpu;

/* APM2 12.2.5, SDM3 8.7: 64-bit TSS. */
struct tss64 {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 iomap_base;
} __packed;
HW_FIELD(struct tss64, ist, 0x24);
HW_SIZE(struct tss64, 0x68);

/* IST slots (1-based, as in the IDT). */
enum ist_slot { IST_NMI = 1, IST_DF = 2, IST_MC = 3, IST_DB = 4, IST_COUNT = 4 };

struct percpu {
	struct percpu *self;		/* %gs:0 */
	u32 id;				/* dense: 0..cpu_count-1 */
	u32 apic_id;
	u32 acpi_uid;
	volatile u32 online;
	u64 stack_top;
	struct vcpu *current;		/* in guest mode or exiting */
	struct vcpu *loaded;		/* its lazily switched state is in this CPU */
	u64 gdt[8] __aligned(16);
	struct tss64 tss __aligned(16);
	u64 ist_top[IST_COUNT];
	u64 virt_area;			/* SVM: host save area; VMX: VMXON region (pa) */
	u64 host_vmcb;			/* SVM: host VMLOAD/VMSAVE state (pa) */
	bool virt_on;
	u64 irqs, nmis, nmis_unknown;
	/* Work sent by smp_call. */
	void (*volatile work_fn)(void *arg);
	void *volatile work_arg;
	volatile u32 work_busy;
	/* Where a watchdog abandons to (tests/runner.c); NULL: panic. */
	void *volatile abandon;
	u32 panicking;
	u64 deadline_tsc;		/* timer tick checks it; 0: none */
};

extern struct percpu *percpu_table[MAX_CPUS];
extern u32 cpu_count;			/* CPUs that run: 1 until smp_start */

static inline struct percpu *this_cpu(void)
{
	struct percpu *p;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(p));
	return p;
}

/* GDT, TSS, IST stacks, GS and IDT of one CPU; runs on that CPU. */
void percpu_load(struct percpu *p);

#endif
