/* SPDX-License-Identifier: MIT */
/* Exit handlers: everything but I/O, memory, MSRs and control registers. */
#include "core/vm/run.h"
#include "core/vm/nested.h"

#include "core/vm/cpuid_policy.h"
#include "core/vm/insn.h"
#include "core/vm/pc.h"
#include "core/vm/sched.h"
#include "core/vm/xcr0.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/regs.h"
#include "core/x86/time.h"

void (*vcpu_safe_point)(void);

enum verdict exit_unhandled(struct vcpu *v)
{
	return vcpu_fail(v, STOP_UNHANDLED, "raw code %llx info %llx %llx",
			 (unsigned long long)v->exit.code, (unsigned long long)v->exit.info1,
			 (unsigned long long)v->exit.info2);
}

enum verdict exit_entry_fail(struct vcpu *v)
{
	v->stop = STOP_ENTRY_FAIL;
	return VERDICT_STOP;
}

/* An intercepted exception that no test wanted: it is the guest's. */
enum verdict exit_exception(struct vcpu *v)
{
	return vcpu_inject(v, v->exit.exc);
}

/* ICEBP: a #DB that ignores DR7.GD; RIP to push is behind it (APM2 15.12.2). */
enum verdict exit_icebp(struct vcpu *v)
{
	if (vcpu_advance(v))
		return vcpu_give_up(v, "cannot decode INT1");
	return vcpu_inject(v, event_exception(VEC_DB));
}

/* The host's interrupt is pending: let it in, then look at the clock. */
enum verdict exit_host_event(struct vcpu *v)
{
	__asm__ volatile("sti; nop; cli" ::: "memory");
	if (v->vm->sched)
		return sched_host_event(v) ? VERDICT_RESUME : VERDICT_STOP;
	if (vcpu_safe_point)
		vcpu_safe_point();
	if (v->deadline && rdtsc() >= v->deadline) {
		v->stop = STOP_TIMEOUT;
		return VERDICT_STOP;
	}
	return VERDICT_RESUME;
}

/* The queue is looked at before the next entry; the window is then closed. */
enum verdict exit_window(struct vcpu *v)
{
	return VERDICT_RESUME;
}

enum verdict exit_shutdown(struct vcpu *v)
{
	v->stop = STOP_SHUTDOWN;
	return VERDICT_STOP;
}

static void give_cpuid(struct vcpu *v, const struct cpuid_regs *r)
{
	v->gpr[VREG_RAX] = r->eax;
	v->gpr[VREG_RBX] = r->ebx;
	v->gpr[VREG_RCX] = r->ecx;
	v->gpr[VREG_RDX] = r->edx;
}

/* A leaf or a guest with more than a mask; of its own, so that others save no registers. */
static __attribute__((noinline)) void fix_cpuid(struct vcpu *v, u32 leaf, u32 subleaf,
						struct cpuid_regs r)
{
	const struct cpuid_view view = {
		.cr4 = virt->get(v, VREG_CR4), .id = v->id, .apic = v->apic,
		.cpus = v->apic ? v->vm->pc->cfg.cpus : 1,
		.apic_on = v->apic && v->apic->s.base & APIC_BASE_EN,
		.tsc_khz = (u32)vm_tsc_khz(v->vm), .xcr0 = vm_cpu(v->vm)->xcr0,
		.xsave_size = vm_cpu(v->vm)->xsave_size,
		.xsave_compact = leaf == 0xd && run_policy.caps->xsave ?
			xcr0_compact_size(run_policy.caps, xgetbv(0)) : 0,
		.svm = v->nested && virt->vendor == VIRT_SVM ? virt->nested->cpuid(v) : NULL,
	};

	if (cpuid_mask_of(leaf)->fix)
		cpuid_fix(leaf, subleaf, &view, &r);
	if (v->vm->cpu_told)
		guest_cpu_fix(&v->vm->cpu, leaf, subleaf, &r);
	give_cpuid(v, &r);
}

/* SDM2 CPUID: 0Dh follows XCR0, which is the guest's while it is loaded. */
enum verdict exit_cpuid(struct vcpu *v)
{
	u32 leaf = (u32)v->gpr[VREG_RAX], subleaf = (u32)v->gpr[VREG_RCX];
	const struct cpuid_mask *m = cpuid_mask_of(leaf);
	struct cpuid_result c = cpuid_count(leaf, subleaf);
	struct cpuid_regs r = { c.eax & m->eax, c.ebx & m->ebx, c.ecx & m->ecx, c.edx & m->edx };

	if (m->fix || unlikely(v->vm->cpu_told))
		fix_cpuid(v, leaf, subleaf, r);
	else
		give_cpuid(v, &r);
	return VERDICT_ADVANCE;
}

/* With a local APIC something may come; without, only what is queued. */
enum verdict exit_hlt(struct vcpu *v)
{
	struct event_gate gate;

	if (vcpu_advance(v))
		return vcpu_give_up(v, "cannot decode HLT");
	if (v->apic && v->events.exception.type == EVENT_NONE) {
		if (unlikely(v->in_l2) && virt->nested->wakes(v))
			return VERDICT_RESUME;
		v->mp_state = MP_HALTED;
		v->poke = 1;
		if (vcpu_wakes(v))
			return VERDICT_RESUME;
		v->stop = STOP_BLOCKED;
		return VERDICT_STOP;
	}
	vcpu_gate(v, &gate);
	if ((v->events.nmi && gate.nmi_ok) || (v->events.intr && gate.intr_ok) ||
	    v->events.exception.type != EVENT_NONE)
		return VERDICT_RESUME;
	v->stop = STOP_HLT;
	return VERDICT_STOP;
}

enum verdict exit_skip(struct vcpu *v)
{
	return VERDICT_ADVANCE;
}

/* Intercepted where vCPUs share a CPU: what a spinning one waits for may be its neighbour. */
enum verdict exit_pause(struct vcpu *v)
{
	if (v->apic && sched_yield(v))
		return vcpu_advance(v) ? vcpu_give_up(v, "cannot decode PAUSE") :
					 VERDICT_STOP;
	return VERDICT_ADVANCE;
}

enum verdict exit_ud(struct vcpu *v)
{
	return vcpu_inject_ud(v);
}

/* VMRUN, VMXON and their like: of a guest that was given the extension. */
enum verdict exit_virt_insn(struct vcpu *v)
{
	return v->nested ? virt->nested->insn(v) : vcpu_inject_ud(v);
}

enum verdict exit_gp(struct vcpu *v)
{
	return vcpu_inject_gp(v);
}

enum verdict exit_invlpg(struct vcpu *v)
{
	virt->flush(v);
	return VERDICT_ADVANCE;
}

static void set_edx_eax(struct vcpu *v, u64 val)
{
	v->gpr[VREG_RAX] = (u32)val;
	v->gpr[VREG_RDX] = val >> 32;
}

enum verdict exit_rdtsc(struct vcpu *v)
{
	set_edx_eax(v, vcpu_tsc_seen(v));
	return VERDICT_ADVANCE;
}

enum verdict exit_rdtscp(struct vcpu *v)
{
	set_edx_eax(v, vcpu_tsc_seen(v));
	v->gpr[VREG_RCX] = (u32)virt->get(v, VREG_TSC_AUX);
	return VERDICT_ADVANCE;
}

/* No hypercall is defined: the answer is the one KVM gives for unknown ones. */
enum verdict exit_hypercall(struct vcpu *v)
{
	v->gpr[VREG_RAX] = (u64)-1000LL;
	return VERDICT_ADVANCE;
}

enum verdict exit_xsetbv(struct vcpu *v)
{
	u64 val = (u32)v->gpr[VREG_RAX] | v->gpr[VREG_RDX] << 32;
	struct vsegment ss;

	if (!(virt->get(v, VREG_CR4) & CR4_OSXSAVE))
		return vcpu_inject_ud(v);
	/* The privilege fault comes first (SDM3 26.1.1); not so on Bochs. */
	virt->get_seg(v, VSEG_SS, &ss);
	if (ss.attr & SEG_DPL(3))
		return vcpu_inject_gp(v);
	if ((u32)v->gpr[VREG_RCX] != 0 || !xcr0_valid(val, vm_cpu(v->vm)->xcr0))
		return vcpu_inject_gp(v);
	/* The guest's XCR0 is in the CPU while the vCPU is loaded. */
	v->xcr0 = val;
	xsetbv(0, val);
	return VERDICT_ADVANCE;
}
