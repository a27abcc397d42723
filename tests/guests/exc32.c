// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(exc32, .ref = "APM2 8.2, SDM3 6.15",
	.desc = "each exception of 32-bit mode: vector, error code, saved EIP");

/* Faults save the EIP of their instruction (APM2 8.1.3). */
#define FAULTS_AT(name, vec, err, insn, ...) do {				\
	ulong at;								\
	int got = RT_TRY("mov $1f, %0\n\t1: " insn, __VA_ARGS__);		\
										\
	if (rt_expect(name, got, vec, err))					\
		rt_quiet(rt_fault.ip == at, name, "eip %lx, not %lx", rt_fault.ip, at); \
} while (0)

static void check_faults(void)
{
	static const u32 bounds[2] = { 10, 20 };

	FAULTS_AT("#DE by DIV", VEC_DE, -1, "divl %1", : "=&r"(at) : "r"(0), "a"(1), "d"(0) : "cc");
	FAULTS_AT("#DE by AAM 0", VEC_DE, -1, "aam $0", : "=&r"(at) : : "eax", "cc");
	FAULTS_AT("#BR by BOUND", VEC_BR, -1, "bound %1, %2",
		  : "=&r"(at) : "r"(21), "m"(*(const u64 *)bounds));
	FAULTS_AT("#UD by UD2", VEC_UD, -1, "ud2", : "=&r"(at));
	FAULTS_AT("#UD by LOCK of a register", VEC_UD, -1, ".byte 0xf0, 0x01, 0xc0", : "=&r"(at));
	FAULTS_AT("#UD by MOV to CS", VEC_UD, -1, ".byte 0x8e, 0xc8", : "=&r"(at));
	FAULTS_AT("#GP by a 16-byte instruction", VEC_GP, 0,
		  ".fill 15, 1, 0x66\nnop", : "=&r"(at));
	rt_expect("BOUND within bounds", RT_TRY("bound %0, %1", : : "r"(15),
						"m"(*(const u64 *)bounds)), VEC_NONE, -1);
}

static volatile ulong trap_ip;
static volatile u32 trap_count;

static bool on_trap(struct rt_regs *r)
{
	trap_ip = r->ip;
	trap_count++;
	return true;
}

static void check_traps(void)
{
	ulong after;

	rt_set_handler(VEC_BP, on_trap);
	rt_set_handler(VEC_OF, on_trap);
	rt_set_handler(0x2f, on_trap);
	__asm__ volatile("mov $1f, %0; int3; 1:" : "=&r"(after) : : "memory");
	rt_check(trap_count == 1 && trap_ip == after, "INT3", "%u, %lx", trap_count, trap_ip);
	__asm__ volatile("mov $1f, %0; movb $0x7f, %%al; addb $1, %%al; into; 1:"
			 : "=&r"(after) : : "memory", "eax", "cc");
	rt_check(trap_count == 2 && trap_ip == after, "INTO with OF", "%u, %lx", trap_count,
		 trap_ip);
	__asm__ volatile("xor %%eax, %%eax; into" : : : "eax", "cc");
	rt_check(trap_count == 2, "INTO without OF", "%u", trap_count);
	__asm__ volatile("mov $1f, %0; int $0x2f; 1:" : "=&r"(after) : : "memory");
	rt_check(trap_count == 3 && trap_ip == after, "INT 2Fh", "%u, %lx", trap_count, trap_ip);
	rt_set_handler(0x2f, NULL);
}

static u8 limited[64];

static void check_segments(void)
{
	rt_gdt[SEL_FREE / 8] = rt_desc(0, 0xfffff, 0x13, 0xc);		/* not present */
	rt_gdt[SEL_FREE / 8 + 1] = rt_desc(0, 0xfffff, 0x99, 0xc);	/* execute only */
	rt_gdt[SEL_FREE / 8 + 2] = rt_desc((u32)limited, 15, 0x93, 0x4);
	rt_gdt[SEL_FREE / 8 + 3] = rt_desc((u32)limited, 31, 0x97, 0x4);	/* grows down */
	rt_gdt[SEL_FREE / 8 + 4] = rt_desc((u32)limited, 63, 0x91, 0x4);	/* read only */
	FAULTS_AT("#NP by DS", VEC_NP, SEL_FREE, "mov %1, %%ds", : "=&r"(at) : "r"(SEL_FREE));
	FAULTS_AT("#SS by SS", VEC_SS, SEL_FREE, "mov %1, %%ss", : "=&r"(at) : "r"(SEL_FREE));
	FAULTS_AT("#GP by DS execute-only", VEC_GP, SEL_FREE + 8, "mov %1, %%ds",
		  : "=&r"(at) : "r"(SEL_FREE + 8));
	FAULTS_AT("#GP by a null SS", VEC_GP, 0, "mov %1, %%ss", : "=&r"(at) : "r"(0));
	FAULTS_AT("#GP by LTR of no TSS", VEC_GP, SEL_DATA, "ltr %w1", : "=&r"(at) : "r"(SEL_DATA));
}

/* Limits, types and null selectors at the access (APM2 4.7, SDM3 5.3). */
static void check_limits(void)
{
	if (rt.tcg) {
		rt_note("limits left out: QEMU 7.2 translate.c gen_lea_v_seg has none");
		return;
	}
	write_fs(SEL_FREE + 0x10);
	rt_expect("read at the limit", RT_TRY("mov %%fs:12, %%eax", : : : "eax"), VEC_NONE, -1);
	FAULTS_AT("#GP beyond the limit", VEC_GP, 0, "mov %%fs:13, %%eax", : "=&r"(at) : : "eax");
	write_fs(SEL_FREE + 0x18);
	rt_expect("expand-down, above", RT_TRY("mov %%fs:32, %%eax", : : : "eax"), VEC_NONE, -1);
	FAULTS_AT("#GP below an expand-down limit", VEC_GP, 0, "mov %%fs:28, %%eax",
		  : "=&r"(at) : : "eax");
	write_fs(SEL_FREE + 0x20);
	FAULTS_AT("#GP by a write to a read-only segment", VEC_GP, 0, "movl $1, %%fs:0",
		  : "=&r"(at));
	write_fs(0);
	FAULTS_AT("#GP by a null FS", VEC_GP, 0, "mov %%fs:0, %%eax", : "=&r"(at) : : "eax");
	write_fs(SEL_DATA);
	FAULTS_AT("#GP by a write to CS", VEC_GP, 0, "movl $1, %%cs:(%1)",
		  : "=&r"(at) : "r"(limited));
}

/* ESP-relative accesses use SS: beyond its limit #SS(0). */
static void small_stack(void *arg)
{
	__asm__ volatile("mov %0, %%ss; mov 0x7ffffffc(%%esp), %%eax"
			 : : "r"(SEL_FREE + 0x28) : "eax", "memory");
}

static void check_stack(void)
{
	/* Flat up to 16 MiB: the handler runs on it. */
	rt_gdt[SEL_FREE / 8 + 5] = rt_desc(0, 0xfff, 0x93, 0xc);
	if (!rt.tcg)
		rt_expect("#SS beyond the limit of SS", rt_try(small_stack, NULL), VEC_SS, 0);
}

static void user_int(void *arg)
{
	__asm__ volatile("int $0x2f");
}

static void user_cli(void *arg)
{
	__asm__ volatile("cli");
}

static void user_unaligned(void *arg)
{
	__asm__ volatile("pushfl; orl $0x40000, (%%esp); popfl; mov 1(%0), %%eax"
			 : : "r"(arg) : "eax", "memory");
}

static void user_ds(void *arg)
{
	write_fs(SEL_DATA);
}

static void check_user(void)
{
	static u64 cell[2];

	rt_expect("INT to a DPL 0 gate from ring 3", rt_try_user(user_int, NULL), VEC_GP,
		  0x2f * 8 + 2);
	rt_check((rt_fault.cs & 3) == 3, "saved CS is ring 3", "%x", rt_fault.cs);
	rt_expect("CLI in ring 3", rt_try_user(user_cli, NULL), VEC_GP, 0);
	rt_expect("ring 0 data in ring 3", rt_try_user(user_ds, NULL), VEC_GP, SEL_DATA);
	write_cr0(read_cr0() | CR0_AM);
	rt_known(rt.tcg, rt_try_user(user_unaligned, cell) == VEC_AC, "#AC",
		 "QEMU 7.2 target/i386/tcg raises EXCP11_ALGN nowhere");
	write_cr0(read_cr0() & ~CR0_AM);
}

/* IRET with NT and a null back link (SDM3 table 6-6). */
static void check_ts(void)
{
	rt_tss.link = 0;
	rt_expect("#TS by IRET with NT",
		  RT_TRY("pushfl; orl $0x4000, (%%esp); popfl; iretl", : : : "memory"), VEC_TS, 0);
	write_flags(read_flags() & ~(ulong)FL_NT);
}

static void check_gates(void)
{
	bool amd;

	rt_idt[0x30 * 8 + 5] &= 0x7f;
	rt_expect("#NP by a gate", RT_TRY("int $0x30", : : : "memory"), VEC_NP, 0x30 * 8 + 2);
	rt_idt[0x30 * 8 + 5] |= 0x80;
	rt_idt[VEC_UD * 8 + 5] &= 0x7f;
	rt_expect("#NP in #UD", RT_TRY("ud2", : : : "memory"), VEC_NP, -1);
	/* SDM3 6.13: EXT for an earlier exception; APM2 8.4.1: for external ones. */
	amd = rt.vendor == RT_AMD;
	rt_known(rt.tcg && !amd, (rt_fault.error | amd) == VEC_UD * 8 + 2 + 1, "its error code",
		 "QEMU 7.2 seg_helper.c do_interrupt_protected leaves EXT out");
	rt_idt[VEC_UD * 8 + 5] |= 0x80;
	rt_idt[VEC_GP * 8 + 5] &= 0x7f;
	rt_expect("#DF", RT_TRY("mov %0, %%ds", : : "r"(0x7f8) : "memory"), VEC_DF, 0);
	rt_idt[VEC_GP * 8 + 5] |= 0x80;
}

static void check_numeric(void)
{
	static const u16 fcw_unmasked = 0x037b;

	rt_expect("#MF", RT_TRY("fninit; fldcw %0; fldz; fld1; fdivp; fwait",
				: : "m"(fcw_unmasked) : "memory"), VEC_MF, -1);
	__asm__ volatile("fninit");
	write_cr0(read_cr0() | CR0_TS);
	rt_expect("#NM", RT_TRY("fld1", : : : "memory"), VEC_NM, -1);
	__asm__ volatile("clts");
	write_cr0(read_cr0() | CR0_EM);
	rt_expect("#NM with EM", RT_TRY("fld1", : : : "memory"), VEC_NM, -1);
	write_cr0(read_cr0() & ~CR0_EM);
}

int main(struct rt_info *info)
{
	check_faults();
	check_traps();
	check_segments();
	check_limits();
	check_stack();
	check_user();
	check_ts();
	check_gates();
	check_numeric();
	return rt_result();
}
