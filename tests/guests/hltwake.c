// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"

PAYLOAD(hltwake, .ref = "SDM2 HLT, STI; SDM3 6.8; APM2 8.1.3, 8.5",
	.desc = "HLT is woken by the timer; STI; HLT never sleeps through; shadows");

#define VEC		0x51
#define ROUNDS		600

extern char hlt_next[], nop_next[], ss_next[], ss_after[];

static volatile u32 hits;
static volatile ulong hit_ip;

static bool on_irq(struct rt_regs *r)
{
	hits++;
	hit_ip = r->ip;
	apic_eoi();
	return true;
}

static void unused(unsigned int vector)
{
}

static void self(void)
{
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | VEC);
	RT_WAIT(apic_bit(APIC_IRR, VEC));
}

/* Each is one function, so that its labels are there once. */
static void __attribute__((noinline)) hlt_at_label(void)
{
	__asm__ volatile("sti; hlt; hlt_next: cli" : : : "memory");
}

static void __attribute__((noinline)) nop_at_label(void)
{
	__asm__ volatile("sti; nop; nop_next: nop; cli" : : : "memory");
}

static void __attribute__((noinline)) ss_at_label(void)
{
	u16 ss = read_ss();

	__asm__ volatile("sti; mov %0, %%ss; ss_next: nop; ss_after: nop; cli" : : "r"(ss)
			 : "memory");
}

static void __attribute__((noinline)) sti_cli(void)
{
	__asm__ volatile("sti; cli" : : : "memory");
}

/*
 * The shadow of STI covers one instruction: what is pending comes behind it,
 * out of the HLT, which it ends.
 */
static void check_shadow(void)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		cli();
		hits = 0;
		self();
		hlt_at_label();
		bad += hits != 1 || hit_ip != (ulong)hlt_next;
	}
	rt_check(!bad, "pending, STI; HLT", "%u wrong; %u at %lx, not %lx", bad, hits, hit_ip,
		 (ulong)hlt_next);
	hits = 0;
	self();
	nop_at_label();
	rt_check(hits == 1 && hit_ip == (ulong)nop_next, "pending, STI; NOP",
		 "%u at %lx, not %lx", hits, hit_ip, (ulong)nop_next);
	hits = 0;
	self();
	sti_cli();
	rt_check(!hits && apic_bit(APIC_IRR, VEC), "STI; CLI leaves no gap", "%u", hits);
	/* POPF has no shadow. */
	nop_at_label();
	hits = 0;
	self();
	write_flags(read_flags() | FL_IF);
	cli();
	rt_check(hits == 1, "pending, POPF; CLI", "%u", hits);
}

/* Of several shadows in a row only the first is sure (SDM3 6.8.3). */
static void check_mov_ss(void)
{
	hits = 0;
	self();
	ss_at_label();
	rt_check(hits == 1 && (hit_ip == (ulong)ss_next || hit_ip == (ulong)ss_after),
		 "pending, STI; MOV SS", "%u at %lx, not %lx", hits, hit_ip, (ulong)ss_next);
}

/* Counts that end before, at and behind the HLT. */
static void check_timer(void)
{
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_ONE_SHOT | VEC);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		u32 count = i % 8 ? rt_random() % (i & 1 ? 300 : 20000) + 1 : 200000;

		cli();
		hits = 0;
		apic_write(APIC_TMICT, count);
		sti_hlt();
		cli();
		if (!rt_quiet(hits == 1, "one interrupt ends HLT", "%u, count %u", hits, count))
			break;
		rt_quiet(!apic_read(APIC_TMCCT), "after the count is 0", "count %u", count);
	}
	rt_check(true, "timer wakes HLT", " ");
}

/* Sleeping over and over: each period wakes, whatever was missed meanwhile. */
static void check_periodic(void)
{
	cli();
	hits = 0;
	apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | VEC);
	apic_write(APIC_TMICT, 100000);
	for (unsigned int i = 0; i < 100; i++) {
		u32 before = hits;

		sti_hlt();
		cli();
		if (!rt_quiet(hits != before, "HLT ends with an interrupt", "after %u", hits))
			break;
	}
	apic_write(APIC_TMICT, 0);
	sti_nop();
	cli();
	rt_check(hits >= 100, "periodic timer wakes HLT", "%u", hits);
}

/* HLT does not end for what TPR holds back. */
static void check_tpr(void)
{
	cli();
	hits = 0;
	rt_irq(0x61, unused);
	apic_write(APIC_TPR, 0x5f);
	self();			/* 51h waits */
	apic_write(APIC_LVT_TIMER, APIC_TIMER_ONE_SHOT | 0x61);
	apic_write(APIC_TMICT, 100000);
	sti_hlt();
	cli();
	rt_check(!hits && apic_bit(APIC_ISR, 0x61), "only what is above TPR wakes", "%u", hits);
	apic_eoi();
	apic_write(APIC_TPR, 0);
	sti_hlt();
	cli();
	rt_check(hits == 1, "and the other when TPR is lower", "%u", hits);
}

int main(struct rt_info *info)
{
	apic_enable();
	rt_irq(VEC, unused);
	rt_set_handler(VEC, on_irq);
	check_shadow();
	check_mov_ss();
	check_timer();
	check_periodic();
	check_tpr();
	return rt_result();
}
