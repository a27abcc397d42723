// SPDX-License-Identifier: MIT
/* The VMX back end: life of a vCPU, and one entry with its exit. */
#include "vmx/ops.h"

#include "core/lib/log.h"
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/msr.h"
#include "core/x86/percpu.h"
#include "vmx/insn.h"

#include "core/x86/segments.h"

/* Entries between two looks at the TSC while a deadline is armed. */
#define REARM_INTERVAL	64

struct vcpu *vmx_loaded_here(void)
{
	struct vcpu *v = this_cpu()->loaded;

	return v && vmx_of(v)->loaded ? v : NULL;
}

/* VPIDs only tell apart what is in a TLB at one time; each load flushes. */
static u16 next_vpid(void)
{
	static u32 last;
	u32 n = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);

	return (u16)(n % 0xffff + 1);
}

/* SDM3 10.1.1, table 10-1: the state after INIT, as far as it is a field's. */
static const struct {
	u16 field;
	u64 val;
} reset_fields[] = {
	{ VMCS_EXCEPTION_BITMAP,	VMX_EXC_GUARD },
	{ VMCS_PF_ERROR_CODE_MASK,	0 },
	{ VMCS_PF_ERROR_CODE_MATCH,	0 },
	{ VMCS_CR3_TARGET_COUNT,	0 },
	{ VMCS_EXIT_MSR_STORE_COUNT,	0 },
	{ VMCS_EXIT_MSR_LOAD_COUNT,	0 },
	{ VMCS_ENTRY_MSR_LOAD_COUNT,	0 },
	{ VMCS_ENTRY_INTR_INFO,		0 },
	{ VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0 },
	{ VMCS_ENTRY_INSN_LEN,		0 },
	{ VMCS_TSC_OFFSET,		0 },
	{ VMCS_VMCS_LINK_POINTER,	~0ULL },	/* SDM3 25.4.2 */
	{ VMCS_GUEST_DEBUGCTL,		0 },
	{ VMCS_GUEST_PAT,		PT_PAT_RESET },
	{ VMCS_GUEST_EFER,		0 },
	{ VMCS_GUEST_CR3,		0 },
	{ VMCS_GUEST_DR7,		DR7_FIXED1 },
	{ VMCS_GUEST_INTERRUPTIBILITY,	0 },
	{ VMCS_GUEST_ACTIVITY_STATE,	ACTIVITY_ACTIVE },
	{ VMCS_GUEST_PENDING_DEBUG,	0 },
	{ VMCS_GUEST_SYSENTER_CS,	0 },
	{ VMCS_GUEST_SYSENTER_ESP,	0 },
	{ VMCS_GUEST_SYSENTER_EIP,	0 },
	{ VMCS_GUEST_SMBASE,		0 },
	/* The host makes no system calls and has no LDT. */
	{ VMCS_HOST_SYSENTER_CS,	0 },
	{ VMCS_HOST_SYSENTER_ESP,	0 },
	{ VMCS_HOST_SYSENTER_EIP,	0 },
	{ VMCS_HOST_ES_SELECTOR,	SEL_DATA },
	{ VMCS_HOST_CS_SELECTOR,	SEL_CODE64 },
	{ VMCS_HOST_SS_SELECTOR,	SEL_DATA },
	{ VMCS_HOST_DS_SELECTOR,	SEL_DATA },
	{ VMCS_HOST_FS_SELECTOR,	0 },
	{ VMCS_HOST_GS_SELECTOR,	0 },
	{ VMCS_HOST_TR_SELECTOR,	SEL_TSS },
	{ VMCS_HOST_FS_BASE,		0 },
};

static void reset_segments(struct vcpu *v)
{
	struct vsegment data = { .limit = 0xffff, .attr = 0x93 };
	struct vsegment cs = { .selector = 0xf000, .base = 0xffff0000, .limit = 0xffff,
			       .attr = 0x9b };
	struct vsegment ldtr = { .limit = 0xffff, .attr = 0x82 };
	/* SDM3 27.3.1.2: TR is busy in a VMCS. */
	struct vsegment tr = { .limit = 0xffff, .attr = 0x8b };

	for (unsigned int s = VSEG_ES; s <= VSEG_GS; s++)
		vmx_set_seg(v, s, s == VSEG_CS ? &cs : &data);
	vmx_set_seg(v, VSEG_LDTR, &ldtr);
	vmx_set_seg(v, VSEG_TR, &tr);
	vmx_set_seg(v, VSEG_GDTR, &data);
	vmx_set_seg(v, VSEG_IDTR, &data);
}

/* The control fields: what vmx_ctls_choose found, and where our tables are. */
static void write_controls(struct vcpu *v, struct vmx_vcpu *x)
{
	vmwrite(VMCS_PIN_CTLS, vmx_ctls.word[VMX_CTL_PIN]);
	vmwrite(VMCS_PROC_CTLS, vmx_ctls.word[VMX_CTL_PROC]);
	vmwrite(VMCS_PROC2_CTLS, vmx_ctls.word[VMX_CTL_PROC2] |
		(v->vm->tsc.ratio ? VMX_CTL(PROC2_USE_TSC_SCALING) : 0));
	/* SDM3 25.6.5; the preemption timer counts by the host's TSC (26.5.1). */
	if (v->vm->tsc.ratio)
		vmwrite(VMCS_TSC_MULTIPLIER, v->vm->tsc.ratio);
	vmwrite(VMCS_EXIT_CTLS, vmx_ctls.word[VMX_CTL_EXIT]);
	vmwrite(VMCS_ENTRY_CTLS, vmx_ctls.word[VMX_CTL_ENTRY]);
	x->proc = vmx_ctls.word[VMX_CTL_PROC];
	x->eptp = vmx_eptp(&vmx_caps, v->vm->npt.root);
	vmwrite(VMCS_EPT_POINTER, x->eptp);
	vmwrite(VMCS_VPID, x->vpid);
	vmwrite(VMCS_MSR_BITMAP, (u64)x->msr_bitmap);
	vmwrite(VMCS_IO_BITMAP_A, (u64)x->io_bitmap->a);
	vmwrite(VMCS_IO_BITMAP_B, (u64)x->io_bitmap->b);
	if (x->proc & VMX_CTL(PROC_USE_TPR_SHADOW)) {
		vmwrite(VMCS_VIRTUAL_APIC_ADDR, (u64)x->vapic);
		vmwrite(VMCS_TPR_THRESHOLD, 0);
	}
	if (vmx_ctls.word[VMX_CTL_PROC2] & VMX_CTL(PROC2_ENABLE_XSAVES))
		vmwrite(VMCS_XSS_EXITING_BITMAP, 0);
	vmwrite(VMCS_CR0_GUEST_HOST_MASK, vmx_cr0_mask());
	vmwrite(VMCS_CR4_GUEST_HOST_MASK, vmx_cr4_mask());
}

/*
 * SDM3 25.11.3: VMCLEAR does not initialise a VMCS.  Every field that an entry
 * reads with our controls is written here or at load.
 */
static void reset_state(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool b = vmx_borrow(x);

	for (unsigned int i = 0; i < ARRAY_SIZE(reset_fields); i++)
		vmwrite(reset_fields[i].field, reset_fields[i].val);
	vmwrite(VMCS_HOST_RIP, (u64)vmx_exit_entry);
	write_controls(v, x);
	vmx_perm_reset(x);
	reset_segments(v);
	vmwrite(VMCS_GUEST_CR0, 0);
	vmwrite(VMCS_GUEST_CR4, 0);
	vmx_set(v, VREG_CR0, CR0_ET | CR0_CD | CR0_NW);
	vmx_set(v, VREG_CR4, 0);
	x->dr6 = DR6_FIXED1;
	v->rip = 0xfff0;
	v->rflags = RFLAGS_FIXED;
	/* What the VMCS has: differs, so that the first entry writes it. */
	x->rsp = x->rflags = ~0ULL;
	vmx_return(x, b);
}

/* All zeroed: the MSR bitmap is filled by vmx_perm_reset. */
static int alloc_pages(struct vmx_vcpu *x, u16 owner)
{
	/* Not the test's: a CPU may still have it when a test is abandoned. */
	struct vmcs_region *region = host_alloc(1, PA_OWNER_CORE);

	x->vmcs_pa = (u64)region;
	x->msr_bitmap = host_alloc(1, owner);
	x->io_bitmap = host_alloc(2, owner);
	x->vapic = host_alloc(1, owner);
	if (!region || !x->msr_bitmap || !x->io_bitmap || !x->vapic)
		return -ENOMEM;
	region->revision_id = vmx_caps.basic & VMX_BASIC_REVISION;
	return 0;
}

static void free_pages(struct vmx_vcpu *x)
{
	host_free((void *)x->vmcs_pa, 1);
	host_free(x->msr_bitmap, 1);
	host_free(x->io_bitmap, 2);
	host_free(x->vapic, 1);
	host_free(x, 1);
}

static int vmx_vcpu_init(struct vcpu *v)
{
	struct vmx_vcpu *x = host_alloc(1, v->vm->owner);

	if (!x)
		return -ENOMEM;
	v->arch = x;
	if (alloc_pages(x, v->vm->owner) || vmclear(x->vmcs_pa) != VMX_OK) {
		free_pages(x);
		v->arch = NULL;
		return -ENOMEM;
	}
	x->vpid = next_vpid();
	reset_state(v);
	return 0;
}

static void vmx_vcpu_fini(struct vcpu *v)
{
	free_pages(vmx_of(v));
	v->arch = NULL;
}

/* SDM3 25.5: what is constant while this CPU has the vCPU loaded. */
static void write_host_state(const struct percpu *cpu)
{
	struct { u16 limit; u64 base; } __packed idt;

	__asm__ volatile("sidt %0" : "=m"(idt));
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
	vmwrite(VMCS_HOST_PAT, rdmsr(MSR_IA32_PAT));
	vmwrite(VMCS_HOST_GS_BASE, (u64)cpu);
	vmwrite(VMCS_HOST_GDTR_BASE, (u64)cpu->gdt);
	vmwrite(VMCS_HOST_TR_BASE, (u64)&cpu->tss);
	vmwrite(VMCS_HOST_IDTR_BASE, idt.base);
}

/* What stays in the CPU until vmx_put: VMCS, host state, MSRs, DR6. */
static void vmx_load(struct vcpu *v)
{
	struct percpu *cpu = this_cpu();
	struct vmx_vcpu *x = vmx_of(v);

	if (vmptrld(x->vmcs_pa) != VMX_OK)
		log_printf(LOG_ERR, "VMPTRLD %#llx failed", (unsigned long long)x->vmcs_pa);
	x->current = true;
	x->loaded = true;
	x->host_rsp = 0;
	write_host_state(cpu);
	vmx_msrs_load(x);
	/* What an earlier run on this CPU left in the TLB may be stale. */
	vmx_flush_vpid(x->vpid);
	x->todo |= VMX_TODO_FLUSH;
	x->armed = ~0ULL;
}

/* SDM3 25.11.1: cleared, so that any CPU can take it next. */
static void vmx_put(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);

	vmx_msrs_put(x);
	if (vmclear(x->vmcs_pa) != VMX_OK)
		log_printf(LOG_ERR, "VMCLEAR %#llx failed", (unsigned long long)x->vmcs_pa);
	x->launched = 0;
	x->current = false;
	x->loaded = false;
}

static void write_timer(const struct vcpu *v)
{
	u64 now = rdtsc();

	vmwrite_fast(VMCS_PREEMPTION_TIMER_VALUE, v->alarm <= now ? 0 :
		     vmx_timer_value(&vmx_caps, v->alarm - now));
}

static bool vmx_own_timer(void)
{
	return vmx_ctl_may_be_1(vmx_caps.ctl[VMX_CTL_PIN]) & VMX_CTL(PIN_PREEMPTION_TIMER);
}

/* SDM3 25.6.5. */
static const struct tsc_format *vmx_tsc_format(void)
{
	static const struct tsc_format format = { .bits = 64, .frac = 48 };

	return vmx_ctl_may_be_1(vmx_caps.ctl[VMX_CTL_PROC2]) & VMX_CTL(PROC2_USE_TSC_SCALING) ?
	       &format : NULL;
}

/* SDM3 26.5.1: the timer that takes a guest back at v->alarm. */
static __attribute__((noinline)) void arm_timer(struct vcpu *v, struct vmx_vcpu *x)
{
	u32 save = vmx_ctl_may_be_1(vmx_caps.ctl[VMX_CTL_EXIT]) &
		   VMX_CTL(EXIT_SAVE_PREEMPTION_TIMER);
	u32 pin, ctls;

	/* Not saved at exits, it would start again at each entry. */
	x->rearm_in = save ? REARM_INTERVAL : 1;
	if (v->alarm && x->timer_on) {
		x->armed = v->alarm;
		write_timer(v);
		return;
	}
	x->armed = v->alarm;
	x->rearm_in = v->alarm ? x->rearm_in : ~0u;
	if (!vmx_own_timer()) {
		x->rearm_in = ~0u;
		return;
	}
	x->timer_on = v->alarm;
	pin = (u32)vmread(VMCS_PIN_CTLS) & ~VMX_CTL(PIN_PREEMPTION_TIMER);
	ctls = (u32)vmread(VMCS_EXIT_CTLS) & ~VMX_CTL(EXIT_SAVE_PREEMPTION_TIMER);
	if (v->alarm) {
		pin |= VMX_CTL(PIN_PREEMPTION_TIMER);
		ctls |= save;
		write_timer(v);
	}
	vmwrite(VMCS_PIN_CTLS, pin);
	vmwrite(VMCS_EXIT_CTLS, ctls);
}

/* Work that was left for the CPU that enters next. */
static __attribute__((noinline)) void do_todo(struct vcpu *v, struct vmx_vcpu *x)
{
	if (x->todo & VMX_TODO_FLUSH) {
		vmx_flush_ept(x->eptp);
		vmx_flush_vpid(x->vpid);
	}
	if (x->todo & VMX_TODO_PDPTES)
		vmx_load_pdptes(v);
	x->todo = 0;
}

/* RIP nearly always changes; the others cost a VMWRITE only then. */
static __always_inline void sync_in(struct vcpu *v, struct vmx_vcpu *x)
{
	vmwrite_fast(VMCS_GUEST_RIP, v->rip);
	if (unlikely(v->gpr[VREG_RSP] != x->rsp))
		vmwrite_fast(VMCS_GUEST_RSP, v->gpr[VREG_RSP]);
	if (unlikely(v->rflags != x->rflags))
		vmwrite_fast(VMCS_GUEST_RFLAGS, v->rflags);
	if (unlikely(read_cr2() != x->cr2))
		write_cr2(x->cr2);
}

/* RIP, RSP and RFLAGS of the guest are in the VMCS, CR2 nowhere (SDM3 28.3). */
static __always_inline void sync_out(struct vcpu *v, struct vmx_vcpu *x)
{
	x->cr2 = read_cr2();
	v->rip = vmread(VMCS_GUEST_RIP);
	v->gpr[VREG_RSP] = x->rsp = vmread(VMCS_GUEST_RSP);
	v->rflags = x->rflags = vmread(VMCS_GUEST_RFLAGS);
}

/* VMREADs what the row of the reason needs; the rest of *raw is not set. */
static __always_inline void read_exit(struct vcpu *v, struct vmx_exit_raw *raw)
{
	u8 need = vmx_exit_row(raw->reason)->need;

	raw->insn_len = 0;
	raw->rcx = (u32)v->gpr[VREG_RCX];
	if (need & VMX_NEED_LEN)
		raw->insn_len = (u32)vmread(VMCS_EXIT_INSN_LEN);
	if (need & VMX_NEED_QUAL)
		raw->qualification = vmread(VMCS_EXIT_QUALIFICATION);
	if (need & VMX_NEED_INFO)
		raw->insn_info = (u32)vmread(VMCS_EXIT_INSN_INFO);
	if (!(need & (VMX_NEED_IDT | VMX_NEED_GPA | VMX_NEED_INTR)))
		return;
	raw->idt_info = (u32)vmread(VMCS_IDT_VECTORING_INFO);
	if (raw->idt_info & INTR_VALID) {
		raw->idt_error = (u32)vmread(VMCS_IDT_VECTORING_ERROR_CODE);
		raw->insn_len = (u32)vmread(VMCS_EXIT_INSN_LEN);
		raw->cr2 = vmx_of(v)->cr2;
	}
	if (need & VMX_NEED_INTR) {
		raw->intr_info = (u32)vmread(VMCS_EXIT_INTR_INFO);
		raw->intr_error = (u32)vmread(VMCS_EXIT_INTR_ERROR_CODE);
	}
	if (need & VMX_NEED_GPA) {
		raw->gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
		raw->gla = vmread(VMCS_GUEST_LINEAR_ADDRESS);
	}
}

/* Exits that need something done before anybody else may run. */
static void after_event_exit(struct vcpu *v, const struct vmx_exit_raw *raw)
{
	if (v->exit.reason == EXIT_NMI)
		/*
		 * SDM3 28.5.5: the NMI is taken and NMIs are blocked. The gate
		 * of vector 2 runs the handler; its IRET unblocks them.
		 */
		__asm__ volatile("int $2" ::: "memory");
	if (vmx_exit_unblocked_nmi(raw))
		vmx_set(v, VREG_NMI_BLOCKED, 1);
}

/* VMfail: nothing of the guest was loaded or changed (SDM3 27.1, 27.2). */
static __attribute__((noinline)) void entry_refused(struct vcpu *v, enum vmx_result res)
{
	struct vmx_vcpu *x = vmx_of(v);

	/* sync_in wrote them. */
	x->rsp = v->gpr[VREG_RSP];
	x->rflags = v->rflags;
	/* Without a current VMCS there is no error number: 0. */
	vmx_exit_insn_failure(res == VMX_FAIL_VALID ? (u32)vmread(VMCS_VM_INSN_ERROR) : 0,
			      &v->exit);
}

/*
 * False: enter again, with a guarded exception, or because the timer, which has
 * 32 bits, was set only as far as it goes.
 */
static bool is_cores(struct vcpu *v, struct vmx_vcpu *x)
{
	if (v->exit.reason != EXIT_PREEMPT_TIMER)
		return !vmx_guarded(v);
	x->armed = ~0ULL;
	return !v->alarm || rdtsc() >= v->alarm;
}

/* Every exit that is not quick.  True: that was it; false: enter again. */
static __attribute__((noinline)) bool exit_full(struct vcpu *v, struct vmx_vcpu *x, u32 reason)
{
	struct vmx_exit_raw raw;
	bool cores;

	raw.reason = reason;
	read_exit(v, &raw);
	vmx_exit_decode(&raw, &v->exit);
	/* SDM3 27.8: an entry that failed leaves the launch state as it was. */
	if (!(reason & VMX_REASON_ENTRY_FAIL))
		x->launched = 1;
	if (vmx_exit_row(reason)->need & VMX_NEED_IDT)
		after_event_exit(v, &raw);
	cores = is_cores(v, x);
	v->stat.reentries += !cores;
	return cores;
}

/* What vmx_exit_decode would do, for rows that have VMX_QUICK. */
static __always_inline void exit_quick(struct vcpu *v, struct vmx_vcpu *x, u32 reason)
{
	v->exit.reason = vmx_exit_row(reason)->neutral;
	v->exit.insn_len = (u8)vmread(VMCS_EXIT_INSN_LEN);
	v->exit.code = reason;
	v->exit.info1 = 0;
	v->exit.info2 = 0;
	v->exit.idt.type = EVENT_NONE;
	x->launched = 1;
}

/*
 * The path of every exit: instructions count.  CPUID and its like take the
 * short way out; all that is rare is in functions of their own, so that this
 * one saves few registers.
 */
static void vmx_enter(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);
	enum vmx_result res;
	u32 reason;

	do {
		if (unlikely(x->todo))
			do_todo(v, x);
		if (unlikely(v->alarm != x->armed || --x->rearm_in == 0))
			arm_timer(v, x);
		sync_in(v, x);
		res = (enum vmx_result)vmx_world_switch(v->gpr, &x->host_rsp, x->launched);
		if (unlikely(res != VMX_OK)) {
			entry_refused(v, res);
			return;
		}
		reason = (u32)vmread(VMCS_EXIT_REASON);
		sync_out(v, x);
		if (likely(vmx_exit_row(reason)->need & VMX_QUICK)) {
			exit_quick(v, x, reason);
			return;
		}
	} while (!exit_full(v, x, reason));
}

static const struct virt_ops vmx_ops = {
	.name = "vmx",
	.vendor = VIRT_VMX,
	.probe = vmx_probe,
	.describe = vmx_describe,
	.cpu_on = vmx_cpu_on,
	.cpu_off = vmx_cpu_off,
	.vcpu_init = vmx_vcpu_init,
	.vcpu_fini = vmx_vcpu_fini,
	.load = vmx_load,
	.put = vmx_put,
	.enter = vmx_enter,
	.own_timer = vmx_own_timer,
	.tsc_format = vmx_tsc_format,
	.mode = vmx_mode,
	.skip = vmx_skip,
	.get = vmx_get,
	.set = vmx_set,
	.get_seg = vmx_get_seg,
	.set_seg = vmx_set_seg,
	.inject = vmx_inject,
	.windows = vmx_windows,
	.intercept = vmx_intercept,
	.flush = vmx_flush,
	.npt_format = vmx_npt_format,
	.dump = vmx_dump,
};
VIRT_OPS(vmx_ops);
