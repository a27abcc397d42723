/* SPDX-License-Identifier: MIT */
/* Nested paging (APM2 15.25) and EPT (SDM3 29.3) through the neutral tables. */
#include "core/lib/string.h"
#include "core/mm/pt.h"
#include "core/mm/pt_walk.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"
#include "vmx/ops.h"

#define FAR_GPA	0x2000000ULL	/* 32 MiB: no memory of the guest */
#define PAGE	0x200000ULL	/* in its memory, away from all else */

GUEST64(c_read, "mov (%rbx), %rax; hlt");
GUEST64(c_write, "mov %rax, (%rbx); hlt");
GUEST64(c_jump, "jmp *%rbx");
GUEST64(c_read2, "mov (%rbx), %rax; hlt; mov (%rbx), %rax; hlt");

static void protect(struct machine *m, u64 gpa, u64 size, u32 prot)
{
	REQUIRE_EQ(m->t, pt_protect(&m->vm.npt, gpa, size, prot), 0);
	virt->flush(m->v);
}

static void unmap(struct machine *m, u64 gpa, u64 size)
{
	REQUIRE_EQ(m->t, pt_unmap(&m->vm.npt, gpa, size), 0);
	virt->flush(m->v);
}

/* Maps a page of the guest's memory at another address too. */
static void alias(struct machine *m, u64 gpa, u64 of, u64 size, u32 prot, u64 page_max)
{
	REQUIRE_EQ(m->t, pt_map(&m->vm.npt, gpa, (u64)machine_ptr(m, of, size), size, prot,
				page_max), 0);
	virt->flush(m->v);
}

static void expect_npf(struct machine *m, u64 gpa, bool write, bool exec, bool present)
{
	const struct exit_npf *f = &m->v->exit.npf;
	struct test_ctx *t = m->t;

	REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
	EXPECT_EQ(t, f->gpa, gpa);
	EXPECT_EQ(t, f->write, write);
	EXPECT_EQ(t, f->exec, exec);
	EXPECT_EQ(t, f->present, present);
	EXPECT(t, !f->table_walk);
	EXPECT_EQ(t, m->v->exit.idt.type, EVENT_NONE);
}

/* Tables that map the first 2 MiB one to one, at gpa. */
static void fill_tables(u64 *e, u64 gpa)
{
	e[0] = (gpa + PAGE_SIZE) | PTE_P | PTE_W;
	e[512] = (gpa + 2 * PAGE_SIZE) | PTE_P | PTE_W;
	e[1024] = PTE_P | PTE_W | PTE_PS;
}

static void translate_by(struct machine *m, u64 cr3)
{
	struct test_ctx *t = m->t;
	struct event fault;
	u64 gpa = 0;

	machine_set(m, VREG_CR3, cr3);
	REQUIRE_EQ(t, vcpu_translate(m->v, G_DATA, PTA_WRITE, &gpa, &fault), 0);
	EXPECT_EQ(t, gpa, G_DATA);
}

/* When L0 walks a guest's tables for it: ROM is not written, what is RAM is. */
TEST(common, walk_in_rom, .ref = "APM2 5.4.2, SDM3 4.8", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_read);
	u64 *ram = machine_ptr(m, PAGE, 3 * PAGE_SIZE), before[3];
	u8 *rom;

	REQUIRE_EQ(t, vm_add_rom(&m->vm, FAR_GPA, 3 * PAGE_SIZE, 0, &rom), 0);
	fill_tables(ram, PAGE);
	fill_tables((u64 *)rom, FAR_GPA);
	for (u32 i = 0; i < 3; i++)
		before[i] = ((u64 *)rom)[512 * i];
	translate_by(m, PAGE);
	for (u32 i = 0; i < 3; i++)
		EXPECT_EQ(t, ram[512 * i] & (PTE_A | PTE_D), i < 2 ? PTE_A : PTE_A | PTE_D);
	translate_by(m, FAR_GPA);
	for (u32 i = 0; i < 3; i++)
		EXPECT_EQ(t, ((u64 *)rom)[512 * i], before[i]);
}

TEST(common, npf_not_mapped, .ref = "APM2 15.25.6, SDM3 table 28-7", .needs = NEED_VIRT)
{
	static const struct guest_code *const codes[] = { &c_read, &c_write, &c_jump };

	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		struct machine *m = machine_new(t, MODE_LONG64, codes[i]);

		m->v->gpr[VREG_RBX] = FAR_GPA + 0x123 * i;
		expect_npf(m, FAR_GPA + 0x123 * i, i == 1, i == 2, false);
		EXPECT_EQ(t, m->v->exit.npf.read, i == 0);
		EXPECT_EQ(t, m->v->rip, i == 2 ? FAR_GPA + 0x246 : G_CODE);
		machine_free(m);
	}
}

TEST(common, npf_read_only_page, .ref = "APM2 15.25.6, SDM3 29.3.3.2", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_write);

	machine_write64(m, PAGE, 0x5555);
	protect(m, PAGE, PAGE_SIZE, PT_R | PT_X | PT_U);
	m->v->gpr[VREG_RBX] = PAGE + 8;
	expect_npf(m, PAGE + 8, true, false, true);
	/* The page before and the one behind are writable. */
	m->v->gpr[VREG_RBX] = PAGE - 8;
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	m->v->rip = G_CODE;
	m->v->gpr[VREG_RBX] = PAGE + PAGE_SIZE;
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	protect(m, PAGE, PAGE_SIZE, PT_RWX | PT_U);
	m->v->rip = G_CODE;
	m->v->gpr[VREG_RBX] = PAGE;
	m->v->gpr[VREG_RAX] = 0x6666;
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	EXPECT_EQ(t, machine_read64(m, PAGE), 0x6666);
}

TEST(common, npf_read_of_read_only, .ref = "APM2 15.25.6, SDM3 29.3.3.2", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_read);

	machine_write64(m, PAGE, 0x5555);
	protect(m, PAGE, PAGE_SIZE, PT_R | PT_U);
	m->v->gpr[VREG_RBX] = PAGE;
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0x5555);
}

TEST(common, npf_no_execute, .ref = "APM2 15.25.6, SDM3 29.3.3.2", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_jump);

	*(u8 *)machine_ptr(m, PAGE, 1) = 0xf4;
	protect(m, PAGE, PAGE_SIZE, PT_RW | PT_U);
	m->v->gpr[VREG_RBX] = PAGE;
	expect_npf(m, PAGE, false, true, true);
	EXPECT_EQ(t, m->v->rip, PAGE);
	protect(m, PAGE, PAGE_SIZE, PT_RWX | PT_U);
	EXPECT_EQ(t, machine_run(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->rip, PAGE);
}

/* The guest's own tables are read and written through ours. */
TEST(common, npf_table_walk, .ref = "APM2 15.25.6, SDM3 29.3.3.2, table 28-7",
     .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_read);

	machine_write64(m, G_PDPT + 8, FAR_GPA | 7);
	m->v->gpr[VREG_RBX] = SIZE_1G + 3 * SIZE_2M;
	REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
	EXPECT(t, m->v->exit.npf.table_walk);
	EXPECT(t, !m->v->exit.npf.present);
	EXPECT_EQ(t, m->v->exit.npf.gpa & ~7ULL, FAR_GPA + 3 * 8);
	EXPECT_EQ(t, m->v->rip, G_CODE);
}

/* APM2 15.25.5: a table walk writes accessed bits: it needs a writable page. */
TEST(common, npf_table_read_only, .ref = "APM2 15.25.5, SDM3 29.3.3.2", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_read);

	memcpy(machine_ptr(m, PAGE, PAGE_SIZE), machine_ptr(m, G_PD + PAGE_SIZE, PAGE_SIZE),
	       PAGE_SIZE);
	machine_write64(m, G_PDPT + 8, PAGE | 7);
	machine_write64(m, PAGE, 0x87);
	protect(m, PAGE, PAGE_SIZE, PT_R | PT_U);
	m->v->gpr[VREG_RBX] = SIZE_1G + G_DATA;
	REQUIRE_EQ(t, machine_run(m), EXIT_NPF);
	EXPECT(t, m->v->exit.npf.table_walk);
	EXPECT(t, m->v->exit.npf.present);
	EXPECT(t, m->v->exit.npf.write);
	EXPECT_EQ(t, m->v->exit.npf.gpa & PAGE_MASK, PAGE);
	protect(m, PAGE, PAGE_SIZE, PT_RW | PT_U);
	EXPECT_EQ(t, machine_run(m), EXIT_HLT);
	EXPECT_EQ(t, machine_read64(m, PAGE) & (PTE_A | PTE_D), PTE_A);
}

/* A page fault of the guest's own tables stays in the guest. */
TEST(common, npf_guest_fault_first, .ref = "APM2 15.25.2, SDM3 28.1", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_write);

	machine_idt(m);
	machine_write64(m, G_PD + FAR_GPA / SIZE_2M * 8, 0);
	m->v->gpr[VREG_RBX] = FAR_GPA;
	expect_exception(m, machine_run(m), VEC_PF, PFERR_W);
	EXPECT_EQ(t, machine_exception(m)->cr2, FAR_GPA);
}

static void large_page(struct test_ctx *t, u64 size, u32 level)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_read);
	u64 gpa = 2 * SIZE_1G, pa = (u64)machine_ptr(m, PAGE, SIZE_2M);
	u64 start = ALIGN_DOWN(pa, size);
	struct pt_mapping map;

	if (!virt->npt_format()->level[level - 1].leaf)
		SKIP(t, "no such page size in the nested tables");
	/*
	 * The host's memory around the guest's page, devices perhaps: uncached,
	 * so that only what the guest reads is read.
	 */
	REQUIRE_EQ(t, pt_map(&m->vm.npt, gpa, start, size, PT_R | PT_U | PT_UC, size), 0);
	virt->flush(m->v);
	REQUIRE_EQ(t, pt_query(&m->vm.npt, gpa, &map), 0);
	EXPECT_EQ(t, map.size, size);
	EXPECT_EQ(t, map.level, level);
	machine_write64(m, PAGE + 0xff8, 0xabcdef);
	m->v->gpr[VREG_RBX] = gpa + (pa - start) + 0xff8;
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0xabcdef);
}

TEST(common, npt_4k_page, .ref = "APM2 15.25.5, SDM3 29.3.2", .needs = NEED_VIRT)
{
	large_page(t, PAGE_SIZE, 1);
}

TEST(common, npt_2m_page, .ref = "APM2 15.25.5, SDM3 29.3.2", .needs = NEED_VIRT)
{
	large_page(t, SIZE_2M, 2);
}

TEST(common, npt_1g_page, .ref = "APM2 15.25.5, SDM3 29.3.2", .needs = NEED_VIRT)
{
	large_page(t, SIZE_1G, 3);
}

/* What was in the TLB is gone: unmap, then move elsewhere. */
TEST(common, npt_unmap_and_flush, .ref = "APM2 15.16, SDM3 29.4.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_read2);

	machine_write64(m, PAGE, 0x1111);
	machine_write64(m, PAGE + SIZE_2M, 0x2222);
	m->v->gpr[VREG_RBX] = PAGE;
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0x1111);
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	unmap(m, PAGE, PAGE_SIZE);
	expect_npf(m, PAGE, false, false, false);
	alias(m, PAGE, PAGE + SIZE_2M, PAGE_SIZE, PT_RWX | PT_U, PAGE_SIZE);
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0x2222);
	/* Taking a right away counts as well. */
	m->v->rip = G_CODE;
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	m->v->rip = G_CODE;
	unmap(m, PAGE, SIZE_2M);
	expect_npf(m, PAGE, false, false, false);
}

/* One guest's flush and tables say nothing about another's. */
TEST(common, npt_two_guests, .ref = "APM2 15.16, SDM3 29.4.1", .needs = NEED_VIRT)
{
	struct machine *m[2];

	for (u32 i = 0; i < 2; i++) {
		m[i] = machine_new(t, MODE_LONG64, &c_read);
		machine_write64(m[i], PAGE, 0x1000 + i);
		m[i]->v->gpr[VREG_RBX] = PAGE;
	}
	for (u32 i = 0; i < 8; i++) {
		m[i & 1]->v->rip = G_CODE;
		REQUIRE_EQ(t, machine_run(m[i & 1]), EXIT_HLT);
		EXPECT_EQ(t, m[i & 1]->v->gpr[VREG_RAX], 0x1000 + (i & 1));
		if (i == 4)
			virt->flush(m[0]->v);
	}
}

/* Memory is mapped when it is first used, in pages as large as allowed. */
TEST(common, npt_lazy_fill, .ref = "APM2 15.25.6, SDM3 29.3.3", .needs = NEED_VIRT)
{
	static const u64 page_max[] = { PAGE_SIZE, SIZE_2M };

	for (u32 i = 0; i < ARRAY_SIZE(page_max); i++) {
		struct machine *m = machine_new(t, MODE_LONG64, &c_read);
		struct pt_mapping map;

		unmap(m, 0, G_RAM_SIZE);
		m->vm.lazy = true;
		m->vm.npt_page_max = page_max[i];
		machine_write64(m, PAGE + 0x5008, 0x77);
		m->v->gpr[VREG_RBX] = PAGE + 0x5008;
		REQUIRE_EQ(t, machine_run_handling(m, BIT(EXIT_NPF)), EXIT_HLT);
		EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0x77);
		EXPECT(t, m->vm.npt_fills > 0);
		REQUIRE_EQ(t, pt_query(&m->vm.npt, PAGE + 0x5008, &map), 0);
		EXPECT(t, map.size <= page_max[i]);
		/* Not touched, not mapped. */
		EXPECT_EQ(t, pt_query(&m->vm.npt, G_RAM_SIZE - PAGE_SIZE, &map), -ENOENT);
		machine_free(m);
	}
}

static bool have_ad(void)
{
	return virt->vendor != VIRT_VMX || vmx_caps.ept_vpid & EPT_CAP_AD;
}

TEST(common, npt_accessed_dirty, .ref = "APM2 15.25.5, SDM3 29.3.5", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_read);
	struct machine *w = machine_new(t, MODE_LONG64, &c_write);
	struct pt_mapping map;

	if (!have_ad())
		SKIP(t, "EPT without accessed and dirty flags");
	REQUIRE_EQ(t, pt_query(&m->vm.npt, PAGE, &map), 0);
	EXPECT(t, !map.accessed && !map.dirty);
	m->v->gpr[VREG_RBX] = w->v->gpr[VREG_RBX] = PAGE;
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	REQUIRE_EQ(t, pt_query(&m->vm.npt, PAGE, &map), 0);
	EXPECT(t, map.accessed && !map.dirty);
	REQUIRE_EQ(t, machine_run(w), EXIT_HLT);
	REQUIRE_EQ(t, pt_query(&w->vm.npt, PAGE, &map), 0);
	EXPECT(t, map.accessed && map.dirty);
	/* Cleared and flushed, they are set again. */
	REQUIRE_EQ(t, pt_clear_ad(&w->vm.npt, PAGE, PAGE_SIZE), 0);
	virt->flush(w->v);
	w->v->rip = G_CODE;
	REQUIRE_EQ(t, machine_run(w), EXIT_HLT);
	REQUIRE_EQ(t, pt_query(&w->vm.npt, PAGE, &map), 0);
	EXPECT(t, map.accessed && map.dirty);
}

/* An access over a page border, the second page missing. */
TEST(common, npf_second_page, .ref = "APM2 15.25.6, SDM3 28.2.1", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_write);

	machine_write64(m, PAGE + PAGE_SIZE - 8, 0x1111);
	unmap(m, PAGE + PAGE_SIZE, PAGE_SIZE);
	m->v->gpr[VREG_RBX] = PAGE + PAGE_SIZE - 4;
	m->v->gpr[VREG_RAX] = ~0ULL;
	expect_npf(m, PAGE + PAGE_SIZE, true, false, false);
	/* Nothing was stored. */
	EXPECT_EQ(t, machine_read64(m, PAGE + PAGE_SIZE - 8), 0x1111);
}

/* An instruction over a page border, its second half missing. */
TEST(common, npf_fetch_second_page, .ref = "APM2 15.25.6, SDM3 28.2.1", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_jump);
	u8 *code = machine_ptr(m, PAGE + PAGE_SIZE - 2, 16);

	/* movabs $imm64, %rax; hlt */
	memcpy(code, "\x48\xb8\1\2\3\4\5\6\7\x8\xf4", 11);
	unmap(m, PAGE + PAGE_SIZE, PAGE_SIZE);
	m->v->gpr[VREG_RBX] = PAGE + PAGE_SIZE - 2;
	expect_npf(m, PAGE + PAGE_SIZE, false, true, false);
	EXPECT_EQ(t, m->v->rip, PAGE + PAGE_SIZE - 2);
	alias(m, PAGE + PAGE_SIZE, PAGE + PAGE_SIZE, PAGE_SIZE, PT_RWX | PT_U, PAGE_SIZE);
	REQUIRE_EQ(t, machine_run(m), EXIT_HLT);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0x0807060504030201ULL);
}
