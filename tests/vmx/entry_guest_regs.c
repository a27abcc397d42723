// SPDX-License-Identifier: MIT
/* VM-entry checks of guest registers: SDM3 27.3.1.1 and 27.3.1.4. */
#include "tests/vmx/vmx_test.h"

static const struct entry_row cr_rows[] = {
	ROW("CR0.NE fixed to 1", CLEAR(GUEST_CR0, CR0_NE)),
	ROW("CR0 bit 32", OR(GUEST_CR0, BIT(32))),
	ROW("CR0 bit 63", OR(GUEST_CR0, BIT(63))),
	ROW("CR0.PG without PE", CLEAR(GUEST_CR0, CR0_PE)),
	ROW("CR0.PG clear in IA-32e mode", CLEAR(GUEST_CR0, CR0_PG)),
	ROW("CR4.VMXE fixed to 1", CLEAR(GUEST_CR4, CR4_VMXE)),
	ROW("CR4 bit 31", OR(GUEST_CR4, BIT(31))),
	ROW("CR4 bit 63", OR(GUEST_CR4, BIT(63))),
	ROW("CR4.PAE clear in IA-32e mode", CLEAR(GUEST_CR4, CR4_PAE)),
	ROW("CR3 in range", PHYS(GUEST_CR3)),
	ROW("CR3 bit 63", OR(GUEST_CR3, BIT(63))),
};

TEST(vmx, entry_guest_cr, .ref = "SDM3 27.3.1.1", .needs = NEED_VMX)
{
	entry_rows(t, cr_rows, ARRAY_SIZE(cr_rows), BAD_GUEST);
}

static const struct entry_row cr_32_rows[] = {
	ROW("CR4.PCIDE outside IA-32e mode", OR(GUEST_CR4, CR4_PCIDE)),
	ROW("CR0.PG without PE", CLEAR(GUEST_CR0, CR0_PE), OR(GUEST_CR0, CR0_PG)),
};

TEST(vmx, entry_guest_cr_32, .ref = "SDM3 27.3.1.1", .needs = NEED_VMX)
{
	entry_rows_in(t, ENTRY_PROT32, cr_32_rows, ARRAY_SIZE(cr_32_rows), BAD_GUEST);
}

/* What entries do not look at. */
static const struct entry_row cr_good_rows[] = {
	ROW("CR0.CD and NW ignored", OR(GUEST_CR0, CR0_NW)),
	ROW("CR0.TS", OR(GUEST_CR0, CR0_TS)),
	ROW("CR4.TSD", OR(GUEST_CR4, CR4_TSD)),
};

TEST(vmx, entry_guest_cr_free, .ref = "SDM3 27.3.1.1", .needs = NEED_VMX)
{
	entry_rows_good(t, ENTRY_LONG64, cr_good_rows, ARRAY_SIZE(cr_good_rows));
}

static const struct entry_row msr_rows[] = {
	ROW("DEBUGCTL bit 5 reserved", SET(GUEST_DEBUGCTL, BIT(5))),
	ROW("DEBUGCTL bit 63 reserved", SET(GUEST_DEBUGCTL, BIT(63))),
	ROW("DR7 bit 32", OR(GUEST_DR7, BIT(32))),
	ROW("DR7 bit 63", OR(GUEST_DR7, BIT(63))),
	ROW("SYSENTER_ESP canonical", SET(GUEST_SYSENTER_ESP, NONCANONICAL)),
	ROW("SYSENTER_EIP canonical", SET(GUEST_SYSENTER_EIP, NONCANONICAL)),
	ROW("PAT byte 0 type 2", SET(GUEST_PAT, 0x0007040600070402ULL)),
	ROW("PAT byte 1 type 3", SET(GUEST_PAT, 0x0007040600070306ULL)),
	ROW("PAT byte 6 type 8", SET(GUEST_PAT, 0x0008040600070406ULL)),
	ROW("PAT byte 7 type 255", SET(GUEST_PAT, 0xff07040600070406ULL)),
	ROW("EFER bit 1 reserved", OR(GUEST_EFER, BIT(1))),
	ROW("EFER bit 12 reserved", OR(GUEST_EFER, BIT(12))),
	ROW("EFER bit 63 reserved", OR(GUEST_EFER, BIT(63))),
	ROW("EFER.LMA not as IA-32e control", CLEAR(GUEST_EFER, EFER_LMA)),
	ROW("EFER.LME not as LMA", CLEAR(GUEST_EFER, EFER_LME)),
	ROW("IA-32e control not as EFER.LMA", OFF(ENTRY, IA32E_GUEST)),
	ROW_IF(ENTRY, LOAD_PERF_GLOBAL_CTRL, "PERF_GLOBAL_CTRL reserved",
	       ON(ENTRY, LOAD_PERF_GLOBAL_CTRL), SET(GUEST_PERF_GLOBAL_CTRL, BIT(63))),
	ROW_IF(ENTRY, LOAD_BNDCFGS, "BNDCFGS reserved", ON(ENTRY, LOAD_BNDCFGS),
	       SET(GUEST_BNDCFGS, 4)),
	ROW_IF(ENTRY, LOAD_PKRS, "PKRS bit 32", ON(ENTRY, LOAD_PKRS),
	       SET(GUEST_PKRS, BIT(32))),
};

TEST(vmx, entry_guest_msr, .ref = "SDM3 27.3.1.1", .needs = NEED_VMX)
{
	entry_rows(t, msr_rows, ARRAY_SIZE(msr_rows), BAD_GUEST);
}

static const struct entry_row rip_rows[] = {
	ROW("RIP canonical", SET(GUEST_RIP, NONCANONICAL)),
	ROW("RIP bit 32 in compatibility mode", CLEAR(GUEST_CS_AR_BYTES, 0x2000),
	    OR(GUEST_CS_AR_BYTES, 0x4000), OR(GUEST_RIP, BIT(32))),
	ROW("RFLAGS bit 1 clear", CLEAR(GUEST_RFLAGS, BIT(1))),
	ROW("RFLAGS bit 3 set", OR(GUEST_RFLAGS, BIT(3))),
	ROW("RFLAGS bit 5 set", OR(GUEST_RFLAGS, BIT(5))),
	ROW("RFLAGS bit 15 set", OR(GUEST_RFLAGS, BIT(15))),
	ROW("RFLAGS bit 22 set", OR(GUEST_RFLAGS, BIT(22))),
	ROW("RFLAGS bit 63 set", OR(GUEST_RFLAGS, BIT(63))),
	ROW("RFLAGS.VM in IA-32e mode", OR(GUEST_RFLAGS, RFLAGS_VM)),
	ROW("interrupt with RFLAGS.IF clear", SET(ENTRY_INTR_INFO, INTR_VALID | 0x20)),
};

TEST(vmx, entry_guest_rip_rflags, .ref = "SDM3 27.3.1.4", .needs = NEED_VMX)
{
	entry_rows(t, rip_rows, ARRAY_SIZE(rip_rows), BAD_GUEST);
}

static const struct entry_row rip_32_rows[] = {
	ROW("RIP bit 32 in protected mode", OR(GUEST_RIP, BIT(32))),
	ROW("RIP bit 63 in protected mode", OR(GUEST_RIP, BIT(63))),
};

TEST(vmx, entry_guest_rip_32, .ref = "SDM3 27.3.1.4", .needs = NEED_VMX)
{
	entry_rows_in(t, ENTRY_PROT32, rip_32_rows, ARRAY_SIZE(rip_32_rows), BAD_GUEST);
}

static const struct entry_row real_rows[] = {
	ROW("RFLAGS.VM without CR0.PE", OR(GUEST_RFLAGS, RFLAGS_VM)),
	ROW("RIP bit 32", OR(GUEST_RIP, BIT(32))),
	ROW("error code in real mode",
	    SET(ENTRY_INTR_INFO, INTR_VALID | INTR_TYPE_EXCEPTION << 8 | VEC_GP |
		INTR_ERROR_VALID)),
};

TEST(vmx, entry_guest_real_mode, .ref = "SDM3 27.3.1.4, 27.2.1.3", .needs = NEED_VMX)
{
	entry_rows_in(t, ENTRY_REAL16, real_rows, 2, BAD_GUEST);
	entry_rows_in(t, ENTRY_REAL16, real_rows + 2, 1, BAD_CTL);
}
