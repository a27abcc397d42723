// SPDX-License-Identifier: MIT
#include "tests/guests/exits.h"

PAYLOAD(tsc, .ref = "APM2 13.2.4, SDM3 18.17",
	.desc = "RDTSC never goes back, RDTSCP, TSC_AUX, writes to the TSC, CR4.TSD");

static u64 rdtscp(u32 *aux)
{
	u32 lo, hi;

	__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(*aux) : : "memory");
	return lo | (u64)hi << 32;
}

static void user_rdtsc(void *arg)
{
	*(volatile u64 *)arg = rdtsc();
}

static void check_monotonic(void)
{
	bool has_rdtscp = rt_has(0x80000001, 0, EDX, 27);
	u64 last = rdtsc(), now;
	unsigned int same = 0;
	u32 aux;

	for (unsigned int i = 0; i < 2000; i++) {
		exit_ways[i % ARRAY_LEN(exit_ways)].go();
		now = i & 1 && has_rdtscp ? rdtscp(&aux) : rdtsc();
		rt_quiet(now >= last, "TSC goes forward", "%llx after %llx", now, last);
		same += now == last;
		last = now;
	}
	rt_check(same < 1000, "TSC moves", "%u of 2000 readings were the same", same);
	now = rdmsr(MSR_TSC);
	rt_known(rt.tcg && !rt.nestbed, now >= last && now - last < 1ULL << 40,
		 "MSR 10h is the TSC", "QEMU 7.2 misc_helper.c helper_rdmsr has no case for it");
}

static void check_write(void)
{
	u64 now;

	wrmsr(MSR_TSC, 1ULL << 50);
	now = rdtsc();
	rt_check(now >> 44 == 1 << 6, "TSC can be set forward", "%llx", now);
	cpuid(0);
	now = rdtsc();
	rt_check(now >> 44 == 1 << 6, "and stays so over an exit", "%llx", now);
	wrmsr(MSR_TSC, 0);
	now = rdtsc();
	rt_check(now < 1ULL << 44, "TSC can be set back", "%llx", now);
}

static void check_aux(void)
{
	u32 aux = 0;

	if (!rt_has(0x80000001, 0, EDX, 27)) {
		rt_expect("RDTSCP is #UD", RT_TRY("rdtscp", : : : "eax", "ecx", "edx"),
			  VEC_UD, -1);
		return;
	}
	wrmsr(MSR_TSC_AUX, 0x12345678);
	cpuid(0);
	rdtscp(&aux);
	rt_check(aux == 0x12345678, "RDTSCP gives TSC_AUX", "%x", aux);
	rt_check(rdmsr(MSR_TSC_AUX) == 0x12345678, "TSC_AUX reads back", " ");
}

int main(struct rt_info *info)
{
	volatile u64 user = 0;

	check_monotonic();
	/* QEMU's helper_wrmsr has no case for MSR 10h: the write is lost. */
	if (!rt.tcg || rt.nestbed)
		check_write();
	check_aux();
	rt_expect("RDTSC in ring 3", rt_try_user(user_rdtsc, (void *)&user), VEC_NONE, -1);
	write_cr4(read_cr4() | CR4_TSD);
	rt_expect("RDTSC in ring 3 with TSD is #GP", rt_try_user(user_rdtsc, (void *)&user),
		  VEC_GP, 0);
	rt_check(rdtsc() != 0, "RDTSC in ring 0 with TSD", " ");
	return rt_result();
}
