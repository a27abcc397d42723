/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a vCPU, xAPIC and x2APIC: SDM3 11, APM2 16.  Pure.
 *
 * All functions belong to the thread that runs the vCPU, except vlapic_match,
 * vlapic_accept and apic_route, which any CPU may call at any time: what they
 * bring is posted with atomic operations and taken over by vlapic_pull.
 *
 * It is the APIC of a processor without CMCI (IA32_MCG_CAP[10] = 0): version
 * 0x14, six LVT entries, no suppression of EOI broadcasts.
 */
#ifndef CORE_DEV_VLAPIC_H
#define CORE_DEV_VLAPIC_H

#include "core/dev/env.h"

#define VLAPIC_BASE	0xfee00000ULL
#define VLAPIC_SIZE	0x1000
/* Input clock of the timer: one tick a nanosecond before the divider. */
#define VLAPIC_TIMER_HZ	1000000000ULL
#define VLAPIC_MAX	32
#define VLAPIC_VERSION	0x00050014u	/* Max LVT Entry 5 */

enum apic_mode {
	APIC_FIXED, APIC_LOWEST, APIC_SMI, APIC_MODE_3, APIC_NMI, APIC_INIT, APIC_SIPI,
	APIC_EXTINT,
};

/* An interrupt message: from an ICR, an I/O APIC or an MSI. */
struct apic_msg {
	u32 dest;		/* APIC id, or logical; broadcast: ~0 (8-bit ones: 0xff) */
	u8 mode;		/* enum apic_mode */
	u8 vector;
	u8 shorthand;		/* 0 none, 1 self, 2 all, 3 all but self (ICR 19:18) */
	bool logical;
	bool level;		/* trigger mode */
	bool deassert;		/* INIT level de-assert: accepted by nobody */
	bool wide;		/* dest has 32 bits: sent in x2APIC mode */
};

/*
 * Signals that vlapic_pull returns.  INIT comes before SIPI: a SIPI that was
 * older is gone.  VLAPIC_NMI2 comes with VLAPIC_NMI: two NMIs came between
 * two pulls.  A CPU would have begun with the first when it came, and latched
 * the second, so both are due unless NMIs are blocked (then they are one).
 */
#define VLAPIC_NMI	0x01u
#define VLAPIC_INIT	0x02u
#define VLAPIC_SIPI	0x04u
#define VLAPIC_SMI	0x08u
#define VLAPIC_NMI2	0x10u

/* What CPUID hides from the guest, for vlapic_env.hidden. */
#define VLAPIC_HIDE_X2APIC	0x1u
#define VLAPIC_HIDE_DEADLINE	0x2u

struct vlapic;

struct vlapic_env {
	void *ctx;
	u32 hidden;					/* VLAPIC_HIDE_ bits */
	u64 (*now)(void *ctx);				/* guest time, ns */
	u64 (*tsc)(void *ctx, u32 id);			/* guest TSC of that vCPU */
	/* A write to ICR: apic_route and wake whom it names. */
	void (*send)(void *ctx, struct vlapic *from, const struct apic_msg *m);
	/* EOI of a level-triggered vector, to the I/O APIC. */
	void (*eoi)(void *ctx, u8 vector);
	/* The timer was set: vlapic_next, vlapic_next_tsc may be earlier. */
	void (*rearm)(void *ctx, u32 id);
};

/* LVT registers in the order of their offsets, 0x320 to 0x370. */
enum vlapic_lvt {
	LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT,
};

struct vlapic_state {
	u64 base;		/* IA32_APIC_BASE */
	u64 tsc_deadline;	/* IA32_TSC_DEADLINE; 0: disarmed */
	u64 timer_due;		/* guest time at which the count is 0; DEV_NEVER: it is */
	u64 icr;		/* xAPIC: 0x310 above 0x300 */
	u32 id;			/* initial APIC id, x2APIC id */
	u32 xapic_id;		/* APIC id register, bits 31:24 */
	u32 version, tpr, ldr, dfr, svr;
	u32 isr[8], tmr[8], irr[8];
	u32 esr, esr_pending;	/* what the next write to ESR shows */
	u32 lvt[LVT_COUNT];
	u32 tmict, dcr;
	u32 sipi_vector;	/* of the last SIPI that was pulled */
	u32 signals;		/* VLAPIC_ bits taken over and not returned by vlapic_pull */
	u32 reserved;
};

struct vlapic {
	struct vlapic_state s;
	const struct vlapic_env *env;
	/*
	 * Written by any CPU.  posted: vectors, and above them which of them
	 * are level-triggered, so that one atomic operation moves both.
	 */
	u64 posted[8];
	u32 posted_signals;	/* VLAPIC_ bits and those of vlapic_int.h */
};

/* Reset state of vCPU number id (its APIC id); bsp: boot processor. */
void vlapic_init(struct vlapic *a, u32 id, bool bsp, const struct vlapic_env *env);
/* SDM3 11.4.7.3: after INIT; APIC id, base and mode stay. */
void vlapic_reset(struct vlapic *a);

/* Is the MMIO page there, and at which address? */
static inline bool vlapic_mmio_on(const struct vlapic *a)
{
	return (a->s.base >> 10 & 3) == 2;
}
static inline u64 vlapic_mmio_base(const struct vlapic *a)
{
	return a->s.base & ~0xfffULL;
}

/* The register page; off is 0..0xfff, any size: SDM3 11.4.1. */
u64 vlapic_mmio_read(struct vlapic *a, u32 off, u8 size);
void vlapic_mmio_write(struct vlapic *a, u32 off, u8 size, u64 val);

/*
 * MSRs 0x800..0x8ff, IA32_TSC_DEADLINE; IA32_APIC_BASE is read here and
 * written with vlapic_set_base.  false: #GP, also for any other MSR.
 */
bool vlapic_msr_read(struct vlapic *a, u32 msr, u64 *val);
bool vlapic_msr_write(struct vlapic *a, u32 msr, u64 val);
/* maxphyaddr: of the guest.  false: #GP (reserved bits, illegal mode change). */
bool vlapic_set_base(struct vlapic *a, u64 val, u8 maxphyaddr);

/* Does m (without shorthand) name this APIC?  Any CPU. */
bool vlapic_match(const struct vlapic *a, const struct apic_msg *m);
/*
 * Posts m to this APIC.  true: accepted, its vCPU should look.  false: an APIC
 * that is disabled, ExtINT, a reserved mode, INIT level de-assert.  Any CPU.
 */
bool vlapic_accept(struct vlapic *a, const struct apic_msg *m);
/*
 * Who gets m: shorthand, destination, lowest priority arbitration among n
 * APICs; posts it there.  from: sender, NULL for devices.  Returns BIT(i) of
 * each apic[i] that should look.  Any CPU.
 */
u32 apic_route(struct vlapic *const *apic, u32 n, const struct vlapic *from,
	       const struct apic_msg *m);

/* Takes over what was posted; returns VLAPIC_ signals (SIPI: s.sipi_vector). */
u32 vlapic_pull(struct vlapic *a);
/* Something waits for vlapic_pull. */
static inline bool vlapic_posted(const struct vlapic *a)
{
	return READ_ONCE(a->posted_signals) || READ_ONCE(a->s.signals);
}

/* Anything requested, deliverable or not, or posted. */
static inline bool vlapic_busy(const struct vlapic *a)
{
	const u32 *irr = a->s.irr;

	return irr[0] | irr[1] | irr[2] | irr[3] | irr[4] | irr[5] | irr[6] | irr[7] ||
	       vlapic_posted(a);
}

/* The vector that can be delivered now (in IRR, above PPR), or -1. */
int vlapic_pending(const struct vlapic *a);
/* The highest requested vector's class (1..15) if only TPR holds it back, else 0. */
u8 vlapic_masked_class(const struct vlapic *a);
/* The CPU took the interrupt that vlapic_pending told: IRR to ISR. */
void vlapic_ack(struct vlapic *a, u8 vector);
/* Does LINT0 let ExtINT of the 8259 through (also with the APIC disabled)? */
bool vlapic_extint(const struct vlapic *a);
/* The level of LINT1 rose: NMI or what else its LVT says, by vlapic_pull. */
void vlapic_lint1(struct vlapic *a);

/* CR8 is TPR 7:4 (SDM3 11.8.6). */
static inline u8 vlapic_cr8(const struct vlapic *a)
{
	return (u8)(a->s.tpr >> 4);
}
void vlapic_set_cr8(struct vlapic *a, u8 cr8);

/*
 * When the timer interrupts next: guest time, or DEV_NEVER (also with the
 * interrupt masked: nobody needs to wake up to count).
 */
u64 vlapic_next(const struct vlapic *a);
/* The same in TSC-deadline mode: guest TSC, or DEV_NEVER. */
u64 vlapic_next_tsc(const struct vlapic *a);
/* Fires what is due.  A late call loses nothing but coalesced periods. */
void vlapic_tick(struct vlapic *a, u64 now, u64 tsc);

/* For save: posted things move into s. */
void vlapic_save(struct vlapic *a);
/*
 * For restore, into an APIC that was just initialized: is *s a state that an
 * APIC can be in?  0 or -EINVAL.  Whether id and the width of base fit the
 * machine is the caller's to check.
 */
int __must_check vlapic_state_check(const struct vlapic_state *s);

#endif
