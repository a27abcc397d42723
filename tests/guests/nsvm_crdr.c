// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_crdr, .nested = "svm", .ref = "APM2 15.8, 15.8.1, 15.9; table B-1",
	.desc = "intercepts of control and debug registers, read and write, each bit by itself");

static struct l2 l2;

L2_CODE(read_cr0, "", "mov %cr0, %rbx");
L2_CODE(read_cr2, "", "mov %cr2, %rbx");
L2_CODE(read_cr3, "", "mov %cr3, %rbx");
L2_CODE(read_cr4, "", "mov %cr4, %rbx");
L2_CODE(read_cr8, "", "mov %cr8, %rbx");
L2_CODE(write_cr0, "mov %cr0, %rbx; btc $18, %rbx", "mov %rbx, %cr0");
L2_CODE(write_cr2, "mov $0x1234, %ebx", "mov %rbx, %cr2");
L2_CODE(write_cr3, "mov %cr3, %rbx", "mov %rbx, %cr3");
L2_CODE(write_cr4, "mov %cr4, %rbx", "mov %rbx, %cr4");
L2_CODE(write_cr8, "xor %ebx, %ebx", "mov %rbx, %cr8");
L2_CODE(smsw, "", "smsw %ebx");
L2_CODE(clts, "", "clts");
L2_CODE(lmsw, "smsw %ebx", "lmsw %bx");
L2_CODE(ts, "mov %cr0, %rbx; btc $3, %rbx; btc $1, %rbx", "mov %rbx, %cr0");
L2_CODE(same, "mov %cr0, %rbx", "mov %rbx, %cr0");
L2_CODE(lmsw_em, "smsw %ebx; btc $2, %ebx", "lmsw %bx");
L2_CODE(lmsw_ts, "smsw %ebx; btc $3, %ebx", "lmsw %bx");
L2_CODE(read_dr0, "", "mov %dr0, %rbx");
L2_CODE(read_dr1, "", "mov %dr1, %rbx");
L2_CODE(read_dr2, "", "mov %dr2, %rbx");
L2_CODE(read_dr3, "", "mov %dr3, %rbx");
L2_CODE(read_dr4, "", "mov %db4, %rbx");
L2_CODE(read_dr5, "", "mov %db5, %rbx");
L2_CODE(read_dr6, "", "mov %dr6, %rbx");
L2_CODE(read_dr7, "", "mov %dr7, %rbx");
L2_CODE(write_dr0, "mov $0x1000, %ebx", "mov %rbx, %dr0");
L2_CODE(write_dr1, "mov $0x2000, %ebx", "mov %rbx, %dr1");
L2_CODE(write_dr2, "mov $0x3000, %ebx", "mov %rbx, %dr2");
L2_CODE(write_dr3, "mov $0x4000, %ebx", "mov %rbx, %dr3");
L2_CODE(write_dr4, "mov $0xffff0ff0, %ebx", "mov %rbx, %db4");
L2_CODE(write_dr5, "mov $0x400, %ebx", "mov %rbx, %db5");
L2_CODE(write_dr6, "mov $0xffff0ff0, %ebx", "mov %rbx, %dr6");
L2_CODE(write_dr7, "mov $0x400, %ebx", "mov %rbx, %dr7");

/* A MOV: EXITINFO1 bit 63 and the register's number (APM2 15.8.1). */
enum info { NO_INFO, MOV_RBX };

static const struct row {
	const char *name;
	const struct l2_code *code;
	u8 exitcode;		/* and bit number: CR and DR intercepts begin at 0 */
	u8 info;
} rows[] = {
#define CR(n)	{ "read CR" #n, &l2_read_cr##n, EXIT_CR_READ + (n), MOV_RBX }, \
		{ "write CR" #n, &l2_write_cr##n, EXIT_CR_WRITE + (n), MOV_RBX }
#define DR(n)	{ "read DR" #n, &l2_read_dr##n, EXIT_DR_READ + (n), MOV_RBX }, \
		{ "write DR" #n, &l2_write_dr##n, EXIT_DR_WRITE + (n), MOV_RBX }
	CR(0), CR(2), CR(3), CR(4), CR(8),
	{ "SMSW", &l2_smsw, EXIT_CR_READ, NO_INFO },
	{ "CLTS", &l2_clts, EXIT_CR_WRITE, NO_INFO },
	{ "LMSW", &l2_lmsw, EXIT_CR_WRITE, NO_INFO },
	DR(0), DR(1), DR(2), DR(3), DR(6), DR(7),
};

/* The intercept bits of an exit code: 16 of each kind, from offset 0 on. */
static u16 *word_of(unsigned int exitcode)
{
	return (u16 *)((u8 *)&l2.c + offsetof(struct vmcb, intercept_cr_read)) + exitcode / 16;
}

static void check_set(const struct row *r)
{
	bool ok;

	l2_init(&l2, NULL);
	l2.c.cr4 &= ~CR4_DE;
	*word_of(r->exitcode) = (u16)(1u << r->exitcode % 16);
	l2_run_code(&l2, r->code);
	ok = l2.c.exitcode == r->exitcode && l2.c.rip == r->code->at;
	rt_check(ok, r->name, "exit %llx at %llx", l2.c.exitcode, l2.c.rip);
	if (ok && svm_has(SVM_NRIPS))
		rt_check(l2.c.nrip == r->code->next, "nRIP", "%llx", l2.c.nrip);
	if (!ok || !svm_has(SVM_DECODE_ASSISTS))
		return;
	if (r->info == MOV_RBX && r->exitcode < EXIT_DR_READ)
		rt_check(l2.c.exitinfo1 == (BIT64(63) | 3), "its register", "%llx", l2.c.exitinfo1);
	else if (r->info == MOV_RBX)
		rt_check(l2.c.exitinfo1 == 3, "its register", "%llx", l2.c.exitinfo1);
	else
		rt_check(!(l2.c.exitinfo1 >> 63), "no MOV", "%llx", l2.c.exitinfo1);
}

/* Every other intercept of the four words set. */
static void check_clear(const struct row *r)
{
	l2_init(&l2, NULL);
	for (unsigned int i = 0; i < 64; i += 16)
		*word_of(i) = 0xffff;
	*word_of(r->exitcode) = (u16)~(1u << r->exitcode % 16);
	/* A write may read it first, and CR0. */
	*word_of(r->exitcode & 0xe0) &= (u16)~(1u << r->exitcode % 16);
	*word_of(EXIT_CR_READ) &= (u16)~1u;
	l2_run_code(&l2, r->code);
	l2_expect("all but that", &l2, EXIT_VMMCALL);
	rt_quiet(l2.c.rip == r->code->next, r->name, "goes on at %llx", l2.c.rip);
}

/* APM2 13.1.1.2: DR4 and DR5 are DR6 and DR7 unless CR4.DE is set: then #UD first. */
static void check_aliases(void)
{
	static const struct {
		const char *name;
		const struct l2_code *code;
		u8 exitcode;
	} alias[] = {
		{ "read DR4", &l2_read_dr4, EXIT_DR_READ + 4 },
		{ "read DR5", &l2_read_dr5, EXIT_DR_READ + 5 },
		{ "write DR4", &l2_write_dr4, EXIT_DR_WRITE + 4 },
		{ "write DR5", &l2_write_dr5, EXIT_DR_WRITE + 5 },
	};

	for (unsigned int i = 0; i < ARRAY_LEN(alias); i++) {
		l2_init(&l2, NULL);
		l2.c.cr4 &= ~CR4_DE;
		/* By which of the two names is not said: both. */
		*word_of(alias[i].exitcode) = (u16)(5u << alias[i].exitcode % 16);
		l2_run_code(&l2, alias[i].code);
		rt_check(l2.c.exitcode == alias[i].exitcode ||
			 l2.c.exitcode == alias[i].exitcode + 2u, alias[i].name, "exit %llx",
			 l2.c.exitcode);
		l2_init(&l2, NULL);
		l2.c.cr4 |= CR4_DE;
		l2.c.intercept_exceptions = 1u << VEC_UD;
		*word_of(alias[i].exitcode) = 0xffff;
		l2_run_code(&l2, alias[i].code);
		rt_known(svm_known(KNOWN_TCG_BARE), l2.c.exitcode == EXIT_EXCEPTION + VEC_UD,
			 "#UD with CR4.DE",
			 "QEMU 7.2 bpt_helper.c: CR4.DE is looked at behind the intercept");
	}
}

static void run_sel(const struct l2_code *code)
{
	l2_init(&l2, NULL);
	L2_INTERCEPT(&l2, vec3, VEC3_CR0_SEL, true);
	l2_run_code(&l2, code);
}

/* APM2 15.9, table 15-8: writes of CR0 that change more than TS and MP. */
static void check_selective(void)
{
	run_sel(&l2_write_cr0);
	l2_expect("selective: AM", &l2, EXIT_CR0_SEL);
	rt_check(l2.c.rip == l2_write_cr0.at, "its RIP", "%llx", l2.c.rip);
	run_sel(&l2_ts);
	l2_expect("selective: TS and MP", &l2, EXIT_VMMCALL);
	run_sel(&l2_same);
	l2_expect("selective: nothing", &l2, EXIT_VMMCALL);
	run_sel(&l2_clts);
	l2_expect("selective: CLTS", &l2, EXIT_VMMCALL);
	run_sel(&l2_lmsw_em);
	l2_expect("selective: LMSW, EM", &l2, EXIT_CR0_SEL);
	run_sel(&l2_lmsw_ts);
	/* LMSW treats it as one that is not selective. */
	rt_known(svm_known(KNOWN_TCG_BARE | KNOWN_BOCHS_BARE), l2.c.exitcode == EXIT_CR0_SEL,
		 "selective: LMSW, TS", "LMSW of TS and MP alone does not meet the intercept");
	l2_init(&l2, NULL);
	L2_INTERCEPT(&l2, vec3, VEC3_CR0_SEL, true);
	L2_INTERCEPT(&l2, cr_write, 0, true);
	l2_run_code(&l2, &l2_write_cr0);
	rt_check(l2.c.exitcode == EXIT_CR0_SEL || l2.c.exitcode == EXIT_CR_WRITE,
		 "with both: one of them", "exit %llx", l2.c.exitcode);
}

/* What is not intercepted has its effect in L2 alone. */
L2_CODE(effects, "mov $0x77, %ebx; mov %rbx, %cr2; mov $5, %ebx; mov %rbx, %cr8",
	"mov %cr0, %rbx; btc $18, %rbx; mov %rbx, %cr0");

static void check_effects(void)
{
	u64 cr0 = read_cr0();

	write_cr8(0);
	l2_init(&l2, NULL);
	l2.c.int_ctl = V_INTR_MASKING;
	l2_run_code(&l2, &l2_effects);
	l2_expect("writes that are not intercepted", &l2, EXIT_VMMCALL);
	rt_check(l2.c.cr0 == (cr0 ^ CR0_AM) && read_cr0() == cr0, "CR0", "%llx", l2.c.cr0);
	rt_check(l2.c.cr2 == 0x77, "CR2", "%llx", l2.c.cr2);
	rt_check((l2.c.int_ctl & 0xff) == 5, "V_TPR", "%x", l2.c.int_ctl);
	rt_check(read_cr8() == 0, "L1's TPR", "%lx", read_cr8());
	l2_init(&l2, NULL);
	l2_run_code(&l2, &l2_effects);
	rt_check(read_cr8() == 5, "without V_INTR_MASKING CR8 is L1's", "%lx", read_cr8());
	write_cr8(0);
}

#define DR7_INIT	0x400
#define TCG_DR7		"QEMU 7.2 svm_helper.c:854 do_vmexit: no cpu_x86_update_dr7"

static volatile u32 breaks, watched;

static bool on_break(struct rt_regs *r)
{
	breaks++;
	r->flags |= FL_RF;
	return true;
}

extern char break_here[];
static void touch(void)
{
	watched++;
	__asm__ volatile("break_here: nop" ::: "memory");
}

L2_CODE(break_on, "", "mov %rbx, %dr0; mov %rcx, %dr7");

/* APM2 15.6: #VMEXIT disables all breakpoints, L1's and L2's. */
static void check_breakpoints(void)
{
	static const struct {
		const char *name;
		char *at;
		u32 dr7;
		bool l1;
	} row[] = {
		{ "L1's, execution", break_here, DR7_INIT | 2, true },
		{ "L1's, write", (char *)&watched, DR7_INIT | 0xd0002, true },
		{ "L2's, execution", break_here, DR7_INIT | 2, false },
		{ "L2's, write", (char *)&watched, DR7_INIT | 0xd0001, false },
	};

	rt_set_handler(VEC_DB, on_break);
	for (unsigned int i = 0; i < ARRAY_LEN(row); i++) {
		/* Where it stays set, it may end the emulator. */
		if (row[i].at != break_here && svm_known(KNOWN_TCG_BARE)) {
			rt_known(true, false, row[i].name, TCG_DR7);
			continue;
		}
		l2_init(&l2, NULL);
		l2.regs.rbx = (ulong)row[i].at;
		l2.regs.rcx = row[i].l1 ? DR7_INIT : row[i].dr7;
		write_dr0(l2.regs.rbx);
		if (row[i].l1)
			write_dr7(row[i].dr7);
		l2_run_code(&l2, &l2_break_on);
		rt_check(l2.c.dr7 == l2.regs.rcx, row[i].name, "%llx", l2.c.dr7);
		rt_known(svm_known(KNOWN_TCG_BARE), read_dr7() == DR7_INIT, "DR7 is cleared",
			 TCG_DR7);
		breaks = 0;
		touch();
		rt_known(svm_known(KNOWN_TCG_BARE), !breaks, "is disabled", TCG_DR7);
	}
	rt_set_handler(VEC_DB, NULL);
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++) {
		check_set(r);
		check_clear(r);
	}
	check_aliases();
	check_selective();
	check_effects();
	check_breakpoints();
	return rt_result();
}
