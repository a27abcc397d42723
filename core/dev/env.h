/* SPDX-License-Identifier: MIT */
/*
 * What the devices of a virtual PC ask of the machine around them.  Pure.
 *
 * Time is guest time: nanoseconds since the machine began, never backwards.
 * All functions of one machine's devices are called under one lock, except
 * those of vlapic.h that say otherwise.
 *
 * Each device is a struct whose first member s is its whole guest-visible
 * state: fixed-width integers, no pointers, no implicit padding.  It is what
 * save and restore copy; X_state_check() tells whether bytes from outside are
 * a state that the device can be in.
 */
#ifndef CORE_DEV_ENV_H
#define CORE_DEV_ENV_H

#include "core/lib/base.h"

#define DEV_NEVER	(~0ULL)

struct dev_env {
	void *ctx;
	u64 (*now)(void *ctx);			/* guest time, ns */
	/* The level of ISA interrupt line irq (0..15) of this device. */
	void (*set_irq)(void *ctx, u8 irq, bool level);
	/* The device's next event (X_next) may have become earlier. */
	void (*rearm)(void *ctx);
};

#endif
