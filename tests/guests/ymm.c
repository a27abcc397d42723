// SPDX-License-Identifier: MIT
#include "tests/guests/exits.h"

PAYLOAD(ymm, .ref = "APM2 11.5.2, SDM1 13.2",
	.desc = "YMM0-15 across exits, and XCR0 changes that hide and show them");

static u8 image[16][32] __attribute__((aligned(32)));
static u8 after[16][32] __attribute__((aligned(32)));

#define EACH(op) \
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) \
	op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)

static void load_all(void)
{
#define LOAD(n) __asm__ volatile("vmovups %0, %%ymm" #n : : "m"(image[n]));
	EACH(LOAD)
}

static void store_all(void)
{
#define STORE(n) __asm__ volatile("vmovups %%ymm" #n ", %0" : "=m"(after[n]));
	EACH(STORE)
}

static void xsetbv(u64 v)
{
	__asm__ volatile("xsetbv" : : "a"((u32)v), "d"((u32)(v >> 32)), "c"(0) : "memory");
}

static void randomise(void)
{
	u8 *p = (u8 *)image;

	for (unsigned int i = 0; i < sizeof(image); i++)
		p[i] = (u8)rt_random();
}

static void way_xsetbv(void)
{
	xsetbv(3);
	cpuid(0);
	xsetbv(7);
}

static void check(const char *name, void (*go)(void))
{
	bool ok = true;

	for (unsigned int round = 0; round < 16; round++) {
		randomise();
		load_all();
		go();
		store_all();
		for (unsigned int i = 0; i < 16; i++)
			ok &= rt_quiet(!memcmp(image[i], after[i], 32), name,
				       "round %u YMM%u differs", round, i);
	}
	rt_check(ok, name, "state changed");
}

int main(struct rt_info *info)
{
	if (!rt_has(1, 0, ECX, 26) || !rt_has(1, 0, ECX, 28))
		return rt_skip("no AVX");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	if ((cpuid2(0xd, 0).eax & 7) != 7)
		return rt_skip("CPUID 0Dh offers no AVX state");
	xsetbv(7);
	rt_check(xgetbv(0) == 7, "XCR0 reads back", "%llx", xgetbv(0));
	for (unsigned int w = 0; w < ARRAY_LEN(exit_ways); w++)
		check(exit_ways[w].name, exit_ways[w].go);
	/* Clearing XCR0.AVX does not change the registers (SDM1 13.3). */
	check("xsetbv", way_xsetbv);
	xsetbv(3);
	rt_expect("AVX without XCR0.AVX is #UD",
		  RT_TRY("vxorps %%ymm0, %%ymm0, %%ymm0", : : : "memory"), VEC_UD, -1);
	rt_check(xgetbv(0) == 3, "XCR0 reads back 3", "%llx", xgetbv(0));
	return rt_result();
}
