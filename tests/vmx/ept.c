// SPDX-License-Identifier: MIT
/* Extended page tables: SDM3 29.3 and the flushing rules of 29.4. */
#include "tests/vmx/vmx_test.h"

#define TEST_GPA	0x400000ULL	/* 2M page of its own, off the machine's */

GUEST64(ve_read, "mov (%rdi), %rax; cpuid");
GUEST64(ve_write, "mov %rax, (%rdi); cpuid");
GUEST64(ve_exec, "jmp *%rdi");
GUEST64(ve_rmw, "lock incq (%rdi); cpuid");

static struct machine *ept_machine(struct test_ctx *t, const struct guest_code *code)
{
	struct machine *m = machine_new(t, MODE_LONG64, code);

	machine_set(m, VREG_RDI, TEST_GPA);
	return m;
}

static void protect(struct machine *m, u64 gpa, u64 size, u32 prot)
{
	REQUIRE_EQ(m->t, pt_protect(&m->vm.npt, gpa, size, prot), 0);
	virt->flush(m->v);
}

struct viol_row {
	const char *name;
	const struct guest_code *code;
	u32 prot;		/* of the page */
	u8 read, write, exec;	/* the access, as reported */
	bool x_only;		/* needs execute-only pages */
};

static const struct viol_row viol_rows[] = {
	{ "read of X",		&ve_read,  PT_X,	  1, 0, 0, true },
	{ "write of R",		&ve_write, PT_R,	  0, 1, 0, false },
	{ "write of RX",	&ve_write, PT_R | PT_X,	  0, 1, 0, false },
	{ "execution of R",	&ve_exec,  PT_R,	  0, 0, 1, false },
	{ "execution of RW",	&ve_exec,  PT_R | PT_W,	  0, 0, 1, false },
};

TEST(vmx, ept_violation, .ref = "SDM3 29.3.3.2, table 28-7", .needs = NEED_VMX)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(viol_rows); i++) {
		const struct viol_row *r = &viol_rows[i];
		const struct exit_npf *n;
		struct machine *m;
		u64 q;

		if (r->x_only && !(vmx_caps.ept_vpid & EPT_CAP_EXEC_ONLY))
			continue;
		test_row(t, r->name);
		m = ept_machine(t, r->code);
		protect(m, TEST_GPA, PAGE_SIZE, r->prot);
		REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
		n = &m->v->exit.npf;
		q = m->v->exit.info1;
		EXPECT_EQ(t, n->gpa & PAGE_MASK, TEST_GPA);
		EXPECT(t, n->gla_valid);
		EXPECT_EQ(t, n->gla, TEST_GPA);
		EXPECT_EQ(t, n->read, r->read);
		EXPECT_EQ(t, n->write, r->write);
		EXPECT_EQ(t, n->exec, r->exec);
		EXPECT_EQ(t, n->present, true);
		EXPECT_EQ(t, n->table_walk, false);
		/* Bits 5:3: what the page allowed. */
		EXPECT_EQ(t, q >> 3 & 7, r->prot & 7);
		machine_free(m);
	}
}

/* One access that reads and writes says both, or only the write. */
TEST(vmx, ept_violation_rmw, .ref = "SDM3 table 28-7", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_rmw);

	protect(m, TEST_GPA, PAGE_SIZE, PT_R);
	REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
	EXPECT_EQ(t, m->v->exit.npf.write, true);
	EXPECT_EQ(t, m->v->exit.npf.present, true);
}

TEST(vmx, ept_not_present, .ref = "SDM3 29.3.3.2", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_read);

	machine_write64(m, TEST_GPA, 0x1234567890abcdefULL);
	REQUIRE_EQ(t, pt_unmap(&m->vm.npt, TEST_GPA, PAGE_SIZE), 0);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
	EXPECT_EQ(t, m->v->exit.npf.present, false);
	EXPECT_EQ(t, m->v->exit.npf.read, true);
	EXPECT_EQ(t, m->v->exit.npf.gpa, TEST_GPA);
	/* A violation is a fault: mapped, the instruction runs. */
	REQUIRE_EQ(t, pt_map(&m->vm.npt, TEST_GPA, (u64)machine_ptr(m, TEST_GPA, 8), PAGE_SIZE,
			     PT_RWX, PAGE_SIZE), 0);
	virt->flush(m->v);
	EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_RAX), 0x1234567890abcdefULL);
}

/* Qualification bit 8 clear: the access was to a paging structure. */
TEST(vmx, ept_violation_table_walk, .ref = "SDM3 table 28-7", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_read);

	REQUIRE_EQ(t, pt_unmap(&m->vm.npt, G_PDPT, PAGE_SIZE), 0);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
	EXPECT_EQ(t, m->v->exit.npf.gpa & PAGE_MASK, G_PDPT);
	EXPECT_EQ(t, m->v->exit.npf.gla_valid, true);
	EXPECT_EQ(t, m->v->exit.npf.table_walk, true);
	/* The first access of the guest is its first instruction. */
	EXPECT_EQ(t, m->v->exit.npf.gla, G_CODE);
}

/* Setting the accessed flag of a read-only guest table is a write. */
TEST(vmx, ept_violation_guest_ad, .ref = "SDM3 29.3.3.2", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_read);

	protect(m, G_PML4, PAGE_SIZE, PT_R);
	REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
	EXPECT_EQ(t, m->v->exit.npf.gpa & PAGE_MASK, G_PML4);
	EXPECT_EQ(t, m->v->exit.npf.write, true);
	EXPECT_EQ(t, m->v->exit.npf.table_walk, true);
}

struct misconfig_row {
	const char *name;
	u64 set, clear;
	u8 level;
	u64 unless;		/* not a misconfiguration with this capability */
};

static const struct misconfig_row misconfig_rows[] = {
	{ "write-only (010)",		EPT_W, EPT_R | EPT_X, 1, 0 },
	{ "write and execute (110)",	EPT_W | EPT_X, EPT_R, 1, 0 },
	{ "execute-only (100)",		EPT_X, EPT_R | EPT_W, 1, EPT_CAP_EXEC_ONLY },
	{ "memory type 2",		2ULL << EPT_MT_SHIFT, EPT_MT, 1, 0 },
	{ "memory type 3",		3ULL << EPT_MT_SHIFT, EPT_MT, 1, 0 },
	{ "memory type 7",		7ULL << EPT_MT_SHIFT, EPT_MT, 1, 0 },
	{ "page address bit 51",	BIT(51), 0, 1, 0 },
	{ "directory: write-only",	EPT_W, EPT_R | EPT_X, 2, 0 },
	{ "directory: reserved bit 3",	BIT(3), 0, 2, 0 },
	{ "directory: reserved bit 6",	BIT(6), 0, 2, 0 },
	{ "directory: address bit 51",	BIT(51), 0, 2, 0 },
	{ "PDPT: reserved bit 4",	BIT(4), 0, 3, 0 },
	{ "PML4: reserved bit 5",	BIT(5), 0, 4, 0 },
	{ "PML4: reserved bit 7",	BIT(7), 0, 4, 0 },
};

TEST(vmx, ept_misconfig, .ref = "SDM3 29.3.3.1", .needs = NEED_VMX)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(misconfig_rows); i++) {
		const struct misconfig_row *r = &misconfig_rows[i];
		struct machine *m;
		u64 *e, good;

		if (vmx_caps.ept_vpid & r->unless)
			continue;
		if (r->set & BIT(51) && run_policy.maxphyaddr > 51)
			continue;
		test_row(t, r->name);
		m = ept_machine(t, &ve_read);
		REQUIRE(t, pt_make_entry(&m->vm.npt, TEST_GPA, 1));
		e = pt_entry(&m->vm.npt, TEST_GPA, r->level);
		REQUIRE(t, e);
		good = *e;
		*e = (good & ~r->clear) | r->set;
		virt->flush(m->v);
		if (EXPECT_EQ(t, machine_run(m), EXIT_NPT_MISCONFIG)) {
			/* Level 3 and 4 already break the fetch. */
			EXPECT_EQ(t, m->v->exit.npf.gpa & PAGE_MASK,
				  r->level > 2 ? m->v->exit.npf.gpa & PAGE_MASK : TEST_GPA);
			EXPECT_EQ(t, m->v->exit.idt.type, EVENT_NONE);
		}
		*e = good;
		virt->flush(m->v);
		EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
		machine_free(m);
	}
}

/* SDM3 29.3.2: bits that are ignored in a 4K entry. */
TEST(vmx, ept_ignored_bits, .ref = "SDM3 29.3.2 table 29-6", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_read);
	u64 *e = pt_make_entry(&m->vm.npt, TEST_GPA, 1);

	REQUIRE(t, e);
	*e |= BIT(11) | BITS(59, 52) | BIT(62);
	virt->flush(m->v);
	EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
}

static bool have_ad(void)
{
	return vmx_caps.ept_vpid & EPT_CAP_AD;
}

TEST(vmx, ept_accessed_dirty, .ref = "SDM3 29.3.5", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_read);
	u64 *e = pt_make_entry(&m->vm.npt, TEST_GPA, 1);
	u64 *unused = pt_make_entry(&m->vm.npt, TEST_GPA + PAGE_SIZE, 1);

	if (!have_ad())
		SKIP(t, "the CPU has no accessed and dirty flags for EPT");
	REQUIRE(t, e && unused);
	EXPECT_EQ(t, *e & (EPT_A | EPT_D), 0);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, READ_ONCE(*e) & (EPT_A | EPT_D), EPT_A);
	EXPECT_EQ(t, READ_ONCE(*unused) & (EPT_A | EPT_D), 0);
	for (unsigned int level = 2; level <= 4; level++)
		EXPECT(t, *(u64 *)pt_entry(&m->vm.npt, TEST_GPA, level) & EPT_A);
	machine_free(m);

	m = ept_machine(t, &ve_write);
	e = pt_make_entry(&m->vm.npt, TEST_GPA, 1);
	REQUIRE(t, e);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, READ_ONCE(*e) & (EPT_A | EPT_D), EPT_A | EPT_D);
}

/* With the flags on, a walk of guest tables is a write to them. */
TEST(vmx, ept_dirty_guest_tables, .ref = "SDM3 29.3.5", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_read);
	u64 *e = pt_make_entry(&m->vm.npt, G_PML4, 1);

	if (!have_ad())
		SKIP(t, "the CPU has no accessed and dirty flags for EPT");
	REQUIRE(t, e);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, READ_ONCE(*e) & (EPT_A | EPT_D), EPT_A | EPT_D);
}

TEST(vmx, ept_ad_off, .ref = "SDM3 29.3.5", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_write);
	u64 *e = pt_make_entry(&m->vm.npt, TEST_GPA, 1);

	REQUIRE(t, e);
	vmx_of(m->v)->eptp &= ~BIT(6);
	vmx_write(m->v, VMCS_EPT_POINTER, vmx_of(m->v)->eptp);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, READ_ONCE(*e) & (EPT_A | EPT_D), 0);
}

/* The same access through pages of each size. */
static void large_page(struct test_ctx *t, u64 size, unsigned int level)
{
	struct machine *m = ept_machine(t, &ve_write);
	u64 gpa = 4 * SIZE_1G, pa = (u64)machine_ptr(m, 0, PAGE_SIZE) & ~(size - 1);
	u64 offset = (u64)machine_ptr(m, G_DATA, 8) - pa;
	u64 *pdpt = machine_ptr(m, G_PDPT, PAGE_SIZE), *pd = machine_ptr(m, 0xb000, PAGE_SIZE);
	u64 *e;

	/* Guest-linear addresses of 4 to 5 GiB, one to one. */
	for (u64 i = 0; i < 512; i++)
		pd[i] = (gpa + i * SIZE_2M) | 0x87;
	pdpt[4] = 0xb007;
	REQUIRE_EQ(t, pt_map(&m->vm.npt, gpa, pa, size, PT_RWX, size), 0);
	e = pt_entry(&m->vm.npt, gpa, level);
	REQUIRE(t, e);
	EXPECT(t, *e & EPT_PS);
	virt->flush(m->v);
	machine_set(m, VREG_RDI, gpa + offset);
	machine_set(m, VREG_RAX, 0x5a5a0000 | level);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_read64(m, G_DATA), 0x5a5a0000 | level);
	if (have_ad())
		EXPECT_EQ(t, READ_ONCE(*e) & (EPT_A | EPT_D), EPT_A | EPT_D);
	/* SDM3 29.3.3.1: bits 20:12 (29:12) of a large page are reserved. */
	*e |= BIT(13);
	virt->flush(m->v);
	m->v->rip = G_CODE;
	EXPECT_EQ(t, machine_run(m), EXIT_NPT_MISCONFIG);
}

TEST(vmx, ept_page_2m, .ref = "SDM3 29.3.2", .needs = NEED_VMX)
{
	if (!(vmx_caps.ept_vpid & EPT_CAP_2M))
		SKIP(t, "the CPU has no 2-MByte EPT pages");
	large_page(t, SIZE_2M, 2);
}

TEST(vmx, ept_page_1g, .ref = "SDM3 29.3.2", .needs = NEED_VMX)
{
	if (!(vmx_caps.ept_vpid & EPT_CAP_1G))
		SKIP(t, "the CPU has no 1-GByte EPT pages");
	large_page(t, SIZE_1G, 3);
}

GUEST64(ve_read_twice, "mov (%rdi), %rax; cpuid; mov (%rdi), %rax; cpuid");

/* SDM3 29.4.3.1: after INVEPT no old translation is used. */
TEST(vmx, ept_unmap_flush, .ref = "SDM3 29.4.3.1", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_read_twice);

	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	REQUIRE_EQ(t, pt_unmap(&m->vm.npt, TEST_GPA, PAGE_SIZE), 0);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_next(m), EXIT_NPF);
	EXPECT_EQ(t, m->v->exit.npf.gpa, TEST_GPA);
}

/* The translation itself changes: the second read sees another page. */
TEST(vmx, ept_remap_flush, .ref = "SDM3 29.4.3.1", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_read_twice);

	machine_write64(m, TEST_GPA, 1);
	machine_write64(m, TEST_GPA + PAGE_SIZE, 2);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_RAX), 1);
	REQUIRE_EQ(t, pt_map(&m->vm.npt, TEST_GPA,
			     (u64)machine_ptr(m, TEST_GPA + PAGE_SIZE, 8), PAGE_SIZE, PT_RWX,
			     PAGE_SIZE), 0);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_next(m), EXIT_CPUID);
	EXPECT_EQ(t, machine_get(m, VREG_RAX), 2);
}

/* SDM3 29.3.2: guest-physical addresses have 48 bits with 4 levels. */
TEST(vmx, ept_translates_code, .ref = "SDM3 29.3.2", .needs = NEED_VMX)
{
	struct machine *m = ept_machine(t, &ve_exec);

	/* The code page is at another place than its address says. */
	machine_write64(m, TEST_GPA + PAGE_SIZE, 0xa20f);	/* cpuid */
	REQUIRE_EQ(t, pt_map(&m->vm.npt, TEST_GPA,
			     (u64)machine_ptr(m, TEST_GPA + PAGE_SIZE, 8), PAGE_SIZE,
			     PT_R | PT_X, PAGE_SIZE), 0);
	virt->flush(m->v);
	REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
	EXPECT_EQ(t, m->v->rip, TEST_GPA);
}
