/* SPDX-License-Identifier: MIT */
/* IN, OUT, INS, OUTS: the record, and the emulation onto the port bus. */
#include "core/lib/string.h"
#include "core/mm/pt.h"
#include "core/x86/regs.h"
#include "tests/common/common.h"

GUEST64(c_out8i, "out %al, $0x80; hlt");
GUEST64(c_out16i, "out %ax, $0x80; hlt");
GUEST64(c_out32i, "out %eax, $0x80; hlt");
GUEST64(c_out8, "out %al, %dx; hlt");
GUEST64(c_out16, "out %ax, %dx; hlt");
GUEST64(c_out32, "out %eax, %dx; hlt");
GUEST64(c_in8i, "in $0x80, %al; hlt");
GUEST64(c_in16i, "in $0x80, %ax; hlt");
GUEST64(c_in32i, "in $0x80, %eax; hlt");
GUEST64(c_in8, "in %dx, %al; hlt");
GUEST64(c_in16, "in %dx, %ax; hlt");
GUEST64(c_in32, "in %dx, %eax; hlt");

static const struct {
	const char *name;
	const struct guest_code *code;
	u16 port;
	u8 size, len;
	bool in;
} plain[] = {
	{ "out %al, imm8", &c_out8i, 0x80, 1, 2, false },
	{ "out %ax, imm8", &c_out16i, 0x80, 2, 3, false },
	{ "out %eax, imm8", &c_out32i, 0x80, 4, 2, false },
	{ "out %al, %dx", &c_out8, 0xf00d, 1, 1, false },
	{ "out %ax, %dx", &c_out16, 0xf00d, 2, 2, false },
	{ "out %eax, %dx", &c_out32, 0xffff, 4, 1, false },
	{ "in imm8, %al", &c_in8i, 0x80, 1, 2, true },
	{ "in imm8, %ax", &c_in16i, 0x80, 2, 3, true },
	{ "in imm8, %eax", &c_in32i, 0x80, 4, 2, true },
	{ "in %dx, %al", &c_in8, 0x1234, 1, 1, true },
	{ "in %dx, %ax", &c_in16, 0x1234, 2, 2, true },
	{ "in %dx, %eax", &c_in32, 0x1234, 4, 1, true },
};

TEST(common, io_record, .ref = "APM2 15.10.2, SDM3 table 28-5", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, plain[0].code);
	const struct exit_io *x = &m->v->exit.io;

	for (u32 i = 0; i < ARRAY_SIZE(plain); i++) {
		test_row(t, plain[i].name);
		reload(m, plain[i].code);
		/* DX is the port, whatever lies above it. */
		m->v->gpr[VREG_RDX] = 0xabcdULL << 16 | plain[i].port;
		REQUIRE_EQ(t, machine_run(m), EXIT_IO);
		EXPECT_EQ(t, x->port, plain[i].port);
		EXPECT_EQ(t, x->size, plain[i].size);
		EXPECT_EQ(t, x->in, plain[i].in);
		EXPECT(t, !x->string && !x->rep);
		EXPECT_EQ(t, m->v->rip, G_CODE);
		EXPECT_EQ(t, machine_next(m), EXIT_HLT);
		EXPECT_EQ(t, m->v->rip, G_CODE + plain[i].len);
	}
}

/* A device of four ports that keeps what it got and counts up what it gives. */
struct dev {
	u8 got[8192];
	u32 n_got, n_read;
	u64 next;
};

static u64 dev_read(void *ctx, u64 off, u8 size)
{
	struct dev *d = ctx;
	u64 val = d->next;

	for (u8 i = 0; i < size; i++, d->next++)
		val = (val & ~(0xffULL << 8 * i)) | (d->next & 0xff) << 8 * i;
	d->n_read++;
	return val;
}

static enum bus_result dev_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct dev *d = ctx;

	for (u8 i = 0; i < size && d->n_got < sizeof(d->got); i++)
		d->got[d->n_got++] = (u8)(val >> 8 * i);
	return BUS_OK;
}

#define PORT	0x5000

static void add_device(struct machine *m, struct dev *d)
{
	const struct bus_range r = { .first = PORT, .last = PORT + 3, .width = 4,
				     .read = dev_read, .write = dev_write, .ctx = d };

	memset(d, 0, sizeof(*d));
	REQUIRE_EQ(m->t, bus_add_io(&m->vm.bus, &r), 0);
}

/* One test at a time runs: the device is too large for a stack. */
static struct dev device;

TEST(common, io_emulated, .ref = "APM3 IN, OUT, SDM2 IN, OUT", .needs = NEED_VIRT)
{
	static const u64 merged[] = { 0x1122334455667700, 0x1122334455660100, 0x03020100 };

	struct machine *m = machine_new(t, MODE_LONG64, plain[0].code);

	add_device(m, &device);
	for (u32 i = 0; i < ARRAY_SIZE(plain); i++) {
		if (plain[i].port == 0x80)
			continue;
		test_row(t, plain[i].name);
		memset(&device, 0, sizeof(device));
		reload(m, plain[i].code);
		m->v->gpr[VREG_RDX] = PORT;
		m->v->gpr[VREG_RAX] = 0x1122334455667788ULL;
		run_to_hlt(m);
		if (plain[i].in) {
			/* Sizes 1 and 2 keep the rest of RAX, 4 clears its upper half. */
			EXPECT_EQ(t, m->v->gpr[VREG_RAX], merged[plain[i].size / 2]);
		} else {
			EXPECT_EQ(t, device.n_got, plain[i].size);
			EXPECT(t, !memcmp(device.got, "\x88\x77\x66\x55", plain[i].size));
			EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0x1122334455667788ULL);
		}
	}
}

TEST(common, io_unclaimed_port, .ref = "a PC's bus floats high", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_in16);

	m->v->gpr[VREG_RDX] = 0x6666;
	m->v->gpr[VREG_RAX] = 0;
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->gpr[VREG_RAX], 0xffff);
}

TEST(common, io_intercept_one, .ref = "APM2 15.10.1, SDM3 25.6.4", .needs = NEED_VIRT)
{
	static const u16 ports[] = { 0x5000, 0x7fff, 0x8000, 0xfff0 };

	for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
		struct machine *m = machine_new(t, MODE_LONG64, &c_in8);

		/* Other ports are the machine's own: reads of them hurt nobody. */
		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_IO_ALL, 0, false), 0);
		REQUIRE_EQ(t, virt->intercept(m->v, ICPT_IO, ports[i], true), 0);
		m->v->gpr[VREG_RDX] = ports[i];
		EXPECT_EQ(t, machine_run(m), EXIT_IO);
		EXPECT_EQ(t, m->v->exit.io.port, ports[i]);
		m->v->gpr[VREG_RDX] = ports[i] - 1;
		EXPECT_EQ(t, machine_run(m), EXIT_HLT);
		machine_free(m);
	}
}

/* APM2 15.10.1: an access exits when any of its ports is intercepted. */
TEST(common, io_intercept_wide, .ref = "APM2 15.10.1, SDM3 26.1.3", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_in32);

	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_IO_ALL, 0, false), 0);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_IO, PORT + 3, true), 0);
	m->v->gpr[VREG_RDX] = PORT;
	EXPECT_EQ(t, machine_run(m), EXIT_IO);
	EXPECT_EQ(t, m->v->exit.io.size, 4);
	m->v->gpr[VREG_RDX] = PORT - 1;
	EXPECT_EQ(t, machine_run(m), EXIT_HLT);
}

GUEST64(c_rep_outsb, "rep outsb; hlt");
GUEST64(c_rep_outsw, "rep outsw; hlt");
GUEST64(c_rep_outsd, "rep outsl; hlt");
GUEST64(c_outsb, "outsb; hlt");
GUEST64(c_outs_fs, "rep outsb %fs:(%rsi), %dx; hlt");
GUEST64(c_outs_a32, "rep outsb (%esi), %dx; hlt");
GUEST64(c_rep_insb, "rep insb; hlt");
GUEST64(c_rep_insw, "rep insw; hlt");
GUEST64(c_rep_insd, "rep insl; hlt");
GUEST64(c_insb, "insb; hlt");

static void string_regs(struct machine *m, u64 count)
{
	m->v->gpr[VREG_RDX] = PORT;
	m->v->gpr[VREG_RCX] = count;
	m->v->gpr[VREG_RSI] = m->v->gpr[VREG_RDI] = G_DATA;
	m->v->rip = G_CODE;
	m->v->exit.reason = EXIT_NONE;
}

static const struct {
	const char *name;
	const struct guest_code *code;
	u8 size;
	bool in, rep, df;
} strings[] = {
	{ "rep outsb", &c_rep_outsb, 1, false, true, false },
	{ "rep outsw", &c_rep_outsw, 2, false, true, false },
	{ "rep outsl", &c_rep_outsd, 4, false, true, false },
	{ "outsb", &c_outsb, 1, false, false, false },
	{ "rep outsb, DF", &c_rep_outsb, 1, false, true, true },
	{ "rep outsl, DF", &c_rep_outsd, 4, false, true, true },
	{ "rep insb", &c_rep_insb, 1, true, true, false },
	{ "rep insw", &c_rep_insw, 2, true, true, false },
	{ "rep insl", &c_rep_insd, 4, true, true, false },
	{ "insb", &c_insb, 1, true, false, false },
	{ "rep insw, DF", &c_rep_insw, 2, true, true, true },
};

static void check_string(struct machine *m, u32 row, u8 *mem)
{
	u64 n = strings[row].rep ? 10 : 1, size = strings[row].size;
	u64 moved = strings[row].df ? 0 - n * size : n * size;
	struct test_ctx *t = m->t;

	EXPECT_EQ(t, m->v->gpr[VREG_RCX], strings[row].rep ? 0 : 10);
	EXPECT_EQ(t, m->v->gpr[strings[row].in ? VREG_RDI : VREG_RSI], G_DATA + moved);
	EXPECT_EQ(t, m->v->gpr[strings[row].in ? VREG_RSI : VREG_RDI], G_DATA);
	for (u64 i = 0; i < n * size; i++) {
		/* Element by element, upwards or downwards. */
		u64 at = strings[row].df ? 0 - i / size * size + i % size : i;

		if (strings[row].in)
			CHECK(t, mem[at] == (u8)i, "byte %llu is %u",
			      (unsigned long long)i, mem[at]);
		else
			CHECK(t, device.got[i] == mem[at], "byte %llu is %u",
			      (unsigned long long)i, device.got[i]);
	}
	EXPECT_EQ(t, strings[row].in ? device.n_read : device.n_got / size, n);
}

TEST(common, io_strings, .ref = "APM3 INS, OUTS, SDM2 INS, OUTS", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, strings[0].code);
	u8 *mem = machine_ptr(m, G_DATA - 64, 128);
	const struct exit_io *x = &m->v->exit.io;

	add_device(m, &device);
	for (u32 i = 0; i < ARRAY_SIZE(strings); i++) {
		test_row(t, strings[i].name);
		memset(&device, 0, sizeof(device));
		reload(m, strings[i].code);
		for (u32 k = 0; k < 128; k++)
			mem[k] = (u8)(k * 3 + 1);
		string_regs(m, 10);
		m->v->rflags |= strings[i].df ? RFLAGS_DF : 0;
		REQUIRE_EQ(t, machine_run(m), EXIT_IO);
		EXPECT(t, x->string);
		EXPECT_EQ(t, x->rep, strings[i].rep);
		EXPECT_EQ(t, x->size, strings[i].size);
		EXPECT_EQ(t, x->seg, strings[i].in ? VSEG_ES : VSEG_DS);
		EXPECT_EQ(t, x->addr_size, 8);
		run_to_hlt(m);
		check_string(m, i, mem + 64);
	}
}

TEST(common, io_string_segment_and_width, .ref = "APM2 15.10.2, SDM3 table 28-8",
     .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_outs_fs);
	struct vsegment fs = { .selector = 0x10, .attr = 0xc93, .limit = ~0u, .base = 0x1000 };

	add_device(m, &device);
	virt->set_seg(m->v, VSEG_FS, &fs);
	string_regs(m, 4);
	machine_write64(m, G_DATA + 0x1000, 0x44332211);
	REQUIRE_EQ(t, machine_run(m), EXIT_IO);
	EXPECT_EQ(t, m->v->exit.io.seg, VSEG_FS);
	run_to_hlt(m);
	EXPECT(t, device.n_got == 4 && !memcmp(device.got, "\x11\x22\x33\x44", 4));

	/* 32-bit addresses: only ESI and ECX count, and both are cut. */
	m = machine_new(t, MODE_LONG64, &c_outs_a32);
	add_device(m, &device);
	string_regs(m, 3ULL << 32 | 2);
	m->v->gpr[VREG_RSI] = 7ULL << 32 | G_DATA;
	machine_write64(m, G_DATA, 0x6655);
	REQUIRE_EQ(t, machine_run(m), EXIT_IO);
	EXPECT_EQ(t, m->v->exit.io.addr_size, 4);
	run_to_hlt(m);
	EXPECT(t, device.n_got == 2 && device.got[0] == 0x55 && device.got[1] == 0x66);
	EXPECT_EQ(t, m->v->gpr[VREG_RSI], G_DATA + 2);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 0);
}

/* More than core does at once, over page borders. */
TEST(common, io_rep_long, .ref = "APM3 OUTS, SDM2 OUTS", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_rep_outsb);
	u8 *mem = machine_ptr(m, 0x200000, 8192);

	add_device(m, &device);
	string_regs(m, 5000);
	m->v->gpr[VREG_RSI] = 0x200ff0;
	for (u32 i = 0; i < 8192; i++)
		mem[i] = (u8)test_random(t);
	run_to_hlt(m);
	EXPECT_EQ(t, device.n_got, 5000);
	EXPECT(t, !memcmp(device.got, mem + 0xff0, 5000));
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 0);
	EXPECT_EQ(t, m->v->gpr[VREG_RSI], 0x200ff0 + 5000);
}

TEST(common, io_rep_zero, .ref = "APM3 OUTS, SDM2 REP", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_rep_outsb);

	add_device(m, &device);
	string_regs(m, 0);
	run_to_hlt(m);
	EXPECT_EQ(t, device.n_got, 0);
	EXPECT_EQ(t, m->v->gpr[VREG_RSI], G_DATA);
}

/* The second page is not there: what was done stays done, the rest can go on. */
static void faulting_string(struct test_ctx *t, const struct guest_code *code, bool in)
{
	struct machine *m = machine_new(t, MODE_LONG64, code);
	enum vreg index = in ? VREG_RDI : VREG_RSI;
	u64 *pt = guest_4k_pages(m, 0x400000, 0x38000);
	enum exit_reason got;

	machine_idt(m);
	add_device(m, &device);
	string_regs(m, 16);
	m->v->gpr[index] = 0x401ffa;
	pt[2] = 0;
	virt->flush(m->v);
	got = machine_run_handling(m, BIT(EXIT_IO));
	if (!expect_exception(m, got, VEC_PF, in ? PFERR_W : 0))
		return;
	EXPECT_EQ(t, machine_exception(m)->cr2, 0x402000);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE);
	EXPECT_EQ(t, m->v->gpr[index], 0x402000);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 10);
	EXPECT_EQ(t, in ? device.n_read : device.n_got, 6);
	/* Mapped, it goes on by IRET. */
	pt[2] = 0x402000 | PTE_P | PTE_W | PTE_U;
	virt->flush(m->v);
	REQUIRE_EQ(t, vcpu_advance(m->v), 0);
	run_to_hlt(m);
	EXPECT_EQ(t, m->v->rip, G_CODE + 2);
	EXPECT_EQ(t, m->v->gpr[VREG_RCX], 0);
	EXPECT_EQ(t, in ? device.n_read : device.n_got, 16);
}

TEST(common, io_outs_fault, .ref = "APM3 OUTS, APM2 8.4, SDM2 REP", .needs = NEED_VIRT)
{
	faulting_string(t, &c_rep_outsb, false);
}

/* The port is not read for a byte that cannot be stored. */
TEST(common, io_ins_fault, .ref = "APM3 INS, APM2 8.4, SDM2 REP", .needs = NEED_VIRT)
{
	faulting_string(t, &c_rep_insb, true);
}

/* IOPL and the I/O permission map come before the intercept: #GP. */
GUEST64(c_user_out, "out %al, $0x80; hlt");

TEST(common, io_user_denied, .ref = "APM2 15.10.1, SDM3 26.1.1", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_user_out);
	struct vsegment cs = { .selector = G_SEL_USER_CODE, .attr = 0xafb, .limit = ~0u };
	struct vsegment ss = { .selector = G_SEL_USER_DATA, .attr = 0xcf3, .limit = ~0u };

	machine_idt(m);
	/* RSP0 of the TSS. */
	machine_write64(m, G_TSS + 4, G_STACK_TOP);
	virt->set_seg(m->v, VSEG_CS, &cs);
	virt->set_seg(m->v, VSEG_SS, &ss);
	expect_exception(m, machine_run(m), VEC_GP, 0);
	EXPECT_EQ(t, machine_exception(m)->cs, G_SEL_USER_CODE);
}

/* TF: one #DB behind the emulated instruction. */
GUEST64(c_tf_out, "out %al, $0x80; nop; hlt");

TEST(common, tf_over_emulated, .ref = "APM2 13.1.4, SDM3 18.3.1.4", .needs = NEED_VIRT)
{
	struct machine *m = machine_new(t, MODE_LONG64, &c_tf_out);

	machine_idt(m);
	m->v->rflags |= RFLAGS_TF;
	if (!expect_exception(m, machine_run_handling(m, BIT(EXIT_IO)), VEC_DB, 0))
		return;
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 2);
	EXPECT(t, machine_exception(m)->dr6 & DR6_BS);
	/* And one behind the next, which the CPU itself executes. */
	machine_set(m, VREG_DR6, DR6_FIXED1);
	expect_exception(m, machine_next(m), VEC_DB, 0);
	EXPECT_EQ(t, machine_exception(m)->rip, G_CODE + 3);
}
