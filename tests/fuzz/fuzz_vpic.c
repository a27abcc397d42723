// SPDX-License-Identifier: MIT
/*
 * Any accesses, lines and acknowledge cycles at the two 8259A, and states from
 * outside.  INTR is as it was told, an acknowledge gives one vector and takes
 * at most one request of each chip into service, and the state is one that can
 * be restored.
 */
#include <stdlib.h>
#include <string.h>

#include "core/dev/vpic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bus bus[2];
static struct vpic pic[2];
static int cur;
static bool level;

static void intr(void *ctx, bool now)
{
	if (now == level || ctx != &pic[cur])
		abort();
	level = now;
}

/* At most one more bit, and that one was requested and not masked. */
static void check_service(const struct vpic_chip *old, const struct vpic_chip *c)
{
	u8 more = c->isr & (u8)~old->isr;
	u8 irr = (old->edge | old->elcr) & old->line;

	if ((more & (more - 1)) || (more & ~irr) || (more & old->imr) || (old->isr & ~c->isr))
		abort();
}

static void acknowledge(void)
{
	struct vpic_state old = pic[cur].s;
	bool was = level;
	u8 vector = vpic_ack(&pic[cur]), n = vector & 7;
	const struct vpic_chip *m = &old.chip[0], *s = &old.chip[1];

	check_service(m, &pic[cur].s.chip[0]);
	check_service(s, &pic[cur].s.chip[1]);
	if (!was && (vector != (m->base | 7) || pic[cur].s.chip[0].isr != m->isr))
		abort();
	/* A request has its own vector, or the slave's, or nobody's. */
	if (vector != 0xff && (vector & 0xf8) != m->base && (vector & 0xf8) != s->base)
		abort();
	if (was && vector != 0xff && m->base != s->base && (vector & 0xf8) == m->base &&
	    !((m->edge | m->elcr) & m->line & ~m->imr & (1 << n)))
		abort();
	/* An edge is delivered once. */
	if (was && !m->auto_eoi && pic[cur].s.chip[0].isr == m->isr &&
	    !(m->special_nested && (m->cascade & m->isr)))
		abort();
}

static void access(u8 op, u8 port, u8 data)
{
	static const u16 ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x20, 0xa0 };
	struct vpic_state old = pic[cur].s;
	u32 val = data;

	bus_io(&bus[cur], ports[port % 8], 1, op & 1, &val);
	if (!(op & 1))
		return;
	check_service(&old.chip[0], &pic[cur].s.chip[0]);
	check_service(&old.chip[1], &pic[cur].s.chip[1]);
	/* Only a poll changes anything. */
	if (!old.chip[0].poll && !old.chip[1].poll && memcmp(&old, &pic[cur].s, sizeof(old)))
		abort();
}

static void poke(u8 at, u8 val)
{
	struct vpic_state s = pic[cur].s;

	((u8 *)&s)[at % sizeof(s)] = val;
	if (vpic_state_check(&s))
		return;
	pic[cur].s = s;
	level = vpic_intr(&pic[cur]);
}

static void step(const u8 *op)
{
	switch (op[0] % 8) {
	case 0:
	case 1:
	case 2:
		access(op[0] >> 4, op[1], op[2]);
		break;
	case 3:
	case 4:
		vpic_set_irq(&pic[cur], op[1] % 20, op[2] & 1);
		break;
	case 5:
	case 6:
		acknowledge();
		break;
	default:
		if (op[1] & 1) {
			poke(op[1] >> 1, op[2]);
			break;
		}
		pic[!cur].s = pic[cur].s;
		cur = !cur;
		break;
	}
}

/* What a PC's firmware writes, so that not every input has to find it. */
static void init_chips(u8 icw4)
{
	static const u16 port[] = { 0x20, 0x21, 0x21, 0x21, 0xa0, 0xa1, 0xa1, 0xa1 };
	const u8 val[] = { 0x11, 0x30, 0x04, icw4, 0x11, 0x38, 0x02, icw4 >> 4 };

	for (int i = 0; i < 8; i++) {
		u32 v = val[i];

		bus_io(&bus[cur], port[i], 1, false, &v);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cur = 0;
	level = false;
	for (int i = 0; i < 2; i++) {
		bus_init(&bus[i]);
		if (vpic_init(&pic[i], &bus[i], intr, &pic[i]))
			abort();
	}
	if (size && data[0])
		init_chips(data[0]);
	for (; size >= 3; data += 3, size -= 3) {
		step(data);
		if (vpic_state_check(&pic[cur].s) || level != vpic_intr(&pic[cur]))
			abort();
	}
	return 0;
}
