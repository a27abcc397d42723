// SPDX-License-Identifier: MIT
/* The VMX instructions in root operation and their errors: SDM3 31.3, 31.4. */
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "tests/vmx/vmx_test.h"

/* The result must be VMfailValid with this number. */
static void fails(struct test_ctx *t, enum vmx_result res, u32 error)
{
	u32 got = (u32)vmread(VMCS_VM_INSN_ERROR);

	CHECK(t, res == VMX_FAIL_VALID, "result %u instead of VMfailValid", res);
	CHECK(t, got == error, "error %u (%s) instead of %u", got, vmx_insn_error_name(got), error);
}

static struct vmcs_region *new_region(struct test_ctx *t)
{
	struct vmcs_region *r = host_alloc(1, t->owner);

	REQUIRE(t, r);
	r->revision_id = vmx_caps.basic & VMX_BASIC_REVISION;
	return r;
}

/* Sets the current VMCS as core expects it, whatever a test did. */
static void back_to(struct machine *m)
{
	vmptrld(vmx_of(m->v)->vmcs_pa);
}

TEST(vmx, insn_vmclear, .ref = "SDM3 31.3 VMCLEAR", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	u64 pa = (u64)new_region(t);

	test_row(t, "address not aligned");
	fails(t, vmclear(pa | 0x800), 2);
	test_row(t, "address out of range");
	fails(t, vmclear(pa | BIT(run_policy.maxphyaddr)), 2);
	test_row(t, "VMXON pointer");
	fails(t, vmclear(this_cpu()->virt_area), 3);
	test_row(t, "good address");
	EXPECT_EQ(t, vmclear(pa), VMX_OK);
	EXPECT_EQ(t, vmptrst(), vmx_of(m->v)->vmcs_pa);
	test_row(t, "the current VMCS");
	EXPECT_EQ(t, vmclear(vmx_of(m->v)->vmcs_pa), VMX_OK);
	EXPECT_EQ(t, vmptrst(), ~0ULL);
	back_to(m);
	vmx_of(m->v)->launched = 0;
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

TEST(vmx, insn_vmptrld, .ref = "SDM3 31.3 VMPTRLD", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	struct vmcs_region *r = new_region(t);

	test_row(t, "address not aligned");
	fails(t, vmptrld((u64)r | 8), 9);
	test_row(t, "address out of range");
	fails(t, vmptrld((u64)r | BIT(run_policy.maxphyaddr)), 9);
	test_row(t, "VMXON pointer");
	fails(t, vmptrld(this_cpu()->virt_area), 10);
	test_row(t, "wrong revision");
	r->revision_id ^= 1;
	fails(t, vmptrld((u64)r), 11);
	r->revision_id ^= 1;
	if (!ctl_allowed(VMX_CTL_PROC2, VMX_CTL(PROC2_VMCS_SHADOWING))) {
		test_row(t, "shadow VMCS without the feature");
		r->revision_id |= VMCS_SHADOW;
		fails(t, vmptrld((u64)r), 11);
		r->revision_id &= ~VMCS_SHADOW;
	}
	test_row(t, "failure keeps the pointer");
	EXPECT_EQ(t, vmptrst(), vmx_of(m->v)->vmcs_pa);
	test_row(t, "good address");
	EXPECT_EQ(t, vmclear((u64)r), VMX_OK);
	EXPECT_EQ(t, vmptrld((u64)r), VMX_OK);
	EXPECT_EQ(t, vmptrst(), (u64)r);
	EXPECT_EQ(t, vmclear((u64)r), VMX_OK);
	back_to(m);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

/* SDM3 25.11.3: VMLAUNCH wants a clear VMCS, VMRESUME a launched one. */
TEST(vmx, insn_launch_state, .ref = "SDM3 25.1, 31.3 VMLAUNCH/VMRESUME", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	struct vmx_vcpu *x = vmx_of(m->v);

	test_row(t, "VMLAUNCH of a launched VMCS");
	x->launched = 0;
	REQUIRE_EQ(t, entry_try(m), EXIT_ENTRY_FAIL);
	EXPECT_EQ(t, m->v->exit.fail.stage, ENTRY_FAIL_INSN);
	EXPECT_EQ(t, m->v->exit.fail.error, 4);
	test_row(t, "VMRESUME of a clear VMCS");
	EXPECT_EQ(t, vmclear(x->vmcs_pa), VMX_OK);
	back_to(m);
	x->launched = 1;
	REQUIRE_EQ(t, entry_try(m), EXIT_ENTRY_FAIL);
	EXPECT_EQ(t, m->v->exit.fail.error, 5);
	test_row(t, "VMLAUNCH of a clear VMCS");
	x->launched = 0;
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
	/* SDM3 27.8: an entry that fails leaves the VMCS clear. */
	test_row(t, "VMLAUNCH after a failed VMLAUNCH");
	EXPECT_EQ(t, vmclear(x->vmcs_pa), VMX_OK);
	back_to(m);
	x->launched = 0;
	vmx_write(m->v, VMCS_GUEST_CR3, ~0ULL);
	REQUIRE_EQ(t, entry_try(m), EXIT_ENTRY_FAIL);
	EXPECT_EQ(t, m->v->exit.fail.stage, ENTRY_FAIL_GUEST);
	EXPECT_EQ(t, x->launched, 0);
	vmx_write(m->v, VMCS_GUEST_CR3, G_PML4);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

TEST(vmx, insn_no_current_vmcs, .ref = "SDM3 31.2", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	struct vmx_vcpu *x = vmx_of(m->v);
	u64 val;

	EXPECT_EQ(t, vmclear(x->vmcs_pa), VMX_OK);
	EXPECT_EQ(t, vmread_checked(VMCS_GUEST_RIP, &val), VMX_FAIL_INVALID);
	EXPECT_EQ(t, vmwrite_checked(VMCS_GUEST_RIP, 0), VMX_FAIL_INVALID);
	EXPECT_EQ(t, vmptrld(1), VMX_FAIL_INVALID);
	x->launched = 0;
	x->host_rsp = 0;
	EXPECT_EQ(t, vmx_world_switch(m->v->gpr, &x->host_rsp, 0), VMX_FAIL_INVALID);
	EXPECT_EQ(t, vmx_world_switch(m->v->gpr, &x->host_rsp, 1), VMX_FAIL_INVALID);
	back_to(m);
	x->host_rsp = 0;
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

/* SDM3 31.4, 26: VMLAUNCH right behind MOV SS. */
TEST(vmx, insn_mov_ss_blocking, .ref = "SDM3 27.1", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	bool cf, zf;

	REQUIRE_EQ(t, vmptrst(), vmx_of(m->v)->vmcs_pa);
	__asm__ volatile("mov %%ss, %%eax\n\tmov %%eax, %%ss\n\tvmresume"
			 : "=@ccc"(cf), "=@ccz"(zf) :: "eax", "memory");
	fails(t, vmx_result(cf, zf), 26);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

TEST(vmx, insn_vmxon_in_root, .ref = "SDM3 31.3 VMXON", .needs = NEED_VMX)
{
	entry_machine(t);
	fails(t, vmxon(this_cpu()->virt_area), 15);
}

TEST(vmx, insn_vmcall_in_root, .ref = "SDM3 31.3 VMCALL", .needs = NEED_VMX)
{
	bool cf, zf;

	/* Launched: one emulator knows the dual-monitor treatment by half. */
	entry_machine(t);
	__asm__ volatile("vmcall" : "=@ccc"(cf), "=@ccz"(zf) :: "memory");
	fails(t, vmx_result(cf, zf), 1);
}

/* SDM3 31.3 VMXON: a bad region is VMfailInvalid. */
TEST(vmx, insn_vmxon, .ref = "SDM3 31.3 VMXON, VMXOFF", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	struct vmcs_region *r = new_region(t);
	u64 flags = irq_save();
	enum vmx_result off, unaligned, range, revision, shadow, good;

	/* Nothing may print or test between VMXOFF and VMXON. */
	vmclear(vmx_of(m->v)->vmcs_pa);
	off = vmxoff();
	unaligned = vmxon(this_cpu()->virt_area | 4);
	range = vmxon(this_cpu()->virt_area | BIT(run_policy.maxphyaddr));
	r->revision_id ^= 1;
	revision = vmxon((u64)r);
	r->revision_id ^= 1u | VMCS_SHADOW;
	shadow = vmxon((u64)r);
	good = vmxon(this_cpu()->virt_area);
	if (good == VMX_OK)
		back_to(m);
	irq_restore(flags);
	EXPECT_EQ(t, off, VMX_OK);
	EXPECT_EQ(t, unaligned, VMX_FAIL_INVALID);
	EXPECT_EQ(t, range, VMX_FAIL_INVALID);
	EXPECT_EQ(t, revision, VMX_FAIL_INVALID);
	EXPECT_EQ(t, shadow, VMX_FAIL_INVALID);
	REQUIRE_EQ(t, good, VMX_OK);
	vmx_of(m->v)->launched = 0;
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

/* The value that a field can hold of v. */
static u64 fit(const struct vmcs_field_info *f, u64 v)
{
	switch (f->width) {
	case VMCS_WIDTH_16:
		return (u16)v;
	case VMCS_WIDTH_32:
		return (u32)v;
	default:
		return v;
	}
}

static void check_field(struct test_ctx *t, const struct vmcs_field_info *f, u32 *supported)
{
	u64 old, got = 0;

	/* Reading a field that does not exist is error 12, and so is writing. */
	if (vmread_checked(f->encoding, &old) != VMX_OK) {
		CHECK(t, vmread(VMCS_VM_INSN_ERROR) == 12, "%s: VMREAD error", f->name);
		CHECK(t, vmwrite_checked(f->encoding, 0) == VMX_FAIL_VALID &&
		      vmread(VMCS_VM_INSN_ERROR) == 12, "%s: VMWRITE succeeds", f->name);
		return;
	}
	(*supported)++;
	if (f->group == VMCS_GROUP_RO && !(vmx_caps.misc & VMX_MISC_VMWRITE_ALL)) {
		CHECK(t, vmwrite_checked(f->encoding, 0) == VMX_FAIL_VALID &&
		      vmread(VMCS_VM_INSN_ERROR) == 13, "%s: read-only field written", f->name);
		return;
	}
	for (unsigned int i = 0; i < 3; i++) {
		static const u64 patterns[] = { 0x5555555555555555ULL, 0xaaaaaaaaaaaaaaaaULL, 0 };
		u64 want = fit(f, patterns[i]);

		/* SDM3 25.4.1: reserved bits of access rights need not be kept. */
		if (f->encoding >= VMCS_GUEST_ES_AR_BYTES && f->encoding <= VMCS_GUEST_TR_AR_BYTES)
			want &= 0x1f0ff;
		CHECK(t, vmwrite_checked(f->encoding, want) == VMX_OK &&
		      vmread_checked(f->encoding, &got) == VMX_OK && got == want,
		      "%s: wrote %llx, read %llx", f->name, (unsigned long long)want,
		      (unsigned long long)got);
	}
	vmwrite_checked(f->encoding, old);
}

TEST(vmx, insn_vmread_vmwrite, .ref = "SDM3 31.3 VMREAD, VMWRITE; appendix B", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	u32 supported = 0;

	for (unsigned int i = 0; i < vmcs_field_count; i++)
		check_field(t, &vmcs_fields[i], &supported);
	test_note(t, "%u of %u fields exist", supported, vmcs_field_count);
	/* The fields of 1st-generation VMX. */
	EXPECT(t, supported >= 110);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

/* SDM3 25.11.2: bit 0 of the encoding of a 64-bit field is its high half. */
TEST(vmx, insn_field_halves, .ref = "SDM3 25.11.2", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	u64 old = vmread(VMCS_TSC_OFFSET);

	EXPECT_EQ(t, vmwrite_checked(VMCS_TSC_OFFSET, 0x1122334455667788ULL), VMX_OK);
	EXPECT_EQ(t, vmread(VMCS_TSC_OFFSET + 1), 0x11223344);
	EXPECT_EQ(t, vmwrite_checked(VMCS_TSC_OFFSET + 1, 0xcafe), VMX_OK);
	EXPECT_EQ(t, vmread(VMCS_TSC_OFFSET), 0x0000cafe55667788ULL);
	vmwrite(VMCS_TSC_OFFSET, old);
	test_row(t, "no high half of a 32-bit field");
	fails(t, vmwrite_checked(VMCS_EXCEPTION_BITMAP + 1, 0), 12);
	test_row(t, "no high half of a natural field");
	fails(t, vmwrite_checked(VMCS_GUEST_RIP + 1, 0), 12);
	test_row(t, "reserved bits of the encoding");
	fails(t, vmwrite_checked(VMCS_GUEST_RIP | 0x8000, 0), 12);
	test_row(t, "enters again");
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

/* A.9: the highest index of any field that exists. */
TEST(vmx, insn_vmcs_enum, .ref = "SDM3 A.9", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	u32 highest = 0;
	u64 val;

	for (unsigned int i = 0; i < vmcs_field_count; i++)
		if (vmread_checked(vmcs_fields[i].encoding, &val) == VMX_OK)
			highest = MAX(highest, (u32)(vmcs_fields[i].encoding >> 1 & 0x1ff));
	EXPECT(t, (vmx_caps.vmcs_enum >> 1 & 0x1ff) >= highest);
	EXPECT_EQ(t, vmx_caps.vmcs_enum & 1, 0);
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

TEST(vmx, insn_invept, .ref = "SDM3 31.3 INVEPT", .needs = NEED_VMX)
{
	struct machine *m = entry_machine(t);
	struct invept_desc d = { .eptp = vmx_of(m->v)->eptp };
	u64 cap = vmx_caps.ept_vpid;

	if (cap & EPT_CAP_INVEPT_SINGLE) {
		test_row(t, "single context");
		EXPECT_EQ(t, invept(INVEPT_SINGLE, &d), VMX_OK);
		test_row(t, "single context, bad EPT pointer");
		d.eptp |= 7;
		fails(t, invept(INVEPT_SINGLE, &d), 28);
	}
	if (cap & EPT_CAP_INVEPT_ALL) {
		test_row(t, "all contexts");
		EXPECT_EQ(t, invept(INVEPT_ALL, &d), VMX_OK);
	}
	test_row(t, "type 0");
	fails(t, invept(0, &d), 28);
	test_row(t, "type 3");
	fails(t, invept(3, &d), 28);
	test_row(t, "type 2^32 + 1");
	d.eptp = vmx_of(m->v)->eptp;
	fails(t, invept(BIT(32) | 1, &d), 28);
	test_row(t, "enters again");
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}

TEST(vmx, insn_invvpid, .ref = "SDM3 31.3 INVVPID", .needs = NEED_VMX)
{
	static const struct {
		const char *good, *zero;
		u64 cap;
	} types[] = {
		{ "individual address", "individual address, VPID 0", VPID_CAP_ADDR },
		{ "single context", "single context, VPID 0", VPID_CAP_SINGLE },
		{ "all contexts", NULL, VPID_CAP_ALL },
		{ "single context but globals", "single but globals, VPID 0",
		  VPID_CAP_SINGLE_GLOBALS },
	};
	struct machine *m = entry_machine(t);
	u16 vpid = vmx_of(m->v)->vpid;
	struct invvpid_desc d;

	for (u64 type = 0; type < ARRAY_SIZE(types); type++) {
		d = (struct invvpid_desc){ .vpid = vpid, .linear = G_CODE };
		if (!(vmx_caps.ept_vpid & types[type].cap))
			continue;
		test_row(t, types[type].good);
		EXPECT_EQ(t, invvpid(type, &d), VMX_OK);
		if (!types[type].zero)
			continue;
		test_row(t, types[type].zero);
		d.vpid = 0;
		fails(t, invvpid(type, &d), 28);
	}
	test_row(t, "type 4");
	d = (struct invvpid_desc){ .vpid = vpid };
	fails(t, invvpid(4, &d), 28);
	test_row(t, "reserved bits of the descriptor");
	d.reserved_2[0] = 1;
	fails(t, invvpid(INVVPID_SINGLE, &d), 28);
	if (vmx_caps.ept_vpid & VPID_CAP_ADDR) {
		test_row(t, "individual address not canonical");
		d = (struct invvpid_desc){ .vpid = vpid, .linear = NONCANONICAL };
		fails(t, invvpid(INVVPID_ADDR, &d), 28);
	}
	test_row(t, "enters again");
	EXPECT_EQ(t, entry_try(m), EXIT_CPUID);
}
