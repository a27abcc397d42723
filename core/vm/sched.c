// SPDX-License-Identifier: MIT
#include "core/vm/sched.h"

#include "core/lib/log.h"
#include "core/lib/string.h"
#include "core/vm/migrate.h"
#include "core/vm/pc.h"
#include "core/vm/run.h"
#include "core/vm/stale_code.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/regs.h"
#include "core/x86/time.h"
#include "core/x86/trap.h"

#define NEVER		(~0ULL)
/* A turn of a vCPU where several share a CPU. */
#define SLICE_US	1000
/* What is left of a turn when somebody else of the CPU got an interrupt. */
#define SOON_US		20
/* Between two looks at the console's input, on the boot CPU. */
#define POLL_US		10000
/* For vCPUs of other CPUs to leave their guest and park. */
#define HOLD_US		1000000
/*
 * A guest that makes no exit is looked at so often: Bochs 2.7 does not let every
 * interrupt of the host end a guest with IF = 0.
 */
#define LOOK_US		10000
/* Between two looks for stale code, and after a suspicion. */
#define STALE_US	50000
#define STALE_SOON_US	1000
/* How much earlier than a guest's timer the host's may go off: where the TSC is slow, more. */
#define LEAD_MAX_US	20
#define LEAD_MAX_TSC	10000ULL

void sched_init(struct sched *s, u32 vcpus, u32 max_cpus)
{
	u64 look_at;

	memset(s, 0, sizeof(*s));
	if (virt_boot_cpu_only())
		max_cpus = 1;
	s->first_cpu = vcpus > 1 && max_cpus > 1 && virt_boot_cpu_alone();
	s->next_cpu = s->first_cpu;
	s->cpus = MIN(s->first_cpu + vcpus, max_cpus);
	look_at = virt_stale_code() && s->cpus - s->first_cpu > 1 ? 0 : NEVER;
	for (u32 i = 0; i < s->cpus; i++)
		s->cpu[i] = (struct sched_cpu){ .s = s, .dirty = 1, .event_at = NEVER,
						.slice_end = NEVER, .poll_at = 1,
						.look_at = look_at };
}

void sched_add(struct sched *s, struct vm *vm)
{
	vm->sched = s;
	vm->end = NULL;
	s->live++;
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *v = vm->vcpu[i];
		struct sched_cpu *c = &s->cpu[s->next_cpu];

		v->cpu = s->next_cpu;
		v->migrate_left = vm->migrate;
		v->poke = 1;
		v->sched_next = c->list;
		c->list = v;
		c->n++;
		if (++s->next_cpu == s->cpus)
			s->next_cpu = s->first_cpu;
	}
}

static struct sched_cpu *home(const struct vcpu *v)
{
	return v->vm->sched ? &v->vm->sched->cpu[v->cpu] : NULL;
}

static void kick_cpu(u32 cpu)
{
	if (cpu != this_cpu()->id &&
	    lapic_send_ipi(percpu_table[cpu]->apic_id, LAPIC_FIXED, VEC_KICK))
		return;		/* its own timer comes some time */
}

void sched_rearm(struct vcpu *v)
{
	struct sched_cpu *c = home(v);

	if (!c)
		return;
	WRITE_ONCE(c->dirty, 1);
	vcpu_poke(v);
	/* Whoever runs there has the timer; on another CPU the kick was an exit. */
	if (v->cpu == this_cpu()->id && this_cpu()->current)
		this_cpu()->current->poke = 1;
}

void sched_soon(struct vcpu *v)
{
	struct vcpu *current = this_cpu()->current;
	struct sched_cpu *c = home(v);

	if (!c || !current || current == v)
		return;
	c->slice_end = MIN(c->slice_end, rdtsc() + us_to_tsc(SOON_US));
	current->poke = 1;
}

void vm_end(struct vm *vm, struct vcpu *v)
{
	struct vcpu *none = NULL;

	if (!__atomic_compare_exchange_n(&vm->end, &none, v, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	vm->end_tsc = rdtsc();
	for (u32 i = 0; i < vm->vcpu_count; i++)
		vcpu_poke(vm->vcpu[i]);
	if (__atomic_sub_fetch(&vm->sched->live, 1, __ATOMIC_SEQ_CST))
		return;
	for (u32 i = 0; i < vm->sched->cpus; i++)
		kick_cpu(i);
}

void sched_pause(struct vm *vm)
{
	spin_lock(&vm->park_lock);
	/* Whoever comes second joins. */
	if (!vm->pause)
		WRITE_ONCE(vm->pause, ++vm->pauses);
	spin_unlock(&vm->park_lock);
	for (u32 i = 0; i < vm->vcpu_count; i++)
		vcpu_poke(vm->vcpu[i]);
}

/* Ends a pause of vm: whatever it was for has been done. */
static void unpark(struct vm *vm)
{
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		vm->vcpu[i]->migrate_left = vm->migrate;
		vm->vcpu[i]->migrate_rip = vm->vcpu[i]->rip;
	}
	spin_lock(&vm->park_lock);
	vm->parked = 0;
	vm->taken = false;
	__atomic_store_n(&vm->pause, 0, __ATOMIC_RELEASE);
	spin_unlock(&vm->park_lock);
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		sched_rearm(vm->vcpu[i]);
		/* Poked it was before: its CPU may sleep all the same, since it was away. */
		kick_cpu(vm->vcpu[i]->cpu);
	}
}

/* Its vCPUs are parked: only the calling CPU touches it. */
static void migrate(struct vm *vm)
{
	struct vcpu *v = vm->vcpu[0];
	int err = vm_migrate(vm, v->why, sizeof(v->why));

	vm->migrations++;
	if (err) {
		v->stop = STOP_ERROR;
		vm_end(vm, v);
	}
	unpark(vm);
}

/* From here on no other CPU saves it; false: one is at it. */
static bool take(struct vm *vm)
{
	bool was;

	spin_lock(&vm->park_lock);
	was = vm->taken;
	vm->taken = true;
	spin_unlock(&vm->park_lock);
	return !was;
}

/* Of other CPUs; those of this one do not run while it is here. */
static bool all_parked(const struct vm *vm)
{
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *v = vm->vcpu[i];

		if (v->cpu != this_cpu()->id &&
		    __atomic_load_n(&v->parked, __ATOMIC_ACQUIRE) != vm->pause)
			return false;
	}
	return true;
}

int sched_hold(struct vm *vm)
{
	struct vcpu *loaded = this_cpu()->loaded;
	u64 end = rdtsc() + us_to_tsc(HOLD_US);

	while (!take(vm)) {
		if (rdtsc() > end)
			return -EBUSY;
		cpu_relax();
	}
	sched_pause(vm);
	while (!all_parked(vm)) {
		/* Who has ended does not park any more. */
		if (READ_ONCE(vm->end) || rdtsc() > end) {
			unpark(vm);
			return -EBUSY;
		}
		cpu_relax();
	}
	if (loaded && loaded->vm == vm)
		vcpu_put(loaded);
	return 0;
}

void sched_release(struct vm *vm)
{
	struct vcpu *current = this_cpu()->current;

	if (current && current->vm == vm)
		vcpu_load(current);
	unpark(vm);
}

static bool ended(const struct vcpu *v)
{
	return READ_ONCE(v->vm->end);
}

static bool shall_park(const struct vcpu *v)
{
	u32 pause = READ_ONCE(v->vm->pause);

	return pause && v->parked != pause && !ended(v);
}

/* Another CPU may be in the middle of migrating it: neither it nor its devices are there. */
static bool away(const struct vcpu *v)
{
	u32 pause = __atomic_load_n(&v->vm->pause, __ATOMIC_ACQUIRE);

	return pause && v->parked == pause;
}

/* v is loaded nowhere.  True: all have parked, and the caller migrates the VM. */
static bool park_one(struct vcpu *v)
{
	struct vm *vm = v->vm;
	bool last = false;

	spin_lock(&vm->park_lock);
	/* sched_hold may have given up meanwhile. */
	if (shall_park(v)) {
		v->parked = vm->pause;
		last = ++vm->parked == vm->vcpu_count && !vm->taken;
		vm->taken |= last;
	}
	spin_unlock(&vm->park_lock);
	return last;
}

/*
 * Lets go of vCPUs whose VM is paused; the last CPU to do so migrates it, unless
 * it is held.
 */
static void park(struct sched_cpu *c)
{
	for (struct vcpu *v = c->list; v; v = v->sched_next) {
		u64 flags;

		if (!shall_park(v))
			continue;
		/* An interrupt that was made before it is due: guest time will stand still. */
		while (v->early && rdtsc() < v->enter_at)
			cpu_relax();
		v->early = 0;
		flags = irq_save();
		if (v->loaded)
			vcpu_put(v);
		irq_restore(flags);
		if (park_one(v))
			migrate(v->vm);
	}
}

/* The vCPU whose CPU has the timers of the devices. */
static bool has_devices(const struct vcpu *v)
{
	return v->id == 0;
}

static void event_add(struct sched_cpu *c, u64 at, struct vcpu *apic)
{
	if (at >= c->event_at)
		return;
	c->event_at = at;
	c->event_of = apic;
}

static void refresh(struct sched_cpu *c)
{
	if (!READ_ONCE(c->dirty))
		return;
	WRITE_ONCE(c->dirty, 0);
	barrier();
	c->event_at = NEVER;
	c->event_of = NULL;
	for (struct vcpu *v = c->list; v; v = v->sched_next) {
		if (ended(v) || away(v))
			continue;
		event_add(c, pc_apic_next(v), v);
		if (has_devices(v))
			event_add(c, pc_next(v->vm->pc), NULL);
		if (v->deadline)
			event_add(c, v->deadline, NULL);
	}
}

static bool polls(const struct sched_cpu *c)
{
	return vcpu_safe_point && c == &c->s->cpu[0];
}

/* Everything of this CPU's vCPUs that is due. */
static void fire(struct sched_cpu *c)
{
	u64 now;

	for (struct vcpu *v = c->list; v; v = v->sched_next) {
		if (ended(v) || away(v))
			continue;
		if (has_devices(v))
			pc_tick(v->vm->pc);
		now = rdtsc();
		if (now >= pc_apic_next(v))
			pc_apic_tick(v, now);
		if (v->deadline && rdtsc() >= v->deadline) {
			v->stop = STOP_TIMEOUT;
			vm_end(v->vm, v);
		}
	}
	c->dirty = 1;
}

static void take_input(struct sched_cpu *c)
{
	if (likely(!READ_ONCE(c->typed)))
		return;
	WRITE_ONCE(c->typed, 0);
	for (struct vcpu *v = c->list; v; v = v->sched_next)
		if (has_devices(v) && !ended(v) && !away(v))
			pc_tick(v->vm->pc);
}

/* To whose guests something was typed: they take it themselves. */
static void tell_typed(struct sched *s)
{
	for (u32 i = 0; i < s->cpus; i++) {
		const struct vcpu *v = s->cpu[i].list;

		while (v && !(has_devices(v) && guest_console_waits(v->vm->id)))
			v = v->sched_next;
		if (!v)
			continue;
		WRITE_ONCE(s->cpu[i].typed, 1);
		kick_cpu(i);
	}
}

static void poll(struct sched_cpu *c)
{
	if (polls(c) && rdtsc() >= c->poll_at) {
		vcpu_safe_point();
		tell_typed(c->s);
		c->poll_at = rdtsc() + us_to_tsc(POLL_US);
	}
	take_input(c);
}

static u64 lead_max(void)
{
	return MAX(us_to_tsc(LEAD_MAX_US), LEAD_MAX_TSC);
}

/*
 * The timer that is next is a local APIC's, and due in no more time than it takes
 * to enter its vCPU: the interrupt is made now, and waits at the entry.
 */
static bool fire_early(struct sched_cpu *c, u8 lead)
{
	struct vcpu *v = c->event_of;
	u64 now = rdtsc();

	if (now + c->lead[lead] < c->event_at || ended(v) || away(v))
		return false;
	pc_apic_tick(v, MAX(now, c->event_at));
	v->enter_at = c->event_at;
	v->early = lead + 1;
	c->dirty = 1;
	return true;
}

/*
 * A lead grows fast and shrinks slowly: rather a wait than a late interrupt.
 * What is very late had something else in between.
 */
void sched_wait(struct vcpu *v)
{
	u64 *lead = &home(v)->lead[v->early - 1];
	u64 now = rdtsc(), max = lead_max();

	v->early = 0;
	if (now < v->enter_at)
		*lead -= MIN(*lead, (v->enter_at - now) / 64);
	else if (now - v->enter_at < max)
		*lead = MIN(*lead + (now - v->enter_at) / 4, max);
	while (rdtsc() < v->enter_at)
		cpu_relax();
}

/* v: the vCPU that runs; NULL: the CPU is idle. */
static u64 alarm_of(struct sched_cpu *c, const struct vcpu *v)
{
	u64 at, lead = c->lead[v ? LEAD_RUN : LEAD_IDLE];

	refresh(c);
	at = c->event_at;
	if (c->event_of && (!v || c->event_of == v))
		at = at > lead ? at - lead : 1;
	if (v)
		at = MIN(at, c->look_at);
	at = MIN(at, c->slice_end);
	return polls(c) ? MIN(at, c->poll_at) : at;
}

void sched_arm(struct vcpu *v)
{
	struct sched_cpu *c = home(v);

	if (!c) {
		v->alarm = v->deadline;
		return;
	}
	v->alarm = alarm_of(c, v);
	/* Where the timer is cheap it also finds a kick that did not end the guest. */
	if (virt->own_timer())
		v->alarm = MIN(v->alarm, rdtsc() + us_to_tsc(LOOK_US));
	if (v->alarm == NEVER)
		v->alarm = 0;
	if (!v->alarm || v->alarm == c->armed || virt->own_timer())
		return;
	c->armed = v->alarm;
	lapic_timer_at(v->alarm);
}

/* Can v run now?  Wakes it if so. */
static bool runnable(struct vcpu *v)
{
	if (ended(v) || READ_ONCE(v->vm->pause))
		return false;
	return v->mp_state == MP_RUNNABLE || vcpu_wakes(v);
}

static struct vcpu *pick(struct sched_cpu *c)
{
	struct vcpu *first = c->last && c->last->sched_next ? c->last->sched_next : c->list;
	struct vcpu *v = first;

	if (!v)
		return NULL;
	do {
		if (runnable(v))
			return v;
		v = v->sched_next ? v->sched_next : c->list;
	} while (v != first);
	return NULL;
}

static bool other_runnable(struct sched_cpu *c, const struct vcpu *me)
{
	for (struct vcpu *v = c->list; v; v = v->sched_next)
		if (v != me && runnable(v))
			return true;
	return false;
}

static void look_for_stale_code(struct sched_cpu *c, struct vcpu *v, u64 now)
{
	enum stale_code found = stale_code_look(v);

	c->look_at = now + us_to_tsc(found == STALE_SUSPECT ? STALE_SOON_US : STALE_US);
	if (found == STALE_MENDED && v->stat.stale_int3 == 1)
		log_printf(LOG_WARN, "vm%u vcpu%u: the CPU executed an INT3 at %llx that was gone "
			   "(code_stale): mended; stale_int3 counts more of them", v->vm->id,
			   v->id, (unsigned long long)v->int3_at);
}

bool sched_host_event(struct vcpu *v)
{
	struct sched_cpu *c = home(v);
	u64 now = rdtsc();

	v->poke = 1;
	c->armed = 0;
	refresh(c);
	if ((c->event_of != v || !fire_early(c, LEAD_RUN)) && now >= c->event_at)
		fire(c);
	poll(c);
	if (ended(v)) {
		if (v->vm->end != v)
			v->stop = STOP_PAUSE;
		return false;
	}
	if (now >= c->look_at)
		look_for_stale_code(c, v, now);
	if (now < c->slice_end)
		return true;
	if (other_runnable(c, v)) {
		v->stop = STOP_YIELD;
		return false;
	}
	c->slice_end = now + us_to_tsc(SLICE_US);
	return true;
}

bool sched_yield(struct vcpu *v)
{
	struct sched_cpu *c = home(v);

	if (!c || c->n < 2 || !other_runnable(c, v))
		return false;
	v->stop = STOP_YIELD;
	return true;
}

/* Nothing can ever wake it: each of its vCPUs waits for what nobody can send. */
static bool is_dead(struct vm *vm)
{
	for (u32 i = 0; i < vm->vcpu_count; i++) {
		const struct vcpu *v = vm->vcpu[i];

		if (READ_ONCE(v->poke) || v->mp_state == MP_RUNNABLE || v->in_l2 ||
		    (v->mp_state == MP_HALTED && v->rflags & RFLAGS_IF))
			return false;
	}
	return !pc_sends_signals(vm->pc);
}

static void run_slice(struct sched_cpu *c, struct vcpu *v)
{
	c->last = v;
	c->armed = 0;
	c->slice_end = c->n > 1 ? rdtsc() + us_to_tsc(SLICE_US) : NEVER;
	if (c->look_at != NEVER)
		c->look_at = MAX(c->look_at, rdtsc() + us_to_tsc(STALE_SOON_US));
	c->dirty = 1;
	switch (vcpu_run(v)) {
	case STOP_YIELD:
		v->stat.yields++;
		return;
	case STOP_PAUSE:
	case STOP_BLOCKED:
		return;
	default:
		vm_end(v->vm, v);
	}
}

static void end_dead(struct sched_cpu *c)
{
	for (struct vcpu *v = c->list; v; v = v->sched_next) {
		if (ended(v) || READ_ONCE(v->vm->pause) || !is_dead(v->vm))
			continue;
		v->stop = STOP_HLT;
		vm_end(v->vm, v);
	}
}

/* Until a timer or somebody's kick. */
static void idle(struct sched_cpu *c)
{
	u64 at;

	c->slice_end = NEVER;
	end_dead(c);
	cli();
	at = alarm_of(c, NULL);
	for (struct vcpu *v = c->list; v; v = v->sched_next)
		if ((READ_ONCE(v->poke) && !ended(v) && !away(v)) || shall_park(v))
			at = 0;
	if (READ_ONCE(c->typed))
		at = 0;
	if (at && rdtsc() < at && READ_ONCE(c->s->live)) {
		if (at != NEVER)
			lapic_timer_at(at);
		/* STI holds interrupts off for one more instruction. */
		__asm__ volatile("sti; hlt; cli" ::: "memory");
	}
	if ((!c->event_of || !fire_early(c, LEAD_IDLE)) && rdtsc() >= c->event_at)
		fire(c);
	sti();
	poll(c);
}

void sched_loop(struct sched *s)
{
	struct sched_cpu *c = &s->cpu[this_cpu()->id];

	while (READ_ONCE(s->live)) {
		struct vcpu *v;

		park(c);
		v = pick(c);
		if (v)
			run_slice(c, v);
		else
			idle(c);
	}
	if (this_cpu()->loaded)
		vcpu_put(this_cpu()->loaded);
	/* The timer's other user finds out what it wants next. */
	lapic_timer_at(0);
}
