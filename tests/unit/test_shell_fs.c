// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mon/shell.h"
#include "tests/unit/mon_box.h"

static struct mon_box box;
static struct shell sh;

static int setup(void **state)
{
	box_init(&box);
	shell_init(&sh, &box.env);
	return 0;
}

static const char *run(const char *line)
{
	box.out[0] = '\0';
	assert_false(shell_exec(&sh, line));
	return box.out;
}

static void test_ls(void **state)
{
	assert_string_equal(run("ls"), "drwxr-xr-x kvm/\ndrwxr-xr-x mm/\n@ok ls\n");
	assert_string_equal(run("ls /mm"), "-r--r--r-- free\n@ok ls /mm\n");
	assert_string_equal(run("ls /kvm/exits"), "-rw-r--r-- /kvm/exits\n@ok ls /kvm/exits\n");
	assert_string_equal(run("ls /kvm/exits/"),
			    "-rw-r--r-- cpuid\n-rw-r--r-- hlt\n@ok ls /kvm/exits/\n");
	assert_non_null(strstr(run("ls /kvm"), "-rw-r--r-- a\\x20b\n-rw-r--r-- x\\x2a\n"));
	assert_string_equal(run("ls /kvm/vm*"),
			    "/kvm/vm0/:\n-rw-r--r-- exits\n/kvm/vm1/:\n-rw-r--r-- exits\n"
			    "@ok ls /kvm/vm*\n");
	assert_string_equal(run("ls /no"),
			    "# error: ls: /no: no such file\n@error ls /no: no such file\n");
}

static void test_cat(void **state)
{
	assert_string_equal(run("cat /kvm/exits"), "1234\n@ok cat /kvm/exits\n");
	assert_string_equal(run("cat /kvm/a\\x20b"), "5\n@ok cat /kvm/a\\x20b\n");
	assert_string_equal(run("cat /kvm/exits/"),
			    "/kvm/exits/cpuid 1000\n/kvm/exits/hlt 234\n@ok cat /kvm/exits/\n");
	assert_string_equal(run("cat /kvm/vm?/exits /mm/free"),
			    "/kvm/vm0/exits 34\n/kvm/vm1/exits 1200\n/mm/free 99\n"
			    "@ok cat /kvm/vm?/exits /mm/free\n");
	assert_non_null(strstr(run("cat /"), "/kvm/x\\x2a 6\n/kvm/xy 7\n/kvm/exits/cpuid 1000\n"));
}

/* Only when everything is shown; who names it gets it. */
static void test_quiet_files(void **state)
{
	assert_string_equal(run("cat /kvm/hist"),
			    "/kvm/hist/count 0\n/kvm/hist/ge_2 3\n@ok cat /kvm/hist\n");
	assert_string_equal(run("cat /kvm/hist/ge_1"), "0\n@ok cat /kvm/hist/ge_1\n");
	assert_non_null(strstr(run("ls /kvm/hist"), "-r--r--r-- ge_1\n"));
}

static void test_errors_name_the_path(void **state)
{
	assert_string_equal(run("cat /kvm/no"),
			    "# error: cat: /kvm/no: no such file\n"
			    "@error cat /kvm/no: no such file\n");
	/* Several paths: what is there is shown, the first failure is the answer. */
	assert_string_equal(run("cat /no /mm/free /none"),
			    "# error: cat: /no: no such file\n/mm/free 99\n"
			    "# error: cat: /none: no such file\n"
			    "@error cat /no /mm/free /none: /no: no such file\n");
	assert_string_equal(run("cat /z*"),
			    "# error: cat: /z*: no such file\n"
			    "@error cat /z*: /z*: no such file\n");
}

static void test_clear(void **state)
{
	assert_string_equal(run("clear /kvm/exits"), "@ok clear /kvm/exits\n");
	assert_string_equal(run("cat /kvm/exits"), "0\n@ok cat /kvm/exits\n");
	assert_string_equal(run("cat /kvm/exits/hlt"), "234\n@ok cat /kvm/exits/hlt\n");
	run("clear /kvm/vm*/exits");
	assert_non_null(strstr(run("cat /kvm/vm*"), "/kvm/vm0/exits 0\n/kvm/vm1/exits 0\n"));
}

static void test_clear_takes_a_path_as_a_dump_has_it(void **state)
{
	assert_string_equal(run("clear /kvm/x*"), "@ok clear /kvm/x*\n");
	assert_string_equal(run("cat /kvm/x\\x2a"), "0\n@ok cat /kvm/x\\x2a\n");
	assert_string_equal(run("cat /kvm/xy"), "7\n@ok cat /kvm/xy\n");
}

static void test_clear_obeys_modes(void **state)
{
	assert_string_equal(run("clear /mm/free"),
			    "# error: clear: /mm/free: not permitted\n"
			    "@error clear /mm/free: not permitted\n");
	assert_string_equal(run("clear /mm"),
			    "# error: clear: /mm/: is a directory\n"
			    "@error clear /mm: is a directory\n");
	/* The others of a pattern are cleared; directories are not meant. */
	assert_string_equal(run("clear /kvm/*"),
			    "# error: clear: /kvm/guests: not permitted\n"
			    "@error clear /kvm/*: /kvm/guests: not permitted\n");
	assert_string_equal(run("cat /kvm/exits /kvm/xy /kvm/guests"),
			    "/kvm/exits 0\n/kvm/xy 0\n/kvm/guests 2\n"
			    "@ok cat /kvm/exits /kvm/xy /kvm/guests\n");
}

/* A file that is gone when it is read: said, and the rest is shown. */
static int read_gone(void *ctx, const char *path, char *buf, size_t size)
{
	return strstr(path, "cpuid") ? -ENOENT : box_read(ctx, path, buf, size);
}

static void test_a_file_goes_away(void **state)
{
	box.tree.read = read_gone;
	assert_string_equal(run("cat /kvm/exits/"),
			    "# error: cat: /kvm/exits/cpuid: no such file\n/kvm/exits/hlt 234\n"
			    "@error cat /kvm/exits/: no such file\n");
	assert_string_equal(run("cat /kvm/exits/cpuid"),
			    "# error: cat: /kvm/exits/cpuid: no such file\n"
			    "@error cat /kvm/exits/cpuid: no such file\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ls, setup),
		cmocka_unit_test_setup(test_cat, setup),
		cmocka_unit_test_setup(test_quiet_files, setup),
		cmocka_unit_test_setup(test_errors_name_the_path, setup),
		cmocka_unit_test_setup(test_clear, setup),
		cmocka_unit_test_setup(test_clear_takes_a_path_as_a_dump_has_it, setup),
		cmocka_unit_test_setup(test_clear_obeys_modes, setup),
		cmocka_unit_test_setup(test_a_file_goes_away, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
