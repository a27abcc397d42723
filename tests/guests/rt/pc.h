/* SPDX-License-Identifier: MIT */
/* The devices of a PC: ports and register bits, and how payloads drive them. */
#ifndef TESTS_GUESTS_RT_PC_H
#define TESTS_GUESTS_RT_PC_H

#include "tests/guests/rt/apic.h"

/* The bare emulator's PC, for checks that its device models fail. */
static inline bool pc_is_qemu(void)
{
	return rt.tcg && !rt.nestbed;
}

/* 8259A (231468), ICH9 13.4. */
#define PIC1		0x20	/* command; data is the next port */
#define PIC2		0xa0
#define ELCR1		0x4d0
#define ELCR2		0x4d1
#define ICW1_INIT	0x11	/* cascade, edge, ICW4 follows */
#define ICW4_X86	0x01
#define ICW4_AEOI	0x02
#define ICW4_SFNM	0x10
#define OCW2_EOI	0x20
#define OCW2_EOI_OF	0x60	/* | level */
#define OCW2_ROT_EOI	0xa0
#define OCW2_ROT_EOI_OF	0xe0
#define OCW2_LOWEST	0xc0
#define OCW2_ROT_AEOI	0x80
#define OCW2_NO_ROT_AEOI 0x00
#define OCW3_POLL	0x0c
#define OCW3_IRR	0x0a
#define OCW3_ISR	0x0b
#define OCW3_SMM	0x68
#define OCW3_NO_SMM	0x48

/* Vector of interrupt line n after pic_init. */
#define PIC_VEC(n)	(0x50 + (n))

/* ICW1 to ICW4 of both chips, all lines edge-triggered and masked. */
void pic_init(u8 icw4_master, u8 icw4_slave);
/* IMR of both: the lines in the mask are open (and the cascade if needed). */
void pic_open(u16 lines);
static inline u8 pic_irr(u16 chip)
{
	outb(chip, OCW3_IRR);
	return inb(chip);
}
static inline u8 pic_isr(u16 chip)
{
	outb(chip, OCW3_ISR);
	return inb(chip);
}
/* Non-specific EOI for line n: both chips if it is one of the slave's. */
static inline void pic_eoi(unsigned int n)
{
	if (n >= 8)
		outb(PIC2, OCW2_EOI);
	outb(PIC1, OCW2_EOI);
}
/* The local APIC on, and LINT0 passing the 8259's INTR (SDM3 11.5.1). */
void pic_virtual_wire(void);

/*
 * The level of interrupt line n (0 to 15), by the port that nestbed's vtest
 * and QEMU's pc-testdev have.  Nothing else drives the lines in PC_FREE_LINES.
 */
#define PC_LINE		0x2000
#define PC_FREE_LINES	0x8ce8	/* 3, 5, 6, 7, 10, 11, 15 */
static inline void pc_line(unsigned int n, bool level)
{
	outb((u16)(PC_LINE + n), level);
}

/* Lets what is pending be taken: interrupts on for a while, then off. */
void pc_settle(void);

/* 8254 (231164, 231244) and system control port B. */
#define PIT_PORT(n)	(u16)(0x40 + (n))
#define PIT_CONTROL	0x43
#define PIT_HZ		1193182
#define PORT_B		0x61
#define PORT_B_GATE2	0x01
#define PORT_B_SPEAKER	0x02
#define PORT_B_REFRESH	0x10
#define PORT_B_OUT2	0x20
/* Control word of a channel: low byte, then high byte. */
#define PIT_MODE(n, mode) (u8)((n) << 6 | 0x30 | (mode) << 1)
static inline void pit_load(unsigned int n, u16 count)
{
	outb(PIT_PORT(n), (u8)count);
	outb(PIT_PORT(n), (u8)(count >> 8));
}
/* Channel 0 makes no more interrupts. */
static inline void pit_quiet(void)
{
	outb(PIT_CONTROL, PIT_MODE(0, 0));
	pit_load(0, 1);
}

/* MC146818. */
#define RTC_INDEX	0x70
#define RTC_DATA	0x71
enum { RTC_A = 0x0a, RTC_B, RTC_C, RTC_D };
#define RTC_A_UIP	0x80
#define RTC_A_32KHZ	0x20	/* | rate */
#define RTC_A_RESET	0x60
#define RTC_B_SET	0x80	/* then the enables, in the places of the flags */
#define RTC_B_BINARY	0x04
#define RTC_B_24H	0x02
#define RTC_IRQF	0x80
#define RTC_P		0x40
#define RTC_AL		0x20
#define RTC_U		0x10
static inline u8 rtc_read(u8 reg)
{
	outb(RTC_INDEX, reg);
	return inb(RTC_DATA);
}
static inline void rtc_write(u8 reg, u8 v)
{
	outb(RTC_INDEX, reg);
	outb(RTC_DATA, v);
}

#endif
