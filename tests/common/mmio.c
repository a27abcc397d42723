/* SPDX-License-Identifier: MIT */
/* Accesses to no memory, emulated onto the bus of the guest. */
#include "core/lib/string.h"
#include "core/mm/pt.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"

#define REGS	0x3000000ULL	/* 48 MiB: 64 bytes of registers */

/* Registers that read back what was written; counts accesses by size. */
struct dev {
	u8 reg[64];
	u32 reads[9], writes[9];
};

static u64 dev_read(void *ctx, u64 off, u8 size)
{
	struct dev *d = ctx;
	u64 val = 0;

	d->reads[size]++;
	memcpy(&val, d->reg + off, size);
	return val;
}

static enum bus_result dev_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct dev *d = ctx;

	d->writes[size]++;
	memcpy(d->reg + off, &val, size);
	return BUS_OK;
}

static struct machine *mmio_machine(struct test_ctx *t, const struct guest_code *code,
				    struct dev *d)
{
	const struct bus_range r = { .first = REGS, .last = REGS + sizeof(d->reg) - 1, .width = 8,
				     .read = dev_read, .write = dev_write, .ctx = d };
	struct machine *m = machine_new(t, MODE_LONG64, code);

	memset(d, 0, sizeof(*d));
	for (u32 i = 0; i < sizeof(d->reg); i++)
		d->reg[i] = (u8)(0xa0 + i);
	REQUIRE_EQ(t, bus_add_mmio(&m->vm.bus, &r), 0);
	m->v->gpr[VREG_RBX] = REGS;
	return m;
}

GUEST64(c_mmio_moves,
	"mov (%rbx), %al; mov 2(%rbx), %cx; mov 4(%rbx), %edx; mov 8(%rbx), %rsi\n\t"
	"movzbl 16(%rbx), %r8d; movsbq 17(%rbx), %r9; movzwl 18(%rbx), %r10d\n\t"
	"mov %r11b, 32(%rbx); mov %r11w, 34(%rbx); mov %r11d, 36(%rbx); mov %r11, 40(%rbx)\n\t"
	"movl $0x12345678, 48(%rbx); hlt");

TEST(common, mmio_moves, .ref = "APM2 15.25.6, SDM3 29.3.3", .needs = NEED_VIRT)
{
	struct dev d;
	struct machine *m = mmio_machine(t, &c_mmio_moves, &d);

	m->v->gpr[VREG_RAX] = m->v->gpr[VREG_RCX] = m->v->gpr[VREG_RDX] = ~0ULL;
	m->v->gpr[VREG_R11] = 0x8877665544332211ULL;
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0xffffffffffffffa0ULL);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 0xffffffffffffa3a2ULL);
	EXPECT_EQ(t, m->v->gpr[VREG_RDX], 0xa7a6a5a4);
	EXPECT_EQ(t, m->v->gpr[VREG_RSI], 0xafaeadacabaaa9a8ULL);
	EXPECT_EQ(t, m->v->gpr[VREG_R8], 0xb0);
	EXPECT_EQ(t, m->v->gpr[VREG_R9], 0xffffffffffffffb1ULL);
	EXPECT_EQ(t, m->v->gpr[VREG_R10], 0xb3b2);
	EXPECT(t, !memcmp(d.reg + 32, "\x11\xc1\x11\x22\x11\x22\x33\x44", 8));
	EXPECT(t, !memcmp(d.reg + 40, "\x11\x22\x33\x44\x55\x66\x77\x88", 8));
	EXPECT(t, !memcmp(d.reg + 48, "\x78\x56\x34\x12", 4));
	EXPECT_EQ(t, d.reads[1], 3);
	EXPECT_EQ(t, d.reads[2], 2);
	EXPECT_EQ(t, d.reads[4], 1);
	EXPECT_EQ(t, d.reads[8], 1);
	EXPECT_EQ(t, d.writes[4], 2);
}

GUEST64(c_mmio_alu,
	"addl $1, (%rbx); lock orl $0x80000000, 4(%rbx); xchg %eax, 8(%rbx)\n\t"
	"cmpb $0xac, 12(%rbx); sete %cl; btsl $0, 16(%rbx); setc %ch; incb 20(%rbx)\n\t"
	"testl $0x00ff0000, 24(%rbx); setnz %dl; hlt");

TEST(common, mmio_read_modify_write, .ref = "APM3 ADD, XCHG, BTS", .needs = NEED_VIRT)
{
	struct dev d;
	struct machine *m = mmio_machine(t, &c_mmio_alu, &d);

	m->v->gpr[VREG_RAX] = 0xcafebabe;
	run_to_hlt(m);
	EXPECT(t, !memcmp(d.reg, "\xa1\xa1\xa2\xa3", 4));
	EXPECT(t, !memcmp(d.reg + 4, "\xa4\xa5\xa6\xa7", 4));
	EXPECT(t, !memcmp(d.reg + 8, "\xbe\xba\xfe\xca", 4));
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0xabaaa9a8);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX] & 0xffff, 0x0001);
	EXPECT_EQ(t, d.reg[16], 0xb1);
	EXPECT_EQ(t, d.reg[20], 0xb5);
	EXPECT_EQ(t, m->v->gpr[VREG_RDX] & 0xff, 1);
}

GUEST64(c_mmio_strings,
	"mov %rbx, %rsi; mov $0x30000, %edi; mov $4, %ecx; rep movsl\n\t"
	"mov $0x30100, %esi; lea 32(%rbx), %rdi; mov $8, %ecx; rep movsb\n\t"
	"lea 48(%rbx), %rdi; mov $0x5a, %al; mov $3, %ecx; rep stosb; hlt");

TEST(common, mmio_strings, .ref = "APM3 MOVS, STOS", .needs = NEED_VIRT)
{
	struct dev d;
	struct machine *m = mmio_machine(t, &c_mmio_strings, &d);

	memcpy(machine_ptr(m, G_DATA + 0x100, 8), "ABCDEFGH", 8);
	run_to_hlt(m);
	EXPECT(t, !memcmp(machine_ptr(m, G_DATA, 16), d.reg, 16));
	EXPECT(t, !memcmp(d.reg + 32, "ABCDEFGH", 8));
	EXPECT(t, !memcmp(d.reg + 48, "ZZZ\xd3", 4));
	EXPECT_EQ(t, d.reads[4], 4);
	EXPECT_EQ(t, d.writes[1], 11);
	EXPECT_EQ(t, m->v->gpr[VREG_RDI], REGS + 51);
}

GUEST64(c_mmio_sse, "movdqu (%rbx), %xmm3; movdqu %xmm3, 0x30000; movdqu %xmm5, 32(%rbx)\n\t"
		    "movq %xmm5, 56(%rbx); hlt");

TEST(common, mmio_sse, .ref = "APM4 MOVDQU", .needs = NEED_VIRT)
{
	struct dev d;
	struct machine *m = mmio_machine(t, &c_mmio_sse, &d);

	run_to_hlt(m);
	EXPECT(t, !memcmp(machine_ptr(m, G_DATA, 16), d.reg, 16));
	for (u32 i = 32; i < 48; i++)
		EXPECT_EQ(t, d.reg[i], 0);
	EXPECT_EQ(t, d.reg[56], 0);
	EXPECT_EQ(t, d.reads[8], 2);
	EXPECT_EQ(t, d.writes[8], 3);
}

/* What no device claims reads ones and swallows writes. */
GUEST64(c_mmio_nobody, "mov %rax, (%rbx); mov (%rbx), %rax; movzbl 3(%rbx), %ecx; hlt");

TEST(common, mmio_unclaimed, .ref = "a PC's bus floats high", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_mmio_nobody);

	m->v->gpr[VREG_RBX] = 0x3456000;
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], ~0ULL);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 0xff);
	EXPECT(t, m->vm.bus.unclaimed >= 3);
}

/* Half in memory, half in the device. */
GUEST64(c_mmio_border, "mov -4(%rbx), %rax; mov %rcx, -4(%rbx); hlt");

TEST(common, mmio_over_border, .ref = "APM2 15.25.6", .needs = NEED_VIRT)
{
	struct dev d;
	struct machine *m = mmio_machine(t, &c_mmio_border, &d);

	/* The page below the device is memory. */
	REQUIRE_EQ(t, vm_add_ram(&m->vm, REGS - PAGE_SIZE, PAGE_SIZE), 0);
	virt->flush(m->v);
	memcpy(machine_ptr(m, REGS - 4, 4), "wxyz", 4);
	m->v->gpr[VREG_RCX] = 0x4847464544434241ULL;
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0xa3a2a1a07a797877ULL);
	EXPECT(t, !memcmp(machine_ptr(m, REGS - 4, 4), "ABCD", 4));
	EXPECT(t, !memcmp(d.reg, "EFGH\xa4", 5));
}

/* The guest's own tables decide first: a read-only mapping of the device. */
GUEST64(c_mmio_write, "mov %eax, (%rbx); hlt");

TEST(common, mmio_guest_read_only, .ref = "APM2 15.25.2", .needs = NEED_VIRT)
{
	struct dev d;
	struct machine *m = mmio_machine(t, &c_mmio_write, &d);

	machine_idt(m);
	machine_write64(m, G_PD + REGS / SIZE_2M * 8, REGS | PTE_P | PTE_PS);
	expect_exception(m, machine_run_handling(m, BIT(EXIT_NPF)), VEC_PF, PFERR_P | PFERR_W);
	EXPECT_EQ(t, d.writes[4], 0);
}

TEST(common, mmio_single_step, .ref = "APM2 13.1.4, SDM3 18.3.1.4", .needs = NEED_VIRT)
{
	struct dev d;
	struct machine *m = mmio_machine(t, &c_mmio_write, &d);

	machine_idt(m);
	m->v->rflags |= RFLAGS_TF;
	expect_exception(m, machine_run_handling(m, BIT(EXIT_NPF)), VEC_DB, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 2);
	EXPECT_EQ(t, d.writes[4], 1);
}

/* Code cannot run from a device: said so, not looped. */
GUEST64(c_mmio_jump, "jmp *%rbx");

TEST(common, mmio_no_fetch, .ref = "APM2 15.25.6", .needs = NEED_VIRT)
{
	struct dev d;
	struct machine *m = mmio_machine(t, &c_mmio_jump, &d);

	machine_run_handling(m, BIT(EXIT_NPF));
	EXPECT_EQ(t, m->v->stop, STOP_UNHANDLED);
	EXPECT(t, m->v->why[0]);
}
