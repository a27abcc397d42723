/* SPDX-License-Identifier: MIT */
/*
 * ACPI fixed hardware: PM1a event and control blocks, the PM timer, the SCI on
 * line 9, and what resets a PC without it: ports 0x64 (8042 pulse) and 0x92.
 * ACPI 6, 4.8; ICH9 13.7.3 (0x92), 13.8.2 (0xb2, 0xb3); IBM PC AT
 * Technical Reference (8042).  Pure.
 *
 * The 8042 has no keyboard and no mouse: bytes to them are lost, and line 1
 * only tells of answers of the controller itself.  A20 is always on.
 */
#ifndef CORE_DEV_VPM_H
#define CORE_DEV_VPM_H

#include "core/dev/bus.h"
#include "core/dev/env.h"

#define VPM_PORT	0xb000
#define VPM_PM1_EVT	(VPM_PORT + 0)	/* status, enable: 4 bytes */
#define VPM_PM1_CNT	(VPM_PORT + 4)	/* 2 bytes */
#define VPM_TIMER	(VPM_PORT + 8)	/* 4 bytes, 32-bit counter */
#define VPM_SMI_CMD	0xb2		/* ACPI enable/disable: VPM_ACPI_ENABLE, _DISABLE */
#define VPM_ACPI_ENABLE	0xf1
#define VPM_ACPI_DISABLE 0xf0
#define VPM_SCI		9
#define VPM_KBC_IRQ	1
#define VPM_TIMER_HZ	3579545
#define VPM_SLP_TYP_S5	5

struct vpm_state {
	u16 pm1_sts, pm1_en, pm1_cnt;
	u8 port92, apm_cnt, apm_sts;	/* 0x92, 0xb2, 0xb3 as read */
	u8 kbc_status, kbc_command;	/* 0x64 as read; the command byte */
	u8 kbc_output, kbc_outport;	/* output buffer; output port */
	u8 kbc_waits;			/* the command whose byte comes at 0x60: 0x60, 0xd1, 0 */
	u8 reserved[2];
	u64 timer_msb_at;		/* guest time of the next change of the timer's top bit */
};

struct vpm {
	struct vpm_state s;
	const struct dev_env *env;
};

/* Writes end the guest through BUS_POWEROFF (S5) and BUS_RESET. */
int __must_check vpm_init(struct vpm *p, struct bus *bus, const struct dev_env *env);
/* The power button: sets PWRBTN_STS. */
void vpm_power_button(struct vpm *p);
u64 vpm_next(const struct vpm *p);
void vpm_tick(struct vpm *p, u64 now);
int __must_check vpm_state_check(const struct vpm_state *s);

#endif
