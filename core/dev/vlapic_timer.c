// SPDX-License-Identifier: MIT
/*
 * The timer of the local APIC (SDM3 11.5.4).  It does not count: it knows when
 * its count will be 0.  Whoever looks at it or changes it first lets happen
 * what was due before, so that nobody sees how late vlapic_tick comes.
 */
#include "core/dev/vlapic_int.h"

u32 vlapic_timer_mode(const struct vlapic_state *s)
{
	return s->lvt[LVT_TIMER] >> 17 & 3;
}

/* SDM3 figure 11-10: bits 3, 1, 0; 000b is 2, 110b 128, 111b 1. */
static u32 divide_shift(const struct vlapic *a)
{
	u32 dcr = a->s.dcr;

	return (((dcr >> 1 & 4) | (dcr & 3)) + 1) & 7;
}

/* In ns: VLAPIC_TIMER_HZ is 10^9. */
static u64 period(const struct vlapic *a)
{
	return (u64)a->s.tmict << divide_shift(a);
}

static void run_deadline(struct vlapic *a, u64 tsc)
{
	struct vlapic_state *s = &a->s;

	if (!s->tsc_deadline || tsc < s->tsc_deadline)
		return;
	/* SDM3 11.5.4.1: it disarms itself when it fires. */
	s->tsc_deadline = 0;
	vlapic_local(a, LVT_TIMER);
}

static void run_count(struct vlapic *a, u64 now)
{
	struct vlapic_state *s = &a->s;
	u64 p = period(a);

	if (s->timer_due == DEV_NEVER || now < s->timer_due)
		return;
	/* Whole periods are added: the reload is due when the count was 0, not now. */
	if (vlapic_timer_mode(s) == TIMER_PERIODIC)
		s->timer_due += ((now - s->timer_due) / p + 1) * p;
	else
		s->timer_due = DEV_NEVER;
	vlapic_local(a, LVT_TIMER);
}

void vlapic_tick(struct vlapic *a, u64 now, u64 tsc)
{
	if (vlapic_timer_mode(&a->s) == TIMER_DEADLINE)
		run_deadline(a, tsc);
	else
		run_count(a, now);
}

/* Returns guest time; 0 in TSC-deadline mode, where nothing counts. */
static u64 catch_up(struct vlapic *a)
{
	const struct vlapic_env *env = a->env;
	u64 now;

	if (vlapic_timer_mode(&a->s) == TIMER_DEADLINE) {
		if (a->s.tsc_deadline)
			run_deadline(a, env->tsc(env->ctx, a->s.id));
		return 0;
	}
	now = env->now(env->ctx);
	run_count(a, now);
	return now;
}

static void rearm(struct vlapic *a)
{
	a->env->rearm(a->env->ctx, a->s.id);
}

static u32 count_at(const struct vlapic *a, u64 now)
{
	u32 shift = divide_shift(a);

	if (a->s.timer_due == DEV_NEVER)
		return 0;
	return (u32)((a->s.timer_due - now + BIT(shift) - 1) >> shift);
}

u32 vlapic_timer_count(struct vlapic *a)
{
	u64 now = catch_up(a);

	return count_at(a, now);
}

void vlapic_timer_set_initial(struct vlapic *a, u32 val)
{
	struct vlapic_state *s = &a->s;
	u64 now = catch_up(a);

	/* SDM3 11.5.4.1: ignored in TSC-deadline mode. */
	if (vlapic_timer_mode(s) == TIMER_DEADLINE)
		return;
	s->tmict = val;
	s->timer_due = DEV_NEVER;
	if (!val || vlapic_timer_mode(s) > TIMER_PERIODIC)
		return;
	s->timer_due = now + period(a);
	rearm(a);
}

/* The count stays and goes on at the new rate. */
void vlapic_timer_set_divide(struct vlapic *a, u32 val)
{
	struct vlapic_state *s = &a->s;
	u64 now = catch_up(a);
	u64 count = count_at(a, now);

	if (val == s->dcr)
		return;
	s->dcr = val;
	if (!count)
		return;
	s->timer_due = now + (count << divide_shift(a));
	rearm(a);
}

void vlapic_timer_set_lvt(struct vlapic *a, u32 val)
{
	struct vlapic_state *s = &a->s;
	u32 old = vlapic_timer_mode(s);

	catch_up(a);
	s->lvt[LVT_TIMER] = val;
	/*
	 * SDM3 11.5.4.1: a change to or from TSC-deadline mode disarms; one-shot
	 * and periodic share the count, which goes on.  11b is reserved: stopped.
	 */
	if (vlapic_timer_mode(s) != old &&
	    (old > TIMER_PERIODIC || vlapic_timer_mode(s) > TIMER_PERIODIC)) {
		s->timer_due = DEV_NEVER;
		s->tsc_deadline = 0;
	}
	rearm(a);
}

/* SDM3 11.5.4.1: outside TSC-deadline mode reads give 0, writes are ignored. */
u64 vlapic_timer_deadline(struct vlapic *a)
{
	catch_up(a);
	return a->s.tsc_deadline;
}

void vlapic_timer_set_deadline(struct vlapic *a, u64 val)
{
	catch_up(a);
	if (vlapic_timer_mode(&a->s) != TIMER_DEADLINE)
		return;
	a->s.tsc_deadline = val;
	/* One that has passed fires at once. */
	catch_up(a);
	if (a->s.tsc_deadline)
		rearm(a);
}

static bool masked(const struct vlapic *a)
{
	return a->s.lvt[LVT_TIMER] & LVT_MASKED;
}

u64 vlapic_next(const struct vlapic *a)
{
	return masked(a) ? DEV_NEVER : a->s.timer_due;
}

u64 vlapic_next_tsc(const struct vlapic *a)
{
	return masked(a) || !a->s.tsc_deadline ? DEV_NEVER : a->s.tsc_deadline;
}
