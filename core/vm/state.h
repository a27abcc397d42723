/* SPDX-License-Identifier: MIT */
/*
 * A machine's state to a container (core/vm/container.h) and back: each vCPU,
 * its local APIC, the devices, the layout of its memory.  What is in the memory
 * is core/vm/snapshot.h's.  Pure.
 *
 * Saving is possible whenever no vCPU of the machine is in its guest: between
 * any two exits.  What is restored is checked first; nothing that a blob says
 * may harm the host.
 */
#ifndef CORE_VM_STATE_H
#define CORE_VM_STATE_H

#include "core/vm/nested.h"
#include "core/vm/pc.h"
#include "core/vm/save_mem.h"

#define VCPU_SAVE_VERSION	2
#define VM_SAVE_VERSION		2
#define NESTED_SAVE_VERSION	3

struct event_save {
	u8 type, vector, has_error, insn_len;
	u32 error;
	u64 payload;
};

struct segment_save {
	u64 base;
	u32 limit;
	u16 selector, attr;
	u32 unusable, reserved;
};

/* SAVE_VCPU.  VREG_TSC_OFFSET is not used: tsc is the guest's TSC. */
struct vcpu_save {
	u64 reg[VREG_COUNT];
	struct segment_save seg[VSEG_COUNT];
	struct event_save reinject, exception;
	u32 nmi;
	u32 mp_state;
	u64 tsc;
	struct vcpu_msrs msrs;
};

/*
 * SAVE_NESTED, of a vCPU that can virtualize: the state that its vendor gives
 * (core/vm/nested_blob.h) follows.
 */
struct nested_save {
	u64 msr[NESTED_MSRS];	/* in the order of the vendor's saved_msr */
	u32 init_waits;
	u32 smi_waits;
};

/* SAVE_VM */
struct vm_save {
	u32 vcpus;
	u32 guest_khz;		/* tsc= of the guest, 0: none; must be the same */
	u64 tsc_khz;		/* of the host that saved */
	u64 elapsed;		/* its TSC ticks since guest time 0 */
	u64 mem;		/* bytes of guest memory: must be the same */
};

/* What a restored value is held against. */
struct save_limits {
	u64 xcr0_allowed, efer_allowed, cr4_allowed;
	u32 xsave_size;		/* bytes of the XSAVE area in use */
	u32 mxcsr_mask;
	u8 maxphyaddr;
	bool la57;
	bool vmload;		/* VMLOAD and VMSAVE move what they can (APM2 15.5.2) */
	bool paged_real;	/* CR0.PG without PE, which only VMRUN makes (APM2 15.19) */
};

/*
 * Could the CPU hold that?  0 or -EINVAL, with the name of what it is in
 * *what.  Everything that the host itself must load (MSRs, debug registers,
 * XCR0, XSAVE area) is checked so that it cannot fault; the rest may still make
 * a guest that cannot be entered.  Pure.
 */
int __must_check vcpu_save_check(const struct vcpu_save *s, const struct save_limits *lim,
				 const char **what);
int __must_check xsave_check(const u8 *area, u32 size, const struct save_limits *lim,
			     const char **what);

/* The machine that saves or restores. */
struct save_host {
	u64 now;		/* its TSC: one reading for all vCPUs, so that theirs stay equal */
	u64 tsc_khz;
	u8 vendor;		/* enum virt_vendor */
	const struct guest_cpu *cpu;	/* what guests are told of it */
	struct save_limits lim;
};

/*
 * Saves vm, whose vCPUs are not loaded anywhere.  layout: also that of its
 * memory.  Returns the bytes used; -E2BIG when size is too small (vm_save_size
 * says what is enough); -EINVAL when the memory's layout cannot be saved.
 */
s64 __must_check vm_save(struct vm *vm, const struct save_host *h, bool layout, void *buf,
			 u64 size);
u64 vm_save_size(struct vm *vm, const struct save_host *h);

/* What a container says of the machine as such. */
struct save_machine {
	struct vm_save vm;
	struct guest_cpu cpu;	/* what it was told */
	bool nested;		/* its vCPUs can virtualize */
	bool has_layout;
	struct save_layout layout;
};

/*
 * Opens a container that is to be restored: all of it but vCPUs and devices is
 * checked.  mem_max: bytes of memory that the machine may have.  0; -EINVAL,
 * -EPROTO, -ENOENT with the reason in why.  buf is 8-byte aligned and stays.
 */
int __must_check vm_restore_open(struct save_in *in, const void *buf, u64 size,
				 const struct save_host *h, u64 mem_max, struct save_machine *m,
				 char *why, size_t why_size);
/*
 * Could vm be what the container says, of which vm_restore_open has made m?  It has
 * as many vCPUs, just made, and as much memory.  Errors as above; vm is not changed.
 */
int __must_check vm_restore_check(const struct save_in *in, const struct save_machine *m,
				  const struct vm *vm, const struct save_host *h, char *why,
				  size_t why_size);
/* Makes it so: only what vm_restore_check has passed. */
void vm_restore(const struct save_in *in, const struct save_machine *m, struct vm *vm,
		const struct save_host *h);
/*
 * Behind vm_restore, which takes its time: vm's clocks, as if it had been restored at
 * now, of this host's TSC with tsc_khz.
 */
void vm_restore_clock(const struct save_in *in, const struct save_machine *m, struct vm *vm,
		      u64 now, u64 tsc_khz);

#endif
