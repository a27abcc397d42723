// SPDX-License-Identifier: MIT
/* VMRUN of random states: the CPU's verdict and that of svm/nested_check.c (APM2 15.5.1). */
#include "core/lib/string.h"
#include "svm/inject.h"
#include "svm/nested_check.h"
#include "svm/perm.h"
#include "tests/defects.h"
#include "tests/report.h"
#include "tests/svm/svm_test.h"

#define STATES	20000

static struct vmcb pristine;
static u8 tables[G_PT32 + PAGE_SIZE - G_PML4];

/* Bits that are looked at, and that no other test has found to vary. */
static const struct { u16 field; u64 bits; } flips[] = {
	{ VMCB_F_efer, EFER_SCE | BIT(1) | EFER_LME | BIT(9) | EFER_NXE | EFER_SVME |
		       BIT(16) | BIT(22) | BITS(63, 31) },
	{ VMCB_F_cr0, CR0_PE | CR0_WP | CR0_CD | CR0_NW | CR0_PG | BITS(63, 32) },
	{ VMCB_F_cr3, BITS(63, 52) },
	{ VMCB_F_cr4, CR4_PSE | CR4_PAE | CR4_PGE | CR4_VMXE | BIT(15) | BIT(19) | BITS(63, 25) },
	{ VMCB_F_dr6, BITS(63, 32) }, { VMCB_F_dr7, BITS(63, 32) },
	{ VMCB_F_cs_attrib, BIT(9) | SEG_D },
	{ VMCB_F_guest_asid, 3 }, { VMCB_F_intercept_vec4, VEC4_VMRUN },
	{ VMCB_F_g_pat, BIT(1) | BIT(10) | BIT(31) | BIT(56) | BIT(63) },
	{ VMCB_F_n_cr3, BITS(63, 52) },
	{ VMCB_F_msrpm_base_pa, BITS(11, 0) | BITS(63, 52) },
	{ VMCB_F_iopm_base_pa, BITS(11, 0) | BITS(63, 52) },
};

/* Just about the end of physical addresses. */
static void at_end(struct test_ctx *t, struct vmcb *c)
{
	static const u16 field[] = { VMCB_F_msrpm_base_pa, VMCB_F_iopm_base_pa };

	vmcb_write(c, field[test_random(t) % ARRAY_SIZE(field)],
		   BIT(svm.caps.maxphyaddr) - test_random(t) % 5 * PAGE_SIZE);
}

/* Of any type, most of them exceptions. */
static void event(struct test_ctx *t, struct vmcb *c)
{
	u64 type = test_random(t) % 2 ? EVENTINJ_EXCEPTION : test_random(t) % 8;
	u64 vector = test_random(t) % 4 ? test_random(t) % 40 : VEC_OF + test_random(t) % 2;

	c->eventinj = EVENTINJ_VALID | EVENTINJ_TYPE(type) | vector;
}

static u64 one_of(struct test_ctx *t, u64 bits)
{
	for (;;) {
		u64 bit = BIT(test_random(t) % 64);

		if (bits & bit)
			return bit;
	}
}

/* What is legal, and refused by some: kept apart, for it is known. */
enum legal { LEGAL_ANY, LEGAL_CS_L_D, LEGAL_COUNT };
static const char *const legal_name[] = {
	"no rule", "CS.L and CS.D outside long mode",
};

static enum legal legal_kind(const struct vmcb *c)
{
	const u16 both = BIT(9) | SEG_D;

	return (vmcb_get_cs(c)->attrib & both) == both ? LEGAL_CS_L_D : LEGAL_ANY;
}

static void mutate(struct test_ctx *t, struct vmcb *c)
{
	for (u64 k = 1 + test_random(t) % 4; k; k--) {
		u64 what = test_random(t) % (ARRAY_SIZE(flips) + 3);

		if (what < ARRAY_SIZE(flips)) {
			const u16 f = flips[what].field;

			vmcb_write(c, f, vmcb_read(c, f) ^ one_of(t, flips[what].bits));
		} else if (what == ARRAY_SIZE(flips)) {
			at_end(t, c);
		} else {
			event(t, c);
		}
	}
	/* The manual does not say what becomes of another LMA, nor of a long CR3 without it. */
	vmcb_set_efer(c, vmcb_get_efer(c) & ~EFER_LMA);
	if (vmcb_get_efer(c) & EFER_LME && vmcb_get_cr0(c) & CR0_PG)
		vmcb_set_efer(c, vmcb_get_efer(c) | EFER_LMA);
	else
		vmcb_set_cr3(c, (u32)vmcb_get_cr3(c));
}

/* Of a rule: how often the CPU let in what breaks it, and the first such state. */
struct finding {
	u32 n, first;
};

static void found(struct finding *f, u32 state)
{
	if (!f->n++)
		f->first = state;
}

static void blame(const struct vmcb *c, const struct nested_check_env *env, u32 state,
		  struct finding *f)
{
	for (unsigned int i = 0; i < NESTED_RULE_COUNT; i++) {
		const struct nested_rule *r = &svm_nested_rules[i];

		if (!(r->groups & NESTED_GROUP_VMRUN) || r->ok(c, c, env))
			continue;
		found(&f[i], state);
	}
}

/* What the emulator gets wrong in a way that ends it. */
static bool fatal(const struct vmcb *c, const struct nested_check_env *env, bool known)
{
	return known && !svm_nested_rules[NESTED_RULE_lme_pe].ok(c, c, env);
}

/* Whatever is let in leaves at once: with its first instruction, or a fault. */
static void exit_soon(struct machine *m)
{
	svm_of(m)->exc_want = ~0U;
	svm_apply_intercepts(svm_of(m));
}

TEST(svm, entry_random, .ref = "APM2 15.5.1, 15.20, 15.25.3", .needs = NEED_SVM)
{
	const struct nested_check_env env = {
		.efer_allowed = svm.caps.efer_valid, .cr4_allowed = svm.caps.cr4_valid,
		.maxphyaddr = svm.caps.maxphyaddr, .linear_bits = 48, .npt = true,
		.vnmi = svm.caps.vnmi, .l1_paging = true,
	};
	struct finding let_in[NESTED_RULE_COUNT] = { { 0 } }, kept_out[LEGAL_COUNT] = { { 0 } };
	struct machine *m = svm_machine(t);
	bool stops = defect_find(report_platform(), t->test->id, "lme_pe");
	u32 good = 0;

	exit_soon(m);
	/* The next to none: ASID 0 is one change away. */
	vmcb_set_guest_asid(vmcb_of(m), 1);
	svm_save(m, &pristine);
	memcpy(tables, machine_ptr(m, G_PML4, sizeof(tables)), sizeof(tables));
	for (u32 i = 0; i < STATES; i++) {
		const struct nested_rule *r;
		bool refused;

		mutate(t, vmcb_of(m));
		vmcb_of(m)->tlb_control = TLB_CONTROL_FLUSH_ALL;
		r = svm_nested_check(vmcb_of(m), vmcb_of(m), &env);
		if (!fatal(vmcb_of(m), &env, stops)) {
			static struct vmcb was;

			svm_save(m, &was);
			refused = machine_run(m) == EXIT_ENTRY_FAIL;
			good += !refused;
			if (r && !refused)
				blame(&was, &env, i, let_in);
			else if (!r && refused)
				found(&kept_out[legal_kind(&was)], i);
		}
		svm_restore(m, &pristine);
		/* What the last one made of its tables, in another mode. */
		memcpy(machine_ptr(m, G_PML4, sizeof(tables)), tables, sizeof(tables));
	}
	for (unsigned int i = 0; i < NESTED_RULE_COUNT; i++) {
		if (!(svm_nested_rules[i].groups & NESTED_GROUP_VMRUN))
			continue;
		test_row(t, svm_nested_rules[i].id);
		if (stops && i == NESTED_RULE_lme_pe && svm_known_defect(t, "lme_pe"))
			continue;
		CHECK(t, !let_in[i].n, "VMRUN accepts %u states, the first is number %u",
		      let_in[i].n, let_in[i].first);
	}
	for (unsigned int i = 0; i < LEGAL_COUNT; i++) {
		test_row(t, legal_name[i]);
		CHECK(t, !kept_out[i].n, "VMRUN refuses %u states, the first is number %u",
		      kept_out[i].n, kept_out[i].first);
	}
	test_row(t, "enters again");
	CHECK(t, good > STATES / 16, "only %u were entered", good);
	vmcb_of(m)->tlb_control = TLB_CONTROL_FLUSH_ALL;
	svm_expect(m, SVM_EXIT_VMMCALL, "the unchanged VMCB");
}
