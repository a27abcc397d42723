// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"
#include "tests/guests/rt/ioapic.h"
#include "tests/guests/rt/smp.h"

PAYLOAD(gsi, .ref = "ACPI 6, 5.2.12; 82093AA data sheet 290566, 3.2.4", .cpus = "2",
	.desc = "I/O APIC: IRQ 0 and 8 on the MADT's pins; destinations on two CPUs");

#define VEC		0x61
#define TICKS		20
#define ROUNDS		20
#define PIN		10

static volatile u32 hits[2];
static volatile bool from_rtc, stop;

static void on_irq(unsigned int vector)
{
	/* Register C has to be read, or no further interrupt comes. */
	if (from_rtc)
		rtc_read(RTC_C);
	lock_xadd(&hits[rt_this_cpu()->index], 1);
	apic_eoi();
}

/* MADT, interrupt source override: type 2, length 10, bus, source, GSI, flags. */
static unsigned int pin_of(u8 irq)
{
	const struct acpi_table *madt = acpi_find("APIC");
	const u8 *p = (const u8 *)madt + 44, *end = (const u8 *)madt + madt->len;

	for (; p + 2 <= end && p[1]; p += p[1])
		if (p[0] == 2 && p[3] == irq)
			return p[4];
	return irq;
}

static void sleep_until(u32 want)
{
	for (unsigned int i = 0; i < 100 * want && hits[0] < want; i++) {
		sti_hlt();
		cli();
	}
}

static void check_pit(void)
{
	unsigned int pin = pin_of(0);

	rt_printf("IRQ 0 is pin %u, IRQ 8 pin %u\n", pin, pin_of(8));
	outb(PIT_CONTROL, PIT_MODE(0, 2));
	pit_load(0, PIT_HZ / 1000);
	ioapic_set_entry(pin, RTE_DEST(rt_cpus[0].apic_id) | VEC);
	sleep_until(TICKS);
	rt_check(hits[0] >= TICKS, "IRQ 0 on its pin", "%u", hits[0]);
	ioapic_set_entry(pin, RTE_MASKED);
	pc_settle();
	hits[0] = 0;
	for (unsigned int other = 0; other < 3; other++)
		if (other != pin)
			ioapic_set_entry(other, RTE_DEST(rt_cpus[0].apic_id) | VEC);
	/* For some periods, which the 8259 sees (LINT0 is masked). */
	pic_open(1);
	for (unsigned int seen = 0; seen < 5; pc_settle()) {
		outb(PIC1, OCW3_POLL);
		if (inb(PIC1) & 0x80) {
			seen++;
			outb(PIC1, OCW2_EOI);
		}
	}
	pic_open(0);
	rt_check(!hits[0], "and on no other one", "%u", hits[0]);
	for (unsigned int other = 0; other < 3; other++)
		ioapic_set_entry(other, RTE_MASKED);
	pit_quiet();
}

static void check_rtc(void)
{
	unsigned int pin = pin_of(8);

	hits[0] = 0;
	from_rtc = true;
	rtc_read(RTC_C);
	rtc_write(RTC_A, 0x26);		/* 1024 Hz */
	rtc_write(RTC_B, 0x42);		/* PIE */
	ioapic_set_entry(pin, RTE_DEST(rt_cpus[0].apic_id) | VEC);
	/* The line may be high already, which is no edge. */
	rtc_read(RTC_C);
	sleep_until(TICKS);
	rtc_write(RTC_B, 0x02);
	rtc_read(RTC_C);
	rt_check(hits[0] >= TICKS, "IRQ 8 on its pin", "%u", hits[0]);
	ioapic_set_entry(pin, RTE_MASKED);
	pc_settle();
	from_rtc = false;
}

/* CPU 1: takes interrupts until told. */
static void take(void *arg)
{
	apic_enable();
	apic_write(APIC_DFR, ~0u);
	apic_write(APIC_LDR, 0x02000000);
	sti();
	while (!stop)
		cpu_pause();
	cli();
}

static const struct {
	const char *name;
	bool physical;		/* to CPU dest, else to the logical set dest */
	u8 dest;
	u16 mode;
	u8 first, second;	/* interrupts of each CPU, for one edge */
} targets[] = {
	{ "to CPU 0", true, 0, APIC_DM_FIXED, 1, 0 },
	{ "to CPU 1", true, 1, APIC_DM_FIXED, 0, 1 },
	{ "to logical 1", false, 1, APIC_DM_FIXED, 1, 0 },
	{ "to logical 2", false, 2, APIC_DM_FIXED, 0, 1 },
	{ "to both", false, 3, APIC_DM_FIXED, 1, 1 },
	{ "to a set with both", false, 0xff, APIC_DM_FIXED, 1, 1 },
	{ "to none of them", false, 0xfc, APIC_DM_FIXED, 0, 0 },
};

static void edge(void)
{
	pc_line(PIN, false);
	pc_line(PIN, true);
	pc_settle();
}

static void check_target(unsigned int i)
{
	u32 first = targets[i].first, second = targets[i].second;
	u64 dest = targets[i].physical ? RTE_DEST(rt_cpus[targets[i].dest].apic_id) :
		   RTE_LOGICAL | RTE_DEST(targets[i].dest);

	ioapic_set_entry(PIN, dest | targets[i].mode | VEC);
	hits[0] = hits[1] = 0;
	for (u32 n = 1; n <= ROUNDS; n++) {
		edge();
		if (!RT_WAIT(hits[0] >= n * first && hits[1] >= n * second))
			break;
	}
	rt_check(hits[0] == ROUNDS * first && hits[1] == ROUNDS * second, targets[i].name,
		 "%u, %u of %u", hits[0], hits[1], ROUNDS);
}

/* One of the two takes it, whichever. */
static void check_lowest(void)
{
	ioapic_set_entry(PIN, RTE_LOGICAL | RTE_DEST(3) | APIC_DM_LOWEST | VEC);
	hits[0] = hits[1] = 0;
	for (u32 n = 1; n <= ROUNDS; n++) {
		edge();
		if (!RT_WAIT(hits[0] + hits[1] >= n))
			break;
	}
	pc_settle();
	rt_check(hits[0] + hits[1] == ROUNDS, "lowest priority: one of both", "%u, %u of %u",
		 hits[0], hits[1], ROUNDS);
}

int main(struct rt_info *info)
{
	if (!acpi_find("APIC"))
		return rt_skip("no MADT");
	pit_quiet();
	pic_init(ICW4_X86, ICW4_X86);
	pc_line(PIN, true);
	if (!(pic_irr(PIC2) & 4))
		return rt_skip("no port that drives interrupt lines");
	if (rt_smp_start(2) != 2)
		return rt_skip("one CPU");
	rt_irq(VEC, on_irq);
	apic_write(APIC_DFR, ~0u);
	apic_write(APIC_LDR, 0x01000000);
	check_pit();
	check_rtc();
	rt_smp_call(1, take, NULL);
	/* Once it answers to its logical id, it is ready. */
	ioapic_set_entry(PIN, RTE_LOGICAL | RTE_DEST(2) | VEC);
	for (unsigned int i = 0; i < 100000 && !hits[1]; i++)
		edge();
	for (unsigned int i = 0; i < ARRAY_LEN(targets); i++)
		check_target(i);
	check_lowest();
	ioapic_set_entry(PIN, RTE_MASKED);
	stop = true;
	rt_check(rt_smp_wait(1), "CPU 1 comes back", " ");
	return rt_result();
}
