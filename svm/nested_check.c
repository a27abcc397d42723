// SPDX-License-Identifier: MIT
/* Only on SVM: see nested_check.h. */
#include "svm/nested_check.h"

#include "core/vm/msr_policy.h"
#include "core/x86/regs.h"
#include "svm/perm.h"

/* Segment attributes as the VMCB has them (APM2 15.5.1). */
#define SEG_ATTR_L	BIT(9)
#define SEG_ATTR_D	BIT(10)

/* APM2 18.11.1: shadow stacks and writes to them; AMD has no branch tracking. */
#define S_CET_DEFINED	BITS(1, 0)

/*
 * APM2 8.1, table 8-1: vectors of exceptions.  #HV and #VC are those of encrypted
 * guests only, #CP needs CET.
 */
#define EXCEPTIONS						\
	(BIT(VEC_DE) | BIT(VEC_DB) | BITS(VEC_DF, VEC_BP) | BITS(VEC_PF, VEC_TS) |	\
	 BITS(VEC_XM, VEC_MF) | BIT(VEC_CP) | BIT(VEC_SX))

/*
 * A row's predicate.  svm_nested_check has them all inline: nearly every
 * VMRUN passes, and that must cost little.
 */
#define RULE(id)								\
	static __always_inline bool ok_##id(const struct vmcb *c, const struct vmcb *s,	\
					    const struct nested_check_env *env)

static __always_inline bool long_mode(const struct vmcb *s)
{
	return (vmcb_get_efer(s) & EFER_LME) && (vmcb_get_cr0(s) & CR0_PG);
}

static __always_inline bool phys_ok(u64 pa, const struct nested_check_env *env)
{
	return !(pa >> env->maxphyaddr);
}

/* APM2 15.10.1, 15.11: bits 11:0 are ignored; no byte beyond the last address. */
static __always_inline bool map_ok(u64 pa, u64 size, const struct nested_check_env *env)
{
	return (pa & PAGE_MASK) <= BIT(env->maxphyaddr) - size;
}

static __always_inline u8 event_type(const struct vmcb *c)
{
	return (u8)FIELD_GET(c->eventinj, 10, 8);
}

static __always_inline bool event_is_exception(const struct vmcb *c)
{
	return (c->eventinj & EVENTINJ_VALID) && event_type(c) == EVENTINJ_EXCEPTION;
}

RULE(vmrun_intercept)
{
	return vmcb_get_intercept_vec4(c) & VEC4_VMRUN;
}

RULE(asid)
{
	return vmcb_get_guest_asid(c);
}

static __always_inline bool np(const struct vmcb *c)
{
	return vmcb_get_nested_ctl(c) & NESTED_CTL_NP_ENABLE;
}

RULE(np_unsupported)
{
	return !np(c) || env->npt;
}

RULE(np_paging)
{
	return !np(c) || env->l1_paging;
}

/* Reserved bits below are not MBZ; above MAXPHYADDR they are, in every mode of L1. */
RULE(ncr3)
{
	return !np(c) || phys_ok(vmcb_get_n_cr3(c), env);
}

RULE(msrpm)
{
	return map_ok(vmcb_get_msrpm_base_pa(c), MSRPM_SIZE, env);
}

/*
 * Its last byte is not at the last physical address either: APM2 15.5.1 refuses
 * maps that extend to an address greater than or equal to the highest.  The I/O
 * map is read for 8 KiB and three bits, and so never gets there.
 */
RULE(msrpm_last)
{
	return map_ok(vmcb_get_msrpm_base_pa(c), MSRPM_SIZE + 1, env);
}

RULE(iopm)
{
	return map_ok(vmcb_get_iopm_base_pa(c), IOPM_SIZE, env);
}

RULE(set_vnmi_intercept)
{
	return !(vmcb_get_int_ctl(c) & INT_CTL_V_NMI_ENABLE) ||
	       (vmcb_get_intercept_vec3(c) & VEC3_NMI);
}

RULE(vnmi_intercept)
{
	return !env->vnmi || ok_set_vnmi_intercept(c, s, env);
}

/* APM2 15.20, table 15-11. */
RULE(event_type)
{
	const u64 types = BIT(EVENTINJ_INTR) | BIT(EVENTINJ_NMI) | BIT(EVENTINJ_EXCEPTION) |
			  BIT(EVENTINJ_SOFT_INT);

	return !(c->eventinj & EVENTINJ_VALID) || (types & BIT(event_type(c)));
}

/* Of the other types any vector will do; an NMI's is ignored. */
RULE(event_vector)
{
	u8 vector = (u8)c->eventinj;

	if (!event_is_exception(c))
		return true;
	if (vector == VEC_CP && !(env->cr4_allowed & CR4_CET))
		return false;
	return vector < 32 && (EXCEPTIONS & BIT(vector));
}

/* BOUND and INTO do not exist in 64-bit mode. */
RULE(event_mode)
{
	u8 vector = (u8)c->eventinj;

	if (!event_is_exception(c) || (vector != VEC_BR && vector != VEC_OF))
		return true;
	return !(long_mode(s) && (vmcb_get_cs(s)->attrib & SEG_ATTR_L));
}

RULE(l1_cr0_pg)
{
	return vmcb_get_cr0(s) & CR0_PG;
}

RULE(l1_cr0_pe)
{
	return vmcb_get_cr0(s) & CR0_PE;
}

RULE(l1_rflags_vm)
{
	return !(s->rflags & RFLAGS_VM);
}

RULE(efer_svme)
{
	return vmcb_get_efer(s) & EFER_SVME;
}

RULE(cr0_nw)
{
	return (vmcb_get_cr0(s) & (CR0_CD | CR0_NW)) != CR0_NW;
}

RULE(cr0_high)
{
	return !(vmcb_get_cr0(s) >> 32);
}

RULE(dr6_high)
{
	return !(vmcb_get_dr6(s) >> 32);
}

RULE(dr7_high)
{
	return !(vmcb_get_dr7(s) >> 32);
}

RULE(lme_pae)
{
	return !long_mode(s) || (vmcb_get_cr4(s) & CR4_PAE);
}

/* Without LME this is paged real mode, which VMRUN may load (APM2 15.19). */
RULE(lme_pe)
{
	return !long_mode(s) || (vmcb_get_cr0(s) & CR0_PE);
}

/* APM2 3.1.2: only the long-mode format has MBZ bits; the others end at bit 31. */
RULE(cr3)
{
	return !long_mode(s) || phys_ok(vmcb_get_cr3(s), env);
}

/*
 * The register has 64 bits in every mode, and its high ones are MBZ in each:
 * VMRUN of a CPU looks at them, KVM's check of a save area does not.
 */
RULE(cr3_legacy)
{
	return long_mode(s) || phys_ok(vmcb_get_cr3(s), env);
}

RULE(cs_l_d)
{
	const u64 both = SEG_ATTR_L | SEG_ATTR_D;

	return !long_mode(s) || !(vmcb_get_cr4(s) & CR4_PAE) ||
	       (vmcb_get_cs(s)->attrib & both) != both;
}

RULE(cr4)
{
	return !(vmcb_get_cr4(s) & ~env->cr4_allowed);
}

RULE(efer)
{
	return !(vmcb_get_efer(s) & ~env->efer_allowed);
}

RULE(g_pat)
{
	return !np(c) || msr_pat_valid(vmcb_get_g_pat(s));
}

RULE(cet_wp)
{
	return !(vmcb_get_cr4(s) & CR4_CET) || (vmcb_get_cr0(s) & CR0_WP);
}

/* A CPU without CET does not look at it. */
RULE(s_cet)
{
	return !(env->cr4_allowed & CR4_CET) || !(vmcb_get_s_cet(s) & ~S_CET_DEFINED);
}

#define VMRUN	NESTED_GROUP_VMRUN
#define SET	NESTED_GROUP_SET
#define L1_SAVE	NESTED_GROUP_L1_SAVE
#define KVM	NESTED_GROUP_KVM

const struct nested_rule svm_nested_rules[NESTED_RULE_COUNT] = {
#define X(id, groups, ref)	{ #id, ref, ok_##id, groups },
#include "svm/nested_rules.def"
};

/* The rows of VMRUN without the walk over the table. */
static __always_inline bool vmrun_ok(const struct vmcb *c, const struct vmcb *s,
				     const struct nested_check_env *env)
{
	return true
#define X(id, groups, ref)	&& (!((groups) & VMRUN) || ok_##id(c, s, env))
#include "svm/nested_rules.def"
	       ;
}

static const struct nested_rule *first_failing(u8 group, const struct vmcb *c,
					       const struct vmcb *s,
					       const struct nested_check_env *env)
{
	for (size_t i = 0; i < NESTED_RULE_COUNT; i++) {
		const struct nested_rule *r = &svm_nested_rules[i];

		if (env->own && (r->groups & KVM))
			continue;
		if ((r->groups & group) && !r->ok(c, s, env))
			return r;
	}
	return NULL;
}

const struct nested_rule *svm_nested_check(const struct vmcb *c, const struct vmcb *s,
					   const struct nested_check_env *env)
{
	if (likely(vmrun_ok(c, s, env)))
		return NULL;
	return first_failing(VMRUN, c, s, env);
}

const struct nested_rule *svm_nested_check_controls(const struct vmcb *c,
						    const struct nested_check_env *env)
{
	return first_failing(SET, c, c, env);
}

const struct nested_rule *svm_nested_check_l1_save(const struct vmcb *s,
						   const struct nested_check_env *env)
{
	return first_failing(L1_SAVE, s, s, env);
}

static __always_inline u64 sign_extend(u64 addr, const struct nested_check_env *env)
{
	const u8 shift = (u8)(64 - env->linear_bits);

	return (u64)((s64)(addr << shift) >> shift);
}

/* Of the addresses that VMRUN loads: X(segment) and Y(register). */
#define LOADED(X, Y)	X(es) X(cs) X(ss) X(ds) X(gdtr) X(idtr) Y(ssp) Y(isst_addr)

/* A setter of a segment always clears the clean bit. */
#define CANON_SEG(name)								\
	do {									\
		struct vmcb_seg seg = *vmcb_get_##name(s);			\
										\
		seg.base = sign_extend(seg.base, env);				\
		if (seg.base != vmcb_get_##name(s)->base)			\
			vmcb_set_##name(s, &seg);				\
	} while (0);
#define CANON_REG(name)	vmcb_set_##name(s, sign_extend(vmcb_get_##name(s), env));

static __attribute__((noinline)) void canon_addresses(struct vmcb *s,
						      const struct nested_check_env *env)
{
	LOADED(CANON_SEG, CANON_REG)
}

/*
 * One test for all: half of the address space on, what is canonical has no bit
 * above the others, and no other address has none.
 */
static __always_inline bool is_canonical(const struct vmcb *s,
					 const struct nested_check_env *env)
{
	const u64 half = BIT(env->linear_bits - 1);
	u64 all = 0;

#define OR_SEG(name)	all |= vmcb_get_##name(s)->base + half;
#define OR_REG(name)	all |= vmcb_get_##name(s) + half;
	LOADED(OR_SEG, OR_REG)
	return !(all >> env->linear_bits);
}

void svm_nested_canon(struct vmcb *c, struct vmcb *s, const struct nested_check_env *env)
{
	u64 efer = vmcb_get_efer(s);

	if (unlikely(!is_canonical(s, env)))
		canon_addresses(s, env);
	vmcb_set_msrpm_base_pa(c, vmcb_get_msrpm_base_pa(c) & PAGE_MASK);
	vmcb_set_iopm_base_pa(c, vmcb_get_iopm_base_pa(c) & PAGE_MASK);
	vmcb_set_efer(s, long_mode(s) ? efer | EFER_LMA : efer & ~EFER_LMA);
}

void svm_nested_canon_vmload(struct vmcb *c, const struct nested_check_env *env)
{
	c->fs.base = sign_extend(c->fs.base, env);
	c->gs.base = sign_extend(c->gs.base, env);
	c->ldtr.base = sign_extend(c->ldtr.base, env);
	c->tr.base = sign_extend(c->tr.base, env);
	c->kernel_gs_base = sign_extend(c->kernel_gs_base, env);
	c->lstar = sign_extend(c->lstar, env);
	c->cstar = sign_extend(c->cstar, env);
	c->sysenter_esp = sign_extend(c->sysenter_esp, env);
	c->sysenter_eip = sign_extend(c->sysenter_eip, env);
	/* APM2 6.1.1: bits 63:32 are reserved. */
	c->sfmask = (u32)c->sfmask;
}
