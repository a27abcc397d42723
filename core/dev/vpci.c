// SPDX-License-Identifier: MIT
#include "core/dev/vpci.h"

#include "core/lib/string.h"
#include "stats/stat.h"

STAT_COUNTER(pci, "/kvm/dev", "pci", "count", "accesses to PCI configuration and reset control");

#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc
#define RST_CNT		1	/* 0xcf9, from CONFIG_ADDRESS */

/* PCI 3.0, 3.2.2.3.2: bits 30:24, 1 and 0 are read-only and 0. */
#define ADDRESS_MASK	0x80fffffcU

/* ICH9 13.7.5: FULL_RST, RST_CPU, SYS_RST; the others are reserved. */
#define RST_MASK	0x0e
#define RST_CPU		0x04

/* Only a dword reaches CONFIG_ADDRESS; all else is normal I/O to the ports below it. */
static u64 address_read(void *ctx, u64 off, u8 size)
{
	const struct vpci *p = ctx;

	if (size == 4)
		return p->s.address;
	return off == RST_CNT && size == 1 ? p->s.reset_control : ~0ULL;
}

/*
 * RST_CPU going from 0 to 1 resets.  SYS_RST tells a hard reset from INIT of
 * the CPUs, which restarts the same firmware: here both end the machine.
 */
static enum bus_result address_write(void *ctx, u64 off, u8 size, u64 val)
{
	struct vpci *p = ctx;
	bool resets;

	if (size == 4)
		p->s.address = (u32)val & ADDRESS_MASK;
	if (off != RST_CNT || size != 1)
		return BUS_OK;
	resets = val & ~p->s.reset_control & RST_CPU;
	p->s.reset_control = val & RST_MASK;
	return resets ? BUS_RESET : BUS_OK;
}

int vpci_init(struct vpci *p, struct bus *bus)
{
	const struct bus_range address = { CONFIG_ADDRESS, CONFIG_ADDRESS + 3, 4, address_read,
					   address_write, p, &pci };
	/* No function answers: the host bridge ends the cycle with all ones. */
	const struct bus_range data = { CONFIG_DATA, CONFIG_DATA + 3, 4, NULL, NULL, p, &pci };
	int err;

	memset(p, 0, sizeof(*p));
	err = bus_add_io(bus, &address);
	return err ? err : bus_add_io(bus, &data);
}

int vpci_state_check(const struct vpci_state *s)
{
	for (size_t i = 0; i < sizeof(s->reserved); i++)
		if (s->reserved[i])
			return -EINVAL;
	return s->address & ~ADDRESS_MASK || s->reset_control & ~RST_MASK ? -EINVAL : 0;
}
