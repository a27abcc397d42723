// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_perm, .nested = "svm", .ref = "APM2 15.10, 15.11",
	.desc = "I/O and MSR permission maps: every size, crossing ports, all ranges, EXITINFO");

static struct l2 l2;
static u8 buffer[16] __attribute__((used));

L2_CODE(in8, "", "inb %dx, %al");
L2_CODE(in16, "", "inw %dx, %ax");
L2_CODE(in32, "", "inl %dx, %eax");
L2_CODE(out8, "", "outb %al, %dx");
L2_CODE(out16, "", "outw %ax, %dx");
L2_CODE(out32, "", "outl %eax, %dx");
L2_CODE(in_imm, "", "inb $0x80, %al");
L2_CODE(out_imm, "", "outb %al, $0x80");
L2_CODE(ins8, "mov $buffer, %edi", "insb");
L2_CODE(rep_ins16, "mov $buffer, %edi; mov $3, %ecx", "rep insw");
L2_CODE(outs32, "mov $buffer, %esi", "outsl");
L2_CODE(rep_outs8, "mov $buffer, %esi; mov $3, %ecx", "rep outsb");
L2_CODE(outs8_fs, "mov $buffer, %esi", "fs outsb");
L2_CODE(outs8_a32, "mov $buffer, %esi", "addr32 outsb");
L2_CODE(rdmsr, "", "rdmsr");
L2_CODE(wrmsr, "", "wrmsr");

/* EXITINFO1 (APM2 15.10.2) */
#define IO_IN		0x1
#define IO_STR		0x4
#define IO_REP		0x8
#define IO_SIZE(n)	((u32)(n) << 4)
#define IO_A32		0x100
#define IO_A64		0x200
#define IO_SEG(n)	((u32)(n) << 10)

#define PORT		0x5608u	/* nothing there, nor around it */

static const struct plain_io {
	const struct l2_code *code;
	u8 size, in;
} plain[] = {
	{ &l2_in8, 1, 1 }, { &l2_in16, 2, 1 }, { &l2_in32, 4, 1 },
	{ &l2_out8, 1, 0 }, { &l2_out16, 2, 0 }, { &l2_out32, 4, 0 },
};

static void io(const struct l2_code *code, u32 port)
{
	l2.regs.rdx = port;
	l2_run_code(&l2, code);
}

static void start(void)
{
	l2_init(&l2, NULL);
	L2_INTERCEPT(&l2, vec3, VEC3_IOIO, true);
}

static void expect_io(const char *name, const struct l2_code *code, u32 port, u32 info)
{
	/* Address size and segment are those of strings, and judged there. */
	const u32 mask = 0xffff007d;
	bool ok = l2.c.exitcode == EXIT_IOIO && l2.c.rip == code->at &&
		  (l2.c.exitinfo1 & mask) == ((port << 16 | info) & mask) &&
		  !(l2.c.exitinfo1 >> 32) &&
		  l2.c.exitinfo2 == code->next;

	rt_quiet(ok, name, "port %x: exit %llx info %llx %llx", port, l2.c.exitcode,
		 l2.c.exitinfo1, l2.c.exitinfo2);
	if (svm_has(SVM_NRIPS))
		rt_quiet(l2.c.nrip == code->next, name, "nRIP %llx", l2.c.nrip);
}

/* An access exits when the bit of any of its ports is set. */
static void check_ports(void)
{
	for (u32 bit = PORT - 4; bit <= PORT + 4; bit++) {
		for (unsigned int i = 0; i < ARRAY_LEN(plain); i++) {
			const struct plain_io *p = &plain[i];

			start();
			svm_io_bit(bit, true);
			io(p->code, PORT);
			if (bit >= PORT && bit < PORT + p->size)
				expect_io("port in the access", p->code, PORT,
					  IO_SIZE(p->size) | p->in);
			else
				rt_quiet(l2.c.exitcode == EXIT_VMMCALL &&
					 l2.c.rip == p->code->next, "port beside it",
					 "%x, %u bytes: exit %llx", bit, p->size, l2.c.exitcode);
		}
	}
	rt_check(true, "ports of an access", " ");
}

/* All bits but those of the access. */
static void check_inverse(void)
{
	for (unsigned int i = 0; i < ARRAY_LEN(plain); i++) {
		start();
		memset(svm_iopm, 0xff, sizeof(svm_iopm));
		for (u32 n = 0; n < plain[i].size; n++)
			svm_io_bit(PORT + n, false);
		io(plain[i].code, PORT);
		l2_expect_quiet("all other ports", &l2, EXIT_VMMCALL);
		L2_INTERCEPT(&l2, vec3, VEC3_IOIO, false);
		memset(svm_iopm, 0xff, sizeof(svm_iopm));
		io(plain[i].code, PORT);
		l2_expect_quiet("map without the intercept", &l2, EXIT_VMMCALL);
	}
	rt_check(true, "bits that are clear", " ");
}

/* Bytes and pages of the map, its first and last port, what lies behind FFFFh. */
static void check_edges(void)
{
	static const struct {
		u32 port, bit;
		const struct plain_io *p;
	} edge[] = {
		{ 0x5607, 0x5608, &plain[1] }, { 0x7fff, 0x8000, &plain[1] },
		{ 0x7ffe, 0x8001, &plain[5] }, { 0x5605, 0x5608, &plain[2] },
		{ 0xfffc, 0xffff, &plain[2] }, { 0xffff, 0xffff, &plain[0] },
		{ 0xffff, 0x10000, &plain[1] }, { 0xfffd, 0x10000, &plain[2] },
		{ 0xffff, 0x10002, &plain[5] },
	};

	for (unsigned int i = 0; i < ARRAY_LEN(edge); i++) {
		start();
		svm_io_bit(edge[i].bit, true);
		io(edge[i].p->code, edge[i].port);
		expect_io("edges of the map", edge[i].p->code, edge[i].port,
			  IO_SIZE(edge[i].p->size) | edge[i].p->in);
	}
	start();
	svm_io_bit(0x80, true);
	io(&l2_in_imm, 0);
	expect_io("port in the instruction", &l2_in_imm, 0x80, IO_SIZE(1) | IO_IN);
	io(&l2_out_imm, 0);
	expect_io("port in the instruction", &l2_out_imm, 0x80, IO_SIZE(1));
	/* Only the low 16 bits of RDX count. */
	svm_io_bit(PORT, true);
	io(&l2_in8, 0x10000 | PORT);
	expect_io("bits above DX", &l2_in8, PORT, IO_SIZE(1) | IO_IN);
	rt_check(true, "edges of the I/O map", " ");
}

static void check_strings(void)
{
	static const struct {
		const char *name;
		const struct l2_code *code;
		u32 info;
		u8 seg;
	} row[] = {
		{ "INSB", &l2_ins8, IO_IN | IO_STR | IO_SIZE(1) | IO_A64, 0 },
		{ "REP INSW", &l2_rep_ins16, IO_IN | IO_STR | IO_REP | IO_SIZE(2) | IO_A64, 0 },
		{ "OUTSD", &l2_outs32, IO_STR | IO_SIZE(4) | IO_A64, 3 },
		{ "REP OUTSB", &l2_rep_outs8, IO_STR | IO_REP | IO_SIZE(1) | IO_A64, 3 },
		{ "FS OUTSB", &l2_outs8_fs, IO_STR | IO_SIZE(1) | IO_A64, 4 },
		{ "ADDR32 OUTSB", &l2_outs8_a32, IO_STR | IO_SIZE(1) | IO_A32, 3 },
	};

	bool address_size = true;

	for (unsigned int i = 0; i < ARRAY_LEN(row); i++) {
		start();
		svm_io_bit(PORT, true);
		io(row[i].code, PORT);
		address_size &= ((l2.c.exitinfo1 ^ row[i].info) & (IO_A32 | IO_A64 | 0x80)) == 0;
		expect_io(row[i].name, row[i].code, PORT, row[i].info);
		if (row[i].info & IO_REP)
			rt_quiet(l2.regs.rcx == 3, row[i].name, "RCX %llx", l2.regs.rcx);
		if (svm_has(SVM_DECODE_ASSISTS) && !(row[i].info & IO_IN))
			rt_quiet((l2.c.exitinfo1 >> 10 & 7) == row[i].seg, row[i].name,
				 "segment in %llx", l2.c.exitinfo1);
		svm_io_bit(PORT, false);
		io(row[i].code, PORT);
		l2_expect_quiet("string without the bit", &l2, EXIT_VMMCALL);
		rt_quiet(!(row[i].info & IO_REP) || !l2.regs.rcx, row[i].name, "RCX %llx",
			 l2.regs.rcx);
	}
	rt_check(true, "string I/O", " ");
	rt_known(svm_known(KNOWN_TCG_BARE), address_size, "address size of string I/O",
		 "QEMU 7.2 translate.c gen_check_io: svm_flags has no address size");
}

/* APM2 15.10.3: the exceptions of the instruction come first. */
static void check_io_ring3(void)
{
	start();
	svm_io_bit(PORT, true);
	l2.c.intercept_exceptions = 1u << VEC_GP;
	l2_ring3(&l2);
	io(&l2_in8, PORT);
	l2_expect("port that the TSS forbids", &l2, EXIT_EXCEPTION + VEC_GP);
	l2.c.rflags |= 3u << 12;
	io(&l2_in8, PORT);
	l2_expect("with IOPL 3", &l2, EXIT_IOIO);
}

/* Bits 11:0 of both addresses do not count (APM2 15.10.1, 15.11). */
static void check_addresses(void)
{
	start();
	l2.c.iopm_base_pa |= 0xabc;
	l2.c.msrpm_base_pa |= 0xfed;
	L2_INTERCEPT(&l2, vec3, VEC3_MSR, true);
	svm_io_bit(PORT, true);
	svm_msr_bit(MSR_STAR, false, true);
	io(&l2_in8, PORT);
	rt_known(svm_known(KNOWN_TCG_BARE), l2.c.exitcode == EXIT_IOIO, "I/O map with bits 11:0",
		 "QEMU 7.2 svm_helper.c helper_svm_check_io: iopm_base_pa is taken as it is");
	io(&l2_in8, PORT - 1);
	l2_expect("its clear bit", &l2, EXIT_VMMCALL);
	l2.regs.rcx = MSR_STAR;
	l2_run_code(&l2, &l2_rdmsr);
	rt_known(svm_known(KNOWN_TCG_BARE), l2.c.exitcode == EXIT_MSR, "MSR map with bits 11:0",
		 "QEMU 7.2 svm_helper.c cpu_svm_check_intercept_param: msrpm_base_pa as it is");
	l2.regs.rcx = MSR_LSTAR;
	l2_run_code(&l2, &l2_rdmsr);
	l2_expect("its clear bit", &l2, EXIT_VMMCALL);
}

/* A map that changed is read again: it is no part of what may be cached. */
static void check_changes(void)
{
	start();
	for (u32 i = 0; i < 20; i++) {
		svm_io_bit(PORT, i & 1);
		io(&l2_in8, PORT);
		l2_expect_quiet("changing map", &l2, i & 1 ? EXIT_IOIO : EXIT_VMMCALL);
	}
	rt_check(true, "a map that changes", " ");
}

static void msr(u32 index, bool write)
{
	l2.regs.rcx = index;
	l2.regs.rdx = 0;
	l2.c.rax = 0;
	l2_run_code(&l2, write ? &l2_wrmsr : &l2_rdmsr);
}

static void start_msr(void)
{
	l2_init(&l2, NULL);
	L2_INTERCEPT(&l2, vec3, VEC3_MSR, true);
	l2.c.intercept_exceptions = 1u << VEC_GP;
}

static void expect_msr(const char *name, u32 index, bool write)
{
	const struct l2_code *code = write ? &l2_wrmsr : &l2_rdmsr;

	rt_quiet(l2.c.exitcode == EXIT_MSR && l2.c.exitinfo1 == write && l2.c.rip == code->at, name,
		 "%x write %u: exit %llx info %llx", index, write, l2.c.exitcode, l2.c.exitinfo1);
}

/* The ends of the three ranges, whether or not there is such an MSR. */
static const u32 in_map[] = {
	0, 1, 0x10, 0x1b, 0xfff, 0x1000, 0x1ffe, 0x1fff, 0xc0000000, 0xc0000080, 0xc0000fff,
	0xc0001000, 0xc0001fff, 0xc0010000, 0xc0010114, 0xc0010fff, 0xc0011000, 0xc0011fff,
};
static const u32 outside[] = {
	0x2000, 0x3fff, 0x40000000, 0x80000000, 0xbfffffff, 0xc0002000, 0xc000ffff, 0xc0012000,
	0xc0020000, 0xffffffff,
};

static void check_msr_set(u32 index)
{
	for (u32 write = 0; write < 2; write++) {
		start_msr();
		svm_msr_bit(index, write, true);
		msr(index, write);
		expect_msr("bit of an MSR", index, write);
		/* The one without its bit: not all of them exist. */
		memset(svm_msrpm, 0xff, sizeof(svm_msrpm));
		svm_msr_bit(index, false, false);
		msr(index, false);
		rt_quiet(l2.c.exitcode == EXIT_VMMCALL || l2.c.exitcode == EXIT_EXCEPTION + VEC_GP,
			 "all bits but its", "%x: exit %llx", index, l2.c.exitcode);
	}
}

static void check_msrs(void)
{
	for (unsigned int i = 0; i < ARRAY_LEN(in_map); i++)
		check_msr_set(in_map[i]);
	for (unsigned int i = 0; i < ARRAY_LEN(outside); i++)
		for (u32 write = 0; write < 2; write++) {
			start_msr();
			msr(outside[i], write);
			expect_msr("MSR outside the map", outside[i], write);
		}
	rt_check(true, "MSR map", " ");
	start_msr();
	memset(svm_msrpm, 0xff, sizeof(svm_msrpm));
	L2_INTERCEPT(&l2, vec3, VEC3_MSR, false);
	msr(MSR_STAR, false);
	l2_expect("map without the intercept", &l2, EXIT_VMMCALL);
}

/* L2's own MSRs are read and written where they are not intercepted. */
static void check_msr_effect(void)
{
	u64 star = rdmsr(MSR_STAR);

	start_msr();
	l2.c.star = 0x1234567800000000;
	l2.regs.rcx = MSR_STAR;
	l2_run_code(&l2, &l2_rdmsr);
	rt_check(l2.regs.rdx == 0x12345678, "STAR of L2", "%llx", l2.regs.rdx);
	l2.regs.rdx = 0x99;
	l2_run_code(&l2, &l2_wrmsr);
	rt_check(l2.c.star >> 32 == 0x99 && rdmsr(MSR_STAR) == star, "written", "%llx %llx",
		 l2.c.star, rdmsr(MSR_STAR));
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	check_ports();
	check_inverse();
	check_edges();
	check_strings();
	check_io_ring3();
	check_addresses();
	check_changes();
	check_msrs();
	check_msr_effect();
	return rt_result();
}
