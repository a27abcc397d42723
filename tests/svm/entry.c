// SPDX-License-Identifier: MIT
/* Consistency checks of VMRUN: APM2 15.5.1, 15.20, 15.25.3. */
#include "core/lib/string.h"
#include "core/mm/pt.h"
#include "core/x86/insn.h"
#include "tests/svm/svm_test.h"

enum poke_op { POKE_END, POKE_SET, POKE_OR, POKE_CLEAR, POKE_PHYS };

struct poke {
	u16 field;
	u8 op;			/* POKE_PHYS: the first page beyond the physical addresses */
	u64 val;
};

#define MAX_POKES	6

/* One rule, and how to break it. */
struct entry_row {
	const char *name;
	struct poke poke[MAX_POKES];
	bool fatal;		/* an emulator that gets it wrong stops: not tried there */
};

/* clang-format off */
#define SET(f, v)	{ VMCB_F_##f, POKE_SET, (v) }
#define OR(f, v)	{ VMCB_F_##f, POKE_OR, (v) }
#define CLEAR(f, v)	{ VMCB_F_##f, POKE_CLEAR, (v) }
#define PHYS(f, v)	{ VMCB_F_##f, POKE_PHYS, (v) }
#define ROW(n, ...)	{ .name = n, .poke = { __VA_ARGS__ } }
#define ROW_FATAL(n, ...) { .name = n, .poke = { __VA_ARGS__ }, .fatal = true }
/* clang-format on */

static struct vmcb pristine;

static void poke(struct machine *m, const struct poke *p)
{
	struct vmcb *c = vmcb_of(m);

	for (unsigned int i = 0; i < MAX_POKES && p[i].op != POKE_END; i++) {
		u64 old = vmcb_read(c, p[i].field);
		u64 val = p[i].val;

		switch (p[i].op) {
		case POKE_OR:
			val |= old;
			break;
		case POKE_CLEAR:
			val = old & ~val;
			break;
		case POKE_PHYS:
			val += BIT(svm.caps.maxphyaddr);
			break;
		}
		vmcb_write(c, p[i].field, val);
	}
}

/*
 * RIP, RSP, RFLAGS, RAX are not poked through the VMCB: svm_enter writes them.
 */
static void bad_rows(struct test_ctx *t, const struct entry_row *rows, unsigned int n)
{
	struct machine *m = svm_machine(t);

	svm_save(m, &pristine);
	for (unsigned int i = 0; i < n; i++) {
		enum exit_reason r;

		test_row(t, rows[i].name);
		if (rows[i].fatal && svm_known_defect(t, rows[i].name))
			continue;
		poke(m, rows[i].poke);
		r = machine_run(m);
		CHECK(t, r == EXIT_ENTRY_FAIL, "VMRUN accepted it: exit %s (%llx)",
		      exit_reason_name(r), (unsigned long long)m->v->exit.code);
		svm_restore(m, &pristine);
	}
	test_row(t, "enters again");
	svm_expect(m, SVM_EXIT_VMMCALL, "the unchanged VMCB");
}

/* The entry must work, although the rows around it do not. */
static void good_rows(struct test_ctx *t, const struct entry_row *rows, unsigned int n)
{
	struct machine *m = svm_machine(t);

	svm_save(m, &pristine);
	for (unsigned int i = 0; i < n; i++) {
		test_row(t, rows[i].name);
		poke(m, rows[i].poke);
		svm_expect(m, SVM_EXIT_VMMCALL, rows[i].name);
		svm_restore(m, &pristine);
	}
}

static const struct entry_row cr_rows[] = {
	ROW("CR0.CD = 0 and CR0.NW = 1",	OR(cr0, CR0_NW), CLEAR(cr0, CR0_CD)),
	ROW("CR0 bit 32",			OR(cr0, BIT(32))),
	ROW("CR0 bit 63",			OR(cr0, BIT(63))),
	ROW("CR3 beyond the physical addresses", PHYS(cr3, G_PML4)),
	ROW("CR3 bit 63",			OR(cr3, BIT(63))),
	ROW("CR4 bit 15",			OR(cr4, BIT(15))),
	ROW("CR4 bit 19",			OR(cr4, BIT(19))),
	ROW("CR4 bit 31",			OR(cr4, BIT(31))),
	ROW("CR4 bit 32",			OR(cr4, BIT(32))),
	ROW("CR4 bit 63",			OR(cr4, BIT(63))),
	ROW("CR4.VMXE",				OR(cr4, CR4_VMXE)),
};

TEST(svm, entry_control_registers, .ref = "APM2 15.5.1", .needs = NEED_SVM)
{
	bad_rows(t, cr_rows, ARRAY_SIZE(cr_rows));
}

/* CR4 bits of features that this CPU lacks are MBZ. */
TEST(svm, entry_cr4_features, .ref = "APM2 15.5.1, 3.1.3", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);
	static char name[24][16];
	unsigned int n = 0;

	svm_save(m, &pristine);
	for (unsigned int b = 11; b < 25; b++) {
		enum exit_reason r;

		if (svm.caps.cr4_valid & BIT(b) || b == 15 || b == 19)
			continue;
		/* CR4.PKS has a CPUID bit of its own that nothing else needs. */
		if (b == 24 && cpuid(7).ecx & BIT(31))
			continue;
		memcpy(name[n], "CR4 bit 00", 11);
		name[n][8] = (char)('0' + b / 10);
		name[n][9] = (char)('0' + b % 10);
		test_row(t, name[n++]);
		vmcb_set_cr4(vmcb_of(m), vmcb_get_cr4(vmcb_of(m)) | BIT(b));
		r = machine_run(m);
		EXPECT_EQ(t, r, EXIT_ENTRY_FAIL);
		svm_restore(m, &pristine);
	}
	test_row(t, "enters again");
	svm_expect(m, SVM_EXIT_VMMCALL, "the unchanged VMCB");
}

static const struct entry_row dr_rows[] = {
	ROW("DR6 bit 32",			OR(dr6, BIT(32))),
	ROW("DR6 bit 63",			OR(dr6, BIT(63))),
	ROW("DR7 bit 32",			OR(dr7, BIT(32))),
	ROW("DR7 bit 63",			OR(dr7, BIT(63))),
};

TEST(svm, entry_debug_registers, .ref = "APM2 15.5.1", .needs = NEED_SVM)
{
	bad_rows(t, dr_rows, ARRAY_SIZE(dr_rows));
}

static const struct entry_row efer_rows[] = {
	ROW("EFER.SVME = 0",			CLEAR(efer, EFER_SVME)),
	ROW("EFER bit 1",			OR(efer, BIT(1))),
	ROW("EFER bit 9",			OR(efer, BIT(9))),
	ROW("EFER bit 16",			OR(efer, BIT(16))),
	ROW("EFER bit 22",			OR(efer, BIT(22))),
	ROW("EFER bit 31",			OR(efer, BIT(31))),
	ROW("EFER bit 32",			OR(efer, BIT(32))),
	ROW("EFER bit 63",			OR(efer, BIT(63))),
	ROW("EFER.LME and CR0.PG without CR4.PAE", CLEAR(cr4, CR4_PAE)),
	ROW_FATAL("EFER.LME and CR0.PG without CR0.PE", CLEAR(cr0, CR0_PE)),
	ROW("EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D", OR(cs_attrib, SEG_D)),
};

TEST(svm, entry_efer, .ref = "APM2 15.5.1", .needs = NEED_SVM)
{
	bad_rows(t, efer_rows, ARRAY_SIZE(efer_rows));
}

static const struct entry_row control_rows[] = {
	ROW("VMRUN not intercepted",		CLEAR(intercept_vec4, VEC4_VMRUN)),
	ROW("ASID 0",				SET(guest_asid, 0)),
	ROW("MSR map beyond the physical addresses", PHYS(msrpm_base_pa, 0)),
	ROW("MSR map reaches beyond them",	PHYS(msrpm_base_pa, -(u64)PAGE_SIZE)),
	ROW("I/O map beyond the physical addresses", PHYS(iopm_base_pa, 0)),
	ROW("I/O map reaches beyond them",	PHYS(iopm_base_pa, -2 * (u64)PAGE_SIZE)),
};

TEST(svm, entry_controls, .ref = "APM2 15.5.1", .needs = NEED_SVM)
{
	bad_rows(t, control_rows, ARRAY_SIZE(control_rows));
}

static const struct entry_row npt_rows[] = {
	ROW("nCR3 beyond the physical addresses", PHYS(n_cr3, 0)),
	ROW("nCR3 bit 63",			OR(n_cr3, BIT(63))),
	ROW("gPAT type 2 in PA0",		SET(g_pat, 0x0007040600070402ULL)),
	ROW("gPAT type 3 in PA7",		SET(g_pat, 0x0307040600070406ULL)),
	ROW("gPAT reserved bit in PA1",		SET(g_pat, 0x0007040600078406ULL)),
};

TEST(svm, entry_nested_paging, .ref = "APM2 15.25.3, 15.25.4", .needs = NEED_SVM)
{
	bad_rows(t, npt_rows, ARRAY_SIZE(npt_rows));
}

#define INJ(type, vec)	SET(eventinj, EVENTINJ_VALID | EVENTINJ_TYPE(type) | (vec))

static const struct entry_row event_rows[] = {
	ROW("type 1",				INJ(1, 0x40)),
	ROW("type 5",				INJ(5, 1)),
	ROW("type 6",				INJ(6, 3)),
	ROW("type 7",				INJ(7, 0x40)),
	ROW("exception with vector 2",		INJ(EVENTINJ_EXCEPTION, 2)),
	ROW("exception with vector 32",		INJ(EVENTINJ_EXCEPTION, 32)),
	ROW("exception with vector 255",	INJ(EVENTINJ_EXCEPTION, 255)),
	ROW("#BR in 64-bit mode",		INJ(EVENTINJ_EXCEPTION, VEC_BR)),
};

TEST(svm, entry_events, .ref = "APM2 15.20", .needs = NEED_SVM)
{
	bad_rows(t, event_rows, ARRAY_SIZE(event_rows));
}

static const struct entry_row legal_rows[] = {
	ROW("CR0.CD and CR0.NW",		OR(cr0, CR0_CD | CR0_NW)),
	ROW("CR0.CD alone",			OR(cr0, CR0_CD)),
	ROW("CR0 reserved bits below 32",	OR(cr0, BIT(6) | BIT(28))),
	ROW("DR6 with bits set",		OR(dr6, 0xe00f)),
	ROW("DR7 with bits set",		OR(dr7, 0x00000700)),
	ROW("event with valid bit clear",	SET(eventinj, EVENTINJ_TYPE(7) | 0xff)),
	ROW("largest ASID",			SET(guest_asid, 0)),
	ROW("maps at the last pages of the low 12 bits", OR(msrpm_base_pa, 0xfff),
						OR(iopm_base_pa, 0xfff)),
	ROW("clean bits beyond those defined",	SET(clean, 0)),
	ROW("reserved bytes of the control area", SET(vmsa_pa, 0)),
};

TEST(svm, entry_legal, .ref = "APM2 15.5.1", .needs = NEED_SVM)
{
	struct entry_row rows[ARRAY_SIZE(legal_rows)];

	memcpy(rows, legal_rows, sizeof(rows));
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].poke[0].field == VMCB_F_guest_asid)
			rows[i].poke[0].val = svm.caps.nasid - 1;
	}
	good_rows(t, rows, ARRAY_SIZE(rows));
}

/* APM2 15.5.1: a guest with CR0.PG = 1 and PE = 0: paged real mode is legal. */
GUEST16(g_real, "mov $0x1234, %ax; vmmcall; hlt");

TEST(svm, entry_paged_real_mode, .ref = "APM2 15.19", .needs = NEED_SVM)
{
	struct machine *m = machine_new(t, MODE_REAL16, &g_real);

	/* 32-bit paging; the tables map everything one to one. */
	machine_set(m, VREG_CR3, G_PT32);
	machine_set(m, VREG_CR4, CR4_PSE);
	machine_set(m, VREG_CR0, CR0_ET | CR0_PG);
	svm_expect(m, SVM_EXIT_VMMCALL, "paged real mode");
	EXPECT_EQ(t, machine_get(m, VREG_RAX) & 0xffff, 0x1234);
}

/* APM2 appendix C: VMEXIT_INVALID is -1, 64 bits wide. */
TEST(svm, entry_invalid_code, .ref = "APM2 appendix C", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);

	vmcb_set_efer(vmcb_of(m), vmcb_get_efer(vmcb_of(m)) & ~EFER_SVME);
	REQUIRE_EQ(t, machine_run(m), EXIT_ENTRY_FAIL);
	EXPECT_EQ(t, m->v->exit.fail.stage, ENTRY_FAIL_GUEST);
	EXPECT_EQ(t, vmcb_of(m)->exitcode, ~0ULL);
}

/* APM2 15.6: #VMEXIT loads CR0, also when the guest has EFER.LME without paging and PAE. */
TEST(svm, exit_loads_cr0, .ref = "APM2 15.6", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);
	u64 cr0 = read_cr0();

	vmcb_set_cr0(vmcb_of(m), CR0_ET | CR0_PE);
	vmcb_set_cr4(vmcb_of(m), 0);
	vmcb_set_efer(vmcb_of(m), EFER_SVME | EFER_LME);
	svm_expect(m, SVM_EXIT_VMMCALL, "protected mode with EFER.LME");
	EXPECT_EQ(t, read_cr0(), cr0);
	svm_rewind(m);
	vmcb_set_cr0(vmcb_of(m), CR0_ET);
	svm_run(m);
	EXPECT_EQ(t, read_cr0(), cr0);
}
