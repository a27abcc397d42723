// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "boot/bootinfo.h"
#include "tests/unit/capture.h"
#include "tests/unit/physmem.h"

#define BASE	0x10000
#define SIZE	0x8000

static struct bootinfo b;
static struct capture cap;
static struct physmem mem;
static u64 at;			/* where the next multiboot 2 tag goes */

static int setup(void **state)
{
	physmem_init(&mem, BASE, SIZE);
	return 0;
}

static int teardown(void **state)
{
	physmem_free(&mem);
	return 0;
}

static int parse(u32 magic)
{
	memset(&b, 0xaa, sizeof(b));
	return bootinfo_parse(magic, BASE, &mem.view, &b, capture_start(&cap));
}

static void put32(u64 pa, u32 v)
{
	physmem_put_le(&mem, pa, 4, v);
}

/* Multiboot 1. */

#define MB1(off)	(BASE + (off))

static void mb1_mmap_entry(u64 pa, u64 base, u64 size, u32 type)
{
	put32(pa, 20);
	physmem_put_le(&mem, pa + 4, 8, base);
	physmem_put_le(&mem, pa + 12, 8, size);
	put32(pa + 20, type);
}

static void put_framebuffer(u64 pa, u64 addr, u32 pitch, u32 w, u32 h, u8 bpp, u8 type)
{
	physmem_put_le(&mem, pa, 8, addr);
	put32(pa + 8, pitch);
	put32(pa + 12, w);
	put32(pa + 16, h);
	physmem_put_le(&mem, pa + 20, 1, bpp);
	physmem_put_le(&mem, pa + 21, 1, type);
}

static void mb1_basic(void)
{
	put32(MB1(0), 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	put32(MB1(16), BASE + 0x100);
	physmem_put(&mem, BASE + 0x100, "nestbed.elf seed=1", 19);
	put32(MB1(64), BASE + 0x200);
	physmem_put(&mem, BASE + 0x200, "qemu", 5);
	put32(MB1(44), 48);
	put32(MB1(48), BASE + 0x300);
	mb1_mmap_entry(BASE + 0x300, 0, BASE + SIZE, 1);
	mb1_mmap_entry(BASE + 0x318, 0xfffc0000, 0x40000, 2);
	put32(MB1(20), 2);
	put32(MB1(24), BASE + 0x400);
	put32(BASE + 0x400, BASE + 0x1000);
	put32(BASE + 0x404, BASE + 0x1234);
	put32(BASE + 0x408, BASE + 0x500);
	physmem_put(&mem, BASE + 0x500, "kut:mem=8M a", 13);
	put32(BASE + 0x410, BASE + 0x2000);
	put32(BASE + 0x414, BASE + SIZE);
}

static void test_mb1(void **state)
{
	mb1_basic();
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_int_equal(cap.lines, 0);
	assert_int_equal(b.protocol, 1);
	assert_int_equal(b.firmware, BOOT_FW_BIOS);
	assert_string_equal(b.cmdline, "nestbed.elf seed=1");
	assert_string_equal(b.loader, "qemu");
	assert_int_equal(b.n_ranges, 2);
	assert_int_equal(b.ranges[1].base, 0xfffc0000);
	assert_int_equal(b.ranges[1].size, 0x40000);
	assert_int_equal(b.ranges[1].type, 2);
	assert_int_equal(b.n_modules, 2);
	assert_int_equal(b.modules[0].start, BASE + 0x1000);
	assert_int_equal(b.modules[0].size, 0x234);
	assert_null(b.modules[0].refused);
	assert_string_equal(b.modules[0].cmdline, "kut:mem=8M a");
	assert_string_equal(b.modules[1].cmdline, "");
	assert_int_equal(b.fb.type, BOOT_FB_NONE);
	assert_false(b.has_rsdp_v1 || b.has_rsdp_v2);
}

static void test_mb1_without_map(void **state)
{
	put32(MB1(0), 1);
	put32(MB1(4), 639);
	put32(MB1(8), 65536);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_int_equal(b.n_ranges, 2);
	assert_int_equal(b.ranges[0].size, 639 << 10);
	assert_int_equal(b.ranges[1].base, 1 << 20);
	assert_int_equal(b.ranges[1].size, 64 << 20);
}

static void test_mb1_flags_say_what_is_valid(void **state)
{
	mb1_basic();
	put32(MB1(0), 0);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_int_equal(cap.lines, 0);
	assert_string_equal(b.cmdline, "");
	assert_string_equal(b.loader, "");
	assert_int_equal(b.n_ranges + b.n_modules, 0);
}

static void test_mb1_bad_map(void **state)
{
	mb1_basic();
	put32(BASE + 0x318, 1000);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_one_message(&cap, "memory map entry of 1000 bytes");
	assert_int_equal(b.n_ranges, 1);
	put32(BASE + 0x318, 8);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_one_message(&cap, "memory map entry of 8 bytes");
	put32(MB1(44), SIZE);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_one_message(&cap, "memory map of 32768 bytes at 0x10300 cannot be read");
	assert_int_equal(b.n_modules, 2);
}

static void test_mb1_bad_pointers(void **state)
{
	mb1_basic();
	put32(MB1(16), 0xffffffff);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_one_message(&cap, "the command line at 0xffffffff cannot be read");
	assert_string_equal(b.cmdline, "");

	mb1_basic();
	put32(MB1(20), 0xffffffff);
	put32(MB1(24), BASE + SIZE - 0x11);
	put32(BASE + SIZE - 0x11, BASE);
	put32(BASE + SIZE - 0xd, BASE + 1);
	put32(BASE + SIZE - 9, 0);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_one_message(&cap, "entry of module 1 of 4294967295 cannot be read");
	assert_int_equal(b.n_modules, 1);

	assert_int_equal(bootinfo_parse(MB1_LOADER_MAGIC, BASE + SIZE - 67, &mem.view, &b,
					capture_start(&cap)), -EINVAL);
	assert_one_message(&cap, "cannot be read");
	assert_int_equal(b.protocol, 0);
}

static void test_mb1_string_at_the_end_of_memory(void **state)
{
	mb1_basic();
	put32(MB1(16), BASE + SIZE - 3);
	physmem_put(&mem, BASE + SIZE - 3, "abc", 3);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_one_message(&cap, "cannot be read");
	assert_string_equal(b.cmdline, "abc");
}

static void test_mb1_long_string(void **state)
{
	mb1_basic();
	put32(MB1(16), BASE + 0x3000);
	memset(mem.mem + 0x3000, 'x', 0x2000);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_one_message(&cap, "the command line is longer than 4095 bytes");
	assert_int_equal(strlen(b.cmdline), 4095);
}

static void test_mb1_framebuffer(void **state)
{
	static const u8 colours[6] = { 16, 8, 8, 8, 0, 8 };

	mb1_basic();
	put32(MB1(0), 1 << 12);
	put_framebuffer(MB1(88), 0xfd000000, 4096, 1024, 768, 32, 1);
	physmem_put(&mem, MB1(110), colours, 6);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_int_equal(cap.lines, 0);
	assert_int_equal(b.fb.type, BOOT_FB_RGB);
	assert_int_equal(b.fb.addr, 0xfd000000);
	assert_int_equal(b.fb.width, 1024);
	assert_int_equal(b.fb.height, 768);
	assert_int_equal(b.fb.red.position, 16);
	assert_int_equal(b.fb.blue.size, 8);
}

/* Modules, by either protocol. */

static void test_bad_modules_are_kept_and_marked(void **state)
{
	static const struct { u32 start, end; const char *refused; } rows[] = {
		{ BASE + 0x1000, BASE + 0x2000, NULL },
		{ BASE + 0x2000, BASE + 0x1000, "ends before it starts" },
		{ BASE + 0x2000, BASE + 0x2000, "empty" },
		{ BASE + 0x1fff, BASE + 0x3000, "overlaps another module" },
		{ BASE + 0x2000, BASE + 0x3000, NULL },
		{ BASE + 0x4000, BASE + SIZE + 1, "lies beyond memory" },
		{ 0xffff0000, 0xffffffff, "lies beyond memory" },
		{ 0x1000, 0x2000, "cannot be read" },
	};

	mb1_basic();
	put32(MB1(20), ARRAY_SIZE(rows));
	put32(MB1(24), BASE + 0x600);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put32(BASE + 0x600 + 16 * i, rows[i].start);
		put32(BASE + 0x604 + 16 * i, rows[i].end);
		put32(BASE + 0x608 + 16 * i, BASE + 0x500);
	}
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_int_equal(cap.lines, 6);
	assert_non_null(strstr(cap.text, "module 1 \"kut:mem=8M a\" ends before it starts"));
	assert_int_equal(b.n_modules, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].refused)
			assert_string_equal(b.modules[i].refused, rows[i].refused);
		else
			assert_null(b.modules[i].refused);
	}
}

static void test_module_over_two_ranges_in_any_order(void **state)
{
	mb1_basic();
	put32(MB1(44), 72);
	mb1_mmap_entry(BASE + 0x300, BASE + 0x3000, 0x5000, 1);
	mb1_mmap_entry(BASE + 0x318, BASE + 0x2800, 0x800, 1);
	mb1_mmap_entry(BASE + 0x330, 0, BASE + 0x2900, 1);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_null(b.modules[1].refused);
	mb1_mmap_entry(BASE + 0x318, BASE + 0x2800, 0x7ff, 1);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_string_equal(b.modules[1].refused, "lies beyond memory");
	mb1_mmap_entry(BASE + 0x318, BASE + 0x2800, 0x800, 2);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_string_equal(b.modules[1].refused, "lies beyond memory");
}

static void test_too_many(void **state)
{
	mb1_basic();
	put32(MB1(20), BOOT_MODULES_MAX + 3);
	put32(MB1(24), BASE + 0x6000);
	for (u32 i = 0; i < BOOT_MODULES_MAX + 3; i++) {
		put32(BASE + 0x6000 + 16 * i, BASE + i);
		put32(BASE + 0x6004 + 16 * i, BASE + i + 1);
	}
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_one_message(&cap, "more than 32 modules");
	assert_int_equal(b.n_modules, BOOT_MODULES_MAX);

	put32(MB1(0), 1 << 6);
	put32(MB1(48), BASE + 0x1000);
	put32(MB1(44), 24 * (BOOT_RANGES_MAX + 9));
	for (u32 i = 0; i < BOOT_RANGES_MAX + 9; i++)
		mb1_mmap_entry(BASE + 0x1000 + 24 * i, i * 0x1000, 0x800, 1);
	assert_int_equal(parse(MB1_LOADER_MAGIC), 0);
	assert_one_message(&cap, "more than 256 memory ranges");
	assert_int_equal(b.n_ranges, BOOT_RANGES_MAX);
}

/* Multiboot 2. */

static void mb2_start(void)
{
	memset(mem.mem, 0, 0x1000);
	at = BASE + 8;
}

static u64 mb2_tag(u32 type, u32 size)
{
	u64 tag = at;

	put32(tag, type);
	put32(tag + 4, size);
	at += ALIGN_UP(size, 8U);
	return tag;
}

static int mb2_parse(void)
{
	mb2_tag(0, 8);
	put32(BASE, (u32)(at - BASE));
	return parse(MB2_LOADER_MAGIC);
}

static void mb2_string(u32 type, const char *s)
{
	physmem_put(&mem, mb2_tag(type, 8 + (u32)strlen(s) + 1) + 8, s, strlen(s) + 1);
}

static void mb2_mmap_entry(u64 pa, u64 base, u64 size, u32 type)
{
	physmem_put_le(&mem, pa, 8, base);
	physmem_put_le(&mem, pa + 8, 8, size);
	physmem_put_le(&mem, pa + 16, 8, type);
}

static void test_mb2(void **state)
{
	static const u8 colours[6] = { 0, 8, 8, 8, 16, 8 };
	u64 tag;

	mb2_start();
	mb2_string(1, "mode=tests");
	mb2_string(2, "GRUB 2.06");
	tag = mb2_tag(3, 16 + 6);
	put32(tag + 8, BASE + 0x2000);
	put32(tag + 12, BASE + 0x2fff);
	physmem_put(&mem, tag + 16, "linux", 6);
	tag = mb2_tag(4, 16);
	put32(tag + 8, 640);
	put32(tag + 12, 1000);
	tag = mb2_tag(6, 16 + 2 * 32);
	put32(tag + 8, 32);		/* entries may grow */
	mb2_mmap_entry(tag + 16, 0, 0x80000000, 1);
	mb2_mmap_entry(tag + 48, 1ULL << 32, 1ULL << 40, 1);
	tag = mb2_tag(8, 38);
	put_framebuffer(tag + 8, 0x4000000000, 8192, 1920, 1080, 32, 1);
	physmem_put(&mem, tag + 32, colours, 6);
	physmem_put_le(&mem, mb2_tag(12, 16) + 8, 8, 0x7fe00000123);
	memset(mem.mem + (mb2_tag(14, 28) + 8 - BASE), 0x11, 20);
	memset(mem.mem + (mb2_tag(15, 44) + 8 - BASE), 0x22, 36);
	mb2_tag(77, 12);
	assert_int_equal(mb2_parse(), 0);
	assert_string_equal(cap.text, "");
	assert_int_equal(b.protocol, 2);
	assert_int_equal(b.firmware, BOOT_FW_UEFI);
	assert_string_equal(b.cmdline, "mode=tests");
	assert_string_equal(b.loader, "GRUB 2.06");
	assert_int_equal(b.n_modules, 1);
	assert_int_equal(b.modules[0].size, 0xfff);
	assert_string_equal(b.modules[0].cmdline, "linux");
	assert_int_equal(b.n_ranges, 2);
	assert_int_equal(b.ranges[1].size, 1ULL << 40);
	assert_int_equal(b.fb.type, BOOT_FB_RGB);
	assert_int_equal(b.fb.addr, 0x4000000000);
	assert_int_equal(b.fb.blue.position, 16);
	assert_true(b.efi_64);
	assert_int_equal(b.efi_systab, 0x7fe00000123);
	assert_true(b.has_rsdp_v1 && b.has_rsdp_v2);
	assert_int_equal(b.rsdp_v1[19], 0x11);
	assert_int_equal(b.rsdp_v2[35], 0x22);
	assert_int_equal(b.info_start, BASE);
	assert_int_equal(b.info_size, at - BASE);
}

static void test_mb2_basic_memory_only_without_a_map(void **state)
{
	u64 tag;

	mb2_start();
	tag = mb2_tag(4, 16);
	put32(tag + 8, 640);
	put32(tag + 12, 1000);
	assert_int_equal(mb2_parse(), 0);
	assert_int_equal(b.firmware, BOOT_FW_BIOS);
	assert_int_equal(b.n_ranges, 2);
	assert_int_equal(b.ranges[1].size, 1000 << 10);
}

static void test_mb2_efi32(void **state)
{
	mb2_start();
	put32(mb2_tag(11, 12) + 8, 0x1234);
	assert_int_equal(mb2_parse(), 0);
	assert_int_equal(b.firmware, BOOT_FW_UEFI);
	assert_false(b.efi_64);
	assert_int_equal(b.efi_systab, 0x1234);
}

static void test_mb2_other_efi_tags_tell_the_firmware(void **state)
{
	static const u32 rows[][2] = { { 17, 16 }, { 18, 8 }, { 19, 12 }, { 20, 16 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		mb2_start();
		mb2_tag(rows[i][0], rows[i][1]);
		assert_int_equal(mb2_parse(), 0);
		assert_int_equal(cap.lines, 0);
		assert_int_equal(b.firmware, BOOT_FW_UEFI);
		assert_int_equal(b.efi_systab, 0);
	}
}

static void test_mb2_short_tags_are_ignored(void **state)
{
	static const u32 rows[][2] = {
		/* type, size: one too few */
		{ 1, 8 }, { 2, 8 }, { 3, 15 }, { 4, 15 }, { 6, 15 }, { 8, 31 },
		{ 11, 11 }, { 12, 15 }, { 14, 27 }, { 15, 43 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		mb2_start();
		mb2_tag(rows[i][0], rows[i][1]);
		mb2_string(2, "after");
		assert_int_equal(mb2_parse(), 0);
		assert_one_message(&cap, "ignored");
		assert_string_equal(b.loader, "after");
		assert_int_equal(b.n_modules + b.n_ranges, 0);
		assert_false(b.has_rsdp_v1 || b.has_rsdp_v2);
	}
}

static void test_mb2_bad_sizes_end_the_list(void **state)
{
	static const u32 sizes[] = { 0, 7, 0x1000, 0x7fffffff, 0xfffffff8, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 tag;

		mb2_start();
		mb2_string(2, "before");
		tag = mb2_tag(99, 8);
		put32(tag + 4, sizes[i]);
		mb2_string(1, "after");
		assert_int_equal(mb2_parse(), 0);
		assert_one_message(&cap, "the rest is ignored");
		assert_string_equal(b.loader, "before");
		assert_string_equal(b.cmdline, "");
	}
}

static void test_mb2_total_size_is_distrusted(void **state)
{
	static const u32 sizes[] = { 0, 8, 15, SIZE + 1, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		mb2_start();
		mb2_string(1, "x");
		mb2_tag(0, 8);
		put32(BASE, sizes[i]);
		assert_int_equal(parse(MB2_LOADER_MAGIC), -EINVAL);
		assert_one_message(&cap, "cannot be read");
		assert_int_equal(b.protocol, 0);
	}
}

static void test_mb2_last_tag_without_padding_or_end(void **state)
{
	mb2_start();
	mb2_string(1, "abc");		/* 12 bytes, no end tag */
	put32(BASE, 8 + 12);
	assert_int_equal(parse(MB2_LOADER_MAGIC), 0);
	assert_string_equal(b.cmdline, "abc");
}

static void test_mb2_strings(void **state)
{
	mb2_start();
	memset(mem.mem + (mb2_tag(1, 8 + 16) + 8 - BASE), 'y', 16);
	assert_int_equal(mb2_parse(), 0);
	assert_one_message(&cap, "the command line is not terminated");
	assert_string_equal(b.cmdline, "yyyyyyyyyyyyyyyy");

	mb2_start();
	mb2_string(1, "first");
	mb2_string(1, "second");
	assert_int_equal(mb2_parse(), 0);
	assert_one_message(&cap, "second command line ignored");
	assert_string_equal(b.cmdline, "first");
}

static void test_mb2_bad_map(void **state)
{
	static const u32 sizes[] = { 0, 23 };
	u64 tag;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		mb2_start();
		tag = mb2_tag(6, 16 + 48);
		put32(tag + 8, sizes[i]);
		mb2_mmap_entry(tag + 16, 0, 0x1000, 1);
		assert_int_equal(mb2_parse(), 0);
		assert_one_message(&cap, "bad memory map");
		assert_int_equal(b.n_ranges, 0);
	}
	/* A partial last entry, an empty and a wrapping range. */
	mb2_start();
	tag = mb2_tag(6, 16 + 48 + 20);
	put32(tag + 8, 24);
	mb2_mmap_entry(tag + 16, 0x1000, 0, 1);
	mb2_mmap_entry(tag + 40, 0xfffffffffffff000, 0x2000, 2);
	assert_int_equal(mb2_parse(), 0);
	assert_int_equal(b.n_ranges, 1);
	assert_true(b.ranges[0].base + b.ranges[0].size > b.ranges[0].base);
}

static void test_framebuffers(void **state)
{
	/* clang-format off */
	static const struct {
		u64 addr; u32 pitch, w, h; u8 bpp, type; u32 tag_size; int messages;
		enum boot_fb_type want;
	} rows[] = {
		/* addr	  pitch  w     h    bpp ty  size msgs want */
		{ 0xb8000, 160,  80,   25,  16, 2, 32, 0, BOOT_FB_TEXT },
		{ 0xb8000, 160,  80,   25,  0,  2, 32, 0, BOOT_FB_TEXT },
		{ 0xa0000, 320,  320,  200, 8,  0, 34, 0, BOOT_FB_INDEXED },
		{ 0xe0000000, 3072, 1024, 768, 24, 1, 38, 0, BOOT_FB_RGB },
		{ 0xe0000000, 3071, 1024, 768, 24, 1, 38, 1, BOOT_FB_NONE },
		{ 0xe0000000, 3072, 1024, 768, 24, 1, 37, 1, BOOT_FB_NONE },
		{ 0xe0000000, 3072, 1024, 768, 20, 1, 38, 1, BOOT_FB_NONE },
		{ 0xe0000000, 3072, 1024, 768, 24, 3, 38, 1, BOOT_FB_NONE },
		{ 0xe0000000, 3072, 0,	  768, 24, 1, 38, 1, BOOT_FB_NONE },
		{ 0xe0000000, 3072, 1024, 0,   24, 1, 38, 1, BOOT_FB_NONE },
		{ 0xe0000000, 3072, 1024, 768, 0,  1, 38, 1, BOOT_FB_NONE },
		{ 0xe0000000, 0xffffffff, 16, 768, 65, 1, 38, 1, BOOT_FB_NONE },
		{ 0xfffffffffff00000, 3072, 1024, 768, 24, 1, 38, 1, BOOT_FB_NONE },
		{ 0xe0000000, 4, 0xffffffff, 768, 32, 1, 38, 1, BOOT_FB_NONE },
		{ 0,	   3072, 1024, 768, 24, 1, 38, 0, BOOT_FB_NONE },
	};
	/* clang-format on */
	static const u8 colours[6] = { 16, 8, 8, 8, 0, 8 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 tag;

		mb2_start();
		tag = mb2_tag(8, rows[i].tag_size);
		put_framebuffer(tag + 8, rows[i].addr, rows[i].pitch, rows[i].w, rows[i].h,
				rows[i].bpp, rows[i].type);
		if (rows[i].tag_size == 38)
			physmem_put(&mem, tag + 32, colours, 6);
		assert_int_equal(mb2_parse(), 0);
		assert_int_equal(cap.lines, rows[i].messages);
		assert_int_equal(b.fb.type, rows[i].want);
	}
}

static void test_bad_magic(void **state)
{
	mb1_basic();
	assert_int_equal(parse(0x2badb003), -EINVAL);
	assert_one_message(&cap, "0x2badb003");
	assert_int_equal(b.protocol, 0);
	assert_int_equal(b.n_modules + b.n_ranges, 0);
	assert_string_equal(b.cmdline, "");
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_mb1),
		T(test_mb1_without_map),
		T(test_mb1_flags_say_what_is_valid),
		T(test_mb1_bad_map),
		T(test_mb1_bad_pointers),
		T(test_mb1_string_at_the_end_of_memory),
		T(test_mb1_long_string),
		T(test_mb1_framebuffer),
		T(test_bad_modules_are_kept_and_marked),
		T(test_module_over_two_ranges_in_any_order),
		T(test_too_many),
		T(test_mb2),
		T(test_mb2_basic_memory_only_without_a_map),
		T(test_mb2_efi32),
		T(test_mb2_other_efi_tags_tell_the_firmware),
		T(test_mb2_short_tags_are_ignored),
		T(test_mb2_bad_sizes_end_the_list),
		T(test_mb2_total_size_is_distrusted),
		T(test_mb2_last_tag_without_padding_or_end),
		T(test_mb2_strings),
		T(test_mb2_bad_map),
		T(test_framebuffers),
		T(test_bad_magic),
	};

	return cmocka_run_group_tests_name("bootinfo", tests, NULL, NULL);
}
