// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_gif, .nested = "svm", .ref = "APM2 15.13, 15.17, 15.21.7, 15.21.8",
	.desc = "GIF with events pending; physical INTR and NMI end L2 or reach it");

#define VECTOR		0x62
#define EVENT_VECTOR	0x33	/* of what L1 injects */

#define BOCHS_INTR	"Bochs 2.7 svm.cc: pending interrupts stay masked"

static struct l2 l2;
static volatile u32 ipis, nmis, events;

static void on_ipi(unsigned int vector)
{
	ipis++;
	apic_eoi();
}

static bool on_event(struct rt_regs *r)
{
	events++;
	return true;
}

static void on_nmi(unsigned int vector)
{
	nmis++;
}

static void send_ipi(void)
{
	apic_write(APIC_ICR, APIC_TO_SELF | APIC_ASSERT | VECTOR);
	RT_WAIT(apic_bit(APIC_IRR, VECTOR) || ipis);
}

/* To itself: the shorthand is not allowed for an NMI. */
static void send_nmi(void)
{
	apic_ipi(apic_id(), APIC_ASSERT | APIC_DM_NMI);
	for (volatile u32 i = 0; i < 2000; i++)
		cpu_pause();
}

static void clgi(void)
{
	__asm__ volatile("clgi" : : : "memory");
}

static void stgi(void)
{
	__asm__ volatile("stgi; nop" : : : "memory");
}

L2_CODE(nops, "", "nop; nop");
L2_CODE(sti, "", "sti; nop; nop");

static void start(const struct l2_code *code)
{
	l2_init(&l2, NULL);
	l2.c.rip = code->start;
	l2.c.exitcode = EXIT_POISON;
	ipis = nmis = events = 0;
}

static void check_clgi(void)
{
	ipis = nmis = 0;
	clgi();
	sti();
	send_ipi();
	rt_check(!ipis, "GIF = 0 holds an interrupt", "%u", ipis);
	stgi();
	rt_check(ipis == 1, "STGI lets it in", "%u", ipis);
	clgi();
	send_ipi();
	cli();
	stgi();
	rt_check(ipis == 1, "not with IF = 0", "%u", ipis);
	sti_nop();
	cli();
	rt_check(ipis == 2, "with IF = 1", "%u", ipis);
	clgi();
	send_nmi();
	rt_check(!nmis, "GIF = 0 holds an NMI", "%u", nmis);
	stgi();
	rt_check(nmis == 1, "STGI lets it in", "%u", nmis);
	/* Both at once: each comes once. */
	clgi();
	sti();
	send_ipi();
	send_nmi();
	rt_check(nmis == 1 && ipis == 2, "both are held", "%u %u", nmis, ipis);
	stgi();
	__asm__ volatile("nop; nop; cli" : : : "memory");
	rt_check(nmis == 2 && ipis == 3, "both come", "%u %u", nmis, ipis);
	/* Exceptions do not wait. */
	clgi();
	rt_fault.vector = VEC_NONE;
	RT_TRY("ud2", : : : "memory");
	stgi();
	rt_check(rt_fault.vector == VEC_UD, "#UD with GIF = 0", "%d", rt_fault.vector);
}

/* VMRUN with an interrupt pending: GIF is 0 until then, L1's IF as told. */
static void enter_pending(bool host_if)
{
	clgi();
	send_ipi();
	if (host_if)
		sti();
	else
		cli();
	svm_enter(&l2.c, &l2.regs);
	/* STI does not touch GIF. */
	cli();
}

static const struct intr_row {
	const char *name;
	u32 int_ctl;
	bool l1_if, l2_if, exits;
	u32 known;
} intr_rows[] = {
	{ "INTR: L2's IF = 1", 0, false, true, true, 0 },
	{ "INTR: L2's IF = 0", 0, true, false, false, 0 },
	{ "INTR: masking, L1's IF = 1", V_INTR_MASKING, true, false, true, KNOWN_BOCHS_BARE },
	{ "INTR: masking, both 1", V_INTR_MASKING, true, true, true, 0 },
	{ "INTR: masking, L1's IF = 0", V_INTR_MASKING, false, true, false, KNOWN_BOCHS_BARE },
};

/* APM2 15.13.1 */
static void check_intr(const struct intr_row *r)
{
	bool ok;

	start(&l2_nops);
	L2_INTERCEPT(&l2, vec3, VEC3_INTR, true);
	l2.c.int_ctl = r->int_ctl;
	l2.c.rflags |= r->l2_if ? FL_IF : 0;
	enter_pending(r->l1_if);
	ok = r->exits ? l2.c.exitcode == EXIT_INTR && l2.c.rip == l2_nops.at :
			l2.c.exitcode == EXIT_VMMCALL;
	rt_known(svm_known(r->known), ok && !ipis, r->name, BOCHS_INTR);
	/* GIF is 0 behind the exit: nothing came yet, IF = 1 or not. */
	sti_nop();
	rt_quiet(!ipis, r->name, "GIF is set behind #VMEXIT");
	stgi();
	cli();
	rt_check(ipis == 1, "L1 takes it behind STGI", "%u", ipis);
}

/* Where L2's gate for a vector leads (APM2 4.8.3: 64-bit gates). */
static ulong gate_target(unsigned int vector)
{
	const u8 *gate = (const u8 *)rt_idt + vector * 16;
	u16 low, mid;
	u32 high;

	memcpy(&low, gate, 2);
	memcpy(&mid, gate + 6, 2);
	memcpy(&high, gate + 8, 4);
	return low | (ulong)mid << 16 | (ulong)high << 32;
}

/* APM2 15.20: what L1 injects comes before the interrupt that is pending. */
static void check_event_first(void)
{
	start(&l2_nops);
	L2_INTERCEPT(&l2, vec3, VEC3_INTR, true);
	l2.c.int_ctl = V_INTR_MASKING;
	l2.c.eventinj = EVENT_INTR | EVENT_VECTOR;
	enter_pending(true);
	rt_known(svm_known(KNOWN_BOCHS), l2.c.exitcode == EXIT_INTR &&
		 l2.c.rip == gate_target(EVENT_VECTOR), "INTR behind an injected event",
		 BOCHS_INTR);
	rt_check(!(l2.c.exitintinfo & EVENT_INTR), "which was delivered", "%llx",
		 l2.c.exitintinfo);
	stgi();
	sti_nop();
	cli();
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && events == 1 && ipis == 1, "each comes once",
		 "exit %llx, %u events, %u", l2.c.exitcode, events, ipis);
}

/* It comes while L2 runs. */
static void l2_sends_ipi(void)
{
	sti();
	apic_write(APIC_ICR, APIC_TO_SELF | APIC_ASSERT | VECTOR);
	RT_WAIT(ipis);
}

static void l2_sends_nmi(void)
{
	send_nmi();
	RT_WAIT(nmis);
}

static void check_intr_later(void)
{
	start(&l2_nops);
	l2_goto(&l2, l2_sends_ipi);
	L2_INTERCEPT(&l2, vec3, VEC3_INTR, true);
	cli();
	svm_run(&l2);
	l2_expect("INTR while L2 runs", &l2, EXIT_INTR);
	rt_check(!ipis && apic_bit(APIC_IRR, VECTOR), "it stays pending", "%u", ipis);
	sti_nop();
	cli();
	rt_check(ipis == 1, "L1 takes it", "%u", ipis);
	svm_run(&l2);
	l2_expect("L2 goes on", &l2, EXIT_VMMCALL);
	/*
	 * With the shadow of STI: it exits behind the next instruction.  A hypervisor
	 * below that comes in between may make the exit there: what L1 intercepts
	 * does not wait for L2's shadow.
	 */
	start(&l2_sti);
	L2_INTERCEPT(&l2, vec3, VEC3_INTR, true);
	enter_pending(false);
	stgi();
	rt_check(l2.c.exitcode == EXIT_INTR && l2.c.rip - l2_sti.at - 1 <= 1, "INTR behind STI",
		 "exit %llx at %llx, not %lx", l2.c.exitcode, l2.c.rip, l2_sti.at + 2);
	sti_nop();
	cli();
}

/* Not intercepted: L2's handler has it. */
static void check_intr_to_l2(void)
{
	start(&l2_nops);
	l2_goto(&l2, l2_sends_ipi);
	svm_run(&l2);
	l2_expect("interrupt for L2", &l2, EXIT_VMMCALL);
	rt_check(ipis == 1, "its handler ran", "%u", ipis);
}

static void check_nmi(void)
{
	start(&l2_nops);
	L2_INTERCEPT(&l2, vec3, VEC3_NMI, true);
	clgi();
	send_nmi();
	svm_enter(&l2.c, &l2.regs);
	rt_check(l2.c.exitcode == EXIT_NMI && l2.c.rip == l2_nops.at && !nmis,
		 "NMI pending at VMRUN", "exit %llx at %llx, %u", l2.c.exitcode, l2.c.rip, nmis);
	stgi();
	rt_check(nmis == 1, "L1 takes it behind STGI", "%u", nmis);
	start(&l2_nops);
	l2_goto(&l2, l2_sends_nmi);
	L2_INTERCEPT(&l2, vec3, VEC3_NMI, true);
	svm_run(&l2);
	l2_expect("NMI while L2 runs", &l2, EXIT_NMI);
	rt_check(nmis == 1, "L1 took it", "%u", nmis);
	svm_run(&l2);
	l2_expect("L2 goes on", &l2, EXIT_VMMCALL);
	start(&l2_nops);
	l2_goto(&l2, l2_sends_nmi);
	svm_run(&l2);
	l2_expect("NMI for L2", &l2, EXIT_VMMCALL);
	rt_check(nmis == 1, "its handler ran", "%u", nmis);
	/* APM2 8.5: NMI comes before INTR. */
	start(&l2_nops);
	L2_INTERCEPT(&l2, vec3, VEC3_NMI, true);
	L2_INTERCEPT(&l2, vec3, VEC3_INTR, true);
	l2.c.rflags |= FL_IF;
	clgi();
	send_nmi();
	send_ipi();
	svm_enter(&l2.c, &l2.regs);
	rt_check(l2.c.exitcode == EXIT_NMI, "NMI before INTR", "exit %llx", l2.c.exitcode);
	stgi();
	sti_nop();
	cli();
	rt_check(nmis == 1 && ipis == 1, "L1 takes both", "%u %u", nmis, ipis);
}

/* To itself. */
static void send_smi(void)
{
	apic_ipi(apic_id(), APIC_ASSERT | APIC_DM_SMI);
}

static void l2_sends_smi(void)
{
	clgi();
	send_smi();
	stgi();
}

/*
 * APM2 15.13.3, 15.17: SMI waits for GIF.  What handles it then is the firmware's,
 * and nothing of it shows.
 */
static void check_smi(void)
{
	send_smi();
	start(&l2_nops);
	L2_INTERCEPT(&l2, vec3, VEC3_SMI, true);
	svm_run(&l2);
	l2_expect("L1 has taken its own SMI", &l2, EXIT_VMMCALL);
	start(&l2_nops);
	L2_INTERCEPT(&l2, vec3, VEC3_SMI, true);
	clgi();
	send_smi();
	svm_enter(&l2.c, &l2.regs);
	rt_check(l2.c.exitcode == EXIT_SMI && l2.c.rip == l2_nops.at, "SMI pending at VMRUN",
		 "exit %llx at %llx", l2.c.exitcode, l2.c.rip);
	/* Held back still, it would end L2 again. */
	svm_enter(&l2.c, &l2.regs);
	l2_expect("it stays pending", &l2, EXIT_SMI);
	stgi();
	svm_run(&l2);
	l2_expect("STGI lets L1 take it", &l2, EXIT_VMMCALL);
	start(&l2_nops);
	l2_goto(&l2, l2_sends_smi);
	L2_INTERCEPT(&l2, vec3, VEC3_SMI, true);
	svm_run(&l2);
	l2_expect("SMI while L2 runs", &l2, EXIT_SMI);
	svm_run(&l2);
	l2_expect("L2 goes on", &l2, EXIT_VMMCALL);
	start(&l2_nops);
	l2_goto(&l2, l2_sends_smi);
	svm_run(&l2);
	l2_expect("SMI that is not intercepted", &l2, EXIT_VMMCALL);
}

/* HLT in L2 that is not intercepted ends with what L1 intercepts. */
L2_CODE(sti_hlt, "", "sti; hlt");

static void check_hlt(void)
{
	/* On a busy machine the timer may come before L2 has got to its HLT: again, later. */
	for (u32 ticks = 100000; ticks <= 100000 << 10; ticks <<= 1) {
		start(&l2_sti_hlt);
		L2_INTERCEPT(&l2, vec3, VEC3_INTR, true);
		apic_write(APIC_TDCR, 0xb);
		apic_write(APIC_LVT_TIMER, APIC_TIMER_ONE_SHOT | VECTOR);
		apic_write(APIC_TMICT, ticks);
		cli();
		svm_run(&l2);
		if (l2.c.exitcode != EXIT_INTR || l2.c.rip == l2_sti_hlt.next)
			break;
		sti_nop();
		cli();
	}
	l2_expect("HLT ends with INTR", &l2, EXIT_INTR);
	rt_check(l2.c.rip == l2_sti_hlt.next, "behind it", "%llx", l2.c.rip);
	sti_nop();
	cli();
	rt_check(ipis == 1, "L1 takes it", "%u", ipis);
}

/* A gate of L2's that leads to the end of L2. */
static void gate_to_end(u8 *gate)
{
	ulong at = (ulong)svm_l2_end;

	memcpy(gate, &at, 2);
	memcpy(gate + 6, (u8 *)&at + 2, 2);
	memcpy(gate + 8, (u8 *)&at + 4, 4);
}

/*
 * L1's NMI for L2, whose handler never comes to IRET, is not one of L1's own; nor
 * when L0 injects it again, since the IDT's page was to be filled.
 */
static void check_injected_nmi(void)
{
	static u8 idt[0x1000] __attribute__((aligned(4096)));

	if (!svm_has(SVM_NP))
		return;
	npt_init();
	start(&l2_nops);
	npt_use(&l2);
	memcpy(idt, rt_idt, sizeof(idt));
	gate_to_end(idt + VEC_NMI * 16);
	l2.c.idtr.base = (ulong)idt;
	*npt_entry((ulong)idt, NPT_4K) = (ulong)idt | NPT_RIGHTS;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	l2.c.eventinj = EVENT_NMI | VEC_NMI;
	L2_INTERCEPT(&l2, vec3, VEC3_NMI, true);
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && l2.c.rip == (ulong)svm_l2_end && !nmis,
		 "injected NMI", "exit %llx at %llx, %u", l2.c.exitcode, l2.c.rip, nmis);
	send_nmi();
	rt_check(nmis == 1, "L1 still gets its own", "%u", nmis);
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	apic_enable();
	rt_irq(VECTOR, on_ipi);
	rt_irq(VEC_NMI, on_nmi);
	rt_set_handler(EVENT_VECTOR, on_event);
	check_clgi();
	for (unsigned int i = 0; i < ARRAY_LEN(intr_rows); i++)
		check_intr(&intr_rows[i]);
	check_event_first();
	check_intr_later();
	check_intr_to_l2();
	check_nmi();
	check_injected_nmi();
	/* On a machine whose firmware we do not know it is not sent. */
	if (rt.nestbed)
		check_smi();
	check_hlt();
	return rt_result();
}
