/* SPDX-License-Identifier: MIT */
/* Control and debug register accesses that exit, and the checks behind them. */
#include "core/vm/run.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"

/* One access each; RBX holds the operand. */
GUEST64(c_wr0, "mov %rbx, %cr0; hlt");
GUEST64(c_wr3, "mov %rbx, %cr3; hlt");
GUEST64(c_wr4, "mov %rbx, %cr4; hlt");
GUEST64(c_wr8, "mov %rbx, %cr8; hlt");
GUEST64(c_rd0, "mov %cr0, %rbx; hlt");
GUEST64(c_rd3, "mov %cr3, %rbx; hlt");
GUEST64(c_rd4, "mov %cr4, %rbx; hlt");
GUEST64(c_rd8, "mov %cr8, %rbx; hlt");

static const struct {
	const char *name;
	const struct guest_code *code;
	u8 num;
	bool write;
	u64 val;
} cr_rows[] = {
	{ "write CR0", &c_wr0, 0, true, CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_TS },
	{ "write CR3", &c_wr3, 3, true, G_PML4 | 0x18 },
	{ "write CR4", &c_wr4, 4, true, CR4_PAE | CR4_PGE },
	{ "write CR8", &c_wr8, 8, true, 9 },
	{ "read CR0", &c_rd0, 0, false, CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP | CR0_TS },
	{ "read CR3", &c_rd3, 3, false, G_PML4 | 0x10 },
	{ "read CR4", &c_rd4, 4, false, CR4_PAE | CR4_DE },
	{ "read CR8", &c_rd8, 8, false, 7 },
};

static enum vreg cr_reg(u8 num)
{
	return num == 0 ? VREG_CR0 : num == 3 ? VREG_CR3 : num == 4 ? VREG_CR4 : VREG_CR8;
}

/* SDM3 26.1.3: VMX has no exit for reads of CR0 and CR4; nothing else may lack. */
static bool can_intercept(struct machine *m, enum icpt what, u8 num)
{
	bool vmx_read = virt->vendor == VIRT_VMX && what == ICPT_CR_READ && (num == 0 || num == 4);
	int err = virt->intercept(m->v, what, num, true);

	EXPECT_EQ(m->t, err, vmx_read ? -EOPNOTSUPP : 0);
	return !err;
}

TEST(common, cr_intercept, .ref = "APM2 15.8.1, SDM3 26.1.3, table 28-3", .needs = NEED_VIRT)
{
	for (u32 i = 0; i < ARRAY_SIZE(cr_rows); i++) {
		struct machine *m = machine_new(t, MODE_LONG64, cr_rows[i].code);
		const struct exit_cr *x = &m->v->exit.cr;
		enum icpt what = cr_rows[i].write ? ICPT_CR_WRITE : ICPT_CR_READ;

		test_row(t, cr_rows[i].name);
		if (!can_intercept(m, what, cr_rows[i].num)) {
			machine_free(m);
			continue;
		}
		m->v->gpr[VREG_RBX] = cr_rows[i].val;
		if (!cr_rows[i].write)
			machine_set(m, cr_reg(cr_rows[i].num), cr_rows[i].val);
		REQUIRE_EQ(t, machine_run(m), EXIT_CR);
		EXPECT_EQ(t, x->num, cr_rows[i].num);
		EXPECT_EQ(t, x->gpr, VREG_RBX);
		EXPECT_EQ(t, x->write, cr_rows[i].write);
		EXPECT_EQ(t, x->kind, CR_MOV);
		EXPECT_EQ(t, m->v->rip, G_CODE);
		run_to_hlt(m);
		EXPECT_EQ(t, m->v->gpr[VREG_RBX], cr_rows[i].val);
		EXPECT_EQ(t, machine_get(m, cr_reg(cr_rows[i].num)), cr_rows[i].val);
		machine_free(m);
	}
}

/* The same refusals by the CPU and by core. */
static const struct {
	const char *name;
	const struct guest_code *code;
	u8 num;
	u64 val;
} bad_rows[] = {
	{ "CR0 bit 32", &c_wr0, 0, BIT(32) | CR0_PE | CR0_PG | CR0_ET | CR0_NE },
	{ "CR0.NW without CD", &c_wr0, 0, CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_NW },
	{ "CR0.PG off in 64-bit code", &c_wr0, 0, CR0_PE | CR0_ET | CR0_NE },
	{ "CR3 bit 62", &c_wr3, 3, BIT(62) | G_PML4 },
	{ "CR4 bit 63", &c_wr4, 4, BIT(63) | CR4_PAE },
	{ "CR4.PAE off in long mode", &c_wr4, 4, 0 },
	{ "CR8 bit 4", &c_wr8, 8, 16 },
};

static void cr_bad_values(struct test_ctx *t, bool intercept)
{
	for (u32 i = 0; i < ARRAY_SIZE(bad_rows); i++) {
		struct machine *m = machine_new(t, MODE_LONG64, bad_rows[i].code);
		u64 old = machine_get(m, cr_reg(bad_rows[i].num));

		test_row(t, bad_rows[i].name);
		machine_idt(m);
		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_CR_WRITE, bad_rows[i].num, intercept), 0);
		m->v->gpr[VREG_RBX] = bad_rows[i].val;
		if (expect_exception(m, machine_run_handling(m, BIT(EXIT_CR)), VEC_GP, 0)) {
			EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
			EXPECT_EQ(t, machine_get(m, cr_reg(bad_rows[i].num)), old);
		}
		machine_free(m);
	}
}

TEST(common, cr_bad_values_cpu, .ref = "APM2 3.1.1-3.1.3, SDM3 2.5", .needs = NEED_VIRT)
{
	cr_bad_values(t, false);
}

TEST(common, cr_bad_values_core, .ref = "APM2 3.1.1-3.1.3, SDM3 2.5", .needs = NEED_VIRT)
{
	cr_bad_values(t, true);
}

/* APM2 15.19: paged real mode is VMRUN's and RSM's to enter, not MOV's. */
static void paging_without_protection(struct test_ctx *t, bool intercept)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_wr0);

	machine_idt(m);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_CR_WRITE, 0, intercept), 0);
	m->v->gpr[VREG_RBX] = CR0_PG | CR0_ET | CR0_NE;
	expect_exception(m, machine_run_handling(m, BIT(EXIT_CR)), VEC_GP, 0);
}

TEST(common, cr0_pg_without_pe_core, .ref = "APM2 15.19, SDM3 2.5", .needs = NEED_VIRT)
{
	paging_without_protection(t, true);
}

TEST(common, cr0_pg_without_pe_svm, .ref = "APM2 3.1.1, 15.19", .needs = NEED_SVM)
{
	paging_without_protection(t, false);
}

TEST(common, cr0_pg_without_pe_vmx, .ref = "SDM3 2.5, SDM2 MOV CR", .needs = NEED_VMX)
{
	paging_without_protection(t, false);
}

GUEST64(c_clts, "clts; hlt");
GUEST64(c_lmsw, "lmsw %bx; hlt");
GUEST64(c_lmsw_mem, "lmsw 0x30000; hlt");

TEST(common, cr0_clts, .ref = "APM2 15.8.1, SDM3 table 28-3", .needs = NEED_VIRT)
{
	for (u32 icpt = 0; icpt < 2; icpt++) {
		struct machine *m = machine_new(t, MODE_LONG64, &c_clts);
		u64 cr0 = machine_get(m, VREG_CR0);

		machine_set(m, VREG_CR0, cr0 | CR0_TS);
		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_CR_WRITE, 0, icpt), 0);
		if (icpt) {
			REQUIRE_EQ(t, machine_run(m), EXIT_CR);
			EXPECT_EQ(t, m->v->exit.cr.kind, CR_CLTS);
		}
		run_to_hlt(m);
		EXPECT_EQ(t, m->v->rip, G_CODE + 2);
		EXPECT_EQ(t, machine_get(m, VREG_CR0), cr0);
		machine_free(m);
	}
}

TEST(common, cr0_lmsw, .ref = "APM3 LMSW, SDM3 table 28-3", .needs = NEED_VIRT)
{
	for (u32 i = 0; i < 4; i++) {
		bool icpt = i & 1, mem = i & 2;
		struct machine *m = machine_new(t, MODE_LONG64, mem ? &c_lmsw_mem : &c_lmsw);
		u64 cr0 = machine_get(m, VREG_CR0) & ~(CR0_MP | CR0_EM | CR0_TS);

		/* PE cannot be cleared, only bits 3:0 count. */
		m->v->gpr[VREG_RBX] = 0xfffaULL;
		machine_write64(m, G_DATA, 0xfffa);
		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_CR_WRITE, 0, icpt), 0);
		if (icpt) {
			REQUIRE_EQ(t, machine_run(m), EXIT_CR);
			EXPECT_EQ(t, m->v->exit.cr.kind, CR_LMSW);
			EXPECT_EQ(t, m->v->exit.cr.lmsw & 0xf, 0xa);
		}
		run_to_hlt(m);
		EXPECT_EQ(t, machine_get(m, VREG_CR0), cr0 | CR0_MP | CR0_TS);
		machine_free(m);
	}
}

/* CR8 is the TPR; the guest's is not the host's (APM2 15.21.4, SDM3 11.8.6). */
GUEST64(c_cr8_rw, "mov %rbx, %cr8; mov %cr8, %rcx; hlt");

TEST(common, cr8_virtual, .ref = "APM2 15.21.4, SDM3 11.8.6, 30.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_cr8_rw);
	u64 host, after;

	__asm__ volatile("mov %%cr8, %0" : "=r"(host));
	m->v->gpr[VREG_RBX] = 13;
	run_to_hlt(m);
	__asm__ volatile("mov %%cr8, %0" : "=r"(after));
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 13);
	EXPECT_EQ(t, machine_get(m, VREG_CR8), 13);
	EXPECT_EQ(t, after, host);
}

GUEST64(c_wr_dr7, "mov %rbx, %dr7; hlt");
GUEST64(c_rd_dr2, "mov %dr2, %rsi; hlt");
GUEST64(c_rd_dr4, "mov %dr4, %rbx; hlt");

TEST(common, dr_intercept, .ref = "APM2 15.8.2, SDM3 table 28-4", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_wr_dr7);

	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_DR, 0, true), 0);
	m->v->gpr[VREG_RBX] = 0x80400;
	REQUIRE_EQ(t, machine_run(m), EXIT_DR);
	EXPECT_EQ(t, m->v->exit.cr.num, 7);
	EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RBX);
	EXPECT(t, m->v->exit.cr.write);
	run_to_hlt(m);
	EXPECT_EQ(t, machine_get(m, VREG_DR7), 0x80400);
	m = machine_new(t, MODE_LONG64, &c_rd_dr2);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_DR, 0, true), 0);
	machine_set(m, VREG_DR2, 0x1122334455667788ULL);
	REQUIRE_EQ(t, machine_run(m), EXIT_DR);
	EXPECT_EQ(t, m->v->exit.cr.num, 2);
	EXPECT_EQ(t, m->v->exit.cr.gpr, VREG_RSI);
	EXPECT(t, !m->v->exit.cr.write);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RSI], 0x1122334455667788ULL);
}

/* Emulated: DR7 with upper bits is #GP; GD makes any access a #DB. */
TEST(common, dr_emulated_faults, .ref = "APM2 13.1.1, SDM3 18.2", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_wr_dr7);

	machine_idt(m);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_DR, 0, true), 0);
	m->v->gpr[VREG_RBX] = BIT(40) | DR7_FIXED1;
	expect_exception(m, machine_run_handling(m, BIT(EXIT_DR)), VEC_GP, 0);
	m = machine_new(t, MODE_LONG64, &c_rd_dr2);
	machine_idt(m);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_DR, 0, true), 0);
	machine_set(m, VREG_DR7, DR7_FIXED1 | DR7_GD);
	expect_exception(m, machine_run_handling(m, BIT(EXIT_DR)), VEC_DB, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
	EXPECT(t, machine_exception(m)->dr6 & DR6_BD);
	EXPECT(t, !(machine_get(m, VREG_DR7) & DR7_GD));
}

TEST(common, dr4_is_dr6, .ref = "APM2 13.1.1, SDM3 18.2.2", .needs = NEED_VIRT)
{
	for (u32 i = 0; i < 4; i++) {
		struct machine *m = machine_new(t, MODE_LONG64, &c_rd_dr4);

		machine_idt(m);
		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_DR, 0, i & 1), 0);
		machine_set(m, VREG_DR6, DR6_FIXED1 | 3);
		if (i & 2) {
			machine_set(m, VREG_CR4, machine_get(m, VREG_CR4) | CR4_DE);
			expect_exception(m, machine_run_handling(m, BIT(EXIT_DR)), VEC_UD, 0);
		} else {
			EXPECT_EQ(t, machine_run_handling(m, BIT(EXIT_DR)), EXIT_HLT);
			EXPECT_EQ(t, m->v->gpr[VREG_RBX], DR6_FIXED1 | 3);
		}
		machine_free(m);
	}
}
