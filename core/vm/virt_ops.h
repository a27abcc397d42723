/* SPDX-License-Identifier: MIT */
/*
 * What core asks of a vendor.  svm/ops.c and vmx/ops.c each place one record
 * into the linker table virt_ops; core takes the first whose probe answers 0.
 * All members but nested are mandatory.
 */
#ifndef CORE_VM_VIRT_OPS_H
#define CORE_VM_VIRT_OPS_H

#include "core/vm/exit.h"

struct cpu_caps;
struct nested_ops;
struct percpu;
struct pt_format;
struct tsc_format;
struct vcpu;
struct vm;

enum virt_vendor { VIRT_NONE, VIRT_SVM, VIRT_VMX };

/* Registers by number; 0-15 are the ModRM numbers. */
enum vreg {
	VREG_RAX, VREG_RCX, VREG_RDX, VREG_RBX, VREG_RSP, VREG_RBP, VREG_RSI, VREG_RDI,
	VREG_R8, VREG_R9, VREG_R10, VREG_R11, VREG_R12, VREG_R13, VREG_R14, VREG_R15,
	VREG_RIP, VREG_RFLAGS,
	VREG_CR0, VREG_CR2, VREG_CR3, VREG_CR4, VREG_CR8, VREG_EFER, VREG_XCR0,
	VREG_DR0, VREG_DR1, VREG_DR2, VREG_DR3, VREG_DR6, VREG_DR7,
	VREG_STAR, VREG_LSTAR, VREG_CSTAR, VREG_SFMASK, VREG_KERNEL_GS_BASE,
	VREG_SYSENTER_CS, VREG_SYSENTER_ESP, VREG_SYSENTER_EIP,
	VREG_PAT, VREG_TSC_AUX, VREG_PKRS, VREG_DEBUGCTL,
	VREG_TSC_OFFSET,
	VREG_INT_SHADOW,	/* 1: STI or MOV SS shadow blocks interrupts now */
	VREG_NMI_BLOCKED,	/* 1: in an NMI handler (until IRET) */
	VREG_COUNT
};

enum vseg {
	VSEG_ES, VSEG_CS, VSEG_SS, VSEG_DS, VSEG_FS, VSEG_GS, VSEG_LDTR, VSEG_TR,
	VSEG_GDTR, VSEG_IDTR,	/* base and limit only */
	VSEG_COUNT
};

/* attr: bits 7:0 type, S, DPL, P as in descriptor byte 5; bits 11:8 AVL, L, D, G. */
struct vsegment {
	u16 selector;
	u16 attr;
	u32 limit;		/* in bytes, already scaled by G */
	u64 base;
	bool unusable;		/* null or never loaded (VMX bit 16; SVM: P = 0) */
};

#define SEG_P		0x080
#define SEG_DPL(n)	((n) << 5)
#define SEG_S		0x010
#define SEG_L		0x200
#define SEG_D		0x400
#define SEG_G		0x800

/* What a test or a policy can ask to exit or not to exit. */
enum icpt {
	ICPT_HLT, ICPT_INVLPG, ICPT_RDTSC, ICPT_RDTSCP, ICPT_RDPMC, ICPT_PAUSE,
	ICPT_MWAIT, ICPT_MONITOR, ICPT_WBINVD, ICPT_DESC,
	ICPT_CR_READ, ICPT_CR_WRITE,	/* arg: 0, 3, 4, 8 */
	ICPT_DR,			/* arg: 0: any MOV DR */
	ICPT_EXCEPTION,			/* arg: vector */
	ICPT_IO,			/* arg: port; one port */
	ICPT_IO_ALL,
	ICPT_MSR_READ, ICPT_MSR_WRITE,	/* arg: MSR number */
	ICPT_CPUID, ICPT_XSETBV, ICPT_TASK_SWITCH, ICPT_SHUTDOWN, ICPT_HYPERCALL,
};

/* Room for all features and quirks that a CPU can have. */
#define VIRT_DESCRIPTION_MAX	512

struct virt_ops {
	const char *name;		/* "svm", "vmx" */
	u8 vendor;			/* enum virt_vendor */

	/*
	 * Can this machine be used?  0, or -ENODEV with the reason, one line
	 * for people, in why.  Runs on the boot CPU, changes nothing that
	 * firmware did not leave open (VMX may set and lock FEATURE_CONTROL).
	 */
	int (*probe)(const struct cpu_caps *caps, char *why, size_t size);
	/* Feature names for the inventory: "npt nrips ...". */
	void (*describe)(char *buf, size_t size);
	int (*cpu_on)(struct percpu *cpu);	/* runs on that CPU */
	void (*cpu_off)(struct percpu *cpu);

	int (*vcpu_init)(struct vcpu *v);	/* reset state of APM2 14.1.3, SDM3 10.1.1 */
	void (*vcpu_fini)(struct vcpu *v);
	/* State that is switched with the vCPU, not with each exit. */
	void (*load)(struct vcpu *v);
	void (*put)(struct vcpu *v);

	/*
	 * Enters the guest once; fills v->exit.  Entry failures are exits.
	 * Called and returns with host interrupts off; a host interrupt is an
	 * exit (EXIT_INTR) and still pending behind it.  A host NMI has been
	 * handled when EXIT_NMI comes back.
	 */
	void (*enter)(struct vcpu *v);
	/* With v->early and an event to inject, enter calls sched_wait as its last act. */
	bool enter_waits;
	/*
	 * Does enter leave the guest (EXIT_PREEMPT_TIMER) soon after v->alarm?
	 * Otherwise the host's timer must interrupt it.
	 */
	bool (*own_timer)(void);
	/*
	 * May the boot CPU run guests only while no other CPU does?  True on one
	 * emulator; NULL: false.
	 */
	bool (*boot_cpu_alone)(void);
	/*
	 * Can only the boot CPU be made to leave whatever guest it runs?  True on one
	 * emulator; NULL: false.
	 */
	bool (*boot_cpu_only)(void);
	/* Does the CPU miss changes of code by others: core/vm/stale_code.h?  NULL: no. */
	bool (*stale_code)(void);
	/* The ratio that vm->tsc can have; NULL: this CPU does not scale guests' TSCs. */
	const struct tsc_format *(*tsc_format)(void);
	/* Width of the code segment: enum insn_mode (core/vm/insn.h). */
	u8 (*mode)(struct vcpu *v);
	/* An instruction was stepped over: the interrupt shadow ends. */
	void (*skip)(struct vcpu *v);

	u64 (*get)(struct vcpu *v, enum vreg r);
	void (*set)(struct vcpu *v, enum vreg r, u64 val);
	void (*get_seg)(struct vcpu *v, enum vseg s, struct vsegment *out);
	void (*set_seg)(struct vcpu *v, enum vseg s, const struct vsegment *in);

	/* e is delivered at the next entry. */
	void (*inject)(struct vcpu *v, const struct event *e);
	/* Exit as soon as the guest can take these (WINDOW_ bits; 0: none). */
	void (*windows)(struct vcpu *v, u32 windows);
	/* 0, or -EOPNOTSUPP if this CPU cannot. */
	int (*intercept)(struct vcpu *v, enum icpt what, u32 arg, bool on);
	/* Guest-physical translations changed: v must not use old ones. */
	void (*flush)(struct vcpu *v);
	/* Format of second-level tables for core/mm/pt. */
	const struct pt_format *(*npt_format)(void);
	/* Full dump of the control structure to the log. */
	void (*dump)(struct vcpu *v);
	/* NULL: this vendor cannot give a guest its extension. */
	const struct nested_ops *nested;
};

#define VIRT_OPS(ops) \
	static const struct virt_ops *const ops##_entry SECTION_ENTRY(virt_ops) = &(ops)

/* The chosen vendor, NULL when there is none; set once by virt_init. */
extern const struct virt_ops *virt;
/* Why virt is NULL, for people. */
extern char virt_why[160];

static inline bool virt_boot_cpu_alone(void)
{
	return virt->boot_cpu_alone && virt->boot_cpu_alone();
}

static inline bool virt_boot_cpu_only(void)
{
	return virt->boot_cpu_only && virt->boot_cpu_only();
}

static inline bool virt_stale_code(void)
{
	return virt->stale_code && virt->stale_code();
}

/* Probes the vendors, enables the first good one on this CPU. */
void virt_init(const struct cpu_caps *caps);

const char *vreg_name(unsigned int r);
const char *vseg_name(unsigned int s);

#endif
