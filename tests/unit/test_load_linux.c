// SPDX-License-Identifier: MIT
/* Small bzImages made by hand: Linux Documentation/arch/x86/boot.rst. */
#include "tests/unit/unit.h"

#include "tests/unit/capture.h"
#include "tests/unit/load_build.h"

#define SETUP_SIZE	(3 * 512)
#define CODE_SIZE	0x1230
#define FILE_SIZE	(SETUP_SIZE + CODE_SIZE)
#define ZERO_PAGE	0x10000		/* the lowest place for it */

static struct load_guest g;
static struct load_entry e;
static struct capture cap;
static u8 file[FILE_SIZE + 100];

static int setup(void **state)
{
	guest_init(&g);
	for (u32 i = 0; i < sizeof(file); i++)
		file[i] = (u8)(i * 11 + 3);
	put_bzimage(file, 2, CODE_SIZE);
	g.img.data = file;
	g.img.size = sizeof(file);
	return 0;
}

static int teardown(void **state)
{
	guest_free(&g);
	return 0;
}

static int load(void)
{
	return load_guest(&g.img, &g.mem, &e, capture_start(&cap));
}

static void expect_loaded(void)
{
	assert_int_equal(load(), 0);
	assert_string_equal(cap.text, "");
	assert_int_equal(e.format, LOAD_BZIMAGE);
	assert_int_equal(e.rsi, ZERO_PAGE);
	assert_int_equal(e.eax | e.ebx, 0);
	assert_int_equal(e.cs, 0x10);
	assert_int_equal(e.ds, 0x18);
	assert_int_equal(e.gdt_limit, 0x1f);
}

static void expect_refused(int err, const char *why)
{
	memset(g.ram, 0xcc, GUEST_TOP);
	assert_int_equal(load(), err);
	assert_one_message(&cap, why);
	assert_non_null(strstr(cap.text, "guest kut: refused: "));
	for (u32 i = 0; i < GUEST_LOW; i++)
		assert_int_equal(g.ram[i], 0xcc);
	for (u32 i = GUEST_HIGH; i < GUEST_TOP; i++)
		assert_int_equal(g.ram[i], 0xcc);
}

static const u8 *zero_page(void)
{
	return g.ram + e.rsi;
}

static u64 gdt_entry(u32 selector)
{
	return get_le64(g.ram + e.gdt_base + selector);
}

static void test_64bit_entry(void **state)
{
	expect_loaded();
	assert_int_equal(e.mode, LOAD_MODE_LONG64);
	assert_int_equal(e.rip, 0x120200);
	assert_memory_equal(g.ram + 0x120000, file + SETUP_SIZE, CODE_SIZE);
	/* The rest of init_size is the kernel's to clear; nothing of the file behind it. */
	assert_int_equal(g.ram[0x120000 + CODE_SIZE], 0xcc);
	assert_int_equal(e.end, 0x120000 + 0x30000);
	/* SDM3 3.4.5: 64-bit code, flat data; present, ring 0, accessed. */
	assert_int_equal(gdt_entry(0), 0);
	assert_int_equal(gdt_entry(0x10), 0x00af9b000000ffff);
	assert_int_equal(gdt_entry(0x18), 0x00cf93000000ffff);
}

static void test_32bit_entry(void **state)
{
	/* No XLF_KERNEL_64, or a protocol that has no xloadflags. */
	put_le(file + 0x236, 2, 0xfffe);
	for (int i = 0; i < 2; i++) {
		expect_loaded();
		assert_int_equal(e.mode, LOAD_MODE_PROT32);
		assert_int_equal(e.rip, 0x120000);
		assert_int_equal(e.cr3, 0);
		assert_int_equal(gdt_entry(0x10), 0x00cf9b000000ffff);
		assert_int_equal(gdt_entry(0x18), 0x00cf93000000ffff);
		put_le(file + 0x236, 2, 1);
		put_le(file + 0x206, 2, 0x20b);
	}
}

/* Walks as the CPU does: SDM3 4.5. */
static u64 translate(u64 va)
{
	u64 e4 = get_le64(g.ram + e.cr3 + 8 * (va >> 39 & 511)), e3, e2;

	assert_int_equal(e4 & 0xfff, 0x23);
	e3 = get_le64(g.ram + (e4 & ~0xfffULL) + 8 * (va >> 30 & 511));
	assert_int_equal(e3 & 0xfff, 0x23);
	e2 = get_le64(g.ram + (e3 & ~0xfffULL) + 8 * (va >> 21 & 511));
	/* Present, writable, accessed, dirty, large. */
	assert_int_equal(e2 & 0x1fffff, 0xe3);
	return (e2 & ~0x1fffffULL) | (va & 0x1fffff);
}

static void test_page_tables(void **state)
{
	expect_loaded();
	assert_int_equal(e.cr3 & 0xfff, 0);
	for (u64 va = 0; va < 1ULL << 32; va += 0x1ff000)
		assert_int_equal(translate(va), va);
	assert_int_equal(translate(0xffffffff), 0xffffffff);
	/* And nothing else. */
	assert_int_equal(get_le64(g.ram + e.cr3 + 8), 0);
	assert_int_equal(get_le64(g.ram + (get_le64(g.ram + e.cr3) & ~0xfffULL) + 32), 0);
}

static void test_zero_page(void **state)
{
	static const u32 zeros[] = { 0x000, 0x1e9, 0x1ef, 0x26c, 0x290, 0xfff };
	const u8 *z;

	g.map[1].type = MEM_ACPI;
	g.img.rsdp = 0xe1230;
	put_le(file + 0x250, 8, 0x1234);	/* setup_data: the boot loader's */
	expect_loaded();
	z = zero_page();
	assert_int_equal(get_le64(z + 0x070), 0xe1230);
	/* E820, with the types of the map. */
	assert_int_equal(z[0x1e8], 3);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(get_le64(z + 0x2d0 + 20 * i), g.map[i].base);
		assert_int_equal(get_le64(z + 0x2d8 + 20 * i), g.map[i].size);
		assert_int_equal(get_le32(z + 0x2e0 + 20 * i), g.map[i].type);
	}
	assert_int_equal(get_le32(z + 0x2d0 + 60), 0);
	/* The header up to its end, 0x202 + 0x6a, with the loader's fields. */
	assert_int_equal(z[0x1f1], 2);
	assert_int_equal(get_le32(z + 0x1f4), CODE_SIZE / 16);
	assert_int_equal(get_le16(z + 0x1fa), 0xffff);
	assert_int_equal(get_le16(z + 0x1fe), 0xaa55);
	assert_memory_equal(z + 0x202, "HdrS", 4);
	assert_int_equal(get_le16(z + 0x206), 0x20f);
	assert_int_equal(z[0x210], 0xff);
	assert_int_equal(z[0x211], 0x01);	/* no CAN_USE_HEAP */
	assert_int_equal(get_le32(z + 0x214), 0x120000);
	assert_int_equal(get_le32(z + 0x218), 0);
	assert_int_equal(get_le32(z + 0x21c), 0);
	assert_int_equal(get_le16(z + 0x224), 0);
	assert_int_equal(get_le16(z + 0x226), 0);
	assert_string_equal((char *)g.ram + get_le32(z + 0x228), "a b");
	assert_int_equal(get_le32(z + 0x23c), 0);
	assert_int_equal(get_le64(z + 0x250), 0);
	assert_int_equal(get_le32(z + 0x260), 0x30000);
	assert_memory_equal(z + 0x264, file + 0x264, 8);
	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		assert_int_equal(z[zeros[i]], 0);
	/* Command line and GDT are above it, below 0x9a000. */
	assert_in_range(get_le32(z + 0x228), e.rsi + 0x1000, 0x99fff);
	assert_in_range(e.gdt_base, e.rsi + 0x1000, 0x99fff);
}

static void test_types_of_our_own_are_reserved(void **state)
{
	g.map[1].type = MEM_TAKEN;
	expect_loaded();
	assert_int_equal(get_le32(zero_page() + 0x2e0 + 20), MEM_RESERVED);
}

static void test_cmdline(void **state)
{
	static char text[0x200];
	struct load_image *img = &g.img;

	memset(text, 'x', 0x101);
	img->cmdline = text;
	put_le(file + 0x238, 4, 0x100);
	expect_refused(-E2BIG, "command line of 257 characters, the kernel takes 256");
	text[0x100] = 0;
	expect_loaded();
	assert_string_equal((char *)g.ram + get_le32(zero_page() + 0x228), text);
	/* An empty one is still there. */
	img->cmdline = "";
	expect_loaded();
	assert_int_not_equal(get_le32(zero_page() + 0x228), 0);
	assert_int_equal(g.ram[get_le32(zero_page() + 0x228)], 0);
}

static void test_setup_sects(void **state)
{
	/* 0 means 4. */
	file[0x1f1] = 0;
	put_le(file + 0x1f4, 4, 0x30);
	expect_loaded();
	assert_memory_equal(g.ram + 0x120000, file + 5 * 512, 0x300);
}

static void test_kernel_place(void **state)
{
	/* Where it wants to be, unless that is not aligned. */
	put_le(file + 0x258, 8, 0x121000);
	expect_loaded();
	assert_int_equal(e.rip, 0x130200);
	put_le(file + 0x230, 4, 0x1000);
	expect_loaded();
	assert_int_equal(e.rip, 0x121200);
	assert_int_equal(get_le32(zero_page() + 0x214), 0x121000);
	/* Up to the last byte of memory, but never below pref_address. */
	put_le(file + 0x258, 8, GUEST_TOP - 0x30000);
	expect_loaded();
	assert_int_equal(e.rip, GUEST_TOP - 0x30000 + 0x200);
	/* 0: no preference. */
	put_le(file + 0x258, 8, 0);
	expect_loaded();
	assert_int_equal(e.rip, GUEST_HIGH + 0x200);
	/* The file counts when it is larger than init_size. */
	put_le(file + 0x260, 4, 0);
	expect_loaded();
	assert_int_equal(e.end, GUEST_HIGH + CODE_SIZE);
}

static void test_kernel_does_not_fit(void **state)
{
	static const struct { u64 pref; u32 init; const char *why; } rows[] = {
		{ GUEST_TOP - 0x20000, 0x20001, "the kernel needs 0x20001 bytes from 0x1e0000" },
		{ GUEST_TOP, 0x1000, "the kernel needs 0x1230 bytes from 0x200000" },
		{ 0x100000, 0xffffffff, "the kernel needs 0xffffffff bytes from 0x100000" },
		{ ~0ULL, 0x1000, "the kernel needs 0x1230 bytes from 0xffffffffffffffff" },
		{ 1ULL << 32, 0x1000, "the kernel needs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put_le(file + 0x258, 8, rows[i].pref);
		put_le(file + 0x260, 4, rows[i].init);
		expect_refused(-ENOSPC, rows[i].why);
	}
}

static void test_not_relocatable(void **state)
{
	/* Loaded at 1 MiB; it moves itself to pref_address. */
	file[0x234] = 0;
	put_le(file + 0x230, 4, 0);
	put_le(file + 0x258, 8, 0x180000);
	expect_loaded();
	assert_int_equal(e.rip, GUEST_HIGH + 0x200);
	assert_int_equal(e.end, 0x1b0000);
	put_le(file + 0x258, 8, 0x1d0001);
	expect_refused(-ENOSPC, "the kernel needs 0x100001 bytes from 0x100000");
	put_le(file + 0x258, 8, ~0ULL);
	expect_refused(-ENOSPC, "the kernel needs");
	put_le(file + 0x258, 8, 0x100000);
	expect_loaded();
	assert_int_equal(e.end, 0x130000);
}

static void test_initrd(void **state)
{
	static u8 data[0x2345];
	struct load_module initrd = { data, sizeof(data), "ignored" };

	memset(data, 0x5a, sizeof(data));
	g.img.initrd = &initrd;
	expect_loaded();
	/* As high as there is memory, on a page. */
	assert_int_equal(get_le32(zero_page() + 0x218), GUEST_TOP - 0x3000);
	assert_int_equal(get_le32(zero_page() + 0x21c), sizeof(data));
	assert_memory_equal(g.ram + GUEST_TOP - 0x3000, data, sizeof(data));
	assert_int_equal(g.ram[GUEST_TOP - 0x3000 + sizeof(data)], 0xcc);
	/* initrd_addr_max is the last byte that may be used. */
	put_le(file + 0x22c, 4, 0x182344);
	expect_loaded();
	assert_int_equal(get_le32(zero_page() + 0x218), 0x180000);
	put_le(file + 0x22c, 4, 0x182343);
	expect_loaded();
	assert_int_equal(get_le32(zero_page() + 0x218), 0x17f000);
	/* Below the kernel and what it needs, if there is no room above. */
	put_le(file + 0x22c, 4, 0x150fff);
	expect_loaded();
	assert_int_equal(get_le32(zero_page() + 0x218), 0x11d000);
}

static void test_bad_initrd(void **state)
{
	static const u8 data[0x100000];
	struct load_module initrd = { data, 0, "" };

	g.img.initrd = &initrd;
	expect_refused(-EINVAL, "the initrd is empty");
	initrd.size = 0xb1000;
	expect_refused(-ENOSPC, "no room for the initrd of 0xb1000 bytes below 0x80000000");
	initrd.size = ~0ULL;
	expect_refused(-ENOSPC, "no room for the initrd");
	initrd.size = 0x1000;
	put_le(file + 0x22c, 4, 0);
	expect_refused(-ENOSPC, "no room for the initrd of 0x1000 bytes below 0x1");
	g.img.modules = &initrd;
	g.img.n_modules = 1;
	expect_refused(-EOPNOTSUPP, "a Linux kernel takes an initrd and no modules");
}

static void test_truncated(void **state)
{
	g.img.size = FILE_SIZE;
	expect_loaded();
	guest_free(&g);
	setup(NULL);
	g.img.size = FILE_SIZE - 1;
	expect_refused(-EINVAL, "truncated: bzImage of 0x1830 bytes, the file has 0x182f");
	g.img.size = SETUP_SIZE - 1;
	expect_refused(-EINVAL, "truncated: bzImage of 0x1830 bytes, the file has 0x5ff");
	g.img.size = 0x202 + 0x6a - 1;
	expect_refused(-EINVAL, "truncated: bzImage header is not complete");
	g.img.size = 0x206;
	expect_refused(-EINVAL, "truncated: bzImage header is not complete");
	g.img.size = FILE_SIZE;
	put_le(file + 0x1f4, 4, 0xffffffff);
	expect_refused(-EINVAL, "truncated: bzImage of 0x10000005f0 bytes");
}

static void test_bad_header(void **state)
{
	/* clang-format off */
	static const struct { u32 at, n; u64 value; int err; const char *why; } rows[] = {
		{ 0x206, 2, 0x209,	-EOPNOTSUPP,
		  "boot protocol 2.09 is too old, 2.10 is needed" },
		{ 0x206, 2, 0,		-EOPNOTSUPP, "boot protocol 0.00 is too old" },
		{ 0x211, 1, 0x80,	-EOPNOTSUPP, "a zImage, not a bzImage" },
		{ 0x201, 1, 0x61,	-EINVAL, "bzImage header ends at 0x263" },
		{ 0x201, 1, 0x8f,	-EINVAL, "bzImage header ends at 0x291" },
		{ 0x1f4, 4, 0,		-EINVAL, "bzImage with a kernel of 0 bytes" },
		{ 0x1f4, 4, 0x20,	-EINVAL, "bzImage with a kernel of 512 bytes" },
		{ 0x230, 4, 0,		-EINVAL, "kernel_alignment 0x0" },
		{ 0x230, 4, 0x3000,	-EINVAL, "kernel_alignment 0x3000" },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u8 old[8];

		memcpy(old, file + rows[i].at, 8);
		put_le(file + rows[i].at, rows[i].n, rows[i].value);
		expect_refused(rows[i].err, rows[i].why);
		memcpy(file + rows[i].at, old, 8);
	}
	/* The limits themselves are good. */
	file[0x201] = 0x62;
	expect_loaded();
	file[0x201] = 0x8e;
	expect_loaded();
	assert_memory_equal(zero_page() + 0x264, file + 0x264, 0x2c);
	assert_int_equal(zero_page()[0x290], 0);
}

static void test_no_room(void **state)
{
	static struct mem_range many[129];

	/* Low memory that is too small for zero page, tables and command line. */
	g.map[0].size = 0x17000;
	expect_refused(-ENOSPC, "no room for the boot information");
	g.map[0].size = GUEST_LOW;
	for (u32 i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct mem_range){ GUEST_TOP + i, 1, MEM_RESERVED };
	memcpy(many, g.map, sizeof(g.map));
	g.img.map = many;
	g.img.n_map = ARRAY_SIZE(many);
	expect_refused(-EINVAL, "memory map of 129 ranges");
	g.img.n_map = 128;
	expect_loaded();
	assert_int_equal(zero_page()[0x1e8], 128);
	assert_int_equal(get_le64(zero_page() + 0x2d0 + 127 * 20), GUEST_TOP + 127);
}

static void test_map_and_memory_disagree(void **state)
{
	assert_int_equal(gmem_remove(&g.mem, 0), 0);
	assert_int_equal(load(), -ENOSPC);
	assert_one_message(&cap, "cannot be written");
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_64bit_entry),
		T(test_32bit_entry),
		T(test_page_tables),
		T(test_zero_page),
		T(test_types_of_our_own_are_reserved),
		T(test_cmdline),
		T(test_setup_sects),
		T(test_kernel_place),
		T(test_kernel_does_not_fit),
		T(test_not_relocatable),
		T(test_initrd),
		T(test_bad_initrd),
		T(test_truncated),
		T(test_bad_header),
		T(test_no_room),
		T(test_map_and_memory_disagree),
	};

	return cmocka_run_group_tests_name("load_linux", tests, NULL, NULL);
}
