// SPDX-License-Identifier: MIT
#include "core/x86/smp.h"

#include "core/lib/string.h"
#include "core/x86/acpi.h"
#include "core/x86/ap_boot.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/msr.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"
#include "core/x86/time.h"
#include "core/x86/trap.h"

/* SDM3 9.4.4.1: INIT, 10 ms, SIPI, 200 us, SIPI. */
#define INIT_DELAY_US		10000
#define SIPI_DELAY_US		200
/* From the second SIPI until a CPU is given up. */
#define ONLINE_TIMEOUT_US	200000

/* percpu.work_busy */
enum { WORK_NONE, WORK_READY, WORK_FILLING };

extern const u8 ap_trampoline_start[], ap_trampoline_end[];

/* What the boot processor uses and each other one takes over. */
static struct {
	u64 pat, xcr0;
	bool has_pat, has_xcr0;
} common;

static u32 stop_owner;		/* CPU number + 1 that stops all others */

void ap_main(struct percpu *p) __noreturn;

static void on_call(struct trap_frame *f)
{
	/* It only ends HLT: smp_idle looks for work. */
}

static bool on_stop_nmi(struct trap_frame *f)
{
	u32 owner = READ_ONCE(stop_owner);

	if (!owner || owner == this_cpu()->id + 1)
		return false;
	for (;;) {
		cli();
		hlt();
	}
}

static void run_work(struct percpu *p)
{
	void (*fn)(void *) = p->work_fn;
	void *arg = p->work_arg;

	sti();
	fn(arg);
	cli();
	p->work_fn = NULL;
	__atomic_store_n(&p->work_busy, WORK_NONE, __ATOMIC_RELEASE);
}

static void __noreturn idle_loop(void)
{
	struct percpu *p = this_cpu();

	for (;;) {
		cli();
		if (__atomic_load_n(&p->work_busy, __ATOMIC_ACQUIRE) == WORK_READY) {
			run_work(p);
			continue;
		}
		/* STI takes effect behind HLT: a call in between still ends it. */
		__asm__ volatile("sti; hlt" ::: "memory");
	}
}

void smp_idle(void)
{
	struct percpu *p = this_cpu();

	cli();
	p->work_fn = NULL;
	__atomic_store_n(&p->work_busy, WORK_NONE, __ATOMIC_RELEASE);
	/* The abandoned work's frames are dead: the stack starts afresh. */
	__asm__ volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1"
			 :: "r"(p->stack_top), "r"(idle_loop) : "memory");
	__builtin_unreachable();
}

void ap_main(struct percpu *p)
{
	percpu_load(p);
	if (common.has_pat)
		wrmsr(MSR_IA32_PAT, common.pat);
	if (common.has_xcr0)
		xsetbv(0, common.xcr0);
	lapic_enable(p->acpi_uid);
	__atomic_store_n(&p->online, 1, __ATOMIC_RELEASE);
	idle_loop();
}

void smp_init_boot_cpu(const struct acpi_info *acpi)
{
	struct percpu *p = this_cpu();

	p->apic_id = lapic_id();
	for (u32 i = 0; i < acpi->madt.n_cpus; i++)
		if (acpi->madt.cpus[i].apic_id == p->apic_id)
			p->acpi_uid = acpi->madt.cpus[i].uid;
	p->online = 1;
	percpu_table[0] = p;
	irq_register(VEC_IPI_CALL, on_call);
	nmi_register(on_stop_nmi);
}

static struct ap_boot *prepare_trampoline(u64 page)
{
	struct ap_boot *b = (struct ap_boot *)(page + AP_BOOT_OFFSET);
	struct cpuid_result r;

	memcpy((void *)page, ap_trampoline_start,
	       (size_t)(ap_trampoline_end - ap_trampoline_start));
	memset(b, 0, sizeof(*b));
	/* LMA is set by the CPU, SVME by who enables SVM there. */
	b->efer = rdmsr(MSR_EFER) & ~(EFER_LMA | EFER_SVME);
	b->cr0 = read_cr0();
	b->cr3 = read_cr3();
	b->cr4 = read_cr4() & ~CR4_VMXE;
	b->claimed = 1;
	r = cpuid(0);
	b->leaf_b = r.eax >= 0xb && cpuid_count(0xb, 0).ebx;
	common.has_pat = cpuid(1).edx & BIT(16);
	if (common.has_pat)
		common.pat = rdmsr(MSR_IA32_PAT);
	common.has_xcr0 = b->cr4 & CR4_OSXSAVE;
	if (common.has_xcr0)
		common.xcr0 = xgetbv(0);
	return b;
}

static struct percpu *new_percpu(const struct x86_env *env, u32 id, const struct acpi_cpu *cpu)
{
	struct percpu *p;

	p = env->alloc_pages((u32)(ALIGN_UP(sizeof(*p), PAGE_SIZE) / PAGE_SIZE));
	if (!p)
		return NULL;
	p->self = p;
	p->id = id;
	p->apic_id = cpu->apic_id;
	p->acpi_uid = cpu->uid;
	p->stack_top = env->alloc_stack(CPU_STACK_SIZE);
	if (!p->stack_top)
		return NULL;
	for (u32 i = 0; i < IST_COUNT; i++) {
		p->ist_top[i] = env->alloc_stack(IST_STACK_SIZE);
		if (!p->ist_top[i])
			return NULL;
	}
	return p;
}

static bool wait_online(const struct percpu *p, u64 us)
{
	u64 start = time_us();

	while (!__atomic_load_n(&p->online, __ATOMIC_ACQUIRE)) {
		if (time_us() - start > us)
			return false;
		cpu_relax();
	}
	return true;
}

static bool start_cpu(struct ap_boot *b, u64 page, const struct percpu *p)
{
	u8 vector = (u8)(page >> 12);

	b->apic_id = p->apic_id;
	b->stack = p->stack_top;
	b->percpu = (u64)p;
	__atomic_store_n(&b->claimed, 0, __ATOMIC_SEQ_CST);
	lapic_send_ipi(p->apic_id, LAPIC_SIPI, vector);
	if (wait_online(p, SIPI_DELAY_US))
		return true;
	lapic_send_ipi(p->apic_id, LAPIC_SIPI, vector);
	if (wait_online(p, ONLINE_TIMEOUT_US))
		return true;
	/*
	 * Closed for a CPU that wakes up later.  When it got in right now, it
	 * is about to come online: then it gets its time.
	 */
	if (!__atomic_exchange_n(&b->claimed, 1, __ATOMIC_SEQ_CST))
		return false;
	return wait_online(p, ONLINE_TIMEOUT_US);
}

static bool wanted(const struct acpi_cpu *cpu)
{
	if (!cpu->enabled || cpu->apic_id == percpu_table[0]->apic_id)
		return false;
	return lapic_is_x2apic() || cpu->apic_id < 255;
}

/* All at once, so that the 10 ms are spent once. */
static void init_all(const struct acpi_madt *madt)
{
	for (u32 i = 0; i < madt->n_cpus; i++)
		if (wanted(&madt->cpus[i]))
			lapic_send_ipi(madt->cpus[i].apic_id, LAPIC_INIT, 0);
	udelay(INIT_DELAY_US);
}

u32 smp_start(const struct acpi_info *acpi, const struct x86_env *env, u32 max,
	      const struct diag *diag)
{
	const struct acpi_madt *madt = &acpi->madt;
	u32 limit = max && max < MAX_CPUS ? max : MAX_CPUS;
	struct percpu *p = NULL;
	struct ap_boot *b;

	if (limit == 1 || madt->n_cpus < 2)
		return cpu_count;
	if (!env->low_page || env->low_page >= 0x100000) {
		diag_printf(diag, "smp: no free page below 1 MiB, other CPUs stay off");
		return cpu_count;
	}
	b = prepare_trampoline(env->low_page);
	init_all(madt);
	for (u32 i = 0; i < madt->n_cpus && cpu_count < limit; i++) {
		if (!wanted(&madt->cpus[i]))
			continue;
		p = new_percpu(env, cpu_count, &madt->cpus[i]);
		if (!p) {
			diag_printf(diag, "smp: out of memory after %u CPUs", cpu_count);
			break;
		}
		percpu_table[cpu_count] = p;
		if (start_cpu(b, env->low_page, p)) {
			cpu_count++;
			continue;
		}
		/* Its record stays allocated: it may still be running there. */
		percpu_table[cpu_count] = NULL;
		diag_printf(diag, "smp: CPU with APIC id %u does not start, left out",
			    p->apic_id);
	}
	return cpu_count;
}

int smp_call(u32 cpu, void (*fn)(void *arg), void *arg)
{
	struct percpu *p;
	u32 none = WORK_NONE;

	if (cpu >= cpu_count)
		return -ENODEV;
	p = percpu_table[cpu];
	if (p == this_cpu()) {
		fn(arg);
		return 0;
	}
	if (!__atomic_compare_exchange_n(&p->work_busy, &none, WORK_FILLING, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return -EBUSY;
	p->work_fn = fn;
	p->work_arg = arg;
	__atomic_store_n(&p->work_busy, WORK_READY, __ATOMIC_SEQ_CST);
	return lapic_send_ipi(p->apic_id, LAPIC_FIXED, VEC_IPI_CALL);
}

int smp_wait(u32 cpu, u64 timeout_us)
{
	u64 start = time_us();

	if (cpu >= cpu_count)
		return -ENODEV;
	while (__atomic_load_n(&percpu_table[cpu]->work_busy, __ATOMIC_ACQUIRE)) {
		if (timeout_us && time_us() - start > timeout_us)
			return -ETIMEDOUT;
		cpu_relax();
	}
	return 0;
}

int smp_call_all(void (*fn)(void *arg), void *arg, u64 timeout_us)
{
	u32 me = this_cpu()->id;
	int first = 0;

	for (u32 i = 0; i < cpu_count; i++) {
		int err = i == me ? 0 : smp_call(i, fn, arg);

		if (err && !first)
			first = err;
	}
	fn(arg);
	for (u32 i = 0; i < cpu_count; i++) {
		int err = i == me ? 0 : smp_wait(i, timeout_us);

		if (err && !first)
			first = err;
	}
	return first;
}

int smp_send_nmi(u32 cpu)
{
	if (cpu >= cpu_count)
		return -ENODEV;
	return lapic_send_ipi(percpu_table[cpu]->apic_id, LAPIC_NMI, 0);
}

void smp_stop_others(void)
{
	u32 me = this_cpu()->id, none = 0;

	/* Two CPUs may panic at once: the first one stops the other. */
	if (!__atomic_compare_exchange_n(&stop_owner, &none, me + 1, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	for (u32 i = 0; i < cpu_count; i++)
		if (i != me)
			smp_send_nmi(i);
}
