/* SPDX-License-Identifier: MIT */
/*
 * Measurements of a guest that is a hypervisor: L1 is code of a virtual PC, L2
 * code in the same memory, behind nested tables of 4 KiB pages.  Who measures
 * is L1 for what ends in L1, else L2.
 */
#include "tests/bench.h"

#include "core/lib/string.h"
#include "core/vm/nested.h"
#include "core/x86/insn.h"
#include "core/x86/regs.h"
#include "svm/nested_state_blob.h"
#include "svm/ops.h"

#define G_L2_CODE	(G_CODE + 0x2000)
#define G_VMCB12	0x60000
#define G_IOPM12	0x61000
#define G_MSRPM12	0x64000
#define G_NPT		0x67000		/* three levels, then one table for each 2 MiB */
#define G_NPT_TABLES	8

/* EFER.SVME and VM_HSAVE_PA; RBX has vmcb12. */
#define L1_SVM								\
	"mov $0xc0000080, %ecx; rdmsr; or $0x1000, %eax; wrmsr\n\t"	\
	"mov $0xc0010117, %ecx; mov $0x66000, %eax; xor %edx, %edx; wrmsr\n\t" \
	"mov $0x60000, %ebx\n\t"
#define SKIP_CPUID	"addq $2, 0x578(%rbx)"
#define VMRUN		"mov %ebx, %eax; vmrun\n\t"
/* As hypervisors do it: the host's IF is set while L2 runs, GIF when it has left. */
#define RUN_L2		"clgi; sti\n\t" VMRUN "cli; stgi"

GUEST64(n_trip, PC_MEASURE(L1_SVM, SKIP_CPUID, RUN_L2));
GUEST64(n_tight, PC_MEASURE(L1_SVM "clgi", SKIP_CPUID, VMRUN));
GUEST64(n_flush, PC_MEASURE(L1_SVM "movb $3, 0x5c(%rbx)", SKIP_CPUID, RUN_L2));
/* L1 says that nothing has changed: RIP has no clean bit. */
GUEST64(n_clean, PC_MEASURE(L1_SVM "movl $0x1fff, 0xc0(%rbx)", SKIP_CPUID, RUN_L2));
GUEST64(n_vmload, PC_MEASURE(L1_SVM, "", "mov %ebx, %eax; vmload"));
GUEST64(n_vmsave, PC_MEASURE(L1_SVM, "", "mov %ebx, %eax; vmsave"));
GUEST64(n_gif, PC_MEASURE(L1_SVM, "", "clgi; stgi"));
/* L1 that only starts L2, which measures. */
GUEST64(n_start, L1_SVM RUN_L2 "\n\t" PC_END);

GUEST64(n2_cpuid_loop, "1: cpuid; jmp 1b");
#define L2_MEASURE(before, setup, insn)	MEASURE_TO("vmmcall", before, setup, insn)
GUEST64(n2_cpuid, L2_MEASURE("", "", "xor %eax, %eax; xor %ecx, %ecx; cpuid"));
/* One page after the other from 2 MiB on; of the others, when so many are there. */
#define L2_TOUCH	"mov (%rbx), %eax"
#define L2_NEXT		"add $0x1000, %rbx"
#define L2_TOUCHED(end)	"2: " L2_NEXT "; " L2_TOUCH "; cmp $" end ", %ebx; jne 2b"
GUEST64(n2_fill, L2_MEASURE("mov $0x200000, %ebx", L2_NEXT, L2_TOUCH));
GUEST64(n2_fill_more, L2_MEASURE("mov $0x200000, %ebx\n\t" L2_TOUCHED("0xa00000"), L2_NEXT,
				 L2_TOUCH));
GUEST64(n2_fill_most, L2_MEASURE("mov $0x200000, %ebx\n\t" L2_TOUCHED("0x4a00000"), L2_NEXT,
				 L2_TOUCH));

/* 16 MiB one to one, and again and again up to 1 GiB. */
static void make_npt(struct machine *m)
{
	u64 *table = machine_ptr(m, G_NPT, (3 + G_NPT_TABLES) * PAGE_SIZE);

	table[0] = (G_NPT + PAGE_SIZE) | 7;
	table[512] = (G_NPT + 2 * PAGE_SIZE) | 7;
	for (u64 i = 0; i < 512; i++)
		table[1024 + i] = (G_NPT + (3 + i % G_NPT_TABLES) * PAGE_SIZE) | 7;
	for (u64 i = 0; i < G_NPT_TABLES * 512; i++)
		table[1536 + i] = i * PAGE_SIZE | 7;
}

/* L2's registers are those that L1 begins with. */
static void make_vmcb12(struct machine *m, u32 vec3)
{
	const struct svm_vcpu *a = m->v->arch;
	struct vmcb *c = machine_ptr(m, G_VMCB12, PAGE_SIZE);

	memcpy((u8 *)c + VMCB_SAVE_AREA, (const u8 *)a->vmcb + VMCB_SAVE_AREA,
	       PAGE_SIZE - VMCB_SAVE_AREA);
	c->rip = G_L2_CODE;
	c->rsp = G_STACK_TOP - PAGE_SIZE;
	c->rflags = RFLAGS_FIXED;
	vmcb_set_intercept_vec3(c, vec3 | VEC3_INTR | VEC3_NMI | VEC3_SHUTDOWN);
	vmcb_set_intercept_vec4(c, VEC4_VMRUN | VEC4_VMMCALL);
	vmcb_set_guest_asid(c, 1);
	vmcb_set_int_ctl(c, INT_CTL_V_INTR_MASKING);
	vmcb_set_iopm_base_pa(c, G_IOPM12);
	vmcb_set_msrpm_base_pa(c, G_MSRPM12);
	vmcb_set_nested_ctl(c, NESTED_CTL_NP_ENABLE);
	vmcb_set_n_cr3(c, G_NPT);
}

static void bench_nested(struct test_ctx *t)
{
	const struct bench *b = bench_of(t);
	struct guest_vm *g;

	if (!virt->nested)
		SKIP(t, "guests cannot virtualize here");
	g = bench_make_pc(t);
	machine_code(&g->m, G_L2_CODE, b->l2);
	make_npt(&g->m);
	make_vmcb12(&g->m, b->l2_vec3);
	bench_run_pc(t, g);
}

/* L2 runs, with pages of its own mapped, and its state is taken and given back. */
static void bench_nested_state(struct test_ctx *t)
{
	const struct svm_nested_flags flags = { .guest_mode = true, .gif = true,
						.vmcb_pa = G_VMCB12 };
	struct machine *m = machine_new(t, MODE_LONG64, &n2_cpuid_loop);
	static struct svm_nested_blob s;
	const char *row = "";
	u64 v[SAMPLES];

	if (!virt->nested)
		SKIP(t, "guests cannot virtualize here");
	REQUIRE_EQ(t, virt->nested->init(m->v), 0);
	m->vm.nested = true;
	machine_set(m, VREG_EFER, machine_get(m, VREG_EFER) | EFER_SVME);
	make_npt(m);
	make_vmcb12(m, 0);
	s.h.size = sizeof(s);
	REQUIRE_EQ(t, svm_nested_blob_get(&s, sizeof(s), &flags,
					  machine_ptr(m, G_VMCB12, PAGE_SIZE),
					  ((struct svm_vcpu *)m->v->arch)->vmcb), 0);
	REQUIRE_EQ(t, virt->nested->state_set(m->v, &s, sizeof(s), true, &row), 0);
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 start;

		REQUIRE_EQ(t, machine_run(m), EXIT_CPUID);
		start = rdtsc();
		REQUIRE_EQ(t, virt->nested->state_get(m->v, &s, sizeof(s)), 0);
		REQUIRE_EQ(t, virt->nested->state_set(m->v, &s, sizeof(s), true, &row), 0);
		v[i] = rdtsc() - start;
		REQUIRE(t, m->v->in_l2);
	}
	/* Shadows that are still right are not made again. */
	EXPECT(t, m->v->stat.nested_npf_fills && m->v->stat.nested_npf_fills < SAMPLES);
	bench_print(t, v, SAMPLES, bench_unit());
}

#define NESTED_BENCH(id_, l1, l2_, vec3_, ...)						\
	{ BENCH_TEST(id_, bench_nested, NEED_SVM), .amd = l1, .cpus = 1, .nested = true,	\
	  .l2 = l2_, .l2_vec3 = vec3_, __VA_ARGS__ }

/* clang-format off */
static const struct bench benches_nested[] SECTION_ENTRY(bench) = {
	NESTED_BENCH("l2_round_trip",       &n_trip,   &n2_cpuid_loop, VEC3_CPUID),
	NESTED_BENCH("l2_round_trip_tight", &n_tight,  &n2_cpuid_loop, VEC3_CPUID),
	NESTED_BENCH("l2_round_trip_flush", &n_flush,  &n2_cpuid_loop, VEC3_CPUID),
	NESTED_BENCH("l2_round_trip_clean", &n_clean,  &n2_cpuid_loop, VEC3_CPUID),
	NESTED_BENCH("l2_round_trip_exits", &n_trip,   &n2_cpuid_loop, VEC3_CPUID, .exits = true),
	NESTED_BENCH("l2_exit_l0",          &n_start,  &n2_cpuid,      0),
	NESTED_BENCH("l2_npt_fill",         &n_start,  &n2_fill,       0),
	NESTED_BENCH("l2_npt_fill_more",    &n_start,  &n2_fill_more,  0),
	NESTED_BENCH("l2_npt_fill_most",    &n_start,  &n2_fill_most,  0),
	NESTED_BENCH("l1_vmload",           &n_vmload, &n2_cpuid_loop, 0),
	NESTED_BENCH("l1_vmsave",           &n_vmsave, &n2_cpuid_loop, 0),
	NESTED_BENCH("l1_clgi_stgi",        &n_gif,    &n2_cpuid_loop, 0),
	{ BENCH_TEST("nested_state", bench_nested_state, NEED_SVM) },
};
/* clang-format on */
