// SPDX-License-Identifier: MIT
#include "tests/guests/rt/pc.h"

PAYLOAD(typed, .ref = "PC16550D data sheet, 8.6, 8.7; SDM2 HLT", .timeout = "60000",
	.desc = "Lines that are typed wake a guest in HLT, for a host script");

/*
 * Nothing but the UART's interrupt can wake it, and it looks at the UART in that
 * alone: a byte of which its CPU is not told stays where it is.  The line "q"
 * ends it.
 */
#define COM		0x3f8
#define COM_IER		(COM + 1)
#define COM_FCR		(COM + 2)
#define COM_MCR		(COM + 4)
#define COM_LSR		(COM + 5)
#define IER_RX		0x01
#define FCR_ON		0x01	/* a byte is enough for an interrupt */
#define MCR_OUT2	0x08
#define LSR_DR		0x01
#define IRQ		4

static char line[80];
static unsigned int len, wakes;
static bool whole;

static void on_uart(unsigned int vector)
{
	while (inb(COM_LSR) & LSR_DR) {
		char c = (char)inb(COM);

		if (c == '\r')
			whole = true;
		else if (!whole && len < sizeof(line) - 1)
			line[len++] = c;
	}
	wakes++;
	pic_eoi(IRQ);
}

/* Interrupts are on in HLT only: none is lost between the look and the sleep. */
static void sleep_until_line(void)
{
	len = 0;
	whole = false;
	while (!whole)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	line[len] = '\0';
}

int main(struct rt_info *info)
{
	unsigned int lines = 0;

	pit_quiet();
	pic_virtual_wire();
	pic_init(ICW4_X86, ICW4_X86);
	rt_irq(PIC_VEC(IRQ), on_uart);
	pic_open(1u << IRQ);
	outb(COM_FCR, FCR_ON);
	outb(COM_MCR, MCR_OUT2);
	outb(COM_IER, IER_RX);
	rt_printf("asleep\n");
	do {
		sleep_until_line();
		rt_printf("line %u: %s\n", ++lines, line);
	} while (line[0] != 'q');
	rt_check(wakes >= lines, "an interrupt for each line", "%u for %u", wakes, lines);
	return rt_result();
}
