// SPDX-License-Identifier: MIT
/* The TSC of a vCPU: (host's * ratio of its VM) + its own offset. */
#include "core/vm/run.h"

#include "core/lib/muldiv.h"
#include "core/vm/pc.h"
#include "core/vm/sched.h"
#include "core/x86/insn.h"
#include "core/x86/time.h"

/* NULL, or why not. */
static const char *ratio_for(u64 khz, struct tsc_ratio *out)
{
	const struct tsc_format *f = virt->tsc_format();

	*out = (struct tsc_ratio){ 0 };
	if (!khz || tsc_khz_same(khz, tsc_khz()))
		return NULL;
	if (!f)
		return "tsc=: this CPU does not scale the TSC of its guests";
	return tsc_ratio_of(f, khz, tsc_khz(), out) ? "tsc=: this CPU cannot scale its TSC so far" :
	       NULL;
}

const char *vm_tsc_refused(u64 khz)
{
	struct tsc_ratio r;

	return ratio_for(khz, &r);
}

const char *vm_set_tsc(struct vm *vm, u64 khz)
{
	const char *why = ratio_for(khz, &vm->tsc);

	if (!why)
		vm->tsc_khz = khz;
	return why;
}

u64 vm_tsc_khz(const struct vm *vm)
{
	return vm->tsc.ratio ? vm->tsc_khz : tsc_khz();
}

u64 vcpu_tsc_at(struct vcpu *v, u64 host)
{
	return tsc_scale(&v->vm->tsc, host) + virt->get(v, VREG_TSC_OFFSET);
}

u64 vcpu_tsc(struct vcpu *v)
{
	return vcpu_tsc_at(v, rdtsc());
}

void vcpu_compose_tsc(struct vcpu *v)
{
	const struct tsc_format *f = virt->tsc_format();
	struct tsc_chain c = {
		.outer = v->vm->tsc, .host = rdtsc(), .base = v->vm->pc ? v->vm->pc->tsc_base : 0,
		.inner = v->l2_tsc.ratio, .offset = v->l2_tsc_offset,
	};

	c.between = vcpu_tsc_at(v, c.host);
	if (!v->l2_tsc.frac || !f || !tsc_compose(f, &c, &v->l2_line))
		v->l2_line = (struct tsc_line){ 0 };
}

u64 vcpu_tsc_seen(struct vcpu *v)
{
	u64 tsc;

	/* As the CPU has it, to the tick. */
	if (unlikely(v->in_l2 && v->l2_line.ratio))
		return mul_shift_u64(rdtsc(), v->l2_line.ratio, v->l2_tsc.frac) +
		       v->l2_line.offset;
	tsc = vcpu_tsc(v);
	if (likely(!v->in_l2))
		return tsc;
	/* Not tsc_scale: a guest may stop its guest's clock with a ratio of 0. */
	if (v->l2_tsc.frac)
		tsc = mul_shift_u64(tsc, v->l2_tsc.ratio, v->l2_tsc.frac);
	return tsc + v->l2_tsc_offset;
}

u64 vcpu_tsc_to_host(struct vcpu *v, u64 tsc)
{
	u64 now = rdtsc(), guest = vcpu_tsc_at(v, now), ticks;

	/* Saturates, at both ends. */
	if (tsc <= guest)
		return now - MIN(now, tsc_unscale(&v->vm->tsc, guest - tsc));
	ticks = tsc_unscale(&v->vm->tsc, tsc - guest);
	return ticks > ~0ULL - now ? ~0ULL : now + ticks;
}

void vcpu_set_tsc_at(struct vcpu *v, u64 tsc, u64 host)
{
	virt->set(v, VREG_TSC_OFFSET, tsc - tsc_scale(&v->vm->tsc, host));
}

void vcpu_adjust_tsc(struct vcpu *v, u64 delta)
{
	virt->set(v, VREG_TSC_OFFSET, virt->get(v, VREG_TSC_OFFSET) + delta);
	v->msrs.tsc_adjust += delta;
	/* A deadline in guest TSC is at another time now. */
	if (v->apic)
		sched_rearm(v);
}
