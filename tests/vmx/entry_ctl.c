// SPDX-License-Identifier: MIT
/* VM-entry checks of the control fields: SDM3 27.2.1. */
#include "tests/vmx/vmx_test.h"

/*
 * Each bit of a control word: must-be-1 bits cleared, must-be-0 bits set.
 * Bits that the CPU lets go freely are not touched.
 */
static void ctl_word(struct test_ctx *t, enum vmx_ctl_word word, u32 field,
		     const char *zeros, const char *ones)
{
	struct machine *m = entry_machine(t);
	u64 cap = vmx_caps.ctl[word];
	u32 good = (u32)vmx_read(m->v, field);

	for (unsigned int pass = 0; pass < 2; pass++) {
		u32 mask = pass ? ~vmx_ctl_may_be_1(cap) : vmx_ctl_must_be_1(cap);

		if (!mask)
			continue;
		test_row(t, pass ? ones : zeros);
		for (unsigned int b = 0; b < 32; b++) {
			enum exit_reason r;

			if (!(mask & 1u << b))
				continue;
			vmx_write(m->v, field, good ^ 1u << b);
			r = entry_try(m);
			CHECK(t, r == EXIT_ENTRY_FAIL && m->v->exit.fail.error == 7,
			      "bit %u: exit %s, error %u", b, exit_reason_name(r),
			      r == EXIT_ENTRY_FAIL ? m->v->exit.fail.error : 0);
			vmx_write(m->v, field, good);
		}
	}
	test_row(t, "enters again");
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

TEST(vmx, entry_ctl_pin, .ref = "SDM3 27.2.1.1", .needs = NEED_VMX)
{
	ctl_word(t, VMX_CTL_PIN, VMCS_PIN_CTLS, "pin must be 1", "pin must be 0");
}

TEST(vmx, entry_ctl_proc, .ref = "SDM3 27.2.1.1", .needs = NEED_VMX)
{
	ctl_word(t, VMX_CTL_PROC, VMCS_PROC_CTLS, "proc must be 1", "proc must be 0");
}

TEST(vmx, entry_ctl_proc2, .ref = "SDM3 27.2.1.1", .needs = NEED_VMX)
{
	ctl_word(t, VMX_CTL_PROC2, VMCS_PROC2_CTLS, "proc2 must be 1", "proc2 must be 0");
}

TEST(vmx, entry_ctl_exit, .ref = "SDM3 27.2.1.2", .needs = NEED_VMX)
{
	ctl_word(t, VMX_CTL_EXIT, VMCS_EXIT_CTLS, "exit must be 1", "exit must be 0");
}

TEST(vmx, entry_ctl_entry, .ref = "SDM3 27.2.1.3", .needs = NEED_VMX)
{
	ctl_word(t, VMX_CTL_ENTRY, VMCS_ENTRY_CTLS, "entry must be 1", "entry must be 0");
}

static const struct entry_row address_rows[] = {
	ROW("I/O bitmap A aligned", OR(IO_BITMAP_A, 1)),
	ROW("I/O bitmap A in range", PHYS(IO_BITMAP_A)),
	ROW("I/O bitmap B aligned", OR(IO_BITMAP_B, 0x800)),
	ROW("I/O bitmap B in range", PHYS(IO_BITMAP_B)),
	ROW("MSR bitmap aligned", OR(MSR_BITMAP, 0x10)),
	ROW("MSR bitmap in range", PHYS(MSR_BITMAP)),
	ROW_IF(PROC, USE_TPR_SHADOW, "virtual-APIC aligned", OR(VIRTUAL_APIC_ADDR, 0x400)),
	ROW_IF(PROC, USE_TPR_SHADOW, "virtual-APIC in range", PHYS(VIRTUAL_APIC_ADDR)),
	ROW_IF(PROC2, VIRTUALIZE_APIC_ACCESSES, "APIC-access aligned",
	       ON(PROC2, VIRTUALIZE_APIC_ACCESSES), SET(APIC_ACCESS_ADDR, 8)),
	ROW_IF(PROC2, VIRTUALIZE_APIC_ACCESSES, "APIC-access in range",
	       ON(PROC2, VIRTUALIZE_APIC_ACCESSES), SET(APIC_ACCESS_ADDR, 0),
	       PHYS(APIC_ACCESS_ADDR)),
	ROW_IF(PROC2, ENABLE_PML, "PML aligned", ON(PROC2, ENABLE_PML),
	       SET(PML_ADDRESS, 0x800)),
	ROW_IF(PROC2, ENABLE_PML, "PML in range", ON(PROC2, ENABLE_PML), SET(PML_ADDRESS, 0),
	       PHYS(PML_ADDRESS)),
	ROW_IF(PROC2, VMCS_SHADOWING, "VMREAD bitmap aligned", ON(PROC2, VMCS_SHADOWING),
	       SET(VMREAD_BITMAP, 4), SET(VMWRITE_BITMAP, 0)),
	ROW_IF(PROC2, VMCS_SHADOWING, "VMREAD bitmap in range", ON(PROC2, VMCS_SHADOWING),
	       SET(VMREAD_BITMAP, 0), PHYS(VMREAD_BITMAP), SET(VMWRITE_BITMAP, 0)),
	ROW_IF(PROC2, VMCS_SHADOWING, "VMWRITE bitmap aligned", ON(PROC2, VMCS_SHADOWING),
	       SET(VMREAD_BITMAP, 0), SET(VMWRITE_BITMAP, 0x20)),
	ROW_IF(PROC2, VMCS_SHADOWING, "VMWRITE bitmap in range", ON(PROC2, VMCS_SHADOWING),
	       SET(VMREAD_BITMAP, 0), SET(VMWRITE_BITMAP, 0), PHYS(VMWRITE_BITMAP)),
	ROW_IF(PROC2, EPT_VIOLATION_VE, "#VE information aligned",
	       ON(PROC2, EPT_VIOLATION_VE), SET(VE_INFO_ADDR, 1)),
	ROW_IF(PROC2, EPT_VIOLATION_VE, "#VE information in range",
	       ON(PROC2, EPT_VIOLATION_VE), SET(VE_INFO_ADDR, 0), PHYS(VE_INFO_ADDR)),
	ROW_IF(PIN, POSTED_INTERRUPTS, "posted-interrupt descriptor aligned",
	       ON(PIN, POSTED_INTERRUPTS), ON(PROC2, VIRTUAL_INTR_DELIVERY),
	       ON(EXIT, ACK_INTR), SET(POSTED_INTR_VECTOR, 0xf2),
	       SET(POSTED_INTR_DESC_ADDR, 0x20)),
	ROW_IF(PIN, POSTED_INTERRUPTS, "posted-interrupt descriptor in range",
	       ON(PIN, POSTED_INTERRUPTS), ON(PROC2, VIRTUAL_INTR_DELIVERY),
	       ON(EXIT, ACK_INTR), SET(POSTED_INTR_VECTOR, 0xf2),
	       SET(POSTED_INTR_DESC_ADDR, 0), PHYS(POSTED_INTR_DESC_ADDR)),
	ROW_IF(PROC2, SUBPAGE_WRITE_PERM, "sub-page table aligned",
	       ON(PROC2, SUBPAGE_WRITE_PERM), SET(SPP_TABLE_POINTER, 0x10)),
	ROW_IF(PROC2, SUBPAGE_WRITE_PERM, "sub-page table in range",
	       ON(PROC2, SUBPAGE_WRITE_PERM), SET(SPP_TABLE_POINTER, 0),
	       PHYS(SPP_TABLE_POINTER)),
};

TEST(vmx, entry_ctl_addresses, .ref = "SDM3 27.2.1.1", .needs = NEED_VMX)
{
	entry_rows(t, address_rows, ARRAY_SIZE(address_rows), BAD_CTL);
}

static const struct entry_row depend_rows[] = {
	ROW_IF(PIN, VIRTUAL_NMIS, "virtual NMIs need NMI exiting", OFF(PIN, NMI_EXITING)),
	ROW_IF(PROC, NMI_WINDOW_EXITING, "NMI window needs virtual NMIs",
	       OFF(PIN, VIRTUAL_NMIS), ON(PROC, NMI_WINDOW_EXITING)),
	ROW_IF(PROC, USE_TPR_SHADOW, "TPR threshold bits 31:4", SET(TPR_THRESHOLD, 0x10)),
	ROW_IF(PROC, USE_TPR_SHADOW, "TPR threshold not above VTPR", SET(TPR_THRESHOLD, 1)),
	ROW_IF(PROC2, VIRTUALIZE_X2APIC, "x2APIC mode needs TPR shadow",
	       OFF(PROC, USE_TPR_SHADOW), ON(PROC2, VIRTUALIZE_X2APIC)),
	ROW_IF(PROC2, APIC_REGISTER_VIRT, "APIC registers need TPR shadow",
	       OFF(PROC, USE_TPR_SHADOW), ON(PROC2, APIC_REGISTER_VIRT)),
	ROW_IF(PROC2, VIRTUAL_INTR_DELIVERY, "virtual interrupts need TPR shadow",
	       OFF(PROC, USE_TPR_SHADOW), ON(PROC2, VIRTUAL_INTR_DELIVERY)),
	ROW_IF(PROC2, VIRTUALIZE_X2APIC, "x2APIC mode excludes APIC accesses",
	       ON(PROC2, VIRTUALIZE_X2APIC), ON(PROC2, VIRTUALIZE_APIC_ACCESSES),
	       SET(APIC_ACCESS_ADDR, 0x100000)),
	ROW_IF(PROC2, VIRTUAL_INTR_DELIVERY, "virtual interrupts need interrupt exiting",
	       OFF(PIN, EXT_INTR_EXITING), ON(PROC2, VIRTUAL_INTR_DELIVERY)),
	ROW("VPID 0", SET(VPID, 0)),
	ROW("unrestricted guest needs EPT", OFF(PROC2, ENABLE_EPT)),
	ROW_IF(PROC2, ENABLE_PML, "PML needs EPT", OFF(PROC2, ENABLE_EPT),
	       OFF(PROC2, UNRESTRICTED_GUEST), ON(PROC2, ENABLE_PML),
	       SET(PML_ADDRESS, 0x100000)),
	ROW_IF(PROC2, MODE_BASED_EXEC, "mode-based execution needs EPT",
	       OFF(PROC2, ENABLE_EPT), OFF(PROC2, UNRESTRICTED_GUEST),
	       ON(PROC2, MODE_BASED_EXEC)),
	ROW_IF(PIN, POSTED_INTERRUPTS, "posted interrupts need virtual interrupts",
	       ON(PIN, POSTED_INTERRUPTS), ON(EXIT, ACK_INTR), SET(POSTED_INTR_VECTOR, 0xf2),
	       SET(POSTED_INTR_DESC_ADDR, 0x100000)),
	ROW_IF(PIN, POSTED_INTERRUPTS, "posted interrupts need acknowledgement",
	       ON(PIN, POSTED_INTERRUPTS), ON(PROC2, VIRTUAL_INTR_DELIVERY),
	       OFF(EXIT, ACK_INTR), SET(POSTED_INTR_VECTOR, 0xf2),
	       SET(POSTED_INTR_DESC_ADDR, 0x100000)),
	ROW_IF(PIN, POSTED_INTERRUPTS, "posted-interrupt vector bits 15:8",
	       ON(PIN, POSTED_INTERRUPTS), ON(PROC2, VIRTUAL_INTR_DELIVERY),
	       ON(EXIT, ACK_INTR), SET(POSTED_INTR_VECTOR, 0x1f2),
	       SET(POSTED_INTR_DESC_ADDR, 0x100000)),
	ROW_IF(PROC2, SUBPAGE_WRITE_PERM, "sub-page permissions need EPT",
	       OFF(PROC2, ENABLE_EPT), OFF(PROC2, UNRESTRICTED_GUEST),
	       ON(PROC2, SUBPAGE_WRITE_PERM), SET(SPP_TABLE_POINTER, 0x100000)),
	ROW_IF(PROC2, USE_TSC_SCALING, "TSC multiplier 0", ON(PROC2, USE_TSC_SCALING),
	       SET(TSC_MULTIPLIER, 0)),
	ROW_IF(PROC2, ENABLE_VM_FUNCTIONS, "VM-function controls reserved",
	       ON(PROC2, ENABLE_VM_FUNCTIONS), SET(VM_FUNCTION_CTLS, BIT(63))),
	ROW_IF(PROC2, ENABLE_VM_FUNCTIONS, "EPTP list aligned",
	       ON(PROC2, ENABLE_VM_FUNCTIONS), SET(VM_FUNCTION_CTLS, 1),
	       SET(EPTP_LIST_ADDR, 0x80)),
	ROW_IF(PROC2, ENABLE_VM_FUNCTIONS, "EPTP list in range",
	       ON(PROC2, ENABLE_VM_FUNCTIONS), SET(VM_FUNCTION_CTLS, 1),
	       SET(EPTP_LIST_ADDR, 0), PHYS(EPTP_LIST_ADDR)),
	ROW_IF(PROC2, ENABLE_VM_FUNCTIONS, "EPTP switching needs EPT", OFF(PROC2, ENABLE_EPT),
	       OFF(PROC2, UNRESTRICTED_GUEST), ON(PROC2, ENABLE_VM_FUNCTIONS),
	       SET(VM_FUNCTION_CTLS, 1), SET(EPTP_LIST_ADDR, 0x100000)),
};

TEST(vmx, entry_ctl_dependencies, .ref = "SDM3 27.2.1.1", .needs = NEED_VMX)
{
	entry_rows(t, depend_rows, ARRAY_SIZE(depend_rows), BAD_CTL);
}

TEST(vmx, entry_ctl_cr3_targets, .ref = "SDM3 27.2.1.1", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	u32 max = VMX_MISC_CR3_TARGETS(vmx_caps.misc);

	vmx_write(m->v, VMCS_CR3_TARGET_COUNT, max);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
	vmx_write(m->v, VMCS_CR3_TARGET_COUNT, max + 1);
	REQUIRE_EQ(t, entry_try(m), EXIT_ENTRY_FAIL);
	EXPECT_EQ(t, m->v->exit.fail.stage, ENTRY_FAIL_INSN);
	EXPECT_EQ(t, m->v->exit.fail.error, 7);
}

/* SDM3 25.6.11, table 25-9: bits of the EPT pointer. */
static const struct entry_row eptp_rows[] = {
	ROW("memory type 1 (WC)", CLEAR(EPT_POINTER, 7), OR(EPT_POINTER, 1)),
	ROW("memory type 4 (WT)", CLEAR(EPT_POINTER, 7), OR(EPT_POINTER, 4)),
	ROW("memory type 5 (WP)", CLEAR(EPT_POINTER, 7), OR(EPT_POINTER, 5)),
	ROW("memory type 7", OR(EPT_POINTER, 7)),
	ROW("walk length 1", CLEAR(EPT_POINTER, 0x38)),
	ROW("walk length 3", CLEAR(EPT_POINTER, 0x38), OR(EPT_POINTER, 0x10)),
	ROW("walk length 8", OR(EPT_POINTER, 0x38)),
	ROW("reserved bit 8", OR(EPT_POINTER, BIT(8))),
	ROW("reserved bit 9", OR(EPT_POINTER, BIT(9))),
	ROW("reserved bit 10", OR(EPT_POINTER, BIT(10))),
	ROW("reserved bit 11", OR(EPT_POINTER, BIT(11))),
	ROW("address in range", PHYS(EPT_POINTER)),
};

TEST(vmx, entry_ctl_eptp, .ref = "SDM3 27.2.1.1", .needs = NEED_VMX)
{
	entry_rows(t, eptp_rows, ARRAY_SIZE(eptp_rows), BAD_CTL);
}

static const struct entry_row msr_area_rows[] = {
	ROW("exit store aligned", SET(EXIT_MSR_STORE_COUNT, 1), SET(EXIT_MSR_STORE_ADDR, 8)),
	ROW("exit store in range", SET(EXIT_MSR_STORE_COUNT, 1), SET(EXIT_MSR_STORE_ADDR, 0),
	    PHYS(EXIT_MSR_STORE_ADDR)),
	ROW("exit load aligned", SET(EXIT_MSR_LOAD_COUNT, 1), SET(EXIT_MSR_LOAD_ADDR, 1)),
	ROW("exit load in range", SET(EXIT_MSR_LOAD_COUNT, 1), SET(EXIT_MSR_LOAD_ADDR, 0),
	    PHYS(EXIT_MSR_LOAD_ADDR)),
	ROW("entry load aligned", SET(ENTRY_MSR_LOAD_COUNT, 1), SET(ENTRY_MSR_LOAD_ADDR, 4)),
	ROW("entry load in range", SET(ENTRY_MSR_LOAD_COUNT, 1), SET(ENTRY_MSR_LOAD_ADDR, 0),
	    PHYS(ENTRY_MSR_LOAD_ADDR)),
};

TEST(vmx, entry_ctl_msr_areas, .ref = "SDM3 27.2.1.2, 27.2.1.3", .needs = NEED_VMX)
{
	static const struct {
		const char *name;
		u32 count, addr;
	} last[] = {
		{ "exit store ends in range", VMCS_EXIT_MSR_STORE_COUNT, VMCS_EXIT_MSR_STORE_ADDR },
		{ "exit load ends in range", VMCS_EXIT_MSR_LOAD_COUNT, VMCS_EXIT_MSR_LOAD_ADDR },
		{ "entry load ends in range", VMCS_ENTRY_MSR_LOAD_COUNT, VMCS_ENTRY_MSR_LOAD_ADDR },
	};
	struct machine *m;

	entry_rows(t, msr_area_rows, ARRAY_SIZE(msr_area_rows), BAD_CTL);
	m = entry_machine(t);
	for (unsigned int i = 0; i < ARRAY_SIZE(last); i++) {
		test_row(t, last[i].name);
		/* The first entry is the last that fits, the second does not. */
		vmx_write(m->v, last[i].count, 2);
		vmx_write(m->v, last[i].addr, BIT(run_policy.maxphyaddr) - 16);
		REQUIRE_EQ(t, entry_try(m), EXIT_ENTRY_FAIL);
		EXPECT_EQ(t, m->v->exit.fail.stage, ENTRY_FAIL_INSN);
		EXPECT_EQ(t, m->v->exit.fail.error, 7);
		vmx_write(m->v, last[i].count, 0);
	}
}

static const struct entry_row timer_rows[] = {
	ROW_IF(EXIT, SAVE_PREEMPTION_TIMER, "saving the timer needs the timer",
	       ON(EXIT, SAVE_PREEMPTION_TIMER)),
};

TEST(vmx, entry_ctl_save_timer, .ref = "SDM3 27.2.1.2", .needs = NEED_VMX)
{
	entry_rows(t, timer_rows, ARRAY_SIZE(timer_rows), BAD_CTL);
}

static const struct entry_row smm_rows[] = {
	ROW_IF(ENTRY, ENTRY_TO_SMM, "entry to SMM outside SMM", ON(ENTRY, ENTRY_TO_SMM)),
	ROW_IF(ENTRY, DEACTIVATE_DUAL_MONITOR, "deactivate dual monitor outside SMM",
	       ON(ENTRY, DEACTIVATE_DUAL_MONITOR)),
	ROW_IF(ENTRY, ENTRY_TO_SMM, "both", ON(ENTRY, ENTRY_TO_SMM),
	       ON(ENTRY, DEACTIVATE_DUAL_MONITOR)),
};

TEST(vmx, entry_ctl_smm, .ref = "SDM3 27.2.1.3", .needs = NEED_VMX)
{
	entry_rows(t, smm_rows, ARRAY_SIZE(smm_rows), BAD_CTL);
}

#define INFO(type, vector)	(INTR_VALID | (u32)(type) << INTR_TYPE_SHIFT | (vector))

static const struct entry_row inject_rows[] = {
	ROW("reserved type 1", SET(ENTRY_INTR_INFO, INFO(1, 0x20))),
	ROW("NMI with vector 3", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_NMI, 3))),
	ROW("exception with vector 32", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXCEPTION, 32))),
	ROW("exception with vector 255", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXCEPTION, 255))),
	ROW_FATAL("other event with vector 1", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_OTHER, 1))),
	ROW("reserved bit 12", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXT, 0x20) | 1u << 12)),
	ROW("reserved bit 30", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXT, 0x20) | 1u << 30)),
	ROW("error code with an interrupt",
	    SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXT, 0x20) | INTR_ERROR_VALID)),
	ROW("error code with an NMI",
	    SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_NMI, 2) | INTR_ERROR_VALID)),
	ROW("error code with INT n",
	    SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_SOFT_INT, 0x80) | INTR_ERROR_VALID),
	    SET(ENTRY_INSN_LEN, 2)),
	ROW("error code with INT3",
	    SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_SOFT_EXC, 3) | INTR_ERROR_VALID),
	    SET(ENTRY_INSN_LEN, 1)),
	ROW("error code bits 31:16",
	    SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXCEPTION, VEC_GP) | INTR_ERROR_VALID),
	    SET(ENTRY_EXCEPTION_ERROR_CODE, 0x10000)),
	ROW("INT n of length 16", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_SOFT_INT, 0x80)),
	    SET(ENTRY_INSN_LEN, 16)),
	ROW("INT3 of length 16", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_SOFT_EXC, 3)),
	    SET(ENTRY_INSN_LEN, 16)),
	ROW("INT1 of length 16", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_PRIV_EXC, 1)),
	    SET(ENTRY_INSN_LEN, 16)),
};

TEST(vmx, entry_ctl_injection, .ref = "SDM3 27.2.1.3", .needs = NEED_VMX)
{
	entry_rows(t, inject_rows, ARRAY_SIZE(inject_rows), BAD_CTL);
}

static const struct entry_row error_code_rows[] = {
	ROW("#GP without its error code",
	    SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXCEPTION, VEC_GP))),
	ROW("#PF without its error code",
	    SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXCEPTION, VEC_PF))),
	ROW("#DF without its error code",
	    SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXCEPTION, VEC_DF))),
	ROW("#UD with an error code",
	    SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXCEPTION, VEC_UD) | INTR_ERROR_VALID)),
	ROW("#DE with an error code",
	    SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_EXCEPTION, VEC_DE) | INTR_ERROR_VALID)),
};

TEST(vmx, entry_ctl_error_code, .ref = "SDM3 27.2.1.3", .needs = NEED_VMX)
{
	if (vmx_caps.basic & VMX_BASIC_ANY_ERROR_CODE)
		SKIP(t, "IA32_VMX_BASIC bit 56: the CPU does not check");
	entry_rows(t, error_code_rows, ARRAY_SIZE(error_code_rows), BAD_CTL);
}

/* A length of 0 is for software exceptions only where IA32_VMX_MISC says so. */
TEST(vmx, entry_ctl_insn_len_0, .ref = "SDM3 27.2.1.3", .needs = NEED_VMX)
{
	static const struct entry_row rows[] = {
		ROW("INT n of length 0", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_SOFT_INT, 0x80)),
	    SET(ENTRY_INSN_LEN, 0)),
		ROW("INT3 of length 0", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_SOFT_EXC, 3)),
	    SET(ENTRY_INSN_LEN, 0)),
		ROW("INT1 of length 0", SET(ENTRY_INTR_INFO, INFO(INTR_TYPE_PRIV_EXC, 1)),
	    SET(ENTRY_INSN_LEN, 0)),
	};
	struct machine *m;

	if (!(vmx_caps.misc & VMX_MISC_INSN_LEN_0)) {
		entry_rows(t, rows, ARRAY_SIZE(rows), BAD_CTL);
		return;
	}
	/* Then RIP is pushed as it is. */
	m = entry_machine(t);
	machine_idt(m);
	vmx_write(m->v, VMCS_ENTRY_INTR_INFO, INFO(INTR_TYPE_SOFT_INT, 0x80));
	vmx_write(m->v, VMCS_ENTRY_INSN_LEN, 0);
	EXPECT_EQ(t, entry_try(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
}
