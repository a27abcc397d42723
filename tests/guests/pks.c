// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(pks, .ref = "SDM3 4.6.2",
	.desc = "protection keys of supervisor pages: CR4.PKS, IA32_PKRS, #PF");

#define MSR_PKRS	0x6e1
#define CR4_PKS		(1ul << 24)
#define PF_PK		0x20
#define VA		0x8000000000ul
#define KEY(n)		((u64)(n) << 59)
#define AD(n)		(1u << (2 * (n)))
#define WD(n)		(2u << (2 * (n)))

static volatile u64 pdpt[512] __attribute__((aligned(4096)));
static volatile u64 pd[512] __attribute__((aligned(4096)));
static volatile u64 pt[512] __attribute__((aligned(4096)));
static u32 page[1024] __attribute__((aligned(4096)));

static int read_page(u64 n)
{
	u32 v;

	return RT_TRY("movl (%1), %0", : "=r"(v) : "r"(VA + n * 4096) : "memory");
}

static int write_page(u64 n)
{
	return RT_TRY("movl $1, (%0)", : : "r"(VA + n * 4096) : "memory");
}

/* Three views of one page: key 0, key 1, and key 1 of a user page. */
static void map(void)
{
	rt_pml4[1] = (u64)pdpt | 7;
	pdpt[0] = (u64)pd | 7;
	pd[0] = (u64)pt | 7;
	pt[0] = (u64)page | 3;
	pt[1] = (u64)page | 3 | KEY(1);
	pt[2] = (u64)page | 7 | KEY(1);
	write_cr3(read_cr3());
}

static void check_keys(void)
{
	wrmsr(MSR_PKRS, AD(1));
	rt_expect("access disabled: read", read_page(1), VEC_PF, PF_PK | 1);
	rt_expect("access disabled: write", write_page(1), VEC_PF, PF_PK | 3);
	rt_expect("another key", write_page(0), VEC_NONE, -1);
	rt_expect("a user page", write_page(2), VEC_NONE, -1);
	/* Behind exits it is the same. */
	inb(0x80);
	rt_check(rdmsr(MSR_PKRS) == AD(1), "survives exits", "%llx", (u64)rdmsr(MSR_PKRS));
	rt_expect("access disabled, after exits", read_page(1), VEC_PF, PF_PK | 1);
	wrmsr(MSR_PKRS, WD(1));
	rt_expect("write disabled: read", read_page(1), VEC_NONE, -1);
	write_cr0(read_cr0() | CR0_WP);
	rt_expect("write disabled: write", write_page(1), VEC_PF, PF_PK | 3);
	write_cr0(read_cr0() & ~CR0_WP);
	rt_expect("write disabled, CR0.WP clear", write_page(1), VEC_NONE, -1);
	wrmsr(MSR_PKRS, 0);
	rt_expect("nothing disabled", write_page(1), VEC_NONE, -1);
}

int main(struct rt_info *info)
{
	if (info->max_basic < 7 || !(cpuid(7).ecx >> 31)) {
		rt_check(!rt.tcg, "the feature is given", "QEMU has it");
		rt_expect("IA32_PKRS without the feature",
			  RT_TRY("rdmsr", : : "c"(MSR_PKRS) : "rax", "rdx"), VEC_GP, 0);
		return rt_result();
	}
	map();
	wrmsr(MSR_PKRS, 0);
	write_cr4(read_cr4() | CR4_PKS);
	rt_check(read_cr4() & CR4_PKS, "CR4.PKS can be set", "%lx", read_cr4());
	check_keys();
	/* Without CR4.PKS the register is there and does nothing. */
	wrmsr(MSR_PKRS, AD(1));
	write_cr4(read_cr4() & ~CR4_PKS);
	rt_expect("CR4.PKS clear", read_page(1), VEC_NONE, -1);
	if (info->nestbed)
		rt_expect("reserved bits", RT_TRY("wrmsr", : : "c"(MSR_PKRS), "a"(0),
						  "d"(1)), VEC_GP, 0);
	return rt_result();
}
