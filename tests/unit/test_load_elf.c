// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tests/unit/capture.h"
#include "tests/unit/load_build.h"

#define FILE_SIZE	0x2000

static struct load_guest g;
static struct load_entry e;
static struct capture cap;
static u8 *file;

static int setup(void **state)
{
	guest_init(&g);
	file = malloc(FILE_SIZE);
	for (u32 i = 0; i < FILE_SIZE; i++)
		file[i] = (u8)(i * 7);
	return 0;
}

static int teardown(void **state)
{
	free(file);
	guest_free(&g);
	return 0;
}

static int load(u64 size)
{
	/* Exactly the file's size: the sanitizer sees each byte behind it. */
	u8 *copy = malloc(size ? size : 1);
	int err;

	memcpy(copy, file, size);
	g.img.data = copy;
	g.img.size = size;
	err = load_guest(&g.img, &g.mem, &e, capture_start(&cap));
	free(copy);
	return err;
}

static void build(bool is64, u64 entry, const struct elf_seg *seg, u32 n)
{
	put_mb1_header(file + put_elf(file, is64, entry, seg, n), 3);
}

static void test_two_segments(void **state)
{
	for (int is64 = 0; is64 < 2; is64++) {
		static const struct elf_seg seg[] = {
			{ 6, 0x1234, 0, 0, 10, 10 },	/* PT_PHDR: passed over */
			{ 1, 0x1000, 0x140000, 0x110000, 0x300, 0x1000 },
			{ 1, 0x1300, 0x142000, 0x112000, 0, 0x800 },
			{ 1, 0x1400, 0x150001, 0x120001, 0x10, 0x10 },
			{ 1, 0x1500, 0, 0, 0, 0 },	/* empty: adds nothing */
		};

		build(is64, 0x140024, seg, ARRAY_SIZE(seg));
		assert_int_equal(load(FILE_SIZE), 0);
		assert_int_equal(cap.lines, 0);
		assert_int_equal(e.format, is64 ? LOAD_MB1_ELF64 : LOAD_MB1_ELF32);
		assert_int_equal(e.mode, LOAD_MODE_PROT32);
		assert_int_equal(e.eax, 0x2badb002);
		/* By the segment's virtual address. */
		assert_int_equal(e.rip, 0x110024);
		assert_int_equal(e.end, 0x120011);
		assert_memory_equal(g.ram + 0x110000, file + 0x1000, 0x300);
		for (u32 i = 0x300; i < 0x1000; i++)
			assert_int_equal(g.ram[0x110000 + i], 0);
		for (u32 i = 0; i < 0x800; i++)
			assert_int_equal(g.ram[0x112000 + i], 0);
		assert_memory_equal(g.ram + 0x120001, file + 0x1400, 0x10);
		/* And not a byte more. */
		assert_int_equal(g.ram[0x10ffff], 0xcc);
		assert_int_equal(g.ram[0x111000], 0xcc);
		assert_int_equal(g.ram[0x112800], 0xcc);
		assert_int_equal(g.ram[0x120000], 0xcc);
		assert_int_equal(g.ram[0x120011], 0xcc);
	}
}

static void test_physical_entry(void **state)
{
	static const struct elf_seg seg = { 1, 0x1000, 0xc0110000, 0x110000, 0x300, 0x300 };

	build(false, 0x110010, &seg, 1);
	assert_int_equal(load(FILE_SIZE), 0);
	assert_int_equal(e.rip, 0x110010);
}

static void test_bad_segments(void **state)
{
	/* clang-format off */
	static const struct { struct elf_seg a, b; int err; const char *message; } rows[] = {
		{ { 1, 0x1f00, 0x110000, 0x110000, 0x101, 0x101 }, { 0 }, -EINVAL,
		  "guest kut: refused: truncated: segment 0 ends at 0x2001, the file at 0x2000" },
		{ { 1, 0xffffffffffffffff, 0x110000, 0x110000, 2, 2 }, { 0 }, -EINVAL,
		  "truncated: segment 0" },
		{ { 1, 0x1000, 0x110000, 0x110000, 0xffffffffffffffff, 0xffffffffffffffff }, { 0 },
		  -EINVAL, "truncated: segment 0" },
		{ { 1, 0x1000, 0x110000, 0x110000, 0x101, 0x100 }, { 0 }, -EINVAL,
		  "more bytes in the file than in memory" },
		{ { 1, 0x1000, 0x110000, 0x110000, 0x100, 0x200 },
		  { 1, 0x1000, 0x1101ff, 0x1101ff, 0x100, 0x100 }, -EINVAL,
		  "segment 1 at 0x1101ff overlaps the one at 0x110000" },
		{ { 1, 0x1000, 0x110000, 0x110000, 0x100, 0x200 },
		  { 1, 0x1000, 0x10ff01, 0x10ff01, 0x100, 0x100 }, -EINVAL,
		  "segment 1 at 0x10ff01 overlaps the one at 0x110000" },
		{ { 1, 0x1000, 0x1fff00, 0x1fff00, 0x100, 0x101 }, { 0 }, -ENOSPC,
		  "0x101 bytes at 0x1fff00, is beyond the guest's memory" },
		{ { 1, 0x1000, 0x9ff80, 0x9ff80, 0x100, 0x100 }, { 0 }, -ENOSPC,
		  "is beyond the guest's memory" },
		{ { 1, 0x1000, 0xf0000, 0xf0000, 0x100, 0x100 }, { 0 }, -ENOSPC,
		  "is beyond the guest's memory" },
		{ { 1, 0x1000, 0x110000, 0x100110000, 0x100, 0x100 }, { 0 }, -ENOSPC,
		  "is beyond the guest's memory" },
		{ { 1, 0x1000, 0x110000, 0x110000, 0x100, 0xffffffffffef0000 }, { 0 }, -ENOSPC,
		  "is beyond the guest's memory" },
		{ { 1, 0x1000, 0x110000, 0x110000, 0x100, 0x200 },
		  { 1, 0x1000, 0xfffffffffffff000, 0xfffffffffffff000, 0x100, 0x1000 }, -ENOSPC,
		  "segment 1, 0x1000 bytes at 0xfffffffffffff000" },
		{ { 0 }, { 0 }, -EINVAL, "nothing to load" },
		{ { 1, 0x1000, 0x120000, 0x120000, 0x100, 0x100 }, { 0 }, -EINVAL,
		  "entry 0x110010 is outside what is loaded" },
		{ { 1, 0x1000, 0x110000, 0x110000, 0x10, 0x100 }, { 0 }, -EINVAL,
		  "entry 0x110010 is outside what is loaded" },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct elf_seg seg[2] = { rows[i].a, rows[i].b };

		build(true, 0x110010, seg, 2);
		assert_int_equal(load(FILE_SIZE), rows[i].err);
		assert_one_message(&cap, rows[i].message);
		/* Nothing was written. */
		assert_int_equal(g.ram[0x110000], 0xcc);
		assert_int_equal(g.ram[0x9000], 0xcc);
	}
}

static void test_bad_headers(void **state)
{
	/* clang-format off */
	static const struct { u32 at, bytes; u64 value; const char *message; } rows[] = {
		{ 4,  1, 3,	"ELF header is damaged" },
		{ 5,  1, 2,	"ELF header is damaged" },
		{ 20, 4, 2,	"ELF header is damaged" },
		{ 18, 2, 183,	"ELF for machine 183, not x86" },
		{ 18, 2, 3,	"ELF for machine 3, not x86" },
		{ 16, 2, 3,	"ELF of type 3, not an executable" },
		{ 56, 2, 0,	"ELF has 0 program headers of 56 bytes" },
		{ 54, 2, 55,	"ELF has 1 program headers of 55 bytes" },
		{ 56, 2, 0xffff, "program headers end behind the file" },
		{ 54, 2, 0xffff, "program headers end behind the file" },
		{ 32, 8, FILE_SIZE - 55, "program headers end behind the file" },
		{ 32, 8, ~0ULL, "program headers end behind the file" },
		{ 32, 8, ~0ULL - 20, "program headers end behind the file" },
	};
	/* clang-format on */
	static const struct elf_seg seg = { 1, 0x1000, 0x110000, 0x110000, 0x100, 0x100 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		build(true, 0x110000, &seg, 1);
		put_le(file + rows[i].at, rows[i].bytes, rows[i].value);
		assert_int_equal(load(FILE_SIZE), -EINVAL);
		assert_one_message(&cap, rows[i].message);
	}
	build(true, 0x110000, &seg, 1);
	assert_int_equal(load(FILE_SIZE), 0);
	/* The multiboot header inside an ELF header that ends with the file. */
	memset(file, 0, 64);
	put_elf(file, true, 0x110000, &seg, 0);
	put_mb1_header(file + 24, 3);
	assert_int_equal(load(63), -EINVAL);
	assert_one_message(&cap, "truncated: ELF header is not complete");
}

static void test_cut_anywhere(void **state)
{
	static const struct elf_seg seg = { 1, 0x10, 0x110000, 0x110000, 0x200, 0x200 };

	for (int is64 = 0; is64 < 2; is64++) {
		build(is64, 0x110000, &seg, 1);
		for (u64 size = 0; size < 0x210; size++) {
			assert_int_equal(load(size), -EINVAL);
			assert_int_equal(cap.lines, 1);
		}
		assert_int_equal(load(0x210), 0);
	}
}

static void test_too_many_segments(void **state)
{
	struct elf_seg seg[PLAN_SEGMENTS_MAX + 1];

	for (u32 i = 0; i < ARRAY_SIZE(seg); i++)
		seg[i] = (struct elf_seg){ 1, 0x1000, 0x110000 + 16 * i, 0x110000 + 16 * i, 8, 8 };
	build(false, 0x110000, seg, PLAN_SEGMENTS_MAX + 1);
	assert_int_equal(load(FILE_SIZE), -EINVAL);
	assert_one_message(&cap, "more than 16 segments");
	build(false, 0x110000, seg, PLAN_SEGMENTS_MAX);
	assert_int_equal(load(FILE_SIZE), 0);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_two_segments),
		T(test_physical_entry),
		T(test_bad_segments),
		T(test_bad_headers),
		T(test_cut_anywhere),
		T(test_too_many_segments),
	};

	return cmocka_run_group_tests_name("load_elf", tests, NULL, NULL);
}
