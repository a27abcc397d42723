/* SPDX-License-Identifier: MIT */
/*
 * The vendor's half of a vCPU, and what the files of this folder share.
 * Tests use vmx_read and vmx_write to build states that core would not.
 */
#ifndef VMX_OPS_H
#define VMX_OPS_H

#include "core/vm/vcpu.h"
#include "core/x86/regs.h"
#include "vmx/caps.h"
#include "vmx/exit.h"
#include "vmx/perm.h"

struct cpu_caps;
struct percpu;

/* MSRs that are switched with the vCPU, not with each exit. */
#define VMX_LAZY_MSRS	7

/* What must be done before the next entry (todo). */
#define VMX_TODO_FLUSH	0x1u	/* INVEPT: translations changed */
#define VMX_TODO_PDPTES	0x2u	/* CR3 or the paging mode was set from outside */

struct vmx_vcpu {
	u64 host_rsp;		/* what HOST_RSP holds; entry.S changes it */
	u32 launched;		/* of the VMCS: VMRESUME, not VMLAUNCH */
	u32 todo;
	u64 rsp, rflags;	/* what the VMCS holds */
	u64 cr2;		/* guest's while the host runs */
	u64 armed;		/* alarm that the preemption timer has */
	u8 tpr_threshold;	/* what the VMCS has */
	bool timer_on;		/* the control is set in the VMCS */
	u32 rearm_in;		/* entries until it is compared with the TSC */
	bool current;		/* its VMCS is the current one (loaded or borrowed) */
	bool loaded;		/* its MSRs and DR6 are in a CPU */
	u16 vpid;
	u32 proc;		/* PROC_CTLS as in the VMCS */
	u32 exc_want;		/* exceptions that core or a test wants to see */
	u64 vmcs_pa;
	u64 eptp;
	u64 dr6;		/* guest's, when not loaded */
	u64 msr[VMX_LAZY_MSRS];		/* guest's, when not loaded */
	u64 host_msr[VMX_LAZY_MSRS];	/* host's, when loaded */
	struct vmx_msr_bitmap *msr_bitmap;
	struct vmx_io_bitmap *io_bitmap;
	u8 *vapic;		/* virtual-APIC page: the guest's TPR */
};

static inline struct vmx_vcpu *vmx_of(struct vcpu *v)
{
	return v->arch;
}

/* The snapshot of this machine; valid after a probe that returned 0. */
extern struct vmx_caps vmx_caps;
extern struct vmx_ctls vmx_ctls;	/* what vCPUs start with */

/* vmx/probe.c */
int vmx_probe(const struct cpu_caps *caps, char *why, size_t size);
void vmx_describe(char *buf, size_t size);
int vmx_cpu_on(struct percpu *cpu);
void vmx_cpu_off(struct percpu *cpu);

/*
 * Makes v's VMCS current for a moment when it is not loaded; true: give it
 * back with vmx_return.
 */
bool vmx_borrow(struct vmx_vcpu *x);
void vmx_return(struct vmx_vcpu *x, bool borrowed);

/* The vCPU whose VMCS is current on this CPU, or NULL. */
struct vcpu *vmx_loaded_here(void);

/* A field of v's VMCS, loaded or not.  Writes that fail are warned about. */
u64 vmx_read(struct vcpu *v, u32 field);
void vmx_write(struct vcpu *v, u32 field, u64 val);

/* vmx/regs.c */
u64 vmx_get(struct vcpu *v, enum vreg r);
void vmx_set(struct vcpu *v, enum vreg r, u64 val);
void vmx_get_seg(struct vcpu *v, enum vseg s, struct vsegment *out);
void vmx_set_seg(struct vcpu *v, enum vseg s, const struct vsegment *in);
u8 vmx_mode(struct vcpu *v);
void vmx_skip(struct vcpu *v);
void vmx_msrs_load(struct vmx_vcpu *x);
void vmx_msrs_put(struct vmx_vcpu *x);
/* Guest PDPTEs from its memory, when it is in PAE paging (SDM3 27.3.2.4). */
void vmx_load_pdptes(struct vcpu *v);

/*
 * Exceptions that always exit: an #AC or #DB whose delivery raises it again
 * never lets an interrupt in; a machine check is the host's.
 */
#define VMX_EXC_GUARD	((u32)(BIT(VEC_AC) | BIT(VEC_DB) | BIT(VEC_MC)))

/* vmx/inject.c */
/*
 * Behind an exit: true when it was an exception that exited only as a guard.
 * It is on its way into the guest then, and the guest can go on.
 */
bool vmx_guarded(struct vcpu *v);
void vmx_inject(struct vcpu *v, const struct event *e);
void vmx_windows(struct vcpu *v, u32 windows);

/* vmx/intercept.c */
int vmx_intercept(struct vcpu *v, enum icpt what, u32 arg, bool on);
/* Masks of CR0 and CR4 of a new vCPU: bits that the host owns. */
u64 vmx_cr0_mask(void);
u64 vmx_cr4_mask(void);
/* What the bitmaps of a new vCPU let through. */
void vmx_perm_reset(struct vmx_vcpu *x);

/* vmx/ept.c */
const struct pt_format *vmx_npt_format(void);
void vmx_flush(struct vcpu *v);
/* On this CPU: nothing of the EPT pointer or the VPID stays cached. */
void vmx_flush_ept(u64 eptp);
void vmx_flush_vpid(u16 vpid);
void vmx_flush_all(void);

/* vmx/vmcs_hw.c */
void vmx_dump(struct vcpu *v);

/*
 * vmx/entry.S.  Loads gpr[] (without RSP), enters, stores them.  Returns
 * VMX_OK after an exit, else how VMLAUNCH or VMRESUME failed.
 */
u64 vmx_world_switch(u64 *gpr, u64 *host_rsp, u32 launched);
/* Where exits arrive: HOST_RIP. */
extern char vmx_exit_entry[];

#endif
