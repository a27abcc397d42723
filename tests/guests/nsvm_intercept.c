// SPDX-License-Identifier: MIT
#include "tests/guests/rt/apic.h"
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_intercept, .nested = "svm", .ref = "APM2 15.9, 15.13, 15.7.1; APM2 table B-1",
	.desc = "instruction intercepts: the right exit when set, none when clear, faults first");

static struct l2 l2;
static struct vmcb page __attribute__((used));	/* for L2's own VMLOAD and VMSAVE */
static struct table_ptr tables[2] __attribute__((used, aligned(16)));
static volatile u64 scratch __attribute__((used));

#define XCR0	"xor %ecx, %ecx; xgetbv"

L2_CODE(sidt, "", "sidt tables");
L2_CODE(sgdt, "", "sgdt tables + 10");
L2_CODE(sldt, "", "sldt %eax");
L2_CODE(str, "", "str %eax");
L2_CODE(lidt, "sidt tables", "lidt tables");
L2_CODE(lgdt, "sgdt tables + 10", "lgdt tables + 10");
L2_CODE(lldt, "xor %eax, %eax", "lldt %ax");
L2_CODE(ltr, "mov $0x48, %eax", "ltr %ax");
L2_CODE(rdtsc, "", "rdtsc");
L2_CODE(rdpmc, "xor %ecx, %ecx", "rdpmc");
L2_CODE(pushf, "", "pushfq");
L2_CODE(popf, "push $2", "popfq");
L2_CODE(cpuid, "xor %eax, %eax", "cpuid");
L2_CODE(rsm, "", "rsm");
L2_CODE(iret, "mov %rsp, %rax; push $0x10; push %rax; push $2; push $8; push $.Ln_iret", "iretq");
L2_CODE(intn, "", "int $0x70");
L2_CODE(invd, "", "invd");
L2_CODE(pause, "", "pause");
L2_CODE(hlt, "", "hlt");
L2_CODE(invlpg, "mov $0x12345678, %eax", "invlpg (%rax)");
L2_CODE(invlpga, "mov $0x1000, %eax; mov $1, %ecx", "invlpga");
L2_CODE(vmrun, "mov $page, %eax", "vmrun");
L2_CODE(vmmcall, "", "vmmcall");
L2_CODE(vmload, "mov $page, %eax", "vmload");
L2_CODE(vmsave, "mov $page, %eax", "vmsave");
L2_CODE(stgi, "", "stgi");
L2_CODE(clgi, "", "clgi");
L2_CODE(skinit, "xor %eax, %eax", "skinit");
L2_CODE(rdtscp, "", "rdtscp");
L2_CODE(icebp, "", ".byte 0xf1");
L2_CODE(wbinvd, "", "wbinvd");
L2_CODE(monitor, "mov $scratch, %eax; xor %ecx, %ecx; xor %edx, %edx", "monitor");
L2_CODE(mwait, "xor %eax, %eax; xor %ecx, %ecx", "mwait");
L2_CODE(mwait_armed, "mov $scratch, %eax; xor %ecx, %ecx; xor %edx, %edx; monitor; xor %eax, %eax",
	"mwait");
L2_CODE(xsetbv, XCR0, "xsetbv");
L2_CODE(rdpru, "mov $1, %ecx", ".byte 0x0f, 0x01, 0xfd");
L2_CODE(invpcid, "push $0; push $0; mov $2, %eax", "invpcid (%rsp), %rax");

enum vec { V3, V4, V5 };
/* What the instruction does where its intercept is clear. */
enum plain { GOES_ON, IS_UD, NOT_RUN };
/* Faults that come before the intercept: in ring 3 it is #GP(0). */
enum ring3 { ANY, RING0 };

struct row {
	const char *name;
	const struct l2_code *code;
	u8 vec, bit, plain, ring3;
	u8 feature;		/* enum feature: needs it */
	unsigned int known;	/* who is wrong when the intercept is set */
	const char *why;
};

enum feature { F_NONE, F_RDTSCP, F_MONITOR, F_XSAVE, F_RDPRU, F_INVPCID, F_ARMED };

static const struct {
	u32 leaf;
	u8 reg, bit;
} features[] = {
	[F_RDTSCP] = { 0x80000001, EDX, 27 },
	[F_MONITOR] = { 1, ECX, 3 },
	[F_XSAVE] = { 1, ECX, 26 },
	[F_RDPRU] = { 0x80000008, EBX, 4 },
	[F_INVPCID] = { 7, EBX, 10 },
	[F_ARMED] = { 1, ECX, 3 },
};

#define R(n, v, b, p, r)	{ #n, &l2_##n, v, b, p, r, F_NONE, 0, NULL }
#define F(n, v, b, p, r, f)	{ #n, &l2_##n, v, b, p, r, f, 0, NULL }
#define K(n, v, b, p, r, f, k, w) { #n, &l2_##n, v, b, p, r, f, k, w }

static const struct row rows[] = {
	R(sidt, V3, VEC3_IDTR_READ, GOES_ON, ANY),
	R(sgdt, V3, VEC3_GDTR_READ, GOES_ON, ANY),
	R(sldt, V3, VEC3_LDTR_READ, GOES_ON, ANY),
	R(str, V3, VEC3_TR_READ, GOES_ON, ANY),
	R(lidt, V3, VEC3_IDTR_WRITE, GOES_ON, RING0),
	R(lgdt, V3, VEC3_GDTR_WRITE, GOES_ON, RING0),
	R(lldt, V3, VEC3_LDTR_WRITE, GOES_ON, RING0),
	R(ltr, V3, VEC3_TR_WRITE, GOES_ON, RING0),
	R(rdtsc, V3, VEC3_RDTSC, GOES_ON, ANY),
	R(rdpmc, V3, VEC3_RDPMC, NOT_RUN, ANY),
	R(pushf, V3, VEC3_PUSHF, GOES_ON, ANY),
	R(popf, V3, VEC3_POPF, GOES_ON, ANY),
	R(cpuid, V3, VEC3_CPUID, GOES_ON, ANY),
	K(rsm, V3, VEC3_RSM, IS_UD, ANY, F_NONE, KNOWN_BOCHS,
	  "Bochs 2.7 cpu/smm.cc RSM: #UD stands before the intercept"),
	R(iret, V3, VEC3_IRET, GOES_ON, ANY),
	R(intn, V3, VEC3_INTN, GOES_ON, ANY),
	K(invd, V3, VEC3_INVD, NOT_RUN, RING0, F_NONE, KNOWN_TCG,
	  "QEMU 7.2 translate.c: INVD exits as WBINVD"),
	R(pause, V3, VEC3_PAUSE, GOES_ON, ANY),
	R(hlt, V3, VEC3_HLT, NOT_RUN, RING0),
	R(invlpg, V3, VEC3_INVLPG, GOES_ON, RING0),
	R(invlpga, V3, VEC3_INVLPGA, GOES_ON, RING0),
	R(vmrun, V4, VEC4_VMRUN, NOT_RUN, RING0),
	R(vmmcall, V4, VEC4_VMMCALL, NOT_RUN, ANY),
	R(vmload, V4, VEC4_VMLOAD, NOT_RUN, RING0),
	R(vmsave, V4, VEC4_VMSAVE, NOT_RUN, RING0),
	R(stgi, V4, VEC4_STGI, GOES_ON, RING0),
	R(clgi, V4, VEC4_CLGI, GOES_ON, RING0),
	R(skinit, V4, VEC4_SKINIT, NOT_RUN, ANY),
	K(rdtscp, V4, VEC4_RDTSCP, GOES_ON, ANY, F_RDTSCP, KNOWN_TCG_BARE,
	  "QEMU 7.2 misc_helper.c helper_rdtscp: no check of the intercept"),
	K(icebp, V4, VEC4_ICEBP, NOT_RUN, ANY, F_NONE, KNOWN_TCG,
	  "QEMU 7.2 translate.c: ICEBP is compiled only with WANT_ICEBP"),
	R(wbinvd, V4, VEC4_WBINVD, GOES_ON, RING0),
	F(monitor, V4, VEC4_MONITOR, GOES_ON, ANY, F_MONITOR),
	F(mwait, V4, VEC4_MWAIT, NOT_RUN, ANY, F_MONITOR),
	F(mwait_armed, V4, VEC4_MWAIT_ARMED, NOT_RUN, ANY, F_ARMED),
	K(xsetbv, V4, VEC4_XSETBV, GOES_ON, ANY, F_XSAVE, KNOWN_TCG,
	  "QEMU 7.2 translate.c: XSETBV is not intercepted"),
	F(rdpru, V4, VEC4_RDPRU, GOES_ON, ANY, F_RDPRU),
	F(invpcid, V5, VEC5_INVPCID, GOES_ON, RING0, F_INVPCID),
};

static bool there(const struct row *r)
{
	if (r->feature == F_ARMED && svm_known(KNOWN_TCG_BARE)) {
		rt_note("armed MWAIT left out: QEMU 7.2 helper_mwait does not look at it");
		return false;
	}
	return r->feature == F_NONE ||
	       rt_has(features[r->feature].leaf, 0, features[r->feature].reg,
		      features[r->feature].bit);
}

static u64 code_of(const struct row *r)
{
	static const u16 first[] = { EXIT_VEC3, EXIT_VEC4, 0xa0 };

	return first[r->vec] + r->bit;
}

static void prepare(const struct row *r, bool set)
{
	l2_init(&l2, NULL);
	l2.c.intercept_exceptions = ~0u;
	if (r->vec == V3)
		L2_INTERCEPT(&l2, vec3, r->bit, set);
	else if (r->vec == V4)
		L2_INTERCEPT(&l2, vec4, r->bit, set);
	else
		L2_INTERCEPT(&l2, vec5, r->bit, set);
	/* LTR wants one that is not busy. */
	rt_gdt[SEL_TSS / 8] &= ~BIT64(41);
}

static void check_set(const struct row *r)
{
	bool ok;

	prepare(r, true);
	l2_run_code(&l2, r->code);
	ok = l2.c.exitcode == code_of(r) && l2.c.rip == r->code->at;
	if (!r->why)
		rt_check(ok, r->name, "exit %llx at %llx, not %llx at %lx", l2.c.exitcode, l2.c.rip,
			 code_of(r), r->code->at);
	else
		rt_known(svm_known(r->known), ok, r->name, r->why);
	if (ok && svm_has(SVM_NRIPS))
		rt_check(l2.c.nrip == r->code->next, "nRIP", "%llx, not %lx", l2.c.nrip,
			 r->code->next);
	if (ok)
		rt_check(l2.c.exitintinfo == 0, "EXITINTINFO", "%llx", l2.c.exitintinfo);
}

static void check_clear(const struct row *r)
{
	static const u16 end[] = {
		[GOES_ON] = EXIT_VMMCALL, [IS_UD] = EXIT_EXCEPTION + VEC_UD,
	};

	if (r->plain == NOT_RUN)
		return;
	prepare(r, false);
	l2_run_code(&l2, r->code);
	l2_expect("without the intercept", &l2, end[r->plain]);
	if (r->plain == GOES_ON)
		rt_check(l2.c.rip == r->code->next, "goes on behind it", "at %llx", l2.c.rip);
}

/* APM2 15.9: what needs ring 0 is #GP(0) in ring 3, intercepted or not. */
static void check_ring3(const struct row *r)
{
	bool ok;

	if (r->ring3 != RING0)
		return;
	prepare(r, true);
	l2_ring3(&l2);
	l2_goto(&l2, NULL);
	l2.c.rip = r->code->at;
	l2.regs.rcx = 0;
	l2.c.rax = 1;
	svm_run(&l2);
	ok = l2.c.exitcode == EXIT_EXCEPTION + VEC_GP && !l2.c.exitinfo1 &&
	     l2.c.rip == r->code->at;
	rt_check(ok, "in ring 3", "exit %llx info %llx", l2.c.exitcode, l2.c.exitinfo1);
}

/* APM2 15.7.1, 15.33.2 */
static void check_decode(void)
{
	l2_init(&l2, NULL);
	if (!svm_has(SVM_DECODE_ASSISTS)) {
		rt_note("no decode assists");
		return;
	}
	L2_INTERCEPT(&l2, vec3, VEC3_INVLPG, true);
	L2_INTERCEPT(&l2, vec3, VEC3_INTN, true);
	l2_run_code(&l2, &l2_invlpg);
	l2_expect("INVLPG", &l2, EXIT_INVLPG);
	rt_check(l2.c.exitinfo1 == 0x12345678, "its address", "%llx", l2.c.exitinfo1);
	l2_run_code(&l2, &l2_intn);
	l2_expect("INT n", &l2, EXIT_VEC3 + VEC3_INTN);
	rt_check(l2.c.exitinfo1 == 0x70, "its vector", "%llx", l2.c.exitinfo1);
}

static int icebp_vector;

static void icebp(void)
{
	icebp_vector = RT_TRY(".byte 0xf1", : : : "memory");
}

static void check_icebp(void)
{
	l2_init(&l2, icebp);
	svm_run(&l2);
	l2_expect("ICEBP without the intercept", &l2, EXIT_VMMCALL);
	rt_known(svm_known(KNOWN_TCG), icebp_vector == VEC_DB, "is #DB",
		 "QEMU 7.2 translate.c: ICEBP is compiled only with WANT_ICEBP");
}

/*
 * VMSAVE and VMLOAD that are L2's to execute do what L1's would.  QEMU 7.2
 * svm_helper.c virtual_vm_load_save_enabled exits from a guest without nested
 * paging, intercepted or not; Bochs 2.7 svm.cc VMLOAD and VMSAVE make their
 * operand the VMCB that the exit is written to (set_VMCBPTR).
 */
static void check_vmload(void)
{
	if (svm_known(KNOWN_TCG_BARE | KNOWN_BOCHS_BARE)) {
		rt_note("VMLOAD and VMSAVE in L2 left out: the emulator does not let it");
		return;
	}
	l2_init(&l2, NULL);
	l2.c.fs.base = 0x1122334455;
	l2.c.kernel_gs_base = 0x5544332211;
	memset(&page, 0, sizeof(page));
	l2_run_code(&l2, &l2_vmsave);
	l2_expect("VMSAVE in L2", &l2, EXIT_VMMCALL);
	rt_check(page.fs.base == 0x1122334455 && page.kernel_gs_base == 0x5544332211,
		 "stores L2's state", "%llx %llx", page.fs.base, page.kernel_gs_base);
	page.fs.base = 0x998877;
	page.lstar = 0x123456;
	l2_run_code(&l2, &l2_vmload);
	l2_expect("VMLOAD in L2", &l2, EXIT_VMMCALL);
	rt_check(l2.c.fs.base == 0x998877 && l2.c.lstar == 0x123456, "loads it", "%llx %llx",
		 l2.c.fs.base, l2.c.lstar);
}

static void on_int(unsigned int vector)
{
	scratch++;
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	rt_irq(0x70, on_int);
	if (rt_has(1, 0, ECX, 26))
		write_cr4(read_cr4() | CR4_OSXSAVE);
	for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++) {
		if (!there(r))
			continue;
		check_set(r);
		check_clear(r);
		check_ring3(r);
	}
	check_decode();
	check_icebp();
	check_vmload();
	return rt_result();
}
