// SPDX-License-Identifier: MIT
/* VM-entry checks of the host state: SDM3 27.2.2 to 27.2.4. */
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "tests/vmx/vmx_test.h"

static const struct entry_row cr_rows[] = {
	ROW("CR0.PE fixed to 1", CLEAR(HOST_CR0, CR0_PE)),
	ROW("CR0.NE fixed to 1", CLEAR(HOST_CR0, CR0_NE)),
	ROW("CR0.PG fixed to 1", CLEAR(HOST_CR0, CR0_PG)),
	ROW("CR0 bit 32", OR(HOST_CR0, BIT(32))),
	ROW("CR4.VMXE fixed to 1", CLEAR(HOST_CR4, CR4_VMXE)),
	ROW("CR4 bit 31", OR(HOST_CR4, BIT(31))),
	ROW("CR4 bit 63", OR(HOST_CR4, BIT(63))),
	ROW("CR3 in range", PHYS(HOST_CR3)),
	ROW("CR3 bit 63", OR(HOST_CR3, BIT(63))),
};

TEST(vmx, entry_host_cr, .ref = "SDM3 27.2.2", .needs = NEED_VMX)
{
	entry_rows(t, cr_rows, ARRAY_SIZE(cr_rows), BAD_HOST);
}

static const struct entry_row msr_rows[] = {
	ROW("SYSENTER_ESP canonical", SET(HOST_SYSENTER_ESP, NONCANONICAL)),
	ROW("SYSENTER_EIP canonical", SET(HOST_SYSENTER_EIP, NONCANONICAL)),
	ROW("PAT byte 0 type 2", SET(HOST_PAT, 0x0007040600070402ULL)),
	ROW("PAT byte 3 type 3", SET(HOST_PAT, 0x0007040603070406ULL)),
	ROW("PAT byte 7 type 8", SET(HOST_PAT, 0x0807040600070406ULL)),
	ROW("PAT byte 5 type 255", SET(HOST_PAT, 0x0007ff0600070406ULL)),
	ROW("EFER bit 1 reserved", OR(HOST_EFER, BIT(1))),
	ROW("EFER bit 12 reserved", OR(HOST_EFER, BIT(12))),
	ROW("EFER bit 63 reserved", OR(HOST_EFER, BIT(63))),
	ROW("EFER.LMA clear", CLEAR(HOST_EFER, EFER_LMA)),
	ROW("EFER.LME clear", CLEAR(HOST_EFER, EFER_LME)),
	ROW("EFER.LMA and LME clear", CLEAR(HOST_EFER, EFER_LMA | EFER_LME)),
	ROW_IF(EXIT, LOAD_PERF_GLOBAL_CTRL, "PERF_GLOBAL_CTRL reserved",
	       ON(EXIT, LOAD_PERF_GLOBAL_CTRL), SET(HOST_PERF_GLOBAL_CTRL, BIT(63))),
};

TEST(vmx, entry_host_msr, .ref = "SDM3 27.2.2", .needs = NEED_VMX)
{
	entry_rows(t, msr_rows, ARRAY_SIZE(msr_rows), BAD_HOST);
}

static const struct entry_row selector_rows[] = {
	ROW("ES RPL", OR(HOST_ES_SELECTOR, 1)),
	ROW("ES TI", OR(HOST_ES_SELECTOR, 4)),
	ROW("CS RPL", OR(HOST_CS_SELECTOR, 3)),
	ROW("CS TI", OR(HOST_CS_SELECTOR, 4)),
	ROW("CS null", SET(HOST_CS_SELECTOR, 0)),
	ROW("SS RPL", OR(HOST_SS_SELECTOR, 2)),
	ROW("SS TI", OR(HOST_SS_SELECTOR, 4)),
	ROW("DS RPL", OR(HOST_DS_SELECTOR, 1)),
	ROW("DS TI", OR(HOST_DS_SELECTOR, 4)),
	ROW("FS RPL", OR(HOST_FS_SELECTOR, 1)),
	ROW("FS TI", OR(HOST_FS_SELECTOR, 4)),
	ROW("GS RPL", OR(HOST_GS_SELECTOR, 1)),
	ROW("GS TI", OR(HOST_GS_SELECTOR, 4)),
	ROW("TR RPL", OR(HOST_TR_SELECTOR, 3)),
	ROW("TR TI", OR(HOST_TR_SELECTOR, 4)),
	ROW("TR null", SET(HOST_TR_SELECTOR, 0)),
};

TEST(vmx, entry_host_selectors, .ref = "SDM3 27.2.3", .needs = NEED_VMX)
{
	entry_rows(t, selector_rows, ARRAY_SIZE(selector_rows), BAD_HOST);
}

static const struct entry_row base_rows[] = {
	ROW("FS base canonical", SET(HOST_FS_BASE, NONCANONICAL)),
	ROW("GS base canonical", SET(HOST_GS_BASE, NONCANONICAL)),
	ROW("TR base canonical", SET(HOST_TR_BASE, NONCANONICAL)),
	ROW("GDTR base canonical", SET(HOST_GDTR_BASE, NONCANONICAL)),
	ROW("IDTR base canonical", SET(HOST_IDTR_BASE, NONCANONICAL)),
};

TEST(vmx, entry_host_bases, .ref = "SDM3 27.2.3", .needs = NEED_VMX)
{
	entry_rows(t, base_rows, ARRAY_SIZE(base_rows), BAD_HOST);
}

static const struct entry_row size_rows[] = {
	ROW("address-space size 0 in IA-32e mode", OFF(EXIT, HOST_64)),
	ROW("CR4.PAE clear", CLEAR(HOST_CR4, CR4_PAE)),
	ROW("RIP canonical", SET(HOST_RIP, NONCANONICAL)),
};

TEST(vmx, entry_host_address_size, .ref = "SDM3 27.2.4", .needs = NEED_VMX)
{
	entry_rows(t, size_rows, ARRAY_SIZE(size_rows), BAD_HOST);
}

/* SDM3 28.5: exits load exactly what the host fields hold. */
TEST(vmx, host_state_loaded, .ref = "SDM3 28.5", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	struct { u16 limit; u64 base; } __packed gdt, idt;
	u16 tr, cs, ss;

	vmx_write(m->v, VMCS_HOST_SYSENTER_ESP, 0xffff800012345678ULL);
	vmx_write(m->v, VMCS_HOST_SYSENTER_CS, 0x1234);
	vmx_write(m->v, VMCS_HOST_FS_BASE, 0x7fff12345000ULL);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
	__asm__ volatile("sgdt %0; sidt %1; str %2; mov %%cs, %3; mov %%ss, %4"
			 : "=m"(gdt), "=m"(idt), "=r"(tr), "=r"(cs), "=r"(ss));
	EXPECT_EQ(t, rdmsr(MSR_IA32_SYSENTER_ESP), 0xffff800012345678ULL);
	EXPECT_EQ(t, rdmsr(MSR_IA32_SYSENTER_CS), 0x1234);
	EXPECT_EQ(t, rdmsr(MSR_FS_BASE), 0x7fff12345000ULL);
	EXPECT_EQ(t, rdmsr(MSR_GS_BASE), vmx_read(m->v, VMCS_HOST_GS_BASE));
	EXPECT_EQ(t, rdmsr(MSR_EFER), vmx_read(m->v, VMCS_HOST_EFER));
	EXPECT_EQ(t, rdmsr(MSR_IA32_PAT), vmx_read(m->v, VMCS_HOST_PAT));
	EXPECT_EQ(t, read_cr0(), vmx_read(m->v, VMCS_HOST_CR0));
	EXPECT_EQ(t, read_cr3(), vmx_read(m->v, VMCS_HOST_CR3));
	EXPECT_EQ(t, read_cr4(), vmx_read(m->v, VMCS_HOST_CR4));
	EXPECT_EQ(t, read_dr7(), 0x400);
	EXPECT_EQ(t, gdt.base, vmx_read(m->v, VMCS_HOST_GDTR_BASE));
	/* SDM3 28.5.2: the limits become ffff. */
	EXPECT_EQ(t, gdt.limit, 0xffff);
	EXPECT_EQ(t, idt.base, vmx_read(m->v, VMCS_HOST_IDTR_BASE));
	EXPECT_EQ(t, idt.limit, 0xffff);
	EXPECT_EQ(t, tr, vmx_read(m->v, VMCS_HOST_TR_SELECTOR));
	EXPECT_EQ(t, cs, vmx_read(m->v, VMCS_HOST_CS_SELECTOR));
	EXPECT_EQ(t, ss, vmx_read(m->v, VMCS_HOST_SS_SELECTOR));
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_IA32_SYSENTER_ESP, 0);
	wrmsr(MSR_IA32_SYSENTER_CS, 0);
}
