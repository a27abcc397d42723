// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_inject, .nested = "svm", .ref = "APM2 15.20, 15.7.2",
	.desc = "event injection of every type, and EXITINTINFO when its delivery faults");

#define VECTOR		0x33

#define TCG_IDT		"QEMU 7.2 seg_helper.c do_interrupt64: error codes are vector * 16 + 2"
#define BOCHS_INT	"Bochs 2.7 soft_int.cc INT_Ib: interrupt() leaves ctrls.exitintinfo alone"
#define TCG_DF		"QEMU 7.2 svm_helper.c helper_vmrun: old_exception stays -1, no #DF is made"

L2_CODE(nop, "", "nop");
L2_CODE(intn, "", "int $0x33");
L2_CODE(ud2, "", "ud2");

static struct l2 l2;
static u8 l2_idt[0x1000] __attribute__((aligned(4096)));

/* What L2's handler found. */
static struct seen {
	u32 count;
	ulong vector, error, ip, flags, sp, cr2;
} seen;

static bool on_event(struct rt_regs *r)
{
	seen.count++;
	seen.vector = r->vector;
	seen.error = r->error;
	seen.ip = r->ip;
	seen.flags = read_flags();
	seen.sp = r->sp;
	seen.cr2 = read_cr2();
	/* An INT n without a gate has not been executed. */
	if (r->vector == VEC_GP && r->ip == l2_intn.at)
		r->ip = l2_intn.next;
	return true;
}

/* L2 with an IDT of its own, at code's instruction. */
static void start(const struct l2_code *code)
{
	l2_init(&l2, NULL);
	memcpy(l2_idt, rt_idt, sizeof(l2_idt));
	l2.c.idtr.base = (ulong)l2_idt;
	l2.c.rip = code->at;
	l2.c.nrip = code->next;
	memset(&seen, 0, sizeof(seen));
}

static void gate_present(unsigned int vector, bool on)
{
	u8 *access = &l2_idt[vector * 16 + 5];

	*access = (u8)((*access & 0x7f) | (on ? 0x80 : 0));
}

static void expect_delivered(const char *name, u8 vector, u32 error, ulong ip)
{
	bool ok = l2.c.exitcode == EXIT_VMMCALL && seen.count == 1 && seen.vector == vector &&
		  seen.error == error && seen.ip == ip;

	rt_quiet(ok, name, "exit %llx; %u: vector %lx error %lx at %lx, not %x %x %lx",
		 l2.c.exitcode, seen.count, seen.vector, seen.error, seen.ip, vector, error, ip);
	rt_quiet(!(l2.c.exitintinfo & EVENT_INTR), name, "EXITINTINFO %llx", l2.c.exitintinfo);
	rt_quiet(!(l2.c.eventinj & EVENT_INTR), name, "EVENTINJ %llx", l2.c.eventinj);
}

static void inject(u64 event)
{
	l2.c.eventinj = event;
	svm_run(&l2);
}

static void check_interrupts(void)
{
	for (u32 v = 0x30; v < 0x40; v++) {
		/* IF does not matter: L1 decides. */
		start(&l2_nop);
		l2.c.rflags = v & 1 ? 2 : 2 | FL_IF;
		inject(EVENT_INTR | v);
		expect_delivered("interrupt", (u8)v, 0, l2_nop.at);
		rt_quiet(!(seen.flags & FL_IF), "IF in the handler", "%lx", seen.flags);
		rt_quiet(seen.sp == (ulong)l2.stack + L2_STACK - 24, "RSP in the frame", "%lx",
			 seen.sp);
	}
	start(&l2_nop);
	inject(EVENT_NMI | VEC_NMI);
	expect_delivered("NMI", VEC_NMI, 0, l2_nop.at);
	start(&l2_nop);
	inject(EVENT_NMI | 0x99);
	expect_delivered("NMI with another vector", VEC_NMI, 0, l2_nop.at);
	rt_check(true, "interrupts and NMI", " ");
}

static void check_exceptions(void)
{
	static const u8 plain[] = { VEC_DE, VEC_UD, VEC_NM, VEC_MF, VEC_MC, VEC_XM };
	static const u8 coded[] = { VEC_TS, VEC_NP, VEC_SS, VEC_GP, VEC_PF };
	bool cr2 = true;

	for (unsigned int i = 0; i < ARRAY_LEN(plain); i++) {
		start(&l2_nop);
		/* Injection is no occurrence: nothing intercepts it. */
		l2.c.intercept_exceptions = ~0u;
		inject(EVENT_EXCEPTION | plain[i]);
		expect_delivered("exception", plain[i], 0, l2_nop.at);
	}
	for (unsigned int i = 0; i < ARRAY_LEN(coded); i++) {
		start(&l2_nop);
		l2.c.intercept_exceptions = ~0u;
		l2.c.cr2 = 0x1234567000 + i;
		inject(EVENT_EXCEPTION | coded[i] | EVENT_ERROR(0x1238 + i));
		expect_delivered("exception with error code", coded[i], 0x1238 + i, l2_nop.at);
		cr2 &= seen.cr2 == 0x1234567000ul + i;
	}
	rt_known(svm_known(KNOWN_BOCHS_BARE), cr2, "CR2 is the VMCB's",
		 "Bochs 2.7 svm.cc SvmEnterLoadCheckGuestState: guest.cr2 is not loaded");
	start(&l2_nop);
	inject(EVENT_EXCEPTION | VEC_AC | EVENT_ERROR(0));
	expect_delivered("#AC", VEC_AC, 0, l2_nop.at);
	start(&l2_nop);
	inject(EVENT_EXCEPTION | VEC_DF | EVENT_ERROR(0));
	expect_delivered("#DF", VEC_DF, 0, l2_nop.at);
	rt_check(true, "exceptions", " ");
}

/* APM2 15.20: it returns to nRIP where that is saved, else to RIP. */
static void check_soft(void)
{
	if (!svm_has(SVM_NRIPS)) {
		start(&l2_nop);
		inject(EVENT_SOFT_INT | VECTOR);
		expect_delivered("software interrupt", VECTOR, 0, l2_nop.at);
		return;
	}
	start(&l2_intn);
	inject(EVENT_SOFT_INT | VECTOR);
	rt_known(svm_known(KNOWN_BOCHS_BARE), l2.c.exitcode == EXIT_VMMCALL && seen.count == 1 &&
		 seen.ip == l2_intn.next, "software interrupt returns to nRIP",
		 "Bochs 2.7 svm.cc SvmInjectEvents: nRIP is never read");
}

/* So does INT3, which is injected as an exception. */
static void check_soft_exception(void)
{
	start(&l2_nop);
	inject(EVENT_EXCEPTION | VEC_BP);
	rt_known(svm_known(KNOWN_BOCHS_BARE), l2.c.exitcode == EXIT_VMMCALL && seen.count == 1 &&
		 seen.vector == VEC_BP &&
		 seen.ip == (svm_has(SVM_NRIPS) ? l2_nop.next : l2_nop.at),
		 "INT3 returns to nRIP", "Bochs 2.7 svm.cc SvmInjectEvents: nRIP is never read");
}

/* The shadow of an STI that was L2's last instruction does not hold it back. */
static void check_shadow(void)
{
	start(&l2_nop);
	l2.c.rflags = 2 | FL_IF;
	l2.c.int_state = INT_STATE_SHADOW;
	inject(EVENT_INTR | VECTOR);
	expect_delivered("in an interrupt shadow", VECTOR, 0, l2_nop.at);
	rt_check(!(l2.c.int_state & INT_STATE_SHADOW), "which ends", "%llx", l2.c.int_state);
}

/* An event whose gate is not present. */
static const struct broken {
	const char *name;
	u64 event;
	u8 vector;
	bool ext;		/* APM2 8.4.1: EXT in the error code of #NP */
} broken[] = {
	{ "interrupt", EVENT_INTR | VECTOR, VECTOR, true },
	{ "NMI", EVENT_NMI | VEC_NMI, VEC_NMI, true },
	{ "#UD", EVENT_EXCEPTION | VEC_UD, VEC_UD, true },
	{ "#PF", EVENT_EXCEPTION | VEC_PF | EVENT_ERROR(0x15), VEC_PF, true },
	{ "software interrupt", EVENT_SOFT_INT | VECTOR, VECTOR, false },
};

static void expect_interrupted(const char *name, u64 exitcode, u64 event)
{
	l2_expect(name, &l2, exitcode);
	rt_check(l2.c.exitintinfo == event, "its EXITINTINFO", "%llx, not %llx", l2.c.exitintinfo,
		 event);
	rt_check(l2.c.rip == l2_nop.at && !seen.count, "its RIP", "%llx, %u", l2.c.rip, seen.count);
	rt_quiet(!(l2.c.eventinj & EVENT_INTR), name, "EVENTINJ %llx", l2.c.eventinj);
}

static void check_not_present(const struct broken *b)
{
	u32 error = (u32)b->vector * 8 + 2 + b->ext;

	start(&l2_nop);
	l2.c.intercept_exceptions = 1u << VEC_NP;
	gate_present(b->vector, false);
	inject(b->event);
	expect_interrupted(b->name, EXIT_EXCEPTION + VEC_NP, b->event);
	rt_known(svm_known(KNOWN_TCG), l2.c.exitinfo1 == error, "error code of #NP", TCG_IDT);
	/* L1 mends the gate and gives it again. */
	gate_present(b->vector, true);
	l2.c.intercept_exceptions = 0;
	l2.c.nrip = l2_nop.at;
	inject(l2.c.exitintinfo);
	expect_delivered("injected again", b->vector, (u32)(b->event >> 32), l2_nop.at);
}

/* IDT's page not present: #PF with EXITINFO2, both kinds of paging. */
static void check_idt_page(void)
{
	const ulong at = 0x7fff00000000;

	start(&l2_nop);
	l2.c.idtr.base = at;
	l2.c.intercept_exceptions = 1u << VEC_PF;
	inject(EVENT_INTR | VECTOR);
	expect_interrupted("IDT not present", EXIT_EXCEPTION + VEC_PF, EVENT_INTR | VECTOR);
	rt_check(l2.c.exitinfo2 == at + VECTOR * 16 && !(l2.c.exitinfo1 & 5), "#PF", "%llx %llx",
		 l2.c.exitinfo1, l2.c.exitinfo2);
	start(&l2_nop);
	l2.c.rsp = at + 0x800;
	l2.c.intercept_exceptions = 1u << VEC_PF;
	inject(EVENT_INTR | VECTOR);
	expect_interrupted("stack not present", EXIT_EXCEPTION + VEC_PF, EVENT_INTR | VECTOR);
	rt_check((l2.c.exitinfo1 & 7) == 2, "#PF of a write", "%llx", l2.c.exitinfo1);
}

static void check_idt_npf(void)
{
	if (!svm_has(SVM_NP)) {
		rt_note("no nested paging");
		return;
	}
	npt_init();
	start(&l2_nop);
	npt_use(&l2);
	*npt_entry((ulong)l2_idt, NPT_4K) = 0;
	inject(EVENT_INTR | VECTOR);
	expect_interrupted("IDT not in the nested tables", EXIT_NPF, EVENT_INTR | VECTOR);
	rt_check(l2.c.exitinfo2 == (ulong)l2_idt + VECTOR * 16, "its address", "%llx",
		 l2.c.exitinfo2);
	*npt_entry((ulong)l2_idt, NPT_4K) = (ulong)l2_idt | NPT_RIGHTS;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	inject(l2.c.exitintinfo);
	expect_delivered("injected again", VECTOR, 0, l2_nop.at);
}

/* The IDT's page is one that L0 fills when the delivery meets it. */
static void check_idt_fill(void)
{
	if (!svm_has(SVM_NP))
		return;
	npt_init();
	start(&l2_nop);
	npt_use(&l2);
	*npt_entry((ulong)l2_idt, NPT_4K) = (ulong)l2_idt | NPT_RIGHTS;
	l2.c.tlb_control = TLB_FLUSH_ALL;
	l2.c.nrip = l2_nop.at;
	inject(EVENT_SOFT_INT | VECTOR);
	expect_delivered("INT n whose delivery nobody may see fault", VECTOR, 0, l2_nop.at);
}

/*
 * What a delivery, a fetch or a walk needs is no memory of L1's, and L1's tables allow
 * it: reads there are all ones, which is no gate, no code and no table.
 */
#define NO_MEMORY	0xd0000000ul

static void lost_idt(void)
{
	l2.c.idtr.base = NO_MEMORY;
	l2.c.eventinj = EVENT_INTR | VECTOR;
}

static void lost_own_exception(void)
{
	l2.c.idtr.base = NO_MEMORY;
	l2.c.rip = l2_ud2.at;
}

static void lost_stack(void)
{
	l2.c.rsp = NO_MEMORY + 0x800;
	l2.c.eventinj = EVENT_INTR | VECTOR;
}

static void lost_code(void)
{
	l2.c.rip = NO_MEMORY;
}

static void lost_tables(void)
{
	l2.c.cr3 = NO_MEMORY;
	l2.c.tlb_control = TLB_FLUSH_ALL;
}

static void check_no_memory(void)
{
	static const struct {
		const char *name;
		void (*lose)(void);
	} rows[] = {
		{ "IDT", lost_idt }, { "IDT of #UD", lost_own_exception },
		{ "stack of a delivery", lost_stack }, { "code", lost_code },
		{ "page tables", lost_tables },
	};

	if (!rt.nestbed) {
		rt_note("each machine has its own idea of what is no memory");
		return;
	}
	for (unsigned int i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		start(&l2_nop);
		if (i & 1) {
			npt_init();
			npt_use(&l2);
			l2.c.tlb_control = TLB_FLUSH_ALL;
		}
		rows[i / 2].lose();
		svm_run(&l2);
		l2_expect(rows[i / 2].name, &l2, EXIT_SHUTDOWN);
		rt_check(!(l2.c.exitintinfo & EVENT_INTR), "nothing is left of it", "%llx",
			 l2.c.exitintinfo);
		/* L1 goes on, and so can its next guest. */
		start(&l2_nop);
		l2.c.tlb_control = TLB_FLUSH_ALL;
		inject(EVENT_INTR | VECTOR);
		expect_delivered("the next one", VECTOR, 0, l2_nop.at);
	}
}

/* The IDT ends with memory, behind the gates of exceptions: what has none is #GP. */
static void check_half_idt(void)
{
	const ulong half = 32 * 16;

	if (!rt.nestbed)
		return;
	for (u32 i = 0; i < 4; i++) {
		start(i & 2 ? &l2_intn : &l2_nop);
		if (i & 1) {
			npt_init();
			npt_use(&l2);
		}
		l2.c.tlb_control = TLB_FLUSH_ALL;
		l2.c.idtr.base = rt.mem - half;
		memcpy((void *)l2.c.idtr.base, l2_idt, half);
		if (i & 2) {
			svm_run(&l2);
			expect_delivered("INT n without a gate", VEC_GP, VECTOR * 8 + 2,
					 l2_intn.at);
		} else {
			inject(EVENT_INTR | VECTOR);
			expect_delivered("interrupt without a gate", VEC_GP, VECTOR * 8 + 3,
					 l2_nop.at);
		}
	}
	rt_check(true, "gates where no memory is", " ");
	/* L1 wants the #GP, and learns what had no gate: of a #GP, too. */
	for (u32 i = 0; i < 2; i++) {
		const u64 event = i ? EVENT_EXCEPTION | VEC_GP | EVENT_ERROR(0) :
				      EVENT_INTR | VECTOR;

		start(&l2_nop);
		l2.c.intercept_exceptions = 1u << VEC_GP;
		l2.c.idtr.base = i ? NO_MEMORY : rt.mem - half;
		inject(event);
		l2_expect("intercepted #GP of a lost gate", &l2, EXIT_EXCEPTION + VEC_GP);
		rt_check(l2.c.exitinfo1 == (i ? VEC_GP : VECTOR) * 8 + 3 &&
			 l2.c.exitintinfo == event, "what had none", "error %llx, %llx",
			 l2.c.exitinfo1, l2.c.exitintinfo);
	}
}

/* A fault in the delivery of a contributory one is #DF; then shutdown. */
static void check_double(void)
{
	start(&l2_nop);
	l2.c.intercept_exceptions = 1u << VEC_DF;
	gate_present(VEC_GP, false);
	gate_present(VEC_NP, false);
	inject(EVENT_EXCEPTION | VEC_GP | EVENT_ERROR(0));
	rt_known(svm_known(KNOWN_TCG), l2.c.exitcode == EXIT_EXCEPTION + VEC_DF &&
		 !l2.c.exitinfo1, "#GP that cannot be delivered is #DF", TCG_DF);
	start(&l2_nop);
	/* The second fault's own intercept comes before that. */
	l2.c.intercept_exceptions = 1u << VEC_DF | 1u << VEC_NP;
	gate_present(VEC_GP, false);
	inject(EVENT_EXCEPTION | VEC_GP | EVENT_ERROR(0));
	l2_expect("the intercept of #NP comes first", &l2, EXIT_EXCEPTION + VEC_NP);
	start(&l2_nop);
	gate_present(VEC_DF, false);
	gate_present(VEC_NP, false);
	inject(EVENT_EXCEPTION | VEC_DF | EVENT_ERROR(0));
	l2_expect("#DF that cannot be delivered", &l2, EXIT_SHUTDOWN);
}

/* What L2 does itself. */
static void check_own(void)
{
	start(&l2_ud2);
	l2.c.intercept_exceptions = 1u << VEC_NP;
	gate_present(VEC_UD, false);
	svm_run(&l2);
	l2_expect("#UD of L2 without a gate", &l2, EXIT_EXCEPTION + VEC_NP);
	rt_check(l2.c.exitintinfo == (EVENT_EXCEPTION | VEC_UD), "its EXITINTINFO", "%llx",
		 l2.c.exitintinfo);
	start(&l2_intn);
	l2.c.intercept_exceptions = 1u << VEC_NP;
	gate_present(VECTOR, false);
	svm_run(&l2);
	l2_expect("INT n of L2 without a gate", &l2, EXIT_EXCEPTION + VEC_NP);
	rt_known(svm_known(KNOWN_BOCHS_BARE), l2.c.exitintinfo == (EVENT_SOFT_INT | VECTOR),
		 "its EXITINTINFO", BOCHS_INT);
	start(&l2_intn);
	l2.c.rsp = 0x7fff00000800;
	l2.c.intercept_exceptions = 1u << VEC_PF;
	svm_run(&l2);
	l2_expect("INT n of L2 without a stack", &l2, EXIT_EXCEPTION + VEC_PF);
	rt_known(svm_known(KNOWN_BOCHS_BARE), l2.c.exitintinfo == (EVENT_SOFT_INT | VECTOR),
		 "its EXITINTINFO", BOCHS_INT);
	/* Its fetch is no delivery. */
	start(&l2_intn);
	l2.c.intercept_exceptions = 1u << VEC_PF;
	l2.c.rip = 0x7fff00000000;
	svm_run(&l2);
	l2_expect("no INT n there", &l2, EXIT_EXCEPTION + VEC_PF);
	rt_check(!(l2.c.exitintinfo & EVENT_INTR), "no EXITINTINFO", "%llx", l2.c.exitintinfo);
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	for (unsigned int v = 0; v < 64; v++)
		rt_set_handler(v, on_event);
	check_interrupts();
	check_exceptions();
	check_soft();
	check_soft_exception();
	check_shadow();
	for (unsigned int i = 0; i < ARRAY_LEN(broken); i++)
		check_not_present(&broken[i]);
	check_idt_page();
	check_idt_npf();
	check_idt_fill();
	check_own();
	check_double();
	check_no_memory();
	check_half_idt();
	return rt_result();
}
