// SPDX-License-Identifier: MIT
/* The guest's registers outside struct vcpu, by number. */
#include "vmx/ops.h"

#include "core/lib/string.h"
#include "core/vm/insn.h"
#include "core/vm/run.h"
#include "core/x86/caps.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "vmx/insn.h"

/* Where a register is. */
enum place {
	IN_VCPU,		/* struct vcpu: the general ones, RIP, RFLAGS */
	IN_CR2, IN_CR8, IN_XCR0, IN_DR, IN_DR6, IN_MSR,
	/* From here on in the VMCS, */
	IN_FIELD,		/* as it is */
	IN_CR0, IN_CR4,		/* behind a mask and a shadow */
	IN_SHADOW_BITS, IN_NMI_BIT,	/* of the interruptibility state */
};

static const struct {
	u8 place;
	u16 field;
} regs[VREG_COUNT] = {
	/* RAX to RFLAGS: IN_VCPU is 0. */
	[VREG_CR0] = { IN_CR0, 0 },
	[VREG_CR2] = { IN_CR2, 0 },
	[VREG_CR3] = { IN_FIELD, VMCS_GUEST_CR3 },
	[VREG_CR4] = { IN_CR4, 0 },
	[VREG_CR8] = { IN_CR8, 0 },
	[VREG_EFER] = { IN_FIELD, VMCS_GUEST_EFER },
	[VREG_XCR0] = { IN_XCR0, 0 },
	[VREG_DR0] = { IN_DR, 0 }, [VREG_DR1] = { IN_DR, 0 },
	[VREG_DR2] = { IN_DR, 0 }, [VREG_DR3] = { IN_DR, 0 },
	[VREG_DR6] = { IN_DR6, 0 },
	[VREG_DR7] = { IN_FIELD, VMCS_GUEST_DR7 },
	[VREG_STAR] = { IN_MSR, 0 }, [VREG_LSTAR] = { IN_MSR, 0 },
	[VREG_CSTAR] = { IN_MSR, 0 }, [VREG_SFMASK] = { IN_MSR, 0 },
	[VREG_KERNEL_GS_BASE] = { IN_MSR, 0 }, [VREG_TSC_AUX] = { IN_MSR, 0 },
	[VREG_PKRS] = { IN_MSR, 0 },
	[VREG_SYSENTER_CS] = { IN_FIELD, VMCS_GUEST_SYSENTER_CS },
	[VREG_SYSENTER_ESP] = { IN_FIELD, VMCS_GUEST_SYSENTER_ESP },
	[VREG_SYSENTER_EIP] = { IN_FIELD, VMCS_GUEST_SYSENTER_EIP },
	[VREG_PAT] = { IN_FIELD, VMCS_GUEST_PAT },
	[VREG_DEBUGCTL] = { IN_FIELD, VMCS_GUEST_DEBUGCTL },
	[VREG_TSC_OFFSET] = { IN_FIELD, VMCS_TSC_OFFSET },
	[VREG_INT_SHADOW] = { IN_SHADOW_BITS, 0 },
	[VREG_NMI_BLOCKED] = { IN_NMI_BIT, 0 },
};

/* Registers in MSRs that load and put switch. */
static const struct {
	u8 reg;
	u32 msr;
} lazy[VMX_LAZY_MSRS] = {
	{ VREG_STAR,		MSR_STAR },
	{ VREG_LSTAR,		MSR_LSTAR },
	{ VREG_CSTAR,		MSR_CSTAR },
	{ VREG_SFMASK,		MSR_SFMASK },
	{ VREG_KERNEL_GS_BASE,	MSR_KERNEL_GS_BASE },
	{ VREG_TSC_AUX,		MSR_TSC_AUX },
	{ VREG_PKRS,		MSR_IA32_PKRS },
};

/* TSC_AUX comes with RDTSCP (SDM4), PKRS with PKS; it does nothing to the host. */
static bool lazy_exists(unsigned int i)
{
	if (lazy[i].msr == MSR_IA32_PKRS)
		return run_policy.caps->pks;
	return lazy[i].msr != MSR_TSC_AUX ||
	       vmx_ctls.word[VMX_CTL_PROC2] & VMX_CTL(PROC2_ENABLE_RDTSCP);
}

/*
 * Nothing in the hypervisor uses these, so they can stay the guest's until
 * another vCPU comes: no MSR list slows each exit down.
 */
void vmx_msrs_load(struct vmx_vcpu *x)
{
	for (unsigned int i = 0; i < VMX_LAZY_MSRS; i++) {
		if (!lazy_exists(i))
			continue;
		x->host_msr[i] = rdmsr(lazy[i].msr);
		if (x->msr[i] != x->host_msr[i])
			wrmsr(lazy[i].msr, x->msr[i]);
	}
	write_dr6(x->dr6);
}

void vmx_msrs_put(struct vmx_vcpu *x)
{
	for (unsigned int i = 0; i < VMX_LAZY_MSRS; i++) {
		if (!lazy_exists(i))
			continue;
		x->msr[i] = rdmsr(lazy[i].msr);
		if (x->msr[i] != x->host_msr[i])
			wrmsr(lazy[i].msr, x->host_msr[i]);
	}
	x->dr6 = read_dr6();
}

static unsigned int lazy_index(enum vreg r)
{
	unsigned int i = 0;

	while (i < VMX_LAZY_MSRS - 1 && lazy[i].reg != r)
		i++;
	return i;
}

/* SDM3 25.6.6: of a bit that the host owns the guest sees the shadow. */
static u64 read_cr(u32 field, u32 mask_field, u32 shadow_field)
{
	u64 mask = vmread(mask_field);

	return (vmread(field) & ~mask) | (vmread(shadow_field) & mask);
}

/* EFER is a field, but the entry control and the PDPTEs depend on it. */
static void set_efer(struct vcpu *v, u64 val)
{
	u32 entry = (u32)vmread(VMCS_ENTRY_CTLS) & ~VMX_CTL(ENTRY_IA32E_GUEST);

	/* SDM3 27.3.1.1: the control must be equal to LMA. */
	if (val & EFER_LMA)
		entry |= VMX_CTL(ENTRY_IA32E_GUEST);
	vmwrite_fast(VMCS_ENTRY_CTLS, entry);
	vmwrite_fast(VMCS_GUEST_EFER, val);
	vmx_of(v)->todo |= VMX_TODO_PDPTES;
}

/* val as the guest shall see it; what the CPU runs with differs in fixed bits. */
static void set_cr0(struct vcpu *v, u64 val)
{
	u64 old = vmread(VMCS_GUEST_CR0);
	u64 efer = vmread(VMCS_GUEST_EFER);
	/* SDM3 24.8: PE and PG are free with unrestricted guest. */
	u64 fixed0 = vmx_caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);

	vmwrite_fast(VMCS_CR0_READ_SHADOW, val);
	/* SDM3 27.3.2.1: entries leave CD and NW as they are: the shadow has them. */
	val &= ~(CR0_CD | CR0_NW);
	val = vmx_cr_fix(val, fixed0, vmx_caps.cr0_fixed1);
	vmwrite(VMCS_GUEST_CR0, val);
	/* SDM3 4.1.1: LMA follows PG while LME is set. */
	if ((old ^ val) & CR0_PG) {
		if (val & CR0_PG && efer & EFER_LME)
			set_efer(v, efer | EFER_LMA);
		else
			set_efer(v, efer & ~EFER_LMA);
	}
	vmx_of(v)->todo |= VMX_TODO_PDPTES | VMX_TODO_FLUSH;
}

static void set_cr4(struct vcpu *v, u64 val)
{
	vmwrite_fast(VMCS_CR4_READ_SHADOW, val);
	/* A machine check must reach the host's handler, not shut down. */
	val |= read_cr4() & CR4_MCE;
	vmwrite(VMCS_GUEST_CR4, vmx_cr_fix(val, vmx_caps.cr4_fixed0, vmx_caps.cr4_fixed1));
	vmx_of(v)->todo |= VMX_TODO_PDPTES | VMX_TODO_FLUSH;
}

/*
 * SDM3 27.3.2.4: with EPT an entry takes the PDPTEs from the VMCS.  MOV to CR
 * in the guest loads them; a change from outside must do the same.
 */
void vmx_load_pdptes(struct vcpu *v)
{
	u64 pdpte[4], cr3;

	if (!(vmread(VMCS_GUEST_CR0) & CR0_PG) || !(vmread(VMCS_GUEST_CR4) & CR4_PAE) ||
	    vmread(VMCS_GUEST_EFER) & EFER_LMA)
		return;
	/* SDM3 4.4.1: 32-byte aligned, below 4 GiB. */
	cr3 = vmread(VMCS_GUEST_CR3) & BITS(31, 5);
	if (gmem_read(&v->vm->mem, cr3, pdpte, sizeof(pdpte)))
		memset(pdpte, 0, sizeof(pdpte));
	for (u32 i = 0; i < 4; i++)
		vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i]);
}

/* SDM3 27.3.1.5: which kind of blocking, and what TF then demands. */
static void set_int_shadow(struct vcpu *v, bool on)
{
	u64 s = vmread(VMCS_GUEST_INTERRUPTIBILITY) &
		~(u64)(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS);

	if (on)
		s |= v->rflags & RFLAGS_IF ? INTERRUPTIBILITY_STI : INTERRUPTIBILITY_MOV_SS;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, s);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, on && v->rflags & RFLAGS_TF ? PENDING_DEBUG_BS : 0);
}

static void set_nmi_blocked(bool on)
{
	u64 s = vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(u64)INTERRUPTIBILITY_NMI;

	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, s | (on ? INTERRUPTIBILITY_NMI : 0));
}

static u64 read_dr(unsigned int n)
{
	switch (n) {
	case 0: return read_dr0();
	case 1: return read_dr1();
	case 2: return read_dr2();
	default: return read_dr3();
	}
}

static void write_dr(unsigned int n, u64 val)
{
	switch (n) {
	case 0: write_dr0(val); break;
	case 1: write_dr1(val); break;
	case 2: write_dr2(val); break;
	default: write_dr3(val); break;
	}
}

static u64 *vcpu_slot(struct vcpu *v, enum vreg r)
{
	return r == VREG_RIP ? &v->rip : r == VREG_RFLAGS ? &v->rflags : &v->gpr[r];
}

/* The XCR0 of a loaded vCPU is in the CPU, if that has one. */
static bool xcr0_live(const struct vcpu *v)
{
	return v->loaded && read_cr4() & CR4_OSXSAVE;
}

/* Places before IN_FIELD: no VMCS is needed. */
static u64 get_outside(struct vcpu *v, enum vreg r)
{
	struct vmx_vcpu *x = vmx_of(v);
	unsigned int i;

	switch (regs[r].place) {
	case IN_CR2:
		return x->cr2;
	case IN_CR8:
		return x->vapic[0x80] >> 4;
	case IN_XCR0:
		return xcr0_live(v) ? xgetbv(0) : v->xcr0;
	case IN_DR:
		return v->loaded ? read_dr(r - VREG_DR0) : v->dr[r - VREG_DR0];
	case IN_DR6:
		return x->loaded ? read_dr6() : x->dr6;
	case IN_MSR:
		i = lazy_index(r);
		return x->loaded && lazy_exists(i) ? rdmsr(lazy[i].msr) : x->msr[i];
	default:
		return *vcpu_slot(v, r);
	}
}

static void set_msr(struct vmx_vcpu *x, unsigned int i, u64 val)
{
	if (x->loaded && lazy_exists(i))
		wrmsr(lazy[i].msr, val);
	else
		x->msr[i] = val;
}

static void set_dr(struct vcpu *v, unsigned int n, u64 val)
{
	if (v->loaded)
		write_dr(n, val);
	else
		v->dr[n] = val;
}

static void set_outside(struct vcpu *v, enum vreg r, u64 val)
{
	struct vmx_vcpu *x = vmx_of(v);

	switch (regs[r].place) {
	case IN_CR2:
		x->cr2 = val;
		break;
	case IN_CR8:
		x->vapic[0x80] = (u8)(val << 4);
		break;
	case IN_XCR0:
		if (xcr0_live(v))
			xsetbv(0, val);
		else
			v->xcr0 = val;
		break;
	case IN_DR:
		set_dr(v, r - VREG_DR0, val);
		break;
	case IN_DR6:
		if (x->loaded)
			write_dr6(val);
		else
			x->dr6 = val;
		break;
	case IN_MSR:
		set_msr(x, lazy_index(r), val);
		break;
	default:
		*vcpu_slot(v, r) = val;
		break;
	}
}

/* Places from IN_FIELD on, with the VMCS current. */
static u64 get_vmcs(enum vreg r)
{
	switch (regs[r].place) {
	case IN_CR0:
		return read_cr(VMCS_GUEST_CR0, VMCS_CR0_GUEST_HOST_MASK, VMCS_CR0_READ_SHADOW);
	case IN_CR4:
		return read_cr(VMCS_GUEST_CR4, VMCS_CR4_GUEST_HOST_MASK, VMCS_CR4_READ_SHADOW);
	case IN_SHADOW_BITS:
		return !!(vmread(VMCS_GUEST_INTERRUPTIBILITY) &
			  (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
	case IN_NMI_BIT:
		return !!(vmread(VMCS_GUEST_INTERRUPTIBILITY) & INTERRUPTIBILITY_NMI);
	default:
		return vmread(regs[r].field);
	}
}

static void set_vmcs(struct vcpu *v, enum vreg r, u64 val)
{
	switch (regs[r].place) {
	case IN_CR0:
		set_cr0(v, val);
		break;
	case IN_CR4:
		set_cr4(v, val);
		break;
	case IN_SHADOW_BITS:
		set_int_shadow(v, val);
		break;
	case IN_NMI_BIT:
		set_nmi_blocked(val);
		break;
	default:
		if (r == VREG_EFER)
			set_efer(v, val);
		else
			vmwrite(regs[r].field, val);
		/* A new CR3 also drops translations of the old one. */
		if (r == VREG_CR3)
			vmx_of(v)->todo |= VMX_TODO_PDPTES | VMX_TODO_FLUSH;
		break;
	}
}

u64 vmx_get(struct vcpu *v, enum vreg r)
{
	struct vmx_vcpu *x = vmx_of(v);
	u64 val;
	bool b;

	if (regs[r].place < IN_FIELD)
		return get_outside(v, r);
	if (likely(x->current))
		return get_vmcs(r);
	b = vmx_borrow(x);
	val = get_vmcs(r);
	vmx_return(x, b);
	return val;
}

void vmx_set(struct vcpu *v, enum vreg r, u64 val)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b;

	if (regs[r].place < IN_FIELD) {
		set_outside(v, r, val);
		return;
	}
	b = vmx_borrow(x);
	set_vmcs(v, r, val);
	vmx_return(x, b);
}

/* The fields of ES to TR, then GDTR and IDTR, follow each other in steps of 2. */
void vmx_get_seg(struct vcpu *v, enum vseg s, struct vsegment *out)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);

	*out = (struct vsegment){
		.base = vmread(VMCS_GUEST_ES_BASE + 2 * s),
		.limit = (u32)vmread(VMCS_GUEST_ES_LIMIT + 2 * s),
	};
	if (s <= VSEG_TR) {
		u32 ar = (u32)vmread(VMCS_GUEST_ES_AR_BYTES + 2 * s);

		out->selector = (u16)vmread(VMCS_GUEST_ES_SELECTOR + 2 * s);
		out->attr = vmx_attr_from_ar(ar);
		out->unusable = ar & AR_UNUSABLE;
	}
	vmx_return(x, b);
}

void vmx_set_seg(struct vcpu *v, enum vseg s, const struct vsegment *in)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);

	vmwrite(VMCS_GUEST_ES_BASE + 2 * s, in->base);
	vmwrite(VMCS_GUEST_ES_LIMIT + 2 * s, in->limit);
	if (s <= VSEG_TR) {
		vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * s, in->selector);
		vmwrite(VMCS_GUEST_ES_AR_BYTES + 2 * s, vmx_ar_from_attr(in->attr, in->unusable));
	}
	vmx_return(x, b);
}

/* SDM3 3.4.5: CS.L counts only in IA-32e mode. */
u8 vmx_mode(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);
	u16 attr = vmx_attr_from_ar((u32)vmread(VMCS_GUEST_CS_AR_BYTES));
	bool lma = vmread(VMCS_GUEST_EFER) & EFER_LMA;

	vmx_return(x, b);
	if (lma && attr & SEG_L)
		return INSN_MODE_64;
	return attr & SEG_D ? INSN_MODE_32 : INSN_MODE_16;
}

/* SDM3 25.4.2: STI and MOV SS block for one instruction, which was emulated. */
void vmx_skip(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);
	u64 s = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	if (unlikely(s & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)))
		set_int_shadow(v, false);
	vmx_return(x, b);
}
