/* SPDX-License-Identifier: MIT */
/*
 * Events for a guest: EVENTINJ, interrupt and NMI windows, and the single
 * step that gets a guest past a shadowed instruction or an IRET.  Pure: works
 * on the structures; step.c reads instructions.  Only on SVM a header of its own:
 * VMX declares its part in ops.h.
 */
#ifndef SVM_INJECT_H
#define SVM_INJECT_H

#include "core/vm/event.h"
#include "svm/ops.h"

/* int_ctl: a virtual interrupt, and what decides whether it is taken. */
#define SVM_VIRQ_BITS	(INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(15) | INT_CTL_V_IGN_TPR)

/* EVENTINJ for e (APM2 15.20). */
u64 svm_event_encode(const struct event *e);

/* e goes into EVENTINJ, with all that belongs to it (CR2, DR6, nRIP). */
void svm_inject(struct vcpu *v, const struct event *e);

/* Exits wanted as soon as the guest can take WINDOW_ events. */
void svm_windows(struct vcpu *v, u32 windows);

/*
 * Before VMRUN, when attention is set.  True: v->exit is what VMRUN would end
 * with at once, on a CPU that does not see to it.
 */
bool svm_inject_prepare(struct vcpu *v);

/*
 * Behind #VMEXIT of an exception: one that was intercepted only as a guard is
 * injected as it is, and true says: enter again.  In a step it is the step's,
 * and while another event was being delivered it is core's.
 */
bool svm_inject_guarded(struct vcpu *v);

/*
 * Behind #VMEXIT, when soft_len is set: the injected INT n was delivered, or
 * EXITINTINFO has it; then RIP goes back to where it was.
 */
void svm_inject_soft_back(struct vcpu *v);

/*
 * Behind #VMEXIT, when attention is set: undoes a step, turns its #DB and the
 * IRET intercept into window exits.  True when the exit was only ours and
 * the guest must be entered again.
 */
bool svm_inject_finish(struct vcpu *v);

/* The software that tracks NMI blocking (there is no hardware state to read). */
void svm_set_nmi_blocked(struct svm_vcpu *a, bool blocked);

/* Puts what core wants and what windows and steps need into the VMCB. */
void svm_apply_intercepts(struct svm_vcpu *a);

/* step.c: what the instruction at RIP does with RFLAGS. */
enum svm_step_insn svm_step_classify(struct vcpu *v);
/* step.c: takes the borrowed TF out of RFLAGS and out of where it was copied to. */
void svm_step_restore_tf(struct vcpu *v, struct svm_vcpu *a, bool executed);

#endif
