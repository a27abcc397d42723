// SPDX-License-Identifier: MIT
#include "core/x86/power.h"

#include "core/lib/string.h"
#include "core/x86/acpi.h"
#include "core/x86/caps.h"
#include "core/x86/insn.h"
#include "core/x86/time.h"

/* ACPI 4.8.3.2.1: PM1 control register. */
#define PM1_SCI_EN	BIT(0)
#define PM1_SLP_TYP(t)	((u16)((t) & 7) << 10)
#define PM1_SLP_TYP_MASK	(7u << 10)
#define PM1_SLP_EN	BIT(13)
/* ACPI 4.8.3.7: sleep control register of hardware-reduced machines. */
#define SLEEP_CTRL(t)	((u8)(((t) & 7) << 2 | 1 << 5))

#define KBC_CMD		0x64
#define KBC_INPUT_FULL	0x02
#define KBC_PULSE_RESET	0xfe
#define RESET_CTRL	0xcf9

#define SETTLE_US	100000

static struct {
	const struct acpi_fadt *fadt;
	bool emulator;			/* QEMU or Bochs: its ports may be tried */
	u64 reset_va, sleep_va, pm1_va[2];	/* registers in memory */
} pw;

static u64 map_reg(const struct x86_env *env, const struct acpi_gas *g)
{
	if (g->space != ACPI_SPACE_MEMORY || !g->address)
		return 0;
	return env->map_mmio(g->address, 4);
}

/* RSDP OEM id "BOCHS " is that of Bochs' BIOS, SeaBIOS and QEMU's tables. */
static bool is_emulator(const struct acpi_info *acpi, const struct cpu_caps *caps)
{
	return !strncmp(acpi->oem_id, "BOCHS", 5) || !strcmp(caps->hypervisor_id, "TCGTCGTCGTCG");
}

void power_init(const struct acpi_info *acpi, const struct cpu_caps *caps,
		const struct x86_env *env)
{
	pw.fadt = &acpi->fadt;
	pw.emulator = is_emulator(acpi, caps);
	pw.reset_va = map_reg(env, &acpi->fadt.reset_reg);
	pw.sleep_va = map_reg(env, &acpi->fadt.sleep_control);
	pw.pm1_va[0] = map_reg(env, &acpi->fadt.pm1a_cnt);
	pw.pm1_va[1] = map_reg(env, &acpi->fadt.pm1b_cnt);
}

static u16 pm1_read(const struct acpi_gas *g, u64 va)
{
	return va ? mmio_read16(va) : inw((u16)g->address);
}

static void pm1_write(const struct acpi_gas *g, u64 va, u16 v)
{
	if (va)
		mmio_write16(va, v);
	else if (g->address && g->space == ACPI_SPACE_IO)
		outw((u16)g->address, v);
}

/* ACPI 4.8.2.3: sleep control works in ACPI mode only. */
static void enter_acpi_mode(const struct acpi_fadt *f)
{
	if (!f->smi_cmd || !f->acpi_enable || pm1_read(&f->pm1a_cnt, pw.pm1_va[0]) & PM1_SCI_EN)
		return;
	outb((u16)f->smi_cmd, f->acpi_enable);
	for (u32 i = 0; i < 300; i++) {
		if (pm1_read(&f->pm1a_cnt, pw.pm1_va[0]) & PM1_SCI_EN)
			return;
		udelay(1000);
	}
}

static u16 pm1_sleep(const struct acpi_gas *g, u64 va, u8 typ)
{
	u16 v = pm1_read(g, va) & (u16)~(PM1_SLP_TYP_MASK | PM1_SLP_EN);

	return v | PM1_SLP_TYP(typ);
}

/* ACPI 7.4.2: SLP_TYP in both halves first, then SLP_EN. */
static void acpi_s5(const struct acpi_fadt *f)
{
	u16 a, b = 0;

	if (!f->s5_valid)
		return;
	if (f->hw_reduced) {
		if (pw.sleep_va)
			mmio_write8(pw.sleep_va, SLEEP_CTRL(f->s5_typ_a));
		else if (f->sleep_control.address && f->sleep_control.space == ACPI_SPACE_IO)
			outb((u16)f->sleep_control.address, SLEEP_CTRL(f->s5_typ_a));
		udelay(SETTLE_US);
		return;
	}
	if (!f->pm1a_cnt.address)
		return;
	enter_acpi_mode(f);
	a = pm1_sleep(&f->pm1a_cnt, pw.pm1_va[0], f->s5_typ_a);
	if (f->pm1b_cnt.address)
		b = pm1_sleep(&f->pm1b_cnt, pw.pm1_va[1], f->s5_typ_b);
	wbinvd();
	pm1_write(&f->pm1a_cnt, pw.pm1_va[0], a | PM1_SLP_EN);
	if (f->pm1b_cnt.address)
		pm1_write(&f->pm1b_cnt, pw.pm1_va[1], b | PM1_SLP_EN);
	udelay(SETTLE_US);
}

static void emulator_off(void)
{
	static const char bochs[] = "Shutdown";

	for (const char *p = bochs; *p; p++)
		outb(0x8900, (u8)*p);
	outw(0x604, 0x2000);	/* QEMU, PIIX4 and ICH9 where firmware puts PM */
	outw(0xb004, 0x2000);	/* the same without firmware, and Bochs */
	udelay(SETTLE_US);
}

void power_off(void)
{
	cli();
	if (pw.fadt && pw.fadt->present)
		acpi_s5(pw.fadt);
	if (pw.emulator)
		emulator_off();
	power_halt();
}

/* ACPI 4.8.3.6. */
static void fadt_reset(const struct acpi_fadt *f)
{
	u64 a = f->reset_reg.address;

	if (!f->reset_valid)
		return;
	if (pw.reset_va) {
		mmio_write8(pw.reset_va, f->reset_value);
	} else if (f->reset_reg.space == ACPI_SPACE_IO) {
		outb((u16)a, f->reset_value);
	} else if (f->reset_reg.space == ACPI_SPACE_PCI) {
		u32 offset = (u32)(a & 0xffff);

		outl(0xcf8, BIT(31) | (u32)(a >> 32 & 0x1f) << 11 | (u32)(a >> 16 & 7) << 8 |
			    (offset & 0xfc));
		outb((u16)(0xcfc + (offset & 3)), f->reset_value);
	}
	udelay(SETTLE_US);
}

static void kbc_reset(void)
{
	for (u32 i = 0; i < 10000 && inb(KBC_CMD) & KBC_INPUT_FULL; i++)
		udelay(10);
	outb(KBC_CMD, KBC_PULSE_RESET);
	udelay(SETTLE_US);
}

void power_reboot(void)
{
	static const struct { u16 limit; u64 base; } __packed no_idt = { 0, 0 };

	cli();
	if (pw.fadt && pw.fadt->present)
		fadt_reset(pw.fadt);
	/* Bit 1 hard reset, bit 2 makes it happen. */
	outb(RESET_CTRL, 0x02);
	outb(RESET_CTRL, 0x06);
	udelay(SETTLE_US);
	if (!pw.fadt || !pw.fadt->no_8042)
		kbc_reset();
	__asm__ volatile("lidt %0; int3" :: "m"(no_idt));
	power_halt();
}

void power_halt(void)
{
	for (;;) {
		cli();
		hlt();
	}
}
