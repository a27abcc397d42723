// SPDX-License-Identifier: MIT
#include "svm/ops.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/vm/insn.h"
#include "core/vm/sched.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/msr.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"
#include "core/x86/trap.h"
#include "svm/decode.h"
#include "svm/exit.h"
#include "svm/inject.h"
#include "svm/insn.h"
#include "svm/nested.h"
#include "svm/npt.h"
#include "svm/perm.h"

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

/* All of them page aligned, as VMRUN wants (APM2 15.5.1, 15.10, 15.11). */
static int alloc_areas(struct svm_vcpu *a, u16 owner)
{
	a->vmcb = host_alloc(1, owner);
	a->msrpm = host_alloc(MSRPM_SIZE / PAGE_SIZE, owner);
	a->iopm = host_alloc(IOPM_SIZE / PAGE_SIZE, owner);
	return a->vmcb && a->msrpm && a->iopm ? 0 : -ENOMEM;
}

static void free_areas(struct svm_vcpu *a)
{
	host_free(a->vmcb01, 1);
	host_free(a->msrpm, MSRPM_SIZE / PAGE_SIZE);
	host_free(a->iopm, IOPM_SIZE / PAGE_SIZE);
	host_free(a, 1);
}

/* Where a merge with another map can have a zero. */
static void find_open_words(struct svm_vcpu *a)
{
	const u64 *map = (const u64 *)a->msrpm;

	a->msrpm_open_n = 0;
	for (unsigned int i = 0; i < MSRPM_SIZE / 8; i++)
		if (map[i] != ~0ULL && a->msrpm_open_n < ARRAY_SIZE(a->msrpm_open))
			a->msrpm_open[a->msrpm_open_n++] = (u16)i;
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
	a->vmcb01 = c;
	a->vmcb_pa = (u64)c;
	memset(a->msrpm, 0xff, MSRPM_SIZE);
	memset(a->iopm, 0xff, IOPM_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(free_msrs) && !err; i++)
		err = msrpm_set(a->msrpm, free_msrs[i].msr, PERM_READ | PERM_WRITE, false);
	find_open_words(a);
	vmcb_set_intercept_vec3(c, VEC3_BASE);
	vmcb_set_intercept_vec4(c, VEC4_BASE);
	/* A machine check in a guest is the host's business. */
	a->exc_want = BIT(VEC_MC);
	/*
	 * #AC and #DB whose delivery raises them again never let an interrupt
	 * in: each must leave the guest (APM2 15.12.2, 15.12.17).
	 */
	a->exc_guard = BIT(VEC_AC) | (svm.quirks.db_dr6_lost ? 0 : BIT(VEC_DB));
	svm_apply_intercepts(a);
	vmcb_set_iopm_base_pa(c, (u64)a->iopm);
	vmcb_set_msrpm_base_pa(c, (u64)a->msrpm);
	vmcb_set_int_ctl(c, INT_CTL_V_INTR_MASKING);
	svm_npt_attach(c, v->vm->npt.root);
	svm_regs_reset(v);
	return !err && v->vm->nested ? svm_nested_ops.init(v) : err;
}

static void svm_vcpu_fini(struct vcpu *v)
{
	svm_nested_ops.fini(v);
	free_areas(v->arch);
	v->arch = NULL;
}

static void svm_load(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	/* The table may have been replaced while the vCPU did not run. */
	svm_npt_attach(a->vmcb01, v->vm->npt.root);
	if (v->nested)
		svm_nested_load(v);
	svm_regs_load(v);
}

static void svm_put(struct vcpu *v)
{
	svm_regs_put(v);
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

/* APM2 15.16.1: by TLB_CONTROL, or by taking an ASID that has no entries. */
static void svm_flush(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	v->stat.tlb_flush++;
	if (svm.caps.flush_by_asid)
		a->vmcb->tlb_control = TLB_CONTROL_FLUSH_ASID;
	else
		a->asid_gen = 0;
	if (v->nested)
		svm_nested_flush_all(svm_nested_of(v));
}

/* What VMRUN loads and #VMEXIT stores of the registers in struct vcpu. */
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

/*
 * APM2 15.20, 15.21.1: an interrupt of the host that is pending at VMRUN ends
 * the guest behind the delivery of EVENTINJ, before the handler's first
 * instruction.
 */
static void kick(void)
{
	if (lapic_send_ipi(lapic_id(), LAPIC_FIXED, VEC_KICK))
		log_printf(LOG_ERR, "SVM: no interrupt to itself");
}

/*
 * Behind an exit that has operands or an interrupted event, or while a window,
 * a step or an injection is under way.  True: enter again.
 */
static __attribute__((noinline)) bool exit_slow(struct vcpu *v, bool decoded)
{
	struct svm_vcpu *a = v->arch;
	struct vmcb *c = a->vmcb;
	bool operands = false;

	/* An entry that failed has no guest state to take over. */
	if (!decoded && (u32)c->exitcode != (u32)SVM_EXIT_INVALID)
		state_from_vmcb(v, c);
	c->eventinj = 0;
	if (!decoded)
		operands = svm_exit_decode_slow(c, v->gpr[VREG_RCX], svm.decode, &v->exit);
	if (a->soft_len)
		svm_inject_soft_back(v);
	if (operands || v->exit.idt.type != EVENT_NONE)
		svm_decode_operands(v);
	if (v->in_l2 && v->exit.idt.type == EVENT_INTR && !a->injected)
		svm_nested_virq_taken(v);
	a->injected = false;
	if (!(v->exit.reason == EXIT_EXCEPTION && svm_inject_guarded(v)) &&
	    !(a->attention && svm_inject_finish(v)))
		return false;
	v->stat.reentries++;
	return true;
}

static void say_intr(struct vcpu *v)
{
	v->exit = (struct vm_exit){ .reason = EXIT_INTR, .code = SVM_EXIT_INTR };
}

/*
 * On a CPU whose VMRUN with V_IRQ may lose an interrupt of the host: the timer's is
 * due, and whether it is pending or lost, core looks at the clock and sets it anew.
 */
static __attribute__((noinline)) bool timer_is_due(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	if (a->vmcb->eventinj & EVENTINJ_VALID)
		return false;
	a->virq_ran = false;
	if (!v->alarm || rdtsc() < v->alarm)
		return false;
	say_intr(v);
	return true;
}

/*
 * On a CPU whose guests with IF = 0 keep running: the host's interrupt, which
 * should have ended the last entry, at least does not wait for one more.
 * Tests of the CPU itself, which have no devices, see what it does.
 */
static __attribute__((noinline)) bool intr_waits(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;

	STATIC_ASSERT(VEC_TIMER / 32 == VEC_KICK / 32, "one look for both");
	if (a->vmcb->eventinj & EVENTINJ_VALID)
		return false;
	if (!(lapic_pending(VEC_TIMER) & (u32)(BIT(VEC_TIMER % 32) | BIT(VEC_KICK % 32))))
		return false;
	say_intr(v);
	return true;
}

/*
 * QEMU 7.2 helper.c cpu_x86_update_cr0 returns early with EFER.LME where CR4.PAE is
 * clear, and do_vmexit loads CR0 while both are still the guest's: the host would go
 * on without paging, or in real mode.  Without CR0.PG the guest runs as well with PAE.
 */
static inline void keep_cr0(struct vmcb *c)
{
	if (unlikely(vmcb_get_efer(c) & EFER_LME && !(vmcb_get_cr0(c) & CR0_PG)))
		vmcb_set_cr4(c, vmcb_get_cr4(c) | CR4_PAE);
}

/*
 * Enters until an exit is core's: what only served a window, a step or a guard
 * goes back into the guest.  A host interrupt that came meanwhile ends the next
 * entry at once, so this loop does not keep it waiting.
 */
static void svm_enter(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct svm_cpu *sc = (struct svm_cpu *)this_cpu()->host_vmcb;
	struct vmcb *c = a->vmcb;
	bool decoded;

	if (unlikely(svm.quirks.intr_if0_lost) && v->apic && !(v->rflags & RFLAGS_IF) &&
	    intr_waits(v))
		return;
	if (unlikely(a->virq_ran) && timer_is_due(v))
		return;
	do {
		if (unlikely(a->cpu != sc || a->asid_gen != sc->asid_gen))
			assign_asid(a, sc);
		if (unlikely(a->attention)) {
			if (svm_inject_prepare(v))
				return;
			if (a->kick)
				kick();
			if (unlikely(v->early))
				sched_wait(v);
		}
		state_to_vmcb(v, c);
		if (unlikely(svm.quirks.cr0_lost))
			keep_cr0(c);
		if (unlikely(svm.quirks.cr2_lost))
			write_cr2(vmcb_get_cr2(c));
		if (unlikely(svm.quirks.virq_races))
			a->virq_ran |= !!(vmcb_get_int_ctl(c) & INT_CTL_V_IRQ);
		svm_world_switch(v, a->vmcb_pa, (u64)sc, (u64)a->vmcb01);
		c->clean = svm.clean_all;
		c->tlb_control = TLB_CONTROL_NOTHING;
		if (unlikely(v->in_l2)) {
			if (unlikely(svm.quirks.int_idt_stale))
				svm_nested_of(v)->virq_taken = svm_nested_took_virq(v);
			svm_nested_sync(v);
		}
		decoded = svm_exit_decode_fast(c, svm.decode, &v->exit);
		if (likely(decoded))
			state_from_vmcb(v, c);
		if (unlikely(c->int_state & INT_STATE_SHADOW))
			a->attention = true;
	} while (unlikely(!decoded || a->attention) && exit_slow(v, decoded));
}

/* The host's timer ends a guest. */
static bool svm_own_timer(void)
{
	return false;
}

static bool svm_boot_cpu_alone(void)
{
	return svm.quirks.boot_cpu_races;
}

/* The NMIs that end a guest with IF = 0 go to the boot CPU (nmi_watchdog_beat). */
static bool svm_boot_cpu_only(void)
{
	return svm.quirks.intr_if0_lost;
}

static bool svm_stale_code(void)
{
	return svm.quirks.code_stale;
}

/* APM2 15.30.5. */
static const struct tsc_format *svm_tsc_format(void)
{
	static const struct tsc_format format = { .bits = 40, .frac = 32 };

	return svm.caps.tsc_rate_msr ? &format : NULL;
}

/* APM2 4.8.1: CS.L counts in long mode only, CS.D elsewhere. */
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

static void dump_line(void *ctx, const char *line)
{
	log_printf(LOG_INFO, "%s", line);
}

static void svm_dump(struct vcpu *v)
{
	const struct diag out = { .emit = dump_line };
	struct svm_vcpu *a = v->arch;

	if (a->vmcb != a->vmcb01)
		svm_nested_copy_vmload(a->vmcb, a->vmcb01);
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
	.enter_waits = true,
	.own_timer = svm_own_timer,
	.boot_cpu_alone = svm_boot_cpu_alone,
	.boot_cpu_only = svm_boot_cpu_only,
	.stale_code = svm_stale_code,
	.tsc_format = svm_tsc_format,
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
	.nested = &svm_nested_ops,
};
VIRT_OPS(svm_ops);
