/* SPDX-License-Identifier: MIT */
/* SVM instructions (APM3 section 4).  A file that includes this is not pure. */
#ifndef SVM_INSN_H
#define SVM_INSN_H

#include "core/lib/base.h"

static inline void vmload(u64 vmcb_pa)
{
	__asm__ volatile("vmload %%rax" :: "a"(vmcb_pa) : "memory");
}

static inline void vmsave(u64 vmcb_pa)
{
	__asm__ volatile("vmsave %%rax" :: "a"(vmcb_pa) : "memory");
}

static inline void stgi(void)
{
	__asm__ volatile("stgi" ::: "memory");
}

static inline void clgi(void)
{
	__asm__ volatile("clgi" ::: "memory");
}

static inline void invlpga(u64 va, u32 asid)
{
	__asm__ volatile("invlpga %%rax, %%ecx" :: "a"(va), "c"(asid) : "memory");
}

/*
 * VMRUN with nothing around it but what the ABI needs: no VMLOAD/VMSAVE, no
 * registers.  GIF must be clear; returns with it clear.  (entry.S)
 */
void svm_vmrun_bare(u64 vmcb_pa);

/* An instruction for a breakpoint, at svm_break_at: 0, or VEC_DB + 1 if #DB came.  (entry.S) */
u64 svm_break(void);
extern const char svm_break_at[];

struct vcpu;

/*
 * The world switch (entry.S): CLGI, guest's VMLOAD state and registers, VMRUN,
 * and back.  IF must be 0 and is 0 afterwards; host interrupts that come
 * meanwhile stay pending.
 */
void svm_world_switch(struct vcpu *v, u64 vmcb_pa, u64 host_vmcb_pa, u64 vmload_pa);

#endif
