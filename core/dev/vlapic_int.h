/* SPDX-License-Identifier: MIT */
/* What the files of the local APIC share.  Pure. */
#ifndef CORE_DEV_VLAPIC_INT_H
#define CORE_DEV_VLAPIC_INT_H

#include "core/dev/vlapic.h"

/* SDM3 table 11-1, 11-6: offset / 16, and MSR - 0x800. */
enum vlapic_reg {
	REG_ID = 0x02,
	REG_VERSION = 0x03,
	REG_TPR = 0x08,
	REG_APR = 0x09,
	REG_PPR = 0x0a,
	REG_EOI = 0x0b,
	REG_RRD = 0x0c,
	REG_LDR = 0x0d,
	REG_DFR = 0x0e,
	REG_SVR = 0x0f,
	REG_ISR = 0x10,
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_ESR = 0x28,
	REG_ICR = 0x30,
	REG_ICR_HIGH = 0x31,
	REG_LVT = 0x32,
	REG_TMICT = 0x38,
	REG_TMCCT = 0x39,
	REG_DCR = 0x3e,
	REG_SELF_IPI = 0x3f,
	REG_COUNT = 0x40,
};

/* SDM3 11.4.4. */
#define BASE_BSP	BIT(8)
#define BASE_EXTD	BIT(10)
#define BASE_EN		BIT(11)

#define SVR_ENABLE	0x100u
/* SDM3 11.9: vector, enable, focus checking; 12 only with EOI suppression. */
#define SVR_BITS	0x3ffu

/* SDM3 11.5.1. */
#define LVT_MASKED	0x10000u
#define LVT_DEADLINE	0x40000u	/* bit 18 of the timer's: TSC-deadline mode */
#define LVT_STATUS	0x1000u		/* delivery status, read-only, never set here */
#define LVT_REMOTE_IRR	0x4000u		/* of LINT0 and LINT1, the same */

/* SDM3 11.6.1, without what is reserved or read-only. */
#define ICR_BITS	0x000ccfffu
#define ICR_LOGICAL	BIT(11)
#define ICR_ASSERT	BIT(14)
#define ICR_LEVEL	BIT(15)

/* SDM3 11.5.4. */
#define DCR_BITS	0x0000000bu

/* SDM3 11.5.3; the bits that this APIC can set. */
#define ESR_SEND_ILLEGAL	0x20u
#define ESR_RECV_ILLEGAL	0x40u
#define ESR_ILLEGAL_REG		0x80u
#define ESR_BITS		0xe0u

#define VLAPIC_SIGNALS	0x1fu		/* VLAPIC_NMI to VLAPIC_NMI2 */

/* More bits of posted_signals. */
#define POSTED_VECTORS	0x100u		/* posted[] has something */
#define POSTED_ILLEGAL	0x200u		/* a vector below 16 came */
#define POSTED_SIPI_VECTOR	24	/* bits 31:24, with VLAPIC_SIPI */

/* SDM3 11.5.2: vectors 0 to 15 are illegal. */
#define VECTOR_FIRST	16

static inline bool vlapic_on(const struct vlapic *a)
{
	return READ_ONCE(a->s.base) & BASE_EN;
}

static inline bool vlapic_x2(const struct vlapic *a)
{
	return (READ_ONCE(a->s.base) & (BASE_EN | BASE_EXTD)) == (BASE_EN | BASE_EXTD);
}

/* SDM3 11.12.10.2: the logical id in x2APIC mode. */
static inline u32 vlapic_x2_ldr(u32 id)
{
	return (id >> 4) << 16 | 1U << (id & 15);
}

/* What of each LVT register can be written. */
extern const u32 vlapic_lvt_bits[LVT_COUNT];

/* The highest of 256 bits, or -1. */
int vlapic_highest(const u32 *w);
/* PPR (SDM3 11.8.3.1) and APR (SDM3 11.6.2.4) for these registers. */
u32 vlapic_ppr(u32 tpr, const u32 *isr);
u32 vlapic_apr(u32 tpr, const u32 *isr, const u32 *irr);

/* All but base, ids, sipi_vector and signals as after power-up (SDM3 11.4.7.1). */
void vlapic_power_up(struct vlapic_state *s);
/* Takes over what was posted, signals into s.signals. */
void vlapic_collect(struct vlapic *a);
/* An ESR bit, and the interrupt for the first since ESR was written. */
void vlapic_error(struct vlapic *a, u32 bit);
/* The event of an LVT entry happened. */
void vlapic_local(struct vlapic *a, enum vlapic_lvt n);
void vlapic_eoi(struct vlapic *a);

/* What waits in sig, after NMI, INIT, SIPI or SMI (enum apic_mode) came too. */
u32 vlapic_signal_add(u32 sig, u8 mode, u8 vector);

u32 vlapic_timer_mode(const struct vlapic_state *s);
enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE };	/* LVT timer 18:17 */
u32 vlapic_timer_count(struct vlapic *a);			/* TMCCT */
void vlapic_timer_set_lvt(struct vlapic *a, u32 val);
void vlapic_timer_set_initial(struct vlapic *a, u32 val);
void vlapic_timer_set_divide(struct vlapic *a, u32 val);
u64 vlapic_timer_deadline(struct vlapic *a);
void vlapic_timer_set_deadline(struct vlapic *a, u64 val);

#endif
