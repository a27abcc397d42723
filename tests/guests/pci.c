// SPDX-License-Identifier: MIT
#include "tests/guests/rt/pc.h"

PAYLOAD(pci, .ref = "PCI 3.0, 3.2.2.3.2; ICH9 13.7.5",
	.desc = "configuration mechanism 1: address register, sizes, an empty bus");

#define ADDRESS		0xcf8
#define DATA		0xcfc
#define ENABLE		0x80000000u

static u32 address(unsigned int bus, unsigned int dev, unsigned int fn, unsigned int reg)
{
	return ENABLE | bus << 16 | dev << 11 | fn << 8 | reg;
}

static u32 config(u32 addr)
{
	outl(ADDRESS, addr);
	return inl(DATA);
}

/* Only a dword is the register; bits 30:24, 1 and 0 are read-only and 0. */
static void check_address(void)
{
	u32 v = 0x80fedc98;

	outl(ADDRESS, v);
	rt_check(inl(ADDRESS) == v, "CONFIG_ADDRESS", "%x", inl(ADDRESS));
	outb(ADDRESS, 0x12);
	outb(ADDRESS + 1, 0);		/* reset control, no reset */
	outb(ADDRESS + 2, 0x34);
	outb(ADDRESS + 3, 0x56);
	rt_check(inl(ADDRESS) == v, "bytes do not reach it", "%x", inl(ADDRESS));
	outw(ADDRESS, 0x1234);
	outw(ADDRESS + 2, 0x1234);
	rt_check(inl(ADDRESS) == v, "words do not reach it", "%x", inl(ADDRESS));
	outl(ADDRESS, ~0u);
	rt_known(pc_is_qemu(), inl(ADDRESS) == 0x80fffffc, "its read-only bits",
		 "QEMU 7.2 hw/pci/pci_host.c pci_host_config_write keeps all");
	outl(ADDRESS, 0);
	rt_check(inl(ADDRESS) == 0, "CONFIG_ADDRESS 0", "%x", inl(ADDRESS));
}

static void check_sizes(u32 addr)
{
	u32 v = config(addr);

	for (unsigned int i = 0; i < 4; i++)
		rt_quiet(inb((u16)(DATA + i)) == (u8)(v >> 8 * i), "byte", "%x + %u: %x of %x",
			 addr, i, inb((u16)(DATA + i)), v);
	for (unsigned int i = 0; i < 4; i += 2)
		rt_quiet(inw((u16)(DATA + i)) == (u16)(v >> 8 * i), "word", "%x + %u: %x of %x",
			 addr, i, inw((u16)(DATA + i)), v);
	outl(ADDRESS, addr & ~ENABLE);
	rt_quiet(inl(DATA) == ~0u, "without the enable bit", "%x: %x", addr, inl(DATA));
}

static unsigned int functions(void)
{
	unsigned int n = 0;

	for (unsigned int dev = 0; dev < 32; dev++)
		for (unsigned int fn = 0; fn < 8; fn++)
			n += config(address(0, dev, fn, 0)) != ~0u;
	return n;
}

/* Nobody answers, whatever the register; writes change nothing. */
static void check_empty(void)
{
	for (unsigned int i = 0; i < 1000; i++) {
		u32 addr = ENABLE | (rt_random() & 0xfffffc);

		rt_quiet(config(addr) == ~0u, "an empty bus", "%x: %x", addr, inl(DATA));
		outl(DATA, rt_random());
		rt_quiet(inl(DATA) == ~0u, "after a write", "%x: %x", addr, inl(DATA));
		check_sizes(addr);
	}
}

int main(struct rt_info *info)
{
	unsigned int n;

	check_address();
	n = functions();
	rt_printf("NOTE %u functions on bus 0\n", n);
	for (unsigned int reg = 0; reg < 0x40; reg += 4)
		check_sizes(address(0, 0, 0, reg));
	/* A machine with a bus has a host bridge there: PCI 3.0, 6.2.1, class 6. */
	if (info->nestbed || !n)
		check_empty();
	else
		rt_check(config(address(0, 0, 0, 8)) >> 16 == 0x0600, "host bridge", "%x",
			 config(address(0, 0, 0, 8)));
	if (info->nestbed)
		rt_check(!n, "no functions", "%u", n);
	rt_check(config(address(0xff, 31, 7, 0)) == ~0u, "a bus that is not there", " ");
	return rt_result();
}
