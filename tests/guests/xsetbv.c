// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(xsetbv, .ref = "APM2 11.5.2, SDM2 XSETBV",
	.desc = "legal and illegal XCR0 values, XGETBV, what CPUID 0Dh says then");

static int try_xsetbv(u32 index, u64 v)
{
	return RT_TRY("xsetbv", : : "a"((u32)v), "d"((u32)(v >> 32)), "c"(index) : "memory");
}

static int try_xgetbv(u32 index)
{
	u32 lo, hi;

	return RT_TRY("xgetbv", : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
}

static void user_xsetbv(void *arg)
{
	__asm__ volatile("xsetbv" : : "a"(1), "d"(0), "c"(0) : "memory");
}

struct row {
	const char *name;
	u64 val;
	u64 needs;		/* bits that CPUID 0Dh must offer */
	int vec;
};

static const struct row rows[] = {
	{ "x87 alone", 1, 1, VEC_NONE },
	{ "x87 and SSE", 3, 3, VEC_NONE },
	{ "x87, SSE and AVX", 7, 7, VEC_NONE },
	{ "without x87", 0, 0, VEC_GP },
	{ "SSE without x87", 2, 0, VEC_GP },
	{ "AVX without SSE", 5, 4, VEC_GP },
	{ "bit 63", 1ULL << 63 | 1, 0, VEC_GP },
	{ "bit 30", 1ULL << 30 | 1, 0, VEC_GP },
	{ "one half of MPX", 0xb, 0, VEC_GP },
	{ "one third of AVX-512", 0x27, 0, VEC_GP },
};

static void check_rows(u64 offered)
{
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		int got;

		if ((offered & r->needs) != r->needs)
			continue;
		got = try_xsetbv(0, r->val);
		/* QEMU's helper_xsetbv lets one bit of the pairs through. */
		rt_expect(r->name, got, r->vec, 0);
		if (r->vec != VEC_NONE)
			rt_quiet(xgetbv(0) == 1, r->name, "XCR0 is now %llx", xgetbv(0));
		else
			rt_quiet(xgetbv(0) == r->val, r->name, "XCR0 is %llx", xgetbv(0));
		try_xsetbv(0, 1);
	}
}

/* CPUID 0Dh.0 EBX: the size for what is enabled now (SDM2 CPUID). */
static void check_size(u64 offered)
{
	u32 small, large;

	try_xsetbv(0, 3);
	small = cpuid2(0xd, 0).ebx;
	rt_check(small == 576, "CPUID 0Dh size with SSE", "%u", small);
	if (!(offered & 4))
		return;
	try_xsetbv(0, 7);
	large = cpuid2(0xd, 0).ebx;
	rt_check(large == 832, "CPUID 0Dh size with AVX", "%u", large);
	rt_check(cpuid2(0xd, 0).ecx >= large, "CPUID 0Dh maximum", "%u", cpuid2(0xd, 0).ecx);
}

/* A subleaf for each state that is offered, a fault for each that is not. */
static void check_states(u64 offered)
{
	u32 most = 576;

	for (u32 i = 0; i < 64; i++) {
		struct cpuid c;

		if (!(offered >> i & 1)) {
			rt_quiet(try_xsetbv(0, offered | BIT64(i)) == VEC_GP,
				 "a state that is not offered", "bit %u", i);
			continue;
		}
		if (i < 2)
			continue;
		c = cpuid2(0xd, i);
		rt_quiet(c.eax && c.ebx >= 576 && !(c.ecx & 1), "CPUID 0Dh of a state",
			 "bit %u: %x %x %x", i, c.eax, c.ebx, c.ecx);
		most = c.ebx + c.eax > most ? c.ebx + c.eax : most;
	}
	rt_check(try_xsetbv(0, offered) == VEC_NONE, "all that is offered", "%llx", offered);
	rt_check(cpuid2(0xd, 0).ebx == most && cpuid2(0xd, 0).ecx == most,
		 "the size for all of it", "%u, %u, not %u", cpuid2(0xd, 0).ebx,
		 cpuid2(0xd, 0).ecx, most);
	if (!rt_has(0xd, 1, EAX, 3))
		rt_check(!cpuid2(0xd, 1).ecx && !cpuid2(0xd, 1).edx, "no supervisor states", " ");
	try_xsetbv(0, 1);
}

int main(struct rt_info *info)
{
	u64 offered;

	if (!rt_has(1, 0, ECX, 26)) {
		rt_expect("XSETBV without XSAVE is #UD", try_xsetbv(0, 1), VEC_UD, -1);
		return rt_result();
	}
	rt_check(!rt_has(1, 0, ECX, 27), "CPUID OSXSAVE clear", " ");
	rt_expect("XSETBV without CR4.OSXSAVE is #UD", try_xsetbv(0, 1), VEC_UD, -1);
	rt_expect("XGETBV without CR4.OSXSAVE is #UD", try_xgetbv(0), VEC_UD, -1);
	write_cr4(read_cr4() | CR4_OSXSAVE);
	rt_check(rt_has(1, 0, ECX, 27), "CPUID OSXSAVE follows CR4", " ");
	rt_check(xgetbv(0) == 1, "XCR0 is 1 after reset", "%llx", xgetbv(0));
	offered = cpuid2(0xd, 0).eax | (u64)cpuid2(0xd, 0).edx << 32;
	check_rows(offered);
	rt_expect("XCR 1 cannot be written", try_xsetbv(1, 1), VEC_GP, 0);
	rt_expect("XCR 5 cannot be read", try_xgetbv(5), VEC_GP, 0);
	rt_expect("XSETBV in ring 3 is #GP", rt_try_user(user_xsetbv, NULL), VEC_GP, 0);
	check_size(offered);
	check_states(offered);
	return rt_result();
}
