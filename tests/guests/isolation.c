// SPDX-License-Identifier: MIT
#include "tests/guests/rt/acpi.h"
#include "tests/guests/rt/ioapic.h"

PAYLOAD(isolation, .ref = "design: a guest reaches its memory and its devices", .bare = "no",
	.timeout = "120000",
	.desc = "all ports read, random ones written, addresses beside devices, then alive");

#define VEC		0x61
#define VA		0x8000000000ul
#define RANDOM_READS	20000
#define RANDOM_WRITES	10000
#define MMIO_TRIES	2000

/* What a virtual PC answers at; writing elsewhere does nothing. */
static const struct ports {
	u16 first, last;
	bool harmful;		/* ends the guest, or is its console */
} claimed[] = {
	{ 0x20, 0x21, false }, { 0x40, 0x43, false }, { 0x60, 0x60, true },
	{ 0x61, 0x61, false }, { 0x64, 0x64, true }, { 0x70, 0x71, false },
	{ 0x92, 0x92, true }, { 0xa0, 0xa1, false }, { 0xb2, 0xb3, false },
	{ 0xe0, 0xe7, false }, { 0xe9, 0xe9, true }, { 0xf4, 0xf7, true },
	{ 0x3f8, 0x3ff, true }, { 0x4d0, 0x4d1, false }, { 0x510, 0x511, false },
	{ 0x600, 0x60f, false }, { 0xcf8, 0xcff, true }, { 0x2000, 0x2017, false },
	{ 0xb000, 0xb003, false }, { 0xb004, 0xb005, true }, { 0xb008, 0xb00b, false },
};

static const struct ports *find(u32 port, u32 size)
{
	for (unsigned int i = 0; i < ARRAY_LEN(claimed); i++)
		if (port + size > claimed[i].first && port <= claimed[i].last)
			return &claimed[i];
	return NULL;
}

static bool harmful(u32 port, u32 size)
{
	for (u32 i = 0; i < size; i++) {
		const struct ports *p = find((port + i) & 0xffff, 1);

		if (p && p->harmful)
			return true;
	}
	return false;
}

static u32 in(u16 port, u32 size)
{
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void out(u16 port, u32 size, u32 v)
{
	if (size == 1)
		outb(port, (u8)v);
	else if (size == 2)
		outw(port, (u16)v);
	else
		outl(port, v);
}

/* The devices' ports are read as well; what they answer is other payloads' matter. */
static void check_reads(void)
{
	u32 bad = 0, first = 0, v;

	for (u32 port = 0; port < 0x10000; port++) {
		v = in((u16)port, 1);
		if (!find(port, 1) && v != 0xff && !bad++)
			first = port;
	}
	rt_check(!bad, "IN of a byte from all ports", "%u are not ffh; the first %x", bad, first);
	for (u32 i = bad = 0; i < RANDOM_READS; i++) {
		u32 port = rt_random() & 0xffff, size = 2u << (rt_random() & 1);

		v = in((u16)port, size);
		if (port + size <= 0x10000 && !find(port, size) &&
		    v != (size == 2 ? 0xffff : ~0u) && !bad++)
			first = port;
	}
	rt_check(!bad, "IN of words and dwords", "%u are not all ones; one is %x", bad, first);
	in(0xffff, 4);
	in(0xffff, 2);
	in(0xfffd, 4);
}

/* With interrupts off: the interrupt controllers are written as well. */
static void check_writes(void)
{
	for (u32 i = 0; i < RANDOM_WRITES; i++) {
		u32 port = rt_random() & (i & 1 ? 0xffff : 0x7ff), size = 1u << rt_random() % 3;

		if (!harmful(port, size))
			out((u16)port, size, rt_random());
		/* Devices more often than chance has them. */
		port = claimed[rt_random() % ARRAY_LEN(claimed)].first + (rt_random() & 7);
		if (!harmful(port, size))
			out((u16)port, size, rt_random());
	}
	rt_check(true, "random OUTs", " ");
}

/* A window of 2 MiB behind the identity map, for addresses above 4 GiB. */
static volatile u64 pdpt[512] __attribute__((aligned(4096)));
static volatile u64 pd[512] __attribute__((aligned(4096)));

static volatile u8 *window(u64 pa)
{
	rt_pml4[1] = (u64)(ulong)pdpt | 3;
	pdpt[0] = (u64)(ulong)pd | 3;
	pd[0] = (pa & ~0x1fffffull) | 0x83;
	invlpg((void *)VA);
	return (volatile u8 *)(VA + (pa & 0x1fffff));
}

static void check_at(u64 pa)
{
	volatile u8 *p = window(pa);

	rt_quiet(*(volatile u64 *)p == ~0ull, "read of 8", "%llx", pa);
	*(volatile u64 *)p = rt_random();
	*(volatile u32 *)(p + 4) = rt_random();
	*(volatile u16 *)(p + 2) = 0;
	*p = 0;
	rt_quiet(*(volatile u32 *)p == ~0u && *(volatile u16 *)(p + 4) == 0xffff && p[6] == 0xff,
		 "reads after writes", "%llx", pa);
}

static void check_mmio(void)
{
	/* Beside the I/O APIC, vtest, the local APIC, pc-testdev, the ROM at the top. */
	static const u64 beside[] = {
		0xa0000, 0xdfff8, 0xfebffff8, 0xfec01000, 0xfed3fff8, 0xfed42000, 0xfedffff8,
		0xfee01000, 0xfefffff8, 0xff010000, 0xfffdfff8,
	};
	u8 bits = rt.max_ext >= 0x80000008 ? (u8)cpuid(0x80000008).eax : 36;

	for (unsigned int i = 0; i < ARRAY_LEN(beside); i++)
		check_at(beside[i]);
	for (unsigned int bit = 32; bit < bits; bit++) {
		check_at(BIT64(bit));
		check_at(BIT64(bit) * 2 - 8);
	}
	for (unsigned int i = 0; i < MMIO_TRIES; i++) {
		u64 pa = ((u64)rt_random() << 32 | rt_random()) & (BIT64(bits) - 8);

		if (pa >= 0x100000000ull)
			check_at(pa);
	}
	rt_check(true, "addresses that are nothing", " ");
}

/* The firmware's ROM, which is there twice, keeps what it has. */
static void check_rom(void)
{
	static const u32 at[] = { 0xe0000, 0xf0000, 0xffff8, 0xfffe0000, 0xfffffff0 };

	for (unsigned int i = 0; i < ARRAY_LEN(at); i++) {
		volatile u64 *p = (volatile u64 *)window(at[i]);
		u64 v = *p;

		*p = ~v;
		rt_quiet(*p == v, "ROM", "%x: %llx, then %llx", at[i], v, *p);
	}
	rt_check(*(volatile u64 *)window(0xfffffff0) == *(volatile u64 *)window(0xffff0),
		 "the ROM is there twice", " ");
}

static volatile u32 hits;

static void on_irq(unsigned int vector)
{
	hits++;
	if (vector != VEC)
		pic_eoi(vector - PIC_VEC(0));
	else
		apic_eoi();
}

/* What all that did to the devices is undone as a kernel would do it. */
static void check_alive(void)
{
	u32 now;

	pit_quiet();
	pic_init(ICW4_X86, ICW4_X86);
	pic_virtual_wire();
	rt_irq(VEC, on_irq);
	rt_irq(PIC_VEC(0), on_irq);
	apic_ipi(0, APIC_TO_SELF | APIC_ASSERT | VEC);
	sti();
	rt_check(RT_WAIT(hits == 1), "the local APIC is alive", "%u", hits);
	cli();
	pic_open(1);
	outb(PIT_CONTROL, PIT_MODE(0, 2));
	pit_load(0, 1000);
	sti();
	rt_check(RT_WAIT(hits >= 4), "the 8254 and the 8259 are", "%u", hits);
	cli();
	pit_quiet();
	now = pm_now();
	rt_check(RT_WAIT(pm_now() != now), "the PM timer is", " ");
	rt_check(ioapic_read(IOAPIC_VER) >> 16 == 23, "the I/O APIC is", "%x",
		 ioapic_read(IOAPIC_VER));
}

int main(struct rt_info *info)
{
	if (!info->nestbed)
		return rt_skip("other machines have devices there");
	if (!pm_init())
		return rt_skip("no PM timer");
	check_reads();
	check_writes();
	check_mmio();
	check_rom();
	check_alive();
	return rt_result();
}
