/* SPDX-License-Identifier: MIT */
/*
 * The virtual PC around the vCPUs of one guest: the devices of core/dev on one
 * bus, their clock, and the ways of an interrupt to a vCPU.
 *
 * Devices are shared: every call into them is made with pc->lock held, host
 * interrupts off.  A local APIC belongs to the CPU that runs its vCPU; what
 * others send it is posted (core/dev/vlapic.h) and the vCPU poked.
 */
#ifndef CORE_VM_PC_H
#define CORE_VM_PC_H

#include "core/dev/vfwcfg.h"
#include "core/dev/vioapic.h"
#include "core/dev/vlapic.h"
#include "core/dev/vpci.h"
#include "core/dev/vpic.h"
#include "core/dev/vpit.h"
#include "core/dev/vpm.h"
#include "core/dev/vrtc.h"
#include "core/dev/vtest.h"
#include "core/dev/vuart.h"
#include "core/lib/spinlock.h"
#include "core/vm/vcpu.h"

/*
 * The space of option ROMs, between video memory and the firmware, without any:
 * kernels look through it dword by dword.
 */
#define PC_ROM_SPACE		0xc0000ULL
#define PC_ROM_SPACE_SIZE	0x20000ULL

struct pc_config {
	u64 mem;			/* bytes of RAM, for firmware interfaces */
	u32 cpus;
	s64 epoch;			/* seconds since 1970 now */
	/* Console: a byte from the guest; the next byte for it, or -EAGAIN. */
	void (*putc)(void *ctx, u8 c);
	int (*getc)(void *ctx);		/* NULL: no input */
	void *ctx;
};

struct pc {
	struct vm *vm;
	struct pc_config cfg;
	struct spinlock lock;
	u64 tsc_base;			/* host TSC at guest time 0, which may be before its own */
	u64 next;			/* guest time of the next device event; 0: not computed */
	u64 tick_after;			/* host TSC before which no tick is due */
	struct dev_env env;
	struct vlapic_env apic_env;
	struct vlapic apic[VM_MAX_VCPUS];
	struct vlapic *apic_of[VM_MAX_VCPUS];
	struct vpic pic;
	struct vioapic ioapic;
	struct vpit pit;
	struct vuart uart;
	struct vrtc rtc;
	struct vpm pm;
	struct vfwcfg fwcfg;
	struct vpci pci;
	struct vtest test;
};

/* Puts the devices on vm's bus; vCPUs that are made later get a local APIC. */
int __must_check pc_init(struct pc *pc, struct vm *vm, const struct pc_config *cfg);
/* Destroys the devices and makes them new, at their places. */
int __must_check pc_rebuild(struct pc *pc);
/* The local APIC of a new vCPU; its TSC is 0 at guest time 0. */
void pc_add_vcpu(struct pc *pc, struct vcpu *v);

/* Guest time in ns, now; the host TSC at which guest time t has been reached. */
u64 pc_now(const struct pc *pc);
u64 pc_time_to_tsc(const struct pc *pc, u64 t);

/* Device events that are due; console input. */
void pc_tick(struct pc *pc);
/* Host TSC of the next event of the devices or of v's local APIC; ~0: none. */
u64 pc_next(struct pc *pc);
u64 pc_apic_next(struct vcpu *v);
/*
 * The machine was off for so many ticks of the host's TSC: its guest still has the
 * rest of the room that short periods leave it.
 */
void pc_was_off(struct pc *pc, u64 ticks);
/* What of v's local APIC is due at host TSC host. */
void pc_apic_tick(struct vcpu *v, u64 host);

/* The bus for a vCPU; as bus_io and bus_mmio, with the lock where there is one. */
enum bus_result vcpu_bus_io(struct vcpu *v, u16 port, u8 size, bool in, u32 *val);
enum bus_result vcpu_bus_mmio(struct vcpu *v, u64 gpa, u8 size, bool write, u64 *val);
/* What stops a vCPU whose access had result r: true, and v->stop is set. */
bool vcpu_bus_stops(struct vcpu *v, enum bus_result r);

/* Can a device still send NMI, INIT or SMI? */
bool pc_sends_signals(struct pc *pc);
/*
 * An access to v's local APIC page.  False: it is not at gpa (elsewhere, off,
 * or in x2APIC mode).
 */
bool vcpu_apic_mmio(struct vcpu *v, u64 gpa, u8 size, bool write, u64 *val);

/* Its APIC was moved: what else is at its place is not seen any more. */
void vcpu_apic_place(struct vcpu *v);

/* Around an access to v's local APIC: its TPR from and to CR8. */
void vcpu_tpr_in(struct vcpu *v);
void vcpu_tpr_out(struct vcpu *v);

/* v has something to look at before it enters its guest again.  Any CPU. */
void vcpu_poke(struct vcpu *v);

/*
 * v->poke was set: takes over what was posted, wakes timers.  False: do not
 * enter, v->stop says why (INIT, a pause for save, time is up).
 */
bool __must_check vcpu_look(struct vcpu *v);

/* Fills v->events.intr with what the APIC or the 8259 offers now. */
void vcpu_irq_offer(struct vcpu *v);
/* The offer was accepted: *e gets its vector. */
void vcpu_irq_take(struct vcpu *v, struct event *e);
/* WINDOW_TPR bits to add while an interrupt waits for a lower TPR. */
u32 vcpu_irq_tpr_window(struct vcpu *v);

/* INIT: SDM3 10.1.1 table 10-1, APM2 14.1.3; then SIPI: SDM3 9.4.4. */
void vcpu_init_reset(struct vcpu *v);
void vcpu_sipi(struct vcpu *v, u8 vector);

/* Can a halted vCPU go on now? */
bool vcpu_wakes(struct vcpu *v);

#endif
