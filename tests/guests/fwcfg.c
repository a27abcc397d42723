// SPDX-License-Identifier: MIT
#include "tests/guests/rt/smp.h"

PAYLOAD(fwcfg, .ref = "QEMU docs/specs/fw_cfg", .cpus = "2",
	.desc = "firmware configuration: signature, id, CPUs, RAM size, file directory");

#define SELECTOR	0x510
#define DATA		0x511

enum {
	KEY_SIGNATURE = 0, KEY_ID = 1, KEY_RAM_SIZE = 3, KEY_CPUS = 5, KEY_MAX_CPUS = 0xf,
	KEY_DIR = 0x19, KEY_FIRST_FILE = 0x20,
};

static void select(u16 key)
{
	outw(SELECTOR, key);
}

static void bytes(void *to, unsigned int n)
{
	for (u8 *p = to; n--; p++)
		*p = inb(DATA);
}

/* Little-endian, as most items are. */
static u64 number(u16 key, unsigned int n)
{
	u64 v = 0;

	select(key);
	bytes(&v, n);
	return v;
}

static u32 be(const u8 *p, unsigned int n)
{
	u32 v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static void check_items(u64 mem)
{
	char sig[8];
	u64 ram;

	select(KEY_SIGNATURE);
	bytes(sig, 8);
	rt_check(!memcmp(sig, "QEMU", 4), "signature", "%x", (u32)sig[0]);
	rt_check(!memcmp(sig + 4, "\0\0\0\0", 4), "behind the end there are zeros", " ");
	select(KEY_SIGNATURE);
	bytes(sig, 2);
	select(KEY_SIGNATURE);
	bytes(sig, 4);
	rt_check(!memcmp(sig, "QEMU", 4), "selecting starts again", " ");
	rt_check(number(KEY_ID, 4) & 1, "id: the traditional interface", "%x",
		 (u32)number(KEY_ID, 4));
	ram = number(KEY_RAM_SIZE, 8);
	/* Multiboot's upper memory ends with it, less what firmware keeps. */
	rt_check(ram >= mem && ram - mem <= 1 << 20, "RAM size", "%llx; memory ends at %llx", ram,
		 mem);
	rt_check(number(0x1ff, 4) == 0, "an item that is not there", " ");
}

static void check_cpus(void)
{
	u32 cpus = (u32)number(KEY_CPUS, 2), max = (u32)number(KEY_MAX_CPUS, 2);

	rt_check(cpus == 2 && max >= cpus, "CPUs", "%u of at most %u", cpus, max);
	rt_check(rt_smp_start(cpus) == cpus, "they start", " ");
}

/* docs/specs/fw_cfg: count, then size, select, reserved, name[56]; big-endian. */
static void check_directory(void)
{
	u8 count[4], e[64];
	u32 n, bad = 0;

	select(KEY_DIR);
	bytes(count, 4);
	n = be(count, 4);
	rt_printf("NOTE %u files\n", n);
	rt_check(n < 256, "number of files", "%u", n);
	for (u32 i = 0; i < n; i++) {
		bytes(e, sizeof(e));
		bad += be(e + 4, 2) < KEY_FIRST_FILE || be(e + 6, 2) || !e[8] || e[63];
	}
	rt_check(!bad, "entries of the directory", "%u wrong", bad);
	bytes(e, 1);
	rt_check(!e[0], "and its end", "%x", e[0]);
}

int main(struct rt_info *info)
{
	check_items(info->mem);
	check_cpus();
	check_directory();
	return rt_result();
}
