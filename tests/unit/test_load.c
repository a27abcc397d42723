// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tests/unit/capture.h"
#include "tests/unit/load_build.h"

static struct load_guest g;
static struct capture cap;
static u8 file[40000];

static int setup(void **state)
{
	guest_init(&g);
	memset(file, 0, sizeof(file));
	return 0;
}

static int teardown(void **state)
{
	guest_free(&g);
	return 0;
}

static enum load_format recognise(u64 size)
{
	u8 *copy = malloc(size ? size : 1);
	enum load_format f;

	memcpy(copy, file, size);
	f = load_recognise("x", copy, size, capture_start(&cap));
	free(copy);
	/* A message exactly when there is no format. */
	assert_int_equal(cap.lines, f == LOAD_UNKNOWN);
	return f;
}

static void expect_unknown(u64 size, const char *why)
{
	assert_int_equal(recognise(size), LOAD_UNKNOWN);
	assert_one_message(&cap, why);
}

static void put_mb2_header(u32 at, u32 bad)
{
	put_le(file + at, 4, 0xe85250d6);
	put_le(file + at + 4, 4, 0);
	put_le(file + at + 8, 4, 16);
	put_le(file + at + 12, 4, 0u - 0xe85250d6 - 16 + bad);
}

static void test_recognise(void **state)
{
	expect_unknown(0, "guest x: refused: the file is empty");
	expect_unknown(1, "neither a multiboot kernel nor");
	expect_unknown(sizeof(file), "neither a multiboot kernel nor");
	memcpy(file, "\x1f\x8b", 2);
	expect_unknown(100, "compressed with gzip");
	put_mb1_header(file + 100, 0);
	expect_unknown(200, "without addresses in a file that is not ELF");
	memcpy(file, "\x7f" "ELF\1\1", 6);
	assert_int_equal(recognise(200), LOAD_MB1_ELF32);
	file[4] = 2;
	assert_int_equal(recognise(200), LOAD_MB1_ELF64);
	put_mb1_header(file + 100, 1 << 16);
	assert_int_equal(recognise(200), LOAD_MB1_AOUT);
	file[100] = 0;
	expect_unknown(200, "ELF without a multiboot header");
}

static void test_recognise_bzimage(void **state)
{
	put_le(file + 0x1fe, 2, 0xaa55);
	memcpy(file + 0x202, "HdrS", 4);
	assert_int_equal(recognise(0x206), LOAD_BZIMAGE);
	expect_unknown(0x205, "neither");
	file[0x1fe] = 0;
	expect_unknown(0x206, "neither");
}

static void test_recognise_mb2(void **state)
{
	put_mb2_header(32768 - 16, 0);
	assert_int_equal(recognise(32768), LOAD_MB2);
	expect_unknown(32767, "neither");
	put_mb2_header(32768 - 16, 1);
	expect_unknown(32768, "neither");
	file[32768 - 16] = 0;
	put_mb2_header(32768 - 8, 0);
	expect_unknown(sizeof(file), "neither");
	put_mb2_header(12, 0);
	expect_unknown(sizeof(file), "neither");
	/* Both headers: the one that can be loaded counts. */
	put_mb2_header(16, 0);
	put_mb1_header(file + 64, 1 << 16);
	assert_int_equal(recognise(sizeof(file)), LOAD_MB1_AOUT);
}

static void test_names(void **state)
{
	assert_string_equal(load_format_name(LOAD_MB1_ELF32), "multiboot 1 ELF32");
	assert_string_equal(load_format_name(LOAD_BZIMAGE), "Linux bzImage");
	assert_string_equal(load_format_name((enum load_format)99), "unknown format");
}

static void test_unknown_is_not_loaded(void **state)
{
	struct load_entry e;

	memset(&e, 0xaa, sizeof(e));
	g.img.data = file;
	g.img.size = 0;
	assert_int_equal(load_guest(&g.img, &g.mem, &e, capture_start(&cap)), -EINVAL);
	assert_one_message(&cap, "guest kut: refused: the file is empty");
	assert_int_equal(e.format, LOAD_UNKNOWN);
	assert_int_equal(e.rip, 0);
}

/* Each format reaches its reader: the reason is one that only it gives. */
static void test_readers(void **state)
{
	struct load_entry e;

	g.img.data = file;
	g.img.size = sizeof(file);
	put_mb2_header(0, 0);
	assert_int_equal(load_guest(&g.img, &g.mem, &e, capture_start(&cap)), -EINVAL);
	assert_one_message(&cap, "guest kut: refused: multiboot 2 header without an end tag");
	assert_int_equal(e.format, LOAD_MB2);
	put_le(file + 0x1fe, 2, 0xaa55);
	memcpy(file + 0x202, "HdrS", 4);
	assert_int_equal(load_guest(&g.img, &g.mem, &e, capture_start(&cap)), -EOPNOTSUPP);
	assert_one_message(&cap, "guest kut: refused: Linux boot protocol 0.00 is too old");
	assert_int_equal(e.format, LOAD_BZIMAGE);
	put_mb1_header(file, 1 << 16 | 4);
	assert_int_equal(load_guest(&g.img, &g.mem, &e, capture_start(&cap)), -EOPNOTSUPP);
	assert_one_message(&cap, "guest kut: refused: multiboot header asks for a video mode");
	assert_int_equal(e.format, LOAD_MB1_AOUT);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_recognise),
		T(test_recognise_bzimage),
		T(test_recognise_mb2),
		T(test_names),
		T(test_unknown_is_not_loaded),
		T(test_readers),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
