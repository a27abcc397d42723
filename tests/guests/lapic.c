// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"

PAYLOAD(lapic, .ref = "SDM3 11.4, 11.5.1, 11.5.3, 11.9; APM2 16.3, 16.4",
	.desc = "local APIC: registers, reserved bits, ESR, software disable");

#define VEC_ERROR	0x51
#define VEC_FIXED	0x61
#define SEND_LOST	0xfe		/* no APIC has this id here */

/* The bits that a write of ones sets, and those that read so whatever is written. */
static const struct reg_row {
	const char *name;
	u16 reg;
	u32 writable, ones;
} rows[] = {
	{ "TPR", APIC_TPR, 0xff, 0 },
	{ "LDR", APIC_LDR, 0xff000000, 0 },
	{ "DFR", APIC_DFR, 0xf0000000, 0x0fffffff },
	{ "ICR 63:32", APIC_ICR2, 0xff000000, 0 },
	{ "LVT timer", APIC_LVT_TIMER, 0x300ff, 0 },
	{ "LVT thermal", APIC_LVT_THERMAL, 0x107ff, 0 },
	{ "LVT performance", APIC_LVT_PERF, 0x107ff, 0 },
	{ "LVT LINT0", APIC_LVT_LINT0, 0x1a7ff, 0 },
	{ "LVT LINT1", APIC_LVT_LINT1, 0x1a7ff, 0 },
	{ "LVT error", APIC_LVT_ERROR, 0x100ff, 0 },
	{ "initial count", APIC_TMICT, 0xffffffff, 0 },
	{ "divide configuration", APIC_TDCR, 0xb, 0 },
};

/* SDM3 table 11-1: read-only. */
static const u16 read_only[] = {
	APIC_VERSION, APIC_APR, APIC_PPR, APIC_ISR, APIC_ISR + 0x70, APIC_TMR, APIC_TMR + 0x70,
	APIC_IRR, APIC_IRR + 0x70, APIC_TMCCT,
};

static volatile u32 hits, errors, nmis;

static void on_fixed(unsigned int vector)
{
	hits++;
	apic_eoi();
}

static void on_error(unsigned int vector)
{
	errors++;
	apic_eoi();
}

static void on_nmi(unsigned int vector)
{
	nmis++;
}

static void check_writable(void)
{
	bool reserved_zero = true;

	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		const struct reg_row *r = &rows[i];
		u32 old = apic_read(r->reg), ones, zeros;

		if (!apic_has_lvt(r->reg))
			continue;
		/* Ones mask an LVT; zeros would be a fixed interrupt with vector 0. */
		apic_write(r->reg, ~0u);
		ones = apic_read(r->reg);
		apic_write(r->reg, r->reg >= APIC_LVT_TIMER && r->reg <= APIC_LVT_ERROR ?
			   VEC_FIXED : 0);
		zeros = apic_read(r->reg) & ~(r->ones | VEC_FIXED);
		apic_write(r->reg, old);
		rt_check((ones & r->writable) == r->writable && !zeros, r->name,
			 "ones %x, zeros %x", ones, zeros);
		/* An LVT timer with TSC deadlines has bit 18, too. */
		ones &= ~(r->reg == APIC_LVT_TIMER && rt_has(1, 0, ECX, 24) ? 0x40000u : 0);
		if (ones != (r->writable | r->ones)) {
			reserved_zero = false;
			rt_printf("NOTE %s: reserved or read-only bits %x\n", r->name,
				  ones & ~(r->writable | r->ones));
		}
	}
	rt_known(apic_is_qemu(), reserved_zero, "reserved and status bits stay 0",
		 "QEMU 7.2 hw/intc/apic.c apic_mem_write keeps ICR and LVT as written");
}

static void check_read_only(void)
{
	bool same = true;

	cli();
	for (unsigned int i = 0; i < ARRAY_LEN(read_only); i++) {
		u32 old = apic_read(read_only[i]);

		apic_write(read_only[i], ~old);
		if (apic_read(read_only[i]) != old) {
			same = false;
			rt_printf("NOTE register %x changed\n", read_only[i]);
		}
	}
	rt_check(same, "read-only registers do not change", " ");
	apic_write(APIC_ESR, 0);
}

static void check_version(void)
{
	u32 v = apic_read(APIC_VERSION);

	/* SDM3 11.4.8: 10h to 1fh is an integrated APIC; bit 24, 31: features. */
	rt_check((v & 0xf0) == 0x10, "version", "%x", v);
	rt_check((v >> 16 & 0xff) >= 3 && (v >> 16 & 0xff) <= 6, "last LVT entry", "%x", v);
	rt_check(!(v & 0x7e00ff00), "version: reserved bits", "%x", v);
	rt_check(apic_id() == cpuid(1).ebx >> 24, "the id is CPUID's", "%x, %x", apic_id(),
		 cpuid(1).ebx >> 24);
	rt_check(apic_read(APIC_SVR) == (APIC_SVR_ENABLE | APIC_VEC_SPURIOUS), "SVR", "%x",
		 apic_read(APIC_SVR));
}

/* Errors collect unseen; a write shows them and starts anew (SDM3 11.5.3). */
static void check_esr(void)
{
	static const char *const why = "QEMU 7.2 hw/intc/apic.c: ESR shows at once, writes to it "
				       "are lost, no illegal vectors";
	u32 before, latched, again;

	cli();
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
	rt_check(!apic_read(APIC_ESR), "ESR is clear", "%x", apic_read(APIC_ESR));
	/* 40h is reserved; so is 3f0h but for x2APIC. */
	rt_check(apic_read(0x40) == 0, "a reserved register reads 0", " ");
	before = apic_read(APIC_ESR);
	apic_write(APIC_ESR, 0);
	latched = apic_read(APIC_ESR);
	apic_write(APIC_ESR, 0);
	again = apic_read(APIC_ESR);
	rt_check(latched == APIC_ESR_REGISTER, "illegal register address", "%x", latched);
	rt_known(apic_is_qemu(), !before && !again, "ESR is latched and cleared by a write", why);
	if (apic_is_qemu())
		return;
	apic_write(0x3f0, 0);
	apic_write(APIC_ESR, 0);
	rt_check(apic_read(APIC_ESR) == APIC_ESR_REGISTER, "a write to a reserved register",
		 "%x", apic_read(APIC_ESR));
	apic_write(APIC_ESR, 0);
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | 0xf);
	apic_write(APIC_ESR, 0);
	latched = apic_read(APIC_ESR);
	/* The one who sends is also the one who receives. */
	rt_check((latched & ~APIC_ESR_RECV_VECTOR) == APIC_ESR_SEND_VECTOR,
		 "send of an illegal vector", "%x", latched);
	rt_check(!apic_bit(APIC_IRR, 0xf), "vector 15 is not accepted", " ");
	apic_write(APIC_ESR, 0);
}

static void check_error_interrupt(void)
{
	if (apic_is_qemu()) {
		rt_note("no error interrupts in QEMU 7.2 hw/intc/apic.c");
		return;
	}
	rt_irq(VEC_ERROR, on_error);
	apic_write(APIC_LVT_ERROR, VEC_ERROR);
	apic_read(0x40);
	sti_nop();
	rt_check(RT_WAIT(errors == 1), "error interrupt", "%u", errors);
	cli();
	apic_write(APIC_LVT_ERROR, APIC_LVT_MASKED | VEC_ERROR);
	apic_write(APIC_ESR, 0);
	apic_read(0x40);
	sti_nop();
	rt_check(errors == 1, "not when it is masked", "%u", errors);
	cli();
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
}

/* SDM3 11.4.7.2 */
static void check_disable(void)
{
	u32 lint0, set;

	cli();
	rt_irq(VEC_FIXED, on_fixed);
	rt_irq(VEC_NMI, on_nmi);
	apic_write(APIC_LVT_LINT0, VEC_FIXED);
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | VEC_FIXED);
	RT_WAIT(apic_bit(APIC_IRR, VEC_FIXED));
	apic_write(APIC_SVR, APIC_VEC_SPURIOUS);
	lint0 = apic_read(APIC_LVT_LINT0);
	apic_write(APIC_LVT_LINT0, VEC_FIXED);
	set = apic_read(APIC_LVT_LINT0);
	rt_known(apic_is_qemu(), lint0 == (APIC_LVT_MASKED | VEC_FIXED) && set == lint0,
		 "software-disabled: LVT masked and kept so",
		 "QEMU 7.2 hw/intc/apic.c apic_mem_write only stores SVR");
	rt_check(apic_bit(APIC_IRR, VEC_FIXED), "what is pending is held", " ");
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | (VEC_FIXED + 1));
	rt_known(apic_is_qemu(), !apic_bit(APIC_IRR, VEC_FIXED + 1),
		 "software-disabled: fixed ones are not accepted",
		 "QEMU 7.2 hw/intc/apic.c apic_set_irq does not look at SVR");
	apic_ipi(apic_id(), APIC_ASSERT | APIC_DM_NMI);
	rt_check(RT_WAIT(nmis == 1), "software-disabled: NMI is", "%u", nmis);
	rt_irq(VEC_FIXED + 1, on_fixed);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | APIC_VEC_SPURIOUS);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	hits = 0;
	sti_nop();
	rt_check(RT_WAIT(hits), "and comes when it is enabled again", " ");
	cli();
}

static void check_lost(void)
{
	hits = 0;
	apic_ipi(SEND_LOST, APIC_ASSERT | VEC_FIXED);
	sti_nop();
	cli();
	rt_check(!hits && !apic_bit(APIC_IRR, VEC_FIXED), "an IPI to nobody is lost", " ");
	rt_check(!(apic_read(APIC_ICR) & APIC_PENDING), "and not pending", "%x",
		 apic_read(APIC_ICR));
	rt_check(apic_read(APIC_ICR2) == (u32)SEND_LOST << 24, "ICR 63:32 reads back", "%x",
		 apic_read(APIC_ICR2));
	rt_check(apic_read(APIC_ICR) == (APIC_ASSERT | VEC_FIXED), "ICR 31:0 reads back", "%x",
		 apic_read(APIC_ICR));
}

int main(struct rt_info *info)
{
	apic_enable();
	check_version();
	check_writable();
	check_read_only();
	check_esr();
	check_error_interrupt();
	check_disable();
	check_lost();
	return rt_result();
}
