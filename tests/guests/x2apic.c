// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(x2apic, .ref = "SDM3 11.12; APM2 16.9 to 16.14", .cpus = "2",
	.desc = "x2APIC: mode changes, rights and reserved bits of its MSRs, ICR, LDR");

#define VEC		0x61
#define BASE_X2		(APIC_PAGE | APIC_BASE_EN | APIC_BASE_EXTD)

static volatile u32 hits[2], nmis[2];

static u32 x2(unsigned int reg)
{
	return MSR_X2APIC + (reg >> 4);
}

static u64 x2_read(unsigned int reg)
{
	return rdmsr(x2(reg));
}

static void x2_write(unsigned int reg, u64 v)
{
	wrmsr(x2(reg), v);
}

static void on_irq(unsigned int vector)
{
	lock_xadd(&hits[rt_this_cpu()->index], 1);
	x2_write(APIC_EOI, 0);
}

static void on_nmi(unsigned int vector)
{
	lock_xadd(&nmis[rt_this_cpu()->index], 1);
}

/* Accesses that are no #GP, with bits that a write may not have (SDM3 table 11-6). */
static const struct right {
	u16 reg;
	bool r, w;
	u64 reserved;
} rights[] = {
	{ APIC_ID, true, false, 0 },
	{ APIC_VERSION, true, false, 0 },
	{ APIC_TPR, true, true, ~0xffULL },
	{ APIC_PPR, true, false, 0 },
	{ APIC_EOI, false, true, ~0ULL },
	{ APIC_LDR, true, false, 0 },
	{ APIC_SVR, true, true, ~0x13ffULL },
	{ APIC_ESR, true, true, ~0ULL },
	{ APIC_ICR, true, true, 0xfff32000 },
	{ APIC_LVT_TIMER, true, true, ~0x710ffULL },
	{ APIC_LVT_THERMAL, true, true, ~0x117ffULL },
	{ APIC_LVT_PERF, true, true, ~0x117ffULL },
	{ APIC_LVT_LINT0, true, true, ~0x1f7ffULL },
	{ APIC_LVT_LINT1, true, true, ~0x1f7ffULL },
	{ APIC_LVT_ERROR, true, true, ~0x110ffULL },
	{ APIC_TMICT, true, true, ~0xffffffffULL },
	{ APIC_TMCCT, true, false, 0 },
	{ APIC_TDCR, true, true, ~0xbULL },
	{ APIC_SELF_IPI, false, true, ~0xffULL },
};

static struct right right_of(unsigned int reg)
{
	if (reg >= APIC_ISR && reg < APIC_ESR)
		return (struct right){ (u16)reg, true, false, 0 };
	for (unsigned int i = 0; i < ARRAY_LEN(rights); i++)
		if (rights[i].reg == reg)
			return rights[i];
	return (struct right){ (u16)reg, false, false, 0 };
}

/* What may be written to a register without harm. */
static u64 harmless(unsigned int reg)
{
	switch (reg) {
	case APIC_SVR:
		return APIC_SVR_ENABLE | APIC_VEC_SPURIOUS;
	case APIC_ICR:
		return 0x7ffffULL << 32 | VEC;	/* to nobody */
	case APIC_SELF_IPI:
		return VEC;
	case APIC_LVT_TIMER ... APIC_LVT_ERROR:
		return APIC_LVT_MASKED | VEC;
	default:
		return 0;
	}
}

/* 840h and up may be AMD's extended registers; an LVT entry is there or not. */
static bool skip[256];

static void leave_out(void)
{
	skip[APIC_LVT_CMCI >> 4] = apic_has_lvt(APIC_LVT_CMCI);
	skip[APIC_LVT_THERMAL >> 4] = !apic_has_lvt(APIC_LVT_THERMAL);
	skip[APIC_LVT_PERF >> 4] = !apic_has_lvt(APIC_LVT_PERF);
	if (apic_read(APIC_VERSION) >> 31)
		memset(skip + 0x40, true, 0x14);
}

static void check_rights(bool x2_mode)
{
	unsigned int bad = 0;
	u64 v;

	for (unsigned int reg = 0; reg < 0x1000; reg += 0x10) {
		struct right r = right_of(reg);
		bool read, written;

		if (skip[reg >> 4])
			continue;
		read = rt_rdmsr(x2(reg), &v) == VEC_NONE;
		written = rt_wrmsr(x2(reg), harmless(reg)) == VEC_NONE;
		if (read == (r.r && x2_mode) && written == (r.w && x2_mode))
			continue;
		if (bad++ < 8)
			rt_printf("NOTE MSR %x: %s, %s\n", x2(reg), read ? "read" : "not read",
				  written ? "written" : "not written");
	}
	rt_check(!bad, x2_mode ? "rights of 800h to 8FFh" : "800h to 8FFh are #GP in xAPIC mode",
		 "%u wrong", bad);
}

static void check_reserved(void)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < ARRAY_LEN(rights); i++) {
		const struct right *r = &rights[i];

		if (skip[r->reg >> 4])
			continue;
		for (unsigned int bit = 0; bit < 64; bit++) {
			if (!(r->reserved >> bit & 1) ||
			    rt_wrmsr(x2(r->reg), harmless(r->reg) | BIT64(bit)) == VEC_GP)
				continue;
			if (bad++ < 8)
				rt_printf("NOTE MSR %x bit %u is no #GP\n", x2(r->reg), bit);
		}
	}
	rt_check(!bad, "reserved bits are #GP", "%u are not", bad);
}

static void check_base(const char *name, u64 base, int want)
{
	u64 old = rdmsr(MSR_APIC_BASE);

	rt_expect(name, rt_wrmsr(MSR_APIC_BASE, base), want, 0);
	rt_quiet(rdmsr(MSR_APIC_BASE) == (want == VEC_GP ? old : base), name, "%llx",
		 rdmsr(MSR_APIC_BASE));
}

/* SDM3 11.12.5, figure 11-27 */
static void check_changes(void)
{
	u64 bsp = APIC_BASE_BSP, x = APIC_PAGE | APIC_BASE_EN | bsp, off = APIC_PAGE | bsp;

	check_base("x2APIC to xAPIC", x, VEC_GP);
	check_base("x2APIC to EXTD without EN", off | APIC_BASE_EXTD, VEC_GP);
	check_base("x2APIC to x2APIC", BASE_X2 | bsp, VEC_NONE);
	check_base("x2APIC to disabled", off, VEC_NONE);
	check_base("disabled to x2APIC", BASE_X2 | bsp, VEC_GP);
	check_base("disabled to EXTD without EN", off | APIC_BASE_EXTD, VEC_GP);
	check_base("disabled to xAPIC", x, VEC_NONE);
	check_base("xAPIC to EXTD without EN", off | APIC_BASE_EXTD, VEC_GP);
	apic_enable();
	check_base("xAPIC to x2APIC", BASE_X2 | bsp, VEC_NONE);
}

static void check_registers(void)
{
	struct cpuid c = cpuid(0xb);
	u32 id = (u32)x2_read(APIC_ID), ldr = (u32)x2_read(APIC_LDR);

	rt_check(rt.max_basic < 0xb || id == c.edx, "the id is CPUID Bh's", "%x, not %x", id,
		 c.edx);
	/* SDM3 11.12.10.2 */
	rt_check(ldr == ((id >> 4) << 16 | 1u << (id & 15)), "LDR comes from the id", "%x", ldr);
	x2_write(APIC_TPR, 0x5a);
	rt_check(read_cr8() == 5 && x2_read(APIC_PPR) == 0x5a, "TPR, CR8, PPR", "%lx",
		 read_cr8());
	write_cr8(0);
	rt_check(x2_read(APIC_TPR) == 0, "TPR is CR8", "%llx", x2_read(APIC_TPR));
	x2_write(APIC_ICR, 0xabcdef01ULL << 32 | APIC_ASSERT | VEC);
	rt_check(x2_read(APIC_ICR) == (0xabcdef01ULL << 32 | APIC_ASSERT | VEC),
		 "ICR has 64 bits", "%llx", x2_read(APIC_ICR));
	rt_check(apic_read(APIC_VERSION) != x2_read(APIC_VERSION), "the page is gone", "%x",
		 apic_read(APIC_VERSION));
}

static void check_self(void)
{
	cli();
	hits[0] = 0;
	x2_write(APIC_SELF_IPI, VEC);
	rt_check(x2_read(APIC_IRR + (VEC >> 5) * 0x10) == 1u << (VEC & 31), "SELF IPI is in IRR",
		 "%llx", x2_read(APIC_IRR + (VEC >> 5) * 0x10));
	rt_check(!x2_read(APIC_TMR + (VEC >> 5) * 0x10), "an edge", " ");
	sti_nop();
	cli();
	rt_check(RT_WAIT(hits[0] == 1), "SELF IPI", "%u", hits[0]);
	x2_write(APIC_ESR, 0);
	x2_write(APIC_SELF_IPI, 5);
	x2_write(APIC_ESR, 0);
	rt_check((x2_read(APIC_ESR) & ~APIC_ESR_RECV_VECTOR) == APIC_ESR_SEND_VECTOR,
		 "SELF IPI with an illegal vector", "%llx", x2_read(APIC_ESR));
	x2_write(APIC_ESR, 0);
}

static volatile bool stop, in_x2;

/* On the AP. */
static void serve(void *arg)
{
	apic_enable();
	wrmsr(MSR_APIC_BASE, BASE_X2);
	in_x2 = true;
	sti();
	while (!stop)
		cpu_pause();
	cli();
}

static void send(const char *name, u64 icr, u32 want0, u32 want1)
{
	hits[0] = hits[1] = 0;
	x2_write(APIC_ICR, icr | APIC_ASSERT | VEC);
	sti_nop();
	rt_check(RT_WAIT(hits[0] == want0 && hits[1] == want1), name, "%u %u", hits[0], hits[1]);
	cli();
}

static void check_ipis(void)
{
	u64 id0 = x2_read(APIC_ID), id1 = rt_cpus[1].apic_id;
	u64 ldr0 = 1u << (id0 & 15), ldr1 = 1u << (id1 & 15);

	rt_irq(VEC_NMI, on_nmi);
	rt_smp_call(1, serve, NULL);
	if (!rt_check(RT_WAIT(in_x2), "the other CPU is in x2APIC mode", " "))
		return;
	send("physical", id1 << 32, 0, 1);
	send("physical, itself", id0 << 32, 1, 0);
	send("logical", ldr1 << 32 | APIC_LOGICAL, 0, 1);
	send("logical, both", (ldr0 | ldr1) << 32 | APIC_LOGICAL, 1, 1);
	send("all but itself", APIC_TO_OTHERS, 0, 1);
	send("all", APIC_TO_ALL, 1, 1);
	send("itself", APIC_TO_SELF, 1, 0);
	send("broadcast", 0xffffffffULL << 32, 1, 1);
	/* FFh is an id like others in this mode. */
	send("id FFh is nobody's", 0xffULL << 32, 0, 0);
	send("after it", id1 << 32, 0, 1);
	x2_write(APIC_ICR, id1 << 32 | APIC_ASSERT | APIC_DM_NMI);
	rt_check(RT_WAIT(nmis[1] == 1), "NMI", "%u", nmis[1]);
	stop = true;
	rt_check(rt_smp_wait(1), "the other CPU ends", " ");
}

int main(struct rt_info *info)
{
	if (!rt_has(1, 0, ECX, 21))
		return rt_skip("no x2APIC");
	if (!rt_check(rt_smp_start(2) == 2, "a second CPU", " "))
		return rt_result();
	leave_out();
	rt_irq(VEC, on_irq);
	check_rights(false);
	check_base("xAPIC to x2APIC", BASE_X2 | APIC_BASE_BSP, VEC_NONE);
	check_rights(true);
	sti_nop();
	cli();
	check_reserved();
	check_registers();
	check_self();
	check_changes();
	check_ipis();
	return rt_result();
}
