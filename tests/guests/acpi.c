// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"
#include "tests/guests/rt/ioapic.h"
#include "tests/guests/rt/smp.h"

PAYLOAD(acpi, .ref = "ACPI 6, 5.2; Multiboot 0.6.96, 3.3", .cpus = "2",
	.desc = "tables: sums, lengths, MADT against CPUs and I/O APIC, FADT ports, FACS, BIOS "
		"data, memory map");

#define CPUS		2
#define MADT_PCAT	0x1
#define FLAG_WBINVD	BIT64(0)
#define FLAG_PROC_C1	BIT64(2)
#define FLAG_HW_REDUCED	BIT64(20)

extern u32 rt_boot_info;

/* Multiboot 3.3: the memory map. */
struct mb_map {
	u32 size;
	u64 base, len;
	u32 type;		/* 1: free */
} __attribute__((packed));

static u32 map_len, map_at;

static void find_map(void)
{
	const u32 *mb = (const void *)(ulong)rt_boot_info;

	if (!(mb[0] & 1 << 6))
		return;
	map_len = mb[11];
	map_at = mb[12];
}

static const struct mb_map *map_entry(u32 *off)
{
	const struct mb_map *e = (const void *)(ulong)(map_at + *off);

	if (*off + sizeof(*e) > map_len)
		return NULL;
	*off += e->size + 4;
	return e;
}

/* Nobody may use what a table lies in: below 1 MiB or in no free range. */
static bool is_free(u64 at, u32 len)
{
	const struct mb_map *e;

	for (u32 off = 0; (e = map_entry(&off));)
		if (e->type == 1 && at < e->base + e->len && at + len > e->base)
			return true;
	return false;
}

static void check_map(u64 mem)
{
	const struct mb_map *e;
	u64 top = 0;
	u32 n = 0, overlaps = 0;

	rt_check(map_len, "multiboot has a memory map", " ");
	for (u32 off = 0; (e = map_entry(&off)); n++) {
		const struct mb_map *o;

		for (u32 other = 0, k = 0; (o = map_entry(&other)); k++)
			overlaps += k != n && e->base < o->base + o->len &&
				    o->base < e->base + e->len;
		if (e->type == 1 && e->base <= 1 << 20 && e->base + e->len > 1 << 20)
			top = e->base + e->len;
	}
	rt_check(n >= 2 && !overlaps, "its ranges", "%u, %u overlap", n, overlaps);
	rt_check(top >= mem && top - mem <= 1 << 20, "upper memory", "map %llx, information %llx",
		 top, mem);
}

static void check_header(const struct acpi_table *t, const char *sig)
{
	char name[5] = { 0 };

	memcpy(name, t->sig, 4);
	rt_quiet(!memcmp(t->sig, sig, 4), "signature", "%s, not %s", name, sig);
	rt_quiet(t->len >= sizeof(*t) && t->len < 1 << 20, "length", "%s: %u", name, t->len);
	rt_quiet(!acpi_sum(t, t->len), "sum", "%s: %x", name, acpi_sum(t, t->len));
	rt_quiet(!is_free((ulong)t, t->len), "a table in free memory", "%s: %lx", name, (ulong)t);
	rt_printf("NOTE %s revision %u, %u bytes at %lx\n", name, t->revision, t->len, (ulong)t);
}

static void check_root(void)
{
	const struct acpi_rsdp *r = acpi_rsdp();
	const struct acpi_table *t;
	unsigned int n;

	rt_check(r->revision == 0 || r->revision == 2, "RSDP revision", "%u", r->revision);
	rt_check(!is_free((ulong)r, 20), "the RSDP is not in free memory", "%lx", (ulong)r);
	if (r->revision >= 2) {
		rt_check(r->len == 36 && !acpi_sum(r, 36), "extended sum", "%u: %x", r->len,
			 acpi_sum(r, 36));
		check_header((const void *)(ulong)r->xsdt, "XSDT");
	}
	if (r->rsdt)
		check_header((const void *)(ulong)r->rsdt, "RSDT");
	for (n = 0; (t = acpi_nth(n)); n++)
		check_header(t, t->sig);
	rt_check(n >= 2, "tables", "%u", n);
}

/* Lengths by revision: ACPI 1.0, 2.0 to 4.0, 5.0, 6.0 on. */
static bool fadt_length_ok(const struct acpi_fadt *f)
{
	u32 len = f->h.len;

	return f->h.revision <= 2 ? len >= 116 : f->h.revision <= 4 ? len == 244 :
	       f->h.revision == 5 ? len == 268 : len == 276;
}

/* 5.2.10: no sum, 64 bytes, aligned to them; the global lock is written to. */
static void check_facs(u32 at)
{
	volatile u32 *lock = (volatile u32 *)(ulong)(at + 16);
	const struct acpi_table *facs = (const void *)(ulong)at;
	u32 old;

	rt_check(!memcmp(facs->sig, "FACS", 4) && facs->len >= 64 && !(at & 63), "FACS", "%x", at);
	rt_check(!is_free(at, 64), "the FACS is not in free memory", "%x", at);
	old = *lock;
	*lock = ~old;
	rt_check(*lock == ~old, "the FACS can be written", "%x", *lock);
	*lock = old;
}

/* The compiler takes a small constant for a null pointer. */
static const volatile u8 *low_memory(ulong at)
{
	__asm__("" : "+r"(at));
	return (const volatile u8 *)at;
}

/* IBM PC AT Technical Reference: the BIOS data area, the model byte. */
static void check_bios_data(void)
{
	const volatile u8 *bda = low_memory(0x400), *model = low_memory(0xffffe);
	u32 ebda = (bda[0x0e] | (u32)bda[0x0f] << 8) << 4, kib = bda[0x13] | (u32)bda[0x14] << 8;

	rt_check(ebda >= 0x80000 && ebda < 0xa0000, "40:0e: the EBDA", "%x", ebda);
	rt_check(kib << 10 <= ebda && (kib + 1) << 10 > ebda, "40:13: memory below it", "%u KiB",
		 kib);
	rt_check(!is_free(ebda, 1024), "the EBDA is not in free memory", "%x", ebda);
	rt_check(*model == 0xfc, "f000:fffe: an AT", "%x", *model);
}

static void check_fadt(void)
{
	const struct acpi_fadt *f = acpi_find("FACP");
	const struct acpi_table *dsdt;

	if (!rt_check(f, "FADT", " "))
		return;
	rt_check(fadt_length_ok(f), "FADT length", "revision %u: %u", f->h.revision, f->h.len);
	rt_check(f->pm1a_evt && f->pm1_evt_len >= 4 && f->pm1a_cnt && f->pm1_cnt_len >= 2 &&
		 f->pm_tmr && f->pm_tmr_len == 4, "FADT blocks", "%x %u, %x %u, %x %u",
		 f->pm1a_evt, f->pm1_evt_len, f->pm1a_cnt, f->pm1_cnt_len, f->pm_tmr,
		 f->pm_tmr_len);
	rt_check((f->flags & FLAG_WBINVD) && (f->flags & FLAG_PROC_C1) &&
		 !(f->flags & FLAG_HW_REDUCED), "FADT flags", "%x", f->flags);
	rt_check(f->sci == 9, "SCI", "%u", f->sci);
	rt_check(inl((u16)f->pm_tmr) != ~0u && inw((u16)f->pm1a_cnt) != 0xffff &&
		 inw((u16)f->pm1a_evt) != 0xffff, "the ports are there", " ");
	if (f->flags & FADT_RESET_REG)
		rt_check(f->h.len >= 129 && f->reset_space == 1 && f->reset_width == 8 &&
			 f->reset_address == 0xcf9 && f->reset_value & 4, "RESET_REG",
			 "space %u, %llx, %x", f->reset_space, f->reset_address, f->reset_value);
	else
		rt_note("no RESET_REG");
	dsdt = (const void *)(ulong)f->dsdt;
	check_header(dsdt, "DSDT");
	rt_check(acpi_s5(f) >= 0 && acpi_s5(f) < 8, "\\_S5", "%d", acpi_s5(f));
	if (f->facs)
		check_facs(f->facs);
}

static struct {
	u32 cpus, ioapics, bad, irq0, sci, nmis;
	bool seen[CPUS];
} madt;

static void madt_cpu(const u8 *p, u8 len)
{
	u32 flags;

	memcpy(&flags, p + 4, 4);
	if (!(flags & 1))
		return;
	madt.cpus++;
	for (u32 i = 0; i < CPUS; i++)
		madt.seen[i] |= rt_cpus[i].apic_id == p[3];
	madt.bad += len != 8;
}

static void madt_ioapic(const u8 *p, u8 len)
{
	u32 at, gsi;

	memcpy(&at, p + 4, 4);
	memcpy(&gsi, p + 8, 4);
	madt.ioapics++;
	madt.bad += len != 12;
	rt_check(at == IOAPIC_PAGE && !gsi, "I/O APIC", "%x, GSI %u", at, gsi);
	rt_check(p[2] == ioapic_read(IOAPIC_ID) >> 24, "its id", "%u, register %u", p[2],
		 ioapic_read(IOAPIC_ID) >> 24);
}

static void madt_override(const u8 *p, u8 len)
{
	u32 gsi;
	u16 flags;

	memcpy(&gsi, p + 4, 4);
	memcpy(&flags, p + 8, 2);
	madt.bad += len != 10 || p[2];
	if (p[3] == 0)
		madt.irq0 = gsi;
	/* Level; polarity as the machine has it. */
	if (p[3] == 9 && (flags >> 2 & 3) == 3)
		madt.sci = gsi;
}

static void madt_nmi(const u8 *p, u8 len)
{
	madt.nmis += p[5] == 1;
	madt.bad += len != 6;
}

static void (*const madt_entries[])(const u8 *p, u8 len) = {
	[0] = madt_cpu, [1] = madt_ioapic, [2] = madt_override, [4] = madt_nmi,
};

static void check_madt(void)
{
	const struct acpi_table *t = acpi_find("APIC");
	const u8 *p = (const u8 *)t + 44, *end = (const u8 *)t + t->len;
	u32 lapic, flags;

	memcpy(&lapic, (const u8 *)t + 36, 4);
	memcpy(&flags, (const u8 *)t + 40, 4);
	rt_check(lapic == APIC_PAGE && flags & MADT_PCAT, "MADT", "%x, flags %x", lapic, flags);
	for (; p + 2 <= end && p[1] >= 2; p += p[1])
		if (p[0] < ARRAY_LEN(madt_entries) && madt_entries[p[0]])
			madt_entries[p[0]](p, p[1]);
	rt_check(p == end && !madt.bad, "MADT entries fill it", "%u wrong", madt.bad);
	rt_check(madt.cpus == CPUS && madt.seen[0] && madt.seen[1], "MADT: the CPUs", "%u",
		 madt.cpus);
	rt_check(madt.ioapics == 1, "MADT: one I/O APIC", "%u", madt.ioapics);
	rt_check(madt.irq0 == 2, "MADT: IRQ 0 is GSI 2", "%u", madt.irq0);
	rt_check(madt.sci == 9, "MADT: the SCI is a level", "%u", madt.sci);
	rt_check(madt.nmis, "MADT: LINT1 is NMI", " ");
	rt_check((cpuid(1).ebx >> 16 & 0xff) >= CPUS, "CPUID has as many", "%u",
		 cpuid(1).ebx >> 16 & 0xff);
}

int main(struct rt_info *info)
{
	if (!rt_check(acpi_rsdp(), "RSDP", " ") || !acpi_find("APIC"))
		return rt_result();
	find_map();
	check_map(info->mem);
	check_root();
	check_fadt();
	check_bios_data();
	rt_check(rt_smp_start(CPUS) == CPUS, "both CPUs start", " ");
	check_madt();
	return rt_result();
}
