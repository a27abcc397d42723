// SPDX-License-Identifier: MIT
#include "tests/guests/rt/pc.h"

void pic_init(u8 icw4_master, u8 icw4_slave)
{
	outb(ELCR1, 0);
	outb(ELCR2, 0);
	outb(PIC1, ICW1_INIT);
	outb(PIC1 + 1, PIC_VEC(0));
	outb(PIC1 + 1, 0x04);	/* a slave on line 2 */
	outb(PIC1 + 1, icw4_master);
	outb(PIC2, ICW1_INIT);
	outb(PIC2 + 1, PIC_VEC(8));
	outb(PIC2 + 1, 0x02);	/* its identity */
	outb(PIC2 + 1, icw4_slave);
	pic_open(0);
}

void pic_open(u16 lines)
{
	u16 mask = (u16)~(lines | (lines >> 8 ? 4 : 0));

	outb(PIC1 + 1, (u8)mask);
	outb(PIC2 + 1, (u8)(mask >> 8));
}

void pic_virtual_wire(void)
{
	apic_enable();
	apic_write(APIC_LVT_LINT0, APIC_DM_EXTINT);
}

void pc_settle(void)
{
	for (unsigned int i = 0; i < 50; i++) {
		sti_nop();
		cpuid(0);
	}
	cli();
}
