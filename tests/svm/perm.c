// SPDX-License-Identifier: MIT
/* Permission maps at work: APM2 15.10, 15.11. */
#include "core/lib/string.h"
#include "core/x86/msr.h"
#include "svm/perm.h"
#include "tests/svm/svm_test.h"

/* The tests use ports that answer nothing on any PC. */
#define PORT		0xf0f0
#define PORT_IN(p)	((u64)(p) << 16 | 1)
#define PORT_OUT(p)	((u64)(p) << 16)

struct io_row {
	const char *name;
	u16 port, only;		/* DX; the one port that is intercepted */
	u64 info1;		/* without SEG and address size */
	u8 len;
	struct code c;
};

/* EXITINFO1 (APM2 15.10.2): 0 IN, 2 STR, 3 REP, 4-6 size. */
#define SZ(n)	((u64)(n) << 4)
#define STR	4
#define REP	8

/* clang-format off */
static const struct io_row io_rows[] = {
	{ "IN AL, DX", PORT, PORT, PORT_IN(PORT) | SZ(1), 1, CODE(0xec) },
	{ "IN AX, DX", PORT, PORT, PORT_IN(PORT) | SZ(2), 2, CODE(0x66, 0xed) },
	{ "IN EAX, DX", PORT, PORT, PORT_IN(PORT) | SZ(4), 1, CODE(0xed) },
	{ "OUT DX, AL", PORT, PORT, PORT_OUT(PORT) | SZ(1), 1, CODE(0xee) },
	{ "OUT DX, AX", PORT, PORT, PORT_OUT(PORT) | SZ(2), 2, CODE(0x66, 0xef) },
	{ "OUT DX, EAX", PORT, PORT, PORT_OUT(PORT) | SZ(4), 1, CODE(0xef) },
	{ "IN AL, imm8", PORT, 0xe7, PORT_IN(0xe7) | SZ(1), 2, CODE(0xe4, 0xe7) },
	{ "OUT imm8, AX", PORT, 0xe7, PORT_OUT(0xe7) | SZ(2), 3, CODE(0x66, 0xe7, 0xe7) },
	{ "INSB", PORT, PORT, PORT_IN(PORT) | SZ(1) | STR, 1, CODE(0x6c) },
	{ "REP INSW", PORT, PORT, PORT_IN(PORT) | SZ(2) | STR | REP, 3, CODE(0xf3, 0x66, 0x6d) },
	{ "OUTSB", PORT, PORT, PORT_OUT(PORT) | SZ(1) | STR, 1, CODE(0x6e) },
	{ "REP OUTSD", PORT, PORT, PORT_OUT(PORT) | SZ(4) | STR | REP, 2, CODE(0xf3, 0x6f) },
	/* APM2 15.10.1: one bit of an access is enough. */
	{ "2 bytes, second port", PORT, PORT + 1, PORT_IN(PORT) | SZ(2), 2, CODE(0x66, 0xed) },
	{ "4 bytes, last port", PORT, PORT + 3, PORT_IN(PORT) | SZ(4), 1, CODE(0xed) },
	{ "4 bytes across a byte of the map", PORT + 6, PORT + 8, PORT_IN(PORT + 6) | SZ(4), 1,
	  CODE(0xed) },
	{ "4 bytes across a page of the map", 0x7ffe, 0x8000, PORT_IN(0x7ffe) | SZ(4), 1,
	  CODE(0xed) },
};
/* clang-format on */

static struct machine *io_machine(struct test_ctx *t)
{
	struct machine *m = svm_machine(t);

	virt->intercept(m->v, ICPT_IO_ALL, 0, false);
	return m;
}

static void io_load(struct machine *m, const struct io_row *r)
{
	svm_load(m, &r->c);
	machine_set(m, VREG_RDX, r->port);
	machine_set(m, VREG_RSI, G_DATA);
	machine_set(m, VREG_RDI, G_DATA);
	machine_set(m, VREG_RCX, 1);
	machine_set(m, VREG_RAX, 0);
}

TEST(svm, iopm, .ref = "APM2 15.10", .needs = NEED_SVM)
{
	struct machine *m = io_machine(t);
	const struct vm_exit *x = &m->v->exit;

	for (unsigned int i = 0; i < ARRAY_SIZE(io_rows); i++) {
		const struct io_row *r = &io_rows[i];

		test_row(t, r->name);
		io_load(m, r);
		svm_expect(m, SVM_EXIT_VMMCALL, "port allowed");
		io_load(m, r);
		virt->intercept(m->v, ICPT_IO, r->only, true);
		if (svm_expect(m, SVM_EXIT_IOIO, "port intercepted")) {
			/* 9:7 address size and 12:10 segment: see iopm_operands. */
			EXPECT_EQ(t, x->info1 & ~0x1f80ULL, r->info1);
			EXPECT_EQ(t, x->info2, G_CODE + r->len);
			EXPECT_EQ(t, x->insn_len, r->len);
		}
		virt->intercept(m->v, ICPT_IO, r->only, false);
	}
}

/* An access at the last port reaches into the third page of the map. */
TEST(svm, iopm_last_port, .ref = "APM2 15.10.1", .needs = NEED_SVM)
{
	static const struct code in = CODE(0xed);
	struct machine *m = io_machine(t);

	svm_load(m, &in);
	machine_set(m, VREG_RDX, 0xffff);
	svm_of(m)->iopm[0x2000] = 2;
	svm_expect(m, SVM_EXIT_IOIO, "4 bytes at FFFFh");
	EXPECT_EQ(t, m->v->exit.io.port, 0xffff);
}

/* With the intercept bit clear the map is not looked at. */
TEST(svm, iopm_off, .ref = "APM2 15.10", .needs = NEED_SVM)
{
	static const struct code in = CODE(0xec);
	struct machine *m = svm_machine(t);
	struct vmcb *c = vmcb_of(m);

	svm_load(m, &in);
	machine_set(m, VREG_RDX, PORT);
	vec3_set(c, VEC3_IOIO, false);
	svm_expect(m, SVM_EXIT_VMMCALL, "IOIO intercept clear");
}

/* What the neutral record says, from the CPU or from the instruction. */
TEST(svm, iopm_operands, .ref = "APM2 15.10.2", .needs = NEED_SVM)
{
	static const struct { const char *name; struct code c; struct exit_io io; } row[] = {
		{ "REP OUTSB FS:[ESI]", CODE(0x64, 0x67, 0xf3, 0x6e),
		  { .size = 1, .string = true, .rep = true, .seg = VSEG_FS, .addr_size = 4 } },
		{ "OUTSD DS:[RSI]", CODE(0x6f),
		  { .size = 4, .string = true, .seg = VSEG_DS, .addr_size = 8 } },
		{ "INSW ES:[EDI]", CODE(0x67, 0x66, 0x6d),
		  { .size = 2, .in = true, .string = true, .seg = VSEG_ES, .addr_size = 4 } },
	};
	struct machine *m = svm_machine(t);
	const struct exit_io *io = &m->v->exit.io;

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		svm_load(m, &row[i].c);
		machine_set(m, VREG_RDX, PORT);
		machine_set(m, VREG_RCX, 5);
		if (!svm_expect(m, SVM_EXIT_IOIO, row[i].name))
			continue;
		EXPECT_EQ(t, io->port, PORT);
		EXPECT_EQ(t, io->size, row[i].io.size);
		EXPECT_EQ(t, io->in, row[i].io.in);
		EXPECT_EQ(t, io->string, row[i].io.string);
		EXPECT_EQ(t, io->rep, row[i].io.rep);
		EXPECT_EQ(t, io->seg, row[i].io.seg);
		EXPECT_EQ(t, io->addr_size, row[i].io.addr_size);
	}
}

/* One MSR of each range that reading and writing back does not change. */
static const struct { const char *name; u32 msr; } msr_rows[] = {
	{ "SYSENTER_CS (first range)", MSR_IA32_SYSENTER_CS },
	{ "STAR (second range)", MSR_STAR },
	{ "KERNEL_GS_BASE (second range)", MSR_KERNEL_GS_BASE },
};

#define RDMSR_CODE	CODE(0x0f, 0x32)
#define RDWRMSR_CODE	CODE(0x0f, 0x32, 0x0f, 0x30)

static void msr_perm(struct machine *m, u32 msr, u32 rw)
{
	struct svm_vcpu *a = svm_of(m);

	REQUIRE_EQ(m->t, msrpm_set(a->msrpm, msr, PERM_READ | PERM_WRITE, false), 0);
	REQUIRE_EQ(m->t, msrpm_set(a->msrpm, msr, rw, true), 0);
}

TEST(svm, msrpm, .ref = "APM2 15.11", .needs = NEED_SVM)
{
	static const struct code rd = RDMSR_CODE, rdwr = RDWRMSR_CODE;
	struct machine *m = svm_machine(t);
	const struct vm_exit *x = &m->v->exit;

	for (unsigned int i = 0; i < ARRAY_SIZE(msr_rows); i++) {
		u32 msr = msr_rows[i].msr;

		test_row(t, msr_rows[i].name);
		svm_load(m, &rdwr);
		machine_set(m, VREG_RCX, msr);
		msr_perm(m, msr, 0);
		svm_expect(m, SVM_EXIT_VMMCALL, "both allowed");
		svm_load(m, &rd);
		msr_perm(m, msr, PERM_WRITE);
		svm_expect(m, SVM_EXIT_VMMCALL, "only writing intercepted, read");
		svm_load(m, &rd);
		msr_perm(m, msr, PERM_READ);
		if (svm_expect(m, SVM_EXIT_MSR, "reading intercepted")) {
			EXPECT_EQ(t, x->info1, 0);
			EXPECT_EQ(t, x->msr.index, msr);
			EXPECT_EQ(t, m->v->rip, G_CODE);
		}
		svm_load(m, &rdwr);
		msr_perm(m, msr, PERM_WRITE);
		if (svm_expect(m, SVM_EXIT_MSR, "writing intercepted")) {
			EXPECT_EQ(t, x->info1, 1);
			EXPECT_EQ(t, m->v->rip, G_CODE + 2);
		}
	}
}

/* The bits of its neighbours do not matter. */
TEST(svm, msrpm_neighbours, .ref = "APM2 15.11", .needs = NEED_SVM)
{
	static const struct code rd = RDMSR_CODE;
	struct machine *m = svm_machine(t);
	u8 *map = svm_of(m)->msrpm;

	memset(map, 0xff, MSRPM_SIZE);
	msr_perm(m, MSR_STAR, 0);
	svm_load(m, &rd);
	machine_set(m, VREG_RCX, MSR_STAR);
	svm_expect(m, SVM_EXIT_VMMCALL, "only STAR allowed");
	memset(map, 0, MSRPM_SIZE);
	msr_perm(m, MSR_STAR, PERM_READ);
	svm_load(m, &rd);
	svm_expect(m, SVM_EXIT_MSR, "only STAR intercepted");
}

/* APM2 15.11: MSRs outside the map always exit while the intercept is on. */
TEST(svm, msrpm_outside, .ref = "APM2 15.11", .needs = NEED_SVM)
{
	static const u32 msr[] = { 0x2000, 0x40000000, 0xbfffffff, 0xc0002000, 0xc0012000,
				   0xffffffff };
	static const char *const name[] = { "00002000", "40000000", "bfffffff", "c0002000",
					    "c0012000", "ffffffff" };
	static const struct code rd = RDMSR_CODE;
	struct machine *m = svm_machine(t);

	memset(svm_of(m)->msrpm, 0, MSRPM_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(msr); i++) {
		test_row(t, name[i]);
		svm_load(m, &rd);
		machine_set(m, VREG_RCX, msr[i]);
		svm_expect(m, SVM_EXIT_MSR, name[i]);
	}
}

TEST(svm, msrpm_off, .ref = "APM2 15.11", .needs = NEED_SVM)
{
	static const struct code rd = RDMSR_CODE;
	struct machine *m = svm_machine(t);
	struct vmcb *c = vmcb_of(m);

	memset(svm_of(m)->msrpm, 0xff, MSRPM_SIZE);
	svm_load(m, &rd);
	machine_set(m, VREG_RCX, MSR_STAR);
	vec3_set(c, VEC3_MSR, false);
	svm_expect(m, SVM_EXIT_VMMCALL, "MSR intercept clear");
}
