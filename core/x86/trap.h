/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupts of the hypervisor itself. */
#ifndef CORE_X86_TRAP_H
#define CORE_X86_TRAP_H

#include "core/lib/base.h"

/* As boot/traps.S leaves it. */
struct trap_frame {
	u64 rax, rcx, rdx, rbx, rbp, rsi, rdi;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};
HW_FIELD(struct trap_frame, vector, 15 * 8);

#define VEC_KICK	0xef	/* only leaves a guest or HLT */
#define VEC_IPI_CALL	0xf0
#define VEC_TIMER	0xf1
#define VEC_SPURIOUS	0xff

struct context {
	u64 regs[8];
};

/* Builds the IDT once (boot CPU); percpu_load makes each CPU use it. */
void trap_init(void);
void trap_load_idt(void);

/*
 * fn runs with interrupts off for vector 0x20..0xff; the dispatcher sends the
 * EOI behind it (not for VEC_SPURIOUS).  One handler a vector.
 */
void irq_register(u8 vector, void (*fn)(struct trap_frame *));

/*
 * fn is asked at each NMI and returns true when it was meant; an NMI that
 * nobody claims is counted and logged once.  At most 4.
 */
void nmi_register(bool (*fn)(struct trap_frame *));

int context_save(struct context *c) __attribute__((returns_twice));
void context_restore(const struct context *c, int val) __noreturn;

/* From an interrupt or NMI: the interrupted code never goes on. */
void trap_abandon(struct trap_frame *f, const struct context *c, int val);

void trap_dispatch(struct trap_frame *f);

#endif
