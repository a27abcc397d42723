/* SPDX-License-Identifier: MIT */
/* The local APIC of the CPU that runs, in xAPIC mode at its reset address. */
#ifndef TESTS_GUESTS_RT_APIC_H
#define TESTS_GUESTS_RT_APIC_H

#include "tests/guests/rt/rt.h"

#define APIC_PAGE	0xfee00000ul

/* SDM3 table 11-1, APM2 table 16-2. */
enum {
	APIC_ID = 0x20, APIC_VERSION = 0x30, APIC_TPR = 0x80, APIC_APR = 0x90,
	APIC_PPR = 0xa0, APIC_EOI = 0xb0, APIC_RRD = 0xc0, APIC_LDR = 0xd0,
	APIC_DFR = 0xe0, APIC_SVR = 0xf0, APIC_ISR = 0x100, APIC_TMR = 0x180,
	APIC_IRR = 0x200, APIC_ESR = 0x280, APIC_LVT_CMCI = 0x2f0,
	APIC_ICR = 0x300, APIC_ICR2 = 0x310, APIC_LVT_TIMER = 0x320,
	APIC_LVT_THERMAL = 0x330, APIC_LVT_PERF = 0x340, APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360, APIC_LVT_ERROR = 0x370, APIC_TMICT = 0x380,
	APIC_TMCCT = 0x390, APIC_TDCR = 0x3e0, APIC_SELF_IPI = 0x3f0,
};

/* IA32_APIC_BASE */
#define APIC_BASE_BSP		BIT64(8)
#define APIC_BASE_EXTD		BIT64(10)
#define APIC_BASE_EN		BIT64(11)

#define APIC_SVR_ENABLE		0x100
#define APIC_VEC_SPURIOUS	0xff

/* LVT and ICR */
#define APIC_LVT_MASKED		0x10000
#define APIC_TIMER_ONE_SHOT	0
#define APIC_TIMER_PERIODIC	0x20000
#define APIC_TIMER_DEADLINE	0x40000
#define APIC_DM_FIXED		0x000
#define APIC_DM_LOWEST		0x100
#define APIC_DM_SMI		0x200
#define APIC_DM_NMI		0x400
#define APIC_DM_INIT		0x500
#define APIC_DM_SIPI		0x600
#define APIC_DM_EXTINT		0x700
#define APIC_LOGICAL		0x800
#define APIC_PENDING		0x1000
#define APIC_ASSERT		0x4000
#define APIC_LEVEL		0x8000
#define APIC_TO_SELF		0x40000
#define APIC_TO_ALL		0x80000
#define APIC_TO_OTHERS		0xc0000

/* ESR */
#define APIC_ESR_SEND_VECTOR	0x20
#define APIC_ESR_RECV_VECTOR	0x40
#define APIC_ESR_REGISTER	0x80

static inline u32 apic_read(unsigned int reg)
{
	return *(volatile u32 *)(APIC_PAGE + reg);
}

static inline void apic_write(unsigned int reg, u32 v)
{
	*(volatile u32 *)(APIC_PAGE + reg) = v;
}

static inline void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

static inline u32 apic_id(void)
{
	return apic_read(APIC_ID) >> 24;
}

/* The bit of a vector in IRR, ISR or TMR. */
static inline bool apic_bit(unsigned int reg, unsigned int vector)
{
	return apic_read(reg + (vector >> 5) * 0x10) >> (vector & 31) & 1;
}

/* Software enabled, TPR 0, local interrupts masked, spurious ones counted. */
void apic_enable(void);
extern volatile u32 apic_spurious;

/* The bare emulator's APIC, for checks that it fails: QEMU 7.2 hw/intc/apic.c. */
static inline bool apic_is_qemu(void)
{
	return rt.tcg && !rt.nestbed;
}

/* What the version register says (SDM3 11.4.8). */
static inline bool apic_has_lvt(unsigned int reg)
{
	unsigned int max = apic_read(APIC_VERSION) >> 16 & 0xff;

	return reg == APIC_LVT_CMCI ? max >= 6 : reg == APIC_LVT_THERMAL ? max >= 5 :
	       reg == APIC_LVT_PERF ? max >= 4 : true;
}

/* Sends an IPI when the last one is on its way; low: bits of ICR 31:0. */
void apic_ipi(u32 dest, u32 low);

#endif
