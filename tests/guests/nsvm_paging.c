// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_paging, .nested = "svm", .ref = "APM2 15.16, 15.8, 15.12.15; APM3 INVLPGA",
	.desc = "L1 without nested paging: L2's own tables, its TLB, INVLPGA, shadow paging by L1");

#define PAGE	0x800000ul
#define OTHER	0xa00000ul
#define VIRT	0x8000000000ull	/* L2's: a top entry of its own */

#define P	BIT64(0)
#define W	BIT64(1)
#define U	BIT64(2)
#define A	BIT64(5)
#define D	BIT64(6)
#define G	BIT64(8)

static struct l2 l2;
static u64 pml4[512] __attribute__((aligned(4096)));
static u64 tables[3][512] __attribute__((aligned(4096)));
static u64 shadow[4][512] __attribute__((aligned(4096)));

L2_CODE(read, "", "mov (%rdi), %rbx");
L2_CODE(write, "", "mov %rbx, (%rdi)");
/* L2 exchanges the page (RSI becomes the entry at RDX) and flushes it in one of three ways. */
L2_CODE(invlpg, "mov (%rdi), %rcx; mov %rsi, (%rdx); invlpg (%rdi)", "mov (%rdi), %rbx");
L2_CODE(cr3, "mov (%rdi), %rcx; mov %rsi, (%rdx); mov %cr3, %rax; mov %rax, %cr3",
	"mov (%rdi), %rbx");
L2_CODE(cr4, "mov (%rdi), %rcx; mov %rsi, (%rdx); mov %cr4, %rax; btc $7, %rax; mov %rax, %cr4;"
	"btc $7, %rax; mov %rax, %cr4", "mov (%rdi), %rbx");
L2_CODE(own_invlpga, "mov (%rdi), %rcx; mov %rsi, (%rdx); mov %rdi, %rax; mov $1, %ecx; invlpga",
	"mov (%rdi), %rbx");

static volatile u64 *pte = &tables[2][0];

static u64 *at(ulong pa)
{
	return (u64 *)pa;
}

/* VIRT is PAGE, by four tables of L2's own. */
static void start(void)
{
	l2_init(&l2, NULL);
	memcpy(pml4, (void *)rt_pml4, sizeof(pml4));
	memset(tables, 0, sizeof(tables));
	pml4[VIRT >> 39] = (ulong)tables[0] | P | W | U;
	tables[0][0] = (ulong)tables[1] | P | W | U;
	tables[1][0] = (ulong)tables[2] | P | W | U;
	*pte = PAGE | P | W | U;
	l2.c.cr3 = (ulong)pml4;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	l2.c.intercept_exceptions = 1u << VEC_PF;
	l2.regs.rdi = VIRT;
	l2.regs.rdx = (ulong)pte;
	l2.regs.rsi = OTHER | P | W | U;
	*at(PAGE) = 0x1111;
	*at(OTHER) = 0x2222;
}

static void run(const struct l2_code *code)
{
	l2_run_code(&l2, code);
	l2.c.tlb_control = TLB_KEEP;
}

static void expect_pf(const char *name, u64 error)
{
	rt_check(l2.c.exitcode == EXIT_EXCEPTION + VEC_PF && l2.c.exitinfo1 == error &&
		 l2.c.exitinfo2 == VIRT, name, "exit %llx info %llx %llx", l2.c.exitcode,
		 l2.c.exitinfo1, l2.c.exitinfo2);
}

/* L2 flushes its TLB itself. */
static void check_own_flush(const char *name, const struct l2_code *code, u64 flags)
{
	start();
	*pte |= flags;
	l2.c.cr4 |= CR4_PGE;
	run(code);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && l2.regs.rbx == 0x2222, name,
		 "exit %llx, %llx and then %llx", l2.c.exitcode, l2.regs.rcx, l2.regs.rbx);
}

/* L1 changes L2's tables, and says so. */
enum how { BY_CONTROL, BY_INVLPGA, BY_ASID };

static void check_flush(const char *name, enum how how)
{
	start();
	run(&l2_read);
	rt_quiet(l2.c.exitcode == EXIT_VMMCALL && l2.regs.rbx == 0x1111, name, "first %llx",
		 l2.regs.rbx);
	*pte = OTHER | P | W | U;
	if (how == BY_CONTROL)
		l2.c.tlb_control = TLB_FLUSH_ALL;
	else if (how == BY_ASID)
		l2.c.guest_asid = 2;
	else
		__asm__ volatile("invlpga" : : "a"(VIRT), "c"(1) : "memory");
	run(&l2_read);
	rt_check(l2.regs.rbx == 0x2222, name, "%llx", l2.regs.rbx);
	*pte = PAGE | P | U;
	l2.c.cr0 |= CR0_WP;
	if (how == BY_INVLPGA)
		__asm__ volatile("invlpga" : : "a"(VIRT), "c"(1) : "memory");
	else
		l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_write);
	expect_pf("then read-only", 3);
}

static void check_rights(void)
{
	start();
	run(&l2_read);
	rt_check((*pte & (A | D)) == A, "A in L2's table", "%llx", *pte);
	run(&l2_write);
	rt_check((*pte & (A | D)) == (A | D), "D in L2's table", "%llx", *pte);
	*pte = 0;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	run(&l2_read);
	expect_pf("not present", 0);
	*pte = PAGE | P | W;
	l2_ring3(&l2);
	run(&l2_read);
	expect_pf("supervisor's", 5);
}

/*
 * Shadow paging: L1 intercepts what changes L2's translations, and L2 runs on
 * tables that L1 fills when it faults.
 */
static void fill_shadow(u64 pa)
{
	memcpy(shadow[0], (void *)rt_pml4, sizeof(shadow[0]));
	shadow[0][VIRT >> 39] = (ulong)shadow[1] | P | W | U;
	shadow[1][0] = (ulong)shadow[2] | P | W | U;
	shadow[2][0] = (ulong)shadow[3] | P | W | U;
	shadow[3][0] = pa ? pa | P | W | U : 0;
}

static void check_shadow(void)
{
	static const u64 mine = 0x5000;	/* what L2 believes CR3 to be: anything */
	u32 faults = 0;

	start();
	fill_shadow(0);
	l2.c.cr3 = (ulong)shadow[0];
	L2_INTERCEPT(&l2, cr_read, 3, true);
	L2_INTERCEPT(&l2, cr_write, 3, true);
	L2_INTERCEPT(&l2, vec3, VEC3_INVLPG, true);
	run(&l2_cr3);
	expect_pf("L1's table is empty", 0);
	for (u32 i = 0; i < 8 && l2.c.exitcode != EXIT_VMMCALL; i++) {
		if (l2.c.exitcode == EXIT_EXCEPTION + VEC_PF) {
			fill_shadow(*pte & ~0xfffULL);
			faults++;
		} else if (l2.c.exitcode == EXIT_CR_READ + 3) {
			l2.c.rax = mine;
			l2.c.rip += 3;
		} else if (l2.c.exitcode == EXIT_CR_WRITE + 3) {
			rt_check(l2.c.rax == mine, "L2's CR3", "%llx", l2.c.rax);
			fill_shadow(0);
			l2.c.tlb_control = TLB_FLUSH_ALL;
			l2.c.rip += 3;
		} else {
			break;
		}
		svm_run(&l2);
		l2.c.tlb_control = TLB_KEEP;
	}
	l2_expect("L2 on L1's tables", &l2, EXIT_VMMCALL);
	rt_check(faults == 2 && l2.regs.rcx == 0x1111 && l2.regs.rbx == 0x2222,
		 "both pages, a fault for each", "%u, %llx %llx", faults, l2.regs.rcx, l2.regs.rbx);
	rt_check(l2.c.cr3 == (ulong)shadow[0], "CR3 is still L1's", "%llx", l2.c.cr3);
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	check_rights();
	check_own_flush("INVLPG", &l2_invlpg, 0);
	check_own_flush("INVLPG of a global page", &l2_invlpg, G);
	check_own_flush("MOV to CR3", &l2_cr3, 0);
	check_own_flush("CR4.PGE", &l2_cr4, G);
	check_own_flush("INVLPGA of its own ASID", &l2_own_invlpga, 0);
	check_flush("TLB_CONTROL", BY_CONTROL);
	check_flush("INVLPGA", BY_INVLPGA);
	check_flush("another ASID", BY_ASID);
	check_shadow();
	return rt_result();
}
