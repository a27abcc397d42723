// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"
#include "tests/guests/rt/pc.h"

PAYLOAD(pm, .ref = "ACPI 6, 4.8.2, 4.8.3, 5.2.9", .timeout = "40000",
	.desc = "ACPI fixed hardware: PM timer, PM1 status, enable, control, SMI_CMD, SCI");

/* Status and enable bits that FADT flags take away: PWR_BUTTON, SLP_BUTTON, FIX_RTC. */
#define FLAG_NO_PWRBTN	BIT64(4)
#define FLAG_NO_SLPBTN	BIT64(5)
#define FLAG_NO_RTC	BIT64(6)
#define CNT_BM_RLD	0x0002
#define CNT_GBL_RLS	0x0004
#define CNT_SLP_TYP	0x1c00

static const struct acpi_fadt *f;
static u16 sts, en, cnt;
static volatile u32 scis;

static void check_timer(void)
{
	u32 wide = f->flags & FADT_TMR_VAL_EXT ? 0 : 0xff000000;
	u32 last = inl((u16)f->pm_tmr), now, back = 0, moved = 0, high = last;

	u64 tsc = rdtsc();

	for (unsigned int i = 0; i < 5000; i++) {
		u64 before = tsc;

		now = inl((u16)f->pm_tmr);
		tsc = rdtsc();
		high |= now;
		/* Held up for a second or more, 24 bits do not tell back from forth. */
		back += pm_ticks(last, now) > 0x400000 && tsc - before < 500000000;
		moved += now != last;
		last = now;
	}
	rt_check(!back, "the timer only goes up", "%u times not", back);
	rt_check(moved > 5, "it moves", "%u of 5000 readings", moved);
	rt_check(!(high & wide), "24 bits: the others are 0", "%x", high);
}

/* A frequency that CPUID tells, against this timer; 0: none. */
static u64 tsc_hz(void)
{
	struct cpuid c;

	if (rt.max_basic >= 0x15) {
		c = cpuid(0x15);
		if (c.eax && c.ebx && c.ecx)
			return (u64)c.ecx * c.ebx / c.eax;
	}
	/* The hypervisor's leaf: kHz. */
	if (rt.hv[0] && cpuid(0x40000000).eax >= 0x40000010)
		return cpuid(0x40000010).eax * 1000ull;
	return 0;
}

/* The TSC is read before and after the timer: bounds that a delay only widens. */
static void check_tsc(void)
{
	u64 hz = tsc_hz(), least, most, t[4];
	u32 p[2];

	t[0] = rdtsc();
	p[0] = pm_now();
	t[1] = rdtsc();
	do {
		t[2] = rdtsc();
		p[1] = pm_now();
		t[3] = rdtsc();
	} while (pm_ticks(p[0], p[1]) < PM_HZ / 20);
	least = (t[2] - t[1]) * PM_HZ / (pm_ticks(p[0], p[1]) + 1);
	most = (t[3] - t[0]) * PM_HZ / (pm_ticks(p[0], p[1]) - 1);
	rt_printf("NOTE TSC %u to %u kHz, CPUID says %u\n", (u32)(least / 1000),
		  (u32)(most / 1000), (u32)(hz / 1000));
	rt_check(least > 1000000, "the TSC runs faster than 1 MHz", "%llx", least);
	if (!hz)
		rt_note("CPUID tells no TSC frequency");
	else
		rt_check(least / 100 * 95 <= hz && hz <= most / 100 * 105,
			 "the TSC frequency of CPUID", "%llx, not %llx to %llx", hz, least, most);
}

/* 4.8.3.1.2: enables are read and written. */
static void check_enable(void)
{
	static const struct {
		u16 bit;
		u32 without;
	} bits[] = {
		{ PM1_TMR, 0 }, { PM1_GBL, 0 }, { PM1_PWRBTN, FLAG_NO_PWRBTN },
		{ PM1_SLPBTN, FLAG_NO_SLPBTN }, { PM1_RTC, FLAG_NO_RTC },
	};

	for (unsigned int i = 0; i < ARRAY_LEN(bits); i++) {
		if (f->flags & bits[i].without)
			continue;
		outw(en, bits[i].bit);
		rt_quiet(inw(en) == bits[i].bit, "PM1 enable bit", "%x: %x", bits[i].bit, inw(en));
		outw(en, 0);
		rt_quiet(!inw(en), "PM1 enable bit off", "%x: %x", bits[i].bit, inw(en));
	}
	rt_check(true, "PM1 enable", " ");
}

/* 4.8.2.5: OSPM writes ACPI_ENABLE to SMI_CMD and waits for SCI_EN. */
static void check_smi_cmd(void)
{
	if (!f->smi_cmd) {
		rt_check(inw(cnt) & PM1_SCI_EN, "without SMI_CMD, ACPI is on", "%x", inw(cnt));
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		outb((u16)f->smi_cmd, f->acpi_disable);
		rt_check(RT_WAIT(!(inw(cnt) & PM1_SCI_EN)), "ACPI_DISABLE", "%x", inw(cnt));
		outb((u16)f->smi_cmd, f->acpi_enable);
		rt_check(RT_WAIT(inw(cnt) & PM1_SCI_EN), "ACPI_ENABLE", "%x", inw(cnt));
	}
}

static void check_control(void)
{
	u16 was = inw(cnt);

	for (u16 typ = 0; typ < 8; typ++) {
		outw(cnt, (u16)(PM1_SCI_EN | typ << 10));
		rt_quiet((inw(cnt) & CNT_SLP_TYP) == typ << 10, "SLP_TYP", "%x: %x", typ, inw(cnt));
		rt_quiet(!(inw(cnt) & PM1_SLP_EN), "SLP_EN reads 0", "%x", inw(cnt));
	}
	outw(cnt, PM1_SCI_EN | CNT_BM_RLD);
	rt_check(inw(cnt) & CNT_BM_RLD, "BM_RLD", "%x", inw(cnt));
	outw(cnt, PM1_SCI_EN | CNT_GBL_RLS);
	rt_known(pc_is_qemu(), !(inw(cnt) & CNT_GBL_RLS), "GBL_RLS is write-only",
		 "QEMU 7.2 hw/acpi/core.c acpi_pm1_cnt_write keeps all but SLP_EN");
	outw(cnt, was);
}

/*
 * 4.8.3.1.1: TMR_STS is set when the top bit of the timer changes.  With 24
 * bits that is within 2.4 s; with 32 it is 10 minutes away.
 */
static void wait_change(void)
{
	u32 top = pm_now() & 0x800000;

	while ((pm_now() & 0x800000) == top)
		cpu_pause();
}

static void on_sci(unsigned int vector)
{
	scis++;
	outw(sts, PM1_TMR);
	pic_eoi(f->sci);
}

static void check_status(void)
{
	outw(sts, 0xffff);
	rt_check(!(inw(sts) & (PM1_GBL | PM1_PWRBTN | PM1_SLPBTN | PM1_RTC)),
		 "PM1 status: 1 clears", "%x", inw(sts));
	if (f->flags & FADT_TMR_VAL_EXT) {
		rt_note("a 32-bit timer: its status and the SCI are not seen here");
		return;
	}
	wait_change();
	rt_check(RT_WAIT(inw(sts) & PM1_TMR), "TMR_STS", "%x", inw(sts));
	outw(sts, 0);
	rt_check(inw(sts) & PM1_TMR, "0 does not clear it", "%x", inw(sts));
	/* An event that is pending when it is enabled is an SCI, a level. */
	rt_irq(PIC_VEC(f->sci), on_sci);
	pic_open((u16)(1 << f->sci));
	pc_settle();
	rt_check(!scis, "not enabled: no SCI", "%u", scis);
	outw(en, PM1_TMR);
	pc_settle();
	rt_check(scis == 1 && !(inw(sts) & PM1_TMR), "enabled: SCI, 1 clears it", "%u, %x", scis,
		 inw(sts));
	sti();
	wait_change();
	rt_check(RT_WAIT(scis == 2), "and with the next change", "%u", scis);
	cli();
	outw(en, 0);
}

int main(struct rt_info *info)
{
	f = acpi_find("FACP");
	if (!f || !pm_init())
		return rt_skip("no ACPI");
	sts = (u16)f->pm1a_evt;
	en = (u16)(f->pm1a_evt + f->pm1_evt_len / 2);
	cnt = (u16)f->pm1a_cnt;
	pit_quiet();
	pic_init(ICW4_X86, ICW4_X86);
	pic_virtual_wire();
	if (f->sci < 8)
		outb(ELCR1, (u8)(1 << f->sci));
	else
		outb(ELCR2, (u8)(1 << (f->sci - 8)));
	check_timer();
	check_tsc();
	check_smi_cmd();
	check_enable();
	check_control();
	check_status();
	return rt_result();
}
