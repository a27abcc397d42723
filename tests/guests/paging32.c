// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(paging32, .ref = "APM2 5.2, SDM3 4.3, 4.4", .mem = "24",
	.desc = "32-bit paging with 4K and 4M pages, PAE with its four PDPTEs");

#define VA	0xc0000000u
#define P	1u
#define RW	2u
#define US	4u
#define A	0x20u
#define D	0x40u
#define PS	0x80u

#define PF_P	1
#define PF_W	2
#define PF_U	4
#define PF_RSVD	8

static volatile u32 pd[1024] __attribute__((aligned(4096)));
static volatile u32 pt[1024] __attribute__((aligned(4096)));
static volatile u64 pdpt[4] __attribute__((aligned(32)));
static volatile u64 pae_pd[4][512] __attribute__((aligned(4096)));
static volatile u64 pae_pt[512] __attribute__((aligned(4096)));
static volatile u32 page[2][1024] __attribute__((aligned(4096)));

static void do_read(void *arg)
{
	*(volatile u32 *)arg;
}

static void do_write(void *arg)
{
	*(volatile u32 *)arg = 1;
}

static void flush(void)
{
	write_cr3(read_cr3());
}

static void paging_off(void)
{
	write_cr0(read_cr0() & ~(CR0_PG | CR0_WP));
}

static void check_rights(const char *mode)
{
	rt_printf("%s\n", mode);
	rt_expect("supervisor write to a read-only page, WP=0", rt_try(do_write, (void *)VA),
		  VEC_NONE, -1);
	write_cr0(read_cr0() | CR0_WP);
	rt_expect("supervisor write to a read-only page, WP=1", rt_try(do_write, (void *)VA),
		  VEC_PF, PF_P | PF_W);
	rt_check(rt_fault.cr2 == VA, "CR2", "%lx", rt_fault.cr2);
	rt_expect("user write to a read-only page", rt_try_user(do_write, (void *)VA), VEC_PF,
		  PF_P | PF_W | PF_U);
	rt_expect("user read", rt_try_user(do_read, (void *)VA), VEC_NONE, -1);
	rt_expect("user read of a supervisor page", rt_try_user(do_read, (void *)(VA + 0x1000)),
		  VEC_PF, PF_P | PF_U);
	rt_expect("read of a missing page", rt_try(do_read, (void *)(VA + 0x2000)), VEC_PF, 0);
	rt_expect("user write to a missing page", rt_try_user(do_write, (void *)(VA + 0x2000)),
		  VEC_PF, PF_W | PF_U);
}

/* Identity by 4M pages for what runs now, VA by 4K pages. */
static void check_legacy(void)
{
	for (u32 i = 0; i < 6; i++)
		pd[i] = i << 22 | P | RW | US | PS;
	pd[VA >> 22] = (u32)pt | P | RW | US;
	pt[0] = (u32)page[0] | P | US;
	pt[1] = (u32)page[1] | P | RW;
	page[0][3] = 0x1234;
	write_cr4(read_cr4() | CR4_PSE);
	write_cr3((ulong)pd);
	write_cr0(read_cr0() | CR0_PG);
	cpuid(0);
	rt_check(((volatile u32 *)VA)[3] == 0x1234, "4K page", "%x", ((volatile u32 *)VA)[3]);
	check_rights("32-bit paging");
	rt_check((pt[1] & D) == 0 && (pt[0] & A), "accessed and dirty", "%x %x", pt[0], pt[1]);
	do_write((void *)(VA + 0x1000));
	rt_check((pt[1] & (A | D)) == (A | D), "a write sets D", "%x", pt[1]);
	pd[(VA >> 22) + 1] = ((u32)page[1] & ~0x3fffffu) | P | RW | PS;
	((volatile u32 *)(VA + 0x400000 + ((u32)page[1] & 0x3fffff)))[5] = 0x55;
	rt_check(page[1][5] == 0x55, "4M page", "%x", page[1][5]);
	rt_check((pd[(VA >> 22) + 1] & (A | D)) == (A | D), "its A and D", "%x",
		 pd[(VA >> 22) + 1]);
	paging_off();
	rt_check(page[0][0] == 1, "what was written is there without paging", "%x", page[0][0]);
	rt_check(*(volatile u32 *)page[0] == 1, "and addresses are physical again", " ");
}

static void setup_pae(void)
{
	for (u32 i = 0; i < 12; i++)
		pae_pd[0][i] = i << 21 | P | RW | US | PS;
	for (u32 i = 0; i < 4; i++)
		pdpt[i] = (u32)pae_pd[i] | P;
	pae_pd[3][0] = (u32)pae_pt | P | RW | US;
	pae_pt[0] = (u32)page[0] | P | US;
	pae_pt[1] = (u32)page[1] | P | RW;
	page[0][3] = 0x4321;
}

static int try_cr3(ulong v)
{
	return RT_TRY("mov %0, %%cr3", : : "r"(v) : "memory");
}

/*
 * SDM3 4.4.1: MOV to CR3 loads and checks all four.  Under nested paging AMD
 * reads them when it walks, as any other entry (APM2 15.25.10).
 */
static void check_pdptes(void)
{
	bool walked = rt.nestbed && rt.vendor == RT_AMD;
	const char *why = "QEMU 7.2 excp_helper.c reads PDPTEs when it walks, unchecked";
	u64 old = pdpt[2];

	pdpt[2] |= 1ull << 1;
	pae_pd[2][0] = P | RW | PS;
	rt_known(rt.tcg && !walked, try_cr3(read_cr3()) == (walked ? VEC_NONE : VEC_GP),
		 "MOV CR3 with a reserved bit in a PDPTE", why);
	if (walked)
		rt_known(rt.tcg, rt_try(do_read, (void *)0x80000000) == VEC_PF &&
			 (rt_fault.error & PF_RSVD), "the walk finds it", why);
	pdpt[2] = old;
	rt_expect("MOV CR3 with good PDPTEs", try_cr3(read_cr3()), VEC_NONE, -1);
	pdpt[2] = 0;
	flush();
	rt_expect("PDPTE not present", rt_try(do_read, (void *)0x80000000), VEC_PF, 0);
	pdpt[2] = (u32)pae_pd[2] | P;
	flush();
	rt_expect("PDPTE present again", rt_try(do_read, (void *)0x80000000), VEC_NONE, -1);
}

static void check_nx(void)
{
	if (!rt_has(0x80000001, 0, EDX, 20))
		return;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	*(volatile u8 *)page[1] = 0xc3;
	pae_pt[1] = (u32)page[1] | P | 1ull << 63;
	flush();
	rt_expect("execute an NX page", RT_TRY("call *%0", : : "r"(VA + 0x1000) : "memory"),
		  VEC_PF, PF_P | 16);
	/* The return address was pushed; ESP goes back with the function's end. */
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_NXE);
}

static void call_nx(void *arg)
{
	check_nx();
	/* Leaves the stack for rt_try to restore. */
	__asm__ volatile("ud2");
}

static void check_pae(void)
{
	setup_pae();
	write_cr4(read_cr4() | CR4_PAE);
	write_cr3((ulong)pdpt);
	write_cr0(read_cr0() | CR0_PG);
	cpuid(0);
	rt_check(((volatile u32 *)VA)[3] == 0x4321, "4K page", "%x", ((volatile u32 *)VA)[3]);
	check_rights("PAE paging");
	rt_check((pae_pt[0] & A) && !(pae_pd[3][0] & D), "accessed", "%llx", pae_pt[0]);
	pae_pd[3][1] = ((u32)page[1] & ~0x1fffffu) | P | RW | PS;
	((volatile u32 *)(VA + 0x200000 + ((u32)page[1] & 0x1fffff)))[7] = 0x77;
	rt_check(page[1][7] == 0x77, "2M page", "%x", page[1][7]);
	check_pdptes();
	rt_try(call_nx, NULL);
	paging_off();
	write_cr4(read_cr4() & ~CR4_PAE);
}

static int try_cr0(ulong v)
{
	return RT_TRY("mov %0, %%cr0", : : "r"(v) : "memory");
}

int main(struct rt_info *info)
{
	check_legacy();
	check_pae();
	if (!rt.tcg)
		rt_expect("CR0.NW without CD", try_cr0(read_cr0() | CR0_NW), VEC_GP, 0);
	/* Off and on again, many times. */
	write_cr3((ulong)pd);
	for (unsigned int i = 0; i < 50; i++) {
		write_cr0(read_cr0() | CR0_PG);
		rt_quiet(((volatile u32 *)VA)[3] == 0x4321, "paging toggled", "round %u", i);
		paging_off();
	}
	rt_check(true, "paging toggled", " ");
	return rt_result();
}
