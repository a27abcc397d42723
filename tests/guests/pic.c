// SPDX-License-Identifier: MIT
#include "tests/guests/rt/pc.h"

PAYLOAD(pic, .ref = "8259A data sheet 231468; ICH9 13.4",
	.desc = "8259A: ICWs, IMR, IRR, ISR, ELCR, poll, priorities, EOIs, rotation, masks");

/*
 * Interrupts stay off: requests are acknowledged by polling ("the 8259A treats
 * the next RD pulse as an interrupt acknowledge"), so that each step is seen.
 */
#define NONE	-1

static void cmd(u16 chip, u8 v)
{
	outb(chip, v);
}

/* The level that a poll acknowledges, or NONE. */
static int poll(u16 chip)
{
	u8 v;

	cmd(chip, OCW3_POLL);
	v = inb(chip);
	return v & 0x80 ? v & 7 : NONE;
}

static void expect_poll(const char *name, u16 chip, int want)
{
	int got = poll(chip);

	rt_check(got == want, name, "level %d, not %d", got, want);
}

static void expect_isr(const char *name, u16 chip, u8 want)
{
	u8 got = pic_isr(chip);

	rt_check(got == want, name, "ISR %x, not %x", got, want);
}

static void pulse(unsigned int n)
{
	pc_line(n, false);
	pc_line(n, true);
	pc_line(n, false);
}

static void reset(u8 master, u8 slave)
{
	for (unsigned int n = 0; n < 16; n++)
		if (PC_FREE_LINES >> n & 1)
			pc_line(n, false);
	pic_init(master, slave);
	pic_open(PC_FREE_LINES);
}

/* A high line stays high, for a request must (8259A: "until after the first INTA"). */
static void raise(u16 lines)
{
	for (unsigned int n = 0; n < 16; n++)
		if (lines >> n & 1)
			pc_line(n, true);
}

static void check_imr(u16 chip)
{
	unsigned int bad = 0;

	for (unsigned int v = 0; v < 256; v++) {
		outb(chip + 1, (u8)v);
		bad += inb(chip + 1) != v;
	}
	rt_check(!bad, "IMR keeps all values", "chip %x: %u do not", chip, bad);
}

static void check_icw(void)
{
	reset(ICW4_X86, ICW4_X86);
	raise(1 << 3);
	expect_poll("a request", PIC1, 3);
	expect_isr("is in service", PIC1, 0x08);
	outb(PIC1 + 1, 0xff);
	/* ISR is selected now; ICW1 clears IMR, resets the edge sense, selects IRR. */
	raise(1 << 5);
	cmd(PIC1, ICW1_INIT);
	outb(PIC1 + 1, 0x57);	/* bits 2:0 are not used in 8086 mode */
	outb(PIC1 + 1, 0x04);
	outb(PIC1 + 1, ICW4_X86);
	rt_check(!inb(PIC1 + 1), "ICW1 clears IMR", "%x", inb(PIC1 + 1));
	outb(PIC1 + 1, (u8)~0xe8);
	rt_check(!(pic_irr(PIC1) & 0x28), "a line that was high is no edge", "IRR %x",
		 pic_irr(PIC1));
	expect_isr("ISR is empty", PIC1, 0);
	cmd(PIC1, ICW1_INIT);
	outb(PIC1 + 1, PIC_VEC(0));
	outb(PIC1 + 1, 0x04);
	outb(PIC1 + 1, ICW4_X86);
	pulse(5);
	raise(1 << 5);
	rt_check((inb(PIC1) & 0x28) == 0x20, "after ICW1 a read is IRR", "%x", inb(PIC1));
}

/* Without IC4 no ICW4 follows; with SNGL no ICW3. */
static void check_icw_count(void)
{
	static const struct {
		u8 icw1;
		u8 more;	/* data writes before OCW1 */
	} forms[] = { { 0x10, 2 }, { 0x11, 3 }, { 0x12, 1 }, { 0x13, 2 } };

	for (unsigned int i = 0; i < ARRAY_LEN(forms); i++) {
		cmd(PIC2, forms[i].icw1);
		for (unsigned int k = 0; k < forms[i].more; k++)
			outb(PIC2 + 1, k ? ICW4_X86 : PIC_VEC(8));
		rt_check(inb(PIC2 + 1) == 0, "IMR before OCW1", "%x: %x", forms[i].icw1,
			 inb(PIC2 + 1));
		outb(PIC2 + 1, 0xa5);
		rt_check(inb(PIC2 + 1) == 0xa5, "ICWs, then OCW1", "%x: %x", forms[i].icw1,
			 inb(PIC2 + 1));
	}
}

/* ICH9 13.4.10, 13.4.11: lines 0, 1, 2, 8 and 13 are always edge-triggered. */
static void check_elcr(void)
{
	u8 e1, e2;

	outb(ELCR1, 0xff);
	outb(ELCR2, 0xff);
	e1 = inb(ELCR1);
	e2 = inb(ELCR2);
	rt_check(e1 == 0xf8 && e2 == 0xde, "ELCR bits", "%x, %x", e1, e2);
	outb(ELCR1, 0x20);
	outb(ELCR2, 0x08);
	e1 = inb(ELCR1);
	e2 = inb(ELCR2);
	rt_check(e1 == 0x20 && e2 == 0x08, "ELCR value", "%x, %x", e1, e2);
	outb(ELCR1, 0);
	outb(ELCR2, 0);
}

/* From line to IRR to ISR and out, for each line. */
static void check_path(unsigned int n)
{
	u16 chip = n < 8 ? PIC1 : PIC2;
	u8 bit = (u8)(1 << (n & 7));

	pulse(n);
	pc_line(n, true);
	rt_quiet(pic_irr(chip) & bit, "edge: IRR", "line %u: %x", n, pic_irr(chip));
	rt_quiet(!pic_isr(chip), "edge: not yet in service", "line %u: %x", n, pic_isr(chip));
	if (n >= 8) {
		rt_quiet(pic_irr(PIC1) & 4, "the slave asks the master", "line %u", n);
		rt_quiet(poll(PIC1) == 2, "the master shows the slave", "line %u", n);
	}
	rt_quiet(poll(chip) == (int)(n & 7), "poll", "line %u", n);
	rt_quiet(!(pic_irr(chip) & bit), "edge: acknowledged", "line %u: %x", n, pic_irr(chip));
	rt_quiet(pic_isr(chip) == bit, "ISR", "line %u: %x", n, pic_isr(chip));
	rt_quiet(poll(chip) == NONE, "one request an edge", "line %u", n);
	cmd(chip, OCW2_EOI_OF | (n & 7));
	rt_quiet(!pic_isr(chip), "specific EOI", "line %u: %x", n, pic_isr(chip));
	rt_quiet(poll(chip) == NONE, "still high is no edge", "line %u", n);
	if (n >= 8)
		cmd(PIC1, OCW2_EOI_OF | 2);
	pc_line(n, false);
}

/* Masked, an edge waits in IRR. */
static void check_masked(void)
{
	reset(ICW4_X86, ICW4_X86);
	pic_open(0);
	raise(1 << 6);
	rt_check(pic_irr(PIC1) & 0x40, "IMR does not touch IRR", "%x", pic_irr(PIC1));
	expect_poll("a masked line is not served", PIC1, NONE);
	pic_open(PC_FREE_LINES);
	expect_poll("until it is open", PIC1, 6);
	cmd(PIC1, OCW2_EOI);
}

static void check_level(void)
{
	reset(ICW4_X86, ICW4_X86);
	outb(ELCR1, 0x20);
	raise(1 << 5);
	expect_poll("level: request", PIC1, 5);
	rt_check(pic_irr(PIC1) & 0x20, "level: IRR is the line", "%x", pic_irr(PIC1));
	expect_poll("level: not before EOI", PIC1, NONE);
	cmd(PIC1, OCW2_EOI);
	expect_poll("level: again after EOI", PIC1, 5);
	pc_line(5, false);
	rt_check(!(pic_irr(PIC1) & 0x20), "level: IRR falls with it", "%x", pic_irr(PIC1));
	cmd(PIC1, OCW2_EOI);
	expect_poll("level: no more", PIC1, NONE);
}

static void check_nesting(void)
{
	reset(ICW4_X86, ICW4_X86);
	raise(1 << 5);
	expect_poll("line 5", PIC1, 5);
	raise(1 << 3 | 1 << 7);
	expect_poll("line 3 nests in it", PIC1, 3);
	expect_isr("both are in service", PIC1, 0x28);
	expect_poll("line 7 does not", PIC1, NONE);
	cmd(PIC1, OCW2_EOI);
	expect_isr("EOI is for the highest", PIC1, 0x20);
	expect_poll("line 7 does not yet", PIC1, NONE);
	cmd(PIC1, OCW2_EOI);
	expect_poll("line 7 last", PIC1, 7);
	cmd(PIC1, OCW2_EOI_OF | 3);
	expect_isr("an EOI of another level changes nothing", PIC1, 0x80);
	cmd(PIC1, 0x40);
	expect_isr("OCW2 010 is no operation", PIC1, 0x80);
	cmd(PIC1, OCW2_EOI);
	expect_isr("done", PIC1, 0);
}

static void check_rotation(void)
{
	reset(ICW4_X86, ICW4_X86);
	cmd(PIC1, OCW2_LOWEST | 5);
	raise(1 << 3 | 1 << 6 | 1 << 7);
	expect_poll("5 lowest: 6 first", PIC1, 6);
	cmd(PIC1, OCW2_EOI);
	expect_poll("then 7", PIC1, 7);
	cmd(PIC1, OCW2_EOI);
	expect_poll("then 3", PIC1, 3);
	pulse(5);
	raise(1 << 5);
	expect_poll("5 does not nest in 3", PIC1, NONE);
	cmd(PIC1, OCW2_ROT_EOI);
	/* Now 3 is the lowest, 4 the highest. */
	pulse(3);
	raise(1 << 3);
	expect_poll("rotate on EOI: 5 before 3", PIC1, 5);
	cmd(PIC1, OCW2_ROT_EOI_OF | 5);
	pulse(6);
	raise(1 << 6);
	expect_poll("rotate on specific EOI: 6", PIC1, 6);
	expect_poll("3 does not nest in 6", PIC1, NONE);
	cmd(PIC1, OCW2_EOI);
	expect_poll("3 after it", PIC1, 3);
	cmd(PIC1, OCW2_EOI);
	cmd(PIC1, OCW2_LOWEST | 7);
}

static void check_special_mask(void)
{
	reset(ICW4_X86, ICW4_X86);
	raise(1 << 3);
	expect_poll("line 3", PIC1, 3);
	outb(PIC1 + 1, (u8)(inb(PIC1 + 1) | 0x08));
	raise(1 << 5);
	expect_poll("masked, it still holds back 5", PIC1, NONE);
	cmd(PIC1, OCW3_SMM);
	expect_poll("but not with SMM", PIC1, 5);
	/* "An IS bit that is masked will not be cleared by a non-specific EOI". */
	cmd(PIC1, OCW2_EOI);
	rt_known(pc_is_qemu(), pic_isr(PIC1) == 0x08, "EOI with SMM leaves masked ISR bits",
		 "QEMU 7.2 hw/intc/i8259.c pic_ioport_write looks at all of isr");
	cmd(PIC1, OCW2_EOI_OF | 5);
	cmd(PIC1, 0x08);
	raise(1 << 6);
	pulse(5);
	raise(1 << 5);
	expect_poll("OCW3 without ESMM leaves SMM on", PIC1, 5);
	cmd(PIC1, OCW2_EOI_OF | 3);
	cmd(PIC1, OCW2_EOI_OF | 5);
	cmd(PIC1, OCW3_NO_SMM);
}

static void check_cascade(u8 sfnm)
{
	reset(ICW4_X86 | sfnm, ICW4_X86);
	raise(1 << 11);
	expect_poll("master", PIC1, 2);
	expect_poll("slave, line 11", PIC2, 3);
	raise(1 << 10);
	expect_poll(sfnm ? "SFNM: the slave's higher line nests" : "the slave in service holds "
		    "its others back", PIC1, sfnm ? 2 : NONE);
	expect_poll("slave, line 10", PIC2, 2);
	expect_isr("slave's ISR", PIC2, 0x0c);
	cmd(PIC2, OCW2_EOI);
	expect_isr("EOI of line 10", PIC2, 0x08);
	cmd(PIC2, OCW2_EOI);
	cmd(PIC1, OCW2_EOI);
	expect_isr("EOI of the cascade", PIC1, 0);
	/* Line 3 of the master is below the slave's. */
	raise(1 << 3 | 1 << 15);
	expect_poll("15 is before 3", PIC1, 2);
	expect_poll("slave, line 15", PIC2, 7);
	cmd(PIC2, OCW2_EOI);
	cmd(PIC1, OCW2_EOI);
	expect_poll("3 after it", PIC1, 3);
	cmd(PIC1, OCW2_EOI);
}

int main(struct rt_info *info)
{
	pit_quiet();
	reset(ICW4_X86, ICW4_X86);
	raise(1 << 5);
	if (!(pic_irr(PIC1) & 0x20))
		return rt_skip("no port that drives interrupt lines");
	check_imr(PIC1);
	check_imr(PIC2);
	check_icw();
	check_icw_count();
	check_elcr();
	reset(ICW4_X86, ICW4_X86);
	for (unsigned int n = 0; n < 16; n++)
		if (PC_FREE_LINES >> n & 1)
			check_path(n);
	check_masked();
	check_level();
	check_nesting();
	check_rotation();
	check_special_mask();
	check_cascade(0);
	check_cascade(ICW4_SFNM);
	return rt_result();
}
