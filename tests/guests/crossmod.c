// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(crossmod, .ref = "APM2 7.6.1, SDM3 9.1.3", .timeout = "60000", .cpus = "2",
	.desc = "code that another CPU changes behind an INT3, while it runs");

#define ROUNDS		200
#define ROUNDS_BOCHS	100
#define DELAY_MASK	2047	/* turns of a loop, at most */
#define NOP5_FIRST	0x0f
#define INT3		0xcc
/* As long as this a CPU does not need for a turn of its loop. */
#define STUCK_TICKS	3000000000ULL

/* A page of its own, so that nothing else in it is executed or written. */
__asm__(".pushsection .data\n"
	".balign 4096\n"
	"crossmod_site:\n"
	".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
	"ret\n"
	".balign 4096\n"
	".popsection");
extern volatile u8 crossmod_site[];

static volatile u32 passes;
static volatile bool stop;

/* As kernels do it: when the INT3 is no longer there, the instruction runs again. */
static bool on_int3(struct rt_regs *r)
{
	if (r->ip != (ulong)crossmod_site + 1)
		return false;
	r->ip--;
	return true;
}

static void run_site(void *arg)
{
	while (!stop) {
		((void (*)(void))crossmod_site)();
		passes++;
	}
}

/* Does it come by again? */
static bool comes_by(void)
{
	u32 then = passes;

	return RT_WAIT_TSC(passes != then, STUCK_TICKS);
}

/* One change to INT3 and back; the pause between them meets the other CPU at its fetch. */
static bool change(u32 delay)
{
	crossmod_site[0] = INT3;
	for (u32 i = 0; i < delay; i++)
		__asm__ volatile("");
	crossmod_site[0] = NOP5_FIRST;
	return comes_by();
}

int main(struct rt_info *info)
{
	u32 rounds = info->bochs ? ROUNDS_BOCHS : ROUNDS, i, lcg = 1;
	unsigned int n = rt_smp_start(2);
	bool ok = true;

	if (!rt_check(n == 2, "a second CPU", "%u CPUs", n))
		return rt_result();
	rt_set_handler(VEC_BP, on_int3);
	rt_smp_call(1, run_site, NULL);
	rt_check(RT_WAIT(passes > 100), "the code runs", "%u times", passes);
	for (i = 0; ok && i < rounds; i++) {
		lcg = lcg * 1664525 + 1013904223;
		ok = change(lcg >> 16 & DELAY_MASK);
	}
	rt_known(info->tcg && !info->nestbed && !ok, ok, "an INT3 that is gone is not executed",
		 "QEMU 7.2 accel/tcg/translate-all.c tb_gen_code() reads code before "
		 "tb-maint.c tb_link_page() takes the lock");
	if (!ok) {
		lock_xadd((volatile u32 *)crossmod_site, 0);
		rt_check(comes_by(), "written again, it runs", " ");
	}
	stop = true;
	rt_check(rt_smp_wait(1), "the CPU ends", " ");
	return rt_result();
}
