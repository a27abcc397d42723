// SPDX-License-Identifier: MIT
/* Register names: Intel 82093AA data sheet, 3.0. */
#include "core/x86/ioapic_hw.h"

#include "core/x86/acpi.h"
#include "core/x86/insn.h"

#define IOREGSEL	0x00
#define IOWIN		0x10
#define IOAPICVER	0x01
#define IOREDTBL(n)	(0x10 + 2 * (n))

#define REDIR_MASKED	0x10000u
#define REDIR_LEVEL	0x8000u
#define REDIR_LOW	0x2000u
#define REDIR_DM(e)	((e) >> 8 & 7)
#define DM_FIXED	0
#define DM_LOWEST	1
#define DM_NMI		4
#define DM_EXTINT	7

#define PIC1_CMD	0x20
#define PIC1_DATA	0x21
#define PIC2_CMD	0xa0
#define PIC2_DATA	0xa1

struct ioapic {
	u64 va;
	u32 gsi_base, pins;
};

static struct {
	u32 n;
	struct ioapic io[ACPI_MAX_IOAPICS];
} all;

static u32 reg_read(const struct ioapic *io, u32 reg)
{
	mmio_write32(io->va + IOREGSEL, reg);
	return mmio_read32(io->va + IOWIN);
}

static void reg_write(const struct ioapic *io, u32 reg, u32 v)
{
	mmio_write32(io->va + IOREGSEL, reg);
	mmio_write32(io->va + IOWIN, v);
}

/* Pins that firmware set up for SMI or NMI keep working. */
static void mask_interrupts(const struct ioapic *io)
{
	for (u32 pin = 0; pin < io->pins; pin++) {
		u32 e = reg_read(io, IOREDTBL(pin));
		u32 mode = REDIR_DM(e);

		if (mode == DM_FIXED || mode == DM_LOWEST || mode == DM_EXTINT)
			reg_write(io, IOREDTBL(pin), e | REDIR_MASKED);
	}
}

u32 ioapic_setup(const struct acpi_info *acpi, const struct x86_env *env,
		 const struct diag *diag)
{
	for (u32 i = 0; i < acpi->madt.n_ioapics && all.n < ACPI_MAX_IOAPICS; i++) {
		const struct acpi_ioapic *a = &acpi->madt.ioapics[i];
		struct ioapic *io = &all.io[all.n];
		u32 version;

		io->va = env->map_mmio(a->address, 0x20);
		version = io->va ? reg_read(io, IOAPICVER) : ~0u;
		if (version == ~0u) {
			diag_printf(diag, "ioapic: none answers at %x", a->address);
			continue;
		}
		io->gsi_base = a->gsi_base;
		io->pins = (version >> 16 & 0xff) + 1;
		mask_interrupts(io);
		all.n++;
	}
	return all.n;
}

static const struct ioapic *find(u32 gsi)
{
	for (u32 i = 0; i < all.n; i++)
		if (gsi - all.io[i].gsi_base < all.io[i].pins)
			return &all.io[i];
	return NULL;
}

int ioapic_route_nmi(u32 gsi, u32 apic_id, bool active_low, bool level)
{
	const struct ioapic *io = find(gsi);
	u32 low = DM_NMI << 8;

	if (!io)
		return -ENODEV;
	/* Physical destination: 8 bits, 255 means all. */
	if (apic_id > 254)
		return -ERANGE;
	if (active_low)
		low |= REDIR_LOW;
	if (level)
		low |= REDIR_LEVEL;
	reg_write(io, IOREDTBL(gsi - io->gsi_base), REDIR_MASKED);
	reg_write(io, IOREDTBL(gsi - io->gsi_base) + 1, apic_id << 24);
	reg_write(io, IOREDTBL(gsi - io->gsi_base), low);
	return 0;
}

void ioapic_mask(u32 gsi)
{
	const struct ioapic *io = find(gsi);

	if (io)
		reg_write(io, IOREDTBL(gsi - io->gsi_base), REDIR_MASKED);
}

bool ioapic_pin_is_free(u32 gsi)
{
	const struct ioapic *io = find(gsi);

	return io && reg_read(io, IOREDTBL(gsi - io->gsi_base)) & REDIR_MASKED;
}

void pic8259_mask_all(void)
{
	/*
	 * 8259A data sheet, ICW1 to ICW4: away from the exception vectors, so
	 * that a spurious IRQ 7 or 15 cannot look like one; then all masked.
	 */
	outb(PIC1_CMD, 0x11);
	outb(PIC2_CMD, 0x11);
	outb(PIC1_DATA, 0x20);
	outb(PIC2_DATA, 0x28);
	outb(PIC1_DATA, 4);
	outb(PIC2_DATA, 2);
	outb(PIC1_DATA, 1);
	outb(PIC2_DATA, 1);
	outb(PIC1_DATA, 0xff);
	outb(PIC2_DATA, 0xff);
}
