/* SPDX-License-Identifier: MIT */
/*
 * Configuration mechanism #1 of an empty PCI bus (PCI 3.0, 3.2.2.3.2): every
 * function reads all ones.  Byte accesses to 0xcf9 are the reset control
 * register (ICH9 13.7.5).  Pure.
 */
#ifndef CORE_DEV_VPCI_H
#define CORE_DEV_VPCI_H

#include "core/dev/bus.h"

struct vpci_state {
	u32 address;
	u8 reset_control, reserved[3];
};

struct vpci {
	struct vpci_state s;
};

int __must_check vpci_init(struct vpci *p, struct bus *bus);
int __must_check vpci_state_check(const struct vpci_state *s);

#endif
