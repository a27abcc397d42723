// SPDX-License-Identifier: MIT
/*
 * Kernels with addresses in their header, and the boot information, which
 * boot/bootinfo.c must be able to read back.
 */
#include "tests/unit/unit.h"

#include "boot/bootinfo.h"
#include "tests/unit/capture.h"
#include "tests/unit/load_build.h"

#define FILE_SIZE	0x1000
#define HEADER		0x40

static struct load_guest g;
static struct load_entry e;
static struct capture cap;
static struct bootinfo b;
static u8 file[FILE_SIZE];

static int setup(void **state)
{
	guest_init(&g);
	for (u32 i = 0; i < FILE_SIZE; i++)
		file[i] = (u8)(i * 5);
	return 0;
}

static int teardown(void **state)
{
	guest_free(&g);
	return 0;
}

static void put_addresses(u32 header, u32 load, u32 load_end, u32 bss_end, u32 entry)
{
	put_mb1_header(file + HEADER, 1 << 16);
	put_le(file + HEADER + 12, 4, header);
	put_le(file + HEADER + 16, 4, load);
	put_le(file + HEADER + 20, 4, load_end);
	put_le(file + HEADER + 24, 4, bss_end);
	put_le(file + HEADER + 28, 4, entry);
}

static int load(void)
{
	g.img.data = file;
	g.img.size = FILE_SIZE;
	return load_guest(&g.img, &g.mem, &e, capture_start(&cap));
}

static void test_addresses(void **state)
{
	/* The file from 0x20 on lies at 0x110000. */
	put_addresses(0x110020, 0x110000, 0x110100, 0x110180, 0x110030);
	assert_int_equal(load(), 0);
	assert_int_equal(cap.lines, 0);
	assert_int_equal(e.format, LOAD_MB1_AOUT);
	assert_int_equal(e.rip, 0x110030);
	assert_memory_equal(g.ram + 0x110000, file + 0x20, 0x100);
	for (u32 i = 0x100; i < 0x180; i++)
		assert_int_equal(g.ram[0x110000 + i], 0);
	assert_int_equal(g.ram[0x110180], 0xcc);
	assert_int_equal(e.end, 0x110180);
}

static void test_addresses_default_to_the_file(void **state)
{
	put_addresses(0x110000 + HEADER, 0x110000, 0, 0, 0x110000);
	assert_int_equal(load(), 0);
	assert_memory_equal(g.ram + 0x110000, file, FILE_SIZE);
	assert_int_equal(e.end, 0x110000 + FILE_SIZE);
}

static void test_bad_addresses(void **state)
{
	/* clang-format off */
	static const struct { u32 header, load, load_end, bss_end, entry; int err;
			      const char *message; } rows[] = {
		/* header   load      load_end  bss_end   entry */
		{ 0x110041, 0x110000, 0,	0,	  0x110000, -EINVAL, "does not fit" },
		{ 0x110000, 0x110001, 0,	0,	  0x110001, -EINVAL, "does not fit" },
		{ 0x110040, 0x110000, 0x110000, 0,	  0x110000, -EINVAL, "load_end_addr" },
		{ 0x110040, 0x110000, 0x10ffff, 0,	  0x110000, -EINVAL, "load_end_addr" },
		{ 0x110040, 0x110000, 0x111001, 0,	  0x110000, -EINVAL, "truncated" },
		{ 0x110040, 0x110000, 0x111000, 0x110fff, 0x110000, -EINVAL, "bss_end_addr" },
		{ 0x110040, 0x110000, 0x111000, 0x200001, 0x110000, -ENOSPC, "beyond" },
		{ 0x110040, 0x110000, 0x111000, 0xffffffff, 0x110000, -ENOSPC, "beyond" },
		{ 0xffffffff, 0xfffffff0, 0,	0,	  0xfffffff0, -ENOSPC, "beyond" },
		{ 0x110040, 0x110000, 0x111000, 0x112000, 0x111000, -EINVAL, "entry 0x111000" },
		{ 0x110040, 0x110000, 0x111000, 0x112000, 0x10ffff, -EINVAL, "entry 0x10ffff" },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put_addresses(rows[i].header, rows[i].load, rows[i].load_end, rows[i].bss_end,
			      rows[i].entry);
		assert_int_equal(load(), rows[i].err);
		assert_one_message(&cap, rows[i].message);
		assert_int_equal(g.ram[0x110000], 0xcc);
	}
}

static void test_flags(void **state)
{
	put_addresses(0x110000 + HEADER, 0x110000, 0, 0, 0x110000);
	put_mb1_header(file + HEADER, 1 << 16 | 3);
	assert_int_equal(load(), 0);
	put_mb1_header(file + HEADER, 1 << 16 | 4);
	assert_int_equal(load(), -EOPNOTSUPP);
	assert_one_message(&cap, "asks for a video mode");
	put_mb1_header(file + HEADER, 1 << 16 | 8);
	assert_int_equal(load(), -EOPNOTSUPP);
	assert_one_message(&cap, "flags 0x10008 are not known");
	/* Bits above 16 are optional. */
	put_mb1_header(file + HEADER, 0x80000000 | 1 << 16);
	assert_int_equal(load(), 0);
}

static void test_header_search(void **state)
{
	static u8 big[9000];

	assert_int_equal(mb1_find_header(big, sizeof(big)), -ENOENT);
	put_mb1_header(big + 8192 - 8, 0);	/* reaches over 8 KiB */
	assert_int_equal(mb1_find_header(big, sizeof(big)), -ENOENT);
	put_mb1_header(big + 8192 - 12, 0);
	assert_int_equal(mb1_find_header(big, sizeof(big)), 8192 - 12);
	put_mb1_header(big + 102, 0);		/* not on 4 bytes */
	assert_int_equal(mb1_find_header(big, sizeof(big)), 8192 - 12);
	put_mb1_header(big + 100, 0);
	assert_int_equal(mb1_find_header(big, 112), 100);
	assert_int_equal(mb1_find_header(big, 111), -ENOENT);
	big[108] ^= 1;				/* checksum */
	assert_int_equal(mb1_find_header(big, 112), -ENOENT);
	/* With addresses it is longer. */
	put_mb1_header(big + 100, 1 << 16);
	assert_int_equal(mb1_find_header(big, 131), -ENOENT);
	assert_int_equal(mb1_find_header(big, 132), 100);
}

static const void *guest_view(void *ctx, u64 pa, u64 len)
{
	return gmem_ptr(&g.mem, pa, len);
}

static void read_back(void)
{
	const struct phys_view view = { guest_view, NULL };

	assert_int_equal(bootinfo_parse(e.eax, e.ebx, &view, &b, capture_start(&cap)), 0);
	assert_string_equal(cap.text, "");
}

static void test_information(void **state)
{
	static const u8 rd1[5000] = "first", rd2[3] = "2nd";
	static const struct load_module modules[] = {
		{ rd1, sizeof(rd1), "rd1 with args" },
		{ rd2, sizeof(rd2), "rd2" },
	};

	put_addresses(0x110000 + HEADER, 0x110000, 0, 0, 0x110000);
	g.img.modules = modules;
	g.img.n_modules = 2;
	assert_int_equal(load(), 0);
	assert_int_equal(cap.lines, 0);
	assert_in_range(e.ebx, 0x9000, 0x9efff);
	read_back();
	assert_string_equal(b.cmdline, "kut a b");
	assert_string_equal(b.loader, "nestbed");
	assert_int_equal(b.n_ranges, 3);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(b.ranges[i].base, g.map[i].base);
		assert_int_equal(b.ranges[i].size, g.map[i].size);
		assert_int_equal(b.ranges[i].type, g.map[i].type);
	}
	assert_int_equal(b.n_modules, 2);
	assert_int_equal(b.modules[0].start, 0x111000);
	assert_int_equal(b.modules[0].size, sizeof(rd1));
	assert_int_equal(b.modules[1].start, 0x113000);
	assert_int_equal(b.modules[1].size, sizeof(rd2));
	assert_string_equal(b.modules[0].cmdline, "rd1 with args");
	assert_string_equal(b.modules[1].cmdline, "rd2");
	assert_memory_equal(g.ram + 0x111000, rd1, sizeof(rd1));
	assert_memory_equal(g.ram + 0x113000, rd2, sizeof(rd2));
	/* mem_lower and mem_upper, KiB; nothing of what is not there. */
	assert_int_equal(g.ram[e.ebx + 4] | g.ram[e.ebx + 5] << 8, 640);
	assert_int_equal(g.ram[e.ebx + 8] | g.ram[e.ebx + 9] << 8, 1024);
	assert_int_equal(g.ram[e.ebx] | g.ram[e.ebx + 1] << 8, 0x24d);
}

static void test_information_evades_the_kernel(void **state)
{
	/* A kernel over all of low memory. */
	g.map[1].type = MEM_TAKEN;
	put_addresses(0x1000 + HEADER, 0x1000, 0x2000, 0x9f000, 0x1000);
	assert_int_equal(load(), 0);
	assert_true(e.ebx >= 0x9f000);
	read_back();
	/* Types of our own become "reserved". */
	assert_int_equal(b.ranges[1].type, MEM_RESERVED);

	/* A kernel in its middle. */
	put_addresses(0x9000 + HEADER, 0x9000, 0xa000, 0xa001, 0x9000);
	assert_int_equal(load(), 0);
	assert_int_equal(e.ebx, 0xa008);
	read_back();
}

static void test_no_room(void **state)
{
	static const u8 big[0x100000];
	struct load_module m = { big, 0xef000, "rd" };

	put_addresses(0x110000 + HEADER, 0x110000, 0, 0, 0x110000);
	g.img.modules = &m;
	g.img.n_modules = 1;
	assert_int_equal(load(), 0);
	m.size++;
	assert_int_equal(load(), -ENOSPC);
	assert_one_message(&cap, "guest kut: refused: no room for module \"rd\" of 0xef001 bytes");
	m.size = ~0ULL;
	assert_int_equal(load(), -ENOSPC);
	m.size = 0;
	assert_int_equal(load(), -EINVAL);
	assert_one_message(&cap, "module \"rd\" is empty");
	g.img.n_modules = PLAN_MODULES_MAX + 1;
	assert_int_equal(load(), -EINVAL);
	assert_one_message(&cap, "more than 16 modules");

	/* No byte is left for the information. */
	g.img.n_modules = 0;
	g.img.map = g.map + 2;
	g.img.n_map = 1;
	put_addresses(0x100000 + HEADER, 0x100000, 0x101000, 0x200000, 0x100000);
	assert_int_equal(load(), -ENOSPC);
	assert_one_message(&cap, "no room for the boot information");
	put_addresses(0x100000 + HEADER, 0x100000, 0x101000, 0x1ff000, 0x100000);
	assert_int_equal(load(), 0);
	assert_int_equal(e.ebx, 0x1ff000);
}

static void test_map_and_memory_disagree(void **state)
{
	/* The map says RAM where the guest has none: refused, no crash. */
	g.map[2].size += 0x100000;
	put_addresses(0x1ff000 + HEADER, 0x1ff000, 0, 0x201000, 0x1ff000);
	assert_int_equal(load(), -ENOSPC);
	assert_one_message(&cap, "0x2000 bytes at 0x1ff000 cannot be written");
	g.map[0].base = 0xa0000;
	put_addresses(0x110000 + HEADER, 0x110000, 0, 0x1fffc0, 0x110000);
	g.map[1] = (struct mem_range){ 0xf0000, 0, MEM_RESERVED };
	g.map[0] = (struct mem_range){ 0xb0000, 0x1000, MEM_RAM };
	assert_int_equal(load(), -ENOSPC);
	assert_one_message(&cap, "cannot be written");
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_addresses),
		T(test_addresses_default_to_the_file),
		T(test_bad_addresses),
		T(test_flags),
		T(test_header_search),
		T(test_information),
		T(test_information_evades_the_kernel),
		T(test_no_room),
		T(test_map_and_memory_disagree),
	};

	return cmocka_run_group_tests_name("load_mb1", tests, NULL, NULL);
}
