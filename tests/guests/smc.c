// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(smc, .ref = "APM2 7.6.1, SDM3 12.6",
	.desc = "code that changes itself: in place, through an alias, around exits");

#define VA	0x8000000000ul

typedef u32 (*code_fn)(void);

static volatile u64 pdpt[512] __attribute__((aligned(4096)));
static volatile u64 pd[512] __attribute__((aligned(4096)));
static volatile u64 pt[512] __attribute__((aligned(4096)));
static u8 code[2][4096] __attribute__((aligned(4096)));

/* mov $v, %eax; ret */
static void emit(volatile u8 *p, u32 v)
{
	p[0] = 0xb8;
	p[1] = (u8)v;
	p[2] = (u8)(v >> 8);
	p[3] = (u8)(v >> 16);
	p[4] = (u8)(v >> 24);
	p[5] = 0xc3;
}

static void check_store(void)
{
	bool ok = true;

	for (u32 i = 0; ok && i < 500; i++) {
		emit(code[0], i * 0x1001);
		ok = ((code_fn)code[0])() == i * 0x1001;
	}
	rt_check(ok, "new code runs", "old code ran");
	for (u32 i = 0; ok && i < 100; i++) {
		/* Across the page border. */
		emit(code[0] + 4093, i);
		ok = ((code_fn)(code[0] + 4093))() == i;
	}
	rt_check(ok, "across a page border", "old code ran");
}

static void check_alias(void)
{
	volatile u8 *alias = (volatile u8 *)VA;
	bool ok = true;

	rt_pml4[1] = (u64)pdpt | 3;
	pdpt[0] = (u64)pd | 3;
	pd[0] = (u64)pt | 3;
	pt[0] = (u64)code[0] | 3;
	for (u32 i = 0; ok && i < 200; i++) {
		emit(alias, i + 7);
		ok = ((code_fn)code[0])() == i + 7;
	}
	rt_check(ok, "through another address", "old code ran");
	/* The alias now shows another page: its code must run. */
	for (u32 i = 0; ok && i < 100; i++) {
		pt[0] = (u64)code[i & 1] | 3;
		invlpg((void *)VA);
		emit(code[0], 100);
		emit(code[1], 101);
		ok = ((code_fn)VA)() == 100 + (i & 1);
	}
	rt_check(ok, "after a change of mapping", "old code ran");
}

/* An instruction that changes the one behind it; CPUID serialises. */
static void check_ahead(void)
{
	u32 got;

	__asm__ volatile("movl $0x11111111, 1f+1(%%rip)\n"
			 "xor %%eax, %%eax; cpuid\n"
			 "1: mov $0x22222222, %%eax\n"
			 : "=a"(got) : : "rbx", "rcx", "rdx", "memory");
	rt_check(got == 0x11111111, "the instruction behind CPUID", "%x", got);
}

/* Exiting instructions written into the same bytes one after the other. */
static void check_exits(void)
{
	static const struct { const char *name; u8 len, bytes[4]; } insn[] = {
		{ "cpuid", 2, { 0x0f, 0xa2 } },
		{ "in", 2, { 0xe4, 0x80 } },
		{ "out", 2, { 0xe6, 0x80 } },
		{ "rep-prefixed cpuid", 3, { 0xf3, 0x0f, 0xa2 } },
		{ "rex cpuid", 3, { 0x48, 0x0f, 0xa2 } },
		{ "in 16", 3, { 0x66, 0xe5, 0x80 } },
		{ "wbinvd", 2, { 0x0f, 0x09 } },
		{ "read cr3", 3, { 0x0f, 0x20, 0xd8 } },
	};

	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < ARRAY_LEN(insn); i++) {
			u8 *q = round ? code[0] + 4095 - round : code[0];

			/* push rbx; insn; pop rbx; mov $i, eax; ret */
			*q++ = 0x53;
			memcpy(q, insn[i].bytes, insn[i].len);
			q += insn[i].len;
			*q++ = 0x5b;
			emit(q, i);
			q = round ? code[0] + 4095 - round : code[0];
			rt_quiet(((u32 (*)(u32, u32))q)(0, 0) == i, insn[i].name,
				 "round %u went astray", round);
		}
	}
	rt_check(true, "exiting instructions in changing code", " ");
}

int main(struct rt_info *info)
{
	check_store();
	check_alias();
	check_ahead();
	check_exits();
	return rt_result();
}
