// SPDX-License-Identifier: MIT
#include "tests/guests/exits.h"

PAYLOAD(dr, .ref = "APM2 13.1, SDM3 18.2",
	.desc = "DR0-3, DR6, DR7 across exits; breakpoints; GD; DR4 and DR5");

#define DR6_INIT	0xffff0ff0
#define DR7_INIT	0x400
#define DR6_BS		0x4000
#define DR6_BD		0x2000
#define DR7_GD		0x2000

#define TCG_GD	"QEMU 7.2 bpt_helper.c helper_get_dr, helper_set_dr ignore DR7.GD"

static volatile u32 hits;
static volatile ulong hit_ip, hit_dr6;

static bool count_db(struct rt_regs *r)
{
	hits++;
	hit_ip = r->ip;
	hit_dr6 = read_dr6();
	write_dr6(DR6_INIT);
	r->flags |= FL_RF;	/* an instruction breakpoint would fire again */
	return true;
}

static void check_values(const struct exit_way *w)
{
	bool ok = true;

	write_dr0(0x123456789000);
	write_dr1(0xffffffff81000000);
	write_dr2(0x7fffdeadbeef);
	write_dr3(1);
	write_dr6(DR6_INIT | 5);
	write_dr7(DR7_INIT | 0x33330000);
	w->go();
	ok &= rt_quiet(read_dr0() == 0x123456789000, w->name, "DR0 %lx", read_dr0());
	ok &= rt_quiet(read_dr1() == 0xffffffff81000000, w->name, "DR1 %lx", read_dr1());
	ok &= rt_quiet(read_dr2() == 0x7fffdeadbeef, w->name, "DR2 %lx", read_dr2());
	ok &= rt_quiet(read_dr3() == 1, w->name, "DR3 %lx", read_dr3());
	ok &= rt_quiet(read_dr6() == (DR6_INIT | 5), w->name, "DR6 %lx", read_dr6());
	ok &= rt_quiet(read_dr7() == (DR7_INIT | 0x33330000), w->name, "DR7 %lx", read_dr7());
	rt_check(ok, w->name, "a debug register changed");
	write_dr7(DR7_INIT);
	write_dr6(DR6_INIT);
}

/* An instruction breakpoint is a fault on the instruction (APM2 13.1.3). */
static void check_execute(void)
{
	ulong at;

	__asm__ volatile("lea 1f(%%rip), %0; mov %0, %%dr0; mov %1, %%dr7\n"
			 "nop; 1: nop; mov %2, %%dr7"
			 : "=&r"(at) : "r"((ulong)DR7_INIT | 2), "r"((ulong)DR7_INIT)
			 : "memory");
	rt_check(hits == 1 && hit_ip == at && (hit_dr6 & 0xf) == 1, "breakpoint on NOP",
		 "%u hits, ip %lx, not %lx, DR6 %lx", hits, hit_ip, at, hit_dr6);
	hits = 0;
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %%dr2; mov %1, %%dr7; mov %%rax, %0\n"
			 "xor %%eax, %%eax; 1: cpuid; mov %2, %%dr7"
			 : "=&S"(at) : "D"((ulong)DR7_INIT | 0x20), "r"((ulong)DR7_INIT)
			 : "memory", "rax", "rbx", "rcx", "rdx");
	rt_check(hits == 1 && hit_ip == at && (hit_dr6 & 0xf) == 4, "breakpoint on CPUID",
		 "%u hits, ip %lx, not %lx, DR6 %lx", hits, hit_ip, at, hit_dr6);
}

/* A data breakpoint is a trap: RIP is behind the access. */
static void check_data(void)
{
	static volatile u64 cell;
	ulong after;

	hits = 0;
	write_dr1((ulong)&cell);
	/* L1, write, 4 bytes. */
	write_dr7(DR7_INIT | 4 | 0xd << 20);
	__asm__ volatile("lea 1f(%%rip), %0; movl $5, %1; 1: nop" : "=&r"(after), "=m"(cell));
	rt_check(hits == 1 && hit_ip == after && (hit_dr6 & 0xf) == 2, "breakpoint on a write",
		 "%u hits, ip %lx, not %lx, DR6 %lx", hits, hit_ip, after, hit_dr6);
	hits = 0;
	(void)cell;
	rt_check(hits == 0, "a read does not hit it", "%u hits", hits);
	((volatile u8 *)&cell)[3] = 1;
	rt_check(hits == 1, "a write to its last byte does", "%u hits", hits);
	((volatile u8 *)&cell)[4] = 1;
	rt_check(hits == 1, "a write behind it does not", "%u hits", hits);
	/* Read or write. */
	write_dr7(DR7_INIT | 4 | 0xf << 20);
	hits = 0;
	(void)cell;
	rt_check(hits == 1, "read-write breakpoint on a read", "%u hits", hits);
	cpuid(0);
	(void)cell;
	rt_check(hits == 2, "still there after an exit", "%u hits", hits);
	write_dr7(DR7_INIT);
	hits = 0;
	(void)cell;
	rt_check(hits == 0, "gone when disabled", "%u hits", hits);
}

/* APM2 13.1.1.4: GD makes the next access #DB with BD, and clears itself. */
static void check_gd(void)
{
	ulong v;
	int vec;

	rt_set_handler(VEC_DB, NULL);
	write_dr7(DR7_INIT | DR7_GD);
	vec = RT_TRY("mov %%dr0, %0", : "=r"(v) : : "memory");
	if (rt_known(rt.tcg, vec == VEC_DB, "GD makes MOV DR #DB", TCG_GD)) {
		rt_check(read_dr6() & DR6_BD, "DR6.BD says so", "%lx", read_dr6());
		rt_check(!(read_dr7() & DR7_GD), "GD is clear then", "%lx", read_dr7());
	}
	write_dr7(DR7_INIT);
	write_dr6(DR6_INIT);
	rt_set_handler(VEC_DB, count_db);
}

static void user_mov_dr(void *arg)
{
	read_dr0();
}

/* APM2 13.1.1: DR4 and DR5 are DR6 and DR7 unless CR4.DE. */
static void check_aliases(void)
{
	ulong v = 0;

	write_dr6(DR6_INIT | 2);
	rt_expect("DR4 without DE", RT_TRY("mov %%dr4, %0", : "=r"(v) : : "memory"),
		  VEC_NONE, -1);
	rt_check(v == (DR6_INIT | 2), "DR4 is DR6", "%lx", v);
	rt_expect("DR5 without DE", RT_TRY("mov %%dr5, %0", : "=r"(v) : : "memory"),
		  VEC_NONE, -1);
	rt_check(v == DR7_INIT, "DR5 is DR7", "%lx", v);
	write_cr4(read_cr4() | CR4_DE);
	rt_expect("DR4 with DE", RT_TRY("mov %%dr4, %0", : "=r"(v) : : "memory"), VEC_UD, -1);
	rt_expect("DR5 with DE", RT_TRY("mov %0, %%dr5", : : "r"(0ul) : "memory"), VEC_UD, -1);
	write_cr4(read_cr4() & ~CR4_DE);
	write_dr6(DR6_INIT);
	rt_expect("MOV DR in ring 3", rt_try_user(user_mov_dr, NULL), VEC_GP, 0);
}

static void check_reserved(void)
{
	rt_expect("DR7 bit 32", RT_TRY("mov %0, %%dr7", : : "r"(1ul << 32) : "memory"), VEC_GP, 0);
	rt_expect("DR6 bit 40", RT_TRY("mov %0, %%dr6", : : "r"(1ul << 40) : "memory"), VEC_GP, 0);
	write_dr7(0);
	rt_check(read_dr7() == DR7_INIT, "DR7 bit 10 is always set", "%lx", read_dr7());
	write_dr6(0);
	rt_check((read_dr6() & ~0x10800ul) == (DR6_INIT & ~0x10800ul),
		 "fixed bits of DR6 are set", "%lx", read_dr6());
	write_dr6(DR6_INIT);
}

/* ICEBP: #DB, a trap. */
static void check_icebp(void)
{
	ulong after;

	if (rt.tcg) {
		rt_note("INT1 left out: QEMU 7.2 translate.c has F1 under WANT_ICEBP only");
		return;
	}
	hits = 0;
	__asm__ volatile("lea 1f(%%rip), %0; .byte 0xf1; 1: nop" : "=&r"(after) : : "memory");
	rt_check(hits == 1 && hit_ip == after, "INT1 is #DB behind itself", "%u at %lx, not %lx",
		 hits, hit_ip, after);
}

int main(struct rt_info *info)
{
	for (unsigned int i = 0; i < ARRAY_LEN(exit_ways); i++)
		check_values(&exit_ways[i]);
	rt_set_handler(VEC_DB, count_db);
	check_execute();
	check_data();
	check_gd();
	check_aliases();
	check_reserved();
	check_icebp();
	return rt_result();
}
