/* SPDX-License-Identifier: MIT */
/*
 * Control and debug register accesses that exit.  SVM lets most through; VMX
 * exits when a masked bit changes (CR0.NE, CR4.VMXE, and mode changes).
 */
#include "core/vm/run.h"

#include "core/dev/vlapic.h"
#include "core/mm/pt_walk.h"
#include "core/x86/insn.h"
#include "core/x86/regs.h"
#include "core/x86/caps.h"

#define CR0_WRITABLE	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | \
			 CR0_AM | CR0_NW | CR0_CD | CR0_PG)

/* APM2 3.1.1, SDM3 2.5: what MOV to CR0 refuses. */
static bool cr0_valid(struct vcpu *v, u64 val)
{
	u64 efer = virt->get(v, VREG_EFER);
	u64 cr4 = virt->get(v, VREG_CR4);
	struct vsegment cs;

	if (val >> 32 || ((val & CR0_PG) && !(val & CR0_PE)))
		return false;
	if ((val & CR0_NW) && !(val & CR0_CD))
		return false;
	if (!(val & CR0_PG))
		return !(cr4 & CR4_PCIDE) && virt->mode(v) != 2;
	if (!(efer & EFER_LME))
		return true;
	/* Activating long mode: APM2 14.6.2. */
	virt->get_seg(v, VSEG_CS, &cs);
	return (cr4 & CR4_PAE) && (efer & EFER_LMA || !(cs.attr & SEG_L));
}

bool vcpu_write_cr0(struct vcpu *v, u64 val)
{
	u64 old = virt->get(v, VREG_CR0);
	u64 efer = virt->get(v, VREG_EFER);

	if (!cr0_valid(v, val))
		return false;
	val = (val & CR0_WRITABLE) | CR0_ET;
	virt->set(v, VREG_CR0, val);
	if (efer & EFER_LME && (old ^ val) & CR0_PG)
		virt->set(v, VREG_EFER, val & CR0_PG ? efer | EFER_LMA : efer & ~EFER_LMA);
	if ((old ^ val) & (CR0_PG | CR0_WP))
		virt->flush(v);
	return true;
}

/* APM2 3.1.3, SDM3 2.5. */
static bool write_cr4_guest(struct vcpu *v, u64 val)
{
	u64 old = virt->get(v, VREG_CR4);
	bool long_mode = virt->get(v, VREG_EFER) & EFER_LMA;

	if (val & ~run_policy.cr4_allowed)
		return false;
	if (long_mode && (!(val & CR4_PAE) || ((val ^ old) & CR4_LA57)))
		return false;
	if ((val & CR4_PCIDE) && !(old & CR4_PCIDE) &&
	    (!long_mode || (virt->get(v, VREG_CR3) & 0xfff)))
		return false;
	virt->set(v, VREG_CR4, val);
	if ((val ^ old) & (CR4_PGE | CR4_PSE | CR4_PAE | CR4_SMEP | CR4_SMAP | CR4_PCIDE))
		virt->flush(v);
	return true;
}

static bool write_cr3_guest(struct vcpu *v, u64 val)
{
	if (virt->get(v, VREG_EFER) & EFER_LMA) {
		if (virt->get(v, VREG_CR4) & CR4_PCIDE)
			val &= ~BIT(63);
		if (val >> run_policy.maxphyaddr)
			return false;
	}
	virt->set(v, VREG_CR3, val);
	virt->flush(v);
	return true;
}

static bool write_cr(struct vcpu *v, u8 num, u64 val)
{
	switch (num) {
	case 0: return vcpu_write_cr0(v, val);
	case 3: return write_cr3_guest(v, val);
	case 4: return write_cr4_guest(v, val);
	case 8:
		if (val > 15)
			return false;
		virt->set(v, VREG_CR8, val);
		if (v->apic) {
			vlapic_set_cr8(v->apic, (u8)val);
			v->poke = 1;
		}
		return true;
	case 2:
		virt->set(v, VREG_CR2, val);
		return true;
	default: return false;
	}
}

static enum vreg cr_vreg(u8 num)
{
	static const u8 map[] = { [0] = VREG_CR0, [2] = VREG_CR2, [3] = VREG_CR3,
				  [4] = VREG_CR4, [8] = VREG_CR8 };

	return num < ARRAY_SIZE(map) ? map[num] : VREG_COUNT;
}

enum verdict exit_cr(struct vcpu *v)
{
	const struct exit_cr *c = &v->exit.cr;
	u64 cr0 = virt->get(v, VREG_CR0);
	u64 val;

	switch (c->kind) {
	case CR_CLTS:
		val = cr0 & ~CR0_TS;
		break;
	case CR_LMSW:
		/* APM3 LMSW: bits 3:0; PE can be set but not cleared. */
		val = (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | (c->lmsw & 0xf);
		break;
	case CR_SMSW:
		return vcpu_give_up(v, "SMSW");
	default:
		if (cr_vreg(c->num) == VREG_COUNT)
			return vcpu_inject_ud(v);
		if (!c->write) {
			v->gpr[c->gpr] = virt->get(v, cr_vreg(c->num));
			return VERDICT_ADVANCE;
		}
		val = v->gpr[c->gpr];
		if (virt->mode(v) != 2)
			val = (u32)val;
		return write_cr(v, c->num, val) ? VERDICT_ADVANCE : vcpu_inject_gp(v);
	}
	return write_cr(v, 0, val) ? VERDICT_ADVANCE : vcpu_inject_gp(v);
}

/* APM2 13.1.1: DR4/DR5 are DR6/DR7 without CR4.DE; GD makes any access #DB. */
enum verdict exit_dr(struct vcpu *v)
{
	const struct exit_cr *d = &v->exit.cr;
	u64 dr7 = virt->get(v, VREG_DR7);
	enum vreg r;

	if ((d->num & 6) == 4 && (virt->get(v, VREG_CR4) & CR4_DE))
		return vcpu_inject_ud(v);
	if (dr7 & DR7_GD) {
		struct event db = event_exception(VEC_DB);

		db.payload = DR6_BD;
		return vcpu_inject(v, db);
	}
	r = (d->num & 4) ? (d->num & 1 ? VREG_DR7 : VREG_DR6) : (enum vreg)(VREG_DR0 + d->num);
	if (!d->write) {
		v->gpr[d->gpr] = virt->get(v, r);
		return VERDICT_ADVANCE;
	}
	if (r >= VREG_DR6 && v->gpr[d->gpr] >> 32 && virt->mode(v) == 2)
		return vcpu_inject_gp(v);
	virt->set(v, r, v->gpr[d->gpr]);
	return VERDICT_ADVANCE;
}
