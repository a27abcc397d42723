// SPDX-License-Identifier: MIT
/*
 * Interrupt messages on their way: whom they name and how an APIC takes them
 * (SDM3 11.6.2, 11.8.2).  Any CPU runs this at any time: of an APIC it reads
 * single registers, and it changes nothing but posted and posted_signals.
 */
#include "core/dev/vlapic_int.h"

/* SDM3 11.6.2.1, 11.6.2.2: all ones, in the width of the sender. */
static bool is_broadcast(const struct apic_msg *m)
{
	return m->dest == (m->wide ? ~0U : 0xffU);
}

static bool match_physical(const struct vlapic *a, const struct apic_msg *m)
{
	if (vlapic_x2(a))
		return m->dest == READ_ONCE(a->s.id);
	return m->dest == READ_ONCE(a->s.xapic_id) >> 24;
}

/* SDM3 11.12.10.2: cluster in 31:16, one bit for each of 16 in 15:0. */
static bool match_logical_x2(const struct vlapic *a, const struct apic_msg *m)
{
	u32 ldr = READ_ONCE(a->s.ldr);

	return m->dest >> 16 == ldr >> 16 && m->dest & ldr & 0xffff;
}

/* SDM3 11.6.2.2: DFR chooses the model; what is neither matches nothing. */
static bool match_logical_xapic(const struct vlapic *a, const struct apic_msg *m)
{
	u32 ldr = READ_ONCE(a->s.ldr) >> 24;
	u32 model = READ_ONCE(a->s.dfr) >> 28;

	/* An APIC in xAPIC mode sees eight bits: 9 and more are another's. */
	if (m->dest > 0xff)
		return false;
	if (model == 0xf)
		return m->dest & ldr;
	if (model == 0)
		return m->dest >> 4 == ldr >> 4 && m->dest & ldr & 0xf;
	return false;
}

bool vlapic_match(const struct vlapic *a, const struct apic_msg *m)
{
	/* SDM3 11.4.3: as if it were not there. */
	if (!vlapic_on(a))
		return false;
	if (is_broadcast(m))
		return true;
	if (!m->logical)
		return match_physical(a, m);
	return vlapic_x2(a) ? match_logical_x2(a, m) : match_logical_xapic(a, m);
}

u32 vlapic_signal_add(u32 sig, u8 mode, u8 vector)
{
	switch (mode) {
	case APIC_NMI:
		return sig | (sig & VLAPIC_NMI ? VLAPIC_NMI2 : VLAPIC_NMI);
	case APIC_SMI:
		return sig | VLAPIC_SMI;
	case APIC_INIT:
		/* It ends what an older SIPI began. */
		sig &= ~(VLAPIC_SIPI | 0xffu << POSTED_SIPI_VECTOR);
		return sig | VLAPIC_INIT;
	default:
		/* SDM3 9.4.3: the first one starts the CPU, which ignores the others. */
		if (sig & VLAPIC_SIPI)
			return sig;
		return sig | VLAPIC_SIPI | (u32)vector << POSTED_SIPI_VECTOR;
	}
}

static void post_signal(struct vlapic *a, u8 mode, u8 vector)
{
	u32 old = __atomic_load_n(&a->posted_signals, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(&a->posted_signals, &old,
					    vlapic_signal_add(old, mode, vector), true,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

/* The vector first, then the flag: vlapic_collect goes the other way. */
static void post_vector(struct vlapic *a, u8 vector, bool level)
{
	u64 bit = BIT(vector % 32);
	u32 flag = POSTED_VECTORS;

	if (vector < VECTOR_FIRST)
		flag = POSTED_ILLEGAL;
	else
		__atomic_fetch_or(&a->posted[vector / 32], level ? bit | bit << 32 : bit,
				  __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&a->posted_signals, flag, __ATOMIC_SEQ_CST);
}

bool vlapic_accept(struct vlapic *a, const struct apic_msg *m)
{
	if (!vlapic_on(a))
		return false;
	switch (m->mode) {
	case APIC_FIXED:
	case APIC_LOWEST:
		/* SDM3 11.4.7.2: software-disabled, it takes only the others. */
		if (!(READ_ONCE(a->s.svr) & SVR_ENABLE))
			return false;
		post_vector(a, m->vector, m->level);
		return true;
	case APIC_INIT:
		/* SDM3 11.6.1: INIT level de-assert only sets arbitration ids. */
		if (m->deassert)
			return false;
		break;
	case APIC_NMI:
	case APIC_SMI:
	case APIC_SIPI:
		break;
	default:
		return false;
	}
	post_signal(a, m->mode, m->vector);
	return true;
}

/* The priority that an APIC takes part in an arbitration with; ~0: in none. */
static u32 arbitration_priority(const struct vlapic *a)
{
	u32 isr[8], irr[8];

	if (!(READ_ONCE(a->s.svr) & SVR_ENABLE))
		return ~0U;
	for (u32 i = 0; i < ARRAY_SIZE(isr); i++) {
		isr[i] = READ_ONCE(a->s.isr[i]);
		irr[i] = READ_ONCE(a->s.irr[i]);
	}
	return vlapic_apr(READ_ONCE(a->s.tpr), isr, irr);
}

/* SDM3 11.6.2.4.  Among equals the first wins, so that runs repeat. */
static u32 arbitrate(struct vlapic *const *apic, u32 n, u32 candidates)
{
	u32 best = ~0U, winner = 0;

	for (u32 i = 0; i < n; i++) {
		u32 prio;

		if (!(candidates & BIT(i)))
			continue;
		prio = arbitration_priority(apic[i]);
		if (prio < best) {
			best = prio;
			winner = (u32)BIT(i);
		}
	}
	return winner;
}

/* SDM3 11.6.1: the shorthand replaces the destination. */
static bool is_named(const struct vlapic *a, const struct vlapic *from, const struct apic_msg *m)
{
	switch (m->shorthand & 3) {
	case 0:
		return vlapic_match(a, m);
	case 1:
		return a == from;
	case 2:
		return true;
	default:
		return a != from;
	}
}

u32 apic_route(struct vlapic *const *apic, u32 n, const struct vlapic *from,
	       const struct apic_msg *m)
{
	u32 named = 0, look = 0;

	n = MIN(n, (u32)VLAPIC_MAX);
	for (u32 i = 0; i < n; i++)
		if (vlapic_on(apic[i]) && is_named(apic[i], from, m))
			named |= (u32)BIT(i);
	if (m->mode == APIC_LOWEST)
		named = arbitrate(apic, n, named);
	for (u32 i = 0; i < n; i++)
		if (named & BIT(i) && vlapic_accept(apic[i], m))
			look |= (u32)BIT(i);
	return look;
}
