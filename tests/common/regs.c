/* SPDX-License-Identifier: MIT */
/* Registers across the world switch, and across two vCPUs on one CPU. */
#include "core/vm/run.h"
#include "core/x86/caps.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"

#define ROUNDS	8

#define STORE(reg, off)	"mov %" #reg ", 0x30000 + " #off "\n\t"
#define LOAD(reg, off)	"mov 0x30800 + " #off ", %" #reg "\n\t"

/* Stores all 16, loads other values, exits; for ever. */
GUEST64(c_gprs, "1:\n\t" FOR_GPRS(STORE) FOR_GPRS(LOAD) "hlt; jmp 1b");

static void gpr_round(struct machine *m, u64 *set)
{
	struct test_ctx *t = m->t;
	u64 *load = machine_ptr(m, G_LOAD, 128), *seen = machine_ptr(m, G_SEEN, 128);

	for (u32 i = 0; i < 16; i++) {
		load[i] = test_random(t);
		set[i] = m->v->gpr[i] = test_random(t);
	}
	run_to_hlt(m);
	for (u32 i = 0; i < 16; i++) {
		CHECK(t, seen[i] == set[i], "%s in the guest: 0x%llx != 0x%llx", vreg_name(i),
		      (unsigned long long)seen[i], (unsigned long long)set[i]);
		CHECK(t, m->v->gpr[i] == load[i], "%s after the exit: 0x%llx != 0x%llx",
		      vreg_name(i), (unsigned long long)m->v->gpr[i],
		      (unsigned long long)load[i]);
	}
}

TEST(common, gpr_kept, .ref = "APM2 15.5, SDM3 27.3.2.3, 28.3.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_gprs);
	u64 set[16];

	for (u32 i = 0; i < ROUNDS; i++)
		gpr_round(m, set);
}

/* Each vCPU keeps its registers while the other one runs. */
TEST(common, gpr_two_vcpus, .ref = "APM2 15.5, SDM3 25.11.1", .needs = NEED_VIRT)
{
	struct machine *a = machine_new(t, MODE_LONG64, &c_gprs);
	struct machine *b = machine_new(t, MODE_LONG64, &c_gprs);
	u64 set[16];

	for (u32 i = 0; i < ROUNDS; i++) {
		gpr_round(a, set);
		for (u32 r = 0; r < 16; r++)
			set[r] = a->v->gpr[r];
		gpr_round(b, (u64[16]){ 0 });
		for (u32 r = 0; r < 16; r++)
			EXPECT_EQ(t, a->v->gpr[r], set[r]);
	}
}

GUEST64(c_flags, "1: pushfq; pop %rax; mov %rax, 0x30000\n\t"
		 "pushq 0x30800; popfq; hlt; jmp 1b");

/* SDM1 3.4.3: what can be set without an effect on the guest itself. */
#define FLAGS_FREE	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_DF | \
			 RFLAGS_OF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)

TEST(common, rflags_kept, .ref = "APM2 15.5.1, SDM3 27.3.2.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_flags);
	u64 *load = machine_ptr(m, G_LOAD, 8), *seen = machine_ptr(m, G_SEEN, 8);

	for (u32 i = 0; i < ROUNDS; i++) {
		u64 set = (test_random(t) & FLAGS_FREE) | RFLAGS_FIXED;

		*load = (test_random(t) & FLAGS_FREE) | RFLAGS_FIXED;
		m->v->rflags = set;
		run_to_hlt(m);
		EXPECT_EQ(t, *seen, set);
		EXPECT_EQ(t, m->v->rflags, *load);
	}
}

/* Debug registers: stores, then loads the next ones. */
#define DR_STORE(n, off) "mov %dr" #n ", %rax; mov %rax, 0x30000 + " #off "\n\t"
#define DR_LOAD(n, off)	"mov 0x30800 + " #off ", %rax; mov %rax, %dr" #n "\n\t"
#define FOR_DRS(OP)	OP(0, 0) OP(1, 8) OP(2, 16) OP(3, 24) OP(6, 32) OP(7, 40)

GUEST64(c_drs, "1:\n\t" FOR_DRS(DR_STORE) FOR_DRS(DR_LOAD) "hlt; jmp 1b");

static const enum vreg dr_regs[] = { VREG_DR0, VREG_DR1, VREG_DR2, VREG_DR3, VREG_DR6, VREG_DR7 };

/* Conditions and lengths are random, nothing is enabled; DR6: B0-B3, BD, BS. */
static void dr_values(struct test_ctx *t, u64 *val)
{
	for (u32 i = 0; i < 4; i++)
		val[i] = test_random(t);
	val[4] = DR6_FIXED1 | (test_random(t) & (0xf | DR6_BD | DR6_BS));
	/* SDM3 18.2.4: type 10b needs CR4.DE; bits 17:16, ...: 01b or 11b. */
	val[5] = DR7_FIXED1 | (test_random(t) & 0xeeee0000) | 0x11110000;
}

static void dr_round(struct machine *m)
{
	u64 *load = machine_ptr(m, G_LOAD, 48), *seen = machine_ptr(m, G_SEEN, 48);
	struct test_ctx *t = m->t;
	u64 set[6];

	dr_values(t, set);
	dr_values(t, load);
	for (u32 i = 0; i < 6; i++)
		machine_set(m, dr_regs[i], set[i]);
	run_to_hlt(m);
	for (u32 i = 0; i < 6; i++) {
		CHECK(t, seen[i] == set[i], "%s in the guest: 0x%llx != 0x%llx",
		      vreg_name(dr_regs[i]), (unsigned long long)seen[i],
		      (unsigned long long)set[i]);
		CHECK(t, machine_get(m, dr_regs[i]) == load[i], "%s: 0x%llx != 0x%llx",
		      vreg_name(dr_regs[i]), (unsigned long long)machine_get(m, dr_regs[i]),
		      (unsigned long long)load[i]);
	}
}

TEST(common, dr_kept, .ref = "APM2 15.5.1, SDM3 27.3.2.1, 28.3.1", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_drs);

	for (u32 i = 0; i < ROUNDS; i++)
		dr_round(m);
}

TEST(common, dr_two_vcpus, .ref = "APM2 15.5.1, SDM3 18.2", .needs = NEED_VIRT)
{
	struct machine *a = machine_new(t, MODE_LONG64, &c_drs);
	struct machine *b = machine_new(t, MODE_LONG64, &c_drs);
	u64 had[6], *seen = machine_ptr(a, G_SEEN, 48);

	for (u32 i = 0; i < ROUNDS; i++) {
		dr_round(a);
		for (u32 r = 0; r < 6; r++)
			had[r] = machine_get(a, dr_regs[r]);
		dr_round(b);
		/* Not loaded now: asked of its memory, then of the guest. */
		for (u32 r = 0; r < 6; r++)
			EXPECT_EQ(t, machine_get(a, dr_regs[r]), had[r]);
		run_to_hlt(a);
		for (u32 r = 0; r < 6; r++)
			EXPECT_EQ(t, seen[r], had[r]);
	}
}

/* Writes the MSRs of a table of { number, value }, or reads them into it. */
GUEST64(c_msrs,
	"1: mov $0x30000, %edi\n\t"
	"2: mov (%rdi), %ecx; jrcxz 3f; mov 8(%rdi), %eax; mov 12(%rdi), %edx; wrmsr\n\t"
	"add $16, %edi; jmp 2b\n\t"
	"3: hlt\n\t"
	"mov $0x30000, %edi\n\t"
	"4: mov (%rdi), %ecx; jrcxz 5f; rdmsr; mov %eax, 8(%rdi); mov %edx, 12(%rdi)\n\t"
	"add $16, %edi; jmp 4b\n\t"
	"5: hlt; jmp 1b");

struct msr_val {
	u64 msr, val;
};

/* SYSENTER: AMD keeps 32 bits of the addresses (APM2 6.1.2: legacy mode only). */
enum msr_class { ANY, CANONICAL, SYSENTER, CS_SEL, FLAGS32, PAT, EFER_BITS };

/* clang-format off */
static const struct {
	u32 msr;
	u8 class;
	u8 reg;			/* enum vreg; 0: a segment's base */
} msrs[] = {
	{ MSR_STAR,			ANY,		VREG_STAR },
	{ MSR_LSTAR,			CANONICAL,	VREG_LSTAR },
	{ MSR_CSTAR,			CANONICAL,	VREG_CSTAR },
	{ MSR_SFMASK,			FLAGS32,	VREG_SFMASK },
	{ MSR_KERNEL_GS_BASE,		CANONICAL,	VREG_KERNEL_GS_BASE },
	{ MSR_FS_BASE,			CANONICAL,	0 },
	{ MSR_GS_BASE,			CANONICAL,	0 },
	{ MSR_IA32_SYSENTER_CS,		CS_SEL,		VREG_SYSENTER_CS },
	{ MSR_IA32_SYSENTER_ESP,	SYSENTER,	VREG_SYSENTER_ESP },
	{ MSR_IA32_SYSENTER_EIP,	SYSENTER,	VREG_SYSENTER_EIP },
	{ MSR_IA32_PAT,			PAT,		VREG_PAT },
	{ MSR_EFER,			EFER_BITS,	VREG_EFER },
	{ MSR_TSC_AUX,			FLAGS32,	VREG_TSC_AUX },
};
/* clang-format on */

static u64 msr_random(struct test_ctx *t, u8 class)
{
	u64 r = test_random(t);

	switch (class) {
	case SYSENTER:
		if (run_policy.caps->vendor == VENDOR_AMD)
			return (u32)r;
		/* fall through */
	case CANONICAL:
		return (u64)((s64)(r << 16) >> 16);
	case CS_SEL:
		return r & 0xffff;
	case FLAGS32:
		return (u32)r;
	case PAT:
		/* Each byte one of 0, 1, 4, 5 (APM2 7.8.1). */
		return r & 0x0505050505050505ULL;
	case EFER_BITS:
		return EFER_LME | EFER_LMA | (r & (EFER_SCE | EFER_NXE));
	default:
		return r;
	}
}

static u32 msr_fill(struct machine *m, u64 *want)
{
	struct msr_val *v = machine_ptr(m, G_SEEN, sizeof(*v) * (ARRAY_SIZE(msrs) + 1));
	u32 n = 0;
	u64 aux;

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (msrs[i].msr == MSR_TSC_AUX && rdmsr_safe(MSR_TSC_AUX, &aux))
			continue;
		want[n] = msr_random(m->t, msrs[i].class);
		v[n] = (struct msr_val){ msrs[i].msr, want[n] };
		n++;
	}
	v[n].msr = 0;
	return n;
}

static void msr_compare(struct machine *m, const u64 *want, u32 n)
{
	const struct msr_val *v = machine_ptr(m, G_SEEN, sizeof(*v) * n);
	struct test_ctx *t = m->t;

	for (u32 i = 0; i < n; i++) {
		CHECK(t, v[i].val == want[i], "MSR 0x%llx in the guest: 0x%llx != 0x%llx",
		      (unsigned long long)v[i].msr, (unsigned long long)v[i].val,
		      (unsigned long long)want[i]);
		if (msrs[i].reg)
			CHECK(t, machine_get(m, msrs[i].reg) == want[i], "%s: 0x%llx != 0x%llx",
			      vreg_name(msrs[i].reg),
			      (unsigned long long)machine_get(m, msrs[i].reg),
			      (unsigned long long)want[i]);
	}
}

static void msr_clear(struct machine *m, u32 n)
{
	struct msr_val *v = machine_ptr(m, G_SEEN, sizeof(*v) * n);

	for (u32 i = 0; i < n; i++)
		v[i].val = 0;
}

TEST(common, msr_kept, .ref = "APM2 15.5.2, SDM3 27.3.2.1, 27.4", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_msrs);
	u64 want[ARRAY_SIZE(msrs)];

	for (u32 i = 0; i < 4; i++) {
		u32 n = msr_fill(m, want);

		run_to_hlt(m);
		msr_clear(m, n);
		run_to_hlt(m);
		msr_compare(m, want, n);
	}
}

TEST(common, msr_two_vcpus, .ref = "APM2 15.5.2, SDM3 27.4", .needs = NEED_VIRT)
{
	struct machine *m[2];
	u64 want[2][ARRAY_SIZE(msrs)];
	u32 n[2];

	for (u32 k = 0; k < 2; k++)
		m[k] = machine_new(t, MODE_LONG64, &c_msrs);
	for (u32 i = 0; i < 4; i++) {
		for (u32 k = 0; k < 2; k++) {
			n[k] = msr_fill(m[k], want[k]);
			run_to_hlt(m[k]);
			msr_clear(m[k], n[k]);
		}
		for (u32 k = 0; k < 2; k++) {
			run_to_hlt(m[k]);
			msr_compare(m[k], want[k], n[k]);
		}
	}
}

/* Control registers that a guest may write without leaving its mode. */
#define CR_STORE(n, off) "mov %cr" #n ", %rax; mov %rax, 0x30000 + " #off "\n\t"
#define CR_LOAD(n, off)	"mov 0x30800 + " #off ", %rax; mov %rax, %cr" #n "\n\t"
#define FOR_CRS(OP)	OP(0, 0) OP(2, 8) OP(3, 16) OP(4, 24) OP(8, 32)

GUEST64(c_crs, "1:\n\t" FOR_CRS(CR_STORE) FOR_CRS(CR_LOAD) "hlt; jmp 1b");

static const enum vreg cr_regs[] = { VREG_CR0, VREG_CR2, VREG_CR3, VREG_CR4, VREG_CR8 };

static void cr_values(struct test_ctx *t, u64 *val)
{
	u64 r = test_random(t);

	val[0] = CR0_PE | CR0_ET | CR0_PG |
		 (r & (CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM));
	val[1] = test_random(t);
	/* PWT and PCD of the top table. */
	val[2] = G_PML4 | (r >> 32 & 0x18);
	val[3] = CR4_PAE | (test_random(t) & (CR4_DE | CR4_TSD | CR4_PGE | CR4_PCE | CR4_PSE |
					      CR4_OSFXSR | CR4_OSXMMEXCPT));
	val[4] = r >> 40 & 15;
}

static void cr_compare(struct test_ctx *t, const u64 *got, const u64 *want, const char *where)
{
	for (u32 i = 0; i < ARRAY_SIZE(cr_regs); i++)
		CHECK(t, got[i] == want[i], "%s %s: 0x%llx != 0x%llx", vreg_name(cr_regs[i]),
		      where, (unsigned long long)got[i], (unsigned long long)want[i]);
}

static void cr_get(struct machine *m, u64 *val)
{
	for (u32 i = 0; i < ARRAY_SIZE(cr_regs); i++)
		val[i] = machine_get(m, cr_regs[i]);
}

static void cr_round(struct machine *m)
{
	u64 *load = machine_ptr(m, G_LOAD, 40), *seen = machine_ptr(m, G_SEEN, 40);
	u64 set[5], got[5];

	cr_values(m->t, set);
	cr_values(m->t, load);
	for (u32 i = 0; i < ARRAY_SIZE(cr_regs); i++)
		machine_set(m, cr_regs[i], set[i]);
	run_to_hlt(m);
	cr_compare(m->t, seen, set, "in the guest");
	cr_get(m, got);
	cr_compare(m->t, got, load, "after the exit");
}

TEST(common, cr_kept, .ref = "APM2 15.5.1, SDM3 27.3.2.1, 28.3.1", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_crs);

	for (u32 i = 0; i < ROUNDS; i++)
		cr_round(m);
}

TEST(common, cr_two_vcpus, .ref = "APM2 15.5.1, SDM3 25.11.1", .needs = NEED_VIRT)
{
	struct machine *a = machine_new(t, MODE_LONG64, &c_crs);
	struct machine *b = machine_new(t, MODE_LONG64, &c_crs);
	u64 had[5], got[5];

	for (u32 i = 0; i < ROUNDS; i++) {
		cr_round(a);
		cr_get(a, had);
		cr_round(b);
		cr_get(a, got);
		cr_compare(t, got, had, "while the other ran");
		run_to_hlt(a);
		cr_compare(t, machine_ptr(a, G_SEEN, 40), had, "after the other ran");
	}
}
