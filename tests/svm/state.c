// SPDX-License-Identifier: MIT
/* What VMRUN, VMLOAD and VMSAVE carry; clean bits; ASIDs: APM2 15.5, 15.15, 15.16. */
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/percpu.h"
#include "svm/insn.h"
#include "tests/svm/svm_test.h"

/* APM3 VMSAVE: what it stores, APM3 VMLOAD: what it loads. */
static const struct { const char *name; enum vmcb_field f; u32 msr; u64 val; } vmload_rows[] = {
	{ "FS.base", VMCB_F_fs_base, MSR_FS_BASE, 0x00007f1234567890ULL },
	{ "GS.base", VMCB_F_gs_base, MSR_GS_BASE, 0xffff8abcdef01230ULL },
	{ "KernelGsBase", VMCB_F_kernel_gs_base, MSR_KERNEL_GS_BASE, 0xffff812345678000ULL },
	{ "STAR", VMCB_F_star, MSR_STAR, 0x0023001012345678ULL },
	{ "LSTAR", VMCB_F_lstar, MSR_LSTAR, 0xffffffff81111110ULL },
	{ "CSTAR", VMCB_F_cstar, MSR_CSTAR, 0xffffffff82222220ULL },
	{ "SFMASK", VMCB_F_sfmask, MSR_SFMASK, 0x47700 },
	{ "SYSENTER_CS", VMCB_F_sysenter_cs, MSR_IA32_SYSENTER_CS, 0x10 },
	{ "SYSENTER_ESP", VMCB_F_sysenter_esp, MSR_IA32_SYSENTER_ESP, 0xffff900000001000ULL },
	{ "SYSENTER_EIP", VMCB_F_sysenter_eip, MSR_IA32_SYSENTER_EIP, 0xffffffff83333330ULL },
};

/* The guest reads each through RDMSR, then writes another value that VMSAVE returns. */
TEST(svm, vmload_vmsave_msrs, .ref = "APM3 VMLOAD, VMSAVE", .needs = NEED_SVM)
{
	/* rdmsr; mov esi, eax; mov edi, edx; xor eax, 10h; wrmsr */
	static const struct code c = CODE(0x0f, 0x32, 0x89, 0xc6, 0x89, 0xd7, 0x83, 0xf0, 0x10,
					  0x0f, 0x30);
	struct machine *m = svm_machine(t);
	struct vmcb *vmcb = vmcb_of(m);

	for (unsigned int i = 0; i < ARRAY_SIZE(vmload_rows); i++) {
		u64 val = vmload_rows[i].val;

		test_row(t, vmload_rows[i].name);
		svm_load(m, &c);
		machine_set(m, VREG_RCX, vmload_rows[i].msr);
		vmcb_write(vmcb, vmload_rows[i].f, val);
		svm_expect(m, SVM_EXIT_VMMCALL, vmload_rows[i].name);
		EXPECT_EQ(t, machine_get(m, VREG_RDI) << 32 | (u32)machine_get(m, VREG_RSI), val);
		EXPECT_EQ(t, vmcb_read(vmcb, vmload_rows[i].f), val ^ 0x10);
	}
}

/* Hidden parts: limit and attributes of FS, GS, LDTR, TR survive unused. */
TEST(svm, vmload_vmsave_segments, .ref = "APM3 VMLOAD, VMSAVE", .needs = NEED_SVM)
{
	static const struct { const char *name; enum vseg s; struct vsegment v; } row[] = {
		{ "FS", VSEG_FS, { 0x43, 0xcf3, 0xfffff, 0x1234567000ULL, false } },
		{ "GS", VSEG_GS, { 0x10, 0xc93, 0xffffffff, 0xffff800000001000ULL, false } },
		{ "LDTR", VSEG_LDTR, { 0x58, 0x082, 0x57, 0x31000, false } },
		{ "TR", VSEG_TR, { G_SEL_TSS, 0x08b, 0x67, G_TSS, false } },
	};
	static const struct code str = CODE(0x0f, 0x00, 0xc8, 0x0f, 0x00, 0xc3,
					    0x8c, 0xe1, 0x8c, 0xea);
	struct machine *m = svm_machine(t);
	struct vsegment got;

	svm_load(m, &str);
	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++)
		virt->set_seg(m->v, row[i].s, &row[i].v);
	/* str eax; sldt ebx; mov ecx, fs; mov edx, gs */
	svm_expect(m, SVM_EXIT_VMMCALL, "selectors");
	EXPECT_EQ(t, machine_get(m, VREG_RAX) & 0xffff, G_SEL_TSS);
	EXPECT_EQ(t, machine_get(m, VREG_RBX) & 0xffff, 0x58);
	EXPECT_EQ(t, machine_get(m, VREG_RCX) & 0xffff, 0x43);
	EXPECT_EQ(t, machine_get(m, VREG_RDX) & 0xffff, 0x10);
	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		virt->get_seg(m->v, row[i].s, &got);
		EXPECT_EQ(t, got.selector, row[i].v.selector);
		EXPECT_EQ(t, got.attr, row[i].v.attr);
		EXPECT_EQ(t, got.limit, row[i].v.limit);
		EXPECT_EQ(t, got.base, row[i].v.base);
	}
}

/* The host gets its own back: FS, GS, TR, LDTR, STAR... */
TEST(svm, host_state_kept, .ref = "APM2 15.5.1, 15.6", .needs = NEED_SVM)
{
	static const u32 msr[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR,
				   MSR_LSTAR, MSR_CSTAR, MSR_SFMASK, MSR_IA32_SYSENTER_CS,
				   MSR_EFER };
	/* Fills the GPRs; sets DF. */
	static const struct code c = CODE(0xfd, 0x48, 0x31, 0xdb, 0x48, 0xf7, 0xd3, 0x48, 0x89,
					  0xdd, 0x49, 0x89, 0xdc, 0x49, 0x89, 0xdd, 0x49, 0x89,
					  0xde, 0x49, 0x89, 0xdf);
	struct machine *m = svm_machine(t);
	u64 before[ARRAY_SIZE(msr)], cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
	struct { u16 limit; u64 base; } __packed gdt[2], idt[2];
	u16 tr[2];

	for (unsigned int i = 0; i < ARRAY_SIZE(vmload_rows); i++)
		vmcb_write(vmcb_of(m), vmload_rows[i].f, vmload_rows[i].val);
	for (unsigned int i = 0; i < ARRAY_SIZE(msr); i++)
		before[i] = rdmsr(msr[i]);
	__asm__ volatile("sgdt %0; sidt %1; str %2" : "=m"(gdt[0]), "=m"(idt[0]), "=m"(tr[0]));
	svm_load(m, &c);
	svm_expect(m, SVM_EXIT_VMMCALL, "guest");
	__asm__ volatile("sgdt %0; sidt %1; str %2" : "=m"(gdt[1]), "=m"(idt[1]), "=m"(tr[1]));
	for (unsigned int i = 0; i < ARRAY_SIZE(msr); i++)
		CHECK(t, rdmsr(msr[i]) == before[i], "MSR %x changed", msr[i]);
	EXPECT(t, !memcmp(&gdt[0], &gdt[1], sizeof(gdt[0])));
	EXPECT(t, !memcmp(&idt[0], &idt[1], sizeof(idt[0])));
	EXPECT_EQ(t, tr[1], tr[0]);
	EXPECT_EQ(t, read_cr0(), cr0);
	EXPECT_EQ(t, read_cr3(), cr3);
	EXPECT_EQ(t, read_cr4(), cr4);
	EXPECT_EQ(t, read_rflags() & RFLAGS_DF, 0);
	/* APM2 15.6: #VMEXIT disables all breakpoints of the host. */
	EXPECT_EQ(t, read_dr7() & 0xff, 0);
}

/* VMRUN loads and #VMEXIT stores: control and debug registers, CPL, shadow. */
TEST(svm, vmcb_registers, .ref = "APM2 15.5.1, 15.6", .needs = NEED_SVM)
{
	static const struct {
		const char *name;
		enum vmcb_field f;
		u64 val, then;
		struct code c;
	} row[] = {
		/* mov rbx, reg; change; mov reg, rbx */
		{ "CR2", VMCB_F_cr2, 0x123456789abcULL, 0x123456789abdULL,
		  CODE(0x0f, 0x20, 0xd3, 0x48, 0x8d, 0x43, 1, 0x0f, 0x22, 0xd0) },
		{ "DR6", VMCB_F_dr6, DR6_FIXED1 | 2, DR6_FIXED1 | 3,
		  CODE(0x0f, 0x21, 0xf3, 0x48, 0x8d, 0x43, 1, 0x0f, 0x23, 0xf0) },
		{ "DR7", VMCB_F_dr7, DR7_FIXED1 | 0x100, DR7_FIXED1 | 0x101,
		  CODE(0x0f, 0x21, 0xfb, 0x48, 0x8d, 0x43, 1, 0x0f, 0x23, 0xf8) },
		{ "CR4", VMCB_F_cr4, CR4_PAE | CR4_OSFXSR, CR4_PAE | CR4_OSFXSR | 1,
		  CODE(0x0f, 0x20, 0xe3, 0x48, 0x8d, 0x43, 1, 0x0f, 0x22, 0xe0) },
		{ "CR0", VMCB_F_cr0, CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG,
		  CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG | CR0_AM,
		  CODE(0x0f, 0x20, 0xc3, 0x48, 0x8d, 0x83, 0, 0, 4, 0, 0x0f, 0x22, 0xc0) },
	};
	struct machine *m = svm_machine(t);
	struct vmcb *c = vmcb_of(m);

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		svm_load(m, &row[i].c);
		vmcb_write(c, row[i].f, row[i].val);
		svm_expect(m, SVM_EXIT_VMMCALL, row[i].name);
		EXPECT_EQ(t, machine_get(m, VREG_RBX), row[i].val);
		EXPECT_EQ(t, vmcb_read(c, row[i].f), row[i].then);
		vmcb_set_dr7(c, DR7_FIXED1);
		vmcb_set_dr6(c, DR6_FIXED1);
	}
}

/* The shadow of STI and MOV SS is stored (APM2 15.21.5). */
TEST(svm, shadow_stored, .ref = "APM2 15.21.5", .needs = NEED_SVM)
{
	static const struct { const char *name; struct code c; u64 shadow; } row[] = {
		{ "behind STI", CODE(0xfb, B_CPUID), 1 },
		{ "two behind STI", CODE(0xfb, 0x90, B_CPUID), 0 },
		{ "behind MOV SS", CODE(0x8c, 0xd0, 0x8e, 0xd0, B_CPUID), 1 },
		{ "behind STI with IF = 1 before", CODE(0xfb, 0x90, 0xfb, B_CPUID), 0 },
	};
	struct machine *m = svm_machine(t);

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		svm_load(m, &row[i].c);
		svm_expect(m, SVM_EXIT_CPUID, row[i].name);
		EXPECT_EQ(t, vmcb_of(m)->int_state & INT_STATE_SHADOW, row[i].shadow);
		/* Stepping over the instruction ends it. */
		REQUIRE_EQ(t, vcpu_advance(m->v), 0);
		EXPECT_EQ(t, machine_get(m, VREG_INT_SHADOW), 0);
	}
}

/*
 * APM2 15.15: with the clean bit clear a change must be seen.  With the bit
 * set and an unchanged VMCB nothing may differ.
 */
TEST(svm, clean_bits, .ref = "APM2 15.15", .needs = NEED_SVM)
{
	static const struct code c = CODE(0x0f, 0x20, 0xd3, 0x0f, 0x21, 0xf1, B_CPUID);
	struct machine *m = svm_machine(t);
	struct vmcb *vmcb = vmcb_of(m);

	test_row(t, "all set, nothing changed");
	for (unsigned int i = 0; i < 3; i++) {
		svm_load(m, &c);
		vmcb->clean = svm.clean_all;
		svm_expect(m, SVM_EXIT_CPUID, "clean");
	}
	test_row(t, "CR2");
	svm_load(m, &c);
	vmcb->clean = svm.clean_all;
	vmcb_set_cr2(vmcb, 0x7777000);
	EXPECT_EQ(t, vmcb->clean, svm.clean_all & ~(u32)VMCB_CLEAN_CR2);
	svm_expect(m, SVM_EXIT_CPUID, "CR2 changed");
	EXPECT_EQ(t, machine_get(m, VREG_RBX), 0x7777000);
	test_row(t, "DR6");
	svm_load(m, &c);
	vmcb->clean = svm.clean_all;
	vmcb_set_dr6(vmcb, DR6_FIXED1 | 4);
	svm_expect(m, SVM_EXIT_CPUID, "DR6 changed");
	EXPECT_EQ(t, machine_get(m, VREG_RCX), DR6_FIXED1 | 4);
	test_row(t, "intercepts");
	svm_load(m, &c);
	vmcb->clean = svm.clean_all;
	vec3_set(vmcb, VEC3_CPUID, false);
	svm_expect(m, SVM_EXIT_VMMCALL, "CPUID no longer intercepted");
	test_row(t, "permission maps");
	{
		static const struct code in = CODE(0xec);

		svm_load(m, &in);
		machine_set(m, VREG_RDX, 0xf0f0);
		svm_expect(m, SVM_EXIT_IOIO, "intercepted");
		virt->intercept(m->v, ICPT_IO, 0xf0f0, false);
		svm_expect(m, SVM_EXIT_VMMCALL, "allowed");
	}
}

/* Two vCPUs with ASIDs of their own do not see each other's translations. */
TEST(svm, asid_separates, .ref = "APM2 15.16", .needs = NEED_SVM)
{
	static const struct code rd = CODE(0x8a, 0x04, 0x25, 0, 0, 0x80, 0);
	struct machine *m[2] = { svm_machine(t), svm_machine(t) };

	for (unsigned int i = 0; i < 2; i++)
		*(u8 *)machine_ptr(m[i], 0x800000, 1) = (u8)(0x10 + i);
	for (unsigned int n = 0; n < 4; n++) {
		struct machine *x = m[n & 1];

		svm_load(x, &rd);
		svm_expect(x, SVM_EXIT_VMMCALL, "read");
		EXPECT_EQ(t, machine_get(x, VREG_RAX) & 0xff, 0x10 + (n & 1));
	}
	EXPECT(t, vmcb_get_guest_asid(vmcb_of(m[0])) != vmcb_get_guest_asid(vmcb_of(m[1])));
}

/* More vCPU flushes than there are ASIDs: a new generation begins, all goes on. */
TEST(svm, asid_generation, .ref = "APM2 15.16", .needs = NEED_SVM)
{
	static const struct code rd = CODE(0x8a, 0x04, 0x25, 0, 0, 0x80, 0);
	struct machine *m = svm_machine(t);
	struct svm_vcpu *a = svm_of(m);
	u64 gen = a->asid_gen;
	u32 nasid = svm.caps.nasid, used = 0;

	*(u8 *)machine_ptr(m, 0x800000, 1) = 0x31;
	/* Void the vCPU's ASID as a move to another CPU would. */
	while (a->asid_gen == gen && used++ < MIN(nasid + 8, 70000u)) {
		svm_rewind(m);
		a->cpu->asid_next = MAX(a->cpu->asid_next, nasid - 2);
		a->asid_gen = 0;
		svm_load(m, &rd);
		if (!svm_expect(m, SVM_EXIT_VMMCALL, "read"))
			break;
		if (!EXPECT_EQ(t, machine_get(m, VREG_RAX) & 0xff, 0x31))
			break;
	}
	EXPECT_EQ(t, a->asid_gen, gen + 1);
	EXPECT(t, vmcb_get_guest_asid(vmcb_of(m)) >= 1);
	EXPECT(t, vmcb_get_guest_asid(vmcb_of(m)) < nasid);
	EXPECT(t, used <= 8);
}

/* Every TLB_CONTROL value that the CPU offers, after a page was exchanged. */
TEST(svm, tlb_control, .ref = "APM2 15.16.1", .needs = NEED_SVM)
{
	static const struct { const char *name; u8 val; } row[] = {
		{ "flush all", TLB_CONTROL_FLUSH_ALL },
		{ "flush this ASID", TLB_CONTROL_FLUSH_ASID },
		{ "flush this ASID's non-global", TLB_CONTROL_FLUSH_ASID_LOCAL },
	};
	static const struct code rd = CODE(0x8a, 0x04, 0x25, 0, 0, 0x80, 0);
	struct machine *m = svm_machine(t);
	const u64 gpa = 0x800000;

	*(u8 *)machine_ptr(m, gpa, 1) = 0x41;
	*(u8 *)machine_ptr(m, gpa + PAGE_SIZE, 1) = 0x42;
	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		test_row(t, row[i].name);
		if (row[i].val != TLB_CONTROL_FLUSH_ALL && !svm.caps.flush_by_asid) {
			test_report(t, OUTCOME_SKIP, "no flush by ASID");
			continue;
		}
		for (unsigned int k = 0; k < 2; k++) {
			u64 pa = (u64)machine_ptr(m, gpa + k * PAGE_SIZE, 1);

			REQUIRE_EQ(t, pt_map(&m->vm.npt, gpa, pa, PAGE_SIZE, PT_RWX | PT_U,
					     PAGE_SIZE), 0);
			svm_load(m, &rd);
			vmcb_of(m)->tlb_control = row[i].val;
			svm_expect(m, SVM_EXIT_VMMCALL, row[i].name);
			EXPECT_EQ(t, machine_get(m, VREG_RAX) & 0xff, 0x41 + k);
		}
	}
}

/* APM2 15.5.1: RFLAGS.TF, RF and the rest are the guest's own. */
TEST(svm, rflags_loaded, .ref = "APM2 15.5.1", .needs = NEED_SVM)
{
	static const struct code c = CODE(0x9c, 0x58);		/* pushf; pop rax */
	struct machine *m = svm_machine(t);
	u64 want = RFLAGS_FIXED | RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF |
		   RFLAGS_IF | RFLAGS_DF | RFLAGS_OF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC |
		   RFLAGS_ID;

	svm_load(m, &c);
	m->v->rflags = want;
	svm_expect(m, SVM_EXIT_VMMCALL, "PUSHF");
	EXPECT_EQ(t, machine_get(m, VREG_RAX), want);
	EXPECT_EQ(t, m->v->rflags, want);
}

/* EFER.SVME is set for VMRUN, not for the guest to see. */
TEST(svm, efer_svme_hidden, .ref = "APM2 15.5.1", .needs = NEED_SVM)
{
	static const struct code rd = CODE(0x0f, 0x32);
	struct machine *m = svm_machine(t);

	EXPECT_EQ(t, machine_get(m, VREG_EFER) & EFER_SVME, 0);
	EXPECT_EQ(t, vmcb_get_efer(vmcb_of(m)) & EFER_SVME, EFER_SVME);
	svm_load(m, &rd);
	machine_set(m, VREG_RCX, MSR_EFER);
	REQUIRE_EQ(t, machine_run_handling(m, BIT(EXIT_MSR)), EXIT_HYPERCALL);
	EXPECT_EQ(t, machine_get(m, VREG_RAX), EFER_LME | EFER_LMA | EFER_NXE);
}
