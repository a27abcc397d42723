// SPDX-License-Identifier: MIT
#include "tests/guests/rt/ioapic.h"

PAYLOAD(ioapic, .ref = "82093AA data sheet 290566, 3.0; ICH9 13.5",
	.desc = "I/O APIC: registers, edge, level, Remote IRR, EOI, masks, delivery modes");

#define VEC		0x61
#define OTHER		0x71
#define EDGE_PIN	10
#define LEVEL_PIN	11
#define HERE		RTE_DEST(apic_id())
/* Bits 55:17 are reserved. */
#define DEFINED		(RTE_DEST(0xff) | 0x1ffff)
#define READ_ONLY	(RTE_PENDING | RTE_REMOTE_IRR)

static volatile u32 hits, nmis;
static volatile u32 fall_at;
static volatile bool send_eoi = true, tmr, irr_in_handler;
static unsigned int pins;

static void on_irq(unsigned int vector)
{
	hits++;
	tmr = apic_bit(APIC_TMR, vector);
	irr_in_handler = ioapic_entry(LEVEL_PIN) & RTE_REMOTE_IRR;
	if (hits >= fall_at)
		pc_line(LEVEL_PIN, false);
	if (send_eoi)
		apic_eoi();
}

static void on_nmi(unsigned int vector)
{
	nmis++;
}

static void reset(void)
{
	pc_line(EDGE_PIN, false);
	pc_line(LEVEL_PIN, false);
	for (unsigned int pin = 0; pin < pins; pin++)
		ioapic_set_entry(pin, RTE_MASKED);
	pc_settle();
	hits = 0;
	fall_at = ~0u;
	send_eoi = true;
}

static void edge(void)
{
	pc_line(EDGE_PIN, false);
	pc_line(EDGE_PIN, true);
	pc_settle();
}

static void check_registers(void)
{
	u32 ver = ioapic_read(IOAPIC_VER);
	unsigned int unmasked = 0;
	u32 id;

	pins = (ver >> 16 & 0xff) + 1;
	rt_check(pins == 24 && (ver & 0xff) >= 0x11, "version", "%x", ver);
	for (unsigned int pin = 0; pin < pins; pin++)
		unmasked += !(ioapic_entry(pin) & RTE_MASKED);
	rt_check(!unmasked, "all entries start masked", "%u do not", unmasked);
	id = ioapic_read(IOAPIC_ID);
	for (u32 v = 0; v < 16; v++) {
		ioapic_write(IOAPIC_ID, v << 24 | 0xf0ffffff);
		rt_quiet(ioapic_read(IOAPIC_ID) == v << 24, "ID has bits 27:24", "%x",
			 ioapic_read(IOAPIC_ID));
		/* 3.2.3: loaded when ID is. */
		rt_quiet(ioapic_read(IOAPIC_ARB) == v << 24, "ARB follows ID", "%x",
			 ioapic_read(IOAPIC_ARB));
	}
	ioapic_write(IOAPIC_ID, id);
	ioapic_write(IOAPIC_VER, ~ver);
	rt_check(ioapic_read(IOAPIC_VER) == ver, "version is read-only", "%x",
		 ioapic_read(IOAPIC_VER));
	*ioapic_at(IOREGSEL) = 0x3f;
	rt_check((*ioapic_at(IOREGSEL) & 0xff) == 0x3f, "IOREGSEL reads back", "%x",
		 *ioapic_at(IOREGSEL));
}

static void check_entry_bits(void)
{
	for (unsigned int pin = 0; pin < pins; pin++) {
		u64 v = (u64)rt_random() << 32 | rt_random();
		u64 got;

		v |= RTE_MASKED;
		ioapic_write(IOAPIC_REDIR(pin), (u32)v);
		ioapic_write(IOAPIC_REDIR(pin) + 1, (u32)(v >> 32));
		got = ioapic_entry(pin) & DEFINED;
		rt_quiet(got == (v & DEFINED & ~READ_ONLY), "entry as written", "%u: %llx of %llx",
			 pin, got, v);
		ioapic_write(IOAPIC_REDIR(pin), (u32)RTE_MASKED);
		rt_quiet(ioapic_entry(pin) >> 56 == v >> 56, "halves are apart", "%u: %llx", pin,
			 ioapic_entry(pin));
	}
	rt_check(true, "redirection entries", " ");
}

static void check_edge(void)
{
	reset();
	ioapic_set_entry(EDGE_PIN, HERE | VEC);
	edge();
	rt_check(hits == 1 && !tmr, "edge: one, TMR clear", "%u, %u", hits, tmr);
	rt_check(!(ioapic_entry(EDGE_PIN) & RTE_REMOTE_IRR), "edge: no Remote IRR", " ");
	edge();
	rt_check(hits == 2, "edge: one more", "%u", hits);
	/* While IRR and ISR of the local APIC hold the vector, further edges are one. */
	send_eoi = false;
	edge();
	edge();
	edge();
	rt_check(hits == 3, "in service: none", "%u", hits);
	send_eoi = true;
	apic_eoi();
	pc_settle();
	rt_check(hits == 4, "after EOI the one that waited", "%u", hits);
	/* 3.2.4, mask: "edge-sensitive interrupts ... are ignored". */
	ioapic_set_entry(EDGE_PIN, RTE_MASKED | HERE | VEC);
	edge();
	ioapic_set_entry(EDGE_PIN, HERE | VEC);
	pc_settle();
	rt_check(hits == 4, "masked: an edge is lost", "%u", hits);
	edge();
	rt_check(hits == 5, "unmasked: the next one comes", "%u", hits);
	ioapic_set_entry(EDGE_PIN, HERE | OTHER);
	edge();
	rt_check(hits == 5 && apic_bit(APIC_IRR, OTHER) == 0, "another vector", "%u", hits);
}

static volatile u32 others;

static void on_other(unsigned int vector)
{
	others++;
	apic_eoi();
}

static void check_level(void)
{
	reset();
	ioapic_set_entry(LEVEL_PIN, RTE_LEVEL | HERE | VEC);
	fall_at = 4;
	pc_line(LEVEL_PIN, true);
	pc_settle();
	rt_check(hits == 4 && tmr, "level: until the line falls, TMR set", "%u, %u", hits, tmr);
	rt_check(irr_in_handler, "Remote IRR is set in the handler", " ");
	rt_check(!(ioapic_entry(LEVEL_PIN) & RTE_REMOTE_IRR), "and clear after EOI", " ");
	/* The line falls before EOI: Remote IRR stays until EOI, nothing follows. */
	hits = 0;
	fall_at = ~0u;
	send_eoi = false;
	pc_line(LEVEL_PIN, true);
	pc_settle();
	pc_line(LEVEL_PIN, false);
	rt_check(hits == 1 && ioapic_entry(LEVEL_PIN) & RTE_REMOTE_IRR,
		 "Remote IRR stays when the line falls", "%u, %llx", hits, ioapic_entry(LEVEL_PIN));
	send_eoi = true;
	apic_eoi();
	pc_settle();
	rt_check(hits == 1 && !(ioapic_entry(LEVEL_PIN) & RTE_REMOTE_IRR), "none after EOI",
		 "%u, %llx", hits, ioapic_entry(LEVEL_PIN));
	/* A write does not touch the read-only bit. */
	send_eoi = false;
	pc_line(LEVEL_PIN, true);
	pc_settle();
	ioapic_write(IOAPIC_REDIR(LEVEL_PIN), (u32)(RTE_MASKED | RTE_LEVEL | VEC));
	rt_check(ioapic_entry(LEVEL_PIN) & RTE_REMOTE_IRR, "Remote IRR is read-only", "%llx",
		 ioapic_entry(LEVEL_PIN));
	pc_line(LEVEL_PIN, false);
	apic_eoi();
	pc_settle();
}

static void check_level_masked(void)
{
	reset();
	ioapic_set_entry(LEVEL_PIN, RTE_MASKED | RTE_LEVEL | HERE | VEC);
	pc_line(LEVEL_PIN, true);
	pc_settle();
	rt_check(!hits, "level, masked: none", "%u", hits);
	fall_at = 1;
	ioapic_set_entry(LEVEL_PIN, RTE_LEVEL | HERE | VEC);
	pc_settle();
	rt_check(hits == 1, "level, unmasked: it comes", "%u", hits);
	/* Masked between request and EOI, with the line up: no more. */
	hits = 0;
	fall_at = ~0u;
	send_eoi = false;
	pc_line(LEVEL_PIN, true);
	pc_settle();
	ioapic_write(IOAPIC_REDIR(LEVEL_PIN), (u32)(RTE_MASKED | RTE_LEVEL | VEC));
	apic_eoi();
	pc_settle();
	rt_check(hits == 1 && !(ioapic_entry(LEVEL_PIN) & RTE_REMOTE_IRR),
		 "masked before EOI: none, Remote IRR clear", "%u, %llx", hits,
		 ioapic_entry(LEVEL_PIN));
}

/* ICH9 13.5.4: a write of the vector is what the EOI message does. */
static void check_eoi_register(void)
{
	if ((ioapic_read(IOAPIC_VER) & 0xff) < 0x20) {
		rt_note("no EOI register");
		return;
	}
	reset();
	ioapic_set_entry(LEVEL_PIN, RTE_LEVEL | HERE | VEC);
	send_eoi = false;
	pc_line(LEVEL_PIN, true);
	pc_settle();
	pc_line(LEVEL_PIN, false);
	*ioapic_at(IOEOI) = OTHER;
	rt_check(ioapic_entry(LEVEL_PIN) & RTE_REMOTE_IRR, "EOI register, another vector", " ");
	*ioapic_at(IOEOI) = VEC;
	rt_check(!(ioapic_entry(LEVEL_PIN) & RTE_REMOTE_IRR), "EOI register", "%llx",
		 ioapic_entry(LEVEL_PIN));
	apic_eoi();
	/* Two pins with one vector: an EOI is for both. */
	reset();
	send_eoi = false;
	ioapic_set_entry(LEVEL_PIN, RTE_LEVEL | HERE | VEC);
	ioapic_set_entry(EDGE_PIN, RTE_LEVEL | HERE | VEC);
	pc_line(LEVEL_PIN, true);
	pc_line(EDGE_PIN, true);
	rt_check(ioapic_entry(LEVEL_PIN) & ioapic_entry(EDGE_PIN) & RTE_REMOTE_IRR,
		 "two pins with one vector", " ");
	pc_settle();
	pc_line(LEVEL_PIN, false);
	pc_line(EDGE_PIN, false);
	apic_eoi();
	rt_check(!((ioapic_entry(LEVEL_PIN) | ioapic_entry(EDGE_PIN)) & RTE_REMOTE_IRR),
		 "one EOI for both", "%u", hits);
	send_eoi = true;
	pc_settle();
}

static const struct {
	const char *name;
	u64 entry;
	u32 hits, nmis;
} modes[] = {
	{ "physical, no such CPU", RTE_DEST(0x0d) | VEC, 0, 0 },
	{ "physical, broadcast", RTE_DEST(0xff) | VEC, 1, 0 },
	{ "logical, this CPU", RTE_LOGICAL | RTE_DEST(0x04) | VEC, 1, 0 },
	{ "logical, set of CPUs", RTE_LOGICAL | RTE_DEST(0x86) | VEC, 1, 0 },
	{ "logical, other CPUs", RTE_LOGICAL | RTE_DEST(0xfb) | VEC, 0, 0 },
	{ "logical, nobody", RTE_LOGICAL | RTE_DEST(0) | VEC, 0, 0 },
	{ "lowest priority", RTE_LOGICAL | RTE_DEST(0xff) | APIC_DM_LOWEST | VEC, 1, 0 },
	{ "NMI", RTE_LOGICAL | RTE_DEST(0x04) | APIC_DM_NMI | VEC, 0, 1 },
};

static void check_modes(void)
{
	/* Flat, logical id bit 2. */
	apic_write(APIC_DFR, ~0u);
	apic_write(APIC_LDR, 0x04000000);
	rt_irq(VEC_NMI, on_nmi);
	for (unsigned int i = 0; i < ARRAY_LEN(modes); i++) {
		reset();
		nmis = 0;
		ioapic_set_entry(EDGE_PIN, modes[i].entry);
		edge();
		rt_check(hits == modes[i].hits && nmis == modes[i].nmis, modes[i].name,
			 "%u interrupts, %u NMIs", hits, nmis);
	}
}

int main(struct rt_info *info)
{
	pit_quiet();
	pic_init(ICW4_X86, ICW4_X86);
	pc_line(EDGE_PIN, true);
	if (!(pic_irr(PIC2) & 4))
		return rt_skip("no port that drives interrupt lines");
	apic_enable();
	rt_irq(VEC, on_irq);
	rt_irq(OTHER, on_other);
	check_registers();
	check_entry_bits();
	check_edge();
	rt_check(others == 1, "its handler ran", "%u", others);
	check_level();
	check_level_masked();
	check_eoi_register();
	check_modes();
	reset();
	return rt_result();
}
