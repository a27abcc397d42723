/* SPDX-License-Identifier: MIT */
#include "core/vm/run.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/vm/insn.h"
#include "core/vm/nested.h"
#include "core/vm/pc.h"
#include "core/vm/sched.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"

/* One row an exit reason: what handles it, which instruction it was. */
struct exit_row {
	enum verdict (*handle)(struct vcpu *v);
	u32 insn_op, insn_op2;	/* plain encodings, INSN_OP_...; 0: none */
};

/* clang-format off */
static const struct exit_row exit_table[EXIT_REASON_COUNT] = {
	/*			  handler		instruction */
	[EXIT_NONE]		= { exit_unhandled,	0, 0 },
	[EXIT_EXCEPTION]	= { exit_exception,	0, 0 },
	[EXIT_INTR]		= { exit_host_event,	0, 0 },
	[EXIT_NMI]		= { exit_host_event,	0, 0 },
	[EXIT_SMI]		= { exit_host_event,	0, 0 },
	[EXIT_INIT]		= { exit_unhandled,	0, 0 },
	[EXIT_SIPI]		= { exit_unhandled,	0, 0 },
	[EXIT_INTR_WINDOW]	= { exit_window,	0, 0 },
	[EXIT_NMI_WINDOW]	= { exit_window,	0, 0 },
	[EXIT_SHUTDOWN]		= { exit_shutdown,	0, 0 },
	[EXIT_TASK_SWITCH]	= { exit_task_switch,	0, 0 },
	[EXIT_CPUID]		= { exit_cpuid,		INSN_OP_CPUID, 0 },
	[EXIT_HLT]		= { exit_hlt,		INSN_OP_HLT, 0 },
	[EXIT_INVD]		= { exit_skip,		INSN_OP_INVD, 0 },
	[EXIT_WBINVD]		= { exit_skip,		INSN_OP_WBINVD, 0 },
	[EXIT_INVLPG]		= { exit_invlpg,	0, 0 },
	[EXIT_INVPCID]		= { exit_ud,		0, 0 },
	[EXIT_RDPMC]		= { exit_gp,		INSN_OP_RDPMC, 0 },
	[EXIT_RDTSC]		= { exit_rdtsc,		INSN_OP_RDTSC, 0 },
	[EXIT_RDTSCP]		= { exit_rdtscp,	INSN_OP_RDTSCP, 0 },
	[EXIT_RDPRU]		= { exit_ud,		0, 0 },
	[EXIT_RSM]		= { exit_ud,		INSN_OP_RSM, 0 },
	[EXIT_HYPERCALL]	= { exit_hypercall,	INSN_OP_VMMCALL, INSN_OP_VMCALL },
	[EXIT_VIRT_INSN]	= { exit_virt_insn,	0, 0 },
	[EXIT_CR]		= { exit_cr,		0, 0 },
	[EXIT_DR]		= { exit_dr,		0, 0 },
	[EXIT_IO]		= { exit_io,		0, 0 },
	[EXIT_MSR]		= { exit_msr,		INSN_OP_RDMSR, INSN_OP_WRMSR },
	[EXIT_DESC]		= { exit_unhandled,	0, 0 },
	[EXIT_PUSHF]		= { exit_unhandled,	0, 0 },
	[EXIT_POPF]		= { exit_unhandled,	0, 0 },
	[EXIT_IRET]		= { exit_unhandled,	0, 0 },
	[EXIT_SWINT]		= { exit_unhandled,	0, 0 },
	[EXIT_ICEBP]		= { exit_icebp,		0, 0 },
	[EXIT_MWAIT]		= { exit_ud,		INSN_OP_MWAIT, 0 },
	[EXIT_MONITOR]		= { exit_ud,		INSN_OP_MONITOR, 0 },
	[EXIT_MTF]		= { exit_unhandled,	0, 0 },
	[EXIT_PAUSE]		= { exit_pause,		0, 0 },
	[EXIT_XSETBV]		= { exit_xsetbv,	INSN_OP_XSETBV, 0 },
	[EXIT_RDRAND]		= { exit_unhandled,	0, 0 },
	[EXIT_RDSEED]		= { exit_unhandled,	0, 0 },
	[EXIT_XSAVES]		= { exit_ud,		0, 0 },
	[EXIT_VMFUNC]		= { exit_ud,		0, 0 },
	[EXIT_NPF]		= { exit_npf,		0, 0 },
	[EXIT_NPT_MISCONFIG]	= { exit_unhandled,	0, 0 },
	[EXIT_PREEMPT_TIMER]	= { exit_host_event,	0, 0 },
	[EXIT_FERR]		= { exit_unhandled,	0, 0 },
	[EXIT_EFER_WRITE]	= { exit_unhandled,	0, 0 },
	[EXIT_ENTRY_FAIL]	= { exit_entry_fail,	0, 0 },
	[EXIT_UNKNOWN]		= { exit_unhandled,	0, 0 },
};
/* clang-format on */

static __attribute__((noinline)) void step_trap(struct vcpu *v)
{
	struct event db = event_exception(VEC_DB);

	db.payload = DR6_BS;
	vcpu_queue_exception(v, db);
}

static __always_inline void retire(struct vcpu *v, u64 rip)
{
	v->rip = rip;
	/* APM1 3.1.4, SDM1 3.4.3.3: RF is over when an instruction is. */
	v->rflags &= ~RFLAGS_RF;
	virt->skip(v);
	if (unlikely(v->rflags & RFLAGS_TF))
		step_trap(v);
}

void vcpu_retire(struct vcpu *v, u64 rip)
{
	retire(v, rip);
}

int vcpu_exit_insn_len(struct vcpu *v)
{
	const struct exit_row *row = &exit_table[v->exit.reason];

	return v->exit.insn_len ? v->exit.insn_len :
				  vcpu_insn_len(v, row->insn_op, row->insn_op2);
}

/* vcpu_advance within the run loop. */
static __always_inline int advance(struct vcpu *v)
{
	int len = vcpu_exit_insn_len(v);
	u64 rip;

	if (unlikely(len <= 0))
		return -EFAULT;
	rip = v->rip + (u64)len;
	/* APM1 2.5: EIP wraps at 4 GiB outside 64-bit mode. */
	if (unlikely((rip ^ v->rip) >> 32) && virt->mode(v) != INSN_MODE_64)
		rip = (u32)rip;
	retire(v, rip);
	return 0;
}

int vcpu_advance(struct vcpu *v)
{
	return advance(v);
}

static u8 events_waiting(const struct event_queue *q)
{
	return q->reinject.type | q->exception.type | q->nmi | q->intr;
}

void vcpu_gate(struct vcpu *v, struct event_gate *gate)
{
	bool shadow = virt->get(v, VREG_INT_SHADOW);

	gate->intr_ok = (v->rflags & RFLAGS_IF) && !shadow;
	gate->nmi_ok = !shadow && !virt->get(v, VREG_NMI_BLOCKED);
	if (unlikely(v->nested))
		virt->nested->gate(v, gate);
}

/* An exit to L1 may be followed by what L1 itself has to get. */
static enum nested_events nested_events(struct vcpu *v)
{
	enum nested_events ret;

	do
		ret = virt->nested->events(v);
	while (ret == NESTED_EXITED);
	return ret;
}

/*
 * Only an interrupt waits, and it has its window: until the guest sets IF nothing
 * is new.  What is offered then is looked at when the window opens.
 */
static bool window_stays(const struct vcpu *v)
{
	const struct event_queue *q = &v->events;

	return v->windows == WINDOW_INTR && !(v->rflags & RFLAGS_IF) && q->intr &&
	       !(q->reinject.type | q->exception.type | q->nmi | v->early) && !v->nested;
}

static void deliver_events(struct vcpu *v)
{
	struct event_gate gate;
	struct event e;
	bool fresh, injected;
	u32 windows;

	v->stat.req_event++;
	if (window_stays(v))
		return;
	if (v->apic)
		vcpu_irq_offer(v);
	if (unlikely(v->nested) && nested_events(v) == NESTED_BUSY)
		gate = (struct event_gate){ 0 };
	else
		vcpu_gate(v, &gate);
	fresh = v->events.reinject.type == EVENT_NONE;
	injected = event_next(&v->events, &gate, &e, &windows);
	if (injected) {
		/* One that is delivered again was acknowledged the first time. */
		if (v->apic && e.type == EVENT_INTR && fresh)
			vcpu_irq_take(v, &e);
		/* SDM3 27.6.1.1: an injection pushes RF as it is in the guest's state. */
		if (event_is_fault(&e))
			v->rflags |= RFLAGS_RF;
		v->stat.injected[e.type]++;
		virt->inject(v, &e);
	}
	if (v->apic && !(windows & WINDOW_INTR))
		windows |= vcpu_irq_tpr_window(v);
	if (windows != v->windows) {
		virt->windows(v, windows);
		v->windows = windows;
	}
	if (v->early && !(injected && virt->enter_waits))
		sched_wait(v);
}

static void trace_exit(struct vcpu *v)
{
	u32 pos = v->trace_pos;
	struct exit_trace *e = (void *)((u8 *)v->trace + pos % sizeof(v->trace));

	v->trace_pos = pos + sizeof(*e);
	e->rip = v->rip;
	e->info1 = v->exit.info1;
	e->code = (u32)v->exit.code;
	e->reason = v->exit.reason;
}

enum timing { UNTIMED, FIRST, AGAIN };

/*
 * left: TSC of the exit before, with AGAIN.  Returns that of this exit, unless
 * UNTIMED.
 */
static __always_inline u64 enter_once(struct vcpu *v, enum timing timing, u64 left)
{
	u64 now = 0;

	/* WINDOW_ bits fit into a byte. */
	if (unlikely(events_waiting(&v->events) | (u8)v->windows | v->early))
		deliver_events(v);
	if (timing != UNTIMED) {
		now = rdtsc();
		v->stat.guest_cycles -= now;
	}
	if (timing == AGAIN)
		vcpu_stats_latency(&v->stat, now - left);
	virt->enter(v);
	if (timing != UNTIMED) {
		left = rdtsc();
		v->stat.guest_cycles += left;
	}
	trace_exit(v);
	v->stat.exits[v->exit.reason]++;
	/* APM2 15.7.2, SDM3 28.2.4: what was being delivered goes on. */
	if (unlikely(v->exit.idt.type != EVENT_NONE))
		v->events.reinject = v->exit.idt;
	return left;
}

enum exit_reason vcpu_step(struct vcpu *v)
{
	u64 flags = irq_save();

	vcpu_load(v);
	this_cpu()->current = v;
	vcpu_forget_code(v);
	v->alarm = v->deadline;
	enter_once(v, UNTIMED, 0);
	this_cpu()->current = NULL;
	irq_restore(flags);
	return v->exit.reason;
}

/*
 * Not an exit for the host where the last migration left v: its timers came due on
 * the way, and with a migration at each such exit it would never get any further.
 */
static bool counts(const struct vcpu *v)
{
	return v->rip != v->migrate_rip ||
	       !(BIT(v->exit.reason) & (BIT(EXIT_INTR) | BIT(EXIT_NMI) | BIT(EXIT_PREEMPT_TIMER)));
}

static __always_inline void run_loop(struct vcpu *v, bool timed, bool counted)
{
	u64 stop_mask = v->vm->stop_mask;
	u64 left;

	if (unlikely(READ_ONCE(v->poke)) && !vcpu_look(v))
		return;
	left = enter_once(v, timed ? FIRST : UNTIMED, 0);
	for (;;) {
		enum verdict verdict;

		if (unlikely(v->in_l2) && virt->nested->reflect(v)) {
			if (unlikely(v->stop != STOP_NONE))
				return;
			/*
			 * L2 goes on behind a fill, which neither level sees.  A
			 * migration would void it, and L2 never get the next page
			 * that its instruction needs.
			 */
			if (v->in_l2 && v->exit.reason == EXIT_NPF)
				goto look;
			goto next;
		}
		if (unlikely(stop_mask & BIT(v->exit.reason))) {
			v->stop = STOP_EXIT;
			return;
		}
		/*
		 * A delivery that never ends keeps interrupts out: APM2 15.20, SDM3
		 * 27.6.1 have the event come before them.
		 */
		if (unlikely(v->exit.idt.type != EVENT_NONE) &&
		    exit_host_event(v) == VERDICT_STOP)
			return;
		verdict = exit_table[v->exit.reason].handle(v);
		if (verdict == VERDICT_ADVANCE && unlikely(advance(v)))
			verdict = vcpu_give_up(v, "cannot decode the instruction");
		if (verdict == VERDICT_STOP)
			return;
next:
		if (counted && counts(v) && !--v->migrate_left)
			sched_pause(v->vm);
look:
		/* Posted interrupts, timers; a guest that no clock ever sees. */
		if (unlikely(READ_ONCE(v->poke)) && !vcpu_look(v))
			return;
		left = enter_once(v, timed ? AGAIN : UNTIMED, left);
	}
}

enum stop_reason vcpu_run(struct vcpu *v)
{
	u64 flags = irq_save();

	vcpu_load(v);
	this_cpu()->current = v;
	vcpu_forget_code(v);		/* memory may have changed since */
	v->stop = STOP_NONE;
	v->why[0] = 0;
	v->kicked = false;
	v->poke = v->apic != NULL;
	v->alarm = v->deadline;
	/* Copies, so that the choice costs nothing at each exit. */
	if (unlikely(v->vm->migrate))
		run_loop(v, true, true);
	else if (likely(vcpu_stats_timed))
		run_loop(v, true, false);
	else
		run_loop(v, false, false);
	this_cpu()->current = NULL;
	irq_restore(flags);
	return v->stop;
}

static __printf(2, 0) void say_why(struct vcpu *v, const char *fmt, va_list ap)
{
	size_t len = (size_t)nb_snprintf(v->why, sizeof(v->why), "%s exit at %llx: ",
					 exit_reason_name(v->exit.reason),
					 (unsigned long long)v->rip);

	nb_vsnprintf(v->why + len, sizeof(v->why) - len, fmt, ap);
}

enum verdict vcpu_fail(struct vcpu *v, enum stop_reason stop, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_why(v, fmt, ap);
	va_end(ap);
	v->stop = stop;
	return VERDICT_STOP;
}

enum verdict vcpu_give_up(struct vcpu *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_why(v, fmt, ap);
	va_end(ap);
	if (!v->in_l2) {
		v->stop = STOP_UNHANDLED;
		return VERDICT_STOP;
	}
	/* Said once: its hypervisor may let it try again and again. */
	if (!v->stat.nested_given_up++)
		log_printf(LOG_WARN, "vm%u vcpu%u: its guest shuts down: %s", v->vm->id, v->id,
			   v->why);
	if (virt->nested->shutdown(v)) {
		v->why[0] = 0;
		return VERDICT_RESUME;
	}
	v->stop = STOP_SHUTDOWN;
	return VERDICT_STOP;
}

enum verdict vcpu_inject(struct vcpu *v, struct event e)
{
	if (unlikely(e.type == EVENT_NPF)) {
		virt->nested->page_fault(v, &e);
		return VERDICT_RESUME;
	}
	vcpu_queue_exception(v, e);
	return v->stop == STOP_SHUTDOWN ? VERDICT_STOP : VERDICT_RESUME;
}

void vcpu_queue_exception(struct vcpu *v, struct event e)
{
	/* Before the two become one, L1 sees the second, and which was the first. */
	if (unlikely(v->in_l2) && v->events.reinject.type != EVENT_NONE &&
	    virt->nested->exception(v, &e))
		return;
	/* With an empty queue there is nothing to combine with. */
	if (!event_queue_exception(&v->events, e))
		return;
	if (!v->in_l2 || !virt->nested->shutdown(v))
		v->stop = STOP_SHUTDOWN;
}

enum verdict vcpu_inject_gp(struct vcpu *v)
{
	return vcpu_inject(v, event_exception_err(VEC_GP, 0));
}

enum verdict vcpu_inject_ud(struct vcpu *v)
{
	return vcpu_inject(v, event_exception(VEC_UD));
}

static void dump_trace(const struct vcpu *v)
{
	u32 end = v->trace_pos / sizeof(v->trace[0]), n = MIN(end, (u32)EXIT_TRACE);

	log_printf(LOG_ERR, "last %u exits of vm%u vcpu%u, newest last:", n, v->vm->id, v->id);
	for (u32 i = end - n; i != end; i++) {
		const struct exit_trace *e = &v->trace[i % EXIT_TRACE];

		log_printf(LOG_ERR, "  %-13s code %x rip %llx info %llx",
			   exit_reason_name(e->reason), e->code, (unsigned long long)e->rip,
			   (unsigned long long)e->info1);
	}
}

void exit_trace_dump(void)
{
	struct vcpu *v = this_cpu()->current ? this_cpu()->current : this_cpu()->loaded;

	if (v)
		dump_trace(v);
}

void vcpu_dump(struct vcpu *v)
{
	log_printf(LOG_ERR, "vm%u vcpu%u: %s, exit %s code %llx", v->vm->id, v->id,
		   stop_reason_name(v->stop), exit_reason_name(v->exit.reason),
		   (unsigned long long)v->exit.code);
	for (unsigned int i = 0; i < 16; i += 4)
		log_printf(LOG_ERR, "  %-3s %016llx %-3s %016llx %-3s %016llx %-3s %016llx",
			   vreg_name(i), (unsigned long long)v->gpr[i],
			   vreg_name(i + 1), (unsigned long long)v->gpr[i + 1],
			   vreg_name(i + 2), (unsigned long long)v->gpr[i + 2],
			   vreg_name(i + 3), (unsigned long long)v->gpr[i + 3]);
	log_printf(LOG_ERR, "  rip %llx rflags %llx", (unsigned long long)v->rip,
		   (unsigned long long)v->rflags);
	virt->dump(v);
	dump_trace(v);
}
