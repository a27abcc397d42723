// SPDX-License-Identifier: MIT
/* The guest's registers outside struct vcpu, by number. */
#include "vmx/ops.h"

#include "core/lib/string.h"
#include "core/vm/insn.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/regs.h"
#include "vmx/insn.h"

/* Registers that are just a field. */
static const u16 reg_field[VREG_COUNT] = {
	[VREG_CR3] = VMCS_GUEST_CR3,
	[VREG_EFER] = VMCS_GUEST_EFER,
	[VREG_DR7] = VMCS_GUEST_DR7,
	[VREG_SYSENTER_CS] = VMCS_GUEST_SYSENTER_CS,
	[VREG_SYSENTER_ESP] = VMCS_GUEST_SYSENTER_ESP,
	[VREG_SYSENTER_EIP] = VMCS_GUEST_SYSENTER_EIP,
	[VREG_PAT] = VMCS_GUEST_PAT,
	[VREG_DEBUGCTL] = VMCS_GUEST_DEBUGCTL,
	[VREG_TSC_OFFSET] = VMCS_TSC_OFFSET,
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
};

/* TSC_AUX comes with RDTSCP (SDM4). */
static bool lazy_exists(unsigned int i)
{
	return lazy[i].msr != MSR_TSC_AUX ||
	       vmx_ctls.word[VMX_CTL_PROC2] & VMX_CTL(PROC2_ENABLE_RDTSCP);
}

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

static int lazy_index(enum vreg r)
{
	for (unsigned int i = 0; i < VMX_LAZY_MSRS; i++)
		if (lazy[i].reg == r)
			return (int)i;
	return -ENOENT;
}

/* SDM3 25.6.6: of a bit that the host owns the guest sees the shadow. */
static u64 read_cr(u32 field, u32 mask_field, u32 shadow_field)
{
	u64 mask = vmread(mask_field);

	return (vmread(field) & ~mask) | (vmread(shadow_field) & mask);
}

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

/* Those that need no VMCS; false: not one of them. */
static bool get_outside(struct vcpu *v, enum vreg r, u64 *val)
{
	struct vmx_vcpu *x = vmx_of(v);
	int i = lazy_index(r);

	if (r <= VREG_R15)
		*val = v->gpr[r];
	else if (r == VREG_RIP)
		*val = v->rip;
	else if (r == VREG_RFLAGS)
		*val = v->rflags;
	else if (r == VREG_CR2)
		*val = x->cr2;
	else if (r == VREG_CR8)
		*val = x->vapic[0x80] >> 4;
	else if (r == VREG_XCR0)
		*val = v->loaded && read_cr4() & CR4_OSXSAVE ? xgetbv(0) : v->xcr0;
	else if (r >= VREG_DR0 && r <= VREG_DR3)
		*val = v->loaded ? read_dr(r - VREG_DR0) : v->dr[r - VREG_DR0];
	else if (r == VREG_DR6)
		*val = x->loaded ? read_dr6() : x->dr6;
	else if (i >= 0)
		*val = x->loaded && lazy_exists(i) ? rdmsr(lazy[i].msr) : x->msr[i];
	else
		return false;
	return true;
}

static bool set_outside(struct vcpu *v, enum vreg r, u64 val)
{
	struct vmx_vcpu *x = vmx_of(v);
	int i = lazy_index(r);

	if (r <= VREG_R15)
		v->gpr[r] = val;
	else if (r == VREG_RIP)
		v->rip = val;
	else if (r == VREG_RFLAGS)
		v->rflags = val;
	else if (r == VREG_CR2)
		x->cr2 = val;
	else if (r == VREG_CR8)
		x->vapic[0x80] = (u8)(val << 4);
	else if (r == VREG_XCR0 && v->loaded && read_cr4() & CR4_OSXSAVE)
		xsetbv(0, val);
	else if (r == VREG_XCR0)
		v->xcr0 = val;
	else if (r >= VREG_DR0 && r <= VREG_DR3 && v->loaded)
		write_dr(r - VREG_DR0, val);
	else if (r >= VREG_DR0 && r <= VREG_DR3)
		v->dr[r - VREG_DR0] = val;
	else if (r == VREG_DR6 && x->loaded)
		write_dr6(val);
	else if (r == VREG_DR6)
		x->dr6 = val;
	else if (i >= 0 && x->loaded && lazy_exists(i))
		wrmsr(lazy[i].msr, val);
	else if (i >= 0)
		x->msr[i] = val;
	else
		return false;
	return true;
}

static u64 get_vmcs(enum vreg r)
{
	switch (r) {
	case VREG_CR0:
		return read_cr(VMCS_GUEST_CR0, VMCS_CR0_GUEST_HOST_MASK, VMCS_CR0_READ_SHADOW);
	case VREG_CR4:
		return read_cr(VMCS_GUEST_CR4, VMCS_CR4_GUEST_HOST_MASK, VMCS_CR4_READ_SHADOW);
	case VREG_INT_SHADOW:
		return !!(vmread(VMCS_GUEST_INTERRUPTIBILITY) &
			  (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
	case VREG_NMI_BLOCKED:
		return !!(vmread(VMCS_GUEST_INTERRUPTIBILITY) & INTERRUPTIBILITY_NMI);
	default:
		return reg_field[r] ? vmread(reg_field[r]) : 0;
	}
}

u64 vmx_get(struct vcpu *v, enum vreg r)
{
	struct vmx_vcpu *x = vmx_of(v);
	u64 val;
	bool b;

	if (r == VREG_CR3 && x->current)
		return vmread(VMCS_GUEST_CR3);
	if (get_outside(v, r, &val))
		return val;
	b = vmx_borrow(x);
	val = get_vmcs(r);
	vmx_return(x, b);
	return val;
}

void vmx_set(struct vcpu *v, enum vreg r, u64 val)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b;

	if (set_outside(v, r, val))
		return;
	b = vmx_borrow(x);
	switch (r) {
	case VREG_CR0:
		set_cr0(v, val);
		break;
	case VREG_CR4:
		set_cr4(v, val);
		break;
	case VREG_EFER:
		set_efer(v, val);
		break;
	case VREG_INT_SHADOW:
		set_int_shadow(v, val);
		break;
	case VREG_NMI_BLOCKED:
		set_nmi_blocked(val);
		break;
	default:
		if (reg_field[r])
			vmwrite(reg_field[r], val);
		/* A new CR3 also drops translations of the old one. */
		if (r == VREG_CR3)
			x->todo |= VMX_TODO_PDPTES | VMX_TODO_FLUSH;
		break;
	}
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

void vmx_skip(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);
	u64 s = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	if (unlikely(s & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)))
		set_int_shadow(v, false);
	vmx_return(x, b);
}
