// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_except, .nested = "svm", .ref = "APM2 15.12, 15.33.2, 15.14.3",
	.desc = "exceptions of L2: exit with error code, address, DR6 - or L2's own handler");

#define NOWHERE	0x7f0000001000	/* canonical, not mapped */

static struct l2 l2;
static volatile u32 handled;
static volatile ulong handled_vector;

L2_CODE(de, "xor %eax, %eax; xor %edx, %edx; xor %ecx, %ecx", "div %ecx");
L2_CODE(bp, "", "int3");
L2_CODE(ud, "", "ud2");
L2_CODE(nm, "", "fninit");
L2_CODE(np, "mov $0x78, %eax", "mov %eax, %fs");
L2_CODE(ss, "mov $0x78, %eax", "mov %eax, %ss");
L2_CODE(gp, "mov $0x100, %eax", "mov %eax, %fs");
L2_CODE(gp0, "movabs $0x8000000000000000, %rax", "mov (%rax), %ecx");
L2_CODE(pf_read, "movabs $0x7f0000001000, %rax", "mov (%rax), %ecx");
L2_CODE(pf_write, "movabs $0x7f0000001000, %rax", "mov %ecx, (%rax)");
L2_CODE(mf, "fninit; push $0x300; fldcw (%rsp); fldz; fld1; fdivp; nop", "fwait");
L2_CODE(xm, "push $0; ldmxcsr (%rsp); xorps %xmm0, %xmm0; pcmpeqd %xmm1, %xmm1; pslld $25, %xmm1;"
	"psrld $2, %xmm1", "divss %xmm0, %xmm1");
L2_CODE(ac, "pushf; orl $0x40000, (%rsp); popf; mov %rsp, %rax", "mov 1(%rax), %ecx");

static const struct row {
	const char *name;
	const struct l2_code *code;
	u8 vector;
	bool ring3;
	u32 error;
	u64 cr0;		/* bits to set in it */
	u64 address;		/* #PF */
	u32 known;
	const char *why;
} rows[] = {
	{ "#DE", &l2_de, VEC_DE, false, 0, 0, 0, 0, NULL },
	{ "#BP", &l2_bp, VEC_BP, false, 0, 0, 0, KNOWN_TCG_BARE,
	  "QEMU 7.2 excp_helper.c raise_interrupt2: INT3 is checked as SVM_EXIT_SWINT" },
	{ "#UD", &l2_ud, VEC_UD, false, 0, 0, 0, 0, NULL },
	{ "#NM", &l2_nm, VEC_NM, false, 0, CR0_TS, 0, 0, NULL },
	{ "#NP", &l2_np, VEC_NP, false, 0x78, 0, 0, 0, NULL },
	{ "#SS", &l2_ss, VEC_SS, false, 0x78, 0, 0, 0, NULL },
	{ "#GP of a selector", &l2_gp, VEC_GP, false, 0x100, 0, 0, 0, NULL },
	{ "#GP(0)", &l2_gp0, VEC_GP, false, 0, 0, 0, 0, NULL },
	{ "#PF, read", &l2_pf_read, VEC_PF, false, 0, 0, NOWHERE, 0, NULL },
	{ "#PF, write", &l2_pf_write, VEC_PF, false, 2, 0, NOWHERE, 0, NULL },
	{ "#MF", &l2_mf, VEC_MF, false, 0, 0, 0, 0, NULL },
	{ "#XM", &l2_xm, VEC_XM, false, 0, 0, 0, KNOWN_TCG,
	  "QEMU 7.2 ops_sse.h: SSE exceptions are never raised" },
	{ "#AC", &l2_ac, VEC_AC, true, 0, CR0_AM, 0, KNOWN_TCG,
	  "QEMU 7.2 TCG does not check alignment" },
	{ "#PF, read in ring 3", &l2_pf_read, VEC_PF, true, 4, 0, NOWHERE, 0, NULL },
};

static void prepare(const struct row *r)
{
	l2_init(&l2, NULL);
	if (r->ring3)
		l2_ring3(&l2);
	l2.c.cr0 |= r->cr0;
	l2.c.cr2 = 0x55;
	/* Not present: a data segment. */
	rt_gdt[0x78 / 8] = rt_desc(0, 0xfffff, 0x13, 0xc);
	handled = 0;
}

static void check_set(const struct row *r)
{
	bool ok;

	prepare(r);
	l2.c.intercept_exceptions = 1u << r->vector;
	l2_run_code(&l2, r->code);
	ok = l2.c.exitcode == (u64)EXIT_EXCEPTION + r->vector && l2.c.rip == r->code->at &&
	     !handled;
	if (r->why)
		rt_known(svm_known(r->known), ok, r->name, r->why);
	else
		rt_check(ok, r->name, "exit %llx at %llx", l2.c.exitcode, l2.c.rip);
	if (!ok)
		return;
	if (BIT64(r->vector) & (BIT64(VEC_NP) | BIT64(VEC_SS) | BIT64(VEC_GP) | BIT64(VEC_PF)))
		rt_check(l2.c.exitinfo1 == r->error, "its error code", "%llx, not %x",
			 l2.c.exitinfo1, r->error);
	rt_quiet(!(l2.c.exitintinfo & EVENT_INTR), r->name, "EXITINTINFO %llx", l2.c.exitintinfo);
	if (r->vector != VEC_PF)
		return;
	/* APM2 15.12.15: CR2 is not written yet. */
	rt_check(l2.c.exitinfo2 == r->address, "its address", "%llx", l2.c.exitinfo2);
	rt_known(svm_known(KNOWN_BOCHS_BARE), l2.c.cr2 == 0x55, "CR2 is as before",
		 "Bochs 2.7 svm.cc SvmEnterLoadCheckGuestState: guest.cr2 is not loaded");
	if (svm_has(SVM_DECODE_ASSISTS))
		rt_check(l2.c.insn_bytes_count >= r->code->next - r->code->at &&
			 !memcmp(l2.c.insn_bytes, (void *)r->code->at, r->code->next - r->code->at),
			 "its bytes", "%u", l2.c.insn_bytes_count);
}

/* L2's handler goes on behind the instruction. */
static const struct row *running;

static bool on_exception(struct rt_regs *r)
{
	handled++;
	handled_vector = r->vector;
	r->ip = running->code->next;
	return true;
}

static void check_clear(const struct row *r)
{
	prepare(r);
	running = r;
	l2.c.intercept_exceptions = ~(1u << r->vector);
	l2_run_code(&l2, r->code);
	rt_check((l2.c.exitcode == EXIT_VMMCALL && handled == 1 && handled_vector == r->vector) ||
		 (r->why && svm_known(r->known)), "in L2", "exit %llx, %u of vector %lx",
		 l2.c.exitcode, handled, handled_vector);
	if (r->vector == VEC_PF)
		rt_check(l2.c.cr2 == r->address, "CR2", "%llx", l2.c.cr2);
}

/* A fetch: RIP is where it wanted to go. */
static void check_fetch(void)
{
	prepare(&rows[0]);
	l2.c.intercept_exceptions = 1u << VEC_PF;
	l2.c.rip = NOWHERE;
	svm_run(&l2);
	l2_expect("#PF of a fetch", &l2, EXIT_EXCEPTION + VEC_PF);
	rt_check(l2.c.exitinfo2 == NOWHERE && l2.c.rip == NOWHERE && (l2.c.exitinfo1 & 0xf) == 0,
		 "its information", "%llx %llx at %llx", l2.c.exitinfo1, l2.c.exitinfo2, l2.c.rip);
	rt_check(!!(l2.c.exitinfo1 & 0x10) == !!(l2.c.efer & EFER_NXE), "its bit 4", "%llx",
		 l2.c.exitinfo1);
}

/* L1 gives L2 what it intercepted. */
static void check_reflect(void)
{
	static const struct row *r = &rows[9];

	prepare(r);
	running = r;
	l2.c.intercept_exceptions = 1u << VEC_PF;
	l2_run_code(&l2, r->code);
	l2.c.cr2 = l2.c.exitinfo2;
	l2.c.eventinj = EVENT_EXCEPTION | VEC_PF | EVENT_ERROR(l2.c.exitinfo1);
	svm_run(&l2);
	l2_expect("#PF given back", &l2, EXIT_VMMCALL);
	rt_check(handled == 1 && handled_vector == VEC_PF, "L2's handler ran", "%u", handled);
	rt_check(l2.c.cr2 == NOWHERE, "CR2", "%llx", l2.c.cr2);
}

/* APM2 15.12.2: DR6 is written before the intercept of #DB. */
static void check_db(void)
{
	static const struct row step = { "step", &l2_nm, VEC_DB, false, 0, 0, 0, 0, NULL };

	prepare(&step);
	l2.c.intercept_exceptions = 1u << VEC_DB;
	l2.c.rflags |= FL_TF;
	l2_run_code(&l2, &l2_nm);
	l2_expect("#DB of a step", &l2, EXIT_EXCEPTION + VEC_DB);
	rt_check(l2.c.rip == l2_nm.next, "it is a trap", "%llx", l2.c.rip);
	rt_known(svm_known(KNOWN_BOCHS_BARE), l2.c.dr6 == 0xffff4ff0, "DR6",
		 "Bochs 2.7 exception.cc: the intercept stands before the commit to dr6");
}

/* The triple fault, and who sees it (APM2 15.14.3). */
static void check_shutdown(void)
{
	prepare(&rows[0]);
	l2.c.idtr.limit = 0;
	l2_run_code(&l2, &l2_ud);
	l2_expect("triple fault", &l2, EXIT_SHUTDOWN);
	l2_init(&l2, NULL);
	l2_run_code(&l2, &l2_nm);
	l2_expect("L1 goes on", &l2, EXIT_VMMCALL);
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	for (unsigned int i = 0; i < ARRAY_LEN(rows); i++) {
		rt_set_handler(rows[i].vector, on_exception);
		check_set(&rows[i]);
		check_clear(&rows[i]);
	}
	check_fetch();
	check_reflect();
	check_db();
	check_shutdown();
	return rt_result();
}
