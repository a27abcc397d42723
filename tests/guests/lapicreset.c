// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(lapicreset, .ref = "SDM3 11.4.7, table 9-1; APM2 16.3, 14.1.3", .cpus = "2",
	.desc = "what INIT leaves in the APIC and the registers of a CPU");

/* SDM3 11.4.7.1, 11.4.7.3; table 11-1. */
static const struct row {
	const char *name;
	u16 reg;
	u32 value;
} rows[] = {
	{ "TPR", APIC_TPR, 0 },
	{ "APR", APIC_APR, 0 },
	{ "PPR", APIC_PPR, 0 },
	{ "LDR", APIC_LDR, 0 },
	{ "DFR", APIC_DFR, 0xffffffff },
	{ "SVR", APIC_SVR, 0xff },
	{ "ESR", APIC_ESR, 0 },
	{ "ICR 31:0", APIC_ICR, 0 },
	{ "ICR 63:32", APIC_ICR2, 0 },
	{ "LVT timer", APIC_LVT_TIMER, APIC_LVT_MASKED },
	{ "LVT thermal", APIC_LVT_THERMAL, APIC_LVT_MASKED },
	{ "LVT performance", APIC_LVT_PERF, APIC_LVT_MASKED },
	{ "LVT LINT0", APIC_LVT_LINT0, APIC_LVT_MASKED },
	{ "LVT LINT1", APIC_LVT_LINT1, APIC_LVT_MASKED },
	{ "LVT error", APIC_LVT_ERROR, APIC_LVT_MASKED },
	{ "initial count", APIC_TMICT, 0 },
	{ "current count", APIC_TMCCT, 0 },
	{ "divide configuration", APIC_TDCR, 0 },
};

static struct seen {
	u32 value[ARRAY_LEN(rows)], id, version;
	u32 isr, tmr, irr;
	u64 base, tsc;
} seen;

/* On the AP. */
static void look(void *arg)
{
	seen.isr = seen.tmr = seen.irr = 0;
	seen.id = apic_read(APIC_ID);
	seen.version = apic_read(APIC_VERSION);
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++)
		seen.value[i] = apic_has_lvt(rows[i].reg) ? apic_read(rows[i].reg) :
							     rows[i].value;
	for (unsigned int i = 0; i < 8; i++) {
		seen.isr |= apic_read(APIC_ISR + i * 0x10);
		seen.tmr |= apic_read(APIC_TMR + i * 0x10);
		seen.irr |= apic_read(APIC_IRR + i * 0x10);
	}
	seen.base = rdmsr(MSR_APIC_BASE);
	seen.tsc = rdtsc();
}

static volatile bool spoilt;

/* In a handler: one vector in service, two requested, everything else set. */
static void in_service(unsigned int vector)
{
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | 0x45);
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | 0x85);
	apic_write(APIC_LDR, 0x04000000);
	apic_write(APIC_DFR, 0x0fffffff);
	apic_write(APIC_LVT_LINT0, 0x77);
	apic_write(APIC_LVT_LINT1, 0x78);
	apic_write(APIC_LVT_ERROR, 0x79);
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_TMICT, 0xffffffff);
	apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | 0x7a);
	apic_read(0x40);
	apic_write(APIC_TPR, 0x2f);
	spoilt = true;
	for (;;)
		cpu_pause();
}

static void spoil(void *arg)
{
	apic_enable();
	write_dr0(0x1234);
	write_dr7(0x500);
	write_cr2(0x5678);
	write_flags(read_flags() | 0x8d5);
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | 0x66);
	sti_nop();
}

static void check_apic(u64 tsc)
{
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++)
		rt_check(seen.value[i] == rows[i].value, rows[i].name, "%x, not %x",
			 seen.value[i], rows[i].value);
	rt_check(!seen.isr && !seen.irr && !seen.tmr, "ISR, IRR, TMR", "%x %x %x", seen.isr,
		 seen.irr, seen.tmr);
	rt_check(seen.id == rt_cpus[1].apic_id << 24, "the id stays", "%x", seen.id);
	rt_check(seen.version == apic_read(APIC_VERSION), "version", "%x", seen.version);
	rt_check(seen.base == (APIC_PAGE | APIC_BASE_EN), "the base, not a BSP's", "%llx",
		 seen.base);
	rt_check(seen.tsc >= tsc, "the TSC goes on", "%llx after %llx", seen.tsc, tsc);
}

/* SDM3 table 9-1, column INIT. */
static void check_start(const struct rt_ap_start *s, u8 page)
{
	rt_check(s->cs == (u32)page << 8, "CS is the vector << 8", "%x", s->cs);
	rt_check(!(s->ds | s->es | s->fs | s->gs | s->ss), "other selectors", "%x %x %x %x %x",
		 s->ds, s->es, s->fs, s->gs, s->ss);
	rt_check(s->edx == cpuid(1).eax, "EDX is the signature", "%x, not %x", s->edx,
		 cpuid(1).eax);
	rt_check(!(s->eax | s->ebx | s->ecx | s->esi | s->edi | s->ebp | s->esp),
		 "other registers", "%x %x %x %x %x %x %x", s->eax, s->ebx, s->ecx, s->esi,
		 s->edi, s->ebp, s->esp);
	/* CD and NW are as before. */
	rt_check((s->cr0 & ~(u32)(CR0_CD | CR0_NW)) == CR0_ET, "CR0", "%x", s->cr0);
	rt_check(!(s->cr2 | s->cr3 | s->cr4), "CR2, CR3, CR4", "%x %x %x", s->cr2, s->cr3,
		 s->cr4);
	rt_check(s->efer == 0, "EFER", "%x", s->efer);
	rt_check(s->dr6 == 0xffff0ff0 && s->dr7 == 0x400, "DR6, DR7", "%x %x", s->dr6, s->dr7);
	rt_check(s->flags == 2, "EFLAGS", "%x", s->flags);
	rt_check(!s->idt_base && s->idt_limit == 0xffff, "IDT", "%x %x", s->idt_base,
		 s->idt_limit);
}

static bool run_look(void)
{
	rt_smp_call(1, look, NULL);
	return rt_check(rt_smp_wait(1), "the CPU works", " ");
}

int main(struct rt_info *info)
{
	u64 tsc;

	if (!rt_check(rt_smp_start(2) == 2, "a second CPU", " "))
		return rt_result();
	check_start(&rt_cpus[1].start, RT_AP_PAGE);
	if (!run_look())
		return rt_result();
	check_apic(0);
	rt_irq(0x66, in_service);
	rt_smp_call(1, spoil, NULL);
	if (!rt_check(RT_WAIT(spoilt), "it takes an interrupt", " "))
		return rt_result();
	tsc = rdtsc();
	if (!rt_check(rt_smp_restart(1), "INIT and SIPI", " "))
		return rt_result();
	check_start(&rt_cpus[1].start, RT_AP_PAGE);
	if (run_look())
		check_apic(tsc);
	rt_check(rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP, "the boot CPU is the BSP", " ");
	return rt_result();
}
