// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_run, .nested = "svm", .ref = "APM2 15.5, 15.6, 15.30.4",
	.desc = "VMRUN and #VMEXIT: registers, control and debug registers, segments, L1's state");

static struct l2 l2;
static const char *why_not;

/* Registers go in and come out; L2 inverts them. */
static void invert(void)
{
	__asm__ volatile("not %%rcx; not %%rdx; not %%rbx; not %%rbp; not %%rsi; not %%rdi\n"
			 "not %%r8; not %%r9; not %%r10; not %%r11; not %%r12; not %%r13\n"
			 "not %%r14; not %%r15; not %%rax; vmmcall" : : : "memory");
	__builtin_unreachable();
}

static void check_gprs(void)
{
	u64 *r = (u64 *)&l2.regs;
	const unsigned int n = sizeof(l2.regs) / 8;

	l2_init(&l2, invert);
	for (unsigned int i = 0; i < n; i++)
		r[i] = 0x0123456789abcdefULL * (i + 1);
	l2.c.rax = 0xfedcba9876543210;
	svm_run(&l2);
	l2_expect("VMMCALL", &l2, EXIT_VMMCALL);
	for (unsigned int i = 0; i < n; i++)
		rt_quiet(r[i] == ~(0x0123456789abcdefULL * (i + 1)), "GPRs", "%u: %llx", i, r[i]);
	rt_check(l2.c.rax == ~0xfedcba9876543210ULL, "RAX", "%llx", l2.c.rax);
	rt_check(!memcmp((void *)l2.c.rip, "\x0f\x01\xd9", 3), "RIP is at VMMCALL", "%llx",
		 l2.c.rip);
}

/* Members of the save area that VMRUN loads and #VMEXIT stores (APM2 15.5.1, 15.6). */
struct member {
	const char *name;
	u16 offset;
	u8 size;
	u64 value;
	unsigned int known;
	const char *why;
};

#define M(n, v)	{ #n, offsetof(struct vmcb, n), sizeof(((struct vmcb *)0)->n), v, 0, NULL }
#define K(n, v, k, w) { #n, offsetof(struct vmcb, n), sizeof(((struct vmcb *)0)->n), v, k, w }

/*
 * Values that L2 can hold while it does one VMMCALL.  A null selector with a
 * base and limit is no state that 64-bit code could load, but may have.
 */
static const struct member members[] = {
	M(es.selector, 0x1230), M(es.attrib, 0xc93), M(es.limit, 0xffffffff),
	M(es.base, 0x12345678),
	M(ds.selector, 0x4560), M(ds.attrib, 0x493), M(ds.limit, 0x4567),
	M(ds.base, 0x89abcdef),
	M(ss.selector, 0x7890), M(ss.limit, 0x98765),
	M(cs.selector, 0xabc8), M(cs.attrib, 0xa9b), M(cs.limit, 0xfffff),
	M(gdtr.limit, 0x1234), M(gdtr.base, 0xffff888011112222),
	M(idtr.limit, 0x4321), M(idtr.base, 0x00007fff33334444),
	K(cr2, 0xffffeeeeddddcccc, KNOWN_BOCHS_BARE,
	  "Bochs 2.7 cpu/svm.cc SvmEnterLoadCheckGuestState: guest.cr2 is not loaded"),
	M(dr6, 0xffff4ff5), M(dr7, 0x00000400),
	M(rflags, 0x00240ad7), M(rsp, 0xfffedcba98765432), M(rax, 0x1122334455667788),
};

static u64 get(const struct member *m)
{
	u64 v = 0;

	memcpy(&v, (const u8 *)&l2.c + m->offset, m->size);
	return v;
}

L2_CODE(nop, "", "nop");

static void check_members(void)
{
	l2_init(&l2, NULL);
	for (const struct member *m = members; m < members + ARRAY_LEN(members); m++)
		memcpy((u8 *)&l2.c + m->offset, &m->value, m->size);
	l2.c.rip = l2_nop.start;
	svm_run(&l2);
	l2_expect("VMMCALL with unusual state", &l2, EXIT_VMMCALL);
	for (const struct member *m = members; m < members + ARRAY_LEN(members); m++)
		rt_known(m->why && svm_known(m->known), get(m) == m->value, m->name,
			 m->why ? m->why : "is not what was loaded");
	rt_check(l2.c.rip == l2_nop.next, "RIP", "%llx", l2.c.rip);
	rt_check(l2.c.cpl == 0, "CPL", "%u", l2.c.cpl);
	rt_check(l2.c.efer == rdmsr(MSR_EFER) && l2.c.cr3 == read_cr3() && l2.c.cr4 == read_cr4() &&
		 l2.c.cr0 == read_cr0(), "EFER and control registers", "%llx %llx %llx %llx",
		 l2.c.efer, l2.c.cr0, l2.c.cr3, l2.c.cr4);
}

/* What L2 changes is in the VMCB afterwards and not in L1. */
static struct table_ptr l2_gdtr = { 0x7f, 0xffff888812345678 };
static struct table_ptr l2_idtr = { 0x8f, 0x00007fff33334444 };

static void change(void)
{
	write_cr2(0x1357);
	write_dr6(0xffff0ff1);
	write_dr7(0x455);
	write_cr4(read_cr4() | CR4_TSD);
	write_cr0(read_cr0() | CR0_TS | CR0_AM);
	write_es(0);
	write_ds(SEL_DATA16);
	lgdt(&l2_gdtr);
	lidt(&l2_idtr);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) ^ EFER_SCE);
	write_flags(FL_CF | FL_AC | FL_ID);
}

struct host_state {
	u64 efer, cr0, cr3, cr4, dr6, dr7, flags, fs_base, gs_base, star;
	struct table_ptr gdt, idt;
	u16 cs, ss, ds, es, tr, fs, gs;
};

static void note_state(struct host_state *h)
{
	memset(h, 0, sizeof(*h));
	h->efer = rdmsr(MSR_EFER);
	h->cr0 = read_cr0();
	h->cr3 = read_cr3();
	h->cr4 = read_cr4();
	h->dr7 = read_dr7();
	h->flags = read_flags();
	h->fs_base = rdmsr(MSR_FS_BASE);
	h->gs_base = rdmsr(MSR_GS_BASE);
	h->star = rdmsr(MSR_STAR);
	sgdt(&h->gdt);
	sidt(&h->idt);
	h->cs = read_cs();
	h->ss = read_ss();
	h->ds = read_ds();
	h->es = read_es();
	h->fs = read_fs();
	h->gs = read_gs();
	__asm__ volatile("str %w0" : "=r"(h->tr));
}

static void check_changes(void)
{
	struct host_state before, after;
	const struct vmcb *c = &l2.c;

	l2_init(&l2, change);
	note_state(&before);
	svm_run(&l2);
	note_state(&after);
	l2_expect("VMMCALL after changes", &l2, EXIT_VMMCALL);
	rt_check(!memcmp(&before, &after, sizeof(before)), "L1's state is as before",
		 "efer %llx %llx cr0 %llx %llx cr4 %llx %llx dr7 %llx %llx flags %llx %llx",
		 before.efer, after.efer, before.cr0, after.cr0, before.cr4, after.cr4, before.dr7,
		 after.dr7, before.flags, after.flags);
	rt_check(c->cr2 == 0x1357 && c->dr6 == 0xffff0ff1 && c->dr7 == 0x455,
		 "CR2, DR6 and DR7", "%llx %llx %llx", c->cr2, c->dr6, c->dr7);
	rt_check(c->cr4 == (before.cr4 | CR4_TSD) && c->cr0 == (before.cr0 | CR0_TS | CR0_AM),
		 "CR4 and CR0", "%llx %llx", c->cr4, c->cr0);
	rt_check(c->efer == (before.efer ^ EFER_SCE), "EFER", "%llx", c->efer);
	rt_check(!c->es.selector && c->ds.selector == SEL_DATA16 && c->ds.limit == 0xffff &&
		 !(c->ds.attrib & 0xc00), "segments", "es %x ds %x %x %x", c->es.selector,
		 c->ds.selector, c->ds.limit, c->ds.attrib);
	rt_check(c->gdtr.limit == 0x7f && c->gdtr.base == l2_gdtr.base, "GDTR", "%x %llx",
		 c->gdtr.limit, c->gdtr.base);
	rt_check(c->idtr.limit == 0x8f && c->idtr.base == l2_idtr.base, "IDTR", "%x %llx",
		 c->idtr.limit, c->idtr.base);
	rt_check(c->rflags == (2 | FL_CF | FL_AC | FL_ID), "RFLAGS", "%llx", c->rflags);
}

/* APM3 VMRUN: the address-size prefix makes it EAX. */
static void check_address_size(void)
{
	u64 rax = (ulong)&l2 | BIT64(63) | BIT64(40);

	l2_init(&l2, NULL);
	l2.c.rip = l2_nop.start;
	l2.c.exitcode = EXIT_POISON;
	__asm__ volatile("clgi\n addr32 vmrun\n stgi" : "+a"(rax) : :
			 "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
			 "r12", "r13", "r14", "r15", "memory", "cc");
	l2_expect("VMRUN with EAX", &l2, EXIT_VMMCALL);
	rt_check(rax == ((ulong)&l2 | BIT64(63) | BIT64(40)), "RAX is as before", "%llx", rax);
}

/* What is not intercepted in L2. */
static void vmmcall_not_intercepted(void)
{
	ulong v = (ulong)RT_TRY("vmmcall", : : : "memory");

	__asm__ volatile("cpuid; mov %0, %%rax; hlt" : : "r"(v) : "rbx", "rcx", "rdx", "rax");
}

static void check_vmmcall(void)
{
	l2_init(&l2, vmmcall_not_intercepted);
	L2_INTERCEPT(&l2, vec4, VEC4_VMMCALL, false);
	L2_INTERCEPT(&l2, vec3, VEC3_HLT, true);
	svm_run(&l2);
	l2_expect("HLT", &l2, EXIT_HLT);
	rt_check(l2.c.rax == VEC_UD, "VMMCALL without the intercept is #UD", "%llx", l2.c.rax);
}

static void vmrun_fails(void *arg)
{
	__asm__ volatile("vmrun" : : "a"(&l2) : "memory");
}

static void check_refused(void)
{
	u64 efer = rdmsr(MSR_EFER);

	l2_init(&l2, NULL);
	l2.c.rip = l2_nop.start;
	l2.c.exitcode = EXIT_POISON;
	wrmsr(MSR_VM_HSAVE_PA, 0);
	rt_known(svm_known(KNOWN_TCG_BARE | KNOWN_BOCHS_BARE),
		 rt_try(vmrun_fails, NULL) == VEC_GP, "VMRUN without VM_HSAVE_PA", "uses page 0");
	wrmsr(MSR_VM_HSAVE_PA, (ulong)svm_hsave);
	__asm__ volatile("stgi");
	l2.c.exitcode = EXIT_POISON;
	wrmsr(MSR_EFER, efer & ~EFER_SVME);
	rt_expect("VMRUN with SVME off again", rt_try(vmrun_fails, NULL), VEC_UD, -1);
	wrmsr(MSR_EFER, efer);
	rt_check(l2.c.exitcode == EXIT_POISON, "EXITCODE is not written", "%llx", l2.c.exitcode);
}

/* L2 keeps what is its own from one run to the next. */
static volatile u32 turns;

static void count(void)
{
	for (;;) {
		turns++;
		__asm__ volatile("vmmcall" : : : "memory");
	}
}

static void check_rounds(void)
{
	static struct l2 other;
	bool ok = true;

	turns = 0;
	l2_init(&l2, count);
	l2_init(&other, count);
	other.c.guest_asid = 2;
	for (u32 i = 1; i <= 500 && ok; i++) {
		struct l2 *l = i & 1 ? &l2 : &other;

		svm_run(l);
		ok = rt_quiet(l->c.exitcode == EXIT_VMMCALL && turns == i, "rounds",
			      "%u: exit %llx, %u turns", i, l->c.exitcode, turns);
		l->c.rip += 3;
	}
	rt_check(ok, "two guests in turn", " ");
}

/* APM2 15.6: #VMEXIT disables L1's breakpoints. */
static void check_host_dr7(void)
{
	l2_init(&l2, NULL);
	write_dr7(0x500);
	l2_run_code(&l2, &l2_nop);
	rt_known(svm_known(KNOWN_TCG_BARE), read_dr7() == 0x400, "DR7 of L1 after #VMEXIT",
		 "QEMU 7.2 svm_helper.c do_vmexit: env->dr[7] comes back from vm_hsave");
	write_dr7(0x400);
	l2_expect("VMMCALL", &l2, EXIT_VMMCALL);
}

int main(struct rt_info *info)
{
	if (!svm_enable(&why_not))
		return rt_skip(why_not);
	check_gprs();
	check_members();
	check_changes();
	check_address_size();
	check_vmmcall();
	check_refused();
	check_rounds();
	check_host_dr7();
	return rt_result();
}
