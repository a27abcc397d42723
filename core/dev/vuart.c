// SPDX-License-Identifier: MIT
#include "core/dev/vuart.h"

#include "core/lib/string.h"
#include "stats/stat.h"

STAT_COUNTER(uart, "/kvm/dev", "uart", "count", "accesses to the serial port");

/* Registers: PC16550D table II.  The sections cited below are this data sheet's. */
enum {
	REG_DATA,		/* RBR, THR; DLL with DLAB */
	REG_IER,		/* DLM with DLAB */
	REG_IIR_FCR,
	REG_LCR,
	REG_MCR,
	REG_LSR,
	REG_MSR,
	REG_SCR,
	REGS,
};

#define IER_ERBFI	0x01
#define IER_ETBEI	0x02
#define IER_ELSI	0x04
#define IER_EDSSI	0x08
#define IER_MASK	0x0f

#define IIR_MODEM	0x00
#define IIR_NONE	0x01
#define IIR_THRE	0x02
#define IIR_DATA	0x04
#define IIR_LINE	0x06
#define IIR_TIMEOUT	0x0c
#define IIR_FIFOS	0xc0

#define FCR_ENABLE	0x01
#define FCR_RX_RESET	0x02
#define FCR_KEPT	0xc9	/* trigger level, DMA mode, enable */

#define LCR_WLS		0x03
#define LCR_STB		0x04
#define LCR_PEN		0x08
#define LCR_BREAK	0x40
#define LCR_DLAB	0x80

#define MCR_DTR		0x01
#define MCR_RTS		0x02
#define MCR_OUT1	0x04
#define MCR_OUT2	0x08
#define MCR_LOOP	0x10
#define MCR_MASK	0x1f

#define LSR_DR		0x01
#define LSR_OE		0x02
#define LSR_EMPTY	0x60	/* THRE and TEMT */

#define MSR_DCTS	0x01
#define MSR_TERI	0x04
#define MSR_DELTAS	0x0f
#define MSR_CTS		0x10
#define MSR_DSR		0x20
#define MSR_RI		0x40
#define MSR_DCD		0x80
#define MSR_CONNECTED	(MSR_DCD | MSR_DSR | MSR_CTS)

#define INPUT_HZ	115200	/* 1.8432 MHz / 16: a bit's time at divisor 1 */

static bool fifos(const struct vuart_state *s)
{
	return s->fcr & FCR_ENABLE;
}

static u8 trigger_level(const struct vuart_state *s)
{
	static const u8 level[] = { 1, 4, 8, 14 };

	return fifos(s) ? level[s->fcr >> 6] : 1;
}

/*
 * Table IV: the pending source with the highest priority.  Of the two in the
 * second place, 8.6 shows the timeout while it is pending.
 */
static u8 interrupt_id(const struct vuart_state *s)
{
	if (s->ier & IER_ELSI && s->lsr & LSR_OE)
		return IIR_LINE;
	if (s->ier & IER_ERBFI && s->timeout_pending)
		return IIR_TIMEOUT;
	if (s->ier & IER_ERBFI && s->rx_len >= trigger_level(s))
		return IIR_DATA;
	if (s->thr_empty_pending)
		return IIR_THRE;
	if (s->ier & IER_EDSSI && s->msr & MSR_DELTAS)
		return IIR_MODEM;
	return IIR_NONE;
}

/*
 * On a PC, OUT2 opens the way from INTR to the line.  In loopback the pin is
 * off, but 8.8 calls interrupts fully operational there, and chipsets with the
 * UART inside take the bit of MCR in both modes: so here.
 */
static void update_line(struct vuart *u)
{
	u->env->set_irq(u->env->ctx, VUART_IRQ,
			u->s.mcr & MCR_OUT2 && interrupt_id(&u->s) != IIR_NONE);
}

/* Four characters of: start bit, data bits, parity, stop bits (8.1: 1.5 with 5 data bits). */
static u64 timeout_ns(const struct vuart_state *s)
{
	u32 divisor = s->dll | (u32)s->dlm << 8;
	u32 data = 5 + (s->lcr & LCR_WLS);
	u32 half_bits = 2 * (1 + data + !!(s->lcr & LCR_PEN) + 1);

	if (s->lcr & LCR_STB)
		half_bits += data == 5 ? 1 : 2;
	/* 8.3 only advises against 0; a 16-bit counter that is loaded with it counts 2^16. */
	if (!divisor)
		divisor = 0x10000;
	return 4ULL * half_bits * divisor * 1000000000 / (2 * INPUT_HZ);
}

/*
 * 8.11: four character times without a character coming in or being read,
 * while there is one; over once one is read.
 */
static void restart_timeout(struct vuart *u)
{
	u64 old = u->s.timeout_at;

	u->s.timeout_at = DEV_NEVER;
	if (!fifos(&u->s) || !u->s.rx_len || u->s.timeout_pending)
		return;
	u->s.timeout_at = u->env->now(u->env->ctx) + timeout_ns(&u->s);
	if (u->s.timeout_at < old)
		u->env->rearm(u->env->ctx);
}

static void clear_rx(struct vuart_state *s)
{
	memset(s->rx, 0, sizeof(s->rx));
	s->rx_len = 0;
	s->timeout_pending = 0;
	s->timeout_at = DEV_NEVER;
}

/* 8.4, OE: without FIFOs the new character destroys the old one; a full FIFO keeps its own. */
static void take(struct vuart *u, u8 c)
{
	struct vuart_state *s = &u->s;

	if (s->rx_len == (fifos(s) ? VUART_FIFO : 1)) {
		s->lsr |= LSR_OE;
		if (!fifos(s))
			s->rx[0] = c;
	} else {
		s->rx[s->rx_len++] = c;
	}
	restart_timeout(u);
	update_line(u);
}

static u8 read_rbr(struct vuart *u)
{
	struct vuart_state *s = &u->s;
	u8 c = s->rx[0];

	if (!s->rx_len)
		return c;
	s->rx_len--;
	if (fifos(s)) {
		memmove(s->rx, s->rx + 1, VUART_FIFO - 1);
		s->rx[VUART_FIFO - 1] = 0;
		s->timeout_pending = 0;
		restart_timeout(u);
	}
	update_line(u);
	return c;
}

static void set_thre_interrupt(struct vuart *u, bool pending)
{
	if (u->s.thr_empty_pending == pending)
		return;
	u->s.thr_empty_pending = pending;
	update_line(u);
}

/*
 * The write ends a THRE interrupt; the character is gone at once, which makes
 * a new one: the line falls and rises again.  8.1: break acts on SOUT only,
 * the transmitter goes on behind it.
 */
static void write_thr(struct vuart *u, u8 c)
{
	struct vuart_state *s = &u->s;

	set_thre_interrupt(u, false);
	if (s->mcr & MCR_LOOP)
		take(u, c & (u8)BITS(4 + (s->lcr & LCR_WLS), 0));
	else if (u->putc && !(s->lcr & LCR_BREAK))
		u->putc(u->putc_ctx, c);
	set_thre_interrupt(u, s->ier & IER_ETBEI);
}

/* Enabling the THRE interrupt with THR empty raises it, also if IIR was read before. */
static void write_ier(struct vuart *u, u8 val)
{
	struct vuart_state *s = &u->s;

	if (!(val & IER_ETBEI))
		s->thr_empty_pending = 0;
	else if (!(s->ier & IER_ETBEI))
		s->thr_empty_pending = 1;
	s->ier = val & IER_MASK;
	update_line(u);
}

/* 8.5: a change of the mode empties both FIFOs; without FCR0 no other bit counts. */
static void write_fcr(struct vuart *u, u8 val)
{
	struct vuart_state *s = &u->s;
	bool on = val & FCR_ENABLE;

	if (on != fifos(s) || (on && val & FCR_RX_RESET))
		clear_rx(s);
	s->fcr = on ? val & FCR_KEPT : 0;
	update_line(u);
}

/* 8.8: in loopback the modem inputs are the outputs: CTS RTS, DSR DTR, RI OUT1, DCD OUT2. */
static u8 modem_inputs(u8 mcr)
{
	if (!(mcr & MCR_LOOP))
		return MSR_CONNECTED;
	return (u8)((mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
		    (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* 8.9: any change of CTS, DSR, DCD is a delta; of RI its end. */
static void write_mcr(struct vuart *u, u8 val)
{
	struct vuart_state *s = &u->s;
	u8 old = s->msr & 0xf0, in = modem_inputs(val);
	u8 delta = (u8)((old ^ in) >> 4);

	if (in & MSR_RI)
		delta &= (u8)~MSR_TERI;
	s->mcr = val & MCR_MASK;
	s->msr = in | (s->msr & MSR_DELTAS) | delta;
	update_line(u);
}

/* Table IV: THRE is acknowledged only if it is the source that is shown. */
static u8 read_iir(struct vuart *u)
{
	u8 id = interrupt_id(&u->s);

	if (id == IIR_THRE)
		set_thre_interrupt(u, false);
	return id | (fifos(&u->s) ? IIR_FIFOS : 0);
}

static u8 read_lsr(struct vuart *u)
{
	u8 val = u->s.lsr | (u->s.rx_len ? LSR_DR : 0);

	u->s.lsr &= (u8)~LSR_OE;
	update_line(u);
	return val;
}

static u8 read_msr(struct vuart *u)
{
	u8 val = u->s.msr;

	u->s.msr &= (u8)~MSR_DELTAS;
	update_line(u);
	return val;
}

static u64 vuart_read(void *ctx, u64 off, u8 size)
{
	struct vuart *u = ctx;
	bool dlab = u->s.lcr & LCR_DLAB;

	switch (off) {
	case REG_DATA:
		return dlab ? u->s.dll : read_rbr(u);
	case REG_IER:
		return dlab ? u->s.dlm : u->s.ier;
	case REG_IIR_FCR:
		return read_iir(u);
	case REG_LCR:
		return u->s.lcr;
	case REG_MCR:
		return u->s.mcr;
	case REG_LSR:
		return read_lsr(u);
	case REG_MSR:
		return read_msr(u);
	default:
		return u->s.scr;
	}
}

static void write_lcr(struct vuart *u, u8 val)
{
	u->s.lcr = val;
}

static void write_dll(struct vuart *u, u8 val)
{
	u->s.dll = val;
}

static void write_dlm(struct vuart *u, u8 val)
{
	u->s.dlm = val;
}

static void write_scr(struct vuart *u, u8 val)
{
	u->s.scr = val;
}

/* 8.4: LSR is "intended for read operations only"; so is MSR here. */
static void (*const writes[REGS])(struct vuart *u, u8 val) = {
	[REG_DATA] = write_thr,
	[REG_IER] = write_ier,
	[REG_IIR_FCR] = write_fcr,
	[REG_LCR] = write_lcr,
	[REG_MCR] = write_mcr,
	[REG_SCR] = write_scr,
};

static void (*const divisor_writes[])(struct vuart *u, u8 val) = { write_dll, write_dlm };

static enum bus_result vuart_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vuart *u = ctx;

	if (u->s.lcr & LCR_DLAB && off < ARRAY_SIZE(divisor_writes))
		divisor_writes[off](u, (u8)val);
	else if (writes[off])
		writes[off](u, (u8)val);
	return BUS_OK;
}

int vuart_init(struct vuart *u, struct bus *bus, const struct dev_env *env,
	       void (*putc)(void *ctx, u8 c), void *putc_ctx)
{
	const struct bus_range r = { VUART_PORT, VUART_PORT + REGS - 1, 1, vuart_read,
				     vuart_write, u, &uart };

	memset(u, 0, sizeof(*u));
	u->env = env;
	u->putc = putc;
	u->putc_ctx = putc_ctx;
	u->s.lsr = LSR_EMPTY;
	u->s.msr = MSR_CONNECTED;
	u->s.dll = 12;
	u->s.timeout_at = DEV_NEVER;
	return bus_add_io(bus, &r);
}

bool vuart_can_receive(const struct vuart *u)
{
	const struct vuart_state *s = &u->s;

	if (s->mcr & MCR_LOOP || (s->mcr & (MCR_DTR | MCR_RTS)) == MCR_DTR)
		return false;
	return s->rx_len < (fifos(s) ? VUART_FIFO : 1);
}

void vuart_receive(struct vuart *u, u8 c)
{
	/* Loopback: the input is disconnected from the receiver. */
	if (!(u->s.mcr & MCR_LOOP))
		take(u, c);
}

u64 vuart_next(const struct vuart *u)
{
	return u->s.timeout_at;
}

void vuart_tick(struct vuart *u, u64 now)
{
	if (now < u->s.timeout_at)
		return;
	u->s.timeout_at = DEV_NEVER;
	u->s.timeout_pending = 1;
	update_line(u);
}

/* A character waits in the FIFO: either the timeout runs, or it is over. */
static bool receiver_ok(const struct vuart_state *s)
{
	bool waits = fifos(s) && s->rx_len;

	if (s->rx_len > (fifos(s) ? VUART_FIFO : 1) || s->timeout_pending > 1)
		return false;
	return waits == (s->timeout_pending || s->timeout_at != DEV_NEVER) &&
	       !(s->timeout_pending && s->timeout_at != DEV_NEVER);
}

int vuart_state_check(const struct vuart_state *s)
{
	if (s->ier & ~IER_MASK || s->mcr & ~MCR_MASK)
		return -EINVAL;
	if (s->fcr & ~FCR_KEPT || (s->fcr && !fifos(s)))
		return -EINVAL;
	if ((s->lsr & ~LSR_OE) != LSR_EMPTY || (s->msr & 0xf0) != modem_inputs(s->mcr))
		return -EINVAL;
	if (s->thr_empty_pending > !!(s->ier & IER_ETBEI))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(s->reserved); i++)
		if (s->reserved[i])
			return -EINVAL;
	return receiver_ok(s) ? 0 : -EINVAL;
}
