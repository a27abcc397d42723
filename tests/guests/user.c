// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(user, .ref = "APM2 4.9, SDM3 5.9, SDM1 19.5",
	.desc = "ring 3: privileged instructions, I/O bitmap, IOPL, UMIP, calls back");

static struct {
	struct rt_tss tss;
	u8 map[0x200];
	u8 end[2];
} __attribute__((packed, aligned(4096))) big_tss;

/* What only ring 0 may do: #GP(0) for all (SDM3 5.9). */
#define PRIVILEGED(X) \
	X(hlt, "hlt") X(cli, "cli") X(sti, "sti") X(clts, "clts") X(wbinvd, "wbinvd") \
	X(invd, "invd") X(lgdt, "lgdt -64(%rsp)") X(lidt, "lidt -64(%rsp)") \
	X(ltr, "ltr %ax") X(lldt, "lldt %ax") X(lmsw, "lmsw %ax") \
	X(read_cr3, "mov %cr3, %rax") X(write_cr3, "mov %rax, %cr3") \
	X(read_cr8, "mov %cr8, %rax") X(read_dr7, "mov %dr7, %rax") \
	X(rdmsr, "rdmsr") X(wrmsr, "wrmsr") X(swapgs, "swapgs") X(invlpg, "invlpg (%rsp)") \
	X(in, "inb $0x80, %al") X(out, "outb %al, $0x80") X(insb, "insb") X(outsb, "outsb")

#define DEFINE(name, insn) \
	__asm__(".pushsection .text\nuser_" #name ": " insn "; ret\n.popsection\n"); \
	void user_##name(void *arg);
PRIVILEGED(DEFINE)

static const struct {
	const char *name;
	void (*fn)(void *arg);
} privileged[] = {
#define ROW(name, insn) { #name, user_##name },
	PRIVILEGED(ROW)
};

static void check_privileged(void)
{
	for (unsigned int i = 0; i < ARRAY_LEN(privileged); i++)
		rt_expect(privileged[i].name, rt_try_user(privileged[i].fn, NULL), VEC_GP, 0);
}

static volatile u32 in_value;

static void user_inb(void *arg)
{
	in_value = inb((u16)(ulong)arg);
}

static void user_inl(void *arg)
{
	in_value = inl((u16)(ulong)arg);
}

static void user_rep_insb(void *arg)
{
	u8 buf[4];
	void *to = buf;
	u64 n = 4;

	__asm__ volatile("rep insb" : "+D"(to), "+c"(n) : "d"((u16)(ulong)arg) : "memory");
}

/* A bit for each port; all bits of an access must be clear (SDM1 19.5.2). */
static void check_io_map(void)
{
	memcpy(&big_tss.tss, &rt_tss, sizeof(rt_tss));
	memset(big_tss.map, 0xff, sizeof(big_tss.map));
	big_tss.tss.iomap = sizeof(struct rt_tss);
	big_tss.end[0] = 0xff;
	rt_gdt[SEL_TSS / 8] = rt_desc((u32)(ulong)&big_tss, sizeof(big_tss) - 1, 0x89, 0);
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
	big_tss.map[0x80 / 8] &= ~3;	/* 80h and 81h */
	rt_expect("IN of an allowed port", rt_try_user(user_inb, (void *)0x80), VEC_NONE, -1);
	rt_expect("REP INSB of an allowed port", rt_try_user(user_rep_insb, (void *)0x81),
		  VEC_NONE, -1);
	rt_expect("IN of the next port", rt_try_user(user_inb, (void *)0x82), VEC_GP, 0);
	rt_expect("IN of 4 bytes, 2 allowed", rt_try_user(user_inl, (void *)0x80), VEC_GP, 0);
	rt_expect("REP INSB of a denied port", rt_try_user(user_rep_insb, (void *)0x82), VEC_GP,
		  0);
	rt_expect("IN beyond the map", rt_try_user(user_inb, (void *)0xf000), VEC_GP, 0);
	cpuid(0);
	rt_expect("IN after an exit", rt_try_user(user_inb, (void *)0x80), VEC_NONE, -1);
}

static void user_cpuid(void *arg)
{
	*(volatile u32 *)arg = cpuid(0).ebx;
}

static void user_sgdt(void *arg)
{
	sgdt(arg);
}

static void user_smsw(void *arg)
{
	__asm__ volatile("smsw %0" : "=r"(*(volatile u64 *)arg));
}

static void check_umip(void)
{
	struct table_ptr gdtr = { 0, 0 };
	u64 v;

	rt_expect("SGDT in ring 3", rt_try_user(user_sgdt, &gdtr), VEC_NONE, -1);
	rt_check(gdtr.base == (ulong)rt_gdt, "shows the GDT", "%lx", gdtr.base);
	if (!rt_has(7, 0, ECX, 2))
		return;
	write_cr4(read_cr4() | CR4_UMIP);
	rt_expect("SGDT with UMIP", rt_try_user(user_sgdt, &gdtr), VEC_GP, 0);
	rt_expect("SMSW with UMIP", rt_try_user(user_smsw, &v), VEC_GP, 0);
	write_cr4(read_cr4() & ~CR4_UMIP);
}

int main(struct rt_info *info)
{
	volatile u32 ebx = 0;
	ulong ret = 0;

	check_privileged();
	rt_expect("CPUID in ring 3", rt_try_user(user_cpuid, (void *)&ebx), VEC_NONE, -1);
	rt_check(ebx == cpuid(0).ebx, "gives the same", "%x", ebx);
	check_io_map();
	check_umip();
	if (info->nestbed)
		rt_expect("hypercall", rt_hypercall(0x4e42, 0, &ret), VEC_NONE, -1);
	return rt_result();
}
