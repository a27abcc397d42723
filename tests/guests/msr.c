// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(msr, .ref = "APM2 3.2, SDM3 2.2, SDM4",
	.desc = "MSRs that exist keep what is written, the others are #GP");

#define TCG_UNCHECKED	"QEMU 7.2 misc_helper.c helper_wrmsr stores it unchecked"
#define IGNORED	"QEMU 7.2 misc_helper.c helper_rdmsr: default; Bochs 2.7: ignore_bad_msrs=1"

#define NON_CANONICAL	0x0001000000000000ULL

enum check { PLAIN, ADDRESS, LOW32 };

static const struct row {
	const char *name;
	u32 index;
	enum check check;
	u64 val;
} rows[] = {
	{ "SYSENTER_CS", MSR_SYSENTER_CS, PLAIN, 0x1234 },
	{ "SYSENTER_ESP", MSR_SYSENTER_ESP, ADDRESS, 0xffff800012345678 },
	{ "SYSENTER_EIP", MSR_SYSENTER_EIP, ADDRESS, 0x00007fff12345678 },
	{ "PAT", MSR_PAT, PLAIN, 0x0007040600010506 },
	{ "STAR", MSR_STAR, PLAIN, 0x1234567800000000 },
	{ "LSTAR", MSR_LSTAR, ADDRESS, 0xffffffff81234567 },
	{ "CSTAR", MSR_CSTAR, ADDRESS, 0xffffffff87654321 },
	{ "SFMASK", MSR_SFMASK, LOW32, 0x47700 },
	{ "FS_BASE", MSR_FS_BASE, ADDRESS, 0xffff987654321000 },
	{ "GS_BASE", MSR_GS_BASE, ADDRESS, 0x0000123456789abc },
	{ "KERNEL_GS_BASE", MSR_KERNEL_GS_BASE, ADDRESS, 0xffffc00000000000 },
};

static void check_row(const struct row *r)
{
	u64 old, got;

	if (!rt_expect(r->name, rt_rdmsr(r->index, &old), VEC_NONE, -1))
		return;
	rt_expect(r->name, rt_wrmsr(r->index, r->val), VEC_NONE, -1);
	cpuid(0);
	got = rdmsr(r->index);
	/* Intel keeps the reserved low half of STAR at 0; so does the value. */
	rt_check(got == r->val, r->name, "%llx, not %llx", got, r->val);
	if (r->check == ADDRESS) {
		bool gp = rt_wrmsr(r->index, NON_CANONICAL) == VEC_GP;

		rt_known(rt.tcg, gp, "non-canonical value is #GP", TCG_UNCHECKED);
		if (gp)
			rt_check(rdmsr(r->index) == r->val, "and changes nothing", "%llx",
				 rdmsr(r->index));
	}
	wrmsr(r->index, old);
}

static void check_pat(void)
{
	bool tcg = rt.tcg && !rt.nestbed;
	static const u8 bad[] = { 2, 3, 8, 0xff };

	for (unsigned int i = 0; i < ARRAY_LEN(bad); i++)
		rt_known(tcg, rt_wrmsr(MSR_PAT, (u64)bad[i] << 40) == VEC_GP,
			 "PAT with an illegal type is #GP", TCG_UNCHECKED);
	wrmsr(MSR_PAT, 0x0007040600070406);
}

static void check_efer(void)
{
	bool tcg = rt.tcg && !rt.nestbed;
	u64 efer = rdmsr(MSR_EFER);

	rt_check((efer & (EFER_LME | EFER_LMA)) == (EFER_LME | EFER_LMA),
		 "EFER says long mode", "%llx", efer);
	wrmsr(MSR_EFER, efer | EFER_SCE);
	cpuid(0);
	rt_check(rdmsr(MSR_EFER) == (efer | EFER_SCE), "EFER.SCE can be set", "%llx",
		 rdmsr(MSR_EFER));
	wrmsr(MSR_EFER, efer & ~EFER_SCE);
	rt_check(!(rdmsr(MSR_EFER) & EFER_SCE), "and cleared", "%llx", rdmsr(MSR_EFER));
	rt_known(tcg, rt_wrmsr(MSR_EFER, efer | 1ULL << 40) == VEC_GP,
		 "EFER bit 40 is #GP", "QEMU 7.2 misc_helper.c helper_wrmsr masks EFER");
	rt_known(tcg, rt_wrmsr(MSR_EFER, efer & ~EFER_LME) == VEC_GP,
		 "EFER.LME cannot change under paging", TCG_UNCHECKED);
	rt_check((rdmsr(MSR_EFER) & (EFER_LME | EFER_LMA)) == (EFER_LME | EFER_LMA) || tcg,
		 "EFER after a refused write", "%llx", rdmsr(MSR_EFER));
	rt_wrmsr(MSR_EFER, efer);
	rt_check((rdmsr(MSR_EFER) & EFER_LMA) == EFER_LMA, "EFER.LMA is the processor's",
		 "%llx", rdmsr(MSR_EFER));
}

static void check_unknown(void)
{
	static const u32 index[] = { 0x3, 0x12345, 0x1fffffff, 0x40000f00, 0xbfffffff, 0xc0000fff,
				     0xc0001fff, 0xc0002000, 0xc001ff00, 0xffffffff };
	bool known = (rt.tcg || rt.bochs) && !rt.nestbed;
	u64 v;

	for (unsigned int i = 0; i < ARRAY_LEN(index); i++) {
		rt_known(known, rt_rdmsr(index[i], &v) == VEC_GP, "RDMSR of no MSR is #GP",
			 IGNORED);
		rt_known(known, rt_wrmsr(index[i], 0) == VEC_GP, "WRMSR of no MSR is #GP",
			 IGNORED);
	}
}

static void user_rdmsr(void *arg)
{
	rdmsr(MSR_EFER);
}

static void user_wrmsr(void *arg)
{
	wrmsr(MSR_STAR, 0);
}

int main(struct rt_info *info)
{
	u64 base;

	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
	check_pat();
	check_efer();
	if (rt_has(1, 0, EDX, 9)) {
		base = rdmsr(MSR_APIC_BASE);
		rt_check(base >> 12 == 0xfee00 && (base & 0x900) == 0x900,
			 "APIC_BASE: at FEE00000h, enabled, boot CPU", "%llx", base);
	}
	check_unknown();
	rt_expect("RDMSR in ring 3", rt_try_user(user_rdmsr, NULL), VEC_GP, 0);
	rt_expect("WRMSR in ring 3", rt_try_user(user_wrmsr, NULL), VEC_GP, 0);
	return rt_result();
}
