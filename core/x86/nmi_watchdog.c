// SPDX-License-Identifier: MIT
#include "core/x86/nmi_watchdog.h"

#include "core/x86/acpi.h"
#include "core/x86/hpet_hw.h"
#include "core/x86/insn.h"
#include "core/x86/ioapic_hw.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/time.h"
#include "core/x86/trap.h"

#define PIT_CH0		0x40
#define PIT_CTRL	0x43
#define PIT_CH0_MODE0	0x30
#define PIT_CH0_MODE2	0x34
#define PIT_HZ		1193182
#define PIT_MAX_COUNT	0xffff

#define MAX_DEST	254		/* what an I/O APIC can address */
#define TEST_US		1000
#define TEST_WAIT_US	20000
#define MAX_TRIES	12

enum watchdog_timer { WD_NONE, WD_HPET, WD_PIT };

static struct {
	enum watchdog_timer timer;
	const char *reason;
	struct hpet hpet;
	u32 comparator, pin;
	bool active_low, level;		/* of the pin */
	u32 boot_apic_id;
	/* Written while the timer is stopped, read in NMI handlers. */
	volatile bool armed;
	u32 target;			/* APIC id */
	u64 deadline;			/* TSC */
	u64 beat_us;			/* an NMI so often until then; 0: none */
	volatile u32 test_nmis;
	volatile bool testing;
} wd;

static void timer_start(u64 us)
{
	u64 count;

	if (wd.beat_us)
		us = MIN(us, wd.beat_us);
	if (wd.timer == WD_HPET) {
		/* Late rather than early: the two clocks never agree quite. */
		hpet_oneshot(&wd.hpet, wd.comparator, wd.pin, us + us / 512 + 20);
		return;
	}
	/*
	 * Rate generator: an NMI each 55 ms (or once a shorter time) until the
	 * deadline.  A lost edge costs one period, not the watchdog.
	 */
	count = MIN(us, 60000ULL) * PIT_HZ / 1000000;
	count = MIN(MAX(count, 100ULL), (u64)PIT_MAX_COUNT);
	outb(PIT_CTRL, PIT_CH0_MODE2);
	outb(PIT_CH0, (u8)count);
	outb(PIT_CH0, (u8)(count >> 8));
}

static void timer_stop(void)
{
	if (wd.timer == WD_HPET)
		hpet_oneshot_stop(&wd.hpet, wd.comparator);
	else
		outb(PIT_CTRL, PIT_CH0_MODE0);	/* waits for a count */
	ioapic_mask(wd.pin);
}

/* Claims the NMIs that nmi_watchdog_expired refuses though they are ours. */
static bool on_own_nmi(struct trap_frame *f)
{
	if (wd.testing) {
		wd.test_nmis++;
		return true;
	}
	return wd.armed && (wd.timer == WD_PIT || wd.beat_us);
}

/* One shot that must arrive as an NMI on this CPU. */
static bool try_timer(void)
{
	u64 start;

	wd.test_nmis = 0;
	wd.testing = true;
	if (ioapic_route_nmi(wd.pin, wd.boot_apic_id, wd.active_low, wd.level)) {
		wd.testing = false;
		return false;
	}
	start = time_us();
	timer_start(TEST_US);
	while (!wd.test_nmis && time_us() - start < TEST_WAIT_US)
		cpu_relax();
	timer_stop();
	/* A straggler still belongs to the test. */
	udelay(TEST_US);
	wd.testing = false;
	return wd.test_nmis > 0;
}

/*
 * Pins from 16 up first: the lower ones are those of ISA devices, pin 2 that
 * of the PIT (which is stopped here in any case).
 */
static bool choose_hpet(u64 hpet_va)
{
	u32 tries = 0;

	if (!hpet_va || hpet_init(&wd.hpet, hpet_va))
		return false;
	wd.timer = WD_HPET;
	wd.active_low = wd.level = false;
	for (u32 i = 0; i < 32 * 2 && tries < MAX_TRIES; i++) {
		u32 pin = (i / 2 + 16) % 32;
		u32 c = i % 2;

		if (c >= wd.hpet.comparators || !ioapic_pin_is_free(pin) ||
		    !(hpet_route_caps(&wd.hpet, c) & BIT(pin)))
			continue;
		tries++;
		wd.comparator = c;
		wd.pin = pin;
		if (try_timer())
			return true;
	}
	return false;
}

static bool choose_pit(const struct acpi_info *acpi)
{
	wd.timer = WD_PIT;
	wd.pin = 0;
	wd.active_low = wd.level = false;
	/* ACPI 5.2.12.5: ISA IRQ 0 is often wired to input 2. */
	for (u32 i = 0; i < acpi->madt.n_isos; i++) {
		const struct acpi_iso *iso = &acpi->madt.isos[i];

		if (iso->irq != 0)
			continue;
		wd.pin = iso->gsi;
		wd.active_low = (iso->flags & ACPI_INTI_POLARITY) == ACPI_INTI_ACTIVE_LOW;
		wd.level = (iso->flags & ACPI_INTI_TRIGGER) == ACPI_INTI_LEVEL;
	}
	return ioapic_pin_is_free(wd.pin) && try_timer();
}

void nmi_watchdog_init(const struct acpi_info *acpi, u64 hpet_va, const struct diag *diag)
{
	nmi_register(on_own_nmi);
	wd.boot_apic_id = lapic_id();
	/* Firmware left channel 0 ticking: on a shared pin it would be an NMI. */
	outb(PIT_CTRL, PIT_CH0_MODE0);
	if (wd.boot_apic_id > MAX_DEST) {
		wd.reason = "the boot CPU's APIC id is too large for an I/O APIC";
	} else if (choose_hpet(hpet_va)) {
		wd.reason = "hpet";
		return;
	} else if (choose_pit(acpi)) {
		wd.reason = "pit";
		return;
	} else {
		wd.reason = "neither HPET nor PIT delivers an NMI through an I/O APIC";
	}
	wd.timer = WD_NONE;
	diag_printf(diag, "no NMI watchdog: %s", wd.reason);
}

bool nmi_watchdog_available(const char **reason)
{
	*reason = wd.reason ? wd.reason : "not set up";
	return wd.timer != WD_NONE;
}

void nmi_watchdog_arm(u32 apic_id, u64 us)
{
	if (wd.timer == WD_NONE)
		return;
	nmi_watchdog_disarm();
	wd.target = apic_id;
	wd.deadline = rdtsc() + us_to_tsc(us);
	wd.armed = true;
	/* A CPU beyond the I/O APIC's reach is reached by way of the boot CPU. */
	if (ioapic_route_nmi(wd.pin, apic_id <= MAX_DEST ? apic_id : wd.boot_apic_id,
			     wd.active_low, wd.level)) {
		wd.armed = false;
		return;
	}
	timer_start(us);
}

void nmi_watchdog_beat(u64 us)
{
	wd.beat_us = us;
}

void nmi_watchdog_disarm(void)
{
	if (wd.timer == WD_NONE)
		return;
	wd.armed = false;
	timer_stop();
}

bool nmi_watchdog_expired(void)
{
	u64 now = rdtsc();

	if (!wd.armed)
		return false;
	if (now < wd.deadline) {
		/* The HPET counts at most some 20 s ahead; the PIT runs on. */
		if (wd.timer == WD_HPET && lapic_id() == wd.target)
			timer_start(tsc_to_us(wd.deadline - now) + 1);
		return false;
	}
	if (lapic_id() != wd.target) {
		lapic_send_ipi(wd.target, LAPIC_NMI, 0);
		return false;
	}
	nmi_watchdog_disarm();
	return true;
}
