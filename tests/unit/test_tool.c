// SPDX-License-Identifier: MIT
/* The pure pieces of the host tool's files that otherwise do input and output. */
#include "tests/unit/unit.h"

#include "tools/nestbed/cmds.h"
#include "tools/nestbed/launch.h"
#include "tools/nestbed/line.h"
#include "tools/nestbed/media.h"
#include "tools/nestbed/progress.h"

static void test_guest_split(void **state)
{
	static const struct {
		const char *text;
		size_t file;
		size_t opts;
	} rows[] = {
		{ "a.elf", 5, 0 },
		{ "a.elf arg:x=1", 5, 0 },
		{ "dir/a.elf:mem=64M", 9, 8 },
		{ "dir/a.elf:mem=64M,cpus=2 x y", 9, 15 },
		{ "a:b.elf", 7, 0 },
		{ "a:b.elf:mem=1G", 7, 7 },
		{ "a:=x", 4, 0 },
		{ ":mem=1", 0, 6 },
		{ "", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t file, opts;

		guest_split(rows[i].text, &file, &opts);
		assert_int_equal(file, rows[i].file);
		assert_int_equal(opts, rows[i].opts);
	}
}

static void test_grub_menu_quotes_every_word(void **state)
{
	struct guest_arg g = { .name = (char *)"k:mem=64M", .args = (char *)"a='b' $c" };
	struct media_request req = {
		.append = "tests=svm.* it's", .guest = &g, .nguests = 1,
	};
	struct strbuf b = { 0 };

	media_grub_cfg(&req, false, &b);
	assert_non_null(strstr(b.s, "\tmultiboot /boot/nestbed.elf 'tests=svm.*' 'it'\\''s'\n"));
	assert_non_null(strstr(b.s, "\tmodule /boot/module0 'k:mem=64M' 'a='\\''b'\\''' '$c'\n"));
	sb_free(&b);
	media_grub_cfg(&req, true, &b);
	assert_non_null(strstr(b.s, "\tmultiboot2 /boot/nestbed.elf "));
	assert_non_null(strstr(b.s, "\tmodule2 /boot/module0 "));
	sb_free(&b);
}

static void test_command_line_for_people(void **state)
{
	struct argv a = { 0 };
	char *line;

	argv_add(&a, "/usr/bin/x");
	argv_addf(&a, "%s", "it's");
	argv_add(&a, "");
	argv_add(&a, "a=b,c");
	line = argv_line(&a);
	assert_string_equal(line, "/usr/bin/x 'it'\\''s' '' a=b,c");
	assert_null(a.word[a.n]);
	free(line);
	argv_free(&a);
}

static void test_memory_sizes(void **state)
{
	static const struct {
		const char *text;
		u64 mib;	/* 0: refused */
	} rows[] = {
		{ "512", 512 }, { "64M", 64 }, { "6G", 6144 }, { "1g", 1024 }, { "2m", 2 },
		{ "", 0 }, { "G", 0 }, { "0", 0 }, { "6GB", 0 }, { "6K", 0 }, { "-1", 0 },
		{ "18446744073709551615G", 0 }, { "1.5G", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 mib = 0;
		int err = arg_mem("mem", rows[i].text, &mib);

		assert_int_equal(err, rows[i].mib ? 0 : -EINVAL);
		if (!err)
			assert_int_equal(mib, rows[i].mib);
	}
}

static void test_numbers_and_seconds(void **state)
{
	double s = -1;
	u64 n = 0;

	assert_int_equal(arg_seconds("timeout", "1.5", &s), 0);
	assert_true(s > 1.4 && s < 1.6);
	assert_int_equal(arg_seconds("timeout", "-1", &s), -EINVAL);
	assert_int_equal(arg_seconds("timeout", "nan", &s), -EINVAL);
	assert_int_equal(arg_seconds("timeout", "5x", &s), -EINVAL);
	assert_int_equal(arg_count("cpus", "4", 1, 288, &n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(arg_count("cpus", "0", 1, 288, &n), -EINVAL);
	assert_int_equal(arg_count("cpus", "289", 1, 288, &n), -EINVAL);
}

static void test_time_left(void **state)
{
	struct run_model m = { .has_plan = true, .plan = 10 };

	assert_true(progress_left(&m, 5) < 0);
	m.count[RESULT_PASS] = 3;
	m.count[RESULT_SKIP] = 2;
	assert_true(progress_left(&m, 5) > 4.9 && progress_left(&m, 5) < 5.1);
	m.count[RESULT_PASS] = 8;
	assert_true(progress_left(&m, 5) < 0);
}

static void test_names_of_lines(void **state)
{
	static const struct {
		const char *target;
		const char *name;
	} rows[] = {
		{ "/dev/ttyUSB0", "ttyUSB0" }, { "tcp:host:23", "tcp_host_23" }, { "-", "stdin" },
		{ "/a/..", "line" }, { "/tmp/x.log", "x.log" }, { "dir/", "dir_" }, { "", "line" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *name = line_name(rows[i].target);

		assert_string_equal(name, rows[i].name);
		free(name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest_split),
		cmocka_unit_test(test_grub_menu_quotes_every_word),
		cmocka_unit_test(test_command_line_for_people),
		cmocka_unit_test(test_memory_sizes),
		cmocka_unit_test(test_numbers_and_seconds),
		cmocka_unit_test(test_time_left),
		cmocka_unit_test(test_names_of_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
