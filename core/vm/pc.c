// SPDX-License-Identifier: MIT
/* The devices of a guest: their lock, their clock, their interrupts. */
#include "core/vm/pc.h"

#include "core/lib/muldiv.h"
#include "core/lib/string.h"
#include "core/vm/run.h"
#include "core/vm/sched.h"
#include "core/x86/insn.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/time.h"
#include "core/x86/tsc_calc.h"
#include "core/x86/trap.h"

/* ISA line 0 is pin 2 of the I/O APIC, as the MADT says. */
#define PIT_PIN	2
/*
 * Between two interrupts of a periodic timer the guest must get somewhere: a
 * time (KVM's min_timer_period_us), and where the TSC is slow many times what
 * an exit takes.
 */
#define PERIOD_MIN_US	200
#define PERIOD_MIN_TSC	50000ULL

static u64 period_min(void)
{
	return MAX(us_to_tsc(PERIOD_MIN_US), PERIOD_MIN_TSC);
}

static u64 time_at(const struct pc *pc, u64 tsc)
{
	return mul_div_u64(tsc - pc->tsc_base, 1000000, tsc_khz());
}

u64 pc_now(const struct pc *pc)
{
	return time_at(pc, rdtsc());
}

/* Rounded up: when the TSC is there, pc_now has reached t. */
u64 pc_time_to_tsc(const struct pc *pc, u64 t)
{
	u64 ticks;

	if (t == DEV_NEVER)
		return DEV_NEVER;
	ticks = mul_div_u64(t, tsc_khz(), 1000000);
	return ticks == ~0ULL ? DEV_NEVER : tsc_after(pc->tsc_base, ticks + 1);
}

void vcpu_poke(struct vcpu *v)
{
	if (__atomic_exchange_n(&v->poke, 1, __ATOMIC_SEQ_CST))
		return;
	/* Of this CPU: it looks before it enters or sleeps. */
	if (v->cpu == this_cpu()->id) {
		sched_soon(v);
		return;
	}
	v->stat.remote_kicks++;
	if (lapic_send_ipi(percpu_table[v->cpu]->apic_id, LAPIC_FIXED, VEC_KICK))
		v->stat.remote_kick_fail++;
}

static void poke_all(struct pc *pc, u32 mask)
{
	while (mask) {
		u32 i = (u32)__builtin_ctz(mask);

		mask &= mask - 1;
		vcpu_poke(pc->vm->vcpu[i]);
	}
}

static u64 env_now(void *ctx)
{
	return pc_now(ctx);
}

static void env_set_irq(void *ctx, u8 irq, bool level)
{
	struct pc *pc = ctx;

	vpic_set_irq(&pc->pic, irq, level);
	vioapic_set_irq(&pc->ioapic, irq ? irq : PIT_PIN, level);
}

/* The lines of the test device: those of an ISA bus, then the I/O APIC's own. */
static void test_set_gsi(void *ctx, u8 gsi, bool level)
{
	struct pc *pc = ctx;

	if (gsi < 16)
		env_set_irq(pc, gsi, level);
	else
		vioapic_set_irq(&pc->ioapic, gsi, level);
}

/* Called with the lock held: what is next is computed by the CPU that has the timer. */
static void env_rearm(void *ctx)
{
	struct pc *pc = ctx;

	pc->next = 0;
	if (pc->vm->vcpu_count)
		sched_rearm(pc->vm->vcpu[0]);
}

static bool env_deliver(void *ctx, const struct apic_msg *m)
{
	struct pc *pc = ctx;
	u32 mask = apic_route(pc->apic_of, pc->vm->vcpu_count, NULL, m);

	poke_all(pc, mask);
	return mask;
}

/* Only the boot processor's LINT0 is wired to the 8259. */
static void env_intr(void *ctx, bool level)
{
	struct pc *pc = ctx;

	if (level && pc->vm->vcpu_count)
		vcpu_poke(pc->vm->vcpu[0]);
}

static u64 apic_tsc(void *ctx, u32 id)
{
	struct pc *pc = ctx;

	return vcpu_tsc(pc->vm->vcpu[id]);
}

static void apic_send(void *ctx, struct vlapic *from, const struct apic_msg *m)
{
	struct pc *pc = ctx;

	poke_all(pc, apic_route(pc->apic_of, pc->vm->vcpu_count, from, m));
}

static void apic_eoi(void *ctx, u8 vector)
{
	struct pc *pc = ctx;

	spin_lock(&pc->lock);
	vioapic_eoi(&pc->ioapic, vector);
	spin_unlock(&pc->lock);
}

static void apic_rearm(void *ctx, u32 id)
{
	struct pc *pc = ctx;

	if (id < pc->vm->vcpu_count)
		sched_rearm(pc->vm->vcpu[id]);
}

static int init_devices(struct pc *pc, struct bus *bus)
{
	const struct pc_config *cfg = &pc->cfg;
	int err = vpic_init(&pc->pic, bus, env_intr, pc);

	if (!err)
		err = vioapic_init(&pc->ioapic, bus, env_deliver, pc);
	if (!err)
		err = vpit_init(&pc->pit, bus, &pc->env);
	if (!err)
		err = vuart_init(&pc->uart, bus, &pc->env, cfg->putc, cfg->ctx);
	if (!err)
		err = vrtc_init(&pc->rtc, bus, &pc->env, cfg->epoch, cfg->mem);
	if (!err)
		err = vpm_init(&pc->pm, bus, &pc->env);
	if (!err)
		err = vfwcfg_init(&pc->fwcfg, bus, cfg->mem, (u16)cfg->cpus);
	if (!err)
		err = vpci_init(&pc->pci, bus);
	if (!err)
		err = vtest_init(&pc->test, bus, cfg->putc, cfg->ctx);
	pc->test.set_gsi = test_set_gsi;
	pc->test.gsi_ctx = pc;
	return err;
}

int pc_init(struct pc *pc, struct vm *vm, const struct pc_config *cfg)
{
	int err;

	pc->vm = vm;
	pc->cfg = *cfg;
	pc->lock = (struct spinlock)SPINLOCK_INIT;
	pc->tsc_base = rdtsc();
	pc->env = (struct dev_env){ pc, env_now, env_set_irq, env_rearm };
	pc->apic_env = (struct vlapic_env){ .ctx = pc, .now = env_now, .tsc = apic_tsc,
					    .send = apic_send, .eoi = apic_eoi,
					    .rearm = apic_rearm };
	err = init_devices(pc, &vm->bus);
	if (!err)
		vm->pc = pc;
	return err;
}

int pc_rebuild(struct pc *pc)
{
	const size_t from = offsetof(struct pc, apic);

	memset((u8 *)pc + from, 0xa5, sizeof(*pc) - from);
	bus_init(&pc->vm->bus);
	return init_devices(pc, &pc->vm->bus);
}

void pc_add_vcpu(struct pc *pc, struct vcpu *v)
{
	struct vlapic *a = &pc->apic[v->id];

	vlapic_init(a, v->id, v->id == 0, &pc->apic_env);
	pc->apic_of[v->id] = a;
	v->apic = a;
	v->mp_state = v->id ? MP_WAIT_SIPI : MP_RUNNABLE;
	v->poke = 1;
	vcpu_set_tsc_at(v, 0, pc->tsc_base);
}

static u64 devices_next(const struct pc *pc)
{
	u64 next = vpit_next(&pc->pit);

	next = MIN(next, vuart_next(&pc->uart));
	next = MIN(next, vrtc_next(&pc->rtc));
	return MIN(next, vpm_next(&pc->pm));
}

static void console_input(struct pc *pc)
{
	while (pc->cfg.getc && vuart_can_receive(&pc->uart)) {
		int c = pc->cfg.getc(pc->cfg.ctx);

		if (c < 0)
			return;
		vuart_receive(&pc->uart, (u8)c);
	}
}

void pc_tick(struct pc *pc)
{
	u64 now;

	spin_lock(&pc->lock);
	now = pc_now(pc);
	if (now >= pc->next) {
		vpit_tick(&pc->pit, now);
		vuart_tick(&pc->uart, now);
		vrtc_tick(&pc->rtc, now);
		vpm_tick(&pc->pm, now);
		pc->next = devices_next(pc);
		pc->tick_after = rdtsc() + period_min();
	}
	console_input(pc);
	spin_unlock(&pc->lock);
}

u64 pc_next(struct pc *pc)
{
	u64 next;

	spin_lock(&pc->lock);
	if (!pc->next)
		pc->next = devices_next(pc);
	next = pc->next;
	spin_unlock(&pc->lock);
	next = pc_time_to_tsc(pc, next);
	return next == DEV_NEVER ? next : MAX(next, pc->tick_after);
}

u64 pc_apic_next(struct vcpu *v)
{
	u64 tsc = vlapic_next_tsc(v->apic);

	if (tsc != DEV_NEVER)
		return vcpu_tsc_to_host(v, tsc);
	tsc = pc_time_to_tsc(v->vm->pc, vlapic_next(v->apic));
	/* A period that is too short for anything but its interrupts is coalesced. */
	return tsc == DEV_NEVER ? tsc : MAX(tsc, v->timer_after);
}

void pc_apic_tick(struct vcpu *v, u64 host)
{
	vlapic_tick(v->apic, time_at(v->vm->pc, host), vcpu_tsc_at(v, host));
	if (vlapic_next(v->apic) != DEV_NEVER)
		v->timer_after = rdtsc() + period_min();
	vcpu_poke(v);
}

void pc_was_off(struct pc *pc, u64 ticks)
{
	pc->tick_after += ticks;
	for (u32 i = 0; i < pc->vm->vcpu_count; i++)
		pc->vm->vcpu[i]->timer_after += ticks;
}

enum bus_result vcpu_bus_io(struct vcpu *v, u16 port, u8 size, bool in, u32 *val)
{
	struct pc *pc = v->vm->pc;
	enum bus_result r;

	if (!pc)
		return bus_io(&v->vm->bus, port, size, in, val);
	spin_lock(&pc->lock);
	r = bus_io(&v->vm->bus, port, size, in, val);
	spin_unlock(&pc->lock);
	return r;
}

enum bus_result vcpu_bus_mmio(struct vcpu *v, u64 gpa, u8 size, bool write, u64 *val)
{
	struct pc *pc = v->vm->pc;
	enum bus_result r;

	if (!pc)
		return bus_mmio(&v->vm->bus, gpa, size, write, val);
	spin_lock(&pc->lock);
	r = bus_mmio(&v->vm->bus, gpa, size, write, val);
	spin_unlock(&pc->lock);
	return r;
}

bool vcpu_bus_stops(struct vcpu *v, enum bus_result r)
{
	static const u8 stop[] = {
		[BUS_OK] = STOP_NONE, [BUS_DONE] = STOP_DONE, [BUS_POWEROFF] = STOP_POWEROFF,
		[BUS_RESET] = STOP_RESET,
	};

	if (likely(r == BUS_OK))
		return false;
	v->stop = stop[r];
	v->result = v->vm->bus.result;
	return true;
}

bool pc_sends_signals(struct pc *pc)
{
	const u32 signals = BIT(APIC_NMI) | BIT(APIC_INIT) | BIT(APIC_SMI);
	bool any = false;

	spin_lock(&pc->lock);
	/* 82093AA 3.2.4: mask in bit 16, delivery mode in bits 10:8. */
	for (u32 i = 0; i < VIOAPIC_PINS; i++) {
		u64 e = pc->ioapic.s.redir[i];

		any |= !(e & BIT(16)) && signals & BIT(FIELD_GET(e, 10, 8));
	}
	spin_unlock(&pc->lock);
	return any;
}
