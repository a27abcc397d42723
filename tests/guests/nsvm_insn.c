// SPDX-License-Identifier: MIT
#include "tests/guests/rt/svm.h"

PAYLOAD(nsvm_insn, .nested = "svm",
	.ref = "APM2 15.4, 15.30; APM3 VMRUN, VMLOAD, STGI, INVLPGA, SKINIT",
	.desc = "SVM instructions and MSRs: their faults by mode, CPL, SVME and operand");

static struct l2 l2;

#define DEFINE_INSN(name) \
static void do_##name(void *rax) \
{ \
	__asm__ volatile(#name : : "a"(rax), "c"(0), "d"(0) : "memory"); \
}
DEFINE_INSN(vmrun)
DEFINE_INSN(vmload)
DEFINE_INSN(vmsave)
DEFINE_INSN(stgi)
DEFINE_INSN(clgi)
DEFINE_INSN(invlpga)
DEFINE_INSN(vmmcall)

static void do_skinit(void *eax)
{
	__asm__ volatile("skinit" : : "a"((u32)(ulong)eax) : "memory");
}

enum operand { NONE, VMCB };
/* Bits of .where: also there without SVME; nestbed has a use for it. */
#define WITHOUT_SVME	1
#define HYPERCALL	2

static const struct insn {
	const char *name;
	void (*fn)(void *rax);
	enum operand operand;
	u8 where;
} insns[] = {
	{ "VMRUN", do_vmrun, VMCB, 0 },
	{ "VMLOAD", do_vmload, VMCB, 0 },
	{ "VMSAVE", do_vmsave, VMCB, 0 },
	{ "STGI", do_stgi, NONE, WITHOUT_SVME },
	{ "CLGI", do_clgi, NONE, 0 },
	{ "INVLPGA", do_invlpga, NONE, 0 },
	{ "SKINIT", do_skinit, NONE, WITHOUT_SVME },
	{ "VMMCALL", do_vmmcall, NONE, HYPERCALL },
};

static bool skinit_there(void)
{
	return rt_has(0x80000001, 0, ECX, 12) || svm_has(SVM_SVML);
}

static bool left_out(const struct insn *i)
{
	return (i->where & HYPERCALL && rt.nestbed) ||
	       (i->where & WITHOUT_SVME && skinit_there());
}

static void set_svme(bool on)
{
	u64 efer = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, on ? efer | EFER_SVME : efer & ~EFER_SVME);
}

static void check_disabled(void)
{
	set_svme(false);
	for (const struct insn *i = insns; i < insns + ARRAY_LEN(insns); i++) {
		if (left_out(i))
			continue;
		rt_expect(i->name, rt_try(i->fn, &l2), VEC_UD, -1);
		rt_expect("in ring 3", rt_try_user(i->fn, &l2), VEC_UD, -1);
	}
	set_svme(true);
}

/* VMMCALL and SKINIT: what the CPU has no use for is #UD in every ring. */
static void check_ring3(void)
{
	for (const struct insn *i = insns; i < insns + ARRAY_LEN(insns); i++) {
		bool ud = i->fn == do_vmmcall || (i->fn == do_skinit && !skinit_there());

		if (!left_out(i) || i->fn == do_stgi)
			rt_expect(i->name, rt_try_user(i->fn, &l2), ud ? VEC_UD : VEC_GP, 0);
	}
	if (!skinit_there())
		rt_expect("SKINIT that CPUID does not have", rt_try(do_skinit, NULL), VEC_UD, -1);
	if (!rt.nestbed)
		rt_expect("VMMCALL without a hypervisor", rt_try(do_vmmcall, NULL), VEC_UD, -1);
}

static void check_operand(void)
{
	const u64 width = cpuid(0x80000008).eax & 0xff;
	const u64 bad[] = {
		(ulong)&l2 + 1, (ulong)&l2 + 0x10, (ulong)&l2 + 0x800,
		BIT64(width), BIT64(width) + (ulong)&l2, BIT64(63), ~0xfffULL,
	};

	for (const struct insn *i = insns; i < insns + ARRAY_LEN(insns); i++)
		for (unsigned int n = 0; i->operand == VMCB && n < ARRAY_LEN(bad); n++) {
			int vec = rt_try(i->fn, (void *)bad[n]);

			rt_quiet(vec == VEC_GP && !rt_fault.error, i->name,
				 "RAX %llx: vector %d error %x", bad[n], vec, rt_fault.error);
		}
	rt_check(true, "VMCB addresses", " ");
}

/* They do nothing that could be seen here, and do not fault. */
static void check_good(void)
{
	static struct vmcb there __attribute__((aligned(4096)));

	rt_expect("CLGI", rt_try(do_clgi, NULL), VEC_NONE, -1);
	rt_expect("STGI", rt_try(do_stgi, NULL), VEC_NONE, -1);
	rt_expect("STGI with GIF set", rt_try(do_stgi, NULL), VEC_NONE, -1);
	rt_expect("VMSAVE", rt_try(do_vmsave, &there), VEC_NONE, -1);
	rt_expect("VMLOAD", rt_try(do_vmload, &there), VEC_NONE, -1);
	rt_expect("INVLPGA", RT_TRY("invlpga", : : "a"(0x1000), "c"(1) : "memory"), VEC_NONE, -1);
	rt_expect("INVLPGA, ASID 0", RT_TRY("invlpga", : : "a"(&l2), "c"(0) : "memory"),
		  VEC_NONE, -1);
	rt_expect("INVLPGA, an ASID beyond the last",
		  RT_TRY("invlpga", : : "a"(&l2), "c"(~0u) : "memory"), VEC_NONE, -1);
	rt_expect("INVLPGA, not canonical",
		  RT_TRY("invlpga", : : "a"(BIT64(63)), "c"(1) : "memory"), VEC_NONE, -1);
}

static void check_cpuid(void)
{
	struct cpuid c = cpuid(0x8000000a);

	rt_check((c.eax & 0xff) >= 1, "SVM revision", "%x", c.eax);
	rt_check(c.ebx >= 2, "ASIDs", "%u", c.ebx);
	rt_check(!(c.eax >> 9) && !c.ecx, "reserved bits of 8000_000A", "%x %x", c.eax, c.ecx);
}

/* Writes v; the vector must be want, 0 its error code. */
static void check_wrmsr(const char *name, u32 msr, u64 v, int want, unsigned int where,
			const char *why)
{
	int vec = rt_wrmsr(msr, v);

	rt_known(svm_known(where), vec == want && (vec == VEC_NONE || !rt_fault.error), name, why);
}

#define HSAVE_UNCHECKED	"Bochs 2.7 cpu/msr.cc wrmsr BX_SVM_HSAVE_PA_MSR: any address"

/* APM2 15.30.4 */
static void check_hsave(void)
{
	const u64 width = cpuid(0x80000008).eax & 0xff;
	u64 v;

	check_wrmsr("VM_HSAVE_PA misaligned", MSR_VM_HSAVE_PA, (ulong)svm_hsave + 0x10, VEC_GP,
		    KNOWN_BOCHS_BARE, HSAVE_UNCHECKED);
	check_wrmsr("VM_HSAVE_PA beyond the physical addresses", MSR_VM_HSAVE_PA, BIT64(width),
		    VEC_GP, KNOWN_BOCHS_BARE, HSAVE_UNCHECKED);
	rt_expect("VM_HSAVE_PA", rt_wrmsr(MSR_VM_HSAVE_PA, 0x123000), VEC_NONE, -1);
	rt_rdmsr(MSR_VM_HSAVE_PA, &v);
	rt_check(v == 0x123000, "VM_HSAVE_PA reads back", "%llx", v);
	wrmsr(MSR_VM_HSAVE_PA, (ulong)svm_hsave);
}

#define NO_VM_CR	"no VM_CR: unknown MSRs read 0 and take any value in QEMU 7.2 " \
			"misc_helper.c helper_wrmsr and Bochs 2.7 cpu/msr.cc"
#define NOT_THERE	(KNOWN_TCG_BARE | KNOWN_BOCHS_BARE)

static void check_vm_cr_write(const char *name, u64 v)
{
	check_wrmsr(name, MSR_VM_CR, v, VEC_GP, NOT_THERE, NO_VM_CR);
}

/* APM2 15.30.1; last: what it locks stays locked. */
static void check_vm_cr(void)
{
	u64 v = ~0ULL;
	int vec = rt_rdmsr(MSR_VM_CR, &v);

	rt_check(vec == VEC_NONE && !(v & (VM_CR_SVMDIS | VM_CR_LOCK)), "VM_CR", "%d %llx", vec,
		 v);
	check_vm_cr_write("VM_CR bit 5", v | BIT64(5));
	check_vm_cr_write("VM_CR bit 63", v | BIT64(63));
	check_vm_cr_write("SVMDIS with SVME set", v | VM_CR_SVMDIS);
	set_svme(false);
	rt_expect("SVMDIS", rt_wrmsr(MSR_VM_CR, v | VM_CR_SVMDIS), VEC_NONE, -1);
	check_wrmsr("SVME with SVMDIS", MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME, VEC_GP, NOT_THERE,
		    NO_VM_CR);
	rt_expect("SVMDIS and LOCK", rt_wrmsr(MSR_VM_CR, v | VM_CR_SVMDIS | VM_CR_LOCK),
		  VEC_NONE, -1);
	rt_expect("a write to what is locked", rt_wrmsr(MSR_VM_CR, v), VEC_NONE, -1);
	v = rdmsr(MSR_VM_CR) & (VM_CR_SVMDIS | VM_CR_LOCK);
	rt_known(svm_known(NOT_THERE), v == (VM_CR_SVMDIS | VM_CR_LOCK), "is ignored", NO_VM_CR);
}

/* nsvm_insn_16.S: a vector for each instruction, in the order of insns. */
void low_svm(void);
extern u32 low_svm_vmcb;
extern u8 low_svm_vector[];

/* APM3: all of them are recognized in protected mode only. */
static void check_real_mode(void)
{
	low_svm_vmcb = (u32)(ulong)&l2;
	rt_real_call(low_svm);
	for (unsigned int i = 0; i < ARRAY_LEN(insns); i++)
		rt_check(low_svm_vector[i] == VEC_UD || left_out(&insns[i]), insns[i].name,
			 "vector %u in real mode", low_svm_vector[i]);
}

int main(struct rt_info *info)
{
	const char *why;

	if (!svm_enable(&why))
		return rt_skip(why);
	l2_init(&l2, NULL);
	check_cpuid();
	check_disabled();
	check_ring3();
	check_operand();
	check_good();
	check_real_mode();
	check_hsave();
	check_vm_cr();
	return rt_result();
}
