/* SPDX-License-Identifier: MIT */
/*
 * The vendor's half of a vCPU and of a CPU, and what the files of this folder
 * share.  Pure: the functions declared here are not.
 */
#ifndef SVM_OPS_H
#define SVM_OPS_H

#include "core/vm/vcpu.h"
#include "core/x86/regs.h"
#include "svm/caps.h"
#include "svm/vmcb.h"

/* What a CPU does otherwise than the manual says; found by svm/quirks.c. */
struct svm_quirks {
	bool shadow_lost;	/* VMRUN ignores int_state: the shadow must be stepped over */
	bool virq_if1_lost;	/* V_IRQ with IF = 1 at VMRUN does not fire */
	bool intr_if0_lost;	/* a physical interrupt does not end a guest with IF = 0 */
	bool soft_nrip_lost;	/* EVENTINJ of INT n pushes RIP, not nRIP */
	bool cr2_lost;		/* VMRUN does not load CR2 */
	bool db_dr6_lost;	/* an intercepted #DB has not written DR6 */
	bool int_idt_stale;	/* EXITINTINFO of INT n is that of an older exception */
	bool virq_prio_wrong;	/* V_IRQ is taken with a priority equal to the TPR */
	bool int3_is_swint;	/* INT3 meets the intercept of INT n, not that of #BP */
	bool lmsw_not_sel;	/* LMSW does not meet the selective CR0 intercept */
	bool rdtscp_is_rdtsc;	/* RDTSCP meets the intercept of RDTSC, and none of its own */
	bool pdpte_accessed;	/* sets the accessed bit of PDPTEs, which is reserved */
	bool cr0_lost;		/* #VMEXIT behind LME without PG and PAE does not load CR0 */
	bool cr8_virq_fatal;	/* MOV to CR8 with V_IRQ pending stops the emulator */
	bool dr7_stays;		/* breakpoints stay armed when #VMEXIT has cleared DR7 */
	bool lbr_lost;		/* LBR virtualization records nothing */
	bool virq_races;	/* VMRUN with V_IRQ may lose an interrupt that comes meanwhile */
	bool boot_cpu_races;	/* FXRSTOR of any CPU may undo VMRUN or #VMEXIT of the boot CPU */
	bool code_stale;	/* code that another CPU changes may stay as it was fetched */
};

/* Written once, before the second CPU is enabled. */
struct svm_state {
	struct svm_caps caps;
	struct svm_quirks quirks;
	u32 decode;		/* SVM_DECODE_ bits of exit.h */
	bool tsc_aux;		/* the CPU has RDTSCP and its MSR */
	bool pks;		/* and IA32_PKRS, which the VMCB has not */
	bool lbr;		/* LBR virtualization, and it records */
	u32 clean_all;		/* the clean field of an unchanged VMCB; 0 without clean bits */
};
extern struct svm_state svm;

/*
 * Bits of DEBUGCTL that a guest can have.  Not BTF: RFLAGS.TF, which L0 borrows for steps
 * of its own, would wait for a branch.
 */
static inline u64 svm_dbgctl_given(void)
{
	return svm.lbr ? DEBUGCTL_LBR : 0;
}

/* APM2 15.23: the CPU switches the registers with c as long as they record. */
static inline void svm_set_dbgctl(struct vmcb *c, u64 val)
{
	vmcb_set_dbgctl(c, val);
	vmcb_set_virt_ext(c, (vmcb_get_virt_ext(c) & ~VIRT_EXT_LBR) |
			     (val & DEBUGCTL_LBR ? VIRT_EXT_LBR : 0));
}

/* One per CPU, page aligned; percpu.host_vmcb is its address. */
struct svm_cpu {
	struct vmcb host;	/* VMLOAD/VMSAVE state of the host */
	u8 hsave[PAGE_SIZE];	/* VM_HSAVE_PA; format is the CPU's secret */
	u64 asid_gen;		/* ASIDs of older generations are void */
	u32 asid_next;
};

enum svm_step {
	STEP_NONE,
	STEP_SHADOW,		/* over the instruction in an interrupt shadow */
	STEP_IRET,		/* over the IRET that ends NMI blocking */
};

/* What an instruction does with RFLAGS, when it runs under a borrowed TF. */
enum svm_step_insn { STEP_INSN_PLAIN, STEP_INSN_LOADS, STEP_INSN_PUSHES, STEP_INSN_SYSCALL };

struct svm_vcpu {
	struct vmcb *vmcb;
	u64 vmcb_pa;
	struct svm_cpu *cpu;	/* whose ASID it has */
	u64 asid_gen;
	u8 *msrpm, *iopm;
	u16 msrpm_open[8];	/* words of msrpm that are not all ones */
	u32 msrpm_open_n;
	u64 tsc_aux;
	u64 pkrs;
	u64 efer_svme;		/* EFER.SVME as the guest sees it */
	u32 exc_want;		/* exceptions that core or a test wants */
	u32 exc_guard;		/* those that could keep the CPU busy for ever */
	u32 vec3_want;		/* VINTR and IRET that a test wants */
	u16 cr_write_want;
	bool attention;		/* svm_inject_prepare has something to do */
	bool nmi_blocked;
	bool iret_wait;		/* an IRET was let go at iret_rip */
	bool step_tf;		/* guest's own TF */
	bool step_shadow;	/* the step began in an interrupt shadow */
	u8 step;		/* enum svm_step */
	u8 step_insn;		/* enum svm_step_insn */
	bool injected;		/* an event was injected at this entry */
	bool kick;		/* an NMI waits until that is delivered: exit behind it */
	bool kick_entry;	/* L1 waits: exit behind the entry and what it delivers */
	bool virq_window;	/* V_IRQ and its intercept are there for a window */
	bool virq_ran;		/* V_IRQ was set when the guest ran last */
	bool virq_held;		/* V_IRQ of L2 waits for the end of its shadow, or for its TPR */
	bool cr8_watch;		/* L2's TPR decides about that, and must not change unseen */
	u8 soft_len;		/* bytes that RIP or nRIP was moved for EVENTINJ */
	bool soft_moved_rip;
	u32 wanted;		/* WINDOW_ bits that core asked for */
	u32 windows;		/* of these, what can open now */
	struct vmcb *vmcb01;	/* the guest's own; vmcb may be that of its guest */
	u64 iret_rip;
	u64 step_rip;
	u64 step_dbgctl;
};

/* svm/probe.c */
int svm_probe(const struct cpu_caps *caps, char *why, size_t size);
void svm_describe(char *buf, size_t size);
int svm_cpu_on(struct percpu *cpu);
void svm_cpu_off(struct percpu *cpu);

/* svm/regs.c: guest registers by the numbers of core/vm/virt_ops.h. */
void svm_regs_reset(struct vcpu *v);	/* APM2 14.1.3, table 14-1 */
void svm_regs_load(const struct vcpu *v);	/* MSRs that are switched with the vCPU */
void svm_regs_put(const struct vcpu *v);
/* TSC_RATIO of what runs now to the CPU, if v is loaded. */
void svm_regs_tsc_ratio(const struct vcpu *v);
u64 svm_get(struct vcpu *v, enum vreg r);
void svm_set(struct vcpu *v, enum vreg r, u64 val);
void svm_get_seg(struct vcpu *v, enum vseg s, struct vsegment *out);
void svm_set_seg(struct vcpu *v, enum vseg s, const struct vsegment *in);

/* svm/intercept.c */
int svm_intercept(struct vcpu *v, enum icpt what, u32 arg, bool on);

#endif
