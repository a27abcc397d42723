// SPDX-License-Identifier: MIT
/* The local APIC: its life, priorities, and what it takes and hands over. */
#include "core/dev/vlapic_int.h"

#include "core/lib/string.h"

int vlapic_highest(const u32 *w)
{
	/* Two at a time: one load each. */
	for (int i = 6; i >= 0; i -= 2) {
		u64 pair = w[i] | (u64)w[i + 1] << 32;

		if (pair)
			return 32 * i + 63 - __builtin_clzll(pair);
	}
	return -1;
}

static u32 highest_or_0(const u32 *w)
{
	int v = vlapic_highest(w);

	return v < 0 ? 0 : (u32)v;
}

u32 vlapic_ppr(u32 tpr, const u32 *isr)
{
	u32 isrv = highest_or_0(isr);

	return tpr >> 4 >= isrv >> 4 ? tpr : isrv & 0xf0;
}

u32 vlapic_apr(u32 tpr, const u32 *isr, const u32 *irr)
{
	u32 isrv = highest_or_0(isr), irrv = highest_or_0(irr);

	if (tpr >> 4 >= irrv >> 4 && tpr >> 4 > isrv >> 4)
		return tpr;
	return MAX(MAX(isrv, irrv), tpr) & 0xf0;
}

/*
 * Senders on other CPUs look at base and id at any time: what stays must not be
 * gone for a moment, or the SIPI behind an INIT finds no APIC.
 */
void vlapic_power_up(struct vlapic_state *s)
{
	struct vlapic_state fresh = {
		.base = s->base,
		.timer_due = DEV_NEVER,
		.id = s->id,
		.xapic_id = s->xapic_id,
		.version = VLAPIC_VERSION,
		.dfr = ~0U,
		.svr = 0xff,
		.sipi_vector = s->sipi_vector,
		.signals = s->signals,
	};

	if (fresh.base & BASE_EXTD)
		fresh.ldr = vlapic_x2_ldr(fresh.id);
	for (u32 i = 0; i < LVT_COUNT; i++)
		fresh.lvt[i] = LVT_MASKED;
	/* Made before it is stored, so that each byte is stored once. */
	barrier();
	memcpy(s, &fresh, sizeof(fresh));
}

void vlapic_init(struct vlapic *a, u32 id, bool bsp, const struct vlapic_env *env)
{
	memset(a, 0, sizeof(*a));
	a->env = env;
	a->s.base = VLAPIC_BASE | BASE_EN | (bsp ? BASE_BSP : 0);
	a->s.id = id;
	a->s.xapic_id = id << 24;
	vlapic_power_up(&a->s);
}

/* Signals stay: they are the CPU's, not the APIC's. */
void vlapic_reset(struct vlapic *a)
{
	/* The flags before the vectors, as in vlapic_collect. */
	__atomic_fetch_and(&a->posted_signals, ~(POSTED_VECTORS | POSTED_ILLEGAL),
			   __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < ARRAY_SIZE(a->posted); i++)
		__atomic_store_n(&a->posted[i], 0, __ATOMIC_SEQ_CST);
	vlapic_power_up(&a->s);
}

/* SDM3 11.12.5.1: the ids that software wrote and ICR 63:32 are lost. */
static void enter_x2apic(struct vlapic *a)
{
	a->s.xapic_id = a->s.id << 24;
	a->s.ldr = vlapic_x2_ldr(a->s.id);
	a->s.icr &= ICR_BITS;
}

/* SDM3 figure 11-27: BIT(new) of each old, numbered by EN and EXTD. */
static const u8 mode_changes[4] = {
	[0] = BIT(0) | BIT(2),
	[2] = BIT(0) | BIT(2) | BIT(3),
	[3] = BIT(0) | BIT(3),
};

bool vlapic_set_base(struct vlapic *a, u64 val, u8 maxphyaddr)
{
	u64 valid = BITS(maxphyaddr - 1, 12) | BASE_EN | BASE_EXTD | BASE_BSP;
	u32 old = a->s.base >> 10 & 3, mode = val >> 10 & 3;

	if (a->env->hidden & VLAPIC_HIDE_X2APIC)
		valid &= ~BASE_EXTD;
	if (val & ~valid || !(mode_changes[old] & BIT(mode)))
		return false;
	WRITE_ONCE(a->s.base, (val & ~BASE_BSP) | (a->s.base & BASE_BSP));
	if (mode == old)
		return true;
	if (mode == 3) {
		enter_x2apic(a);
	} else if (mode == 0) {
		/* SDM3 11.4.3: what was set up is lost, the id it had too. */
		a->s.xapic_id = a->s.id << 24;
		vlapic_reset(a);
	}
	return true;
}

static void take_vectors(struct vlapic *a)
{
	struct vlapic_state *s = &a->s;
	bool on = vlapic_on(a);

	for (u32 i = 0; i < ARRAY_SIZE(a->posted); i++) {
		u64 p;
		u32 vectors, level;

		if (!READ_ONCE(a->posted[i]))
			continue;
		p = __atomic_exchange_n(&a->posted[i], 0, __ATOMIC_SEQ_CST);
		/* A sender that saw the APIC on may come after it was switched off. */
		if (!on)
			continue;
		vectors = (u32)p;
		level = (u32)(p >> 32);
		/* SDM3 11.8.4: TMR tells how the last one was triggered. */
		s->irr[i] |= vectors;
		s->tmr[i] = (s->tmr[i] & ~vectors) | level;
	}
}

/* Adds what came to what nobody asked for yet, in this order. */
static void keep_signals(struct vlapic *a, u32 sig)
{
	struct vlapic_state *s = &a->s;
	u8 vector = (u8)(sig >> POSTED_SIPI_VECTOR);

	if (sig & VLAPIC_INIT)
		s->signals = vlapic_signal_add(s->signals, APIC_INIT, 0) & VLAPIC_SIGNALS;
	if (sig & VLAPIC_SIPI && !(s->signals & VLAPIC_SIPI)) {
		s->signals |= VLAPIC_SIPI;
		s->sipi_vector = vector;
	}
	if (sig & s->signals & VLAPIC_NMI)
		s->signals |= VLAPIC_NMI2;
	s->signals |= sig & (VLAPIC_NMI | VLAPIC_NMI2 | VLAPIC_SMI);
}

void vlapic_collect(struct vlapic *a)
{
	u32 sig = __atomic_exchange_n(&a->posted_signals, 0, __ATOMIC_SEQ_CST);

	keep_signals(a, sig);
	if (sig & POSTED_VECTORS)
		take_vectors(a);
	if (sig & POSTED_ILLEGAL && vlapic_on(a))
		vlapic_error(a, ESR_RECV_ILLEGAL);
}

u32 vlapic_pull(struct vlapic *a)
{
	u32 sig;

	vlapic_collect(a);
	sig = a->s.signals;
	a->s.signals = 0;
	return sig;
}

void vlapic_save(struct vlapic *a)
{
	vlapic_collect(a);
}

int vlapic_pending(const struct vlapic *a)
{
	int v = vlapic_highest(a->s.irr);

	if (v < 0)
		return -1;
	return (u32)v >> 4 > vlapic_ppr(a->s.tpr, a->s.isr) >> 4 ? v : -1;
}

u8 vlapic_masked_class(const struct vlapic *a)
{
	u32 class = highest_or_0(a->s.irr) >> 4;

	if (class > highest_or_0(a->s.isr) >> 4 && class <= a->s.tpr >> 4)
		return (u8)class;
	return 0;
}

void vlapic_ack(struct vlapic *a, u8 vector)
{
	u32 bit = (u32)BIT(vector % 32);

	a->s.irr[vector / 32] &= ~bit;
	a->s.isr[vector / 32] |= bit;
}

void vlapic_eoi(struct vlapic *a)
{
	struct vlapic_state *s = &a->s;
	int v = vlapic_highest(s->isr);
	u32 bit;

	if (v < 0)
		return;
	bit = (u32)BIT(v % 32);
	s->isr[v / 32] &= ~bit;
	/* SDM3 11.8.5: the I/O APICs hear of level-triggered ones. */
	if (s->tmr[v / 32] & bit)
		a->env->eoi(a->env->ctx, (u8)v);
}

void vlapic_set_cr8(struct vlapic *a, u8 cr8)
{
	a->s.tpr = (u32)(cr8 & 0xf) << 4;
}

/* SDM3 11.5.3: a write to ESR arms the interrupt again. */
void vlapic_error(struct vlapic *a, u32 bit)
{
	bool armed = !a->s.esr_pending;

	a->s.esr_pending |= bit;
	if (armed)
		vlapic_local(a, LVT_ERROR);
}

static void local_vector(struct vlapic *a, u8 vector)
{
	u32 bit = (u32)BIT(vector % 32);

	if (vector < VECTOR_FIRST) {
		vlapic_error(a, ESR_RECV_ILLEGAL);
		return;
	}
	a->s.irr[vector / 32] |= bit;
	a->s.tmr[vector / 32] &= ~bit;
}

/* SDM3 11.5.1.  LINT1 is edge-triggered whatever its trigger mode says. */
void vlapic_local(struct vlapic *a, enum vlapic_lvt n)
{
	u32 lvt = a->s.lvt[n];
	u8 mode = lvt >> 8 & 7;

	if (lvt & LVT_MASKED)
		return;
	if (mode == APIC_FIXED)
		local_vector(a, (u8)lvt);
	else if (mode == APIC_SMI || mode == APIC_NMI || mode == APIC_INIT)
		keep_signals(a, vlapic_signal_add(0, mode, 0));
}

bool vlapic_extint(const struct vlapic *a)
{
	u32 lvt = a->s.lvt[LVT_LINT0];

	/* SDM3 11.4.3: the pins are INTR and NMI then. */
	if (!vlapic_on(a))
		return true;
	return !(lvt & LVT_MASKED) && (lvt >> 8 & 7) == APIC_EXTINT;
}

void vlapic_lint1(struct vlapic *a)
{
	if (vlapic_on(a))
		vlapic_local(a, LVT_LINT1);
	else
		keep_signals(a, VLAPIC_NMI);
}
