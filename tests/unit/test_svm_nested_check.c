// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mm/pt.h"
#include "core/x86/regs.h"
#include "svm/nested_check.h"
#include "tests/unit/rng.h"

#define PHYS	40

static const struct nested_check_env base_env = {
	.efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME,
	.cr4_allowed = BITS(10, 0) | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP,
	.maxphyaddr = PHYS, .linear_bits = 48, .npt = true, .vnmi = true, .l1_paging = true,
};

/* vmcb12 of a 64-bit L2 with nested paging. */
static void good(struct vmcb *c)
{
	const struct vmcb_seg cs = { 0x10, 0x29b, ~0u, 0 };

	memset(c, 0, sizeof(*c));
	vmcb_set_intercept_vec3(c, VEC3_MSR | VEC3_IOIO);
	vmcb_set_intercept_vec4(c, VEC4_VMRUN);
	vmcb_set_iopm_base_pa(c, 0x10000);
	vmcb_set_msrpm_base_pa(c, 0x20000);
	vmcb_set_guest_asid(c, 1);
	vmcb_set_nested_ctl(c, NESTED_CTL_NP_ENABLE);
	vmcb_set_n_cr3(c, 0x30000);
	vmcb_set_g_pat(c, PT_PAT_RESET);
	vmcb_set_cs(c, &cs);
	vmcb_set_cr0(c, CR0_PE | CR0_PG | CR0_ET | CR0_WP);
	vmcb_set_cr3(c, 0x40000);
	vmcb_set_cr4(c, CR4_PAE);
	vmcb_set_efer(c, EFER_LME | EFER_LMA | EFER_SVME);
	vmcb_set_dr6(c, DR6_FIXED1);
	vmcb_set_dr7(c, DR7_FIXED1);
	c->rflags = RFLAGS_FIXED;
}

typedef const struct nested_rule *check_fn(const struct vmcb *, const struct nested_check_env *);

static const struct nested_rule *check_vmrun(const struct vmcb *c,
					     const struct nested_check_env *env)
{
	static struct vmcb save;

	/* Each area of its own, and what is not looked at would fail. */
	memset(&save, 0xff, VMCB_SAVE_AREA);
	memcpy((u8 *)&save + VMCB_SAVE_AREA, (const u8 *)c + VMCB_SAVE_AREA,
	       PAGE_SIZE - VMCB_SAVE_AREA);
	return svm_nested_check(c, &save, env);
}

static const struct { u8 group; check_fn *fn; const char *name; } checks[] = {
	{ NESTED_GROUP_VMRUN, check_vmrun, "VMRUN" },
	{ NESTED_GROUP_SET, svm_nested_check_controls, "set, controls" },
	{ NESTED_GROUP_L1_SAVE, svm_nested_check_l1_save, "set, L1" },
};

enum env_change { ENV_SAME, ENV_NO_NPT, ENV_NO_VNMI, ENV_NO_PAGING, ENV_CET };

#define MAX_POKES	4
#define FINE		NESTED_RULE_COUNT	/* nothing fails */

/* A change of the good VMCB, and the rule that it breaks in the groups that have it. */
struct row {
	u16 rule;
	u8 env;
	struct { u16 field; u64 val; } poke[MAX_POKES];
};

/* clang-format off */
#define R(rule, ...)		{ NESTED_RULE_##rule, ENV_SAME, { __VA_ARGS__ } }
#define RE(rule, env, ...)	{ NESTED_RULE_##rule, env, { __VA_ARGS__ } }
#define OK(...)			{ FINE, ENV_SAME, { __VA_ARGS__ } }
#define OKE(env, ...)		{ FINE, env, { __VA_ARGS__ } }
#define P(field, val)		{ VMCB_F_##field, (val) }
#define CR0_GOOD		(CR0_PE | CR0_PG | CR0_ET | CR0_WP)
#define EFER_GOOD		(EFER_LME | EFER_LMA | EFER_SVME)
#define EVENT(type, vec)	P(eventinj, EVENTINJ_VALID | EVENTINJ_TYPE(type) | (vec))
#define END			BIT(PHYS)

static const struct row rows[] = {
	R(vmrun_intercept,	P(intercept_vec4, (u32)~VEC4_VMRUN)),
	OK(			P(intercept_vec4, ~0u)),
	R(asid,			P(guest_asid, 0)),
	OK(			P(guest_asid, ~0u)),
	RE(np_unsupported, ENV_NO_NPT, P(n_cr3, 0)),
	OKE(ENV_NO_NPT,		P(nested_ctl, (u32)~NESTED_CTL_NP_ENABLE)),
	RE(np_paging, ENV_NO_PAGING, P(n_cr3, 0)),
	OKE(ENV_NO_PAGING,	P(nested_ctl, 0)),
	R(ncr3,			P(n_cr3, END)),
	R(ncr3,			P(n_cr3, BIT(63))),
	OK(			P(n_cr3, END - 1)),
	OK(			P(n_cr3, ~0ULL), P(nested_ctl, 0)),
	/* 8 KiB and 12 KiB; the last byte counts, bits 11:0 do not. */
	R(msrpm,		P(msrpm_base_pa, END - 0x1000)),
	R(msrpm,		P(msrpm_base_pa, END)),
	R(msrpm,		P(msrpm_base_pa, ~0ULL)),
	R(msrpm,		P(msrpm_base_pa, END - 0x1000), P(intercept_vec3, 0)),
	R(msrpm_last,		P(msrpm_base_pa, END - 0x2000)),
	R(msrpm_last,		P(msrpm_base_pa, END - 0x1001)),
	OK(			P(msrpm_base_pa, END - 0x3000)),
	OK(			P(msrpm_base_pa, END - 0x2001)),
	R(iopm,			P(iopm_base_pa, END - 0x2000)),
	R(iopm,			P(iopm_base_pa, END)),
	R(iopm,			P(iopm_base_pa, BIT(63))),
	OK(			P(iopm_base_pa, END - 0x3000)),
	OK(			P(iopm_base_pa, END - 0x2001)),
	R(vnmi_intercept,	P(int_ctl, INT_CTL_V_NMI_ENABLE)),
	R(set_vnmi_intercept,	P(int_ctl, INT_CTL_V_NMI_ENABLE)),
	RE(set_vnmi_intercept, ENV_NO_VNMI, P(int_ctl, INT_CTL_V_NMI_ENABLE)),
	OK(			P(int_ctl, INT_CTL_V_NMI_ENABLE), P(intercept_vec3, VEC3_NMI)),
	OK(			P(int_ctl, ~INT_CTL_V_NMI_ENABLE)),
	R(event_type,		EVENT(1, 0x40)),
	R(event_type,		EVENT(5, 1)),
	R(event_type,		EVENT(6, 3)),
	R(event_type,		EVENT(7, 0x40)),
	OK(			EVENT(EVENTINJ_INTR, 0xff)),
	OK(			EVENT(EVENTINJ_NMI, 0)),
	OK(			EVENT(EVENTINJ_NMI, 0xff)),
	OK(			EVENT(EVENTINJ_SOFT_INT, 0)),
	OK(			P(eventinj, EVENTINJ_TYPE(7) | 0x700000ff)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, VEC_NMI)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, 9)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, 15)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, VEC_VE)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, VEC_CP)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, 22)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, 27)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, VEC_HV)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, VEC_VC)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, 31)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, 32)),
	R(event_vector,		EVENT(EVENTINJ_EXCEPTION, 255)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_DE)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_DB)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_BP)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_UD)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_NM)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_DF)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_TS)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_NP)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_SS)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_GP)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_PF)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_MF)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_AC)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_MC)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_XM)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_SX)),
	OKE(ENV_CET,		EVENT(EVENTINJ_EXCEPTION, VEC_CP)),
	R(event_mode,		EVENT(EVENTINJ_EXCEPTION, VEC_BR)),
	R(event_mode,		EVENT(EVENTINJ_EXCEPTION, VEC_OF)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_BR), P(cs_attrib, 0x49b)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_OF), P(cs_attrib, 0x49b)),
	OK(			EVENT(EVENTINJ_EXCEPTION, VEC_BR), P(efer, EFER_SVME)),
	OK(			EVENT(EVENTINJ_SOFT_INT, VEC_BR)),

	/* Paged real mode and no paging at all are for L2, not for L1. */
	R(l1_cr0_pg,		P(cr0, CR0_PE)),
	R(l1_cr0_pe,		P(cr0, CR0_PG), P(efer, EFER_SVME)),
	R(l1_rflags_vm,		P(rflags, RFLAGS_VM)),
	OK(			P(rflags, ~RFLAGS_VM)),

	R(efer_svme,		P(efer, EFER_GOOD & ~EFER_SVME)),
	R(cr0_nw,		P(cr0, CR0_GOOD | CR0_NW)),
	OK(			P(cr0, CR0_GOOD | CR0_NW | CR0_CD)),
	OK(			P(cr0, CR0_GOOD | CR0_CD)),
	R(cr0_high,		P(cr0, CR0_GOOD | BIT(32))),
	R(cr0_high,		P(cr0, CR0_GOOD | BIT(63))),
	OK(			P(cr0, (u32)~CR0_NW)),
	R(dr6_high,		P(dr6, BIT(32))),
	R(dr6_high,		P(dr6, BIT(63))),
	OK(			P(dr6, ~0u)),
	R(dr7_high,		P(dr7, BIT(32))),
	R(dr7_high,		P(dr7, BIT(63))),
	OK(			P(dr7, ~0u)),
	R(lme_pae,		P(cr4, 0)),
	OK(			P(cr4, 0), P(efer, EFER_SVME)),
	OK(			P(efer, EFER_SVME)),
	R(lme_pe,		P(cr0, CR0_PG)),
	R(cr3,			P(cr3, END)),
	R(cr3,			P(cr3, BIT(63))),
	OK(			P(cr3, END - 1)),
	R(cr3_legacy,		P(cr3, END), P(efer, EFER_SVME)),
	R(cr3_legacy,		P(cr3, BIT(63)), P(cr0, CR0_GOOD & ~CR0_PG)),
	OK(			P(cr3, END - 1), P(efer, EFER_SVME)),
	R(cs_l_d,		P(cs_attrib, 0x69b)),
	OK(			P(cs_attrib, 0x49b)),
	OK(			P(cs_attrib, 0x69b), P(efer, EFER_SVME)),
	R(cr4,			P(cr4, CR4_PAE | CR4_UMIP)),
	R(cr4,			P(cr4, CR4_PAE | CR4_VMXE)),
	R(cr4,			P(cr4, CR4_PAE | BIT(15))),
	R(cr4,			P(cr4, CR4_PAE | BIT(32))),
	R(cr4,			P(cr4, CR4_PAE | BIT(63))),
	OK(			P(cr4, CR4_PAE | CR4_PCIDE | CR4_SMAP | CR4_VME)),
	OK(			P(cr4, CR4_PCIDE), P(efer, EFER_SVME)),
	R(efer,			P(efer, EFER_GOOD | BIT(1))),
	R(efer,			P(efer, EFER_GOOD | EFER_LMSLE)),
	R(efer,			P(efer, EFER_GOOD | BIT(32))),
	R(efer,			P(efer, EFER_GOOD | BIT(63))),
	OK(			P(efer, EFER_GOOD | EFER_NXE | EFER_SCE)),
	OK(			P(efer, EFER_SVME | EFER_LMA)),
	OK(			P(efer, EFER_SVME | EFER_LME)),
	R(g_pat,		P(g_pat, (PT_PAT_RESET & ~6ULL) | 2)),
	R(g_pat,		P(g_pat, 3ULL << 56)),
	R(g_pat,		P(g_pat, 0x80 << 8)),
	OK(			P(g_pat, ~0ULL), P(nested_ctl, 0)),
	OK(			P(g_pat, 0x0706050401000007)),
	RE(cet_wp, ENV_CET,	P(cr4, CR4_PAE | CR4_CET), P(cr0, CR0_GOOD & ~CR0_WP)),
	OKE(ENV_CET,		P(cr4, CR4_PAE | CR4_CET)),
	RE(s_cet, ENV_CET,	P(s_cet, 4)),
	RE(s_cet, ENV_CET,	P(s_cet, BIT(63))),
	OKE(ENV_CET,		P(s_cet, 3)),
	OK(			P(s_cet, ~0ULL)),
};
/* clang-format on */

static struct nested_check_env make_env(u8 change)
{
	struct nested_check_env env = base_env;

	switch (change) {
	case ENV_NO_NPT:
		env.npt = false;
		break;
	case ENV_NO_VNMI:
		env.vnmi = false;
		break;
	case ENV_NO_PAGING:
		env.l1_paging = false;
		break;
	case ENV_CET:
		env.cr4_allowed |= CR4_CET;
		break;
	}
	return env;
}

static void expect(unsigned int row, unsigned int k, u16 want, const struct vmcb *c,
		   const struct nested_check_env *env)
{
	const struct nested_rule *r = checks[k].fn(c, env);
	unsigned int got = r ? svm_nested_rule_index(r) : FINE;

	if (got != want)
		fail_msg("row %u, %s: %s, not %s", row, checks[k].name, r ? r->id : "passes",
			 want == FINE ? "passing" : svm_nested_rules[want].id);
}

/*
 * What each row pokes breaks its rule, in every group that has the rule; a row
 * that breaks none passes VMRUN.
 */
static void test_rows(void **state)
{
	static struct vmcb c;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct nested_check_env env = make_env(rows[i].env);

		good(&c);
		for (unsigned int p = 0; p < MAX_POKES; p++)
			if (rows[i].poke[p].field || rows[i].poke[p].val)
				vmcb_write(&c, rows[i].poke[p].field, rows[i].poke[p].val);
		if (rows[i].rule == FINE) {
			expect(i, 0, FINE, &c, &env);
			continue;
		}
		for (unsigned int k = 0; k < ARRAY_SIZE(checks); k++)
			if (svm_nested_rules[rows[i].rule].groups & checks[k].group)
				expect(i, k, rows[i].rule, &c, &env);
	}
}

/* No rule without a row, none without a name and a source, names that differ. */
static void test_every_rule_has_a_row(void **state)
{
	bool seen[NESTED_RULE_COUNT] = { false };

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].rule != FINE)
			seen[rows[i].rule] = true;
	for (unsigned int i = 0; i < NESTED_RULE_COUNT; i++) {
		const struct nested_rule *r = &svm_nested_rules[i];

		if (!seen[i])
			fail_msg("%s has no row", r->id);
		assert_true(r->ref[0] && r->groups);
		assert_int_equal(svm_nested_rule_index(r), i);
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(r->id, svm_nested_rules[j].id);
	}
}

/* The rules that a blob's parts and a vmcb12 are held against are those of the table. */
static void test_groups(void **state)
{
	static struct vmcb c;

	for (unsigned int k = 0; k < ARRAY_SIZE(checks); k++) {
		good(&c);
		expect(0, k, FINE, &c, &base_env);
	}
	/* Each half does not look at the other. */
	memset(&c, 0xff, VMCB_SAVE_AREA);
	expect(1, 2, FINE, &c, &base_env);
	good(&c);
	memset((u8 *)&c + VMCB_SAVE_AREA, 0xff, sizeof(c) - VMCB_SAVE_AREA);
	expect(2, 1, FINE, &c, &base_env);
	/* A CPU without virtual NMIs ignores the bit; a blob may not have it. */
	good(&c);
	vmcb_set_int_ctl(&c, INT_CTL_V_NMI_ENABLE);
	expect(3, 0, FINE, &c, &(struct nested_check_env){
		.efer_allowed = base_env.efer_allowed, .cr4_allowed = base_env.cr4_allowed,
		.maxphyaddr = PHYS, .npt = true, .l1_paging = true });
}

static const struct nested_rule *walk(const struct vmcb *c, const struct nested_check_env *env)
{
	for (unsigned int i = 0; i < NESTED_RULE_COUNT; i++)
		if ((svm_nested_rules[i].groups & NESTED_GROUP_VMRUN) &&
		    !svm_nested_rules[i].ok(c, c, env))
			return &svm_nested_rules[i];
	return NULL;
}

/*
 * The same rules once more, straight from APM2 15.5.1, 15.20, 15.21.10 and 15.25, in
 * terms of bytes of the VMCB.
 */
static bool controls_legal(const u64 *q, const struct nested_check_env *env)
{
	const u64 end = 1ULL << env->maxphyaddr;
	const u32 v3 = (u32)(q[1] >> 32), v4 = (u32)q[2], inj = (u32)q[0xa8 / 8];
	const bool np = q[0x90 / 8] & 1;

	if (!(v4 & 1) || !(u32)q[0x58 / 8])
		return false;
	if (np && (!env->npt || !env->l1_paging || q[0xb0 / 8] >= end))
		return false;
	if ((q[0x48 / 8] | 0xfff) + 0x1000 >= end - 1 || (q[0x48 / 8] | 0xfff) >= end)
		return false;
	if ((q[0x40 / 8] | 0xfff) + 0x2000 >= end || (q[0x40 / 8] | 0xfff) >= end)
		return false;
	if (env->vnmi && (q[0x60 / 8] & 1 << 26) && !(v3 & 2))
		return false;
	if (!(inj >> 31))
		return true;
	if ((inj >> 8 & 7) == 3)
		return (inj & 0xff) < 32 && (0x402f7dfbu >> (inj & 0xff) & 1) &&
		       ((inj & 0xff) != 21 || (env->cr4_allowed >> 23 & 1));
	return (inj >> 8 & 7) == 0 || (inj >> 8 & 7) == 2 || (inj >> 8 & 7) == 4;
}

static bool pat_legal(u64 pat)
{
	for (unsigned int i = 0; i < 8; i++)
		if (!strchr("\1\4\5\6\7", (int)(pat >> i * 8 & 0xff)))
			return false;
	return true;
}

static bool save_legal(const u64 *q, const struct nested_check_env *env)
{
	const u64 cr0 = q[0x558 / 8], cr4 = q[0x548 / 8], efer = q[0x4d0 / 8];
	const u32 cs = (u32)(q[0x410 / 8] >> 16 & 0xffff), inj = (u32)q[0xa8 / 8];
	const bool lm = (efer >> 8 & 1) && (cr0 >> 31 & 1), cet = env->cr4_allowed >> 23 & 1;

	if (!(efer >> 12 & 1) || (efer & ~env->efer_allowed) || (cr4 & ~env->cr4_allowed))
		return false;
	if (((cr0 >> 29 & 3) == 1) || cr0 >> 32 || q[0x568 / 8] >> 32 || q[0x560 / 8] >> 32)
		return false;
	if (q[0x550 / 8] >= 1ULL << env->maxphyaddr)
		return false;
	if (lm && (!(cr4 >> 5 & 1) || !(cr0 & 1) || (cs >> 9 & 3) == 3))
		return false;
	if (lm && (cs >> 9 & 1) && inj >> 31 && (inj >> 8 & 7) == 3 &&
	    ((inj & 0xff) == 4 || (inj & 0xff) == 5))
		return false;
	if ((q[0x90 / 8] & 1) && !pat_legal(q[0x668 / 8]))
		return false;
	if ((cr4 >> 23 & 1) && !(cr0 >> 16 & 1))
		return false;
	return !cet || q[0x5e0 / 8] < 4;
}

/* At the end of the addresses, or a small number. */
static u64 near(struct rng *r)
{
	return rng_one_in(r, 2) ? BIT(PHYS) - rng_below(r, 5) * 0x1000 - rng_below(r, 2) :
				  rng_below(r, 4);
}

static struct nested_check_env some_env(struct rng *r)
{
	struct nested_check_env env = base_env;

	env.npt = !rng_one_in(r, 8);
	env.vnmi = !rng_one_in(r, 4);
	env.l1_paging = !rng_one_in(r, 8);
	if (rng_one_in(r, 2))
		env.cr4_allowed |= CR4_CET;
	return env;
}

static const u16 fields[] = {
	VMCB_F_intercept_vec3, VMCB_F_intercept_vec4, VMCB_F_iopm_base_pa, VMCB_F_msrpm_base_pa,
	VMCB_F_guest_asid, VMCB_F_int_ctl, VMCB_F_nested_ctl, VMCB_F_eventinj, VMCB_F_eventinj,
	VMCB_F_n_cr3, VMCB_F_cs_attrib, VMCB_F_efer, VMCB_F_cr4, VMCB_F_cr3, VMCB_F_cr0,
	VMCB_F_dr7, VMCB_F_dr6, VMCB_F_rflags, VMCB_F_s_cet, VMCB_F_g_pat,
};

/*
 * In three million states near a good one: the fast check says what the walk over the rows
 * says, which is what the manual's list says.
 */
static void test_random(void **state)
{
	struct rng r = rng_seed(1);
	unsigned int passed = 0, hits[NESTED_RULE_COUNT] = { 0 };
	static struct vmcb c;

	for (unsigned int n = 0; n < 3000000; n++) {
		const struct nested_check_env env = some_env(&r);
		const struct nested_rule *got;
		bool legal;

		good(&c);
		/* Two bits that seldom change together. */
		if (rng_one_in(&r, 64)) {
			vmcb_set_cr4(&c, vmcb_get_cr4(&c) | CR4_CET);
			vmcb_set_cr0(&c, vmcb_get_cr0(&c) & ~CR0_WP);
		}
		for (u64 k = rng_below(&r, 4); k; k--) {
			u16 f = fields[rng_below(&r, ARRAY_SIZE(fields))];

			vmcb_write(&c, f, rng_register(&r, vmcb_read(&c, f), near));
		}
		got = svm_nested_check(&c, &c, &env);
		legal = controls_legal((const u64 *)&c, &env) && save_legal((const u64 *)&c, &env);
		if (got != walk(&c, &env) || !got != legal)
			fail_msg("state %u: %s, legal %d", n, got ? got->id : "passes", legal);
		passed += !got;
		if (got)
			hits[svm_nested_rule_index(got)]++;
	}
	/* The states are worth something: many pass, and every rule is broken by some. */
	assert_true(passed > 300000);
	for (unsigned int i = 0; i < NESTED_RULE_COUNT; i++)
		if ((svm_nested_rules[i].groups & NESTED_GROUP_VMRUN) && hits[i] < 100)
			fail_msg("%s was met %u times", svm_nested_rules[i].id, hits[i]);
}

/* The six that VMRUN loads and the shadow stack pointers; with LA57 from bit 56. */
static void test_canon_bases(void **state)
{
	static const u16 base[] = {
		VMCB_F_es_base, VMCB_F_cs_base, VMCB_F_ss_base, VMCB_F_ds_base, VMCB_F_gdtr_base,
		VMCB_F_idtr_base, VMCB_F_ssp, VMCB_F_isst_addr,
	};
	static const u16 not_loaded[] = {
		VMCB_F_fs_base, VMCB_F_gs_base, VMCB_F_tr_base, VMCB_F_ldtr_base, VMCB_F_lstar,
		VMCB_F_kernel_gs_base, VMCB_F_rip, VMCB_F_rsp,
	};
	struct nested_check_env env = base_env;
	static struct vmcb c;

	for (unsigned int la57 = 0; la57 < 2; la57++) {
		const u64 sign = la57 ? BIT(56) : BIT(47);

		env.linear_bits = la57 ? 57 : 48;
		good(&c);
		for (unsigned int i = 0; i < ARRAY_SIZE(base); i++)
			vmcb_write(&c, base[i], i & 1 ? sign + i : 0xfe00000000000000 + i);
		for (unsigned int i = 0; i < ARRAY_SIZE(not_loaded); i++)
			vmcb_write(&c, not_loaded[i], sign);
		svm_nested_canon(&c, &c, &env);
		for (unsigned int i = 0; i < ARRAY_SIZE(base); i++)
			assert_int_equal(vmcb_read(&c, base[i]), i & 1 ? -sign + i : i);
		for (unsigned int i = 0; i < ARRAY_SIZE(not_loaded); i++)
			assert_int_equal(vmcb_read(&c, not_loaded[i]), sign);
		assert_int_equal(vmcb_get_cs(&c)->selector, 0x10);
		assert_int_equal(vmcb_get_cs(&c)->attrib, 0x29b);
		assert_int_equal(vmcb_get_cs(&c)->limit, ~0u);
	}
}

/* VMLOAD's members, and only these. */
static void test_canon_vmload(void **state)
{
	static const u16 addr[] = {
		VMCB_F_fs_base, VMCB_F_gs_base, VMCB_F_ldtr_base, VMCB_F_tr_base,
		VMCB_F_kernel_gs_base, VMCB_F_lstar, VMCB_F_cstar, VMCB_F_sysenter_esp,
		VMCB_F_sysenter_eip,
	};
	static struct vmcb c;

	good(&c);
	for (unsigned int i = 0; i < ARRAY_SIZE(addr); i++)
		vmcb_write(&c, addr[i], i & 1 ? BIT(47) + i : 0xfe00000000000000 + i);
	vmcb_write(&c, VMCB_F_sfmask, 0x1234567800000700);
	vmcb_write(&c, VMCB_F_star, 0xfedcba9876543210);
	vmcb_write(&c, VMCB_F_es_base, BIT(47));
	svm_nested_canon_vmload(&c, &base_env);
	for (unsigned int i = 0; i < ARRAY_SIZE(addr); i++)
		assert_int_equal(vmcb_read(&c, addr[i]), i & 1 ? -BIT(47) + i : i);
	assert_int_equal(vmcb_read(&c, VMCB_F_sfmask), 0x700);
	assert_int_equal(vmcb_read(&c, VMCB_F_star), 0xfedcba9876543210);
	assert_int_equal(vmcb_read(&c, VMCB_F_es_base), BIT(47));
}

static void test_canon_lma(void **state)
{
	static const struct { u64 efer, cr0; bool lma; } row[] = {
		{ EFER_LME, CR0_PG | CR0_PE, true }, { EFER_LME | EFER_LMA, CR0_PG, true },
		{ EFER_LME | EFER_LMA, CR0_PE, false }, { EFER_LMA, CR0_PG | CR0_PE, false },
		{ 0, 0, false },
	};
	static struct vmcb c;

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		good(&c);
		vmcb_set_efer(&c, EFER_SVME | row[i].efer);
		vmcb_set_cr0(&c, row[i].cr0);
		svm_nested_canon(&c, &c, &base_env);
		assert_int_equal(vmcb_get_efer(&c), EFER_SVME | (row[i].efer & ~EFER_LMA) |
				 (row[i].lma ? EFER_LMA : 0));
	}
}

/* APM2 15.10.1, 15.11: bits 11:0 of both maps' addresses are ignored. */
static void test_canon_maps(void **state)
{
	static struct vmcb c;

	good(&c);
	vmcb_set_iopm_base_pa(&c, 0x12fff);
	vmcb_set_msrpm_base_pa(&c, 0x20001);
	svm_nested_canon(&c, &c, &base_env);
	assert_int_equal(vmcb_get_iopm_base_pa(&c), 0x12000);
	assert_int_equal(vmcb_get_msrpm_base_pa(&c), 0x20000);
}

/* Clean bits are L1's word: they stay when nothing changes, and go when something does. */
static void test_canon_clean_bits(void **state)
{
	static struct vmcb c, before;
	struct vmcb_seg s;

	good(&c);
	c.clean = VMCB_CLEAN_ALL;
	before = c;
	svm_nested_canon(&c, &c, &base_env);
	assert_memory_equal(&c, &before, sizeof(c));
	s = *vmcb_get_ds(&c);
	s.base = BIT(47);
	vmcb_set_ds(&c, &s);
	c.clean = VMCB_CLEAN_ALL;
	svm_nested_canon(&c, &c, &base_env);
	assert_int_equal(c.clean, VMCB_CLEAN_ALL & ~VMCB_CLEAN_SEG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_rule_has_a_row),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_canon_bases),
		cmocka_unit_test(test_canon_vmload),
		cmocka_unit_test(test_canon_lma),
		cmocka_unit_test(test_canon_maps),
		cmocka_unit_test(test_canon_clean_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
