/* SPDX-License-Identifier: MIT */
/*
 * Runs the vCPUs of virtual PCs on the CPUs that there are.  Each vCPU has a
 * home CPU, so that everything of it but posted interrupts belongs to one
 * thread of execution; a CPU with several takes them in turn, a slice each.
 */
#ifndef CORE_VM_SCHED_H
#define CORE_VM_SCHED_H

#include "core/vm/vcpu.h"
#include "core/x86/percpu.h"

struct sched;

/* What waits for a timer of a local APIC: its running vCPU, or the idle CPU. */
enum { LEAD_RUN, LEAD_IDLE, LEADS };

/* The vCPUs of one CPU; touched by that CPU only, except dirty and typed. */
struct sched_cpu {
	struct sched *s;
	struct vcpu *list;		/* linked by vcpu.sched_next */
	struct vcpu *last;		/* ran last */
	u32 n;
	u32 dirty;			/* event_at must be computed again */
	u32 typed;			/* a guest of it has input to take */
	u64 event_at;			/* host TSC: a timer of a guest fires */
	struct vcpu *event_of;		/* whose local APIC has that timer; NULL: another */
	u64 lead[LEADS];		/* ticks from what ends a wait for it to the entry */
	u64 poll_at;			/* host TSC: vcpu_safe_point wants to look */
	u64 slice_end;
	u64 look_at;			/* host TSC: stale_code_look of who runs; NEVER: not here */
	u64 armed;			/* what the host's timer has; 0: it may have gone off */
};

struct sched {
	u32 cpus;			/* that take part: 0 .. cpus - 1 */
	u32 first_cpu;			/* those before it have no vCPUs */
	u32 next_cpu;
	u32 live;			/* VMs that have not ended */
	struct sched_cpu cpu[MAX_CPUS];
};

/*
 * For the given number of vCPUs, on max_cpus CPUs at most (1 or more, and there
 * are that many).  Behind it s->cpus CPUs, from the boot CPU on, have to call
 * sched_loop.
 */
void sched_init(struct sched *s, u32 vcpus, u32 max_cpus);
/* Gives vm's vCPUs homes.  Before any sched_loop. */
void sched_add(struct sched *s, struct vm *vm);
/*
 * Runs the vCPUs whose home is the calling CPU until every VM has ended; on
 * each of the CPUs.  vm->end is the vCPU that ended it.
 */
void sched_loop(struct sched *s);

/* For pc.c: the timers of v's home CPU changed.  Any CPU. */
void sched_rearm(struct vcpu *v);
/* v, of the calling CPU, got something to do while another runs: not for long. */
void sched_soon(struct vcpu *v);
/* Of the running vCPU: sets v->alarm and the host's timer. */
void sched_arm(struct vcpu *v);
/*
 * With v->early, before v is entered: waits until it is time, and learns from how
 * early or late it was.  v->early is 0 behind it.
 */
void sched_wait(struct vcpu *v);
/* The host's interrupt or timer ended v's guest.  False: v->stop is set. */
bool __must_check sched_host_event(struct vcpu *v);
/* All vCPUs of vm park; when they have, it is saved and restored.  Any CPU. */
void sched_pause(struct vm *vm);
/*
 * Holds vm as it is, for the boot CPU in its safe point (vcpu_safe_point): none of
 * its vCPUs is loaded anywhere, until sched_release lets them go on.  0; -EBUSY
 * when some vCPU did not stop in a second: nothing is held then.
 */
int __must_check sched_hold(struct vm *vm);
void sched_release(struct vm *vm);
/* v spins: another vCPU of its CPU may go first.  True: v->stop is set. */
bool sched_yield(struct vcpu *v);
/* Ends vm because of v; the first one counts.  Any CPU. */
void vm_end(struct vm *vm, struct vcpu *v);

#endif
