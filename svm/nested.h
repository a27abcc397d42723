/* SPDX-License-Identifier: MIT */
/*
 * SVM for a guest that is a hypervisor: state and the parts' interfaces.  Only on
 * SVM so far, as the files that implement it: VMX is not given to guests yet.
 *
 * vmcb01 runs L1, vmcb12 is the page that L1 gave to VMRUN, vmcb02 runs L2.
 * svm_vcpu.vmcb is the one of the two that runs now.  What of a vCPU there is
 * once, NMI blocking, floating point, DR0-3, is not switched between them.
 * Pure.
 */
#ifndef SVM_NESTED_H
#define SVM_NESTED_H

#include "core/mm/shadow.h"
#include "core/vm/nested.h"
#include "core/x86/caps.h"
#include "svm/nested_check.h"
#include "svm/ops.h"

/* VM_CR (APM2 15.30.1). */
#define VM_CR_VALID	BITS(4, 0)

/* MSR C000_0104 (APM2 15.30.5): 8.32 bits of fixed point. */
#define TSC_RATIO_VALID	BITS(39, 0)
#define TSC_RATIO_FRAC	32

/* ASIDs that L1 may use: 0 is its own. */
#define NESTED_ASIDS	64

/* What the processor's TLB knows by an ASID of ours. */
struct svm_asid {
	struct svm_cpu *cpu;
	u64 gen;
	u32 asid;
};

/* The translations of one ASID of L1, with one nested root. */
#define NESTED_SPACES	8
struct svm_space {
	u32 asid12;
	u64 root12;		/* nCR3; ~0 without nested paging */
	struct svm_asid hw;
	u64 gen;		/* of the shadow at its last entry */
	u64 used;		/* n->clock when it last ran */
};

/* L1's members of struct svm_vcpu while L2's are there. */
struct svm_l1_saved {
	struct svm_asid hw;
	u32 exc_want, vec3_want;
	u16 cr_write_want;
	u64 efer_svme;
	bool nmi_blocked;	/* only with virtual NMIs */
};

#define SVM_NOT_KEPT	(~0ULL)

struct svm_nested {
	struct vmcb *vmcb01, *vmcb02;
	/*
	 * vmcb12 as VMRUN copied it; the members that the CPU changes while L2
	 * runs are kept up to date (semantics of KVM's nested state).
	 */
	struct vmcb *vmcb12;
	u64 vmcb12_pa;
	/*
	 * The vmcb12 whose controls and registers are those in vmcb12 and vmcb02: from
	 * VMRUN on, and behind an #VMEXIT.  SVM_NOT_KEPT for none.
	 */
	u64 kept_pa;
	u64 kept_cr0, kept_cr4;		/* L1's, when they were checked */
	struct vmcb *incoming;	/* both areas of a state that is being restored */
	bool memory_stale;	/* L1's memory may come later: its map and tables are unread */
	u8 *msrpm02;
	u64 hsave_pa, vm_cr, tsc_ratio;
	bool gif;		/* see svm_nested_gif */
	bool virq_taken;	/* in the run of L2 that just ended; only with int_idt_stale */
	bool run_pending;	/* VMRUN was accepted, L2 has not run yet */
	u16 pause_left;		/* PAUSEs before L1 wants to see one, on a CPU that cannot count */
	struct cpuid_regs leaf;	/* CPUID 8000_000A */
	u64 nrip;		/* for the next #VMEXIT; 0: none */
	struct svm_l1_saved l1;
	struct svm_space space[NESTED_SPACES];
	struct svm_space *now;	/* that of L2, while it runs */
	struct shadow_cache *shadows;
	u64 npt_root;		/* L0's tables when they were filled */
	struct shadow *shadow;	/* that of L2, while it runs with nested paging */
	u64 clock;
	const struct nested_rule *failed;	/* the last VMRUN that was refused */
	struct nested_check_env env;
};

static inline struct svm_nested *svm_nested_of(const struct vcpu *v)
{
	return v->nested;
}

/*
 * The global interrupt flag (APM2 15.17).  While L1 runs on a CPU with virtual
 * GIF it is that of vmcb01, which STGI and CLGI change without an exit (APM2
 * 15.33.2); L2's are not let through.
 */
static inline bool svm_nested_gif(const struct vcpu *v)
{
	const struct svm_nested *n = svm_nested_of(v);

	return svm.caps.vgif && !v->in_l2 ? vmcb_get_int_ctl(n->vmcb01) & INT_CTL_V_GIF : n->gif;
}

/* L1 injects an event into L2 that the CPU has not been given yet. */
static inline bool svm_nested_event_waits(const struct vcpu *v)
{
	return v->in_l2 && svm_nested_of(v)->vmcb12->eventinj & EVENTINJ_VALID;
}

/*
 * L2 has a global interrupt flag of its own, which L1 gave it (APM2 15.33.2), and it
 * is clear: virtual interrupts wait.  The CPU is not told: V_IRQ, which L0 borrows for
 * its windows, would wait too.
 */
static inline bool svm_nested_vgif_closed(const struct vcpu *v)
{
	const u32 both = INT_CTL_V_GIF_ENABLE | INT_CTL_V_GIF;

	return (vmcb_get_int_ctl(svm_nested_of(v)->vmcb12) & both) == INT_CTL_V_GIF_ENABLE;
}

/* L2 runs with virtual NMIs (APM2 15.21.10). */
static inline bool svm_nested_vnmi(const struct vcpu *v)
{
	return v->in_l2 && vmcb_get_int_ctl(svm_nested_of(v)->vmcb12) & INT_CTL_V_NMI_ENABLE;
}

/* L2 runs, with a virtual NMI that nothing but NMI blocking or a shadow holds back. */
static inline bool svm_nested_vnmi_waits(const struct vcpu *v)
{
	const u32 both = INT_CTL_V_NMI_ENABLE | INT_CTL_V_NMI;

	return (vmcb_get_int_ctl(svm_nested_of(v)->vmcb12) & both) == both &&
	       !svm_nested_vgif_closed(v);
}

/*
 * An NMI for L2 is one that L1 injects, which blocks no others (APM2 15.20) but
 * virtual ones.
 */
static inline bool svm_nested_nmi_is_l1s(const struct vcpu *v)
{
	return v->in_l2 && vmcb_get_intercept_vec3(svm_nested_of(v)->vmcb12) & VEC3_NMI &&
	       !svm_nested_vnmi(v);
}

extern const struct nested_ops svm_nested_ops;

/* svm/nested_enter.c */
/*
 * VMRUN behind its permission checks (APM2 15.5.1): RIP is the next one.  pa:
 * page aligned.  False: it is no memory, L1 gets #GP and RIP is as before.
 */
bool svm_nested_vmrun(struct vcpu *v, u64 pa);
/* vmcb02 from vmcb01 and the copy of vmcb12, and on to L2. */
void svm_nested_enter(struct vcpu *v);
/* L2's half of the vCPU's members, as VMRUN and a restored state have it. */
void svm_nested_to_l2(struct vcpu *v);
/*
 * Before L2 is entered: the event that L1 injects.  Not sooner, so that what is
 * saved between VMRUN and the entry is what VMRUN found.  And what a restored
 * state has left.
 */
void svm_nested_prepare(struct vcpu *v);
/*
 * L2's TSC in vmcb02 and in the CPU (APM2 15.30.5), while L2 runs.  One that has another
 * rate than L1's and that the CPU does not scale is read by L0.
 */
void svm_nested_set_tsc(struct vcpu *v);
/* Of the CPU that L1 sees: what stays so, and all as L1's registers are now. */
void svm_nested_init_env(struct svm_nested *n);
const struct nested_check_env *svm_nested_check_env(struct svm_nested *n);
/* The vCPU comes to this CPU: its tables may be others. */
void svm_nested_load(struct vcpu *v);
/* No translation of before may be used, on either level. */
void svm_nested_flush_all(struct svm_nested *n);
/* The same for one ASID of L1. */
void svm_nested_flush_asid(struct vcpu *v, u32 asid12);
/* A page that L1 may give to SVM: writable memory, or NULL. */
struct vmcb *svm_nested_page(struct vcpu *v, u64 pa);
/* VMLOAD and VMSAVE (APM2 15.5.2). */
void svm_nested_copy_vmload(struct vmcb *to, const struct vmcb *from);

/* svm/nested_lbr.c: all but the MSRs only where svm.lbr */
/* At VMRUN: L2's registers from the page, if L1 gives it some of its own, to the copy. */
void svm_nested_lbr_read(struct svm_nested *n, const struct vmcb *page);
/* To vmcb02, these or L1's, which then are L2's, too. */
void svm_nested_lbr_enter(struct svm_nested *n);
/* Back: L1 has what L2 left in those that were both's. */
void svm_nested_lbr_leave(struct svm_nested *n);
/* At #VMEXIT: those of L2's own to the page. */
void svm_nested_lbr_store(const struct svm_nested *n, struct vmcb *page);
/* L1's, from the save area of a state. */
void svm_nested_lbr_restore(struct vmcb *c, const struct vmcb *s);
/*
 * DEBUGCTL and the four records (MSRs 1D9h, 1DBh to 1DEh) of what c runs; without svm.lbr
 * they are 0 and stay so.  False: #GP.
 */
u64 svm_nested_lbr_rdmsr(const struct vmcb *c, u32 msr);
bool svm_nested_lbr_wrmsr(struct vmcb *c, u32 msr, u64 val);

/* svm/nested_npt.c */
int svm_nested_npt_init(struct vcpu *v);
void svm_nested_npt_fini(struct vcpu *v);
/* At VMRUN: which tables L2 runs on. */
void svm_nested_npt_enter(struct vcpu *v);
/* A nested page fault of L2.  False: it is L0's, with exit.npf.gpa one of L1's. */
bool svm_nested_npt_fault(struct vcpu *v);
int svm_nested_translate(struct vcpu *v, u64 gpa, u32 access, u64 *l1, struct event *fault);
void svm_nested_page_fault(struct vcpu *v, const struct event *fault);

/* svm/nested_state.c: see core/vm/nested.h */
int svm_nested_state_get(struct vcpu *v, void *buf, u64 len);
int svm_nested_state_set(struct vcpu *v, const void *buf, u64 len, bool own, const char **row);
int svm_nested_state_check(const struct vcpu *v, const struct nested_regs *r, const void *buf,
			   u64 len, const char **row);

/* svm/nested_exit.c */
/* #VMEXIT of L2 to L1 (APM2 15.6).  What was being delivered is in v->events. */
void svm_nested_exit(struct vcpu *v, u64 code, u64 info1, u64 info2);
/* VMEXIT_INVALID: L2 was not entered. */
void svm_nested_exit_invalid(struct vcpu *v, struct vmcb *page);
/* vmcb01 again, with nothing told to L1. */
void svm_nested_leave(struct vcpu *v);
/* The level changes: windows are asked for anew, none of L1's is one of L2's. */
void svm_nested_forget_windows(struct vcpu *v);
bool svm_nested_reflect(struct vcpu *v);
bool svm_nested_exception(struct vcpu *v, const struct event *e);
enum nested_events svm_nested_events(struct vcpu *v);
/* Before an exit that L1 shall have: true: not now, the next entry ends by itself. */
bool svm_nested_busy(struct vcpu *v);
void svm_nested_gate(struct vcpu *v, struct event_gate *gate);
/* Does L1 want this #VMEXIT?  Not for MSR, IOIO and NPF, which have maps. */
bool svm_nested_wants(const struct vmcb *c12, u64 code);
/* Has the vCPU an INIT or SMI, which waits for GIF or for L2 to be left? */
static inline bool svm_nested_signal_waits(const struct vcpu *v)
{
	return v->init_waits | v->smi_waits;
}

/* Of the wanted windows those that can open while what runs now runs. */
u32 svm_nested_windows(const struct vcpu *v, u32 wanted);
/*
 * CPUs that get V_IRQ against V_TPR wrong, or stop at MOV to CR8 while it is
 * pending (struct svm_quirks): CR8 is watched, and then L2's V_IRQ held back here.
 */
bool svm_nested_watches_cr8(const struct vcpu *v);
bool svm_nested_virq_waits(const struct vcpu *v);
/* Behind each #VMEXIT of L2: what the CPU changed in the controls. */
static inline void svm_nested_sync(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;
	struct svm_nested *n = svm_nested_of(v);
	struct vmcb *c12 = n->vmcb12;
	const struct vmcb *c02 = n->vmcb02;
	/* A borrowed V_IRQ says nothing about L1's. */
	u32 virq = (a->virq_window | a->virq_held) ? 0 : INT_CTL_V_IRQ;

	n->run_pending = false;
	c12->eventinj = 0;
	c12->int_state = c02->int_state;
	vmcb_set_int_ctl(c12, (vmcb_get_int_ctl(c12) & ~(INT_CTL_V_TPR | virq)) |
			      (vmcb_get_int_ctl(c02) & (0xf | virq)));
}

/* Behind #VMEXIT of L2, before svm_nested_sync: has it taken the V_IRQ that L1 gave it? */
static inline bool svm_nested_took_virq(const struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;
	const struct svm_nested *n = svm_nested_of(v);

	return !a->virq_window && !a->virq_held &&
	       vmcb_get_int_ctl(n->vmcb12) & ~vmcb_get_int_ctl(n->vmcb02) & INT_CTL_V_IRQ;
}

/* An interrupt that nobody injected was being delivered: L2 has taken V_IRQ. */
void svm_nested_virq_taken(struct vcpu *v);
/* What L0 has changed since, working for L2: the end of a shadow, CR8. */
void svm_nested_sync_emulated(struct vcpu *v);

/* L2 has a V_IRQ that only an interrupt shadow can hold back. */
bool svm_nested_wakes(struct vcpu *v);
bool svm_nested_shutdown(struct vcpu *v);

/* svm/nested_soft.c */
/* CPUID 8000_000A for L1 (APM3 E.4.9). */
void svm_nested_offer(struct cpuid_regs *leaf);
/* STGI or CLGI of L2: false: it has no flag of its own. */
bool svm_nested_set_vgif(struct vcpu *v, bool gif);
/* L2 with virtual NMIs comes and goes: its NMI blocking, and L1's. */
void svm_nested_vnmi_enter(struct vcpu *v);
void svm_nested_vnmi_leave(struct vcpu *v);
/* Injects what svm_nested_vnmi_waits tells of.  False: not yet. */
bool svm_nested_take_vnmi(struct vcpu *v);
/* L2 halts: has it something virtual to take? */
bool svm_nested_ends_hlt(struct vcpu *v);
/* TSC_RATIO of L1 (APM2 15.30.5), which L2's TSC follows.  False: reserved bits. */
bool svm_nested_set_tsc_ratio(struct vcpu *v, u64 ratio);
/* A PAUSE that L1 intercepts: true: its filter lets this one pass. */
bool svm_nested_pause_filtered(struct vcpu *v);
/* EXITINFO1 of an exit of CR, DR, INT n or INVLPG with decode assists (APM2 15.8). */
u64 svm_nested_operands(const struct vm_exit *x);
/*
 * Before #VMEXIT of a page fault or nested page fault with that error code: the bytes of
 * the instruction, to page (APM2 15.8.4).
 */
void svm_nested_insn_bytes(struct vcpu *v, struct vmcb *page, u64 info1);

/* svm/nested_insn.c */
/*
 * APM2 15.33.1: in long mode the CPU does VMLOAD and VMSAVE of L1 itself, through
 * L0's tables; only where svm.caps.vmsave_virt.  false: they exit, as in other modes.
 */
void svm_nested_own_vmload(struct vcpu *v, bool own);
enum verdict svm_nested_insn(struct vcpu *v);
/*
 * The CPU has SVM on and so looks at the CPL first; the guest's CPU, which has
 * it off or lacks the instruction, raises #UD: then *e becomes that.
 */
void svm_nested_fix_gp(struct vcpu *v, struct event *e);
bool svm_nested_rdmsr(struct vcpu *v, u32 msr, u64 *val);
bool svm_nested_wrmsr(struct vcpu *v, u32 msr, u64 val);
void svm_nested_set_gif(struct vcpu *v, bool gif);
/* While L1 runs, with virtual GIF: whether its STGI and CLGI exit. */
void svm_nested_gif_intercepts(struct vcpu *v);

#endif
