// SPDX-License-Identifier: MIT
#include "svm/inject.h"

#include "core/x86/regs.h"
#include "svm/nested.h"

static const u8 inj_type[] = {
	[EVENT_INTR] = EVENTINJ_INTR, [EVENT_NMI] = EVENTINJ_NMI,
	[EVENT_EXCEPTION] = EVENTINJ_EXCEPTION, [EVENT_SOFT_INT] = EVENTINJ_SOFT_INT,
	/* APM2 15.20: INT3, INTO and ICEBP are injected as exceptions. */
	[EVENT_SOFT_EXC] = EVENTINJ_EXCEPTION, [EVENT_PRIV_EXC] = EVENTINJ_EXCEPTION,
};

/*
 * Events whose return address is behind their instruction; that of one which
 * was injected has no length, and returns to where it is.
 */
static bool is_soft(const struct event *e)
{
	return e->type >= EVENT_SOFT_INT;
}

u64 svm_event_encode(const struct event *e)
{
	u64 v = EVENTINJ_VALID | EVENTINJ_TYPE(inj_type[e->type]) | e->vector;

	if (e->has_error)
		v |= EVENTINJ_EV | (u64)e->error << 32;
	return v;
}

void svm_apply_intercepts(struct svm_vcpu *a)
{
	struct vmcb *c = a->vmcb;
	u32 vec3 = vmcb_get_intercept_vec3(c) & ~(u32)(VEC3_VINTR | VEC3_IRET);
	bool cr8;

	vec3 |= a->vec3_want;
	if (a->virq_window)
		vec3 |= VEC3_VINTR;
	if (a->nmi_blocked && !a->iret_wait && a->step != STEP_IRET)
		vec3 |= VEC3_IRET;
	vmcb_set_intercept_vec3(c, vec3);
	cr8 = a->windows & (WINDOW_TPR | WINDOW_CR8) ||
	      a->cr8_watch || (svm.quirks.cr8_virq_fatal && vec3 & VEC3_VINTR);
	vmcb_set_intercept_cr_write(c, a->cr_write_want | (cr8 ? (u16)BIT(8) : 0));
	/* During a step an exception must not push our TF: take it and inject it. */
	vmcb_set_intercept_exceptions(c, a->step ? ~0u : a->exc_want | a->exc_guard);
}

/* APM2 15.20: NMI blocking of a guest is software's, with the IRET intercept. */
void svm_set_nmi_blocked(struct svm_vcpu *a, bool blocked)
{
	a->nmi_blocked = blocked;
	a->iret_wait = false;
	a->attention = true;
	svm_apply_intercepts(a);
}

void svm_inject(struct vcpu *v, const struct event *e)
{
	struct svm_vcpu *a = v->arch;
	struct vmcb *c = a->vmcb;

	c->eventinj = svm_event_encode(e);
	a->injected = true;
	a->attention = true;
	if (e->type == EVENT_NMI) {
		if (!svm_nested_nmi_is_l1s(v))
			svm_set_nmi_blocked(a, true);
	} else if (e->type == EVENT_EXCEPTION && e->vector == VEC_PF) {
		vmcb_set_cr2(c, e->payload);
	} else if (e->type == EVENT_EXCEPTION && e->vector == VEC_DB) {
		/* APM2 15.20: injection does what delivery would; not DR6 and DR7.GD. */
		vmcb_set_dr6(c, vmcb_get_dr6(c) |
			     (e->payload & (0xfULL | DR6_BD | DR6_BS | DR6_BT)));
		vmcb_set_dr7(c, vmcb_get_dr7(c) & ~DR7_GD);
		/* APM2 13.1: with #DB recording ends. */
		svm_set_dbgctl(c, vmcb_get_dbgctl(c) & ~DEBUGCTL_LBR);
	}
	if (!is_soft(e))
		return;
	/*
	 * APM2 15.20, 15.7.1: a software event pushes nRIP where the CPU has it;
	 * elsewhere RIP itself must already be behind the instruction.  So it must
	 * for ICEBP: only vectors 3 and 4 are traps when they are injected.
	 */
	a->soft_len = e->insn_len;
	a->soft_moved_rip = !svm.caps.nrips || svm.quirks.soft_nrip_lost ||
			    e->type == EVENT_PRIV_EXC;
	a->attention = true;
	c->nrip = v->rip + e->insn_len;
	if (a->soft_moved_rip)
		v->rip += e->insn_len;
}

void svm_windows(struct vcpu *v, u32 windows)
{
	struct svm_vcpu *a = v->arch;

	a->wanted = windows;
	a->attention = true;
}

/* One instruction with TF borrowed from the guest. */
static void step_begin(struct vcpu *v, struct svm_vcpu *a, enum svm_step step)
{
	a->step = step;
	a->step_rip = v->rip;
	a->step_tf = v->rflags & RFLAGS_TF;
	a->step_shadow = a->vmcb->int_state & INT_STATE_SHADOW;
	a->step_dbgctl = vmcb_get_dbgctl(a->vmcb);
	a->step_insn = step == STEP_IRET ? STEP_INSN_LOADS : svm_step_classify(v);
	v->rflags |= RFLAGS_TF;
}

/* See exc_guard: the guest notices nothing but time. */
bool svm_inject_guarded(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;
	struct vm_exit *x = &v->exit;

	if (a->step || x->idt.type != EVENT_NONE ||
	    !(a->exc_guard & ~a->exc_want & BIT(x->exc.vector)))
		return false;
	if (x->exc.vector == VEC_GP && v->nested)
		svm_nested_fix_gp(v, &x->exc);
	svm_inject(v, &x->exc);
	return true;
}

/* L2 has a V_IRQ that only a shadow can hold back, and this CPU would forget it. */
static bool loses_virq(struct vcpu *v)
{
	return svm.quirks.virq_if1_lost && v->in_l2 && svm_nested_wakes(v);
}

/* Where no virtual interrupt can tell that the window is open, a step does. */
static bool want_step_shadow(struct vcpu *v, const struct svm_vcpu *a)
{
	/* Entered with a lost shadow, it would be taken for open at the next exit. */
	if (a->vmcb->int_state & INT_STATE_SHADOW && (svm.quirks.shadow_lost || loses_virq(v)))
		return true;
	if (a->windows & WINDOW_NMI && !a->nmi_blocked)
		return true;
	return a->windows & WINDOW_INTR && v->rflags & RFLAGS_IF && svm.quirks.virq_if1_lost;
}

/*
 * What the CPU should do with such a V_IRQ before L2's first instruction: the
 * exit VINTR, which this then is (true), or the delivery (APM2 15.13.4, 15.21.4).
 */
static bool take_virq(struct vcpu *v, u32 *ctl)
{
	struct svm_nested *n = svm_nested_of(v);
	struct event e = event_intr((u8)vmcb_get_int_vector(n->vmcb12));

	if (vmcb_get_intercept_vec3(n->vmcb12) & VEC3_VINTR) {
		vmcb_set_int_ctl(n->vmcb02, *ctl);
		svm_nested_sync(v);
		v->exit = (struct vm_exit){ .reason = EXIT_INTR_WINDOW, .code = SVM_EXIT_VINTR };
		return true;
	}
	*ctl &= ~INT_CTL_V_IRQ;
	svm_inject(v, &e);
	return false;
}

bool svm_inject_prepare(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct vmcb *c = a->vmcb;
	u32 ctl = vmcb_get_int_ctl(c) & ~SVM_VIRQ_BITS;
	bool pending;

	if (unlikely(v->in_l2))
		svm_nested_prepare(v);
	a->windows = unlikely(v->nested) ? svm_nested_windows(v, a->wanted) : a->wanted;
	if (unlikely(v->in_l2) && svm_nested_vnmi_waits(v) && !svm_nested_take_vnmi(v))
		a->windows |= WINDOW_NMI;
	pending = c->eventinj & EVENTINJ_VALID;
	a->cr8_watch = v->in_l2 && svm_nested_watches_cr8(v);
	if (a->windows & WINDOW_NMI && a->iret_wait && !pending)
		step_begin(v, a, STEP_IRET);
	else if (want_step_shadow(v, a) && !pending)
		step_begin(v, a, STEP_SHADOW);
	/* A step cannot: the injected event would push our TF. */
	a->kick = a->kick_entry || (pending && a->windows & WINDOW_NMI && !a->nmi_blocked);
	a->kick_entry = false;
	/*
	 * APM2 15.21.4: a pending virtual interrupt that wins over any TPR, and
	 * its intercept, make an exit as soon as the guest could take it.
	 */
	a->virq_window = a->windows & WINDOW_INTR && a->step != STEP_SHADOW;
	a->virq_held = v->in_l2 && (a->step == STEP_SHADOW || svm_nested_vgif_closed(v) ||
				    (a->cr8_watch && svm_nested_virq_waits(v)));
	if (a->virq_window) {
		ctl |= SVM_VIRQ_BITS;
	} else if (v->in_l2 && !a->virq_held) {
		ctl |= vmcb_get_int_ctl(svm_nested_of(v)->vmcb12) & SVM_VIRQ_BITS;
		if (unlikely(loses_virq(v)) && !pending && !a->step && take_virq(v, &ctl))
			return true;
	}
	vmcb_set_int_ctl(c, ctl);
	svm_apply_intercepts(a);
	if (svm.caps.vgif && unlikely(v->nested) && !v->in_l2)
		svm_nested_gif_intercepts(v);
	a->attention = a->windows || a->nmi_blocked || a->step || a->soft_len ||
		       a->injected || a->cr8_watch;
	return false;
}

/* The step's #DB: gives TF back, reports the window that was waited for. */
static bool step_done(struct vcpu *v, struct svm_vcpu *a)
{
	struct vm_exit *x = &v->exit;
	struct vmcb *c = a->vmcb;
	bool shadow = c->int_state & INT_STATE_SHADOW;

	if (a->step == STEP_IRET)
		svm_set_nmi_blocked(a, false);
	a->step = STEP_NONE;
	/* A guest that steps itself gets its own trap, before anything else, or its hypervisor. */
	if (a->step_tf) {
		if (a->exc_want & BIT(VEC_DB))
			return false;
		svm_inject(v, &(struct event){ .type = EVENT_EXCEPTION, .vector = VEC_DB,
					       .payload = DR6_BS });
		return true;
	}
	vmcb_set_dr6(c, vmcb_get_dr6(c) & ~DR6_BS);
	svm_set_dbgctl(c, a->step_dbgctl);
	if (a->windows & WINDOW_NMI && !a->nmi_blocked && !shadow)
		x->reason = EXIT_NMI_WINDOW;
	else if (a->windows & WINDOW_INTR && v->rflags & RFLAGS_IF && !shadow)
		x->reason = EXIT_INTR_WINDOW;
	else
		return true;
	return false;
}

/* An exit under a step.  True: enter again. */
static bool finish_step(struct vcpu *v, struct svm_vcpu *a)
{
	struct vm_exit *x = &v->exit;
	bool db = x->reason == EXIT_EXCEPTION && x->exc.vector == VEC_DB;
	bool moved = v->rip != a->step_rip;

	svm_step_restore_tf(v, a, moved);
	if (db && (moved || vmcb_get_dr6(a->vmcb) & DR6_BS))
		return step_done(v, a);
	a->step = STEP_NONE;
	/* It has not run, and VMRUN did not take the shadow: it is there still. */
	if (a->step_shadow && svm.quirks.shadow_lost && !moved && x->reason != EXIT_EXCEPTION)
		a->vmcb->int_state |= INT_STATE_SHADOW;
	/* The instruction faulted: what core did not ask for goes to the guest. */
	if (x->reason == EXIT_EXCEPTION && !(a->exc_want & BIT(x->exc.vector))) {
		x->exc.insn_len = x->exc.insn_len ? x->exc.insn_len : 1;
		svm_inject(v, &x->exc);
		return true;
	}
	return false;
}

void svm_inject_soft_back(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct event *idt = &v->exit.idt;

	if (idt->type == EVENT_SOFT_INT || idt->type == EVENT_SOFT_EXC) {
		idt->insn_len = a->soft_len;
		if (a->soft_moved_rip)
			v->rip -= a->soft_len;
	}
	a->soft_len = 0;
}

bool svm_inject_finish(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct vm_exit *x = &v->exit;

	if (a->step)
		return finish_step(v, a);
	if (a->iret_wait && v->rip != a->iret_rip)
		svm_set_nmi_blocked(a, false);
	if (x->reason != EXIT_IRET || !a->nmi_blocked || a->vec3_want & VEC3_IRET)
		return false;
	/* The IRET has not run yet: NMIs stay blocked until it has. */
	a->iret_wait = true;
	a->iret_rip = v->rip;
	return true;
}
