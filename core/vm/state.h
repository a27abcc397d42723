/* SPDX-License-Identifier: MIT */
/*
 * A machine's state to a container (core/vm/container.h) and back: each vCPU,
 * its local APIC, the devices.  Memory is not in it.
 *
 * Saving is possible whenever no vCPU of the machine is in its guest: between
 * any two exits.  What is restored is checked first; nothing that a blob says
 * may harm the host.
 */
#ifndef CORE_VM_STATE_H
#define CORE_VM_STATE_H

#include "core/vm/pc.h"

#define VCPU_SAVE_VERSION	2

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

/* SAVE_VM */
struct vm_save {
	u32 vcpus, reserved;
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

/*
 * Saves vm, whose vCPUs are not loaded anywhere.  Returns the bytes used;
 * -E2BIG when size is too small (vm_save_size says what is enough).
 */
s64 __must_check vm_save(struct vm *vm, void *buf, u64 size);
u64 vm_save_size(const struct vm *vm);
/*
 * Into a machine that was just made with as many vCPUs and as much memory.  0;
 * -EINVAL, -EPROTO, -ENOENT with the reason in why: the machine is then of no
 * use and must be destroyed.
 */
int __must_check vm_restore(struct vm *vm, const void *buf, u64 size, char *why, size_t why_size);

/*
 * Saves vm, destroys its vCPUs and devices, makes new ones and restores them.
 * The memory stays.  0, or an error with the reason in why.
 */
int __must_check vm_migrate(struct vm *vm, char *why, size_t why_size);

#endif
