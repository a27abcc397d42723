// SPDX-License-Identifier: MIT
#include "tests/guests/exits.h"
#include "tests/guests/rt/smp.h"

PAYLOAD(zmm, .ref = "SDM1 13.2, 13.5, 15.1", .cpus = "2", .timeout = "40000",
	.desc = "ZMM0-31, K0-7 and PKRU across exits, on two CPUs at once");

#define ROUNDS		8
#define CR4_PKE		BIT64(22)
#define XCR0_AVX512	0xe7
#define XCR0_PKRU	0x200

/* Of one CPU; all of it is the CPU's own. */
struct regs {
	u8 zmm[32][64];
	u64 k[8];
	u32 pkru;
} __attribute__((aligned(64)));

static struct regs image[2], after[2];
static volatile u32 differ[2];
static bool has_pkru;
static u64 xcr0;

#define EACH_8(op, d) op(d##0) op(d##1) op(d##2) op(d##3) op(d##4) op(d##5) op(d##6) op(d##7)
#define EACH_ZMM(op) EACH_8(op, ) op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15) \
	op(16) op(17) op(18) op(19) EACH_8(op, 2) op(28) op(29) op(30) op(31)

static void load_all(const struct regs *r)
{
#define LOAD_ZMM(n) __asm__ volatile("vmovups %0, %%zmm" #n : : "m"(r->zmm[n]));
#define LOAD_K(n) __asm__ volatile("kmovw %0, %%k" #n : : "m"(r->k[n]));
	EACH_ZMM(LOAD_ZMM)
	EACH_8(LOAD_K, )
	if (has_pkru)
		__asm__ volatile("wrpkru" : : "a"(r->pkru), "c"(0), "d"(0) : "memory");
}

static void store_all(struct regs *r)
{
#define STORE_ZMM(n) __asm__ volatile("vmovups %%zmm" #n ", %0" : "=m"(r->zmm[n]));
#define STORE_K(n) __asm__ volatile("kmovw %%k" #n ", %0" : "=m"(r->k[n]));
	u32 edx;

	EACH_ZMM(STORE_ZMM)
	EACH_8(STORE_K, )
	if (has_pkru)
		__asm__ volatile("rdpkru" : "=a"(r->pkru), "=d"(edx) : "c"(0));
}

/* kmovw moves 16 bits; key 0 of PKRU is that of all pages here. */
static void randomise(struct regs *r, u32 seed)
{
	u8 *p = (u8 *)r->zmm;

	for (unsigned int i = 0; i < sizeof(r->zmm); i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (u8)(seed >> 24);
	}
	for (unsigned int i = 0; i < 8; i++)
		r->k[i] = (seed >> i) & 0xffff;
	r->pkru = has_pkru ? seed & ~3u : 0;
}

/* Faults have one record for all CPUs: only the other ways. */
static void work(void *arg)
{
	u32 cpu = rt_this_cpu()->index;
	struct regs *r = &image[cpu];

	write_cr4(read_cr4() | CR4_OSXSAVE | (has_pkru ? CR4_PKE : 0));
	__asm__ volatile("xsetbv" : : "a"((u32)xcr0), "d"(0), "c"(0) : "memory");
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int w = 0; w < ARRAY_LEN(exit_ways); w++) {
			if (exit_ways[w].go == way_fault)
				continue;
			randomise(r, (round * 16 + w) * 2 + cpu);
			load_all(r);
			for (unsigned int i = 0; i < 50; i++)
				exit_ways[w].go();
			store_all(&after[cpu]);
			differ[cpu] += memcmp(r, &after[cpu], sizeof(*r)) != 0;
		}
	}
}

int main(struct rt_info *info)
{
	if (!rt_has(1, 0, ECX, 26) || !rt_has(7, 0, EBX, 16))
		return rt_skip("no AVX-512");
	xcr0 = cpuid2(0xd, 0).eax & (XCR0_AVX512 | XCR0_PKRU);
	if ((xcr0 & XCR0_AVX512) != XCR0_AVX512)
		return rt_skip("CPUID 0Dh offers no AVX-512 state");
	has_pkru = rt_has(7, 0, ECX, 3) && xcr0 & XCR0_PKRU;
	rt_printf("NOTE PKRU %s\n", has_pkru ? "too" : "is not there");
	if (rt_smp_start(2) != 2)
		return rt_skip("one CPU");
	rt_check(rt_smp_all(2, work, NULL), "both CPUs end", " ");
	for (unsigned int i = 0; i < 2; i++)
		rt_check(!differ[i], "the state of a CPU is its own", "CPU %u: %u times not", i,
			 differ[i]);
	return rt_result();
}
