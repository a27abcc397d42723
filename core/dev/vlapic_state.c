// SPDX-License-Identifier: MIT
/*
 * Is this a state that a local APIC can be in?  Saved states come from outside:
 * what the code elsewhere takes for granted is demanded here.
 */
#include "core/dev/vlapic_int.h"

#include "core/lib/string.h"

STATIC_ASSERT(sizeof(struct vlapic_state) == 208, "no padding in struct vlapic_state");

static bool base_ok(const struct vlapic_state *s)
{
	return !(s->base & ~(BITS(51, 12) | BASE_EN | BASE_EXTD | BASE_BSP)) &&
	       (s->base & (BASE_EN | BASE_EXTD)) != BASE_EXTD;
}

static bool ids_ok(const struct vlapic_state *s)
{
	if (s->id >= VLAPIC_MAX || s->version != VLAPIC_VERSION || s->reserved)
		return false;
	/* SDM3 11.12.5.1, 11.12.10.2: in x2APIC mode software has no say. */
	if (s->base & BASE_EXTD)
		return s->xapic_id == s->id << 24 && s->ldr == vlapic_x2_ldr(s->id);
	return !((s->xapic_id | s->ldr) & 0x00ffffff);
}

static bool registers_ok(const struct vlapic_state *s)
{
	u32 icr_high = (u32)(s->icr >> 32);

	if (!(s->base & BASE_EXTD) && icr_high & 0x00ffffff)
		return false;
	return s->tpr <= 0xff && (s->dfr & 0x0fffffff) == 0x0fffffff && !(s->svr & ~SVR_BITS) &&
	       !((u32)s->icr & ~ICR_BITS) && !((s->esr | s->esr_pending) & ~ESR_BITS) &&
	       !(s->dcr & ~DCR_BITS);
}

static bool signals_ok(const struct vlapic_state *s)
{
	if (s->signals & ~VLAPIC_SIGNALS || s->sipi_vector > 0xff)
		return false;
	return !(s->signals & VLAPIC_NMI2) || s->signals & VLAPIC_NMI;
}

/* SDM3 11.5.2, 11.8.4: no vector below 16; in service, one of a class. */
static bool vectors_ok(const struct vlapic_state *s)
{
	if ((s->isr[0] | s->tmr[0] | s->irr[0]) & 0xffff)
		return false;
	for (u32 i = 0; i < 16; i++) {
		u32 class = s->isr[i / 2] >> i % 2 * 16 & 0xffff;

		if (class & (class - 1))
			return false;
	}
	return true;
}

static bool lvt_ok(const struct vlapic_state *s)
{
	for (u32 i = 0; i < LVT_COUNT; i++) {
		if (s->lvt[i] & ~vlapic_lvt_bits[i])
			return false;
		if (!(s->svr & SVR_ENABLE) && !(s->lvt[i] & LVT_MASKED))
			return false;
	}
	return true;
}

static bool timer_ok(const struct vlapic_state *s)
{
	u32 mode = vlapic_timer_mode(s);

	if (s->tsc_deadline && mode != TIMER_DEADLINE)
		return false;
	return s->timer_due == DEV_NEVER || (mode <= TIMER_PERIODIC && s->tmict);
}

/* Disabled, all is as after power-up but CR8. */
static bool disabled_ok(const struct vlapic_state *s)
{
	struct vlapic_state off = *s;

	if (s->base & BASE_EN)
		return true;
	vlapic_power_up(&off);
	off.xapic_id = s->id << 24;
	off.tpr = s->tpr & 0xf0;
	return !memcmp(&off, s, sizeof(off));
}

int vlapic_state_check(const struct vlapic_state *s)
{
	static bool (*const rows[])(const struct vlapic_state *s) = {
		base_ok, ids_ok, registers_ok, signals_ok, vectors_ok, lvt_ok, timer_ok,
		disabled_ok,
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		if (!rows[i](s))
			return -EINVAL;
	return 0;
}
