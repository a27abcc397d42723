/* SPDX-License-Identifier: MIT */
/*
 * The neutral half of a virtual machine and its vCPUs.
 *
 * Registers that change at each exit live in struct vcpu: all general ones,
 * RIP, RSP, RFLAGS.  The vendor copies them in after an exit and writes them
 * back before the next entry; everything else goes through virt->get and
 * virt->set.
 */
#ifndef CORE_VM_VCPU_H
#define CORE_VM_VCPU_H

#include "core/dev/bus.h"
#include "core/lib/spinlock.h"
#include "core/lib/tsc_ratio.h"
#include "core/mm/gmem.h"
#include "core/mm/pt.h"
#include "core/vm/guest_cpu.h"
#include "core/vm/msr_stats.h"
#include "core/vm/vcpu_stats.h"
#include "core/vm/virt_ops.h"

#define VM_MAX_VCPUS	32

/* What a handler wants done with the exit. */
enum verdict {
	VERDICT_RESUME,		/* enter again, RIP as it is */
	VERDICT_ADVANCE,	/* step over the instruction, enter again */
	VERDICT_STOP,		/* leave vcpu_run: v->stop says why */
};

enum stop_reason {
	STOP_NONE,
	STOP_EXIT,		/* an exit in vm->stop_mask: v->exit, not handled */
	STOP_DONE,		/* the guest ended itself: v->result */
	STOP_SHUTDOWN,		/* triple fault */
	STOP_TIMEOUT,		/* deadline passed: a timer exit took it back */
	STOP_HLT,		/* HLT with nothing to wake it */
	STOP_POWEROFF,		/* the guest switched itself off */
	STOP_RESET,		/* the guest reset its machine */
	STOP_BLOCKED,		/* halted or waiting for SIPI: the scheduler's */
	STOP_YIELD,		/* its slice is over, or it spins: the scheduler's */
	STOP_PAUSE,		/* its VM is to be saved or has ended: the scheduler's */
	STOP_ENTRY_FAIL,
	STOP_UNHANDLED,		/* no row or no emulation for the exit */
	STOP_ERROR,		/* our own trouble: v->why */
};

/* What a vCPU of a virtual PC is doing (SDM3 9.4.2, APM2 15.27.8). */
enum mp_state {
	MP_RUNNABLE,
	MP_HALTED,
	MP_WAIT_SIPI,		/* after INIT */
};

#define EXIT_TRACE	32
struct exit_trace {
	u64 rip;
	u64 info1;
	u32 code;
	u16 reason;
	u64 pad;		/* a power of two: trace_pos needs no multiplication */
};
HW_SIZE(struct exit_trace, 32);

/*
 * Where a page of the guest's code is in host memory.  As long as CR3 and the
 * entries that led there are the same, so is the translation.
 */
#define CODE_PAGES	4	/* by the low bits of the page's number */
struct code_page {
	u64 linear;		/* page address; ~0: nothing cached */
	u64 cr3;
	const u64 *entry[4];	/* fewer levels: the last one repeated */
	u64 value[4];
	const u8 *host;
	u64 l2_gen;		/* v->l2_gen when it was found */
	u64 pad[4];		/* a power of two: found without a multiplication */
};
HW_SIZE(struct code_page, 128);

#define MTRR_VARIABLE	8
#define MTRR_FIXED	11

/* MSRs that only hold what the guest wrote: it reads them back. */
struct vcpu_msrs {
	u64 tsc_adjust, misc_enable, hwcr;
	u64 mtrr_def, mtrr_fixed[MTRR_FIXED], mtrr_var[2 * MTRR_VARIABLE];
};

struct vcpu {
	/* Offsets used by entry.S: core/x86/asm_offsets.c. */
	u64 gpr[16];		/* ModRM order; gpr[4] is RSP */
	u64 rip;
	u64 rflags;

	u32 id;
	u32 stop;		/* enum stop_reason */
	u32 result;		/* value the guest gave to port 0xf4 */
	u32 windows;		/* WINDOW_ bits requested now */
	struct vm *vm;
	void *arch;		/* struct svm_vcpu, struct vmx_vcpu */
	struct vm_exit exit;
	struct event_queue events;
	u64 deadline;		/* host TSC; 0: none */
	u64 alarm;		/* host TSC at which enter must come back; 0: none */
	struct vcpu_stats stat;
	u64 l2_tsc_offset;	/* of the guest's guest to the guest */
	struct tsc_ratio l2_tsc;	/* and its rate; frac 0: the same */
	struct tsc_line l2_line;	/* with that, what the CPU counts for it; 0: it cannot */
	struct vcpu_msrs msrs;
	u64 xcr0;		/* guest's; host value outside guest context */
	u64 dr[4];
	void *xsave;		/* XSAVE area, 64-byte aligned; valid when not loaded */
	bool loaded;
	bool kicked;		/* its time is up: vcpu_run stops after this exit */
	u8 mp_state;		/* enum mp_state */
	u8 poke;		/* vcpu_look before the next entry; set by any CPU */
	u8 early;		/* LEAD_... + 1: an interrupt was made before it was due */
	bool flush;		/* its translations are void; set by any CPU, with poke */
	u32 parked;		/* vm->pause that it has parked for */
	bool in_l2;		/* a guest of this guest runs: core/vm/nested.h */
	bool l2_paging;		/* ... with nested tables of L1 */
	u64 l2_gen;		/* state of these tables' shadow; 0: none in use */
	bool init_waits;	/* an INIT that is held back */
	bool smi_waits;		/* an SMI */
	void *nested;		/* the vendor's; NULL: the guest cannot virtualize */
	struct vlapic *apic;	/* NULL: a machine without interrupt sources */
	u64 enter_at;		/* host TSC; with early: when it is due, and v entered */
	u64 int3_at;		/* linear address of an INT3 that was executed, and is gone */
	u32 int3_looks;		/* so long that counts; 0: none */
	u64 timer_after;	/* host TSC before which its periodic timer does not fire again */
	u32 migrate_left;	/* exits until its VM is saved */
	u64 migrate_rip;	/* where it was then */
	u32 cpu;		/* its home: the only CPU that runs it */
	struct vcpu *sched_next;
	struct code_page code[CODE_PAGES];
	u32 trace_pos;		/* bytes ever written to the ring */
	struct exit_trace trace[EXIT_TRACE];	/* ring of the newest exits */
	char why[128];		/* with STOP_ERROR, STOP_UNHANDLED, vcpu_give_up */
};

struct pc;
struct sched;
struct vlapic;

struct vm {
	u32 id;
	u16 owner;		/* page_alloc owner tag */
	u32 vcpu_count;
	struct vcpu *vcpu[VM_MAX_VCPUS];
	struct gmem mem;
	struct bus bus;
	struct pc *pc;		/* its devices; NULL: none but what a test adds */
	struct sched *sched;	/* who runs it; NULL: the caller of vcpu_run */
	struct vcpu *end;	/* that ended it, with its stop and why; NULL: it runs */
	u64 end_tsc;		/* host TSC of that */
	u32 migrate;		/* saved and restored after so many exits of a vCPU; 0: never */
	bool migrate_memory;	/* its memory leaves and comes back, too */
	u64 migrations;
	u32 pause;		/* its vCPUs shall park: number of the pause, 0: none */
	u32 pauses;		/* that began */
	u32 parked;		/* that have */
	bool taken;		/* a CPU saves it: no other may */
	struct spinlock park_lock;	/* of these and vcpu.parked */
	u64 tsc_khz;		/* that its TSCs shall have; 0: the machine's */
	struct tsc_ratio tsc;
	struct pt npt;
	void *ones;		/* a page for vm_add_ones; NULL: not needed yet */
	u64 stop_mask;		/* BIT(EXIT_...): vcpu_run returns these */
	bool nested;		/* its vCPUs can virtualize: set before they are made */
	bool cpu_told;		/* cpu says what it was told of the CPU elsewhere */
	struct guest_cpu cpu;
	bool lazy;		/* RAM is mapped into npt at the first fault */
	u64 npt_page_max;	/* largest page of npt; 0: no limit */
	u64 npt_fills;
	struct stats_fs_source *stats;	/* /kvm/vm<N>; NULL: not counted */
	struct msr_stats msrs;		/* that it tried and does not have */
	struct msr_stats_row msr_row[MSR_STATS_ROWS + 1];
};

/* An empty machine: no memory, no vCPU.  owner: for page_alloc. */
int __must_check vm_init(struct vm *vm, u32 id, u16 owner);
void vm_fini(struct vm *vm);
/* What second-level tables of vm's vCPUs are made of. */
void vm_npt_config(struct vm *vm, struct pt_config *cfg);
/*
 * size bytes of zeroed RAM at gpa, both page aligned, mapped RWX, pages as
 * large as alignment allows.  -ENOMEM, -EEXIST, -EINVAL.
 */
int __must_check vm_add_ram(struct vm *vm, u64 gpa, u64 size);
int __must_check vcpu_create(struct vm *vm, struct vcpu **out);
/*
 * Its TSCs shall run at khz; before the first vCPU is made.  NULL, or why they
 * cannot, for people.  0, or so near the machine's own that a clock does not
 * tell them apart: as the machine.
 */
const char *__must_check vm_set_tsc(struct vm *vm, u64 khz);
/* The same question before there is a VM. */
const char *vm_tsc_refused(u64 khz);
u64 vm_tsc_khz(const struct vm *vm);
/*
 * As vm_add_ram, but the guest cannot write it.  *host is where the caller
 * fills it.  alias: a second guest address for the same bytes, or 0.
 */
int __must_check vm_add_rom(struct vm *vm, u64 gpa, u64 size, u64 alias, u8 **host);
/*
 * In the pages of [gpa, gpa + size) that are neither memory nor a device's the
 * guest reads ones without an exit; its writes exit.  After all memory was
 * added.  -ENOMEM.
 */
int __must_check vm_add_ones(struct vm *vm, u64 gpa, u64 size);

/* The memory of a machine and the nested page tables that map it. */
struct vm_memory {
	struct gmem mem;
	struct pt npt;
};

/*
 * Takes vm's memory away into *old and leaves it without any; its vCPUs still
 * use the old tables and must be rebuilt.  -ENOMEM: nothing has changed.
 */
int __must_check vm_memory_take(struct vm *vm, struct vm_memory *old);
/* Frees what was taken.  poison: what is read there from now on is wrong. */
void vm_memory_free(struct vm_memory *m, bool poison);

/*
 * Destroys all of v that its guest could see and makes it new, in its place:
 * an unloaded vCPU after reset.  Its id, home, deadline and counts stay.
 */
int __must_check vcpu_rebuild(struct vcpu *v);

/* Makes v the one whose lazily switched state is in this CPU. */
void vcpu_load(struct vcpu *v);
void vcpu_put(struct vcpu *v);

/*
 * Runs v on this CPU until a handler stops it; v->stop and v->exit say why.
 * Host interrupts are taken on the way and do not stop it.
 */
enum stop_reason vcpu_run(struct vcpu *v);

/* Enters once and returns the decoded reason; handles nothing. */
enum exit_reason vcpu_step(struct vcpu *v);

/*
 * Steps over the instruction that exited: RIP by its length (from the CPU,
 * else decoded), wrapped to the mode's width; clears the interrupt shadow;
 * queues #DB when RFLAGS.TF was set.  The only place that does.
 * Returns 0, or -EFAULT when the instruction could not be read.
 */
int __must_check vcpu_advance(struct vcpu *v);

/*
 * Guest linear address -> guest physical with the guest's own tables, for a
 * data access of the given PFERR_ bits.  Returns 0, or -EFAULT after filling
 * *fault with the exception that the access raises.
 */
int __must_check vcpu_translate(struct vcpu *v, u64 linear, u32 access, u64 *gpa,
				struct event *fault);
/* Copies between guest linear memory and a buffer, across pages. */
int __must_check vcpu_read(struct vcpu *v, u64 linear, void *buf, u64 len, struct event *fault);
int __must_check vcpu_write(struct vcpu *v, u64 linear, const void *buf, u64 len,
			    struct event *fault);
/* Would writing len bytes fault?  As vcpu_write, but nothing is written. */
int __must_check vcpu_probe_write(struct vcpu *v, u64 linear, u64 len, struct event *fault);

void vcpu_queue_exception(struct vcpu *v, struct event e);
const char *stop_reason_name(unsigned int stop);
/* Registers, control structure and last exit to the log. */
void vcpu_dump(struct vcpu *v);

/* The last exits of the vCPU that this CPU runs, newest last: for a panic. */
void exit_trace_dump(void);

#endif
