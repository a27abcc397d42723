// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_misc, .nested = "svm", .ref = "APM2 15.5.2, 15.30.5, 15.14.4, 15.15, 15.33",
	.desc = "VMLOAD and VMSAVE, TSC offset and ratio, single steps, PAUSE filter, clean bits");

static struct l2 l2;
static struct vmcb page;

L2_CODE(nop, "", "nop");
L2_CODE(rdtsc, "", "rdtsc; shl $32, %rdx; or %rdx, %rax");
L2_CODE(rdtscp, "", "rdtscp; shl $32, %rdx; or %rdx, %rax");
L2_CODE(rdmsr_tsc, "mov $0x10, %ecx", "rdmsr; shl $32, %rdx; or %rdx, %rax");
L2_CODE(halve, "mov $0xc0000104, %ecx; mov $0x80000000, %eax; xor %edx, %edx",
	"wrmsr; rdtsc; shl $32, %rdx; or %rdx, %rax");
L2_CODE(nops, "", "nop; nop; nop");
L2_CODE(pauses, "mov $100, %ecx; 1: ", "pause; dec %ecx; jnz 1b");
L2_CODE(store, "", "mov %rbx, (%rdi)");

/* APM2 15.5.2: what VMSAVE stores and VMLOAD loads, and the MSR that shows it. */
static const struct {
	const char *name;
	u16 offset;
	u32 msr;
	u64 value;
} loaded[] = {
#define M(n, m, v)	{ #n, offsetof(struct vmcb, n), m, v }
	M(fs.base, MSR_FS_BASE, 0x00007f1122334455), M(gs.base, MSR_GS_BASE, 0xffff811122334455),
	M(kernel_gs_base, MSR_KERNEL_GS_BASE, 0xffff822233445566),
	M(star, MSR_STAR, 0x1122334455667788), M(lstar, MSR_LSTAR, 0xffff833344556677),
	M(cstar, MSR_CSTAR, 0xffff844455667788), M(sfmask, MSR_SFMASK, 0x47700),
	M(sysenter_cs, MSR_SYSENTER_CS, 0x1234), M(sysenter_esp, MSR_SYSENTER_ESP, 0x556677),
	M(sysenter_eip, MSR_SYSENTER_EIP, 0x778899),
};

static u64 *member(unsigned int i)
{
	return (u64 *)((u8 *)&page + loaded[i].offset);
}

static void check_vmload(void)
{
	static struct vmcb mine;

	__asm__ volatile("vmsave" : : "a"(&mine) : "memory");
	page = mine;
	for (unsigned int i = 0; i < ARRAY_LEN(loaded); i++)
		*member(i) = loaded[i].value;
	page.fs.selector = 0x28;
	page.fs.limit = 0x12345;
	page.fs.attrib = 0x493;
	page.ldtr.selector = 0x58;
	page.ldtr.base = 0x11223344;
	page.ldtr.limit = 0x77;
	page.cr2 = page.rax = page.rip = 0x99;	/* none of VMLOAD's */
	__asm__ volatile("vmload" : : "a"(&page) : "memory");
	for (unsigned int i = 0; i < ARRAY_LEN(loaded); i++)
		rt_check(rdmsr(loaded[i].msr) == loaded[i].value, loaded[i].name, "%llx",
			 rdmsr(loaded[i].msr));
	rt_check(read_fs() == 0x28, "FS", "%x", read_fs());
	memset(&page, 0x5a, sizeof(page));
	__asm__ volatile("vmsave" : : "a"(&page) : "memory");
	__asm__ volatile("vmload" : : "a"(&mine) : "memory");
	for (unsigned int i = 0; i < ARRAY_LEN(loaded); i++)
		rt_check(*member(i) == loaded[i].value, loaded[i].name, "%llx", *member(i));
	rt_check(page.fs.selector == 0x28 && page.fs.limit == 0x12345 && page.fs.attrib == 0x493 &&
		 page.ldtr.selector == 0x58 && page.ldtr.base == 0x11223344 &&
		 page.ldtr.limit == 0x77 && page.tr.selector == SEL_TSS &&
		 page.tr.base == (ulong)&rt_tss, "FS, LDTR and TR", "%x %x %x", page.fs.selector,
		 page.fs.limit, page.ldtr.selector);
	rt_check(page.rax == 0x5a5a5a5a5a5a5a5a && page.cr0 == 0x5a5a5a5a5a5a5a5a &&
		 page.intercept_vec3 == 0x5a5a5a5a && page.es.base == 0x5a5a5a5a5a5a5a5a,
		 "nothing else is stored", " ");
}

/* APM2 15.30.5; L2's time is between two of L1's. */
static void check_tsc(const char *name, const struct l2_code *code, u64 offset)
{
	u64 before, after;

	l2_init(&l2, NULL);
	l2.c.tsc_offset = offset;
	before = rdtsc();
	l2_run_code(&l2, code);
	after = rdtsc();
	l2_expect(name, &l2, EXIT_VMMCALL);
	rt_known(code == &l2_rdmsr_tsc && svm_known(KNOWN_TCG_BARE),
		 l2.c.rax - (before + offset) <= after - before, "between L1's",
		 "QEMU 7.2 misc_helper.c helper_rdmsr: no case for MSR_IA32_TSC");
}

static void check_tsc_offset(void)
{
	static const u64 offset[] = { 0, 0x123456789abc, (u64)-0x123456789abcLL, BIT64(63) };

	for (unsigned int i = 0; i < ARRAY_LEN(offset); i++)
		check_tsc("RDTSC", &l2_rdtsc, offset[i]);
	check_tsc("RDTSCP", &l2_rdtscp, offset[1]);
	check_tsc("RDMSR of the TSC", &l2_rdmsr_tsc, offset[1]);
}

static u64 scaled(u64 tsc, u64 ratio)
{
	return (u64)((unsigned __int128)tsc * ratio >> 32);
}

/* L2's time is that of L1, scaled, and then the offset. */
static void check_rate(const char *name, const struct l2_code *code, u64 ratio)
{
	const u64 offset = 0x123456789abc;
	u64 from, to;

	wrmsr(MSR_TSC_RATIO, ratio);
	l2_init(&l2, NULL);
	l2.c.tsc_offset = offset;
	from = scaled(rdtsc(), ratio);
	l2_run_code(&l2, code);
	to = scaled(rdtsc(), ratio);
	l2_expect(name, &l2, EXIT_VMMCALL);
	rt_check(l2.c.rax - (from + offset) <= to - from, name,
		 "ratio %llx: %llx is not in %llx %llx", ratio, l2.c.rax - offset, from, to);
}

static void check_tsc_ratio(void)
{
	static const u64 ratio[] = {
		TSC_RATIO_ONE, TSC_RATIO_ONE / 2, TSC_RATIO_ONE * 2, 0x123456789, 1, 0,
		TSC_RATIO_MAX,
	};

	if (!svm_has(SVM_TSC_RATE)) {
		rt_note("no TSC ratio");
		return;
	}
	rt_check(rdmsr(MSR_TSC_RATIO) == TSC_RATIO_ONE, "TSC ratio after reset", "%llx",
		 rdmsr(MSR_TSC_RATIO));
	for (u32 bit = 40; bit < 64; bit++)
		rt_expect("reserved bits of it", rt_wrmsr(MSR_TSC_RATIO, BIT64(bit)), VEC_GP, 0);
	for (unsigned int i = 0; i < ARRAY_LEN(ratio); i++) {
		check_rate("RDTSC at another rate", &l2_rdtsc, ratio[i]);
		check_rate("RDTSCP at another rate", &l2_rdtscp, ratio[i]);
		check_rate("RDMSR of the TSC at another rate", &l2_rdmsr_tsc, ratio[i]);
		rt_check(rdmsr(MSR_TSC_RATIO) == ratio[i], "the ratio is kept", "%llx",
			 rdmsr(MSR_TSC_RATIO));
	}
}

/* L1's own clock goes on as ever, and its intercepts are its own. */
static void check_ratio_of_l1(void)
{
	u64 from, to;

	if (!svm_has(SVM_TSC_RATE))
		return;
	from = rdtsc();
	wrmsr(MSR_TSC_RATIO, 0);
	to = rdtsc();
	rt_check(to > from && to - from < from, "not L1's rate", "%llx %llx", from, to);
	l2_init(&l2, NULL);
	L2_INTERCEPT(&l2, vec3, VEC3_RDTSC, true);
	l2_run_code(&l2, &l2_rdtsc);
	l2_expect("RDTSC that L1 intercepts", &l2, EXIT_VEC3 + VEC3_RDTSC);
	l2_run_code(&l2, &l2_rdtscp);
	l2_expect("not RDTSCP", &l2, EXIT_VMMCALL);
	l2_init(&l2, NULL);
	L2_INTERCEPT(&l2, vec4, VEC4_RDTSCP, true);
	l2_run_code(&l2, &l2_rdtscp);
	l2_expect("RDTSCP that L1 intercepts", &l2, EXIT_VEC4 + VEC4_RDTSCP);
	l2_run_code(&l2, &l2_rdtsc);
	l2_expect("not RDTSC", &l2, EXIT_VMMCALL);
	rt_check(!l2.c.rax, "stopped", "%llx", l2.c.rax);
	wrmsr(MSR_TSC_RATIO, TSC_RATIO_ONE);
	/* An L2 that may write it changes its own rate at once. */
	l2_init(&l2, NULL);
	from = rdtsc() / 2;
	l2_run_code(&l2, &l2_halve);
	to = rdtsc() / 2;
	l2_expect("L2 halves its rate", &l2, EXIT_VMMCALL);
	rt_check(l2.c.rax - from <= to - from, "at once", "%llx is not in %llx %llx", l2.c.rax,
		 from, to);
	rt_check(rdmsr(MSR_TSC_RATIO) == TSC_RATIO_ONE / 2, "and L1 sees it", " ");
	wrmsr(MSR_TSC_RATIO, TSC_RATIO_ONE);
}

/* L1's TF over VMRUN: the trap comes in L1, behind the VMRUN, and not in L2. */
static volatile u32 traps;
static volatile bool trap_seen, trap_in_l2;
static ulong l2_from, l2_to;

static bool on_db(struct rt_regs *r)
{
	traps++;
	if (r->ip == (ulong)svm_vmrun_at + 3)
		trap_seen = true;
	if (r->ip >= l2_from && r->ip <= l2_to)
		trap_in_l2 = true;
	write_dr6(0xffff0ff0);
	if (traps > 500)
		r->flags &= ~(ulong)FL_TF;
	return true;
}

/* L2's TF: one #DB exit for each instruction. */
static void check_step_l2(void)
{
	l2_init(&l2, NULL);
	l2.c.intercept_exceptions = 1u << VEC_DB;
	l2.c.rflags |= FL_TF;
	l2.c.rip = l2_nops.at;
	for (u32 i = 1; i <= 3; i++) {
		svm_run(&l2);
		l2_expect("step of L2", &l2, EXIT_EXCEPTION + VEC_DB);
		rt_check(l2.c.rip == l2_nops.at + i, "by one instruction", "%llx", l2.c.rip);
	}
	svm_run(&l2);
	l2_expect("VMMCALL is reached", &l2, EXIT_VMMCALL);
	rt_known(svm_known(KNOWN_BOCHS_BARE), !traps, "nothing of it comes to L1",
		 "Bochs 2.7 exception.cc: debug_trap stays set over the intercept of #DB");
}

/*
 * The same where L0 itself steps over the first one, since many CPUs lose the shadow, or
 * the V_IRQ in it.  The trap comes before that (APM2 8.5).
 */
static void check_step_shadow(void)
{
	static const u32 int_ctl[] = {
		V_INTR_MASKING, V_INTR_MASKING | V_IRQ | V_IGN_TPR | V_INTR_PRIO(15),
	};

	if (svm_known(KNOWN_TCG_BARE | KNOWN_BOCHS_BARE)) {
		rt_note("shadow of a step left out: this CPU loses it");
		return;
	}
	for (unsigned int i = 0; i < ARRAY_LEN(int_ctl); i++) {
		l2_init(&l2, NULL);
		l2.c.intercept_exceptions = 1u << VEC_DB;
		l2.c.rflags |= FL_TF | FL_IF;
		l2.c.int_state = INT_STATE_SHADOW;
		l2.c.int_ctl = int_ctl[i];
		l2.c.int_vector = 0x51;
		l2.c.rip = l2_nops.at;
		l2.c.dr6 = 0xffff0ff0;
		svm_run(&l2);
		rt_check(l2.c.exitcode == EXIT_EXCEPTION + VEC_DB && l2.c.rip == l2_nops.at + 1 &&
			 l2.c.dr6 == 0xffff4ff0 && !(l2.c.exitintinfo & EVENT_INTR),
			 "step of L2 in a shadow", "exit %llx at %llx, DR6 %llx", l2.c.exitcode,
			 l2.c.rip, l2.c.dr6);
		rt_check((l2.c.int_ctl & V_IRQ) == (int_ctl[i] & V_IRQ), "V_IRQ waits", "%x",
			 l2.c.int_ctl);
	}
}

static void check_step_l1(void)
{
	traps = 0;
	l2_init(&l2, NULL);
	l2.c.rip = l2_nops.at;
	l2.c.exitcode = EXIT_POISON;
	l2_from = l2_nops.start;
	l2_to = l2_nops.next;
	__asm__ volatile("clgi" : : : "memory");
	write_flags(read_flags() | FL_TF);
	svm_enter(&l2.c, &l2.regs);
	write_flags(read_flags() & ~(ulong)FL_TF);
	__asm__ volatile("stgi" : : : "memory");
	l2_expect("VMRUN with L1's TF", &l2, EXIT_VMMCALL);
	rt_check(traps > 10 && traps < 500, "L1 is stepped", "%u", traps);
	rt_known(svm_known(KNOWN_BOCHS_BARE), !trap_in_l2, "L2 is not",
		 "Bochs 2.7 event.cc: the trap of VMRUN is taken behind the entry");
	rt_known(svm_known(KNOWN_TCG_BARE), trap_seen, "trap behind VMRUN",
		 "QEMU 7.2 svm_helper.c do_vmexit: TF comes back and no trap follows");
}

/* A data breakpoint of L2's DR7 (APM2 15.5.1: DR7 is loaded, DR0 to DR3 are shared). */
static volatile u64 watched;

static void check_breakpoint(void)
{
	if (rt.tcg && !rt.nestbed) {
		rt_note("breakpoints left out: QEMU 7.2 do_vmexit aborts with them");
		return;
	}
	l2_init(&l2, NULL);
	l2.c.intercept_exceptions = 1u << VEC_DB;
	l2.c.dr7 = 0x400 | 0xd0002;
	write_dr0((ulong)&watched);
	l2.regs.rdi = (ulong)&watched;
	l2_run_code(&l2, &l2_store);
	rt_known(svm_known(KNOWN_TCG), l2.c.exitcode == EXIT_EXCEPTION + VEC_DB &&
		 l2.c.rip == l2_store.next, "data breakpoint",
		 "QEMU 7.2 svm_helper.c helper_vmrun: env->dr[7] without cpu_x86_update_dr7");
	watched = 1;
	rt_check(read_dr7() == 0x400, "not in L1", "%lx", read_dr7());
	write_dr0(0);
}

/* APM2 15.14.4: COUNT + 1 PAUSEs. */
static void check_pause(void)
{
	u64 left;

	l2_init(&l2, NULL);
	L2_INTERCEPT(&l2, vec3, VEC3_PAUSE, true);
	if (!svm_has(SVM_PAUSE_FILTER)) {
		rt_note("no PAUSE filter");
		return;
	}
	l2.c.pause_filter_count = 20;
	l2_run_code(&l2, &l2_pauses);
	l2_expect("PAUSE filter", &l2, EXIT_PAUSE);
	left = l2.regs.rcx;
	rt_check(left < 100 - 15 && left > 100 - 25, "after COUNT of them", "%llx", left);
	l2.c.pause_filter_count = 0;
	l2_run_code(&l2, &l2_pauses);
	rt_check(l2.c.exitcode == EXIT_PAUSE && l2.regs.rcx == 100, "COUNT 0: the first",
		 "%llx", l2.regs.rcx);
	l2.c.pause_filter_count = 200;
	l2_run_code(&l2, &l2_pauses);
	l2_expect("COUNT that is not reached", &l2, EXIT_VMMCALL);
}

/*
 * APM2 15.15: what has its bit set need not be read again; what changed with
 * its bit clear must be.  A CPU without clean bits reads everything.
 */
static void check_clean(void)
{
	bool ok = true;
	u32 clean;

	l2_init(&l2, NULL);
	for (u32 i = 0; i < 40 && ok; i++) {
		l2.c.clean = i ? ~0u : 0;
		if (i % 4 == 1) {
			L2_INTERCEPT(&l2, vec3, VEC3_RDTSC, i & 4);
			l2.c.clean &= ~1u;
		}
		if (i % 4 == 2) {
			l2.c.cr0 ^= CR0_AM;
			l2.c.clean &= ~0x20u;
		}
		l2.c.dr6 = i % 4 == 3 ? 0xffff0ff1 + i % 8 : l2.c.dr6;
		l2.c.clean &= i % 4 == 3 ? ~0x40u : ~0u;
		clean = l2.c.clean;
		l2_run_code(&l2, &l2_rdtsc);
		rt_quiet(l2.c.clean == clean, "clean bits stay", "%x", l2.c.clean);
		ok = l2_expect_quiet("clean bits", &l2, l2.c.intercept_vec3 >> VEC3_RDTSC & 1 ?
				     EXIT_VEC3 + VEC3_RDTSC : EXIT_VMMCALL);
	}
	rt_check(ok, "clean bits", " ");
	/* Another VMCB with all bits set: its values are not the first one's. */
	memcpy(&page, &l2.c, sizeof(page));
	L2_INTERCEPT(&l2, vec3, VEC3_RDTSC, false);
	l2.c.clean = 0;
	l2_run_code(&l2, &l2_rdtsc);
	l2_expect("first VMCB", &l2, EXIT_VMMCALL);
	page.intercept_vec3 |= 1u << VEC3_RDTSC;
	page.rip = l2_rdtsc.at;
	page.clean = ~0u;
	page.exitcode = EXIT_POISON;
	__asm__ volatile("clgi" : : : "memory");
	svm_enter(&page, &l2.regs);
	__asm__ volatile("stgi" : : : "memory");
	rt_check(page.exitcode == EXIT_VEC3 + VEC3_RDTSC, "second VMCB, all clean", "exit %llx",
		 page.exitcode);
}

/*
 * An L1 that lies: with all bits set the CPU may have the old value or read the
 * new one, and does nothing else.  With the bits clear it is the new one.
 */
static const struct lie {
	const char *name;
	u16 offset;
	u64 flip;
	u64 exit;		/* what the new value makes of it */
} lies[] = {
#define LIE(n, f, e)	{ #n, offsetof(struct vmcb, n), f, e }
	LIE(intercept_vec3, 1u << VEC3_RDTSC, EXIT_VEC3 + VEC3_RDTSC),
	LIE(intercept_vec4, 1u << VEC4_VMRUN, EXIT_INVALID),
	LIE(guest_asid, 1, EXIT_INVALID),
	LIE(efer, EFER_SVME, EXIT_INVALID),
	LIE(cr0, BIT64(32), EXIT_INVALID),
	LIE(cr4, BIT64(40), EXIT_INVALID),
	LIE(dr7, BIT64(32), EXIT_INVALID),
	LIE(iopm_base_pa, BIT64(63), EXIT_INVALID),
};

static void run_lie(const struct lie *lie, u32 clean)
{
	u64 *m = (u64 *)((u8 *)&l2.c + (lie->offset & ~7)), old = *m;

	*m ^= lie->flip << lie->offset % 8 * 8;
	l2.c.clean = clean;
	l2_run_code(&l2, &l2_rdtsc);
	*m = old;
}

static void check_clean_lies(void)
{
	for (const struct lie *lie = lies; lie < lies + ARRAY_LEN(lies); lie++) {
		l2_init(&l2, NULL);
		l2.c.clean = 0;
		l2_run_code(&l2, &l2_rdtsc);
		l2_expect(lie->name, &l2, EXIT_VMMCALL);
		run_lie(lie, ~0u);
		rt_check(l2.c.exitcode == EXIT_VMMCALL || (u32)l2.c.exitcode == (u32)lie->exit,
			 "old or new", "%s: exit %llx", lie->name, l2.c.exitcode);
		run_lie(lie, 0);
		rt_check((u32)l2.c.exitcode == (u32)lie->exit, "the new one", "%s: exit %llx",
			 lie->name, l2.c.exitcode);
		l2.c.clean = 0;
		l2_run_code(&l2, &l2_rdtsc);
		l2_expect(lie->name, &l2, EXIT_VMMCALL);
	}
}

/* What has another clean bit than the rest is checked when only it has changed. */
static void check_clean_vnmi(void)
{
	if (!svm_has(SVM_VNMI)) {
		rt_note("no virtual NMIs");
		return;
	}
	l2_init(&l2, NULL);
	l2.c.clean = 0;
	l2_run_code(&l2, &l2_rdtsc);
	l2_expect("without virtual NMIs", &l2, EXIT_VMMCALL);
	l2.c.int_ctl |= V_NMI_ENABLE;
	l2.c.clean = ~8u;
	l2_run_code(&l2, &l2_rdtsc);
	l2_expect("virtual NMIs without the NMI intercept", &l2, EXIT_INVALID);
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	check_vmload();
	check_tsc_offset();
	check_tsc_ratio();
	check_ratio_of_l1();
	rt_set_handler(VEC_DB, on_db);
	check_step_l2();
	check_step_shadow();
	check_step_l1();
	check_breakpoint();
	check_pause();
	check_clean();
	check_clean_lies();
	check_clean_vnmi();
	return rt_result();
}
