// SPDX-License-Identifier: MIT
#include "core/load/guest_tables.h"

#include "core/lib/string.h"
#include "dsdt.h"

/* ACPI 6.4, 5.2.6. */
struct table_header {
	u8 signature[4];
	u32 length;
	u8 revision, checksum;
	u8 oem_id[6], oem_table_id[8];
	u32 oem_revision;
	u8 creator_id[4];
	u32 creator_revision;
} __packed;
HW_SIZE(struct table_header, 36);

/* 5.2.5.3 */
struct rsdp {
	u8 signature[8], checksum, oem_id[6], revision;
	u32 rsdt, length;
	u64 xsdt;
	u8 ext_checksum, reserved[3];
} __packed;
HW_SIZE(struct rsdp, 36);

/* 5.2.3.2 */
struct gas {
	u8 space, bits, offset, access;
	u64 address;
} __packed;
#define GAS_IO		1

/* 5.2.9; the 64-bit blocks after reset_value repeat the 32-bit ones. */
struct fadt {
	struct table_header h;
	u32 facs, dsdt;
	u8 reserved0, profile;
	u16 sci;
	u32 smi_cmd;
	u8 acpi_enable, acpi_disable, s4bios, pstate_cnt;
	u32 pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	u8 pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base, cst;
	u16 lvl2_lat, lvl3_lat, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alarm, month_alarm, century;
	u16 boot_arch;
	u8 reserved1;
	u32 flags;
	struct gas reset;
	u8 reset_value;
	u16 arm_boot_arch;
	u8 minor;
	u64 x_facs, x_dsdt;
	struct gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr, x_gpe0,
		   x_gpe1, sleep_control, sleep_status;
	u64 hypervisor;			/* its vendor: as a PC, not told */
} __packed;
HW_FIELD(struct fadt, sci, 46);
HW_FIELD(struct fadt, boot_arch, 109);
HW_FIELD(struct fadt, flags, 112);
HW_FIELD(struct fadt, x_facs, 132);
HW_SIZE(struct fadt, 276);

#define FADT_REVISION	6
#define FADT_WBINVD	BIT(0)
#define FADT_PROC_C1	BIT(2)
#define FADT_SLP_BUTTON	BIT(5)		/* no fixed one */
#define FADT_FIX_RTC	BIT(6)		/* no RTC_STS: the clock wakes nobody */
#define FADT_TMR_EXT	BIT(8)		/* 32 bits */
#define FADT_RESET	BIT(10)
#define BOOT_LEGACY	BIT(0)
#define BOOT_NO_VGA	BIT(2)
#define BOOT_NO_MSI	BIT(3)		/* no device sends any */
#define NO_C2		101		/* microseconds: 5.2.9 */
#define NO_C3		1001
#define RTC_CENTURY	0x32
#define RESET_PORT	0xcf9
#define RESET_VALUE	6

/* 5.2.12 */
struct madt {
	struct table_header h;
	u32 lapic, flags;
} __packed;
#define MADT_PCAT_COMPAT BIT(0)
struct madt_lapic {
	u8 type, length, uid, id;
	u32 flags;
} __packed;
struct madt_ioapic {
	u8 type, length, id, reserved;
	u32 address, gsi_base;
} __packed;
struct madt_override {
	u8 type, length, bus, source;
	u32 gsi;
	u16 flags;
} __packed;
struct madt_nmi {
	u8 type, length, uid;
	u16 flags;
	u8 lint;
} __packed;
#define INTI_LEVEL_HIGH	0xd
#define UID_ALL		0xff

/* What is built, from GUEST_ROM on; the end of the ROM is for code. */
#define TABLES_END	0x1ff00
struct builder {
	u8 *rom;
	u32 at;
	u32 table[4];		/* offsets of those that the XSDT lists */
	u32 n;
	bool full;
};

static void *take(struct builder *b, u32 size, u32 align)
{
	u32 at = ALIGN_UP(b->at, align);

	if (size > TABLES_END - at) {
		b->full = true;
		return b->rom;
	}
	b->at = at + size;
	return b->rom + at;
}

static u32 gpa(const struct builder *b, const void *p)
{
	return (u32)(GUEST_ROM + (u64)((const u8 *)p - b->rom));
}

static u8 checksum(const void *data, u32 len)
{
	const u8 *p = data;
	u8 sum = 0;

	while (len--)
		sum = (u8)(sum + *p++);
	return (u8)-sum;
}

static void finish(struct table_header *h, const char *signature, u32 length, u8 revision)
{
	memcpy(h->signature, signature, 4);
	h->length = length;
	h->revision = revision;
	memcpy(h->oem_id, "NSTBED", 6);
	memcpy(h->oem_table_id, "VIRTPC  ", 8);
	h->oem_revision = 1;
	memcpy(h->creator_id, "NSTB", 4);
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = checksum(h, length);
}

static void list(struct builder *b, const struct table_header *h)
{
	b->table[b->n++] = gpa(b, h);
}

static struct gas io_port(u16 port, u8 bits)
{
	return (struct gas){ .space = GAS_IO, .bits = bits, .access = (u8)(bits / 16 + 1),
			     .address = port };
}

/*
 * The BIOS data area, 40:0 (IBM PC AT Technical Reference, 5-3): the first
 * UART; where the EBDA is, which begins with its size in KiB; an FPU and one
 * UART; KiB below the EBDA.
 */
static void build_bda(u8 *low, u16 com1)
{
	const u16 ebda = GUEST_EBDA >> 4, equipment = 0x202, kib = GUEST_EBDA >> 10;

	memcpy(low + 0x400, &com1, 2);
	memcpy(low + 0x40e, &ebda, 2);
	memcpy(low + 0x410, &equipment, 2);
	memcpy(low + 0x413, &kib, 2);
	low[GUEST_EBDA] = (GUEST_LOW_SIZE - GUEST_EBDA) >> 10;
}

/* 5.2.10: 64-byte aligned, in memory that the system can write to (global lock). */
static u32 build_facs(u8 *low)
{
	const u32 length = 64, at = GUEST_EBDA + 64;
	u8 *facs = low + at;

	memset(facs, 0, length);
	memcpy(facs, "FACS", 4);
	memcpy(facs + 4, &length, 4);
	facs[32] = 1;
	return at;
}

static u32 build_dsdt(struct builder *b)
{
	void *dsdt = take(b, sizeof(dsdt_aml), 16);

	if (!b->full)
		memcpy(dsdt, dsdt_aml, sizeof(dsdt_aml));
	return gpa(b, dsdt);
}

static void build_fadt(struct builder *b, const struct guest_config *c, u32 facs, u32 dsdt)
{
	struct fadt *f = take(b, sizeof(*f), 16);

	if (b->full)
		return;
	f->facs = facs;
	f->dsdt = dsdt;
	f->sci = c->sci;
	f->smi_cmd = c->smi_cmd;
	f->acpi_enable = c->acpi_enable;
	f->acpi_disable = c->acpi_disable;
	f->pm1a_evt = c->pm1_evt;
	f->pm1a_cnt = c->pm1_cnt;
	f->pm_tmr = c->pm_timer;
	f->pm1_evt_len = 4;
	f->pm1_cnt_len = 2;
	f->pm_tmr_len = 4;
	f->lvl2_lat = NO_C2;
	f->lvl3_lat = NO_C3;
	f->century = RTC_CENTURY;
	f->boot_arch = BOOT_LEGACY | BOOT_NO_VGA | BOOT_NO_MSI;
	f->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_TMR_EXT |
		   FADT_RESET;
	f->reset = io_port(RESET_PORT, 8);
	f->reset_value = RESET_VALUE;
	f->x_dsdt = dsdt;
	f->x_pm1a_evt = io_port(c->pm1_evt, 32);
	f->x_pm1a_cnt = io_port(c->pm1_cnt, 16);
	f->x_pm_tmr = io_port(c->pm_timer, 32);
	finish(&f->h, "FACP", sizeof(*f), FADT_REVISION);
	list(b, &f->h);
}

static void madt_fixed(struct builder *b, const struct guest_config *c)
{
	/* Entry types of table 5-45. */
	const struct madt_ioapic io = { .type = 1, .length = sizeof(io), .id = c->ioapic_id,
					.address = (u32)c->ioapic };
	const struct madt_override pit = { .type = 2, .length = sizeof(pit), .gsi = 2 };
	const struct madt_override sci = { .type = 2, .length = sizeof(sci), .source = c->sci,
					   .gsi = c->sci, .flags = INTI_LEVEL_HIGH };
	const struct madt_nmi nmi = { .type = 4, .length = sizeof(nmi), .uid = UID_ALL,
				      .lint = 1 };

	memcpy(take(b, sizeof(io), 1), &io, sizeof(io));
	memcpy(take(b, sizeof(pit), 1), &pit, sizeof(pit));
	memcpy(take(b, sizeof(sci), 1), &sci, sizeof(sci));
	memcpy(take(b, sizeof(nmi), 1), &nmi, sizeof(nmi));
}

static void build_madt(struct builder *b, const struct guest_config *c)
{
	struct madt *m = take(b, sizeof(*m), 16);
	u32 start = gpa(b, m);

	m->lapic = (u32)c->lapic;
	m->flags = MADT_PCAT_COMPAT;
	for (u32 i = 0; i < c->cpus && !b->full; i++) {
		struct madt_lapic *l = take(b, sizeof(*l), 1);

		*l = (struct madt_lapic){ .type = 0, .length = sizeof(*l), .uid = (u8)i,
					  .id = (u8)i, .flags = 1 };
	}
	madt_fixed(b, c);
	if (b->full)
		return;
	finish(&m->h, "APIC", (u32)(GUEST_ROM + b->at) - start, 4);
	list(b, &m->h);
}

static u32 build_xsdt(struct builder *b)
{
	u32 length = (u32)sizeof(struct table_header) + b->n * 8;
	struct table_header *h = take(b, length, 16);

	for (u32 i = 0; i < b->n; i++) {
		u64 at = b->table[i];

		memcpy((u8 *)(h + 1) + i * 8, &at, 8);
	}
	finish(h, "XSDT", length, 1);
	return gpa(b, h);
}

static u32 build_rsdt(struct builder *b)
{
	u32 length = (u32)sizeof(struct table_header) + b->n * 4;
	struct table_header *h = take(b, length, 16);

	memcpy(h + 1, b->table, b->n * 4);
	finish(h, "RSDT", length, 1);
	return gpa(b, h);
}

/*
 * Real-mode code at f000:ff00, which the jump at f000:fff0 leads to: as a BIOS
 * does after a warm reset (CMOS shutdown code 5 or 10) it jumps through 40:67;
 * any other reset ends the machine through the reset control register.
 */
static const u8 reset_code[] = {
	0xb0, 0x0f, 0xe6, 0x70,		/*	mov al, 0fh; out 70h, al */
	0xe4, 0x71,			/*	in al, 71h */
	0x3c, 0x05, 0x74, 0x0d,		/*	cmp al, 5; je warm */
	0x3c, 0x0a, 0x74, 0x09,		/*	cmp al, 0ah; je warm */
	0xb0, 0x06,			/*	mov al, 6 */
	0xba, 0xf9, 0x0c, 0xee,		/*	mov dx, 0cf9h; out dx, al */
	0xf4, 0xeb, 0xfd,		/* 1:	hlt; jmp 1b */
	0xb0, 0x0f, 0xe6, 0x70,		/* warm: mov al, 0fh; out 70h, al */
	0x30, 0xc0, 0xe6, 0x71,		/*	xor al, al; out 71h, al */
	0x31, 0xc0, 0x8e, 0xd8,		/*	xor ax, ax; mov ds, ax */
	0xff, 0x2e, 0x67, 0x04,		/*	jmp far [467h] */
};
static const u8 reset_jump[] = { 0xea, 0x00, 0xff, 0x00, 0xf0 };

/* At f000:ff50 and on: a handler each, that changes nothing but what it says. */
static const u8 irq_code[] = {
	0xcf, 0x90,			/* none: iret; nop */
	0x1e, 0x50,			/* timer: push ds; push ax */
	0x31, 0xc0, 0x8e, 0xd8,		/*	xor ax, ax; mov ds, ax */
	0x66, 0xff, 0x06, 0x6c, 0x04,	/*	inc dword [46ch] */
	0xb0, 0x20, 0xe6, 0x20,		/*	mov al, 20h; out 20h, al */
	0x58, 0x1f, 0xcf,		/*	pop ax; pop ds; iret */
	0x50, 0xb0, 0x20, 0xe6, 0xa0,	/* slave: push ax; mov al, 20h; out 0a0h, al */
	0xe6, 0x20, 0x58, 0xcf,		/*	out 20h, al; pop ax; iret */
	0x50, 0xb0, 0x20, 0xe6, 0x20,	/* master: push ax; mov al, 20h; out 20h, al */
	0x58, 0xcf,			/*	pop ax; iret */
};
#define IRQ_CODE	0xff50u		/* in segment f000 */
#define IRQ_NONE	(IRQ_CODE + 0)
#define IRQ_TIMER	(IRQ_CODE + 2)
#define IRQ_SLAVE	(IRQ_CODE + 20)
#define IRQ_MASTER	(IRQ_CODE + 29)

void guest_vectors_build(u32 vectors[GUEST_VECTORS])
{
	for (u32 i = 0; i < GUEST_VECTORS; i++) {
		u32 code = IRQ_NONE;

		if (i == 8)
			code = IRQ_TIMER;
		else if (i > 8 && i < 16)
			code = IRQ_MASTER;
		else if (i >= 0x70 && i < 0x78)
			code = IRQ_SLAVE;
		vectors[i] = 0xf000u << 16 | code;
	}
}

/* What a PC has behind the jump: the date of its BIOS, and its model, an AT. */
#define ROM_DATE	0x1fff5
#define ROM_MODEL	0x1fffe
#define MODEL_AT	0xfc

static void build_code(u8 *rom)
{
	memcpy(rom + TABLES_END, reset_code, sizeof(reset_code));
	memcpy(rom + 0x10000 + IRQ_CODE, irq_code, sizeof(irq_code));
	memcpy(rom + 0x1fff0, reset_jump, sizeof(reset_jump));
	memcpy(rom + ROM_DATE, "01/01/20", 8);
	rom[ROM_MODEL] = MODEL_AT;
}

u64 guest_tables_build(u8 *rom, u8 *low, const struct guest_config *c)
{
	struct builder b = { .rom = rom };
	struct rsdp *r = take(&b, sizeof(*r), 16);
	u32 facs = build_facs(low), dsdt = build_dsdt(&b);

	build_fadt(&b, c, facs, dsdt);
	build_madt(&b, c);
	if (b.full)
		return 0;
	memcpy(r->signature, "RSD PTR ", 8);
	memcpy(r->oem_id, "NSTBED", 6);
	r->revision = 2;
	r->rsdt = build_rsdt(&b);
	r->length = sizeof(*r);
	r->xsdt = build_xsdt(&b);
	/* The first 20 bytes, then all of it. */
	r->checksum = checksum(r, 20);
	r->ext_checksum = checksum(r, sizeof(*r));
	build_code(rom);
	build_bda(low, c->com1);
	return b.full ? 0 : gpa(&b, r);
}

u32 guest_map_build(struct mem_range *map, u64 mem)
{
	u64 high_end = MIN(mem, GUEST_HOLE);
	u32 n = 0;

	/* The FACS is in the EBDA: a system that sleeps must keep it (15.3.2). */
	map[n++] = (struct mem_range){ 0, GUEST_EBDA, MEM_RAM };
	map[n++] = (struct mem_range){ GUEST_EBDA, GUEST_LOW_SIZE - GUEST_EBDA, MEM_NVS };
	map[n++] = (struct mem_range){ GUEST_ROM, GUEST_ROM_SIZE, MEM_RESERVED };
	map[n++] = (struct mem_range){ GUEST_HIGH, high_end - GUEST_HIGH, MEM_RAM };
	map[n++] = (struct mem_range){ 0xfec00000, 0x1400000, MEM_RESERVED };
	if (mem > GUEST_HOLE)
		map[n++] = (struct mem_range){ 1ULL << 32, mem - GUEST_HOLE, MEM_RAM };
	return n;
}
