// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_virq, .nested = "svm", .ref = "APM2 15.21, 15.21.1-15.21.5, 15.5.1",
	.desc = "virtual interrupts: V_IRQ, V_TPR, V_INTR_MASKING, the shadow, VINTR, V_GIF");

#define V_VECTOR	0x33	/* of the virtual one */
#define IPI_VECTOR	0x62	/* of the physical one */

#define BOCHS_AT_ENTRY	"Bochs 2.7 svm.cc: V_IRQ stays masked until RFLAGS.IF changes"
#define BOCHS_HIF	"Bochs 2.7 flag_ctrl_pro.cc handleInterruptMaskChange: only L2's IF counts"
#define TCG_SHADOW	"QEMU 7.2 svm_helper.c helper_vmrun: int_state is not loaded"
#define TCG_PRIO	"QEMU 7.2 cpu.h ctl_has_irq: int_prio >= tpr"

static struct l2 l2;
static volatile u32 virqs, ipis, order;
static volatile ulong virq_ip;
static u32 virq_order, ipi_order;

static bool on_virq(struct rt_regs *r)
{
	virqs++;
	virq_ip = r->ip;
	virq_order = ++order;
	return true;
}

static void on_ipi(unsigned int vector)
{
	ipis++;
	ipi_order = ++order;
	apic_eoi();
}

L2_CODE(nops, "", "nop; nop; nop");
L2_CODE(sti, "", "sti; nop; nop");
L2_CODE(sti_end, "", "sti");
L2_CODE(ss_end, "mov %ss, %eax", "mov %eax, %ss");
L2_CODE(popf, "push $0x202", "popfq; nop; nop");
L2_CODE(sti_hlt, "", "sti; hlt; nop");
L2_CODE(lower, "sti; nop; xor %eax, %eax", "mov %rax, %cr8; nop");
L2_CODE(cpuids, "mov $5, %ebx", "cpuid; cpuid; cpuid");

static void start(const struct l2_code *code, u32 ctl)
{
	l2_init(&l2, NULL);
	l2.c.int_ctl = ctl;
	l2.c.int_vector = V_VECTOR;
	l2.c.rip = code->start;
	virqs = ipis = order = 0;
	virq_ip = 0;
}

/* The virtual interrupt came once, at that address, and is no longer pending. */
static bool taken_at(ulong ip)
{
	return l2.c.exitcode == EXIT_VMMCALL && virqs == 1 && virq_ip == ip &&
	       !(l2.c.int_ctl & V_IRQ);
}

static bool still_pending(void)
{
	return l2.c.exitcode == EXIT_VMMCALL && !virqs && l2.c.int_ctl & V_IRQ;
}

#define GOT	"exit %llx at %llx, %u virqs at %lx, int_ctl %x state %llx", l2.c.exitcode, \
		l2.c.rip, virqs, virq_ip, l2.c.int_ctl, l2.c.int_state

static void check_taken(void)
{
	start(&l2_nops, V_IRQ | V_INTR_PRIO(1));
	svm_run(&l2);
	rt_check(still_pending(), "IF = 0: stays pending", GOT);
	rt_check(l2.c.int_ctl == (V_IRQ | V_INTR_PRIO(1)) && l2.c.int_vector == V_VECTOR,
		 "int_ctl is kept", "%x %x", l2.c.int_ctl, l2.c.int_vector);
	l2.c.rip = l2_sti.start;
	svm_run(&l2);
	rt_check(taken_at(l2_sti.at + 2), "STI: behind the next instruction", GOT);
	start(&l2_popf, V_IRQ | V_INTR_PRIO(1));
	svm_run(&l2);
	rt_check(taken_at(l2_popf.at + 1), "POPF: at once", GOT);
	start(&l2_nops, V_IRQ | V_INTR_PRIO(1));
	l2.c.rflags |= FL_IF;
	svm_run(&l2);
	rt_known(svm_known(KNOWN_BOCHS_BARE), taken_at(l2_nops.at), "IF = 1: before anything",
		 BOCHS_AT_ENTRY);
	/* It does not come again. */
	virqs = 0;
	l2_run_code(&l2, &l2_sti);
	rt_check(!virqs || svm_known(KNOWN_BOCHS_BARE), "once", GOT);
}

/* L0 fills the IDT's page meanwhile: taken is taken, once. */
static void check_delivery_fills(void)
{
	static u8 idt[0x1000] __attribute__((aligned(4096)));

	if (!svm_has(SVM_NP))
		return;
	npt_init();
	start(&l2_sti, V_IRQ | V_INTR_PRIO(1));
	npt_use(&l2);
	memcpy(idt, rt_idt, sizeof(idt));
	l2.c.idtr.base = (ulong)idt;
	*npt_entry((ulong)idt, NPT_4K) = (ulong)idt | NPT_RIGHTS;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	/* It must not be taken for the newest exception. */
	RT_TRY("ud2", : : : "memory");
	svm_run(&l2);
	rt_check(taken_at(l2_sti.at + 2), "taken through a page that L0 fills", GOT);
}

/* APM2 15.21.4: taken when V_INTR_PRIO > V_TPR, or V_IGN_TPR is set. */
static void check_priority(void)
{
	static const struct {
		const char *name;
		u32 ctl;
		bool taken;
		u32 known;
	} row[] = {
		{ "priority 5, TPR 4", V_INTR_PRIO(5) | V_TPR(4), true, 0 },
		{ "priority 5, TPR 5", V_INTR_PRIO(5) | V_TPR(5), false, KNOWN_TCG_BARE },
		{ "priority 5, TPR 6", V_INTR_PRIO(5) | V_TPR(6), false, 0 },
		{ "priority 0, TPR 0", V_INTR_PRIO(0) | V_TPR(0), false, KNOWN_TCG_BARE },
		{ "priority 0, TPR 15 ignored", V_IGN_TPR | V_TPR(15), true, 0 },
		{ "priority 15, TPR 14", V_INTR_PRIO(15) | V_TPR(14), true, 0 },
	};

	for (unsigned int i = 0; i < ARRAY_LEN(row); i++) {
		start(&l2_sti, V_IRQ | V_INTR_MASKING | row[i].ctl);
		svm_run(&l2);
		rt_known(svm_known(row[i].known),
			 row[i].taken ? taken_at(l2_sti.at + 2) : still_pending(), row[i].name,
			 TCG_PRIO);
		rt_quiet((l2.c.int_ctl & 0xff) == (row[i].ctl & 0xff), row[i].name, "V_TPR %x",
			 l2.c.int_ctl & 0xff);
	}
	if (svm_known(KNOWN_TCG_BARE)) {
		rt_note("CR8 with V_IRQ left out: QEMU 7.2 helper_write_crN would abort");
		return;
	}
	start(&l2_lower, V_IRQ | V_INTR_MASKING | V_INTR_PRIO(5) | V_TPR(8));
	svm_run(&l2);
	rt_check(taken_at(l2_lower.at + 4), "L2 lowers CR8", GOT);
	rt_check(!(l2.c.int_ctl & 0xff), "V_TPR", "%x", l2.c.int_ctl);
	start(&l2_lower, V_IRQ | V_INTR_MASKING | V_INTR_PRIO(5) | V_TPR(8));
	l2.c.rflags |= FL_IF;
	svm_run(&l2);
	rt_check(taken_at(l2_lower.at + 4), "L2 lowers CR8, IF = 1 at VMRUN", GOT);
}

/* APM2 15.21.5 */
static void check_shadow(void)
{
	start(&l2_nops, V_IRQ | V_INTR_PRIO(1));
	l2.c.rflags |= FL_IF;
	l2.c.int_state = INT_STATE_SHADOW;
	svm_run(&l2);
	if (svm_known(KNOWN_BOCHS_BARE))
		rt_note("shadow at VMRUN left out: " BOCHS_AT_ENTRY);
	else
		rt_known(svm_known(KNOWN_TCG_BARE), taken_at(l2_nops.at + 1), "shadow at VMRUN",
			 TCG_SHADOW);
	start(&l2_sti_end, 0);
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && l2.c.int_state & INT_STATE_SHADOW,
		 "exit in the shadow of STI", GOT);
	start(&l2_ss_end, 0);
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && l2.c.int_state & INT_STATE_SHADOW,
		 "exit in the shadow of MOV SS", GOT);
	start(&l2_nops, 0);
	l2.c.int_state = INT_STATE_SHADOW;
	svm_run(&l2);
	rt_check(!(l2.c.int_state & INT_STATE_SHADOW), "the shadow ends", GOT);
}

/* APM2 15.13.4: the exit comes where it could be taken, and it stays pending. */
static void check_vintr(void)
{
	start(&l2_sti, V_IRQ | V_INTR_PRIO(1));
	L2_INTERCEPT(&l2, vec3, VEC3_VINTR, true);
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VINTR && l2.c.rip == l2_sti.at + 2 && !virqs &&
		 l2.c.int_ctl & V_IRQ, "VINTR behind STI", GOT);
	start(&l2_nops, V_IRQ | V_INTR_PRIO(1));
	L2_INTERCEPT(&l2, vec3, VEC3_VINTR, true);
	svm_run(&l2);
	rt_check(still_pending(), "no VINTR with IF = 0", GOT);
	l2.c.rip = l2_nops.start;
	l2.c.rflags |= FL_IF;
	svm_run(&l2);
	rt_known(svm_known(KNOWN_BOCHS_BARE), l2.c.exitcode == EXIT_VINTR &&
		 l2.c.rip == l2_nops.at && !virqs, "VINTR at VMRUN", BOCHS_AT_ENTRY);
	/* L1 withdraws it. */
	l2.c.int_ctl = 0;
	l2.c.rip = l2_nops.start;
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && !virqs, "withdrawn", GOT);
	/* What is masked by TPR makes no exit. */
	start(&l2_sti, V_IRQ | V_INTR_MASKING | V_INTR_PRIO(1) | V_TPR(9));
	L2_INTERCEPT(&l2, vec3, VEC3_VINTR, true);
	svm_run(&l2);
	rt_check(still_pending(), "no VINTR below TPR", GOT);
}

/* V_IRQ, its priority and vector outlive exits of every kind that do not take it. */
static void check_kept(void)
{
	const u32 ctl = V_IRQ | V_INTR_PRIO(7) | V_INTR_MASKING | V_TPR(3);
	bool kept = true;

	start(&l2_cpuids, ctl);
	L2_INTERCEPT(&l2, vec3, VEC3_CPUID, true);
	for (unsigned int i = 0; i < 3; i++) {
		svm_run(&l2);
		kept &= rt_quiet(l2.c.exitcode == EXIT_CPUID && l2.c.int_ctl == ctl &&
				 l2.c.int_vector == V_VECTOR && !virqs, "CPUID", GOT);
		l2.c.rip += 2;
	}
	rt_check(kept, "V_IRQ over exits", " ");
	l2.c.rip = l2_sti.start;
	svm_run(&l2);
	rt_check(taken_at(l2_sti.at + 2), "and then taken", GOT);
}

/* An injected event comes first, V_IRQ behind its IRET. */
static void check_with_event(void)
{
	start(&l2_nops, V_IRQ | V_INTR_PRIO(1));
	l2.c.rflags |= FL_IF;
	l2.c.eventinj = EVENT_INTR | IPI_VECTOR;
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && virqs == 1 && ipis == 1 && ipi_order == 1 &&
		 virq_order == 2, "event, then V_IRQ", GOT);
}

static void check_hlt(void)
{
	if (svm_known(KNOWN_BOCHS_BARE)) {
		rt_note("STI; HLT left out: Bochs 2.7 never wakes for V_IRQ");
		return;
	}
	start(&l2_sti_hlt, V_IRQ | V_INTR_PRIO(1));
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && virqs == 1, "STI; HLT ends", GOT);
}

/*
 * L1 takes no part in interrupts: a physical one and V_IRQ both reach L2 after
 * STI, in whatever order (KVM's svm_int_ctl_test: what L0 borrows V_IRQ for must
 * not lose L1's).
 */
static void send_and_sti(void)
{
	apic_write(APIC_ICR, APIC_TO_SELF | APIC_ASSERT | IPI_VECTOR);
	__asm__ volatile("sti; nop; nop; nop; cli" : : : "memory");
	RT_WAIT(ipis);
}

static void check_int_ctl(void)
{
	start(&l2_nops, V_IRQ | V_INTR_PRIO(1));
	l2_goto(&l2, send_and_sti);
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && ipis == 1, "a physical interrupt reaches L2",
		 "exit %llx, %u", l2.c.exitcode, ipis);
	rt_known(svm_known(KNOWN_TCG_BARE), virqs == 1 && !(l2.c.int_ctl & V_IRQ),
		 "and the virtual one too",
		 "QEMU 7.2 seg_helper.c x86_cpu_exec_interrupt: HARD takes VIRQ with it");
}

static void send_no_wait(void)
{
	apic_write(APIC_ICR, APIC_TO_SELF | APIC_ASSERT | IPI_VECTOR);
	__asm__ volatile("sti; nop; nop; nop; cli" : : : "memory");
}

/* APM2 15.21.1: with V_INTR_MASKING L1's IF masks physical interrupts, L2's the others. */
static void check_masking(void)
{
	start(&l2_nops, V_INTR_MASKING);
	l2_goto(&l2, send_no_wait);
	cli();
	svm_run(&l2);
	rt_known(svm_known(KNOWN_BOCHS_BARE), l2.c.exitcode == EXIT_VMMCALL && !ipis,
		 "masked by L1's IF", BOCHS_HIF);
	sti_nop();
	cli();
	rt_check(ipis == 1, "it waits for L1", "%u", ipis);
	/* And while it waits V_IRQ is taken. */
	start(&l2_nops, V_IRQ | V_INTR_PRIO(1) | V_INTR_MASKING);
	l2_goto(&l2, send_no_wait);
	svm_run(&l2);
	rt_known(svm_known(KNOWN_BOCHS_BARE), l2.c.exitcode == EXIT_VMMCALL && !ipis && virqs == 1,
		 "V_IRQ meanwhile", BOCHS_HIF);
	sti_nop();
	cli();
	rt_check(ipis == 1, "it waits for L1", "%u", ipis);
	/* L1's RFLAGS.IF is 1: taken in L2 whatever its own IF. */
	start(&l2_nops, V_INTR_MASKING);
	apic_write(APIC_ICR, APIC_TO_SELF | APIC_ASSERT | IPI_VECTOR);
	RT_WAIT(apic_bit(APIC_IRR, IPI_VECTOR));
	__asm__ volatile("clgi; sti" : : : "memory");
	l2.c.exitcode = EXIT_POISON;
	svm_enter(&l2.c, &l2.regs);
	__asm__ volatile("cli; stgi" : : : "memory");
	rt_known(svm_known(KNOWN_BOCHS_BARE), l2.c.exitcode == EXIT_VMMCALL && ipis == 1,
		 "L1's IF opens them in L2", BOCHS_HIF);
	sti_nop();
	cli();
}

/* APM2 15.33.2: STGI and CLGI of L2 are V_GIF where L1 enables that. */
L2_CODE(stgi, "sti; nop", "stgi; nop");
L2_CODE(clgi, "", "clgi; sti; nop; nop");

static void check_vgif(void)
{
	if (!svm_has(SVM_VGIF)) {
		rt_note("no virtual GIF");
		return;
	}
	start(&l2_clgi, V_GIF_ENABLE | V_GIF | V_IRQ | V_INTR_PRIO(1));
	svm_run(&l2);
	rt_check(still_pending() && !(l2.c.int_ctl & V_GIF), "CLGI clears V_GIF", GOT);
	l2.c.rip = l2_stgi.start;
	svm_run(&l2);
	rt_check(taken_at(l2_stgi.at + 3) && l2.c.int_ctl & V_GIF && l2.c.int_ctl & V_GIF_ENABLE,
		 "STGI sets it", GOT);
	start(&l2_nops, V_GIF_ENABLE | V_IRQ | V_INTR_PRIO(1));
	l2.c.rflags |= FL_IF;
	svm_run(&l2);
	rt_check(still_pending(), "V_GIF = 0 at VMRUN, IF = 1", GOT);
	/* It masks what is virtual. */
	start(&l2_nops, V_GIF_ENABLE | V_IRQ | V_INTR_PRIO(1));
	l2_goto(&l2, send_and_sti);
	svm_run(&l2);
	rt_check(still_pending() && ipis == 1, "a physical interrupt with V_GIF = 0", "%u", ipis);
	start(&l2_stgi, V_GIF_ENABLE);
	L2_INTERCEPT(&l2, vec4, VEC4_STGI, true);
	svm_run(&l2);
	l2_expect("an intercept of STGI comes first", &l2, EXIT_VEC4 + VEC4_STGI);
}

/* APM2 15.21.10: V_NMI is taken where V_NMI_MASK is clear; IRET clears that. */
static volatile u32 nmis;

static bool on_nmi(struct rt_regs *r)
{
	nmis++;
	cpuid(0);
	return true;
}

static void check_vnmi(void)
{
	if (!svm_has(SVM_VNMI)) {
		rt_note("no virtual NMI");
		return;
	}
	rt_set_handler(VEC_NMI, on_nmi);
	start(&l2_nops, V_NMI_ENABLE);
	svm_run(&l2);
	rt_check((u32)l2.c.exitcode == 0xffffffff, "V_NMI_ENABLE wants the intercept of NMI",
		 "exit %llx", l2.c.exitcode);
	/* Also of a VMCB that was good, with nothing else changed. */
	start(&l2_nops, 0);
	svm_run(&l2);
	l2.c.rip = l2_nops.start;
	l2.c.int_ctl = V_NMI_ENABLE;
	svm_run(&l2);
	rt_check((u32)l2.c.exitcode == 0xffffffff, "V_NMI_ENABLE later", "exit %llx",
		 l2.c.exitcode);
	start(&l2_nops, V_NMI_ENABLE | V_NMI);
	L2_INTERCEPT(&l2, vec3, VEC3_NMI, true);
	L2_INTERCEPT(&l2, vec3, VEC3_CPUID, true);
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_CPUID && nmis == 1 && !(l2.c.int_ctl & V_NMI) &&
		 l2.c.int_ctl & V_NMI_MASK, "V_NMI", "exit %llx, %u, int_ctl %x", l2.c.exitcode,
		 nmis, l2.c.int_ctl);
	/* A second one waits for the handler's IRET. */
	l2.c.int_ctl |= V_NMI;
	l2.c.rip += 2;
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_CPUID && nmis == 2, "the second behind IRET",
		 "exit %llx, %u", l2.c.exitcode, nmis);
	l2.c.rip += 2;
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && nmis == 2 && !(l2.c.int_ctl & V_NMI_MASK),
		 "unmasked at the end", "exit %llx, %u, int_ctl %x", l2.c.exitcode, nmis,
		 l2.c.int_ctl);
	start(&l2_nops, V_NMI_ENABLE | V_NMI | V_NMI_MASK);
	L2_INTERCEPT(&l2, vec3, VEC3_NMI, true);
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && nmis == 2 && l2.c.int_ctl & V_NMI,
		 "masked: stays pending", "exit %llx, %u", l2.c.exitcode, nmis);
	/* What L1 injects masks as well. */
	start(&l2_nops, V_NMI_ENABLE);
	L2_INTERCEPT(&l2, vec3, VEC3_NMI, true);
	L2_INTERCEPT(&l2, vec3, VEC3_CPUID, true);
	l2.c.eventinj = EVENT_NMI | VEC_NMI;
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_CPUID && nmis == 3 && l2.c.int_ctl & V_NMI_MASK,
		 "EVENTINJ masks", "exit %llx, %u, int_ctl %x", l2.c.exitcode, nmis, l2.c.int_ctl);
	if (!svm_has(SVM_VGIF))
		return;
	start(&l2_nops, V_NMI_ENABLE | V_NMI | V_GIF_ENABLE);
	L2_INTERCEPT(&l2, vec3, VEC3_NMI, true);
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && nmis == 3 && l2.c.int_ctl & V_NMI,
		 "V_GIF holds it back", "exit %llx, %u", l2.c.exitcode, nmis);
	l2.c.rip = l2_stgi.start;
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && nmis == 4 && !(l2.c.int_ctl & V_NMI),
		 "and STGI lets it in", "exit %llx, %u", l2.c.exitcode, nmis);
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	apic_enable();
	rt_set_handler(V_VECTOR, on_virq);
	rt_irq(IPI_VECTOR, on_ipi);
	check_taken();
	check_delivery_fills();
	check_priority();
	check_shadow();
	check_vintr();
	check_kept();
	check_with_event();
	check_hlt();
	check_int_ctl();
	check_masking();
	check_vgif();
	check_vnmi();
	return rt_result();
}
