// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_mode, .nested = "svm", .ref = "APM2 15.5, 15.19, 15.25.3, 15.14.1",
	.desc = "L2 in real, paged real, virtual-8086, 16- and 32-bit, PAE, compatibility mode");

#define VECTOR		0x21
#define ALIAS		0x40000000ul	/* L2's second mapping of its first 4 MiB */

static struct l2 l2;
static u32 seen32 __attribute__((used, aligned(4)));
static u8 real_ivt[0x400] __attribute__((aligned(16)));
static u32 page_dir[1024] __attribute__((aligned(4096)));
static u64 pdpt[4] __attribute__((aligned(4096)));
static u64 pae_pd[512] __attribute__((aligned(4096)));

/*
 * EAX = 12345678h + EBX; EDX is what lies at SEEN_AT, by a 32-bit address; then
 * CPUID, VMMCALL.
 */
#define BODY \
	"mov $0x12345678, %eax\n add %ebx, %eax\n mov (%esi), %edx\n incl (%esi)\n" \
	"cpuid\n vmmcall\n nop\n hlt\n"
__asm__(".pushsection .low, \"awx\"\n .code32\n code32: " BODY
	".code16\n code16: movl $0x12345678, %eax\n addl %ebx, %eax\n addr32 movl (%esi), %edx\n"
	"addr32 incl (%esi)\n cpuid\n vmmcall\n nop\n hlt\n"
	"handler16: movl $0x99, %edi\n iretw\n"
	".code32\n bound32: boundl %eax, (%esi)\n"
	"into32: mov $0x7fffffff, %eax\n inc %eax\n into\n"
	"task32: ljmp $0x58, $0\n call32: lcall $0x58, $0\n"
	".code64\n .popsection\n");
extern char code32[], code16[], handler16[], bound32[], into32[], task32[], call32[];

#define CR0_PROT	(CR0_PE | CR0_ET | CR0_NE)
#define NO_LONG		(EFER_LME | EFER_LMA)

enum { NO_TABLES, LEGACY, PAE, LONG };

static const struct mode {
	const char *name;
	const char *code;
	u64 cr0;
	u8 tables;
	u16 cs_attr, data_attr;
	u32 flags;
	bool real;		/* segments by selector << 4, the IVT */
} modes[] = {
	{ "32-bit, no paging", code32, CR0_PROT, NO_TABLES, 0xc9b, 0xc93, 0, false },
	{ "32-bit, paging", code32, CR0_PROT | CR0_PG, LEGACY, 0xc9b, 0xc93, 0, false },
	{ "PAE", code32, CR0_PROT | CR0_PG, PAE, 0xc9b, 0xc93, 0, false },
	{ "compatibility", code32, CR0_PROT | CR0_PG, LONG, 0xc9b, 0xc93, 0, false },
	{ "16-bit", code16, CR0_PROT, NO_TABLES, 0x9b, 0xc93, 0, false },
	{ "real", code16, CR0_ET | CR0_NE, NO_TABLES, 0x9b, 0x93, 0, true },
	{ "paged real", code16, CR0_ET | CR0_NE | CR0_PG, LEGACY, 0x9b, 0x93, 0, true },
	{ "virtual-8086", code16, CR0_PROT, NO_TABLES, 0xfb, 0xf3, FL_VM, false },
};

static void make_tables(void)
{
	for (u32 i = 0; i < 1024; i++)
		page_dir[i] = i << 22 | 0x87;
	page_dir[ALIAS >> 22] = 0x87;
	for (u64 i = 0; i < 512; i++)
		pae_pd[i] = i << 21 | 0x87;
	/* ALIAS is the second GiB's begin: the same tables again. */
	pdpt[0] = pdpt[1] = (ulong)pae_pd | 1;
}

static void set_paging(const struct mode *m)
{
	struct vmcb *c = &l2.c;

	if (m->tables == LONG)
		return;
	c->efer &= ~(u64)NO_LONG;
	c->cr4 &= ~CR4_PAE;
	if (m->tables == LEGACY) {
		c->cr3 = (ulong)page_dir;
		c->cr4 |= CR4_PSE;
	} else if (m->tables == PAE) {
		c->cr3 = (ulong)pdpt;
		c->cr4 |= CR4_PAE;
	}
}

static void set_seg(struct vmcb_seg *s, u16 selector, u16 attrib, bool real)
{
	s->selector = selector;
	s->attrib = attrib;
	s->limit = real ? 0xffff : 0xffffffff;
	s->base = 0;
}

static void start(const struct mode *m, bool npt)
{
	struct vmcb *c = &l2.c;
	bool real = m->real || m->flags & FL_VM;

	l2_init(&l2, NULL);
	if (npt) {
		npt_use(&l2);
		c->tlb_control = TLB_FLUSH_ALL;
	}
	c->cr0 = m->cr0;
	set_paging(m);
	set_seg(&c->cs, real ? 0 : SEL_CODE32, m->cs_attr, real);
	set_seg(&c->ss, real ? 0 : SEL_DATA, m->data_attr, real);
	/* Data by 32-bit addresses wherever the mode lets a limit be that. */
	set_seg(&c->ds, real ? 0 : SEL_DATA, m->data_attr, false);
	set_seg(&c->es, real ? 0 : SEL_DATA, m->data_attr, false);
	if (m->flags & FL_VM) {
		c->ds.limit = c->es.limit = 0xffff;
		c->cpl = 3;
	}
	if (m->real) {
		c->idtr.base = (ulong)real_ivt;
		c->idtr.limit = 0x3ff;
	}
	c->rflags |= m->flags;
	c->rip = (ulong)m->code;
	c->rsp = 0x7c00;
	l2.regs.rbx = 0x1111;
	seen32 = 0xabcd;
	*(volatile u32 *)0x7000 = 0xabcd;
	l2.regs.rsi = m->flags & FL_VM || m->real ? 0x7000 : (ulong)&seen32;
	L2_INTERCEPT(&l2, vec3, VEC3_CPUID, true);
}

static void check_mode(const struct mode *m, bool npt)
{
	volatile u32 *data;

	start(m, npt);
	data = (volatile u32 *)l2.regs.rsi;
	svm_run(&l2);
	l2_expect(m->name, &l2, EXIT_CPUID);
	rt_check((u32)l2.c.rax == 0x12346789 && (u32)l2.regs.rdx == 0xabcd && *data == 0xabce,
		 "it ran", "%llx %llx %x", l2.c.rax, l2.regs.rdx, *data);
	/* In real mode some processors make a data segment of CS. */
	rt_check(l2.c.cr0 == m->cr0 && (m->real || l2.c.cs.attrib == m->cs_attr) &&
		 l2.c.cpl == (m->flags & FL_VM ? 3 : 0) &&
		 !(l2.c.efer & EFER_LMA) == (m->tables != LONG), "its state", "%llx %x %u %llx",
		 l2.c.cr0, l2.c.cs.attrib, l2.c.cpl, l2.c.efer);
	l2.c.rip += 2;
	svm_run(&l2);
	l2_expect("goes on", &l2, EXIT_VMMCALL);
	if (!m->real)
		return;
	/* An interrupt goes through the IVT, at IDTR's base. */
	*(u32 *)&real_ivt[VECTOR * 4] = (u32)(ulong)handler16;
	l2.c.eventinj = EVENT_INTR | VECTOR;
	l2.regs.rdi = 0;
	svm_run(&l2);
	rt_check(l2.c.exitcode == EXIT_VMMCALL && l2.regs.rdi == 0x99, "interrupt",
		 "exit %llx, %llx", l2.c.exitcode, l2.regs.rdi);
}

/* What L2's tables say in its mode: the alias, and #PF beyond. */
static void check_tables(const struct mode *m, bool npt)
{
	start(m, npt);
	l2.regs.rsi += ALIAS;
	svm_run(&l2);
	l2_expect(m->name, &l2, EXIT_CPUID);
	rt_check((u32)l2.regs.rdx == 0xabcd && seen32 == 0xabce, "through its alias", "%llx %x",
		 l2.regs.rdx, seen32);
	start(m, npt);
	l2.c.intercept_exceptions = 1u << VEC_PF;
	page_dir[0x80000000 >> 22] = 0;
	l2.regs.rsi = 0x80001234;
	svm_run(&l2);
	l2_expect("#PF", &l2, EXIT_EXCEPTION + VEC_PF);
	rt_check(l2.c.exitinfo2 == 0x80001234 && !l2.c.exitinfo1, "its address", "%llx %llx",
		 l2.c.exitinfo2, l2.c.exitinfo1);
}

/* Exceptions that 64-bit code cannot make. */
static void check_32bit(void)
{
	static u32 bounds[2] = { 5, 9 };

	start(&modes[0], false);
	l2.c.rip = (ulong)bound32;
	l2.c.rax = 10;
	l2.regs.rsi = (ulong)bounds;
	l2.c.intercept_exceptions = 1u << VEC_BR;
	svm_run(&l2);
	l2_expect("#BR", &l2, EXIT_EXCEPTION + VEC_BR);
	rt_check(l2.c.rip == (ulong)bound32, "it is a fault", "%llx", l2.c.rip);
	start(&modes[0], false);
	l2.c.rip = (ulong)into32;
	l2.c.intercept_exceptions = 1u << VEC_OF;
	svm_run(&l2);
	rt_known(svm_known(KNOWN_TCG_BARE), l2.c.exitcode == EXIT_EXCEPTION + VEC_OF, "#OF",
		 "QEMU 7.2 excp_helper.c raise_interrupt2: INTO is checked as SVM_EXIT_SWINT");
}

#define TASK_JMP	BIT64(38)
#define TASK_IRET	BIT64(36)

/* APM2 15.14.1: the selector, and how. */
static void check_task(void)
{
	static u8 tss[2][0x68];
	static const struct {
		const char *name;
		char *code;
		u64 info2;
	} row[] = { { "JMP to a task", task32, TASK_JMP }, { "CALL of a task", call32, 0 } };

	if (svm_known(KNOWN_TCG)) {
		rt_note("QEMU 7.2 does not intercept task switches: seg_helper.c switch_tss_ra");
		return;
	}
	for (unsigned int i = 0; i < ARRAY_LEN(row); i++) {
		start(&modes[0], false);
		rt_gdt[SEL_FREE / 8] = rt_desc((u32)(ulong)tss[0], 0x67, 0x89, 0);
		l2.c.tr.selector = 0x60;
		l2.c.tr.base = (ulong)tss[1];
		l2.c.tr.limit = 0x67;
		l2.c.tr.attrib = 0x8b;
		l2.c.rip = (ulong)row[i].code;
		L2_INTERCEPT(&l2, vec3, VEC3_TASK_SWITCH, true);
		svm_run(&l2);
		l2_expect(row[i].name, &l2, EXIT_TASK_SWITCH);
		rt_check((u16)l2.c.exitinfo1 == SEL_FREE && l2.c.rip == (ulong)row[i].code,
			 "selector and RIP", "%llx %llx", l2.c.exitinfo1, l2.c.rip);
		rt_check((l2.c.exitinfo2 & (TASK_JMP | TASK_IRET)) == row[i].info2, "reason",
			 "%llx", l2.c.exitinfo2);
	}
}

int main(struct rt_info *info)
{
	const char *why;
	bool np;

	if (!svm_enable(&why))
		return rt_skip(why);
	np = svm_has(SVM_NP);
	make_tables();
	npt_init();
	for (unsigned int npt = 0; npt <= np; npt++) {
		rt_note(npt ? "with nested paging" : "without nested paging");
		for (unsigned int i = 0; i < ARRAY_LEN(modes); i++)
			check_mode(&modes[i], npt);
		check_tables(&modes[1], npt);
		check_tables(&modes[2], npt);
	}
	check_32bit();
	check_task();
	return rt_result();
}
