// SPDX-License-Identifier: MIT
/* SVM instructions in the host, time, and features that a CPU may lack. */
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/caps.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/msr.h"
#include "core/x86/percpu.h"
#include "svm/insn.h"
#include "tests/svm/svm_test.h"

/* APM2 15.17: with GIF clear interrupts stay pending whatever IF says. */
TEST(svm, gif_blocks_interrupts, .ref = "APM2 15.17", .needs = NEED_SVM)
{
	u64 flags = irq_save(), irqs = this_cpu()->irqs, held;

	clgi();
	REQUIRE_EQ(t, lapic_send_ipi(lapic_id(), LAPIC_FIXED, 0xef), 0);
	sti();
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	held = this_cpu()->irqs;
	stgi();
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	irq_restore(flags);
	EXPECT_EQ(t, held, irqs);
	EXPECT_EQ(t, this_cpu()->irqs, irqs + 1);
}

/* APM2 15.17: #VMEXIT clears GIF; VMRUN sets it. */
TEST(svm, gif_clear_after_exit, .ref = "APM2 15.6, 15.17", .needs = NEED_SVM)
{
	struct machine *m = svm_machine(t);
	u64 flags = irq_save(), irqs, held, after;

	svm_rewind(m);
	vcpu_load(m->v);
	vmcb_of(m)->rip = G_CODE;
	vmcb_of(m)->rsp = G_STACK_TOP;
	vmcb_of(m)->rflags = RFLAGS_FIXED;
	clgi();
	svm_vmrun_bare(svm_of(m)->vmcb_pa);
	irqs = this_cpu()->irqs;
	if (lapic_send_ipi(lapic_id(), LAPIC_FIXED, 0xef))
		irqs = ~0ULL;
	sti();
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	held = this_cpu()->irqs;
	stgi();
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	after = this_cpu()->irqs;
	irq_restore(flags);
	EXPECT_EQ(t, vmcb_of(m)->exitcode, SVM_EXIT_VMMCALL);
	EXPECT_EQ(t, held, irqs);
	EXPECT_EQ(t, after, irqs + 1);
}

/* An SVM instruction in the host: vector + 1 of the exception, 0 for none. */
#define TRY(insn, rax)								\
({										\
	u64 err_;								\
										\
	__asm__ volatile("xor %%r8d, %%r8d\n1: " insn "\n2:\n\t"		\
			 EX_TABLE("1b", "2b") "mov %%r8, %0"			\
			 : "=r"(err_) : "a"(rax), "c"(1) : "r8", "memory");	\
	err_;									\
})

/* APM3: #GP for an operand that is no page or beyond the physical addresses. */
TEST(svm, svm_instructions_gp, .ref = "APM3 VMRUN, VMLOAD, VMSAVE", .needs = NEED_SVM)
{
	u64 beyond = BIT(svm.caps.maxphyaddr), pa = this_cpu()->host_vmcb;
	u64 flags = irq_save();

	test_row(t, "VMSAVE, good");
	EXPECT_EQ(t, TRY("vmsave %%rax", pa), 0);
	test_row(t, "VMLOAD not aligned");
	EXPECT_EQ(t, TRY("vmload %%rax", pa + 8), VEC_GP + 1);
	test_row(t, "VMSAVE not aligned");
	EXPECT_EQ(t, TRY("vmsave %%rax", pa + 0x800), VEC_GP + 1);
	test_row(t, "VMRUN not aligned");
	EXPECT_EQ(t, TRY("vmrun %%rax", pa + 1), VEC_GP + 1);
	test_row(t, "VMLOAD beyond the physical addresses");
	if (svm.caps.maxphyaddr < 52)
		EXPECT_EQ(t, TRY("vmload %%rax", beyond), VEC_GP + 1);
	test_row(t, "VMSAVE beyond the physical addresses");
	if (svm.caps.maxphyaddr < 52)
		EXPECT_EQ(t, TRY("vmsave %%rax", beyond), VEC_GP + 1);
	irq_restore(flags);
}

/* APM2 15.4: without EFER.SVME they are #UD. */
TEST(svm, svm_instructions_ud, .ref = "APM2 15.4", .needs = NEED_SVM)
{
	u64 pa = this_cpu()->host_vmcb, flags = irq_save(), efer = rdmsr(MSR_EFER), got[5];

	wrmsr(MSR_EFER, efer & ~EFER_SVME);
	got[0] = TRY("vmload %%rax", pa);
	got[1] = TRY("vmsave %%rax", pa);
	got[2] = TRY("clgi", pa);
	got[3] = TRY("invlpga %%rax, %%ecx", pa);
	got[4] = TRY("vmmcall", pa);
	wrmsr(MSR_EFER, efer);
	irq_restore(flags);
	for (unsigned int i = 0; i < ARRAY_SIZE(got); i++) {
		static const char *const name[] = { "VMLOAD", "VMSAVE", "CLGI", "INVLPGA",
						    "VMMCALL" };

		test_row(t, name[i]);
		EXPECT_EQ(t, got[i], VEC_UD + 1);
	}
}

/* VMMCALL in the host, which nothing intercepts: #UD (APM3 VMMCALL). */
TEST(svm, vmmcall_in_host, .ref = "APM3 VMMCALL", .needs = NEED_SVM)
{
	EXPECT_EQ(t, TRY("vmmcall", 0), VEC_UD + 1);
}

TEST(svm, vmmcall_not_intercepted, .ref = "APM3 VMMCALL", .needs = NEED_SVM)
{
	static const struct code c = CODE(B_VMMCALL, 0xf4);
	struct machine *m = svm_machine(t);
	struct vsegment idtr = { .limit = 0 };

	svm_load(m, &c);
	/* The exception handlers end in VMMCALL themselves: take #UD as an exit. */
	virt->set_seg(m->v, VSEG_IDTR, &idtr);
	virt->intercept(m->v, ICPT_EXCEPTION, VEC_UD, true);
	vec4_set(vmcb_of(m), VEC4_VMMCALL, false);
	svm_expect(m, SVM_EXIT_EXCP + VEC_UD, "VMMCALL");
}

/* INVLPGA of an ASID makes the guest walk again; no harm for others. */
TEST(svm, invlpga, .ref = "APM3 INVLPGA, APM2 15.16.1", .needs = NEED_SVM)
{
	static const struct code rd = CODE(0x8a, 0x04, 0x25, 0, 0, 0x80, 0);
	struct machine *m = svm_machine(t);
	const u64 gpa = 0x800000;

	*(u8 *)machine_ptr(m, gpa, 1) = 0x51;
	*(u8 *)machine_ptr(m, gpa + PAGE_SIZE, 1) = 0x52;
	REQUIRE_EQ(t, pt_map(&m->vm.npt, gpa, (u64)machine_ptr(m, gpa, 1), PAGE_SIZE,
			     PT_RWX | PT_U, PAGE_SIZE), 0);
	virt->flush(m->v);
	svm_load(m, &rd);
	svm_expect(m, SVM_EXIT_VMMCALL, "first page");
	REQUIRE_EQ(t, pt_map(&m->vm.npt, gpa, (u64)machine_ptr(m, gpa + PAGE_SIZE, 1), PAGE_SIZE,
			     PT_RWX | PT_U, PAGE_SIZE), 0);
	invlpga(gpa, vmcb_get_guest_asid(vmcb_of(m)));
	svm_load(m, &rd);
	svm_expect(m, SVM_EXIT_VMMCALL, "second page");
	EXPECT_EQ(t, machine_get(m, VREG_RAX) & 0xff, 0x52);
}

/* rdtsc; shl rdx, 32; or rax, rdx */
#define TSC_TAIL	0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0

static void tsc_offset(struct test_ctx *t, const struct code *c)
{
	static const u64 offset[] = { 0, 0x123456789aULL, 0 - 0x1000000ULL, BIT(62) };
	static const char *const name[] = { "0", "123456789ah", "negative", "2^62" };
	struct machine *m = svm_machine(t);

	for (unsigned int i = 0; i < ARRAY_SIZE(offset); i++) {
		u64 before, after, got;

		test_row(t, name[i]);
		svm_load(m, c);
		machine_set(m, VREG_TSC_OFFSET, offset[i]);
		before = rdtsc_ordered();
		svm_expect(m, SVM_EXIT_VMMCALL, "TSC");
		after = rdtsc_ordered();
		got = machine_get(m, VREG_RAX) - offset[i];
		CHECK(t, got >= before && got <= after, "guest %llx, host %llx to %llx",
		      (unsigned long long)got, (unsigned long long)before,
		      (unsigned long long)after);
	}
}

TEST(svm, tsc_offset_rdtsc, .ref = "APM2 15.5.1, table B-1 050h", .needs = NEED_SVM)
{
	static const struct code c = CODE(0x0f, 0x31, TSC_TAIL);

	tsc_offset(t, &c);
}

TEST(svm, tsc_offset_rdtscp, .ref = "APM2 table B-1 050h, APM3 RDTSCP", .needs = NEED_SVM)
{
	static const struct code c = CODE(0x0f, 0x01, 0xf9, TSC_TAIL);

	if (!run_policy.caps->rdtscp)
		SKIP(t, "no RDTSCP");
	tsc_offset(t, &c);
}

TEST(svm, tsc_offset_rdmsr, .ref = "APM2 table B-1 050h", .needs = NEED_SVM)
{
	static const struct code c = CODE(0xb9, 0x10, 0, 0, 0, 0x0f, 0x32, TSC_TAIL);
	struct machine *m = svm_machine(t);
	u64 offset = 0x5000000000ULL, before, got;

	svm_load(m, &c);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_MSR_READ, MSR_IA32_TSC, false), 0);
	machine_set(m, VREG_TSC_OFFSET, offset);
	before = rdtsc_ordered();
	svm_expect(m, SVM_EXIT_VMMCALL, "TSC");
	got = machine_get(m, VREG_RAX) - offset;
	EXPECT(t, got >= before && got <= rdtsc_ordered());
}

TEST(svm, tsc_aux, .ref = "APM3 RDTSCP", .needs = NEED_SVM)
{
	static const struct code c = CODE(0x0f, 0x01, 0xf9);
	struct machine *m = svm_machine(t);

	if (!run_policy.caps->rdtscp)
		SKIP(t, "no RDTSCP");
	svm_load(m, &c);
	machine_set(m, VREG_TSC_AUX, 0xcafe1234);
	svm_expect(m, SVM_EXIT_VMMCALL, "RDTSCP");
	EXPECT_EQ(t, machine_get(m, VREG_RCX), 0xcafe1234);
}

/* APM2 15.30.5: the guest's time runs by the ratio. */
TEST(svm, tsc_ratio, .ref = "APM2 15.30.5", .needs = NEED_SVM)
{
	static const struct code c = CODE(0x0f, 0x31, TSC_TAIL);
	struct machine *m;
	u64 before, got, after;

	SKIP_WITHOUT(t, tsc_rate_msr);
	m = svm_machine(t);
	svm_load(m, &c);
	/* 8.32 fixed point: one half. */
	wrmsr(MSR_TSC_RATIO, 1ULL << 31);
	before = rdtsc_ordered();
	svm_expect(m, SVM_EXIT_VMMCALL, "TSC");
	after = rdtsc_ordered();
	wrmsr(MSR_TSC_RATIO, 1ULL << 32);
	got = machine_get(m, VREG_RAX);
	EXPECT(t, got >= before / 2 && got <= after / 2 + 1);
}

/* APM2 15.9: XSETBV exits before XCR0 changes. */
TEST(svm, xsetbv_intercept, .ref = "APM2 15.9, APM3 XSETBV", .needs = NEED_SVM)
{
	static const struct code c = CODE(0x31, 0xc9, 0x31, 0xd2, 0xb8, 1, 0, 0, 0,
					  0x0f, 0x01, 0xd1);
	struct machine *m = svm_machine(t);

	if (!run_policy.caps->xsave)
		SKIP(t, "no XSAVE");
	svm_load(m, &c);
	machine_set(m, VREG_CR4, machine_get(m, VREG_CR4) | CR4_OSXSAVE);
	test_row(t, "intercept on");
	svm_expect(m, SVM_EXIT_XSETBV, "XSETBV");
	EXPECT_EQ(t, m->v->rip, G_CODE + 9);
	test_row(t, "intercept off");
	svm_load(m, &c);
	vec4_set(vmcb_of(m), VEC4_XSETBV, false);
	svm_expect(m, SVM_EXIT_VMMCALL, "XSETBV");
	EXPECT_EQ(t, machine_get(m, VREG_XCR0), 1);
}

/* APM2 15.14.4: the first count PAUSEs do not exit. */
TEST(svm, pause_filter, .ref = "APM2 15.14.4", .needs = NEED_SVM)
{
	/* l: inc ebx; pause; cmp ebx, 100; jb l */
	static const struct code c = CODE(0xff, 0xc3, 0xf3, 0x90, 0x83, 0xfb, 100, 0x72, 0xf7);
	struct machine *m;
	struct vmcb *vmcb;

	SKIP_WITHOUT(t, pause_filter);
	m = svm_machine(t);
	vmcb = vmcb_of(m);
	virt->intercept(m->v, ICPT_PAUSE, 0, true);
	test_row(t, "count 0");
	svm_load(m, &c);
	machine_set(m, VREG_RBX, 0);
	svm_expect(m, SVM_EXIT_PAUSE, "first PAUSE");
	EXPECT_EQ(t, machine_get(m, VREG_RBX), 1);
	test_row(t, "count 10");
	svm_load(m, &c);
	machine_set(m, VREG_RBX, 0);
	vmcb_set_pause_filter_count(vmcb, 10);
	svm_expect(m, SVM_EXIT_PAUSE, "eleventh PAUSE");
	EXPECT_EQ(t, machine_get(m, VREG_RBX), 11);
	test_row(t, "count 1000");
	svm_load(m, &c);
	machine_set(m, VREG_RBX, 0);
	vmcb_set_pause_filter_count(vmcb, 1000);
	svm_expect(m, SVM_EXIT_VMMCALL, "100 PAUSEs");
}

/* APM2 15.23: the guest's last branch is in the VMCB. */
TEST(svm, lbr_virtualization, .ref = "APM2 15.23", .needs = NEED_SVM)
{
	/* mov ecx, 1D9h; mov eax, 1; xor edx, edx; wrmsr; jmp +2; ud2 */
	static const struct code c = CODE(0xb9, 0xd9, 1, 0, 0, 0xb8, 1, 0, 0, 0, 0x31, 0xd2,
					  0x0f, 0x30, 0xeb, 0x02, B_UD2);
	struct machine *m;
	struct vmcb *vmcb;

	SKIP_WITHOUT(t, lbr_virt);
	m = svm_machine(t);
	vmcb = vmcb_of(m);
	svm_load(m, &c);
	vmcb_set_virt_ext(vmcb, VIRT_EXT_LBR);
	REQUIRE_EQ(t, virt->intercept(m->v, ICPT_MSR_WRITE, MSR_IA32_DEBUGCTL, false), 0);
	svm_expect(m, SVM_EXIT_VMMCALL, "branch");
	EXPECT_EQ(t, vmcb_get_dbgctl(vmcb) & 1, 1);
	EXPECT_EQ(t, vmcb_get_br_from(vmcb), G_CODE + 14);
	EXPECT_EQ(t, vmcb_get_br_to(vmcb), G_CODE + 18);
}

/* APM2 15.33: STGI and CLGI of the guest change V_GIF and nothing of the host. */
TEST(svm, vgif, .ref = "APM2 15.33", .needs = NEED_SVM)
{
	static const struct code clgi_code = CODE(0x0f, 0x01, 0xdd);
	static const struct code stgi_code = CODE(0x0f, 0x01, 0xdc);
	struct machine *m;
	struct vmcb *c;
	u32 ctl = INT_CTL_V_INTR_MASKING | INT_CTL_V_GIF_ENABLE;

	SKIP_WITHOUT(t, vgif);
	m = svm_machine(t);
	c = vmcb_of(m);
	vec4_set(c, VEC4_STGI | VEC4_CLGI, false);
	test_row(t, "CLGI");
	svm_load(m, &clgi_code);
	vmcb_set_int_ctl(c, ctl | INT_CTL_V_GIF);
	svm_expect(m, SVM_EXIT_VMMCALL, "CLGI");
	EXPECT_EQ(t, vmcb_get_int_ctl(c) & INT_CTL_V_GIF, 0);
	test_row(t, "STGI");
	svm_load(m, &stgi_code);
	vmcb_set_int_ctl(c, ctl);
	svm_expect(m, SVM_EXIT_VMMCALL, "STGI");
	EXPECT_EQ(t, vmcb_get_int_ctl(c) & INT_CTL_V_GIF, INT_CTL_V_GIF);
	test_row(t, "V_GIF = 0 holds a virtual interrupt");
	{
		static const struct code c3 = CODE(0xfb, 0x90, 0x90, 0x0f, 0x01, 0xdc, 0x90, 0x90);

		svm_load(m, &c3);
		vmcb_set_int_ctl(c, ctl | INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO(15));
		vmcb_set_int_vector(c, 0x4a);
		svm_expect_exception(m, 0x4a, 0);
		EXPECT(t, machine_exception(m)->rip >= G_CODE + 6);
	}
}

/* APM2 15.8.4: on a data NPF the CPU stores the instruction bytes. */
TEST(svm, decode_assist_bytes, .ref = "APM2 15.8.4", .needs = NEED_SVM)
{
	static const struct code rd = CODE(0x8a, 0x04, 0x25, 0, 0, 0x80, 0);
	struct machine *m;

	SKIP_WITHOUT(t, decode_assists);
	m = svm_machine(t);
	svm_load(m, &rd);
	REQUIRE_EQ(t, pt_unmap(&m->vm.npt, 0x800000, PAGE_SIZE), 0);
	virt->flush(m->v);
	svm_expect(m, SVM_EXIT_NPF, "read");
	EXPECT(t, vmcb_of(m)->insn_bytes_count >= rd.len);
	EXPECT(t, !memcmp(vmcb_of(m)->insn_bytes, rd.b, rd.len));
}

/* INVLPG's address and INT's vector, from the CPU or from the instruction. */
TEST(svm, operands, .ref = "APM2 15.8.2, 15.8.3", .needs = NEED_SVM)
{
	/* [rbx + rcx * 4 + 40h], fs:[rbx] */
	static const struct code inv = CODE(0x0f, 0x01, 0x7c, 0x8b, 0x40);
	static const struct code inv_fs = CODE(0x64, 0x0f, 0x01, 0x3b);
	static const struct code intn = CODE(0xcd, 0x99);
	struct machine *m = svm_machine(t);
	struct vmcb *c = vmcb_of(m);

	vec3_set(c, VEC3_INVLPG | VEC3_SWINT, true);
	test_row(t, "INVLPG");
	svm_load(m, &inv);
	machine_set(m, VREG_RBX, 0x7000000000ULL);
	machine_set(m, VREG_RCX, 0x1000);
	if (svm_expect(m, SVM_EXIT_INVLPG, "INVLPG"))
		EXPECT_EQ(t, m->v->exit.invlpg.linear, 0x7000000000ULL + 0x4040);
	test_row(t, "INVLPG FS");
	svm_load(m, &inv_fs);
	c->fs.base = 0x110000;
	if (svm_expect(m, SVM_EXIT_INVLPG, "INVLPG"))
		EXPECT_EQ(t, m->v->exit.invlpg.linear, 0x7000110000ULL);
	test_row(t, "INT n");
	svm_load(m, &intn);
	if (svm_expect(m, SVM_EXIT_SWINT, "INT n")) {
		EXPECT_EQ(t, m->v->exit.exc.vector, 0x99);
		EXPECT_EQ(t, m->v->exit.exc.insn_len, 2);
	}
}
