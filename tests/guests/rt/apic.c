// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"

volatile u32 apic_spurious;

/* No EOI: SDM3 11.9. */
static void on_spurious(unsigned int vector)
{
	lock_xadd(&apic_spurious, 1);
}

void apic_enable(void)
{
	static const u16 lvt[] = {
		APIC_LVT_TIMER, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR,
	};

	rt_irq(APIC_VEC_SPURIOUS, on_spurious);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | APIC_VEC_SPURIOUS);
	for (unsigned int i = 0; i < ARRAY_LEN(lvt); i++)
		apic_write(lvt[i], APIC_LVT_MASKED);
	apic_write(APIC_TPR, 0);
}

void apic_ipi(u32 dest, u32 low)
{
	while (apic_read(APIC_ICR) & APIC_PENDING)
		cpu_pause();
	apic_write(APIC_ICR2, dest << 24);
	apic_write(APIC_ICR, low);
}
