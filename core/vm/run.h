/* SPDX-License-Identifier: MIT */
/* Between the run loop and its exit handlers. */
#ifndef CORE_VM_RUN_H
#define CORE_VM_RUN_H

#include "core/vm/vcpu.h"

struct cpu_caps;
struct insn;

/* What all guests see of the CPU; set once by virt_init. */
struct run_policy {
	const struct cpu_caps *caps;
	u64 xcr0_allowed;
	u32 xsave_size;		/* bytes of the area for all of xcr0_allowed; 512: FXSAVE */
	u64 efer_allowed;
	u64 cr4_allowed;
	u8 maxphyaddr;
	bool page1g;
	struct guest_cpu cpu;	/* what they are told of it */
};
extern struct run_policy run_policy;

static inline const struct guest_cpu *vm_cpu(const struct vm *vm)
{
	return unlikely(vm->cpu_told) ? &vm->cpu : &run_policy.cpu;
}

/* Called in the run loop after an interrupt of the host was taken; may be NULL. */
extern void (*vcpu_safe_point)(void);

/* What RDTSC gives to what runs now: the guest, or its guest. */
u64 vcpu_tsc_seen(struct vcpu *v);
/*
 * v->l2_line from the other TSC members of v, where the CPU scales; its ratio is 0 where L2's
 * is the guest's own or no line will do.  The vendor gives it to the CPU.
 */
void vcpu_compose_tsc(struct vcpu *v);
/* The guest's TSC now, and the host's TSC when the guest's is tsc. */
u64 vcpu_tsc(struct vcpu *v);
u64 vcpu_tsc_to_host(struct vcpu *v, u64 tsc);
/* The same for a given TSC of the host, and setting it. */
u64 vcpu_tsc_at(struct vcpu *v, u64 host);
void vcpu_set_tsc_at(struct vcpu *v, u64 tsc, u64 host);
/*
 * Of IA32_TSC and IA32_TSC_ADJUST a write to one changes the other as much
 * (SDM3 18.17.3): both by delta.
 */
void vcpu_adjust_tsc(struct vcpu *v, u64 delta);

/*
 * MSRs of the local APIC: 0x800 to 0x8ff, IA32_TSC_DEADLINE, IA32_APIC_BASE.
 * False: #GP, also without a local APIC.
 */
bool vcpu_apic_rdmsr(struct vcpu *v, u32 msr, u64 *val);
bool vcpu_apic_wrmsr(struct vcpu *v, u32 msr, u64 val);

/*
 * Length of the instruction at RIP, decoded.  op and op2: plain encodings that
 * are likely (INSN_OP_..., 0: none); anything else is decoded as well.
 * 1..15, -EFAULT (not readable), -EINVAL (no instruction).
 */
int vcpu_insn_len(struct vcpu *v, u32 op, u32 op2);

/* What is known of the guest's code pages is void. */
static inline void vcpu_forget_code(struct vcpu *v)
{
	for (u32 i = 0; i < CODE_PAGES; i++)
		v->code[i].linear = ~0ULL;
}

/*
 * The instruction at RIP, which the CPU has fetched or is about to: rights are
 * not checked where its page is known.  rules: INSN_RULE_ bits.  0, -EFAULT,
 * or an error of insn_decode_as.
 */
int __must_check vcpu_decode(struct vcpu *v, struct insn *i, unsigned int rules);

/*
 * The bytes at RIP, up to the first that cannot be fetched.  Returns how many of the
 * INSN_MAX_LEN in code are valid.
 */
unsigned int vcpu_code_bytes(struct vcpu *v, u8 *code);

/* The plain encoding op at code (three bytes readable): its length, else 0. */
static inline int insn_len_plain(const u8 *code, u32 op)
{
	u32 bytes = (u32)code[0] << 16 | (u32)code[1] << 8 | code[2];

	if (op > 0xffff)
		return bytes == op ? 3 : 0;
	if (op > 0xff)
		return bytes >> 8 == op ? 2 : 0;
	return op && code[0] == op ? 1 : 0;
}

/*
 * The instruction is done and rip is the next one: ends the interrupt shadow,
 * raises the trap of RFLAGS.TF.  vcpu_advance and emulation end here.
 */
void vcpu_retire(struct vcpu *v, u64 rip);

/* The guest writes CR0.  False: the value is #GP, nothing has changed. */
bool vcpu_write_cr0(struct vcpu *v, u64 val);

/* Handlers of core/vm/exits*.c, for the table in run.c. */
enum verdict exit_exception(struct vcpu *v);
enum verdict exit_host_event(struct vcpu *v);
enum verdict exit_window(struct vcpu *v);
enum verdict exit_shutdown(struct vcpu *v);
enum verdict exit_cpuid(struct vcpu *v);
enum verdict exit_hlt(struct vcpu *v);
enum verdict exit_skip(struct vcpu *v);
enum verdict exit_pause(struct vcpu *v);
enum verdict exit_ud(struct vcpu *v);
enum verdict exit_virt_insn(struct vcpu *v);
enum verdict exit_gp(struct vcpu *v);
enum verdict exit_invlpg(struct vcpu *v);
enum verdict exit_rdtsc(struct vcpu *v);
enum verdict exit_rdtscp(struct vcpu *v);
enum verdict exit_hypercall(struct vcpu *v);
enum verdict exit_cr(struct vcpu *v);
enum verdict exit_dr(struct vcpu *v);
enum verdict exit_msr(struct vcpu *v);
enum verdict exit_xsetbv(struct vcpu *v);
enum verdict exit_io(struct vcpu *v);
enum verdict exit_npf(struct vcpu *v);
enum verdict exit_task_switch(struct vcpu *v);
enum verdict exit_icebp(struct vcpu *v);
enum verdict exit_entry_fail(struct vcpu *v);
enum verdict exit_unhandled(struct vcpu *v);

/* What may be delivered to what runs now, L1's and GIF's masks included. */
void vcpu_gate(struct vcpu *v, struct event_gate *gate);
/* Length of the instruction that exited; <= 0: it cannot be read. */
int vcpu_exit_insn_len(struct vcpu *v);

/* Queues #GP(0), #UD; RESUME, or STOP on the triple fault that makes. */
enum verdict vcpu_inject_gp(struct vcpu *v);
enum verdict vcpu_inject_ud(struct vcpu *v);
enum verdict vcpu_inject(struct vcpu *v, struct event e);
/* Stops with STOP_UNHANDLED or STOP_ERROR and a reason. */
enum verdict vcpu_fail(struct vcpu *v, enum stop_reason stop, const char *fmt, ...)
	__printf(3, 4);
/*
 * What runs wants what cannot be done for it: a guest stops with STOP_UNHANDLED, a
 * guest's guest shuts down, which its hypervisor may intercept.  Then RESUME.
 */
enum verdict vcpu_give_up(struct vcpu *v, const char *fmt, ...) __printf(2, 3);

#endif
