/* SPDX-License-Identifier: MIT */
/* The I/O APIC: 82093AA (290566), EOI register as in ICH9 13.5. */
#ifndef TESTS_GUESTS_RT_IOAPIC_H
#define TESTS_GUESTS_RT_IOAPIC_H

#include "tests/guests/rt/pc.h"

#define IOAPIC_PAGE	0xfec00000ul

/* In the page. */
#define IOREGSEL	0x00
#define IOWIN		0x10
#define IOEOI		0x40

/* Behind IOREGSEL. */
#define IOAPIC_ID	0x00
#define IOAPIC_VER	0x01
#define IOAPIC_ARB	0x02
#define IOAPIC_REDIR(n)	(u8)(0x10 + 2 * (n))

/* Redirection entry; delivery modes are APIC_DM_. */
#define RTE_LOGICAL	BIT64(11)
#define RTE_PENDING	BIT64(12)
#define RTE_LOW		BIT64(13)
#define RTE_REMOTE_IRR	BIT64(14)
#define RTE_LEVEL	BIT64(15)
#define RTE_MASKED	BIT64(16)
#define RTE_DEST(n)	((u64)(n) << 56)

static inline volatile u32 *ioapic_at(unsigned int off)
{
	return (volatile u32 *)(IOAPIC_PAGE + off);
}

static inline u32 ioapic_read(u8 reg)
{
	*ioapic_at(IOREGSEL) = reg;
	return *ioapic_at(IOWIN);
}

static inline void ioapic_write(u8 reg, u32 v)
{
	*ioapic_at(IOREGSEL) = reg;
	*ioapic_at(IOWIN) = v;
}

static inline u64 ioapic_entry(unsigned int pin)
{
	return ioapic_read(IOAPIC_REDIR(pin)) | (u64)ioapic_read(IOAPIC_REDIR(pin) + 1) << 32;
}

/* The half with the mask last, when it is to be cleared. */
static inline void ioapic_set_entry(unsigned int pin, u64 v)
{
	ioapic_write(IOAPIC_REDIR(pin), RTE_MASKED);
	ioapic_write(IOAPIC_REDIR(pin) + 1, (u32)(v >> 32));
	ioapic_write(IOAPIC_REDIR(pin), (u32)v);
}

#endif
