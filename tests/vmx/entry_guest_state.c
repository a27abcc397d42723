// SPDX-License-Identifier: MIT
/* VM-entry checks of non-register state and PDPTEs: SDM3 27.3.1.5, 27.3.1.6. */
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "tests/vmx/vmx_test.h"

#define INFO(type, vector)	(INTR_VALID | (u32)(type) << INTR_TYPE_SHIFT | (vector))
#define INJECT(type, vector)	SET(ENTRY_INTR_INFO, INFO(type, vector))

static const struct entry_row activity_rows[] = {
	ROW("activity state 4", SET(GUEST_ACTIVITY_STATE, 4)),
	ROW("activity state 2^31", SET(GUEST_ACTIVITY_STATE, BIT(31))),
	ROW("HLT with SS.DPL not 0", SET(GUEST_ACTIVITY_STATE, ACTIVITY_HLT),
	    OR(GUEST_SS_AR_BYTES, 0x60), OR(GUEST_CS_AR_BYTES, 0x60)),
	ROW("HLT with STI blocking", SET(GUEST_ACTIVITY_STATE, ACTIVITY_HLT),
	    OR(GUEST_RFLAGS, RFLAGS_IF), SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI)),
	ROW("HLT with MOV SS blocking", SET(GUEST_ACTIVITY_STATE, ACTIVITY_HLT),
	    SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS)),
	ROW("HLT and #UD injected", SET(GUEST_ACTIVITY_STATE, ACTIVITY_HLT),
	    INJECT(INTR_TYPE_EXCEPTION, VEC_UD)),
	ROW("HLT and INT n injected", SET(GUEST_ACTIVITY_STATE, ACTIVITY_HLT),
	    INJECT(INTR_TYPE_SOFT_INT, 0x80), SET(ENTRY_INSN_LEN, 2)),
	ROW("shutdown and interrupt injected", SET(GUEST_ACTIVITY_STATE, ACTIVITY_SHUTDOWN),
	    OR(GUEST_RFLAGS, RFLAGS_IF), INJECT(INTR_TYPE_EXT, 0x20)),
	ROW("shutdown and #UD injected", SET(GUEST_ACTIVITY_STATE, ACTIVITY_SHUTDOWN),
	    INJECT(INTR_TYPE_EXCEPTION, VEC_UD)),
	ROW("wait-for-SIPI and NMI injected", SET(GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_SIPI),
	    INJECT(INTR_TYPE_NMI, 2)),
};

TEST(vmx, entry_guest_activity, .ref = "SDM3 27.3.1.5", .needs = NEED_VMX)
{
	entry_rows(t, activity_rows, ARRAY_SIZE(activity_rows), BAD_GUEST);
}

static const struct entry_row block_rows[] = {
	ROW("reserved bit 5", SET(GUEST_INTERRUPTIBILITY, 0x20)),
	ROW("reserved bit 31", SET(GUEST_INTERRUPTIBILITY, BIT(31))),
	ROW("STI and MOV SS at once", SET(GUEST_INTERRUPTIBILITY, 3), OR(GUEST_RFLAGS, RFLAGS_IF)),
	ROW("STI with IF clear", SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI)),
	ROW("SMI blocking outside SMM", SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_SMI)),
	ROW("STI and interrupt injected", SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI),
	    OR(GUEST_RFLAGS, RFLAGS_IF), INJECT(INTR_TYPE_EXT, 0x20)),
	ROW("MOV SS and interrupt injected",
	    SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS), OR(GUEST_RFLAGS, RFLAGS_IF),
	    INJECT(INTR_TYPE_EXT, 0x20)),
	ROW_IF(PIN, VIRTUAL_NMIS, "NMI blocking and NMI injected",
	       SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_NMI), INJECT(INTR_TYPE_NMI, 2)),
};

TEST(vmx, entry_guest_interruptibility, .ref = "SDM3 27.3.1.5", .needs = NEED_VMX)
{
	entry_rows(t, block_rows, ARRAY_SIZE(block_rows), BAD_GUEST);
}

/* SDM3 27.3.1.5: bit 4, enclave interruption, is for CPUs with SGX only. */
static const struct entry_row enclave_rows[] = {
	ROW("enclave interruption without SGX", SET(GUEST_INTERRUPTIBILITY, 0x10)),
};

TEST(vmx, entry_guest_enclave, .ref = "SDM3 27.3.1.5", .needs = NEED_VMX)
{
	if (cpuid(7).ebx & BIT(2))
		SKIP(t, "the CPU has SGX");
	entry_rows(t, enclave_rows, ARRAY_SIZE(enclave_rows), BAD_GUEST);
}

/* SDM3 27.8: the qualification is 3 here, or 0 on older CPUs. */
TEST(vmx, entry_guest_nmi_mov_ss, .ref = "SDM3 27.3.1.5, 27.8", .needs = NEED_VMX)
{
	static const struct poke p[MAX_POKES] = {
		SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS), INJECT(INTR_TYPE_NMI, 2),
	};
	struct machine *m = entry_machine(t);
	u64 old[MAX_POKES];

	entry_poke(m, p, old);
	REQUIRE_EQ(t, entry_try(m), EXIT_ENTRY_FAIL);
	EXPECT_EQ(t, m->v->exit.fail.stage, ENTRY_FAIL_GUEST);
	EXPECT(t, m->v->exit.fail.qualification == 3 || m->v->exit.fail.qualification == 0);
	entry_undo(m, p, old);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

static const struct entry_row debug_rows[] = {
	ROW("bit 4 reserved", SET(GUEST_PENDING_DEBUG, BIT(4))),
	ROW("bit 11 reserved", SET(GUEST_PENDING_DEBUG, BIT(11))),
	ROW("bit 13 reserved", SET(GUEST_PENDING_DEBUG, BIT(13))),
	ROW("bit 15 reserved", SET(GUEST_PENDING_DEBUG, BIT(15))),
	ROW("bit 63 reserved", SET(GUEST_PENDING_DEBUG, BIT(63))),
	ROW("MOV SS blocking, TF set, BS clear",
	    SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS), OR(GUEST_RFLAGS, RFLAGS_TF)),
	ROW("MOV SS blocking, TF clear, BS set",
	    SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS),
	    SET(GUEST_PENDING_DEBUG, PENDING_DEBUG_BS)),
	ROW("STI blocking, TF set, BS clear",
	    SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI),
	    OR(GUEST_RFLAGS, RFLAGS_TF | RFLAGS_IF)),
	ROW("STI blocking, BTF set, BS set",
	    SET(GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI),
	    OR(GUEST_RFLAGS, RFLAGS_TF | RFLAGS_IF), SET(GUEST_DEBUGCTL, 2),
	    SET(GUEST_PENDING_DEBUG, PENDING_DEBUG_BS)),
	ROW_FATAL("HLT, TF clear, BS set", SET(GUEST_ACTIVITY_STATE, ACTIVITY_HLT),
	    SET(GUEST_PENDING_DEBUG, PENDING_DEBUG_BS)),
};

TEST(vmx, entry_guest_pending_debug, .ref = "SDM3 27.3.1.5", .needs = NEED_VMX)
{
	entry_rows(t, debug_rows, ARRAY_SIZE(debug_rows), BAD_GUEST);
}

/* SDM3 27.8: the qualification of these is 4. */
static void link_fails(struct machine *m, const char *row, u64 pointer)
{
	struct test_ctx *t = m->t;

	test_row(t, row);
	vmx_write(m->v, VMCS_VMCS_LINK_POINTER, pointer);
	if (EXPECT_EQ(t, entry_try(m), EXIT_ENTRY_FAIL)) {
		EXPECT_EQ(t, m->v->exit.fail.stage, ENTRY_FAIL_GUEST);
		EXPECT_EQ(t, m->v->exit.fail.qualification, 4);
	}
	vmx_write(m->v, VMCS_VMCS_LINK_POINTER, ~0ULL);
}

TEST(vmx, entry_guest_link_pointer, .ref = "SDM3 27.3.1.5, 27.8", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	struct vmcs_region *page = host_alloc(1, t->owner);
	u32 revision = vmx_caps.basic & VMX_BASIC_REVISION;

	REQUIRE(t, page);
	page->revision_id = revision;
	link_fails(m, "not aligned", (u64)page | 0x800);
	link_fails(m, "out of range", (u64)page | BIT(run_policy.maxphyaddr));
	link_fails(m, "the current VMCS", vmx_of(m->v)->vmcs_pa);
	page->revision_id = revision ^ 1;
	link_fails(m, "wrong revision", (u64)page);
	page->revision_id = revision | VMCS_SHADOW;
	link_fails(m, "shadow VMCS without shadowing", (u64)page);
	page->revision_id = revision;
	test_row(t, "another ordinary VMCS region");
	vmx_write(m->v, VMCS_VMCS_LINK_POINTER, (u64)page);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
	vmx_write(m->v, VMCS_VMCS_LINK_POINTER, ~0ULL);
	if (!ctl_allowed(VMX_CTL_PROC2, VMX_CTL(PROC2_VMCS_SHADOWING)))
		return;
	vmx_write(m->v, VMCS_PROC2_CTLS, vmx_read(m->v, VMCS_PROC2_CTLS) |
		  VMX_CTL(PROC2_VMCS_SHADOWING));
	vmx_write(m->v, VMCS_VMREAD_BITMAP, (u64)vmx_of(m->v)->io_bitmap);
	vmx_write(m->v, VMCS_VMWRITE_BITMAP, (u64)vmx_of(m->v)->io_bitmap);
	link_fails(m, "ordinary VMCS with shadowing", (u64)page);
}

/* SDM3 27.3.1.6: the qualification of these is 2. */
static const struct entry_row pdpte_rows[] = {
	ROW("PDPTE0 bit 1 reserved", OR(GUEST_PDPTE0, 2)),
	ROW("PDPTE1 bit 2 reserved", OR(GUEST_PDPTE1, 4)),
	ROW("PDPTE2 bit 5 reserved", OR(GUEST_PDPTE2, 0x20)),
	ROW("PDPTE3 bit 8 reserved", OR(GUEST_PDPTE3, 0x100)),
	ROW("PDPTE0 bit 63 reserved", OR(GUEST_PDPTE0, BIT(63))),
	ROW("PDPTE3 in range", PHYS(GUEST_PDPTE3)),
};

TEST(vmx, entry_guest_pdptes, .ref = "SDM3 27.3.1.6", .needs = NEED_VMX)
{
	entry_rows_in(t, ENTRY_PAE32, pdpte_rows, ARRAY_SIZE(pdpte_rows), ENTRY_FAIL_GUEST, 2);
}

/* An entry that is not present is not looked at; without PAE none is. */
static const struct entry_row pdpte_good_rows[] = {
	ROW("PDPTE3 not present, reserved bits set", SET(GUEST_PDPTE3, 0x1e6)),
};

TEST(vmx, entry_guest_pdptes_ignored, .ref = "SDM3 27.3.1.6", .needs = NEED_VMX)
{
	entry_rows_good(t, ENTRY_PAE32, pdpte_good_rows, ARRAY_SIZE(pdpte_good_rows));
}
