/* SPDX-License-Identifier: MIT */
#include "svm/ops.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/vm/insn.h"
#include "core/x86/caps.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"
#include "svm/decode.h"
#include "svm/exit.h"
#include "svm/inject.h"
#include "svm/insn.h"
#include "svm/npt.h"
#include "svm/perm.h"
#include "svm/probe.h"
#include "svm/regs.h"

/*
 * APM2 15.4: SVM is usable when CPUID has it and VM_CR.SVMDIS is clear or can
 * be cleared (VM_CR.LOCK = 0, APM2 15.30.1).
 */
static int svm_probe(const struct cpu_caps *caps, char *why, size_t size)
{
	u64 vm_cr;

	if (!caps->svm) {
		nb_snprintf(why, size, "no SVM: CPUID 8000_0001 ECX.SVM is 0");
		return -ENODEV;
	}
	svm_caps_decode(caps, &svm.caps);
	/* A CPU without VM_CR cannot disable SVM. */
	if (!rdmsr_safe(MSR_VM_CR, &vm_cr) && vm_cr & VM_CR_SVMDIS) {
		if (!(vm_cr & VM_CR_LOCK) && !wrmsr_safe(MSR_VM_CR, vm_cr & ~(u64)VM_CR_SVMDIS) &&
		    !(rdmsr(MSR_VM_CR) & VM_CR_SVMDIS))
			goto usable;
		nb_snprintf(why, size, "SVM is off: VM_CR.SVMDIS is set%s",
			    svm.caps.svml ? " and locked with a key by firmware: enable it in setup" :
					    " and firmware does not let it be cleared");
		return -ENODEV;
	}
usable:
	if (!svm.caps.np || svm.caps.nasid < 2) {
		nb_snprintf(why, size, "SVM without %s is not supported",
			    svm.caps.np ? "ASIDs" : "nested paging");
		return -ENODEV;
	}
	svm.decode = (svm.caps.nrips ? SVM_DECODE_NRIP : 0) |
		     (svm.caps.decode_assists ? SVM_DECODE_ASSISTS : 0);
	/* What cannot be tried out: QEMU 7.2 aborts (helper_write_crN without its lock). */
	svm.quirks.cr8_virq_fatal = !strcmp(caps->hypervisor_id, "TCGTCGTCGTCG");
	svm.clean_all = svm.caps.vmcb_clean ? VMCB_CLEAN_ALL : 0;
	return 0;
}

static void svm_describe(char *buf, size_t size)
{
	const struct { bool on; const char *name; } quirk[] = {
		{ svm.quirks.shadow_lost, "shadow_lost" },
		{ svm.quirks.virq_if1_lost, "virq_if1_lost" },
		{ svm.quirks.intr_if0_lost, "intr_if0_lost" },
		{ svm.quirks.soft_nrip_lost, "soft_nrip_lost" },
		{ svm.quirks.cr2_lost, "cr2_lost" },
		{ svm.quirks.cr8_virq_fatal, "cr8_virq_fatal" },
	};
	size_t len;

	svm_caps_names(&svm.caps, buf, size);
	len = strnlen(buf, size);
	for (unsigned int i = 0; i < ARRAY_SIZE(quirk); i++) {
		if (quirk[i].on)
			str_append(buf, size, &len, " quirk:%s", quirk[i].name);
	}
}

#define SVM_CPU_PAGES	(sizeof(struct svm_cpu) / PAGE_SIZE)	/* page aligned, so whole */

/* APM2 15.4 (EFER.SVME), 15.30.4 (VM_HSAVE_PA). */
static int svm_cpu_on(struct percpu *cpu)
{
	struct svm_cpu *sc = host_alloc(SVM_CPU_PAGES, PA_OWNER_CORE);
	u64 flags;
	int err;

	if (!sc)
		return -ENOMEM;
	if (wrmsr_safe(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME)) {
		host_free(sc, SVM_CPU_PAGES);
		return -EIO;
	}
	wrmsr(MSR_VM_HSAVE_PA, (u64)sc->hsave);
	sc->asid_gen = 1;
	sc->asid_next = 1;
	cpu->virt_area = (u64)sc->hsave;
	cpu->host_vmcb = (u64)&sc->host;
	cpu->virt_on = true;
	vmsave(cpu->host_vmcb);
	if (cpu->id)
		return 0;
	flags = irq_save();
	err = svm_probe_quirks(&svm.quirks);
	irq_restore(flags);
	return err;
}

static void svm_cpu_off(struct percpu *cpu)
{
	struct svm_cpu *sc = (struct svm_cpu *)cpu->host_vmcb;

	stgi();
	wrmsr(MSR_VM_HSAVE_PA, 0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
	cpu->virt_on = false;
	cpu->virt_area = 0;
	cpu->host_vmcb = 0;
	host_free(sc, SVM_CPU_PAGES);
}

/* What is always intercepted: the host's events and what is not virtualized. */
#define VEC3_BASE (VEC3_INTR | VEC3_NMI | VEC3_SMI | VEC3_INIT | VEC3_CPUID | VEC3_RDPMC | \
		   VEC3_RSM | VEC3_INVD | VEC3_HLT | VEC3_INVLPGA | VEC3_IOIO | VEC3_MSR | \
		   VEC3_TASK_SWITCH | VEC3_FERR_FREEZE | VEC3_SHUTDOWN)
#define VEC4_BASE (VEC4_VMRUN | VEC4_VMMCALL | VEC4_VMLOAD | VEC4_VMSAVE | VEC4_STGI | \
		   VEC4_CLGI | VEC4_SKINIT | VEC4_WBINVD | VEC4_MONITOR | VEC4_MWAIT | \
		   VEC4_XSETBV)

static const struct { u32 msr; } free_msrs[] = {
	/* In the VMCB, without a side effect that core must see. */
	{ MSR_FS_BASE }, { MSR_GS_BASE }, { MSR_KERNEL_GS_BASE }, { MSR_STAR },
	{ MSR_LSTAR }, { MSR_CSTAR }, { MSR_SFMASK }, { MSR_IA32_SYSENTER_CS },
	{ MSR_IA32_SYSENTER_ESP }, { MSR_IA32_SYSENTER_EIP },
};

static int alloc_areas(struct svm_vcpu *a, u16 owner)
{
	a->vmcb = host_alloc(1, owner);
	a->msrpm = host_alloc(MSRPM_SIZE / PAGE_SIZE, owner);
	a->iopm = host_alloc(IOPM_SIZE / PAGE_SIZE, owner);
	return a->vmcb && a->msrpm && a->iopm ? 0 : -ENOMEM;
}

static void free_areas(struct svm_vcpu *a)
{
	host_free(a->vmcb, 1);
	host_free(a->msrpm, MSRPM_SIZE / PAGE_SIZE);
	host_free(a->iopm, IOPM_SIZE / PAGE_SIZE);
	host_free(a, 1);
}

static int svm_vcpu_init(struct vcpu *v)
{
	struct svm_vcpu *a = host_alloc(1, v->vm->owner);
	struct vmcb *c;
	int err;

	STATIC_ASSERT(sizeof(*a) <= PAGE_SIZE, "struct svm_vcpu is one page");
	if (!a)
		return -ENOMEM;
	err = alloc_areas(a, v->vm->owner);
	if (err) {
		free_areas(a);
		return err;
	}
	v->arch = a;
	c = a->vmcb;
	a->vmcb_pa = (u64)c;
	memset(a->msrpm, 0xff, MSRPM_SIZE);
	memset(a->iopm, 0xff, IOPM_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(free_msrs) && !err; i++)
		err = msrpm_set(a->msrpm, free_msrs[i].msr, PERM_READ | PERM_WRITE, false);
	vmcb_set_intercept_vec3(c, VEC3_BASE);
	vmcb_set_intercept_vec4(c, VEC4_BASE);
	/* A machine check in a guest is the host's business. */
	a->exc_want = BIT(VEC_MC);
	vmcb_set_intercept_exceptions(c, a->exc_want);
	vmcb_set_iopm_base_pa(c, (u64)a->iopm);
	vmcb_set_msrpm_base_pa(c, (u64)a->msrpm);
	vmcb_set_int_ctl(c, INT_CTL_V_INTR_MASKING);
	svm_npt_attach(c, v->vm->npt.root);
	svm_regs_reset(v);
	return err;
}

static void svm_vcpu_fini(struct vcpu *v)
{
	free_areas(v->arch);
	v->arch = NULL;
}

static void svm_load(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	/* The table may have been replaced while the vCPU did not run. */
	svm_npt_attach(a->vmcb, v->vm->npt.root);
	svm_regs_load(a);
}

static void svm_put(struct vcpu *v)
{
	svm_regs_put(v->arch);
}

/*
 * APM2 15.16: a VMCB that comes to another CPU, or whose translations are
 * void, gets an ASID that this CPU has not used since its last full flush.
 */
static void assign_asid(struct svm_vcpu *a, struct svm_cpu *sc)
{
	struct vmcb *c = a->vmcb;

	/* APM2 15.15.1: what another CPU cached of it says nothing here. */
	if (a->cpu != sc)
		c->clean = 0;
	if (sc->asid_next >= svm.caps.nasid) {
		sc->asid_gen++;
		sc->asid_next = 1;
		c->tlb_control = TLB_CONTROL_FLUSH_ALL;
	}
	vmcb_set_guest_asid(c, sc->asid_next++);
	a->cpu = sc;
	a->asid_gen = sc->asid_gen;
}

static void svm_flush(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	if (svm.caps.flush_by_asid)
		a->vmcb->tlb_control = TLB_CONTROL_FLUSH_ASID;
	else
		a->asid_gen = 0;
}

static inline void state_to_vmcb(const struct vcpu *v, struct vmcb *c)
{
	c->rax = v->gpr[VREG_RAX];
	c->rsp = v->gpr[VREG_RSP];
	c->rip = v->rip;
	c->rflags = v->rflags;
}

static inline void state_from_vmcb(struct vcpu *v, const struct vmcb *c)
{
	v->gpr[VREG_RAX] = c->rax;
	v->gpr[VREG_RSP] = c->rsp;
	v->rip = c->rip;
	v->rflags = c->rflags;
}

static void svm_enter(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct svm_cpu *sc = (struct svm_cpu *)this_cpu()->host_vmcb;
	struct vmcb *c = a->vmcb;
	bool operands, again;

	do {
		if (unlikely(a->cpu != sc || a->asid_gen != sc->asid_gen))
			assign_asid(a, sc);
		if (unlikely(a->attention))
			svm_inject_prepare(v);
		state_to_vmcb(v, c);
		if (unlikely(svm.quirks.cr2_lost))
			write_cr2(vmcb_get_cr2(c));
		svm_world_switch(v, a->vmcb_pa, (u64)sc);
		/* An entry that failed has no guest state to take over. */
		if (likely((u32)c->exitcode != (u32)SVM_EXIT_INVALID))
			state_from_vmcb(v, c);
		c->clean = svm.clean_all;
		c->tlb_control = TLB_CONTROL_NOTHING;
		c->eventinj = 0;
		again = false;
		operands = svm_exit_decode(c, v->gpr[VREG_RCX], svm.decode, &v->exit);
		if (unlikely(a->soft_len))
			svm_inject_soft_back(v);
		if (unlikely(operands || v->exit.idt.type >= EVENT_SOFT_INT))
			svm_decode_operands(v);
		if (unlikely(a->attention))
			again = svm_inject_finish(v);
	} while (unlikely(again));
}

static u8 svm_mode(struct vcpu *v)
{
	const struct vmcb *c = ((struct svm_vcpu *)v->arch)->vmcb;
	u16 attrib = vmcb_get_cs(c)->attrib;

	if (attrib & SEG_L && vmcb_get_efer(c) & EFER_LMA)
		return INSN_MODE_64;
	return attrib & SEG_D ? INSN_MODE_32 : INSN_MODE_16;
}

static void svm_skip(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	a->vmcb->int_state &= ~INT_STATE_SHADOW;
}

enum icpt_word { WORD_NONE, WORD_VEC3, WORD_VEC4 };

/* clang-format off */
static const struct { u8 word; u32 bits; } icpt_bits[] = {
	[ICPT_HLT]	   = { WORD_VEC3, VEC3_HLT },
	[ICPT_INVLPG]	   = { WORD_VEC3, VEC3_INVLPG },
	[ICPT_RDTSC]	   = { WORD_VEC3, VEC3_RDTSC },
	[ICPT_RDTSCP]	   = { WORD_VEC4, VEC4_RDTSCP },
	[ICPT_RDPMC]	   = { WORD_VEC3, VEC3_RDPMC },
	[ICPT_PAUSE]	   = { WORD_VEC3, VEC3_PAUSE },
	[ICPT_MWAIT]	   = { WORD_VEC4, VEC4_MWAIT },
	[ICPT_MONITOR]	   = { WORD_VEC4, VEC4_MONITOR },
	[ICPT_WBINVD]	   = { WORD_VEC4, VEC4_WBINVD },
	[ICPT_DESC]	   = { WORD_VEC3, VEC3_DESC },
	[ICPT_CPUID]	   = { WORD_VEC3, VEC3_CPUID },
	[ICPT_XSETBV]	   = { WORD_VEC4, VEC4_XSETBV },
	[ICPT_TASK_SWITCH] = { WORD_VEC3, VEC3_TASK_SWITCH },
	[ICPT_SHUTDOWN]	   = { WORD_VEC3, VEC3_SHUTDOWN },
	[ICPT_HYPERCALL]   = { WORD_VEC4, VEC4_VMMCALL },
};
/* clang-format on */

static u32 with(u32 old, u32 bits, bool on)
{
	return on ? old | bits : old & ~bits;
}

static int icpt_register(struct svm_vcpu *a, enum icpt what, u32 arg, bool on)
{
	struct vmcb *c = a->vmcb;
	u16 bit = (u16)BIT(arg & 15);

	switch (what) {
	case ICPT_CR_READ:
		vmcb_set_intercept_cr_read(c, (u16)with(vmcb_get_intercept_cr_read(c), bit, on));
		return 0;
	case ICPT_CR_WRITE:
		a->cr_write_want = (u16)with(a->cr_write_want, bit, on);
		vmcb_set_intercept_cr_write(c, a->cr_write_want);
		svm_apply_intercepts(a);
		return 0;
	case ICPT_DR:
		vmcb_set_intercept_dr_read(c, on ? 0xffff : 0);
		vmcb_set_intercept_dr_write(c, on ? 0xffff : 0);
		return 0;
	case ICPT_EXCEPTION:
		a->exc_want = with(a->exc_want, (u32)BIT(arg & 31), on);
		svm_apply_intercepts(a);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* Maps are not cached under a clean bit: only their addresses are (APM2 15.15.3). */
static int icpt_map(struct svm_vcpu *a, enum icpt what, u32 arg, bool on)
{
	switch (what) {
	case ICPT_IO:
		iopm_set(a->iopm, (u16)arg, on);
		break;
	case ICPT_IO_ALL:
		memset(a->iopm, on ? 0xff : 0, IOPM_SIZE);
		break;
	case ICPT_MSR_READ:
	case ICPT_MSR_WRITE:
		if (msrpm_set(a->msrpm, arg, what == ICPT_MSR_READ ? PERM_READ : PERM_WRITE, on))
			return -EOPNOTSUPP;
		break;
	default:
		return -EOPNOTSUPP;
	}
	/* APM2 15.10, 15.11: a change of a map in use needs the clean bit cleared. */
	a->vmcb->clean &= ~(u32)VMCB_CLEAN_IOPM;
	return 0;
}

static int svm_intercept(struct vcpu *v, enum icpt what, u32 arg, bool on)
{
	struct svm_vcpu *a = v->arch;
	struct vmcb *c = a->vmcb;
	u32 bits = what < ARRAY_SIZE(icpt_bits) ? icpt_bits[what].bits : 0;

	if (bits && icpt_bits[what].word == WORD_VEC3) {
		vmcb_set_intercept_vec3(c, with(vmcb_get_intercept_vec3(c), bits, on));
		return 0;
	}
	if (bits) {
		vmcb_set_intercept_vec4(c, with(vmcb_get_intercept_vec4(c), bits, on));
		return 0;
	}
	if (!icpt_map(a, what, arg, on))
		return 0;
	return icpt_register(a, what, arg, on);
}

static void dump_line(void *ctx, const char *line)
{
	log_printf(LOG_INFO, "%s", line);
}

static void svm_dump(struct vcpu *v)
{
	const struct diag out = { .emit = dump_line };
	struct svm_vcpu *a = v->arch;

	vmcb_dump(a->vmcb, &out);
}

static const struct virt_ops svm_ops = {
	.name = "svm",
	.vendor = VIRT_SVM,
	.probe = svm_probe,
	.describe = svm_describe,
	.cpu_on = svm_cpu_on,
	.cpu_off = svm_cpu_off,
	.vcpu_init = svm_vcpu_init,
	.vcpu_fini = svm_vcpu_fini,
	.load = svm_load,
	.put = svm_put,
	.enter = svm_enter,
	.mode = svm_mode,
	.skip = svm_skip,
	.get = svm_get,
	.set = svm_set,
	.get_seg = svm_get_seg,
	.set_seg = svm_set_seg,
	.inject = svm_inject,
	.windows = svm_windows,
	.intercept = svm_intercept,
	.flush = svm_flush,
	.npt_format = svm_npt_format,
	.dump = svm_dump,
};
VIRT_OPS(svm_ops);
