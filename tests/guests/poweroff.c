// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"

PAYLOAD(poweroff, .ref = "ACPI 6, 4.8.3.2.1, 7.4.2", .expect = "poweroff",
	.desc = "SLP_TYP of the DSDT's _S5 and SLP_EN switch the machine off");

int main(struct rt_info *info)
{
	const struct acpi_fadt *f = acpi_find("FACP");
	int typ;

	if (!f)
		return rt_skip("no ACPI");
	typ = acpi_s5(f);
	rt_check(typ >= 0 && typ < 8, "\\_S5", "%d", typ);
	/* Nothing happens without SLP_EN. */
	outw((u16)f->pm1a_cnt, (u16)(PM1_SCI_EN | typ << 10));
	rt_check(inw((u16)f->pm1a_cnt) >> 10 == typ, "SLP_TYP", "%x", inw((u16)f->pm1a_cnt));
	if (rt_result() != RT_PASS)
		return RT_FAIL;
	outw((u16)f->pm1a_cnt, (u16)(PM1_SCI_EN | PM1_SLP_EN | typ << 10));
	for (u64 t = rdtsc(); rdtsc() - t < RT_WAIT_TICKS;)
		cpu_pause();
	return RT_FAIL;
}
