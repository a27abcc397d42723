// SPDX-License-Identifier: MIT
/* Instructions that exit, always or when told: SDM3 26.1. */
#include "tests/vmx/vmx_test.h"

struct insn_row {
	const char *name;
	const struct guest_code *code;
	s16 icpt;		/* enum icpt to switch on, -1: exits anyway */
	u32 arg;
	u16 reason;		/* VMX_EXIT_ */
	u8 len;
	bool feature;		/* may be missing: #UD is a skip */
};


GUEST64(vx_cpuid, "cpuid");
GUEST64(vx_invd, "invd");
GUEST64(vx_xsetbv, "xor %ecx, %ecx; mov $7, %eax; xor %edx, %edx; xsetbv");
GUEST64(vx_vmcall, "vmcall");
GUEST64(vx_vmclear, "vmclear 0x1000");
GUEST64(vx_vmlaunch, "vmlaunch");
GUEST64(vx_vmptrld, "vmptrld 0x1000");
GUEST64(vx_vmptrst, "vmptrst 0x1000");
GUEST64(vx_vmread, "vmread %rax, %rbx");
GUEST64(vx_vmresume, "vmresume");
GUEST64(vx_vmwrite, "vmwrite %rax, %rbx");
GUEST64(vx_vmxoff, "vmxoff");
GUEST64(vx_vmxon, "vmxon 0x1000");
GUEST64(vx_invept, "invept 0x1000, %rax");
GUEST64(vx_invvpid, "invvpid 0x1000, %rax");
GUEST64(vx_hlt, "hlt");
GUEST64(vx_invlpg, "invlpg 0x1000");
GUEST64(vx_rdtsc, "rdtsc");
GUEST64(vx_rdtscp, "rdtscp");
GUEST64(vx_rdpmc, "xor %ecx, %ecx; rdpmc");
GUEST64(vx_pause, "pause");
GUEST64(vx_mwait, "xor %eax, %eax; xor %ecx, %ecx; mwait");
GUEST64(vx_monitor, "mov $0x1000, %eax; xor %ecx, %ecx; xor %edx, %edx; monitor");
GUEST64(vx_wbinvd, "wbinvd");
GUEST64(vx_sgdt, "sgdt 0x30000");
GUEST64(vx_sidt, "sidt 0x30000");
GUEST64(vx_lgdt, "lgdt 0x30000");
GUEST64(vx_lidt, "lidt 0x30000");
GUEST64(vx_sldt, "sldt %eax");
GUEST64(vx_str, "str %eax");
GUEST64(vx_lldt, "xor %eax, %eax; lldt %ax");
GUEST64(vx_ltr, "mov $0x50, %eax; ltr %ax");
GUEST64(vx_rdmsr, "mov $0x10, %ecx; rdmsr");
GUEST64(vx_wrmsr, "mov $0x10, %ecx; wrmsr");
GUEST64(vx_in, "in $0x80, %al");
GUEST64(vx_out, "out %al, $0x80");

static const struct insn_row always_rows[] = {
	{ "CPUID",	&vx_cpuid,	-1, 0, VMX_EXIT_CPUID,		2, false },
	{ "INVD",	&vx_invd,	-1, 0, VMX_EXIT_INVD,		2, false },
	{ "XSETBV",	&vx_xsetbv,	-1, 0, VMX_EXIT_XSETBV,		3, true },
	{ "VMCALL",	&vx_vmcall,	-1, 0, VMX_EXIT_VMCALL,		3, false },
	{ "VMCLEAR",	&vx_vmclear,	-1, 0, VMX_EXIT_VMCLEAR,	9, false },
	{ "VMLAUNCH",	&vx_vmlaunch,	-1, 0, VMX_EXIT_VMLAUNCH,	3, false },
	{ "VMPTRLD",	&vx_vmptrld,	-1, 0, VMX_EXIT_VMPTRLD,	8, false },
	{ "VMPTRST",	&vx_vmptrst,	-1, 0, VMX_EXIT_VMPTRST,	8, false },
	{ "VMREAD",	&vx_vmread,	-1, 0, VMX_EXIT_VMREAD,		3, false },
	{ "VMRESUME",	&vx_vmresume,	-1, 0, VMX_EXIT_VMRESUME,	3, false },
	{ "VMWRITE",	&vx_vmwrite,	-1, 0, VMX_EXIT_VMWRITE,	3, false },
	{ "VMXOFF",	&vx_vmxoff,	-1, 0, VMX_EXIT_VMXOFF,		3, false },
	{ "VMXON",	&vx_vmxon,	-1, 0, VMX_EXIT_VMXON,		9, false },
	{ "INVEPT",	&vx_invept,	-1, 0, VMX_EXIT_INVEPT,		10, false },
	{ "INVVPID",	&vx_invvpid,	-1, 0, VMX_EXIT_INVVPID,	10, false },
};

static const struct insn_row told_rows[] = {
	{ "HLT",	&vx_hlt,		ICPT_HLT, 0, VMX_EXIT_HLT,		1, false },
	{ "INVLPG",	&vx_invlpg,	ICPT_INVLPG, 0, VMX_EXIT_INVLPG,	8, false },
	{ "RDTSC",	&vx_rdtsc,	ICPT_RDTSC, 0, VMX_EXIT_RDTSC,		2, false },
	{ "RDTSCP",	&vx_rdtscp,	ICPT_RDTSCP, 0, VMX_EXIT_RDTSCP,	3, true },
	{ "RDPMC",	&vx_rdpmc,	ICPT_RDPMC, 0, VMX_EXIT_RDPMC,		2, false },
	{ "PAUSE",	&vx_pause,	ICPT_PAUSE, 0, VMX_EXIT_PAUSE,		2, false },
	{ "MWAIT",	&vx_mwait,	ICPT_MWAIT, 0, VMX_EXIT_MWAIT,		3, true },
	{ "MONITOR",	&vx_monitor,	ICPT_MONITOR, 0, VMX_EXIT_MONITOR,	3, true },
	{ "WBINVD",	&vx_wbinvd,	ICPT_WBINVD, 0, VMX_EXIT_WBINVD,	2, false },
	{ "SGDT",	&vx_sgdt,	ICPT_DESC, 0, VMX_EXIT_GDTR_IDTR_ACCESS, 8, false },
	{ "SIDT",	&vx_sidt,	ICPT_DESC, 0, VMX_EXIT_GDTR_IDTR_ACCESS, 8, false },
	{ "LGDT",	&vx_lgdt,	ICPT_DESC, 0, VMX_EXIT_GDTR_IDTR_ACCESS, 8, false },
	{ "LIDT",	&vx_lidt,	ICPT_DESC, 0, VMX_EXIT_GDTR_IDTR_ACCESS, 8, false },
	{ "SLDT",	&vx_sldt,	ICPT_DESC, 0, VMX_EXIT_LDTR_TR_ACCESS,	3, false },
	{ "STR",	&vx_str,		ICPT_DESC, 0, VMX_EXIT_LDTR_TR_ACCESS,	3, false },
	{ "LLDT",	&vx_lldt,	ICPT_DESC, 0, VMX_EXIT_LDTR_TR_ACCESS,	3, false },
	{ "LTR",	&vx_ltr,		ICPT_DESC, 0, VMX_EXIT_LDTR_TR_ACCESS,	3, false },
	{ "RDMSR",	&vx_rdmsr,	ICPT_MSR_READ, 0x10, VMX_EXIT_RDMSR,	2, false },
	{ "WRMSR",	&vx_wrmsr,	ICPT_MSR_WRITE, 0x10, VMX_EXIT_WRMSR,	2, false },
	{ "IN",		&vx_in,		ICPT_IO, 0x80, VMX_EXIT_IO_INSTRUCTION,	2, false },
	{ "OUT",	&vx_out,		ICPT_IO, 0x80, VMX_EXIT_IO_INSTRUCTION,	2, false },
};

/*
 * The instruction under test is the last one of the code: RIP of the exit
 * plus the length that it gives is the end.
 */
static void run_row(struct test_ctx *t, const struct insn_row *row)
{
	struct machine *m;
	u64 end = G_CODE + (u64)(row->code->end - row->code->start);

	test_row(t, row->name);
	m = machine_new(t, MODE_LONG64, row->code);
	machine_idt(m);
	machine_set(m, VREG_CR4, machine_get(m, VREG_CR4) | CR4_OSXSAVE);
	if (row->icpt >= 0 && virt->intercept(m->v, (enum icpt)row->icpt, row->arg, true)) {
		test_report(t, OUTCOME_SKIP, "the CPU cannot intercept it");
		return;
	}
	machine_run(m);
	if (row->feature && m->v->exit.reason == EXIT_HYPERCALL &&
	    machine_exception(m)->vector == VEC_UD) {
		test_note(t, "%s: the CPU has none", row->name);
		t->checks++;
		return;
	}
	EXPECT_EQ(t, m->v->exit.code, row->reason);
	EXPECT_EQ(t, m->v->exit.insn_len, row->len);
	EXPECT_EQ(t, m->v->rip + m->v->exit.insn_len, end);
	machine_free(m);
}

TEST(vmx, exits_always, .ref = "SDM3 26.1.2", .needs = NEED_VMX)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(always_rows); i++)
		run_row(t, &always_rows[i]);
}

TEST(vmx, exits_when_told, .ref = "SDM3 26.1.3", .needs = NEED_VMX)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(told_rows); i++)
		run_row(t, &told_rows[i]);
}

/* Not told, they run: the guest gets to its CPUID. */
GUEST64(vx_free, "invlpg 0x1000; rdtsc; pause; sgdt 0x30000; sidt 0x30010; sldt %eax\n\t"
	"str %eax; mov %cr3, %rax; mov %rax, %cr3; mov %cr8, %rbx; mov %dr7, %rax\n\t"
	"mov %rax, %dr7; cpuid");

TEST(vmx, no_exit_when_not_told, .ref = "SDM3 26.1.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vx_free);

	EXPECT_EQ(t, machine_run(m), EXIT_CPUID);
}

/* SDM3 26.1.1: faults of privilege come before the exit. */
GUEST64(vx_user_hlt, "push $0x43; push $0x50000; push $2; push $0x4b; lea 1f(%rip), %rax\n\t"
	"push %rax; iretq; 1: hlt");

TEST(vmx, exit_priority_cpl, .ref = "SDM3 26.1.1", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vx_user_hlt);

	machine_idt(m);
	machine_write64(m, G_TSS + 4, G_STACK_TOP - 0x1000);
	EXPECT_EQ(t, machine_run(m), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_exception(m)->vector, VEC_GP);
	EXPECT_EQ(t, machine_exception(m)->cs & 3, 3);
}

/* --- I/O --- */

GUEST64(vx_io, "mov $0x1234, %dx; in (%dx), %al; in (%dx), %ax; in (%dx), %eax\n\t"
	"out %al, (%dx); out %ax, (%dx); out %eax, (%dx); in $0x81, %ax; out %eax, $0x82\n\t"
	"insb; rep insw; outsl; rep outsb; fs outsw; addr32 outsb");

struct io_row {
	const char *name;
	u16 port;
	u8 size, in, string, rep, seg, addr_size;
};

static const struct io_row io_rows[] = {
	{ "IN AL, DX",		0x1234, 1, 1, 0, 0, 0, 0 },
	{ "IN AX, DX",		0x1234, 2, 1, 0, 0, 0, 0 },
	{ "IN EAX, DX",		0x1234, 4, 1, 0, 0, 0, 0 },
	{ "OUT DX, AL",		0x1234, 1, 0, 0, 0, 0, 0 },
	{ "OUT DX, AX",		0x1234, 2, 0, 0, 0, 0, 0 },
	{ "OUT DX, EAX",	0x1234, 4, 0, 0, 0, 0, 0 },
	{ "IN AX, imm8",	0x0081, 2, 1, 0, 0, 0, 0 },
	{ "OUT imm8, EAX",	0x0082, 4, 0, 0, 0, 0, 0 },
	{ "INSB",		0x1234, 1, 1, 1, 0, VSEG_ES, 8 },
	{ "REP INSW",		0x1234, 2, 1, 1, 1, VSEG_ES, 8 },
	{ "OUTSD",		0x1234, 4, 0, 1, 0, VSEG_DS, 8 },
	{ "REP OUTSB",		0x1234, 1, 0, 1, 1, VSEG_DS, 8 },
	{ "FS OUTSW",		0x1234, 2, 0, 1, 0, VSEG_FS, 8 },
	{ "OUTSB, 32-bit address", 0x1234, 1, 0, 1, 0, VSEG_DS, 4 },
};

TEST(vmx, io_exit, .ref = "SDM3 28.2.1 table 28-5", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vx_io);

	machine_set(m, VREG_RCX, 3);
	machine_set(m, VREG_RSI, G_DATA);
	machine_set(m, VREG_RDI, G_DATA);
	for (unsigned int i = 0; i < ARRAY_SIZE(io_rows); i++) {
		const struct io_row *r = &io_rows[i];
		const struct exit_io *io = &m->v->exit.io;

		test_row(t, r->name);
		REQUIRE_EQ(t, i ? machine_next(m) : machine_run(m), EXIT_IO);
		EXPECT_EQ(t, io->port, r->port);
		EXPECT_EQ(t, io->size, r->size);
		EXPECT_EQ(t, io->in, r->in);
		EXPECT_EQ(t, io->string, r->string);
		EXPECT_EQ(t, io->rep, r->rep);
		if (!r->string)
			continue;
		EXPECT_EQ(t, vmread(VMCS_GUEST_LINEAR_ADDRESS), G_DATA);
		if (vmx_caps.basic & VMX_BASIC_INOUTS_INFO) {
			EXPECT_EQ(t, io->seg, r->seg);
			EXPECT_EQ(t, io->addr_size, r->addr_size);
		}
	}
}

GUEST64(vx_io_edge, "mov $0x7fff, %dx; in (%dx), %ax; mov $0x7ffd, %dx; in (%dx), %eax\n\t"
	"mov $0x8001, %dx; in (%dx), %al; mov $0xffff, %dx; in (%dx), %ax; cpuid");

/* SDM3 26.1.3: any byte's bit, both bitmaps, and wrapping around. */
TEST(vmx, io_bitmap, .ref = "SDM3 25.6.4, 26.1.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vx_io_edge);

	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_IO_ALL, 0, false), 0);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_IO, 0x8000, true), 0);
	REQUIRE_EQ(t, machine_run(m), EXIT_IO);
	EXPECT_EQ(t, m->v->exit.io.port, 0x7fff);
	REQUIRE_EQ(t, machine_next(m), EXIT_IO);
	EXPECT_EQ(t, m->v->exit.io.port, 0x7ffd);
	/* 8001 is let through. */
	REQUIRE_EQ(t, machine_next(m), EXIT_IO);
	EXPECT_EQ(t, m->v->exit.io.port, 0xffff);
	EXPECT_EQ(t, machine_next(m), EXIT_CPUID);
}

TEST(vmx, io_unconditional, .ref = "SDM3 25.6.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vx_io_edge);
	u32 proc = (u32)vmx_read(m->v, VMCS_PROC_CTLS);

	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_IO_ALL, 0, false), 0);
	vmx_write(m->v, VMCS_PROC_CTLS, (proc & ~VMX_CTL(PROC_USE_IO_BITMAPS)) |
		  VMX_CTL(PROC_UNCONDITIONAL_IO));
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_EQ(t, i ? machine_next(m) : machine_run(m), EXIT_IO);
	EXPECT_EQ(t, machine_next(m), EXIT_CPUID);
}

/* --- MSRs --- */

GUEST64(vx_msrs, "mov $0x277, %ecx; rdmsr; mov $0xc0000102, %ecx; rdmsr; wrmsr\n\t"
	"mov $0x174, %ecx; rdmsr; wrmsr; mov $0x2000, %ecx; rdmsr; cpuid");

TEST(vmx, msr_bitmap, .ref = "SDM3 25.6.9, 26.1.3", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vx_msrs);

	/* By default the first three pass, and 2000 is outside the bitmap. */
	REQUIRE_EQ(t, machine_run(m), EXIT_MSR);
	EXPECT_EQ(t, m->v->exit.msr.index, 0x2000);
	EXPECT_EQ(t, m->v->exit.msr.write, false);
	EXPECT_EQ(t, machine_next(m), EXIT_CPUID);

	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_MSR_READ, 0x277, true), 0);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_MSR_WRITE, 0xc0000102, true), 0);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_MSR_WRITE, 0x174, true), 0);
	m->v->rip = G_CODE;
	REQUIRE_EQ(t, machine_run(m), EXIT_MSR);
	EXPECT_EQ(t, m->v->exit.msr.index, 0x277);
	EXPECT_EQ(t, m->v->exit.msr.write, false);
	REQUIRE_EQ(t, machine_next(m), EXIT_MSR);
	EXPECT_EQ(t, m->v->exit.msr.index, 0xc0000102);
	EXPECT_EQ(t, m->v->exit.msr.write, true);
	REQUIRE_EQ(t, machine_next(m), EXIT_MSR);
	EXPECT_EQ(t, m->v->exit.msr.index, 0x174);
	EXPECT_EQ(t, m->v->exit.msr.write, true);
	EXPECT_EQ(t, virt->intercept(m->v, ICPT_MSR_READ, 0x2000, false), -EOPNOTSUPP);
}

TEST(vmx, msr_without_bitmap, .ref = "SDM3 25.6.2", .needs = NEED_VMX)
{
	struct machine *m = machine_new(t, MODE_LONG64, &vx_msrs);

	vmx_write(m->v, VMCS_PROC_CTLS, vmx_read(m->v, VMCS_PROC_CTLS) &
		  ~(u64)VMX_CTL(PROC_USE_MSR_BITMAPS));
	for (unsigned int i = 0; i < 6; i++)
		EXPECT_EQ(t, i ? machine_next(m) : machine_run(m), EXIT_MSR);
	EXPECT_EQ(t, machine_next(m), EXIT_CPUID);
}
