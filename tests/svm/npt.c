// SPDX-License-Identifier: MIT
/* Nested paging: APM2 15.25. */
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/caps.h"
#include "svm/npt.h"
#include "tests/svm/svm_test.h"

/* A page of its own for each test: the tables map it as a 4K page. */
#define G_PAGE		0x800000ULL
#define G_TABLES	0xc00000ULL

#define RD_PAGE	CODE(0x8a, 0x04, 0x25, 0, 0, 0x80, 0)	/* mov al, [800000h] */
#define WR_PAGE	CODE(0x88, 0x04, 0x25, 0, 0, 0x80, 0)	/* mov [800000h], al */
#define JMP_PAGE CODE(0xb8, 0, 0, 0x80, 0, 0xff, 0xe0)	/* mov eax, 800000h; jmp rax */

static u64 pa_of(struct machine *m, u64 gpa)
{
	return (u64)machine_ptr(m, gpa, 1);
}

/* Maps one page of the guest anew; prot 0 unmaps it. */
static void remap(struct machine *m, u64 gpa, u64 size, u32 prot)
{
	int err = prot ? pt_map(&m->vm.npt, gpa, pa_of(m, gpa), size, prot, size) :
			 pt_unmap(&m->vm.npt, gpa, size);

	if (err)
		TEST_ERROR(m->t, "cannot change the nested tables (error %d)", err);
	virt->flush(m->v);
}

struct npf_row {
	const char *name;
	u32 prot;		/* of the page, 0: not mapped */
	u64 info1;
	struct code c;
};

/* APM2 15.25.6: the walk of nested tables is a user access, so US is 1. */
static const struct npf_row npf_rows[] = {
	{ "read, not present", 0, NPF_FINAL | PFERR_U, RD_PAGE },
	{ "write, not present", 0, NPF_FINAL | PFERR_U | PFERR_W, WR_PAGE },
	{ "fetch, not present", 0, NPF_FINAL | PFERR_U | PFERR_I, JMP_PAGE },
	{ "write, read-only", PT_R | PT_X | PT_U,
	  NPF_FINAL | PFERR_U | PFERR_W | PFERR_P, WR_PAGE },
	{ "fetch, no-execute", PT_RW | PT_U, NPF_FINAL | PFERR_U | PFERR_I | PFERR_P, JMP_PAGE },
};

TEST(svm, npf_info, .ref = "APM2 15.25.6", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);

	for (unsigned int i = 0; i < ARRAY_SIZE(npf_rows); i++) {
		test_row(t, npf_rows[i].name);
		svm_load(m, &npf_rows[i].c);
		remap(m, G_PAGE, PAGE_SIZE, npf_rows[i].prot);
		if (!svm_expect(m, SVM_EXIT_NPF, npf_rows[i].name))
			continue;
		EXPECT_EQ(t, m->v->exit.info1, npf_rows[i].info1);
		EXPECT_EQ(t, m->v->exit.info2, G_PAGE);
		EXPECT_EQ(t, m->v->exit.idt.type, EVENT_NONE);
		if (!(npf_rows[i].info1 & PFERR_I))
			EXPECT_EQ(t, m->v->rip, G_CODE);
	}
}

/* APM2 15.25.5: to nested tables every access is a user access. */
TEST(svm, npf_supervisor_page, .ref = "APM2 15.25.5", .needs = NEED_SVM)
{
	static const struct code rd = RD_PAGE;
	struct machine *m = svm_machine(t);
	u64 *e;

	svm_load(m, &rd);
	remap(m, G_PAGE, PAGE_SIZE, PT_RWX | PT_U);
	e = pt_entry(&m->vm.npt, G_PAGE, 1);
	REQUIRE(t, e);
	*e &= ~PTE_U;
	virt->flush(m->v);
	if (svm_expect(m, SVM_EXIT_NPF, "U/S = 0"))
		EXPECT_EQ(t, m->v->exit.info1, NPF_FINAL | PFERR_U | PFERR_P);
}

/* The exit is a fault: with the page mapped it goes on as if nothing had been. */
TEST(svm, npf_resume, .ref = "APM2 15.25.6", .needs = NEED_SVM)
{
	static const struct code rd = RD_PAGE;
	struct machine *m = svm_machine(t);

	*(u8 *)machine_ptr(m, G_PAGE, 1) = 0x5a;
	svm_load(m, &rd);
	remap(m, G_PAGE, PAGE_SIZE, 0);
	svm_expect(m, SVM_EXIT_NPF, "unmapped");
	remap(m, G_PAGE, PAGE_SIZE, PT_RWX | PT_U);
	svm_expect(m, SVM_EXIT_VMMCALL, "mapped");
	EXPECT_EQ(t, machine_get(m, VREG_RAX) & 0xff, 0x5a);
}

/* APM2 15.25.6: bit 33 for the guest's own tables, treated as written. */
TEST(svm, npf_table_walk, .ref = "APM2 15.25.6", .needs = NEED_SVM)
{
	static const struct code rd = RD_PAGE;
	struct machine *m = svm_machine(t);

	memcpy(machine_ptr(m, G_TABLES, PAGE_SIZE), machine_ptr(m, G_PML4, PAGE_SIZE), PAGE_SIZE);
	svm_load(m, &rd);
	machine_set(m, VREG_CR3, G_TABLES);
	test_row(t, "not present");
	remap(m, G_TABLES, PAGE_SIZE, 0);
	if (svm_expect(m, SVM_EXIT_NPF, "table not mapped")) {
		EXPECT_EQ(t, m->v->exit.info1 & ~(u64)PFERR_W, NPF_TABLE | PFERR_U);
		EXPECT_EQ(t, m->v->exit.info2 & PAGE_MASK, G_TABLES);
		EXPECT(t, m->v->exit.npf.table_walk);
	}
	test_row(t, "read-only");
	svm_load(m, &rd);
	remap(m, G_TABLES, PAGE_SIZE, PT_R | PT_X | PT_U);
	if (svm_expect(m, SVM_EXIT_NPF, "table read-only")) {
		EXPECT_EQ(t, m->v->exit.info1, NPF_TABLE | PFERR_U | PFERR_W | PFERR_P);
		EXPECT_EQ(t, m->v->exit.info2 & PAGE_MASK, G_TABLES);
	}
	test_row(t, "no-execute does not matter");
	svm_load(m, &rd);
	remap(m, G_TABLES, PAGE_SIZE, PT_RW | PT_U);
	svm_expect(m, SVM_EXIT_VMMCALL, "table not executable");
}

/* APM2 15.25.6, 5.4.1: reserved bits of nested entries are P and RSV. */
TEST(svm, npf_reserved, .ref = "APM2 15.25.6", .needs = NEED_SVM)
{
	static const struct code rd = RD_PAGE;
	struct machine *m = svm_machine(t);
	static const struct { const char *name; u8 level; u64 bit; } row[] = {
		{ "4K entry beyond the physical addresses", 1, 0 },
		{ "directory entry beyond the physical addresses", 2, 0 },
		{ "large-page bit in the top table", 4, PTE_PS },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		u64 bit = row[i].bit ? row[i].bit : BIT(svm.caps.maxphyaddr);
		u64 *e;

		test_row(t, row[i].name);
		if (svm.caps.maxphyaddr > 51 && !row[i].bit) {
			test_report(t, OUTCOME_SKIP, "no such bit");
			continue;
		}
		remap(m, G_PAGE, PAGE_SIZE, PT_RWX | PT_U);
		svm_load(m, &rd);
		e = pt_entry(&m->vm.npt, G_PAGE, row[i].level);
		REQUIRE(t, e);
		*e |= bit;
		virt->flush(m->v);
		if (svm_expect(m, SVM_EXIT_NPF, row[i].name)) {
			EXPECT_EQ(t, m->v->exit.info1 & (PFERR_P | PFERR_RSVD | PFERR_U),
				  PFERR_P | PFERR_RSVD | PFERR_U);
			EXPECT(t, m->v->exit.npf.rsvd);
		}
		*e &= ~bit;
		virt->flush(m->v);
	}
}

static u64 entry_at(struct machine *m, u64 gpa, unsigned int level)
{
	u64 *e = pt_entry(&m->vm.npt, gpa, level);

	if (!e)
		TEST_ERROR(m->t, "no entry of level %u for %llx", level, (unsigned long long)gpa);
	return *e;
}

/* APM2 15.25.5: nested tables get accessed and dirty bits. */
TEST(svm, npt_accessed_dirty, .ref = "APM2 15.25.5", .needs = NEED_SVM)
{
	static const struct code rd = RD_PAGE, wr = WR_PAGE;
	struct machine *m = svm_machine(t);

	remap(m, G_PAGE, PAGE_SIZE, PT_RWX | PT_U);
	EXPECT_EQ(t, entry_at(m, G_PAGE, 1) & (PTE_A | PTE_D), 0);
	svm_load(m, &rd);
	svm_expect(m, SVM_EXIT_VMMCALL, "read");
	EXPECT_EQ(t, entry_at(m, G_PAGE, 1) & (PTE_A | PTE_D), PTE_A);
	EXPECT(t, entry_at(m, G_PAGE, 2) & PTE_A);
	EXPECT(t, entry_at(m, G_PAGE, 4) & PTE_A);
	svm_load(m, &wr);
	svm_expect(m, SVM_EXIT_VMMCALL, "write");
	EXPECT_EQ(t, entry_at(m, G_PAGE, 1) & (PTE_A | PTE_D), PTE_A | PTE_D);
	/* What nobody touched stays clean. */
	remap(m, G_PAGE + PAGE_SIZE, PAGE_SIZE, PT_RWX | PT_U);
	svm_load(m, &wr);
	svm_expect(m, SVM_EXIT_VMMCALL, "write");
	EXPECT_EQ(t, entry_at(m, G_PAGE + PAGE_SIZE, 1) & (PTE_A | PTE_D), 0);
}

/*
 * A gpa far above the RAM is mapped to the page at G_PAGE through an entry of
 * the given size, read-only; the guest reads a mark there.
 */
static void page_size(struct test_ctx *t, u64 size, unsigned int level)
{
	static const struct code rd = CODE(0x48, 0x8b, 0x06);	/* mov rax, [rsi] */
	struct machine *m = svm_machine(t);
	u64 gpa = 2ULL << 30, pa, *e;

	machine_write64(m, G_PAGE + 0x18, 0x1122334455667788ULL);
	pa = ALIGN_DOWN(pa_of(m, G_PAGE), size);
	REQUIRE_EQ(t, pt_map(&m->vm.npt, gpa, pa, size, PT_R | PT_U, size), 0);
	virt->flush(m->v);
	e = pt_entry(&m->vm.npt, gpa, level);
	REQUIRE(t, e && *e & PTE_P && (level == 1 || *e & PTE_PS));
	svm_load(m, &rd);
	machine_set(m, VREG_RSI, gpa + (pa_of(m, G_PAGE) & (size - 1)) + 0x18);
	if (svm_expect(m, SVM_EXIT_VMMCALL, "read through the page"))
		EXPECT_EQ(t, machine_get(m, VREG_RAX), 0x1122334455667788ULL);
	/* One byte behind the page is not mapped. */
	svm_load(m, &rd);
	machine_set(m, VREG_RSI, gpa + size);
	if (svm_expect(m, SVM_EXIT_NPF, "behind the page"))
		EXPECT_EQ(t, m->v->exit.npf.gpa, gpa + size);
}

TEST(svm, npt_4k, .ref = "APM2 15.25.4, 5.3.3", .needs = NEED_SVM)
{
	page_size(t, PAGE_SIZE, 1);
}

TEST(svm, npt_2m, .ref = "APM2 15.25.4, 5.3.4", .needs = NEED_SVM)
{
	page_size(t, SIZE_2M, 2);
}

TEST(svm, npt_1g, .ref = "APM2 15.25.4, 5.3.5", .needs = NEED_SVM)
{
	if (!run_policy.caps->page1gb)
		SKIP(t, "no 1G pages");
	page_size(t, SIZE_1G, 3);
}

/* APM2 15.16: a mapping that was used is gone after it is unmapped and flushed. */
TEST(svm, npt_unmap_flush, .ref = "APM2 15.16, 15.25.8", .needs = NEED_SVM)
{
	static const struct code rd2 = CODE(0x8a, 0x04, 0x25, 0, 0, 0x80, 0, B_CPUID,
					    0x8a, 0x04, 0x25, 0, 0, 0x80, 0);
	struct machine *m = svm_machine(t);

	remap(m, G_PAGE, PAGE_SIZE, PT_RWX | PT_U);
	svm_load(m, &rd2);
	svm_expect(m, SVM_EXIT_CPUID, "first read");
	remap(m, G_PAGE, PAGE_SIZE, 0);
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	if (svm_expect(m, SVM_EXIT_NPF, "second read"))
		EXPECT_EQ(t, m->v->rip, G_CODE + 9);
}

/* The same when the page is exchanged: the second read sees the new one. */
TEST(svm, npt_exchange_flush, .ref = "APM2 15.16", .needs = NEED_SVM)
{
	static const struct code rd2 = CODE(0x8a, 0x04, 0x25, 0, 0, 0x80, 0, B_CPUID,
					    0x8a, 0x04, 0x25, 0, 0, 0x80, 0);
	struct machine *m = svm_machine(t);

	*(u8 *)machine_ptr(m, G_PAGE, 1) = 1;
	*(u8 *)machine_ptr(m, G_PAGE + PAGE_SIZE, 1) = 2;
	remap(m, G_PAGE, PAGE_SIZE, PT_RWX | PT_U);
	svm_load(m, &rd2);
	svm_expect(m, SVM_EXIT_CPUID, "first read");
	EXPECT_EQ(t, machine_get(m, VREG_RAX) & 0xff, 1);
	REQUIRE_EQ(t, pt_map(&m->vm.npt, G_PAGE, pa_of(m, G_PAGE + PAGE_SIZE), PAGE_SIZE,
			     PT_RWX | PT_U, PAGE_SIZE), 0);
	virt->flush(m->v);
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	svm_expect(m, SVM_EXIT_VMMCALL, "second read");
	EXPECT_EQ(t, machine_get(m, VREG_RAX) & 0xff, 2);
}

/* APM2 15.25.9: guest paging off, nested paging on: all of it is still translated. */
GUEST32(g_nopaging, "movb 0x800000, %al; vmmcall; hlt");

TEST(svm, npt_guest_paging_off, .ref = "APM2 15.25.1", .needs = NEED_SVM)
{
	struct machine *m = machine_new(t, MODE_PROT32, &g_nopaging);

	*(u8 *)machine_ptr(m, G_PAGE, 1) = 0x77;
	svm_expect(m, SVM_EXIT_VMMCALL, "mapped");
	EXPECT_EQ(t, machine_get(m, VREG_RAX) & 0xff, 0x77);
	remap(m, G_PAGE, PAGE_SIZE, 0);
	m->v->rip = G_CODE;
	if (svm_expect(m, SVM_EXIT_NPF, "unmapped"))
		EXPECT_EQ(t, m->v->exit.info1, NPF_FINAL | PFERR_U);
}

/* APM2 15.25.6: an access that crosses pages reports the one that fails. */
TEST(svm, npf_crossing, .ref = "APM2 15.25.6", .needs = NEED_SVM)
{
	/* mov [800ffch], rax */
	static const struct code wr = CODE(0x48, 0x89, 0x04, 0x25, 0xfc, 0x0f, 0x80, 0);
	struct machine *m = svm_machine(t);

	machine_write64(m, G_PAGE + 0xff8, 0);
	svm_load(m, &wr);
	machine_set(m, VREG_RAX, ~0ULL);
	remap(m, G_PAGE, 2 * PAGE_SIZE, PT_RWX | PT_U);
	remap(m, G_PAGE + PAGE_SIZE, PAGE_SIZE, 0);
	if (svm_expect(m, SVM_EXIT_NPF, "second page unmapped"))
		EXPECT_EQ(t, m->v->exit.npf.gpa, G_PAGE + PAGE_SIZE);
	/* Nothing was written: the instruction is restartable (APM2 8.1.3). */
	EXPECT_EQ(t, machine_read64(m, G_PAGE + 0xff8), 0);
}
