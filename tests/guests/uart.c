// SPDX-License-Identifier: MIT
#include "tests/guests/rt/pc.h"

PAYLOAD(uart, .ref = "PC16550D data sheet, 8.1 to 8.11",
	.desc = "16550A: registers, DLAB, FIFO, loopback, IIR priorities, timeout, IRQ 4");

/*
 * The console is the UART under test: nothing is printed while it is in
 * loopback or its divisor is odd.  What a check finds is kept until then.
 */
#define COM		0x3f8
#define IRQ		4

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };	/* THR, FCR: the same, written */

#define IER_RX		0x01
#define IER_THRE	0x02
#define IER_LINE	0x04
#define IER_MODEM	0x08
#define IIR_NONE	0x01
#define IIR_MODEM	0x00
#define IIR_THRE	0x02
#define IIR_RX		0x04
#define IIR_LINE	0x06
#define IIR_TIMEOUT	0x0c
#define LCR_8N1		0x03
#define LCR_DLAB	0x80
#define MCR_OUT2	0x08
#define MCR_LOOP	0x10
#define LSR_DR		0x01
#define LSR_OE		0x02
#define LSR_IDLE	0x60

static volatile u32 hits;
static volatile u8 iir_seen, ier_after;

static u8 in(u16 reg)
{
	return inb((u16)(COM + reg));
}

static void out(u16 reg, u8 v)
{
	outb((u16)(COM + reg), v);
}

/* Takes the interrupt's source away. */
static void on_uart(unsigned int vector)
{
	iir_seen = in(IIR) & 0x0f;
	out(IER, ier_after);
	hits++;
	pic_eoi(IRQ);
}

/* As the console needs it. */
static void console(void)
{
	while ((in(LSR) & LSR_IDLE) != LSR_IDLE)
		cpu_pause();
	out(IER, 0);
	out(LCR, LCR_DLAB);
	out(0, 1);
	out(1, 0);
	out(LCR, LCR_8N1);
	out(IIR, 0);
	out(MCR, 0x03);
	in(RBR);
	in(LSR);
	in(MSR);
}

/* Loopback, idle, nothing received, nothing pending. */
static void loop(u8 fcr)
{
	while ((in(LSR) & LSR_IDLE) != LSR_IDLE)
		cpu_pause();
	out(IER, 0);
	out(IIR, 0);
	out(IIR, fcr);
	out(MCR, MCR_LOOP | MCR_OUT2);
	in(RBR);
	in(LSR);
	in(MSR);
	in(IIR);
}

/* Sent and received: LSR shows the transmitter empty and data. */
static void send(u8 c)
{
	out(0, c);
	for (unsigned int i = 0; i < 100000 && (in(LSR) & LSR_IDLE) != LSR_IDLE; i++)
		cpu_pause();
}

static bool iir_becomes(u8 want)
{
	for (unsigned int i = 0; i < 100000; i++)
		if ((in(IIR) & 0x0f) == want)
			return true;
	return false;
}

/* What each register keeps. */
static const struct {
	const char *name;
	u16 reg;
	u8 mask;
} kept[] = {
	{ "IER keeps bits 3:0", IER, 0x0f },
	{ "LCR keeps all bits", LCR, 0xff },
	{ "MCR keeps bits 4:0", MCR, 0x1f },
	{ "SCR keeps all bits", SCR, 0xff },
};

static void check_registers(void)
{
	unsigned int bad[ARRAY_LEN(kept)] = { 0 };

	for (unsigned int i = 0; i < ARRAY_LEN(kept); i++) {
		for (unsigned int v = 0; v < 256; v++) {
			out(kept[i].reg, (u8)v);
			bad[i] += in(kept[i].reg) != (v & kept[i].mask);
		}
		console();
	}
	for (unsigned int i = 0; i < ARRAY_LEN(kept); i++)
		rt_check(!bad[i], kept[i].name, "%u values differ", bad[i]);
	rt_check(in(LSR) == LSR_IDLE, "LSR of an idle UART", "%x", in(LSR));
	rt_check(in(IIR) == IIR_NONE, "IIR of an idle UART", "%x", in(IIR));
}

/* With DLAB the first two registers are the divisor's; IER and THR stay. */
static void check_dlab(void)
{
	u8 dll, dlm, ier;

	out(IER, 0x0c);
	out(LCR, LCR_8N1 | LCR_DLAB);
	out(0, 0x5a);
	out(1, 0xa5);
	dll = in(0);
	dlm = in(1);
	out(LCR, LCR_8N1);
	ier = in(IER);
	console();
	rt_check(dll == 0x5a && dlm == 0xa5 && ier == 0x0c, "divisor and IER", "%x, %x, %x", dll,
		 dlm, ier);
}

static void check_fcr(void)
{
	u8 on, off, only_bit0;

	out(IIR, 0x01);
	on = in(IIR);
	out(IIR, 0x00);
	off = in(IIR);
	/* 8.5: FCR0 "must be a 1 when other FCR bits are written to". */
	out(IIR, 0xc6);
	only_bit0 = in(IIR);
	console();
	rt_check(on == 0xc1 && off == 0x01 && only_bit0 == 0x01, "IIR 7:6 are the FIFOs",
		 "%x, %x, %x", on, off, only_bit0);
}

/* 8.7: in loopback CTS is RTS, DSR is DTR, RI is OUT1, DCD is OUT2. */
static void check_modem(void)
{
	static const u8 inputs[] = { 0x20, 0x10, 0x40, 0x80 };
	u8 deltas[5], bad = 0, iir;

	for (u8 v = 0; v < 16; v++) {
		u8 want = 0;

		for (unsigned int bit = 0; bit < 4; bit++)
			want |= v >> bit & 1 ? inputs[bit] : 0;
		out(MCR, MCR_LOOP | v);
		bad += (in(MSR) & 0xf0) != want;
	}
	out(MCR, MCR_LOOP | 0x04);
	in(MSR);
	/* RI falls: TERI.  It rises: none.  The others: both ways. */
	out(MCR, MCR_LOOP);
	deltas[0] = in(MSR) & 0x0f;
	deltas[1] = in(MSR) & 0x0f;
	out(MCR, MCR_LOOP | 0x04);
	deltas[2] = in(MSR) & 0x0f;
	out(MCR, MCR_LOOP | 0x0f);
	deltas[3] = in(MSR) & 0x0f;
	out(IER, IER_MODEM);
	out(MCR, MCR_LOOP | 0x0d);
	iir = in(IIR);
	deltas[4] = in(MSR) & 0x0f;
	console();
	rt_check(!bad, "modem lines in loopback", "%u wrong", bad);
	rt_check(!deltas[1] && !deltas[2], "deltas are cleared by reading", "%x, %x", deltas[1],
		 deltas[2]);
	rt_known(pc_is_qemu(), deltas[0] == 4 && deltas[3] == 0xb && deltas[4] == 1 &&
		 iir == IIR_MODEM, "deltas and modem interrupt in loopback",
		 "QEMU 7.2 hw/char/serial.c serial_ioport_read: no deltas in loopback");
}

/* Without FIFOs: one character, the next one overruns it. */
static void check_16450(void)
{
	u8 lsr[5], data[2], bad = 0, five;

	loop(0);
	lsr[0] = in(LSR);
	for (unsigned int c = 0; c < 256; c++) {
		send((u8)c);
		bad += !(in(LSR) & LSR_DR) || in(RBR) != c;
	}
	lsr[1] = in(LSR);
	send('a');
	send('b');
	lsr[2] = in(LSR);
	lsr[3] = in(LSR);
	data[0] = in(RBR);
	lsr[4] = in(LSR);
	/* Five data bits. */
	out(LCR, 0x00);
	send(0xff);
	five = in(RBR);
	out(LCR, LCR_8N1);
	console();
	rt_check(lsr[0] == LSR_IDLE && lsr[1] == LSR_IDLE, "LSR without data", "%x, %x", lsr[0],
		 lsr[1]);
	rt_check(!bad, "all characters come back", "%u do not", bad);
	/* send() reads LSR, which shows the overrun once: it may have been there. */
	rt_check((lsr[2] & LSR_DR) && (lsr[3] & 0x1f) == LSR_DR && data[0] == 'b',
		 "overrun: the second one stays", "%x, %x, %x", lsr[2], lsr[3], data[0]);
	rt_check(lsr[4] == LSR_IDLE, "and was one", "%x", lsr[4]);
	rt_known(pc_is_qemu(), five == 0x1f, "five data bits",
		 "QEMU 7.2 hw/char/serial.c serial_receive1 takes all eight");
}

/* Sixteen fit; a further one is lost and makes OE; reset empties. */
static void check_fifo(void)
{
	u8 lsr_full, lsr_over = 0, bad = 0, lsr_empty, lsr_reset, lsr_off;

	loop(0x07);
	for (u8 i = 0; i < 16; i++)
		send(0x40 + i);
	lsr_full = in(LSR);
	out(0, 0x99);
	for (unsigned int i = 0; i < 100000 && !(lsr_over & LSR_OE); i++)
		lsr_over = in(LSR);
	for (u8 i = 0; i < 16; i++)
		bad += !(in(LSR) & LSR_DR) || in(RBR) != 0x40 + i;
	lsr_empty = in(LSR);
	send(1);
	out(IIR, 0x03);		/* receiver FIFO reset; the bit clears itself */
	lsr_reset = in(LSR);
	send(2);
	out(IIR, 0x00);		/* a change of FCR0 empties */
	lsr_off = in(LSR);
	console();
	rt_check((lsr_full & 0x1f) == LSR_DR && lsr_over & LSR_OE, "overrun of the FIFO",
		 "%x, %x", lsr_full, lsr_over);
	rt_check(!bad, "the sixteen are there in order", "%u are not", bad);
	rt_check(!(lsr_empty & 0x1f), "empty after sixteen", "%x", lsr_empty);
	rt_check(!(lsr_reset & LSR_DR), "receiver reset", "%x", lsr_reset);
	rt_check(!(lsr_off & LSR_DR), "FIFOs off empties them", "%x", lsr_off);
}

/* Interrupt at each trigger level, not one character before. */
static void check_trigger(void)
{
	static const u8 level[] = { 1, 4, 8, 14 };
	u8 early = 0, late = 0, below = 0;

	for (u8 i = 0; i < 4; i++) {
		loop((u8)(i << 6 | 0x07));
		out(IER, IER_RX);
		for (u8 n = 1; n <= level[i]; n++) {
			u8 id;

			send(n);
			id = in(IIR) & 0x0f;
			early += n < level[i] && id == IIR_RX;
			late += n == level[i] && id != IIR_RX && id != IIR_TIMEOUT;
		}
		in(RBR);
		below += (in(IIR) & 0x0f) == IIR_RX;
	}
	console();
	rt_check(!early && !late && !below, "trigger levels", "%u early, %u late, %u below", early,
		 late, below);
}

/* 8.11: a character that is not read for four character times. */
static void check_timeout(void)
{
	bool came, gone;
	u8 data, ids[2];

	loop(0xc7);
	out(IER, IER_RX);
	send('t');
	came = iir_becomes(IIR_TIMEOUT);
	ids[0] = in(IIR);	/* reading IIR does not end it */
	data = in(RBR);
	gone = iir_becomes(IIR_NONE);
	ids[1] = in(IIR);
	console();
	rt_check(came && ids[0] == (0xc0 | IIR_TIMEOUT) && data == 't', "character timeout",
		 "%u, %x, %x", came, ids[0], data);
	rt_check(gone && ids[1] == (0xc0 | IIR_NONE), "reading ends it", "%u, %x", gone, ids[1]);
}

/* Table IV: line status, then data, then THRE, then modem. */
static void check_priorities(void)
{
	u8 id[6];

	loop(0);
	send('a');
	out(IER, IER_LINE);
	out(0, 'b');		/* overrun */
	iir_becomes(IIR_LINE);
	out(IER, IER_RX | IER_THRE | IER_LINE);
	id[0] = in(IIR);
	in(LSR);
	id[1] = in(IIR);
	in(RBR);
	id[2] = in(IIR);	/* shows THRE, which ends it */
	id[3] = in(IIR);
	out(IER, 0);
	out(IER, IER_THRE);	/* enabled again, it is pending again */
	id[4] = in(IIR);
	out(0, 'c');
	in(LSR);
	id[5] = in(IIR);	/* the character is gone: again */
	console();
	rt_check(id[0] == IIR_LINE && id[1] == IIR_RX && id[2] == IIR_THRE && id[3] == IIR_NONE,
		 "priorities", "%x, %x, %x, %x", id[0], id[1], id[2], id[3]);
	rt_check(id[4] == IIR_THRE && id[5] == IIR_THRE, "THRE comes again", "%x, %x", id[4],
		 id[5]);
}

static bool interrupt(u8 ier)
{
	hits = 0;
	ier_after = 0;
	out(IER, ier);
	pc_settle();
	return hits == 1;
}

static void check_irq(void)
{
	bool thre, rx, timeout, off;
	u8 ids[3];

	loop(0);
	thre = interrupt(IER_THRE);
	ids[0] = iir_seen;
	send('x');
	rx = interrupt(IER_RX);
	ids[1] = iir_seen;
	loop(0xc7);
	hits = 0;
	ier_after = 0;
	out(IER, IER_RX);
	send('y');
	sti();
	timeout = RT_WAIT(hits);
	cli();
	ids[2] = iir_seen;
	/* Without OUT2 nothing reaches the line. */
	loop(0);
	out(MCR, MCR_LOOP);
	off = !interrupt(IER_THRE);
	out(IER, 0);
	console();
	pc_settle();
	rt_check(thre && ids[0] == IIR_THRE, "THRE interrupt", "%u, %x", thre, ids[0]);
	rt_check(rx && ids[1] == IIR_RX, "data interrupt", "%u, %x", rx, ids[1]);
	rt_check(timeout && ids[2] == IIR_TIMEOUT, "timeout interrupt", "%u, %x", timeout, ids[2]);
	rt_known(pc_is_qemu(), off, "OUT2 opens the line",
		 "QEMU 7.2 hw/char/serial.c serial_update_irq does not look at MCR");
}

int main(struct rt_info *info)
{
	pit_quiet();
	pic_init(ICW4_X86, ICW4_X86);
	pic_virtual_wire();
	rt_irq(PIC_VEC(IRQ), on_uart);
	pic_open(1 << IRQ);
	console();
	check_registers();
	check_dlab();
	check_fcr();
	check_modem();
	check_16450();
	check_fifo();
	check_trigger();
	check_timeout();
	check_priorities();
	check_irq();
	return rt_result();
}
