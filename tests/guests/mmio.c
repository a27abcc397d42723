// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(mmio, .ref = "APM2 15.25, SDM3 29.3",
	.desc = "instructions on device memory do what they do on RAM");

/*
 * Each instruction runs once on RAM, by the CPU alone, and once on memory of a
 * device with the same bytes and registers, where a hypervisor emulates it.
 * Bytes, registers and flags must then be the same.
 */
#define NESTBED_DEV	0xfed40c00ul	/* vtest_mmio, across a page border */
#define TESTDEV		0xff000c00ul	/* QEMU's pc-testdev */
#define AT		0x3e0		/* the operand: just before the border */
#define SIZE		0x80

struct regs {
	u64 ax, bx, cx, dx, si, di, flags;
};

/* The assembly reaches it by name. */
struct regs mmio_regs;
static u8 ram[0x800] __attribute__((aligned(4096)));
static volatile u8 *dev;

/*
 * Calls mmio_fn between loading and storing registers and flags, which CALL
 * and RET leave alone.  RDI: the operand; RSI: another address; the others:
 * values.
 */
void (*mmio_fn)(void);
void mmio_call(void);
__asm__(".pushsection .text\n"
	"mmio_call: push %rbx\n"
	"mov mmio_regs(%rip), %rax; mov mmio_regs+8(%rip), %rbx\n"
	"mov mmio_regs+16(%rip), %rcx; mov mmio_regs+24(%rip), %rdx\n"
	"mov mmio_regs+32(%rip), %rsi; mov mmio_regs+40(%rip), %rdi\n"
	"push mmio_regs+48(%rip); popfq\n"
	"call *mmio_fn(%rip)\n"
	"pushfq; pop mmio_regs+48(%rip); cld\n"
	"mov %rax, mmio_regs(%rip); mov %rbx, mmio_regs+8(%rip)\n"
	"mov %rcx, mmio_regs+16(%rip); mov %rdx, mmio_regs+24(%rip)\n"
	"mov %rsi, mmio_regs+32(%rip); mov %rdi, mmio_regs+40(%rip)\n"
	"pop %rbx; ret\n"
	".popsection\n");

#define FORM(name, insn) \
__asm__(".pushsection .text\n" \
	"mmio_" #name ": " insn "; ret\n" \
	".popsection\n"); \
void mmio_##name(void);

#include "tests/guests/mmio_forms.def"
#undef FORM

static const struct form {
	const char *name;
	void (*fn)(void);
} forms[] = {
#define FORM(name, insn) { #name, mmio_##name },
#include "tests/guests/mmio_forms.def"
#undef FORM
};

static u64 value(void)
{
	/* Values near zero and of all signs matter for flags. */
	static const u64 special[] = { 0, 1, 0x80, 0xff, 0x7fffffff, 0x80000000, ~0ull,
				       1ull << 63 };
	u32 r = rt_random();

	return r & 1 ? special[r >> 1 & 7] : (u64)rt_random() << 32 | r;
}

/* In 64-bit pieces: each is an exit on the device. */
static void set_bytes(volatile u64 *p, u32 seed)
{
	for (unsigned int i = 0; i < SIZE / 8; i++)
		p[i] = (u64)(seed ^ i * 0x9e3779b1u) << 32 | (seed * (i + 3));
}

static bool same_bytes(const volatile u64 *a, const volatile u64 *b)
{
	for (unsigned int i = 0; i < SIZE / 8; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static struct regs run_on(const struct form *f, const struct regs *in, u64 base, u64 off,
			  u64 off2)
{
	mmio_regs = *in;
	mmio_regs.di = base + off;
	mmio_regs.si = base + off2;
	mmio_fn = f->fn;
	mmio_call();
	mmio_regs.di -= base;
	mmio_regs.si -= base;
	return mmio_regs;
}

#define STATUS_FLAGS	0xcc5	/* CF PF ZF SF DF OF; AF is often undefined */

/*
 * QEMU 7.2 with several CPUs loses the flags before a misaligned locked access
 * that exits: accel/tcg/cpu-exec.c:549 cpu_exec_step_atomic leaves out
 * cpu_exec_exit when it is jumped back to.
 */
static bool locked(const char *name)
{
	static const char *const prefix[] = { "lock_", "xchg", "xadd32", "cmpxchg32", "cmpxchg8b",
					      "bts32" };

	for (unsigned int i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++) {
		const char *p = prefix[i], *n = name;

		while (*p && *p == *n)
			p++, n++;
		if (!*p)
			return true;
	}
	return false;
}

static bool compare(const struct form *f, unsigned int round)
{
	struct regs in = { value(), value(), value(), value(), 0, 0, 2 }, a, b;
	u32 seed = rt_random();
	/* Around the page border, every alignment. */
	u64 off = AT + 0x10 + round % 24, off2 = AT + 0x30 + round % 7;

	if (rt.tcg && locked(f->name))
		off &= ~7ull;
	in.cx &= 7;		/* a count for REP and shifts */
	in.flags |= rt_random() & 0x8d5;
	set_bytes((u64 *)(ram + AT), seed);
	set_bytes((volatile u64 *)(dev + AT), seed);
	a = run_on(f, &in, (u64)ram, off, off2);
	b = run_on(f, &in, (u64)dev, off, off2);
	if (!rt_quiet(same_bytes((u64 *)(ram + AT), (volatile u64 *)(dev + AT)), f->name,
		      "round %u: bytes differ", round))
		return false;
	if (!rt_quiet(a.ax == b.ax && a.bx == b.bx && a.cx == b.cx && a.dx == b.dx &&
		      a.si == b.si && a.di == b.di, f->name,
		      "round %u: rax %llx, not %llx; rcx %llx, not %llx; rdi %llx, not %llx",
		      round, b.ax, a.ax, b.cx, a.cx, b.di, a.di))
		return false;
	return rt_quiet(!((a.flags ^ b.flags) & STATUS_FLAGS), f->name,
			"round %u: flags %llx, not %llx", round, b.flags, a.flags);
}

/* The device sees one access of the operand's size (nestbed counts). */
static void check_counts(void)
{
	volatile u64 *reg = (volatile u64 *)(NESTBED_DEV - 0xc00);
	volatile u8 *p = dev + 0x40;

	reg[1] = 0;
	*(volatile u32 *)p = 0x12345678;
	rt_check(reg[1] == 0 && reg[2] == 1, "a store is one write", "%llu reads, %llu writes",
		 reg[1], reg[2]);
	rt_check(reg[3] == 0xc40 && reg[4] == 0x104 && reg[5] == 0x12345678,
		 "offset, size, value", "%llx %llx %llx", reg[3], reg[4], reg[5]);
	(void)*(volatile u16 *)(p + 2);
	rt_check(reg[1] == 1 && reg[4] == 2 && reg[5] == 0x1234, "a load is one read",
		 "%llu reads, %llx", reg[1], reg[5]);
	reg[1] = 0;
	__asm__ volatile("lock incb (%0)" : : "r"(p) : "memory", "cc");
	rt_check(reg[1] == 1 && reg[2] == 1, "read-modify-write is one of each", "%llu, %llu",
		 reg[1], reg[2]);
	reg[1] = 0;
	memset((void *)p, 0, 16);
	rt_check(reg[2] == 16 || reg[2] == 4 || reg[2] == 2, "REP STOSB of 16", "%llu writes",
		 reg[2]);
}

static void check_copies(void)
{
	bool ok = true;

	for (unsigned int n = 0; n < 64; n += 7) {
		for (unsigned int i = 0; i < SIZE; i++)
			ram[i] = (u8)(i + n);
		memcpy((void *)(dev + AT), ram, SIZE);
		memcpy(ram + 0x200, (void *)(dev + AT), SIZE);
		ok &= !memcmp(ram, ram + 0x200, SIZE);
		/* Device to device. */
		memcpy((void *)(dev + 0x100), (void *)(dev + AT), SIZE);
		memcpy(ram + 0x400, (void *)(dev + 0x100), SIZE);
		ok &= !memcmp(ram, ram + 0x400, SIZE);
	}
	rt_check(ok, "REP MOVSB to, from and within the device", "bytes differ");
}

int main(struct rt_info *info)
{
	dev = (volatile u8 *)(info->nestbed ? NESTBED_DEV : TESTDEV);
	*(volatile u32 *)(dev + 0x40) = 0x600df00d;
	if (*(volatile u32 *)(dev + 0x40) != 0x600df00d)
		return rt_skip("no device memory that keeps what is written");
	for (unsigned int i = 0; i < ARRAY_LEN(forms); i++) {
		bool ok = true;

		for (unsigned int round = 0; ok && round < 24; round++)
			ok = compare(&forms[i], round);
		if (ok)
			rt_check(true, forms[i].name, " ");
	}
	check_copies();
	if (info->nestbed)
		check_counts();
	return rt_result();
}
