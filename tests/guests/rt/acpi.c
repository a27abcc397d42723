// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"

#define RSDP_FROM	0xe0000ul
#define RSDP_TO		0x100000ul

static u16 pm_port;
static u32 pm_mask;

u8 acpi_sum(const void *p, size_t n)
{
	const u8 *b = p;
	u8 sum = 0;

	while (n--)
		sum = (u8)(sum + *b++);
	return sum;
}

const struct acpi_rsdp *acpi_rsdp(void)
{
	for (ulong at = RSDP_FROM; at < RSDP_TO; at += 16)
		if (!memcmp((const void *)at, "RSD PTR ", 8) && !acpi_sum((const void *)at, 20))
			return (const void *)at;
	return NULL;
}

const struct acpi_table *acpi_nth(unsigned int n)
{
	const struct acpi_rsdp *r = acpi_rsdp();
	bool wide = r && r->revision >= 2 && r->xsdt;
	const struct acpi_table *root;
	u64 at = 0;

	if (!r)
		return NULL;
	root = (const void *)(ulong)(wide ? r->xsdt : r->rsdt);
	if (n >= (root->len - sizeof(*root)) / (wide ? 8 : 4))
		return NULL;
	memcpy(&at, (const u8 *)(root + 1) + n * (wide ? 8 : 4), wide ? 8 : 4);
	return (const void *)(ulong)at;
}

const void *acpi_find(const char *sig)
{
	const struct acpi_table *t;

	for (unsigned int n = 0; (t = acpi_nth(n)); n++)
		if (!memcmp(t->sig, sig, 4))
			return t;
	return NULL;
}

/* ACPI 6, 20.2: Name (_S5_, Package () { SLP_TYPa, ... }). */
int acpi_s5(const struct acpi_fadt *f)
{
	const struct acpi_table *dsdt = (const void *)(ulong)f->dsdt;
	const u8 *p = (const void *)dsdt, *end = p + dsdt->len - 12;

	for (; p < end; p++) {
		if (memcmp(p, "\x08_S5_\x12", 6))
			continue;
		p += 6;
		p += (*p >> 6) + 2;	/* package length, number of elements */
		if (*p <= 1)		/* Zero, One */
			return *p;
		return *p == 0x0a ? p[1] : -1;	/* BytePrefix */
	}
	return -1;
}

bool pm_init(void)
{
	const struct acpi_fadt *f = acpi_find("FACP");

	if (!f || !f->pm_tmr || f->pm_tmr_len != 4)
		return false;
	pm_port = (u16)f->pm_tmr;
	pm_mask = f->flags & FADT_TMR_VAL_EXT ? ~0u : 0xffffff;
	return true;
}

u32 pm_now(void)
{
	return inl(pm_port) & pm_mask;
}

u32 pm_ticks(u32 from, u32 to)
{
	return (to - from) & pm_mask;
}
