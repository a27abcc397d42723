/* SPDX-License-Identifier: MIT */
/* Guests in other modes than 64-bit, and changes between modes. */
#include "core/lib/string.h"
#include "core/mm/pt.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"

GUEST16(c_real, "mov $0x1234, %ax; mov %ax, %ds; mov $0x5678, %bx; movb $0x77, (%bx)\n\t"
		"out %ax, $0x80; mov %cs, %dx; hlt");

TEST(common, real_mode, .ref = "APM2 15.19, SDM3 27.3.1.2 unrestricted guest", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_REAL16, &c_real);
	struct vsegment ds;

	REQUIRE_EQ(t, machine_run(m), EXIT_IO);
	EXPECT_EQ(t, m->v->exit.io.size, 2);
	EXPECT_EQ(t, m->v->exit.io.port, 0x80);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RDX] & 0xffff, G_CODE >> 4);
	/* The segment's base follows its selector (APM2 4.3). */
	virt->get_seg(m->v, VSEG_DS, &ds);
	EXPECT_EQ(t, ds.selector, 0x1234);
	EXPECT_EQ(t, ds.base, 0x12340);
	EXPECT_EQ(t, ds.limit, 0xffff);
	EXPECT_EQ(t, *(u8 *)machine_ptr(m, 0x12340 + 0x5678, 1), 0x77);
}

/* Vectors of real mode: IVT at 0, FLAGS, CS and IP on the stack. */
GUEST16(c_real_int, "int $0x21; hlt");
GUEST16(c_real_spin, "nop; nop; hlt");

#define REAL_HANDLER	0x600

static void real_vector(struct machine *m, u8 vector)
{
	u32 *ivt = machine_ptr(m, 0, 0x400);
	u8 *code = machine_ptr(m, REAL_HANDLER, 8);

	ivt[vector] = REAL_HANDLER;
	/* inc ax; iret */
	memcpy(code, "\x40\xcf", 2);
}

TEST(common, real_mode_int, .ref = "APM2 8.6, SDM3 21.1.4", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_REAL16, &c_real_int);

	real_vector(m, 0x21);
	m->v->gpr[VREG_RAX] = 5;
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 6);
	EXPECT_EQ(t, m->v->rip, 2);
	EXPECT_EQ(t, m->v->gpr[VREG_RSP], 0xfff0);
}

/* Injection there pushes no error code and uses the IVT. */
TEST(common, real_mode_injection, .ref = "APM2 15.20, SDM3 27.2.1.3, 27.6.1", .needs = NEED_VIRT)
{
	static const u8 vectors[] = { 0x08, 0x70 };

	for (u32 i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct machine *m = machine_new(t, MODE_REAL16, &c_real_spin);
		const u16 *stack = machine_ptr(m, 0xffea, 6);

		real_vector(m, vectors[i]);
		m->v->rflags |= RFLAGS_IF;
		m->v->gpr[VREG_RAX] = 1;
		m->v->events.intr = true;
		m->v->events.intr_vector = vectors[i];
		run_to_hlt(m);
		EXPECT_EQ(t, m->v->gpr[VREG_RAX], 2);
		EXPECT_EQ(t, m->v->gpr[VREG_RSP], 0xfff0);
		EXPECT_EQ(t, stack[0], 0);
		EXPECT_EQ(t, stack[1], G_CODE >> 4);
		EXPECT_EQ(t, stack[2], RFLAGS_FIXED | RFLAGS_IF);
		machine_free(m);
	}
}

/* String I/O with 16-bit addresses: SI wraps at 64 KiB. */
GUEST16(c_real_outs, "rep outsb; hlt");

static enum bus_result keep_byte(void *ctx, u64 off, u8 size, u64 val)
{
	u8 *got = ctx;

	got[1 + got[0]++] = (u8)val;
	return BUS_OK;
}

TEST(common, real_mode_string_io, .ref = "APM2 15.10.2, SDM3 table 28-8", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_REAL16, &c_real_outs);
	u8 got[16] = { 0 };
	const struct bus_range r = { .first = 0x5000, .last = 0x5000, .width = 1,
				     .write = keep_byte, .ctx = got };
	struct vsegment ds = { .selector = 0x4000, .attr = 0x93, .limit = 0xffff, .base = 0x40000 };

	REQUIRE_EQ(t, bus_add_io(&m->vm.bus, &r), 0);
	virt->set_seg(m->v, VSEG_DS, &ds);
	memcpy(machine_ptr(m, 0x4fffe, 2), "ab", 2);
	memcpy(machine_ptr(m, 0x40000, 2), "cd", 2);
	m->v->gpr[VREG_RSI] = 0x7777fffe;
	m->v->gpr[VREG_RCX] = 0x66660004;
	m->v->gpr[VREG_RDX] = 0x5000;
	REQUIRE_EQ(t, machine_run(m), EXIT_IO);
	EXPECT_EQ(t, m->v->exit.io.addr_size, 2);
	run_to_hlt(m);
	EXPECT(t, got[0] == 4 && !memcmp(got + 1, "abcd", 4));
	/* Only SI and CX move. */
	EXPECT_EQ(t, m->v->gpr[VREG_RSI], 0x77770002);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 0x66660000);
}

/* From real mode to protected mode and back, as boot loaders do. */
GUEST16(c_real_to_prot,
	"lgdtl %cs:(9f - c_real_to_prot_start)\n\t"
	"mov %cr0, %eax; or $1, %al; mov %eax, %cr0\n\t"
	"mov $0x10, %bx; mov %bx, %ds; and $0xfe, %al; mov %eax, %cr0\n\t"
	"mov $0x130000, %esi; mov (%esi), %edx; hlt\n\t"
	"9: .word 0x57; .long 0x1000");

TEST(common, real_to_protected_and_back, .ref = "APM2 4.6, 14.4, SDM3 9.9", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_REAL16, &c_real_to_prot);
	struct vsegment ds;

	machine_write64(m, 0x130000, 0xabcdef01);
	run_to_hlt(m);
	EXPECT_EQ(t, (u32)m->v->gpr[VREG_RDX], 0xabcdef01);
	EXPECT(t, !(machine_get(m, VREG_CR0) & CR0_PE));
	/* The limit loaded in protected mode stays: "unreal" mode. */
	virt->get_seg(m->v, VSEG_DS, &ds);
	EXPECT_EQ(t, ds.selector, G_SEL_DATA);
	EXPECT_EQ(t, ds.limit, ~0u);
	EXPECT_EQ(t, ds.base, 0);
}

/* 32-bit paging with 4 MiB pages: translation, A and D bits, faults. */
GUEST32(c_paged32, "mov 0x30000, %eax; mov %eax, 0x800000; mov 0x1000000, %ecx; hlt");

TEST(common, paged32, .ref = "APM2 5.2, SDM3 4.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_PAGED32, &c_paged32);
	u32 *pd = machine_ptr(m, G_PT32, PAGE_SIZE);

	idt32(m);
	machine_write64(m, G_DATA, 0xabcd1234);
	pd[0x800000 >> 22] = 0xc00000 | 0x87;	/* 8 MiB is 12 MiB */
	pd[0x1000000 >> 22] = 0;
	EXPECT_EQ(t, expect_exc32(m, VEC_PF, 0), G_CODE + 10);
	EXPECT_EQ(t, machine_get(m, VREG_CR2), 0x1000000);
	EXPECT_EQ(t, machine_read64(m, 0xc00000), 0xabcd1234);
	EXPECT_EQ(t, pd[0x800000 >> 22] & (PTE_A | PTE_D), PTE_A | PTE_D);
	EXPECT_EQ(t, pd[0] & PTE_A, PTE_A);
}

/* PAE: the PDPTEs are the processor's own copy (SDM3 4.4.1). */
GUEST32(c_pae, "mov $0x7000, %eax; mov %eax, %cr3; mov 0x40030000, %ebx; hlt");

TEST(common, pae_paging, .ref = "APM2 5.2.3, SDM3 4.4, 27.3.2.4", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_PROT32, &c_pae);
	u64 *pdpt = machine_ptr(m, G_PD, 32), *pdpt2 = machine_ptr(m, 0x7000, 32);
	u64 *pd = machine_ptr(m, 0xb000, PAGE_SIZE);

	pd[0] = 0x87;
	pdpt[0] = pdpt2[0] = 0xb000 | 1;
	pdpt[1] = 0;
	pdpt2[1] = 0xb000 | 1;
	pdpt[2] = pdpt[3] = pdpt2[2] = pdpt2[3] = 0;
	machine_write64(m, G_DATA, 0x13572468);
	machine_set(m, VREG_CR3, G_PD);
	machine_set(m, VREG_CR4, CR4_PAE);
	machine_set(m, VREG_CR0, machine_get(m, VREG_CR0) | CR0_PG | CR0_WP);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RBX], 0x13572468);
	EXPECT_EQ(t, machine_get(m, VREG_CR3), 0x7000);
}

/* Protected mode, PAE, EFER.LME, PG: long mode, then a 64-bit segment. */
GUEST32(c_to_long,
	"mov $0x4000, %eax; mov %eax, %cr3; mov $0x20, %eax; mov %eax, %cr4\n\t"
	"mov $0xc0000080, %ecx; rdmsr; or $0x100, %eax; wrmsr\n\t"
	"mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0\n\t"
	"ljmp $0x08, $0x10080; .org c_to_long_start + 0x80\n\t"
	".code64; movabs $0x1122334455667788, %r15; mov $0xc0000080, %ecx; rdmsr; hlt; .code32");

TEST(common, into_long_mode, .ref = "APM2 14.6, SDM3 9.8.5", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_PROT32, &c_to_long);
	struct vsegment cs;

	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_R15], 0x1122334455667788ULL);
	/* The guest's EFER: LME and LMA, nothing of ours. */
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], EFER_LME | EFER_LMA);
	EXPECT_EQ(t, machine_get(m, VREG_EFER), EFER_LME | EFER_LMA);
	virt->get_seg(m->v, VSEG_CS, &cs);
	EXPECT(t, cs.attr & SEG_L);
	EXPECT_EQ(t, virt->mode(m->v), 2);
}

/* Out of it again: compatibility mode, paging off, LMA off. */
GUEST64(c_out_of_long,
	"mov $0x10018, %eax; pushq $0x18; push %rax; lretq; .org c_out_of_long_start + 0x18\n\t"
	".code32; mov %cr0, %eax; and $0x7fffffff, %eax; mov %eax, %cr0\n\t"
	"mov $0xc0000080, %ecx; rdmsr; hlt; .code64");

TEST(common, out_of_long_mode, .ref = "APM2 14.7, SDM3 9.8.5.4", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_out_of_long);

	machine_set(m, VREG_EFER, EFER_LME | EFER_LMA);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], EFER_LME);
	EXPECT(t, !(machine_get(m, VREG_CR0) & CR0_PG));
	EXPECT_EQ(t, machine_get(m, VREG_EFER), EFER_LME);
	EXPECT_EQ(t, virt->mode(m->v), 1);
}

/* User mode and back: SYSCALL, SYSRET with the guest's MSRs. */
GUEST64(c_syscall,
	"mov $0x200, %r11d; lea 1f(%rip), %rcx; sysretq\n\t"
	"1: mov $7, %eax; syscall; hlt\n\t.org c_syscall_start + 0x40; add $1, %eax; hlt");

TEST(common, syscall_sysret, .ref = "APM2 6.1, SDM3 5.8.8", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_syscall);
	struct vsegment ss;

	machine_set(m, VREG_EFER, EFER_LME | EFER_LMA | EFER_SCE);
	/* SYSRET: SS = 3Bh + 8, CS = 3Bh + 16: the two user segments. */
	machine_set(m, VREG_STAR, (u64)(G_SEL_USER_DATA - 8) << 48 | (u64)G_SEL_CODE64 << 32);
	machine_set(m, VREG_LSTAR, G_CODE + 0x40);
	machine_set(m, VREG_SFMASK, RFLAGS_IF);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 8);
	EXPECT_EQ(t, m->v->rip, G_CODE + 0x43);
	EXPECT_EQ(t, m->v->gpr[VREG_R11], 0x202);
	EXPECT(t, !(m->v->rflags & RFLAGS_IF));
	virt->get_seg(m->v, VSEG_SS, &ss);
	EXPECT_EQ(t, ss.attr & SEG_DPL(3), 0);
}
