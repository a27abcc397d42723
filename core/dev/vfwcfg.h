/* SPDX-License-Identifier: MIT */
/*
 * The firmware configuration device at 0x510, 0x511 (QEMU's interface,
 * docs/specs/fw_cfg): signature, id, CPU count, RAM size, file directory.
 * Without DMA.  Pure.
 */
#ifndef CORE_DEV_VFWCFG_H
#define CORE_DEV_VFWCFG_H

#include "core/dev/bus.h"

#define VFWCFG_FILES	8
#define VFWCFG_FIRST_FILE 0x20
#define VFWCFG_NAME	56	/* with the 0 at its end */

struct vfwcfg_state {
	u16 selector;
	u16 reserved;
	u32 offset;		/* of the next byte; stops at the end of the item */
};

struct vfwcfg_file {
	char name[VFWCFG_NAME];
	const void *data;
	u32 size;
};

struct vfwcfg {
	struct vfwcfg_state s;
	u64 ram_size;
	u16 cpus, max_cpus;
	u32 n_files;
	struct vfwcfg_file file[VFWCFG_FILES];
};

int __must_check vfwcfg_init(struct vfwcfg *f, struct bus *bus, u64 ram_size, u16 cpus);
/* data must live as long as the device.  -ENOSPC, -EINVAL (name), -EEXIST. */
int __must_check vfwcfg_add_file(struct vfwcfg *f, const char *name, const void *data, u32 size);
/* Files may be fewer or shorter than when s was saved: reads behind their ends give 0. */
int __must_check vfwcfg_state_check(const struct vfwcfg_state *s);

#endif
