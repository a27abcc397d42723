// SPDX-License-Identifier: MIT
/* Register names and bits: IA-PC HPET specification 1.0a, 2.3. */
#include "core/x86/hpet_hw.h"

#include "core/x86/insn.h"

#define HPET_GCAP		0x000
#define HPET_CFG		0x010
#define HPET_COUNTER		0x0f0
#define HPET_TN_CFG(n)		(0x100 + 0x20 * (u64)(n))
#define HPET_TN_CMP(n)		(0x108 + 0x20 * (u64)(n))

#define CFG_ENABLE		(1u << 0)
#define CFG_LEGACY		(1u << 1)
#define TN_TYPE_LEVEL		(1u << 1)
#define TN_INT_ENABLE		(1u << 2)
#define TN_PERIODIC		(1u << 3)
#define TN_32MODE		(1u << 8)
#define TN_ROUTE		(31u << 9)
#define TN_FSB_ENABLE		(1u << 14)

/* 2.3.4: at most 100 ns; anything under 0.1 ns is no HPET either. */
#define PERIOD_MAX_FS		100000000u
#define PERIOD_MIN_FS		100000u

/* Closer than this the counter may pass the comparator before it is set. */
#define MIN_TICKS		256

/*
 * 32-bit accesses only: a chipset may split a 64-bit one (2.4.7), and all that
 * is used here is in the low halves.
 */
int hpet_init(struct hpet *h, u64 va)
{
	u32 cap, period, cfg;

	*h = (struct hpet){ 0 };
	if (!va)
		return -ENODEV;
	cap = mmio_read32(va + HPET_GCAP);
	period = mmio_read32(va + HPET_GCAP + 4);
	if (period > PERIOD_MAX_FS || period < PERIOD_MIN_FS)
		return -ENODEV;
	h->va = va;
	h->period_fs = period;
	h->hz = 1000000000000000ULL / period;
	h->comparators = (u8)(FIELD_GET(cap, 12, 8) + 1);
	/* Without legacy routing comparators 0 and 1 are like the others. */
	cfg = mmio_read32(va + HPET_CFG);
	mmio_write32(va + HPET_CFG, (cfg & ~CFG_LEGACY) | CFG_ENABLE);
	return 0;
}

u32 hpet_counter(const struct hpet *h)
{
	return mmio_read32(h->va + HPET_COUNTER);
}

u32 hpet_route_caps(const struct hpet *h, u32 c)
{
	return mmio_read32(h->va + HPET_TN_CFG(c) + 4);
}

void hpet_oneshot_stop(const struct hpet *h, u32 c)
{
	u32 cfg = mmio_read32(h->va + HPET_TN_CFG(c));

	mmio_write32(h->va + HPET_TN_CFG(c), cfg & ~TN_INT_ENABLE);
}

/*
 * In 32-bit mode, which each comparator has: at most half a turn of the
 * counter ahead, the caller chains longer times.
 */
void hpet_oneshot(const struct hpet *h, u32 c, u32 pin, u64 us)
{
	u32 cfg = mmio_read32(h->va + HPET_TN_CFG(c));
	u64 max_us = 0x7fffffffULL * 1000000 / h->hz;
	u64 ticks = MIN(us, max_us) * h->hz / 1000000;

	cfg &= ~(TN_TYPE_LEVEL | TN_INT_ENABLE | TN_PERIODIC | TN_ROUTE | TN_FSB_ENABLE);
	cfg |= TN_32MODE | pin << 9;
	mmio_write32(h->va + HPET_TN_CFG(c), cfg);
	mmio_write32(h->va + HPET_TN_CMP(c), hpet_counter(h) + (u32)MAX(ticks, (u64)MIN_TICKS));
	mmio_write32(h->va + HPET_TN_CFG(c), cfg | TN_INT_ENABLE);
}
