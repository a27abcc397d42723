// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

#define STACK_SIZE	0x1000

/* ap.S */
extern char rt_ap_code[], rt_ap_code_end[], rt_ap_regs[], rt_ap_lock[];
extern u64 rt_ap_cr0, rt_ap_cr3, rt_ap_cr4, rt_ap_efer;
ulong rt_ap_enter(const char *page);
void rt_ap_loop(void) __attribute__((noreturn));

struct rt_cpu rt_cpus[RT_CPUS_MAX];

/* What the hardware wants one of for each CPU. */
static struct ap {
	u64 gdt[SEL_FREE / 8];
	struct rt_tss tss;
	u8 stack[STACK_SIZE] __attribute__((aligned(16)));
	u8 ist_stack[STACK_SIZE] __attribute__((aligned(16)));
} aps[RT_CPUS_MAX];

static volatile u32 count = 1;

void rt_smp_page(u8 page)
{
	memcpy((void *)((ulong)page << 12), rt_ap_code, (size_t)(rt_ap_code_end - rt_ap_code));
}

static void set_gs(struct rt_cpu *c)
{
	c->self = c;
	wrmsr(MSR_GS_BASE, (ulong)c);
}

static struct rt_cpu *find(u32 apic_id)
{
	struct rt_cpu *c;

	for (c = rt_cpus; c < rt_cpus + count; c++)
		if (c->apic_id == apic_id)
			return c;
	c->apic_id = apic_id;
	c->index = count;
	return c;
}

static void own_tables(struct ap *ap)
{
	u32 base = (u32)(ulong)&ap->tss;
	struct table_ptr gdtr = { sizeof(ap->gdt) - 1, (ulong)ap->gdt };

	memcpy(ap->gdt, rt_gdt, sizeof(ap->gdt));
	ap->gdt[SEL_TSS / 8] = rt_desc(base, sizeof(ap->tss) - 1, 0x89, 0);
	ap->gdt[SEL_TSS / 8 + 1] = 0;
	ap->tss.iomap = sizeof(ap->tss);
	ap->tss.rsp[0] = (ulong)ap->ist_stack + STACK_SIZE;
	ap->tss.ist[0] = (ulong)ap->ist_stack + STACK_SIZE;
	lgdt(&gdtr);
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS) : "memory");
}

/* One CPU at a time is here, on a stack that all share; returns its own. */
ulong rt_ap_enter(const char *page)
{
	struct rt_cpu *c = find(cpuid(1).ebx >> 24);
	struct ap *ap = &aps[c->index];

	memcpy(&c->start, page + (rt_ap_regs - rt_ap_code), sizeof(c->start));
	own_tables(ap);
	set_gs(c);
	return (ulong)ap->stack + STACK_SIZE;
}

void rt_ap_loop(void)
{
	struct rt_cpu *c = rt_this_cpu();

	c->fn = NULL;
	c->starts++;
	if (c->index == count)
		count++;
	/* The next one may start: the lock is in the page it started on. */
	*(volatile u32 *)(((ulong)c->start.cs << 4) + (ulong)(rt_ap_lock - rt_ap_code)) = 0;
	for (;;) {
		while (!c->fn)
			cpu_pause();
		c->fn(c->arg);
		cli();
		c->fn = NULL;
	}
}

static void set_up(void)
{
	rt_ap_cr0 = read_cr0();
	rt_ap_cr3 = read_cr3();
	rt_ap_cr4 = read_cr4();
	rt_ap_efer = rdmsr(MSR_EFER) & (EFER_LME | EFER_NXE | EFER_SCE);
	rt_smp_page(RT_AP_PAGE);
}

unsigned int rt_smp_start(unsigned int n)
{
	apic_enable();
	rt_cpus[0].apic_id = apic_id();
	set_gs(&rt_cpus[0]);
	set_up();
	apic_ipi(0, APIC_TO_OTHERS | APIC_ASSERT | APIC_DM_INIT);
	apic_ipi(0, APIC_TO_OTHERS | APIC_ASSERT | APIC_DM_SIPI | RT_AP_PAGE);
	RT_WAIT(count >= n);
	return count;
}

bool rt_smp_restart(unsigned int index)
{
	struct rt_cpu *c = &rt_cpus[index];
	u32 starts = c->starts;

	set_up();
	apic_ipi(c->apic_id, APIC_ASSERT | APIC_DM_INIT);
	apic_ipi(c->apic_id, APIC_ASSERT | APIC_DM_SIPI | RT_AP_PAGE);
	return RT_WAIT(c->starts != starts);
}

bool rt_smp_restart_late(unsigned int index)
{
	struct rt_cpu *c = &rt_cpus[index];
	u32 starts = c->starts;

	set_up();
	apic_ipi(c->apic_id, APIC_ASSERT | APIC_DM_INIT);
	for (u32 i = 0; i < 1000 && c->starts == starts; i++) {
		apic_ipi(c->apic_id, APIC_ASSERT | APIC_DM_SIPI | RT_AP_PAGE);
		for (u32 k = 0; k < 10000 && c->starts == starts; k++)
			cpu_pause();
	}
	return RT_WAIT(c->starts != starts);
}

void rt_smp_call(unsigned int index, void (*fn)(void *arg), void *arg)
{
	rt_cpus[index].arg = arg;
	rt_cpus[index].fn = fn;
}

bool rt_smp_wait(unsigned int index)
{
	return RT_WAIT(!rt_cpus[index].fn);
}

bool rt_smp_all(unsigned int n, void (*fn)(void *arg), void *arg)
{
	bool ok = true;

	for (unsigned int i = 1; i < n; i++)
		rt_smp_call(i, fn, arg);
	fn(arg);
	for (unsigned int i = 1; i < n; i++)
		ok &= rt_smp_wait(i);
	return ok;
}
