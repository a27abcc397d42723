// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"

PAYLOAD(lapicprio, .ref = "SDM3 11.8.3 to 11.8.6; APM2 16.6",
	.desc = "local APIC: self IPIs by priority, IRR, ISR, EOI, TPR, PPR, CR8");

#define MAX_LOG		16

static volatile u8 order[MAX_LOG];
static volatile unsigned int count;

static void note(unsigned int vector)
{
	if (count < MAX_LOG)
		order[count] = (u8)vector;
	count++;
}

static void on_irq(unsigned int vector)
{
	note(vector);
	apic_eoi();
}

/* With interrupts off; it is in IRR afterwards. */
static void self(u32 vector)
{
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | vector);
	RT_WAIT(apic_bit(APIC_IRR, vector));
}

static void expect_order(const char *name, const u8 *want, unsigned int n)
{
	bool ok = count == n;

	for (unsigned int i = 0; i < n && i < count; i++)
		ok &= order[i] == want[i];
	rt_check(ok, name, "%u came: %02x %02x %02x %02x", count, order[0], order[1], order[2],
		 order[3]);
	count = 0;
}

static void check_order(void)
{
	static const u8 sent[] = { 0x41, 0x72, 0x33, 0xa4 }, want[] = { 0xa4, 0x72, 0x41, 0x33 };
	bool irr = true, isr = false, tmr = false;

	cli();
	for (unsigned int i = 0; i < ARRAY_LEN(sent); i++) {
		rt_irq(sent[i], on_irq);
		self(sent[i]);
		self(sent[i]);
	}
	for (unsigned int i = 0; i < ARRAY_LEN(sent); i++) {
		irr &= apic_bit(APIC_IRR, sent[i]);
		isr |= apic_bit(APIC_ISR, sent[i]);
		tmr |= apic_bit(APIC_TMR, sent[i]);
	}
	rt_check(irr, "IRR has what was sent", " ");
	rt_check(!isr && !tmr, "ISR and TMR do not", " ");
	rt_check(apic_read(APIC_PPR) == 0, "PPR is 0 before", "%x", apic_read(APIC_PPR));
	sti_nop();
	cli();
	/* Two of a vector that was not taken yet are one. */
	expect_order("highest first, each once", want, ARRAY_LEN(want));
	irr = false;
	for (unsigned int i = 0; i < 8; i++)
		irr |= apic_read(APIC_IRR + i * 0x10) || apic_read(APIC_ISR + i * 0x10);
	rt_check(!irr, "IRR and ISR are empty after", " ");
}

static volatile u32 ppr_in, ppr_deep;
static volatile bool isr_in, irr_same, irr_lower;

static void on_outer(unsigned int vector)
{
	note(vector);
	ppr_in = apic_read(APIC_PPR);
	isr_in = apic_bit(APIC_ISR, vector) && !apic_bit(APIC_IRR, vector);
	self(0x7f);	/* the same class waits */
	self(0x65);
	self(vector);
	self(0x81);	/* a higher one does not */
	sti_nop();
	cli();
	irr_same = apic_bit(APIC_IRR, 0x7f) && apic_bit(APIC_IRR, vector);
	irr_lower = apic_bit(APIC_IRR, 0x65);
	note(1);
	apic_eoi();
}

static void on_inner(unsigned int vector)
{
	note(vector);
	ppr_deep = apic_read(APIC_PPR);
	apic_eoi();
}

static void on_outer_again(unsigned int vector)
{
	rt_irq(vector, on_irq);
	on_outer(vector);
}

static void check_nesting(void)
{
	static const u8 want[] = { 0x72, 0x81, 1, 0x7f, 0x72, 0x65 };

	cli();
	rt_irq(0x72, on_outer_again);
	rt_irq(0x7f, on_irq);
	rt_irq(0x65, on_irq);
	rt_irq(0x81, on_inner);
	self(0x72);
	sti_nop();
	RT_WAIT(count >= ARRAY_LEN(want));
	cli();
	expect_order("nesting", want, ARRAY_LEN(want));
	rt_check(ppr_in == 0x70, "PPR in service", "%x", ppr_in);
	rt_check(ppr_deep == 0x80, "PPR in the inner one", "%x", ppr_deep);
	rt_check(isr_in, "in service: ISR, not IRR", " ");
	rt_check(irr_same, "the same class waits in IRR", " ");
	rt_check(irr_lower, "a lower class does", " ");
}

static volatile u32 ppr_seen[4];

static void on_ppr(unsigned int vector)
{
	static const u8 tpr[] = { 0x2f, 0x5f, 0x50, 0x9a };

	for (unsigned int i = 0; i < ARRAY_LEN(tpr); i++) {
		apic_write(APIC_TPR, tpr[i]);
		ppr_seen[i] = apic_read(APIC_PPR);
	}
	apic_write(APIC_TPR, 0);
	apic_eoi();
}

/* SDM3 11.8.3.1: the class of the ISR with 0, or the whole TPR. */
static void check_ppr(void)
{
	static const u32 want[] = { 0x50, 0x5f, 0x50, 0x9a };

	cli();
	rt_irq(0x58, on_ppr);
	self(0x58);
	sti_nop();
	cli();
	for (unsigned int i = 0; i < ARRAY_LEN(want); i++)
		rt_check(ppr_seen[i] == want[i], "PPR of TPR and ISR", "%u: %x, not %x", i,
			 ppr_seen[i], want[i]);
	apic_write(APIC_TPR, 0x3c);
	rt_check(apic_read(APIC_PPR) == 0x3c, "PPR is TPR without ISR", "%x",
		 apic_read(APIC_PPR));
	apic_write(APIC_TPR, 0);
}

/* SDM3 11.8.6 */
static void check_cr8(void)
{
	bool ok = true;

	for (u32 v = 0; v < 0x100; v++) {
		apic_write(APIC_TPR, v);
		ok &= read_cr8() == v >> 4 && apic_read(APIC_TPR) == v;
	}
	rt_check(ok, "CR8 is TPR 7:4", " ");
	for (ulong v = 16; v--;) {
		apic_write(APIC_TPR, 0xf);
		write_cr8(v);
		ok &= apic_read(APIC_TPR) == v << 4 && read_cr8() == v &&
		      apic_read(APIC_PPR) == v << 4;
	}
	rt_check(ok, "TPR is CR8, its low bits 0", " ");
}

static void tpr_by_mmio(ulong class)
{
	apic_write(APIC_TPR, (u32)class << 4);
}

static void tpr_by_cr8(ulong class)
{
	write_cr8(class);
}

/* TPR holds back its own class and lower ones; lowered, it lets them through. */
static void check_tpr(const char *name, void (*set)(ulong class))
{
	static const u8 first[] = { 0x61 }, second[] = { 0x52 }, third[] = { 0x4e };

	cli();
	rt_irq(0x61, on_irq);
	rt_irq(0x52, on_irq);
	rt_irq(0x4e, on_irq);
	count = 0;
	set(5);
	self(0x52);
	self(0x4e);
	self(0x61);
	sti_nop();
	expect_order(name, first, 1);
	rt_check(apic_bit(APIC_IRR, 0x52) && apic_bit(APIC_IRR, 0x4e), "the others wait", " ");
	set(4);
	sti_nop();
	expect_order("TPR 4x", second, 1);
	set(15);
	sti_nop();
	expect_order("TPR Fx", NULL, 0);
	set(3);
	sti_nop();
	expect_order("TPR 3x", third, 1);
	set(0);
	cli();
}

/* EOI with nothing in service does nothing. */
static void check_eoi(void)
{
	static const u8 want[] = { 0x61 };

	cli();
	self(0x61);
	apic_eoi();
	rt_check(apic_bit(APIC_IRR, 0x61), "EOI does not touch IRR", " ");
	sti_nop();
	cli();
	expect_order("after it", want, 1);
}

/* Every vector from 20h on can be sent; those of an IDT entry each come once. */
static void check_vectors(void)
{
	unsigned int bad = 0;

	for (u32 v = 0x20; v < 0xff; v++) {
		if (v == 0x80)
			continue;
		rt_irq(v, on_irq);
		cli();
		count = 0;
		self(v);
		bad += !apic_bit(APIC_IRR, v);
		sti_nop();
		bad += count != 1 || order[0] != v;
	}
	cli();
	rt_check(!bad, "vectors 20h to FEh", "%u wrong", bad);
	count = 0;
}

int main(struct rt_info *info)
{
	apic_enable();
	check_order();
	check_nesting();
	check_ppr();
	check_cr8();
	check_tpr("TPR 5x by MMIO", tpr_by_mmio);
	check_tpr("TPR 5x by CR8", tpr_by_cr8);
	check_eoi();
	check_vectors();
	rt_check(!apic_spurious, "no spurious interrupt", "%u", apic_spurious);
	return rt_result();
}
