// SPDX-License-Identifier: MIT
/* The guest's registers outside struct vcpu, by number. */
#include "svm/ops.h"

#include "core/mm/pt.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/regs.h"
#include "svm/inject.h"
#include "svm/nested.h"

/*
 * What VMLOAD and VMSAVE move is L2's as it is L1's (APM2 15.5.2): one VMCB has it
 * for both.
 */
static inline struct vmcb *vmcb_of(const struct svm_vcpu *a, bool vmload)
{
	return vmload ? a->vmcb01 : a->vmcb;
}

static inline bool is_vmload(enum vreg r)
{
	return r >= VREG_STAR && r <= VREG_SYSENTER_EIP;
}

static inline bool is_vmload_seg(enum vseg s)
{
	return s == VSEG_FS || s == VSEG_GS || s == VSEG_LDTR || s == VSEG_TR;
}

/* Registers that are a VMCB member as it stands: its number + 1. */
#define MEMBER(r, field)	[VREG_##r] = VMCB_F_##field + 1
static const u16 vreg_member[VREG_COUNT] = {
	MEMBER(CR0, cr0), MEMBER(CR2, cr2), MEMBER(CR3, cr3), MEMBER(CR4, cr4),
	MEMBER(EFER, efer), MEMBER(DR6, dr6), MEMBER(DR7, dr7),
	MEMBER(STAR, star), MEMBER(LSTAR, lstar), MEMBER(CSTAR, cstar), MEMBER(SFMASK, sfmask),
	MEMBER(KERNEL_GS_BASE, kernel_gs_base), MEMBER(SYSENTER_CS, sysenter_cs),
	MEMBER(SYSENTER_ESP, sysenter_esp), MEMBER(SYSENTER_EIP, sysenter_eip),
	MEMBER(PAT, g_pat),
};

/* The same by offset, for reading: all but EFER are whole words as they stand. */
#define OFFSET(r, member)	[VREG_##r] = offsetof(struct vmcb, member)
static const u16 vreg_offset[VREG_COUNT] = {
	OFFSET(CR0, _cr0), OFFSET(CR2, _cr2), OFFSET(CR3, _cr3), OFFSET(CR4, _cr4),
	OFFSET(DR6, _dr6), OFFSET(DR7, _dr7), OFFSET(STAR, star), OFFSET(LSTAR, lstar),
	OFFSET(CSTAR, cstar), OFFSET(SFMASK, sfmask), OFFSET(KERNEL_GS_BASE, kernel_gs_base),
	OFFSET(SYSENTER_CS, sysenter_cs), OFFSET(SYSENTER_ESP, sysenter_esp),
	OFFSET(SYSENTER_EIP, sysenter_eip), OFFSET(PAT, _g_pat), OFFSET(DEBUGCTL, _dbgctl),
};

/* First member of each segment; GDTR and IDTR have the same four. */
static const u16 vseg_member[VSEG_COUNT] = {
	[VSEG_ES] = VMCB_F_es_selector, [VSEG_CS] = VMCB_F_cs_selector,
	[VSEG_SS] = VMCB_F_ss_selector, [VSEG_DS] = VMCB_F_ds_selector,
	[VSEG_FS] = VMCB_F_fs_selector, [VSEG_GS] = VMCB_F_gs_selector,
	[VSEG_LDTR] = VMCB_F_ldtr_selector, [VSEG_TR] = VMCB_F_tr_selector,
	[VSEG_GDTR] = VMCB_F_gdtr_selector, [VSEG_IDTR] = VMCB_F_idtr_selector,
};
/* The same by offset, for reading. */
static const u16 vseg_offset[VSEG_COUNT] = {
	[VSEG_ES] = offsetof(struct vmcb, _es), [VSEG_CS] = offsetof(struct vmcb, _cs),
	[VSEG_SS] = offsetof(struct vmcb, _ss), [VSEG_DS] = offsetof(struct vmcb, _ds),
	[VSEG_FS] = offsetof(struct vmcb, fs), [VSEG_GS] = offsetof(struct vmcb, gs),
	[VSEG_LDTR] = offsetof(struct vmcb, ldtr), [VSEG_TR] = offsetof(struct vmcb, tr),
	[VSEG_GDTR] = offsetof(struct vmcb, _gdtr), [VSEG_IDTR] = offsetof(struct vmcb, _idtr),
};
enum { MEMBER_SELECTOR, MEMBER_ATTRIB, MEMBER_LIMIT, MEMBER_BASE };

/* MOV DRn takes no variable number. */
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

/* APM2 15.30.5: one MSR for all; the guest's guest may have a rate of its own. */
static u64 tsc_ratio(const struct vcpu *v)
{
	if (v->l2_line.ratio)
		return v->l2_line.ratio;
	return v->vm->tsc.ratio ? v->vm->tsc.ratio : TSC_RATIO_ONE;
}

void svm_regs_tsc_ratio(const struct vcpu *v)
{
	if (v->loaded)
		wrmsr(MSR_TSC_RATIO, tsc_ratio(v));
}

void svm_regs_load(const struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;

	if (svm.tsc_aux)
		wrmsr(MSR_TSC_AUX, a->tsc_aux);
	/* Of no effect on the host, whose CR4.PKS is 0. */
	if (svm.pks)
		wrmsr(MSR_IA32_PKRS, a->pkrs);
	if (tsc_ratio(v) != TSC_RATIO_ONE)
		wrmsr(MSR_TSC_RATIO, tsc_ratio(v));
}

void svm_regs_put(const struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	if (svm.tsc_aux)
		a->tsc_aux = rdmsr(MSR_TSC_AUX);
	if (svm.pks)
		a->pkrs = rdmsr(MSR_IA32_PKRS);
	if (tsc_ratio(v) != TSC_RATIO_ONE)
		wrmsr(MSR_TSC_RATIO, TSC_RATIO_ONE);
}

/* Registers that live in the CPU while the vCPU is loaded. */
static u64 get_live(const struct vcpu *v, enum vreg r)
{
	const struct svm_vcpu *a = v->arch;

	switch (r) {
	case VREG_XCR0:
		return v->loaded && read_cr4() & CR4_OSXSAVE ? xgetbv(0) : v->xcr0;
	case VREG_DR0: case VREG_DR1: case VREG_DR2: case VREG_DR3:
		return v->loaded ? read_dr(r - VREG_DR0) : v->dr[r - VREG_DR0];
	case VREG_TSC_AUX:
		return v->loaded && svm.tsc_aux ? rdmsr(MSR_TSC_AUX) : a->tsc_aux;
	case VREG_PKRS:
		return v->loaded && svm.pks ? rdmsr(MSR_IA32_PKRS) : a->pkrs;
	default:
		return 0;
	}
}

/*
 * Where the TPR of the local APIC is.  With V_INTR_MASKING L2 has a CR8 of its
 * own (APM2 15.21.1).
 */
static struct vmcb *tpr_vmcb(const struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;
	const struct svm_nested *n = v->nested;

	if (v->in_l2 && vmcb_get_int_ctl(n->vmcb12) & INT_CTL_V_INTR_MASKING)
		return a->vmcb01;
	return a->vmcb;
}

static u64 get_special(const struct vcpu *v, enum vreg r)
{
	const struct svm_vcpu *a = v->arch;
	const struct vmcb *c = a->vmcb;

	switch (r) {
	case VREG_RIP:
		return v->rip;
	case VREG_RFLAGS:
		return v->rflags;
	case VREG_EFER:
		/* VMRUN needs SVME set; the guest sees what it set itself. */
		return (vmcb_get_efer(c) & ~EFER_SVME) | a->efer_svme;
	case VREG_CR8:
		return vmcb_get_int_ctl(tpr_vmcb(v)) & 0xf;
	case VREG_TSC_OFFSET:
		return vmcb_get_tsc_offset(a->vmcb01);
	case VREG_INT_SHADOW:
		return c->int_state & INT_STATE_SHADOW;
	case VREG_NMI_BLOCKED:
		/* That of L2 is in vmcb12. */
		if (svm_nested_vnmi(v))
			return svm_nested_of(v)->l1.nmi_blocked;
		return a->nmi_blocked;
	default:
		return get_live(v, r);
	}
}

u64 svm_get(struct vcpu *v, enum vreg r)
{
	const struct svm_vcpu *a = v->arch;

	/* Control registers first: the exit path reads them to find code. */
	if (likely(vreg_offset[r]))
		return *(const u64 *)((const u8 *)vmcb_of(a, is_vmload(r)) + vreg_offset[r]);
	if (r <= VREG_R15)
		return v->gpr[r];
	return get_special(v, r);
}

/* APM2 3.1.7: the processor sets LMA = LME & CR0.PG; VMRUN does not. */
static void update_lma(struct vmcb *c)
{
	u64 efer = vmcb_get_efer(c);
	bool lma = efer & EFER_LME && vmcb_get_cr0(c) & CR0_PG;

	vmcb_set_efer(c, lma ? efer | EFER_LMA : efer & ~EFER_LMA);
}

static bool set_live(struct vcpu *v, enum vreg r, u64 val)
{
	struct svm_vcpu *a = v->arch;

	switch (r) {
	case VREG_DR0: case VREG_DR1: case VREG_DR2: case VREG_DR3:
		v->dr[r - VREG_DR0] = val;
		if (v->loaded)
			write_dr(r - VREG_DR0, val);
		return true;
	case VREG_XCR0:
		v->xcr0 = val;
		if (v->loaded && read_cr4() & CR4_OSXSAVE)
			xsetbv(0, val);
		return true;
	case VREG_TSC_AUX:
		a->tsc_aux = val;
		if (v->loaded && svm.tsc_aux)
			wrmsr(MSR_TSC_AUX, val);
		return true;
	case VREG_PKRS:
		a->pkrs = val;
		if (v->loaded && svm.pks)
			wrmsr(MSR_IA32_PKRS, val);
		return true;
	default:
		return false;
	}
}

void svm_set(struct vcpu *v, enum vreg r, u64 val)
{
	struct svm_vcpu *a = v->arch;
	struct vmcb *c = a->vmcb;

	if (r <= VREG_R15) {
		v->gpr[r] = val;
		return;
	}
	if (set_live(v, r, val))
		return;
	switch (r) {
	case VREG_RIP:
		v->rip = val;
		return;
	case VREG_RFLAGS:
		v->rflags = val;
		return;
	case VREG_EFER:
		/* STGI and CLGI come or go with it. */
		a->attention = true;
		a->efer_svme = val & EFER_SVME;
		if (svm.caps.vmsave_virt && v->nested && !v->in_l2)
			svm_nested_own_vmload(v, a->efer_svme);
		vmcb_set_efer(c, val | EFER_SVME);
		update_lma(c);
		return;
	case VREG_CR0:
		vmcb_set_cr0(c, val);
		update_lma(c);
		return;
	case VREG_DEBUGCTL:
		svm_set_dbgctl(c, val & svm_dbgctl_given());
		return;
	case VREG_CR8:
		c = tpr_vmcb(v);
		vmcb_set_int_ctl(c, (vmcb_get_int_ctl(c) & ~INT_CTL_V_TPR) | (val & 0xf));
		return;
	case VREG_TSC_OFFSET:
		vmcb_set_tsc_offset(a->vmcb01, val);
		if (v->in_l2)
			svm_nested_set_tsc(v);
		return;
	case VREG_INT_SHADOW:
		c->int_state = (c->int_state & ~INT_STATE_SHADOW) | (val ? INT_STATE_SHADOW : 0);
		a->attention = true;
		return;
	case VREG_NMI_BLOCKED:
		svm_set_nmi_blocked(a, val);
		return;
	default:
		if (vreg_member[r])
			vmcb_write(vmcb_of(a, is_vmload(r)), vreg_member[r] - 1, val);
		return;
	}
}

/* The attributes are stored as in struct vsegment: only P = 0 needs a word. */
void svm_get_seg(struct vcpu *v, enum vseg s, struct vsegment *out)
{
	const struct vmcb *c = vmcb_of(v->arch, is_vmload_seg(s));
	const struct vmcb_seg *m = (const void *)((const u8 *)c + vseg_offset[s]);

	*out = (struct vsegment){ .selector = m->selector, .attr = m->attrib,
				  .limit = m->limit, .base = m->base };
	if (s >= VSEG_GDTR)
		return;
	out->unusable = !(out->attr & SEG_P);
	/* APM2 15.5.1: the CPL of the VMCB is the guest's; SS.DPL follows it. */
	if (s == VSEG_SS)
		out->attr = (u16)((out->attr & ~SEG_DPL(3)) | SEG_DPL(vmcb_get_cpl(c) & 3));
}

void svm_set_seg(struct vcpu *v, enum vseg s, const struct vsegment *in)
{
	struct vmcb *c = vmcb_of(v->arch, is_vmload_seg(s));
	unsigned int f = vseg_member[s];
	u16 attr = in->unusable ? 0 : in->attr;

	vmcb_write(c, f + MEMBER_BASE, in->base);
	vmcb_write(c, f + MEMBER_LIMIT, in->limit);
	if (s >= VSEG_GDTR)
		return;
	vmcb_write(c, f + MEMBER_SELECTOR, in->selector);
	vmcb_write(c, f + MEMBER_ATTRIB, attr);
	if (s == VSEG_SS)
		vmcb_set_cpl(c, in->attr >> 5 & 3);
}

/* Segment types after reset (APM2 table 14-1). */
#define REAL_DATA	(SEG_P | SEG_S | 0x3)	/* read/write, accessed */
#define REAL_CODE	(SEG_P | SEG_S | 0xb)

void svm_regs_reset(struct vcpu *v)
{
	const struct vsegment data = { .attr = REAL_DATA, .limit = 0xffff };
	const struct vsegment code = { .selector = 0xf000, .attr = REAL_CODE,
				       .limit = 0xffff, .base = 0xffff0000 };
	const struct vsegment table = { .limit = 0xffff };
	const struct vsegment ldtr = { .attr = SEG_P | 0x2, .limit = 0xffff };
	/* Long mode needs a busy 32- or 64-bit TSS type in TR; 16-bit after reset. */
	const struct vsegment tr = { .attr = SEG_P | 0xb, .limit = 0xffff };

	for (unsigned int s = VSEG_ES; s <= VSEG_GS; s++)
		svm_set_seg(v, s, &data);
	svm_set_seg(v, VSEG_CS, &code);
	svm_set_seg(v, VSEG_LDTR, &ldtr);
	svm_set_seg(v, VSEG_TR, &tr);
	svm_set_seg(v, VSEG_GDTR, &table);
	svm_set_seg(v, VSEG_IDTR, &table);
	v->rip = 0xfff0;
	v->rflags = RFLAGS_FIXED;
	svm_set(v, VREG_CR0, CR0_CD | CR0_NW | CR0_ET);
	svm_set(v, VREG_EFER, 0);
	svm_set(v, VREG_DR6, DR6_FIXED1);
	svm_set(v, VREG_DR7, DR7_FIXED1);
	svm_set(v, VREG_PAT, PT_PAT_RESET);
}
