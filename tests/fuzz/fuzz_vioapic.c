// SPDX-License-Identifier: MIT
/*
 * Any accesses, lines and EOIs at the I/O APIC, and states from outside.  What
 * is sent comes from an entry that is not masked, Remote IRR is there only
 * after a level was accepted, and the state is one that can be restored.
 */
#include <stdlib.h>
#include <string.h>

#include "core/dev/vioapic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MASKED	0x10000u
#define RIRR	0x4000u
#define LEVEL	0x8000u

static struct bus bus[2];
static struct vioapic io[2];
static int cur;
static bool refuse;
static u32 sent;

static bool deliver(void *ctx, const struct apic_msg *m)
{
	bool found = false;

	if (m->mode == APIC_MODE_3 || m->mode == APIC_SIPI || m->dest > 0xff || m->shorthand ||
	    m->wide || m->deassert || (m->level && m->mode > APIC_LOWEST))
		abort();
	for (int pin = 0; pin < VIOAPIC_PINS; pin++) {
		u64 e = io[cur].s.redir[pin];

		found |= (u8)e == m->vector && e >> 56 == m->dest && !(e & (MASKED | RIRR)) &&
			 (io[cur].s.level >> pin & 1);
	}
	if (!found)
		abort();
	sent++;
	return !refuse;
}

static u32 index_read(u8 index)
{
	u64 val = index;

	bus_mmio(&bus[cur], VIOAPIC_BASE, 1, true, &val);
	bus_mmio(&bus[cur], VIOAPIC_BASE + 0x10, 4, false, &val);
	return (u32)val;
}

static void check_registers(void)
{
	u64 select = io[cur].s.select;

	if (index_read(1) != 0x00170020 || index_read(0) != index_read(2))
		abort();
	for (u8 pin = 0; pin < VIOAPIC_PINS; pin++) {
		u32 low = index_read(0x10 + 2 * pin), high = index_read(0x11 + 2 * pin);

		if ((low & ~0x1ffffu) || (high & 0xffffffu))
			abort();
		/* Remote IRR and Delivery Status are for levels; never both. */
		if ((low & (RIRR | 0x1000)) && (!(low & LEVEL) || (low & 0x600)))
			abort();
		if ((low & RIRR) && (low & 0x1000))
			abort();
	}
	bus_mmio(&bus[cur], VIOAPIC_BASE, 4, true, &select);
}

static void move_state(void)
{
	io[!cur].s = io[cur].s;
	cur = !cur;
}

static void access(u8 op, u8 a, u64 val)
{
	/* Mostly the registers, as they should be accessed. */
	static const u64 off[] = { 0x00, 0x10, 0x10, 0x40 };
	u64 addr = VIOAPIC_BASE + (a & 0x80 ? a & 0x7f : off[a & 3]);
	u8 size = a & 0x40 ? (u8)(1 << (a >> 4 & 3)) : 4;

	bus_mmio(&bus[cur], addr, size, op & 1, &val);
}

static void poke(u8 at, u8 val)
{
	struct vioapic_state s = io[cur].s;

	((u8 *)&s)[at % sizeof(s)] = val;
	if (!vioapic_state_check(&s))
		io[cur].s = s;
}

static void step(const u8 *op)
{
	u64 val;

	memcpy(&val, op + 2, 4);
	sent = 0;
	switch (op[0] % 8) {
	case 0:
	case 1:
	case 2:
	case 3:
		access(op[0], op[1], val | val << 32);
		break;
	case 4:
	case 5:
		vioapic_set_irq(&io[cur], op[1] % 32, op[0] & 0x80);
		break;
	case 6:
		vioapic_eoi(&io[cur], op[1]);
		refuse = op[2] & 1;
		break;
	default:
		if (op[1] & 1)
			poke(op[2], op[3]);
		else
			move_state();
		break;
	}
	/* An access is at most 8 registers, an EOI sends each entry once. */
	if (sent > 8 * VIOAPIC_PINS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cur = 0;
	refuse = false;
	for (int i = 0; i < 2; i++) {
		bus_init(&bus[i]);
		if (vioapic_init(&io[i], &bus[i], deliver, NULL))
			abort();
	}
	for (; size >= 6; data += 6, size -= 6) {
		step(data);
		if (vioapic_state_check(&io[cur].s))
			abort();
		check_registers();
	}
	return 0;
}
