// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(invlpg, .ref = "APM2 5.5, SDM3 4.10.4",
	.desc = "what INVLPG, MOV CR3, CR4.PGE and CR0.WP make visible");

#define VA	0x8000000000ul
#define P	0x1ul
#define RW	0x2ul
#define G	0x100ul
#define PAGES	64

static volatile u64 pdpt[512] __attribute__((aligned(4096)));
static volatile u64 pd[512] __attribute__((aligned(4096)));
static volatile u64 pt[512] __attribute__((aligned(4096)));
static u64 page[2][512] __attribute__((aligned(4096)));

static volatile u64 *va(unsigned int n)
{
	return (volatile u64 *)(VA + n * 4096ul);
}

static void map_all(unsigned int to, u64 flags)
{
	for (unsigned int n = 0; n < PAGES; n++)
		pt[n] = (u64)page[to] | flags;
}

/* All PAGES pages read as which; touching them fills the TLB. */
static bool all_read(u64 which)
{
	bool ok = true;

	for (unsigned int n = 0; n < PAGES; n++)
		ok &= *va(n) == which;
	return ok;
}

static void check_invlpg(void)
{
	for (unsigned int round = 0; round < 200; round++) {
		map_all(round & 1, P | RW);
		for (unsigned int n = 0; n < PAGES; n++)
			invlpg(va(n) + 5);
		if (!rt_quiet(all_read(round & 1), "invlpg", "round %u: an old page", round))
			return;
	}
	rt_check(true, "INVLPG shows the new page", " ");
	/* Any address of a 2M page drops all of it. */
	pd[1] = ((u64)page[0] & ~0x1ffffful) | P | RW | 0x80;
	*(volatile u8 *)(VA + 0x200000);
	pd[1] = 0;
	invlpg((void *)(VA + 0x3fffff));
	rt_expect("INVLPG of a 2M page",
		  RT_TRY("mov (%0), %%al", : : "r"(VA + 0x200000) : "rax"), VEC_PF, 0);
}

static void check_cr3(void)
{
	for (unsigned int round = 0; round < 200; round++) {
		map_all(round & 1, P | RW);
		write_cr3(read_cr3());
		if (!rt_quiet(all_read(round & 1), "cr3", "round %u: an old page", round))
			return;
	}
	rt_check(true, "MOV CR3 shows the new pages", " ");
}

static void check_global(void)
{
	for (unsigned int round = 0; round < 20; round++) {
		write_cr4(read_cr4() | CR4_PGE);
		map_all(round & 1, P | RW | G);
		write_cr4(read_cr4() & ~CR4_PGE);
		if (!rt_quiet(all_read(round & 1), "pge", "round %u: an old page", round))
			return;
		write_cr4(read_cr4() | CR4_PGE);
		map_all(~round & 1, P | RW | G);
		invlpg(va(3));
		if (!rt_quiet(*va(3) == (~round & 1), "invlpg", "round %u: global", round))
			return;
		write_cr4(read_cr4() & ~CR4_PGE);
	}
	rt_check(true, "CR4.PGE and INVLPG drop global pages", " ");
}

static int invpcid(u64 type, u64 pcid)
{
	struct { u64 pcid, linear; } desc = { pcid, VA };

	return RT_TRY("invpcid (%1), %0", : : "r"(type), "r"(&desc) : "memory");
}

/* SDM2 INVPCID: by address, by PCID, all, all but global; without PCIDs only 0. */
static void check_invpcid(void)
{
	if (rt.max_basic < 7 || !(cpuid(7).ebx >> 10 & 1)) {
		rt_expect("INVPCID without the feature", invpcid(2, 0), VEC_UD, -1);
		return;
	}
	for (unsigned int round = 0; round < 20; round++) {
		u64 type = round & 3;
		bool ok;

		map_all(round & 1, P | RW);
		write_cr3(read_cr3());
		all_read(round & 1);
		map_all(~round & 1, P | RW);
		if (invpcid(type, 0) != VEC_NONE)
			break;
		ok = type ? all_read(~round & 1) : *va(0) == (~round & 1);
		if (!rt_quiet(ok, "invpcid", "round %u: an old page", round))
			return;
	}
	rt_expect("INVPCID of a PCID without CR4.PCIDE", invpcid(0, 1), VEC_GP, 0);
	rt_expect("INVPCID of no type", invpcid(4, 0), VEC_GP, 0);
	rt_expect("INVPCID of all", invpcid(2, 0), VEC_NONE, -1);
}

/* From not present to present nothing has to be invalidated. */
static void check_not_present(void)
{
	bool ok = true;

	map_all(0, 0);
	write_cr3(read_cr3());
	for (unsigned int n = 0; n < PAGES; n++) {
		ok &= RT_TRY("mov (%0), %%al", : : "r"(va(n)) : "rax") == VEC_PF;
		pt[n] = (u64)page[1] | P | RW;
		ok &= *va(n) == 1;
	}
	rt_check(ok, "a new page needs no INVLPG", "old absence was cached");
}

/* More rights likewise: a fault may come once at most. */
static void check_upgrade(void)
{
	write_cr0(read_cr0() | CR0_WP);
	map_all(0, P);
	write_cr3(read_cr3());
	all_read(0);
	rt_expect("write to a read-only page",
		  RT_TRY("movq $0, (%0)", : : "r"(va(0)) : "memory"), VEC_PF, 3);
	pt[0] |= RW;
	rt_expect("write after the upgrade",
		  RT_TRY("movq $0, (%0)", : : "r"(va(0)) : "memory"), VEC_NONE, -1);
	write_cr0(read_cr0() & ~CR0_WP);
	rt_expect("write with WP clear",
		  RT_TRY("movq $0, (%0)", : : "r"(va(1)) : "memory"), VEC_NONE, -1);
	write_cr0(read_cr0() | CR0_WP);
	rt_expect("write with WP set again",
		  RT_TRY("movq $0, (%0)", : : "r"(va(2)) : "memory"), VEC_PF, 3);
}

static void user_invlpg(void *arg)
{
	invlpg(arg);
}

int main(struct rt_info *info)
{
	rt_pml4[1] = (u64)pdpt | P | RW;
	pdpt[0] = (u64)pd | P | RW;
	pd[0] = (u64)pt | P | RW;
	page[1][0] = page[1][5] = 1;
	check_invlpg();
	check_cr3();
	check_global();
	check_invpcid();
	check_not_present();
	check_upgrade();
	/* SDM2 INVLPG: a non-canonical address is not looked at. */
	rt_expect("INVLPG of a non-canonical address",
		  RT_TRY("invlpg (%0)", : : "r"(1ul << 60) : "memory"), VEC_NONE, -1);
	rt_expect("INVLPG in ring 3", rt_try_user(user_invlpg, NULL), VEC_GP, 0);
	return rt_result();
}
