// SPDX-License-Identifier: MIT
/* Register names and bits: SDM3 11.4 to 11.12, APM2 16.3. */
#include "core/x86/lapic_hw.h"

#include "core/lib/muldiv.h"
#include "core/x86/acpi.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/time.h"
#include "core/x86/trap.h"

enum {
	APIC_ID = 0x20, APIC_VERSION = 0x30, APIC_TPR = 0x80, APIC_EOI = 0xb0,
	APIC_LDR = 0xd0, APIC_DFR = 0xe0, APIC_SVR = 0xf0, APIC_ISR = 0x100,
	APIC_IRR = 0x200, APIC_ESR = 0x280, APIC_ICR = 0x300, APIC_ICR2 = 0x310,
	APIC_LVT_TIMER = 0x320, APIC_LVT_PERF = 0x340, APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360, APIC_LVT_ERROR = 0x370, APIC_TMICT = 0x380,
	APIC_TMCCT = 0x390, APIC_DCR = 0x3e0,
};

#define SVR_ENABLE		BIT(8)
#define LVT_MASKED		0x10000u
#define LVT_ACTIVE_LOW		0x2000u
#define LVT_TSC_DEADLINE	0x40000u
#define ICR_PENDING		0x1000u
#define ICR_ASSERT		0x4000u
#define ICR_ALL_BUT_SELF	0xc0000u
#define DCR_DIV1		0xb
#define DCR_DIV128		0xa

/* xAPIC ids go up to 254; 255 means all. */
#define XAPIC_MAX_ID		254
#define ICR_WAIT_READS		100000
#define CALIBRATE_US		10000

static struct {
	bool present, x2apic, tsc_deadline;
	u64 va;			/* xAPIC registers */
	u64 timer_khz;		/* input clock of the timer */
	const struct acpi_madt *madt;
} apic;

static u32 reg_read(u32 reg)
{
	if (apic.x2apic)
		return (u32)rdmsr(MSR_IA32_X2APIC_FIRST + (reg >> 4));
	return mmio_read32(apic.va + reg);
}

static void reg_write(u32 reg, u32 v)
{
	if (apic.x2apic)
		wrmsr(MSR_IA32_X2APIC_FIRST + (reg >> 4), v);
	else
		mmio_write32(apic.va + reg, v);
}

static bool ids_need_x2apic(const struct acpi_madt *madt)
{
	for (u32 i = 0; i < madt->n_cpus; i++)
		if (madt->cpus[i].enabled && madt->cpus[i].apic_id > XAPIC_MAX_ID)
			return true;
	return false;
}

/* SDM3 11.12.5: x2APIC is entered from xAPIC, in two steps. */
static void enter_mode(void)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE);

	if (!(base & APIC_BASE_EN))
		wrmsr(MSR_IA32_APIC_BASE, base |= APIC_BASE_EN);
	if (apic.x2apic && !(base & APIC_BASE_EXTD))
		wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_EXTD);
}

int lapic_setup(const struct acpi_info *acpi, const struct x86_env *env, const struct diag *diag)
{
	struct cpuid_result id = cpuid(1);
	u64 base;

	if (!(id.edx & BIT(9))) {
		diag_printf(diag, "lapic: this CPU has none");
		return -ENODEV;
	}
	apic.madt = &acpi->madt;
	base = rdmsr(MSR_IA32_APIC_BASE);
	apic.x2apic = base & APIC_BASE_EXTD;
	if (!apic.x2apic && ids_need_x2apic(apic.madt)) {
		if (id.ecx & BIT(21))
			apic.x2apic = true;
		else
			diag_printf(diag, "lapic: ids above 254, but this CPU has no x2APIC");
	}
	if (!apic.x2apic) {
		apic.va = env->map_mmio(base & BITS(51, 12), PAGE_SIZE);
		if (!apic.va)
			return -ENOMEM;
	}
	apic.present = true;
	enter_mode();
	return 0;
}

/* ACPI 5.2.12.7: which LINT pins of this CPU carry NMI. */
static void setup_lint(u32 acpi_uid)
{
	reg_write(APIC_LVT_LINT0, LVT_MASKED);
	reg_write(APIC_LVT_LINT1, LVT_MASKED);
	for (u32 i = 0; i < apic.madt->n_lapic_nmis; i++) {
		const struct acpi_lapic_nmi *n = &apic.madt->lapic_nmis[i];
		u32 v = LAPIC_NMI << 8;

		if (n->uid != ACPI_UID_ALL && n->uid != acpi_uid)
			continue;
		if ((n->flags & ACPI_INTI_POLARITY) == ACPI_INTI_ACTIVE_LOW)
			v |= LVT_ACTIVE_LOW;
		reg_write(n->lint ? APIC_LVT_LINT1 : APIC_LVT_LINT0, v);
	}
}

void lapic_enable(u32 acpi_uid)
{
	u32 max_lvt;

	if (!apic.present)
		return;
	enter_mode();
	/*
	 * Enabled first: LVT mask bits cannot be cleared before (SDM3
	 * 11.4.7.2).  The thermal LVT stays: firmware may want its SMI.
	 */
	reg_write(APIC_SVR, SVR_ENABLE | VEC_SPURIOUS);
	max_lvt = reg_read(APIC_VERSION) >> 16 & 0xff;
	reg_write(APIC_LVT_TIMER, LVT_MASKED);
	reg_write(APIC_LVT_ERROR, LVT_MASKED);
	if (max_lvt >= 4)
		reg_write(APIC_LVT_PERF, LVT_MASKED);
	setup_lint(acpi_uid);
	reg_write(APIC_TPR, 0);
	/* What firmware left in service would block its priority for ever. */
	for (u32 i = 0; i < 8; i++)
		for (u32 n = 0; n < 32 && reg_read(APIC_ISR + i * 0x10); n++)
			reg_write(APIC_EOI, 0);
	lapic_esr();
}

bool lapic_is_x2apic(void)
{
	return apic.x2apic;
}

u32 lapic_id(void)
{
	u32 v;

	if (!apic.present)
		return cpuid(1).ebx >> 24;
	v = reg_read(APIC_ID);
	return apic.x2apic ? v : v >> 24;
}

void lapic_eoi(void)
{
	if (apic.present)
		reg_write(APIC_EOI, 0);
}

u32 lapic_esr(void)
{
	if (!apic.present)
		return 0;
	reg_write(APIC_ESR, 0);
	return reg_read(APIC_ESR);
}

static int wait_icr(void)
{
	for (u32 i = 0; i < ICR_WAIT_READS; i++) {
		if (!(reg_read(APIC_ICR) & ICR_PENDING))
			return 0;
		cpu_relax();
	}
	return -ETIMEDOUT;
}

static int send_icr(u32 dest, u32 low)
{
	u64 flags;
	int err;

	if (!apic.present)
		return -ENODEV;
	if (apic.x2apic) {
		/* SDM3 11.12.3: this WRMSR does not wait for earlier stores. */
		__asm__ volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_IA32_X2APIC_ICR, (u64)dest << 32 | low);
		return 0;
	}
	if (dest > 0xff)
		return -ERANGE;
	/* An interrupt between the two writes could send to the wrong CPU. */
	flags = irq_save();
	err = wait_icr();
	if (!err) {
		reg_write(APIC_ICR2, dest << 24);
		reg_write(APIC_ICR, low);
		err = wait_icr();
	}
	irq_restore(flags);
	return err;
}

int lapic_send_ipi(u32 apic_id, enum lapic_delivery mode, u8 vector)
{
	return send_icr(apic_id, (u32)mode << 8 | ICR_ASSERT | vector);
}

int lapic_send_all_but_self(enum lapic_delivery mode, u8 vector)
{
	return send_icr(0, (u32)mode << 8 | ICR_ASSERT | ICR_ALL_BUT_SELF | vector);
}

int lapic_timer_calibrate(bool tsc_deadline)
{
	u64 tsc0, tsc;
	u32 ticks;

	if (!apic.present || !tsc_khz())
		return -EIO;
	reg_write(APIC_LVT_TIMER, LVT_MASKED);
	reg_write(APIC_DCR, DCR_DIV1);
	tsc0 = rdtsc_ordered();
	reg_write(APIC_TMICT, ~0u);
	udelay(CALIBRATE_US);
	ticks = ~0u - reg_read(APIC_TMCCT);
	tsc = rdtsc_ordered() - tsc0;
	reg_write(APIC_TMICT, 0);
	apic.timer_khz = ticks ? (u64)ticks * 1000 / MAX(tsc_to_us(tsc), 1ULL) : 0;
	apic.tsc_deadline = tsc_deadline;
	return apic.timer_khz || tsc_deadline ? 0 : -EIO;
}

u64 lapic_timer_khz(void)
{
	return apic.timer_khz;
}

static void set_deadline(u64 tsc)
{
	reg_write(APIC_LVT_TIMER, LVT_TSC_DEADLINE | VEC_TIMER);
	/* SDM3 11.5.4.1: the LVT write must be done before the MSR's. */
	__asm__ volatile("mfence" ::: "memory");
	wrmsr(MSR_IA32_TSC_DEADLINE, tsc);
}

static void set_count(u64 ticks)
{
	reg_write(APIC_LVT_TIMER, VEC_TIMER);
	reg_write(APIC_DCR, ticks >> 32 ? DCR_DIV128 : DCR_DIV1);
	if (ticks >> 32)
		ticks = MIN(ticks / 128, (u64)~0u);
	reg_write(APIC_TMICT, (u32)MAX(ticks, 1ULL));
}

void lapic_timer_oneshot(u64 us)
{
	if (apic.tsc_deadline)
		set_deadline(rdtsc() + us_to_tsc(us));
	else
		set_count(MIN(us, 3600000000ULL) * apic.timer_khz / 1000);
}

void lapic_timer_at(u64 tsc)
{
	u64 now = rdtsc();

	if (apic.tsc_deadline)
		set_deadline(MAX(tsc, 1ULL));	/* 0 disarms */
	else
		set_count(tsc <= now ? 1 : mul_div_u64(tsc - now, apic.timer_khz, tsc_khz()) + 1);
}

void lapic_timer_stop(void)
{
	if (!apic.present)
		return;
	/* In deadline mode masking alone keeps the time armed. */
	if (apic.tsc_deadline)
		wrmsr(MSR_IA32_TSC_DEADLINE, 0);
	else
		reg_write(APIC_TMICT, 0);
	reg_write(APIC_LVT_TIMER, LVT_MASKED);
}

u32 lapic_pending(u8 vector)
{
	u32 reg = (u32)(vector / 32) * 0x10;

	return apic.present ? reg_read(APIC_IRR + reg) | reg_read(APIC_ISR + reg) : 0;
}
