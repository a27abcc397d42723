// SPDX-License-Identifier: MIT
#include "tests/guests/rt/rt.h"

PAYLOAD(paging64, .ref = "APM2 5.3, SDM3 4.5",
	.desc = "4K, 2M, 1G pages, NX, WP, U/S, accessed and dirty, #PF error codes");

#define VA	0x8000000000ul		/* PML4 entry 1: ours alone */
#define P	0x1ul
#define RW	0x2ul
#define US	0x4ul
#define A	0x20ul
#define D	0x40ul
#define PS	0x80ul
#define NX	(1ul << 63)

#define PF_P	1
#define PF_W	2
#define PF_U	4
#define PF_RSVD	8
#define PF_I	16

static volatile u64 pdpt[512] __attribute__((aligned(4096)));
static volatile u64 pd[512] __attribute__((aligned(4096)));
static volatile u64 pt[512] __attribute__((aligned(4096)));
static volatile u8 page[2][4096] __attribute__((aligned(4096)));
static bool has_nx;

static void flush(void)
{
	write_cr3(read_cr3());
}

/* VA is one 4K page of page[0] with these flags at every level. */
static void map_4k(u64 pml4_flags, u64 pte_flags)
{
	rt_pml4[1] = (u64)pdpt | pml4_flags;
	pdpt[0] = (u64)pd | P | RW | US;
	pd[0] = (u64)pt | P | RW | US;
	pt[0] = (u64)page[0] | pte_flags;
	pt[1] = (u64)page[1] | pte_flags;
	flush();
}

static void do_read(void *arg)
{
	*(volatile u8 *)arg;
}

static void do_write(void *arg)
{
	*(volatile u8 *)arg = 1;
}

static void do_exec(void *arg)
{
	((void (*)(void))arg)();
}

enum access { READ, WRITE, EXEC };
static void (*const access[])(void *) = { do_read, do_write, do_exec };

static const struct row {
	const char *name;
	u64 pml4, pte;
	enum access access;
	bool user, wp, nx;
	int error;		/* -1: no fault */
} rows[] = {
	{ "supervisor read", P | RW, P, READ, 0, 0, 0, -1 },
	{ "supervisor write, WP=0, page read-only", P | RW, P, WRITE, 0, 0, 0, -1 },
	{ "supervisor write, WP=1, page read-only", P | RW, P, WRITE, 0, 1, 0, PF_P | PF_W },
	{ "supervisor write, WP=1, PML4E read-only", P, P | RW, WRITE, 0, 1, 0, PF_P | PF_W },
	{ "supervisor write, WP=1", P | RW, P | RW, WRITE, 0, 1, 0, -1 },
	{ "supervisor execute", P | RW, P, EXEC, 0, 0, 0, -1 },
	{ "user read, supervisor page", P | RW | US, P, READ, 1, 0, 0, PF_P | PF_U },
	{ "user read, supervisor PML4E", P | RW, P | US, READ, 1, 0, 0, PF_P | PF_U },
	{ "user read", P | RW | US, P | US, READ, 1, 0, 0, -1 },
	{ "user write, WP=0, page read-only", P | RW | US, P | US, WRITE, 1, 0, 0,
	  PF_P | PF_W | PF_U },
	{ "user write", P | RW | US, P | RW | US, WRITE, 1, 0, 0, -1 },
	{ "user execute", P | RW | US, P | US, EXEC, 1, 0, 0, -1 },
	{ "not present, read", P | RW | US, 0, READ, 0, 0, 0, 0 },
	{ "not present, user write", P | RW | US, 0, WRITE, 1, 0, 0, PF_W | PF_U },
	{ "PML4E not present", 0, P | RW, READ, 0, 0, 0, 0 },
	{ "execute, page NX", P | RW, P | NX, EXEC, 0, 0, 1, PF_P | PF_I },
	{ "execute, PML4E NX", P | RW | NX, P, EXEC, 0, 0, 1, PF_P | PF_I },
	{ "user execute, page NX", P | RW | US, P | US | NX, EXEC, 1, 0, 1, PF_P | PF_U | PF_I },
	{ "read of an NX page", P | RW, P | NX, READ, 0, 0, 1, -1 },
	{ "execute, not present", P | RW, 0, EXEC, 0, 0, 1, PF_I },
};

static void run_row(const struct row *r)
{
	int got;

	if (r->nx && !has_nx)
		return;
	write_cr0(r->wp ? read_cr0() | CR0_WP : read_cr0() & ~CR0_WP);
	map_4k(r->pml4, r->pte);
	page[0][0] = 0xc3;	/* RET */
	got = r->user ? rt_try_user(access[r->access], (void *)VA)
		      : rt_try(access[r->access], (void *)VA);
	if (rt_expect(r->name, got, r->error < 0 ? VEC_NONE : VEC_PF, r->error) &&
	    r->error >= 0)
		rt_quiet(rt_fault.cr2 == VA, r->name, "CR2 is %lx", rt_fault.cr2);
}

/* The translation is there, so P is set as well (APM2 8.4.2). */
static void expect_rsvd(const char *name)
{
	int got = rt_try(do_read, (void *)VA);

	if (rt_check(got == VEC_PF && rt_fault.error & PF_RSVD, name, "vector %d error %x",
		     got, rt_fault.error))
		rt_known(rt.tcg, rt_fault.error == (PF_P | PF_RSVD), "P with RSVD",
			 "QEMU 7.2 excp_helper.c mmu_translate: do_fault_rsvd leaves P out");
}

static void check_rsvd(void)
{
	u32 width = cpuid(0x80000008).eax & 0xff;

	map_4k(P | RW, P | RW);
	if (width < 52) {
		pt[0] = (u64)page[0] | P | 1ul << 51;
		flush();
		expect_rsvd("reserved address bit");
	}
	pd[0] = P | RW | PS | 1 << 13;
	flush();
	expect_rsvd("reserved bit of a 2M page");
	pd[0] = (u64)pt | P | RW;
	if (!has_nx)
		return;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_NXE);
	map_4k(P | RW, P | NX);
	expect_rsvd("NX without EFER.NXE is reserved");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
}

static void check_accessed(void)
{
	map_4k(P | RW, P | RW);
	do_read((void *)VA);
	rt_check(rt_pml4[1] & pdpt[0] & pd[0] & pt[0] & A, "a read sets A at each level",
		 "%llx %llx", pd[0], pt[0]);
	rt_check(!(pt[0] & D), "and not D", "%llx", pt[0]);
	rt_check(!(pt[1] & A), "nor A of the neighbour", "%llx", pt[1]);
	do_write((void *)VA);
	rt_check((pt[0] & (A | D)) == (A | D), "a write sets D", "%llx", pt[0]);
	rt_check(!(pd[0] & D), "not in the directory", "%llx", pd[0]);
	pt[0] &= ~(A | D);
	flush();
	do_read((void *)VA);
	rt_check((pt[0] & (A | D)) == A, "A is set again after a flush", "%llx", pt[0]);
}

static void check_large(void)
{
	volatile u8 *p = (volatile u8 *)(VA + ((ulong)page[1] & 0x1fffff));

	page[1][7] = 0x77;
	pd[0] = ((u64)page[1] & ~0x1ffffful) | P | RW | PS;
	flush();
	rt_check(p[7] == 0x77, "read through a 2M page", "%x", p[7]);
	rt_check((pd[0] & (A | D)) == A, "A of a 2M page", "%llx", pd[0]);
	p[7] = 0x78;
	rt_check(page[1][7] == 0x78 && (pd[0] & D), "write through a 2M page", "%llx", pd[0]);
	if (!rt_has(0x80000001, 0, EDX, 26)) {
		rt_note("no 1G pages");
		return;
	}
	p = (volatile u8 *)(VA + (ulong)page[1]);
	pdpt[0] = P | RW | PS;
	flush();
	rt_check(p[7] == 0x78, "read through a 1G page", "%x", p[7]);
	p[7] = 0x79;
	rt_check(page[1][7] == 0x79 && (pdpt[0] & (A | D)) == (A | D), "write through a 1G page",
		 "%llx", pdpt[0]);
}

/* An access that crosses into a page that is not there names that page. */
static void check_crossing(void)
{
	map_4k(P | RW, P | RW);
	pt[1] = 0;
	flush();
	rt_expect("read across the end", RT_TRY("mov (%0), %%rax", : : "r"(VA + 0xffc) : "rax"),
		  VEC_PF, 0);
	rt_check(rt_fault.cr2 == VA + 0x1000, "CR2 is the second page", "%lx", rt_fault.cr2);
	memset((void *)page[0], 0x90, 4096);
	page[0][4095] = 0xb8;	/* MOV EAX, imm32 whose immediate is missing */
	rt_expect("fetch across the end", rt_try(do_exec, (void *)(VA + 0xff0)), VEC_PF,
		  has_nx ? PF_I : 0);
	rt_check(rt_fault.cr2 == VA + 0x1000, "CR2 of the fetch", "%lx", rt_fault.cr2);
}

int main(struct rt_info *info)
{
	ulong cr0 = read_cr0();

	has_nx = rt_has(0x80000001, 0, EDX, 20);
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++)
		run_row(&rows[i]);
	write_cr0(cr0);
	check_rsvd();
	check_accessed();
	check_large();
	check_crossing();
	return rt_result();
}
