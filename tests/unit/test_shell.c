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
	box.out[0] = box.ran[0] = '\0';
	assert_false(shell_exec(&sh, line));
	return box.out;
}

static void test_empty_lines_have_no_answer(void **state)
{
	assert_string_equal(run(""), "");
	assert_string_equal(run("    "), "");
}

static void test_answers(void **state)
{
	assert_string_equal(run("vm"), "@ok vm\n");
	assert_string_equal(box.ran, "show vm\n");
	run("cpu");
	assert_string_equal(box.ran, "show cpu\n");
	run("mem");
	assert_string_equal(box.ran, "show mem\n");
	assert_string_equal(run("  stats  "), "@ok stats\n");
	assert_string_equal(box.ran, "dump\n");
	assert_string_equal(run("run  common.hlt"), "@ok run  common.hlt\n");
	/* The first error of a line stays with it. */
	run("nonsense");
	assert_string_equal(run("vm"), "@ok vm\n");
}

static void test_unknown_command(void **state)
{
	assert_string_equal(run("hepl me"),
			    "# error: hepl: no such command\n# did you mean help?\n"
			    "@error hepl me: no such command\n");
	assert_string_equal(run("xyzzyplugh"),
			    "# error: xyzzyplugh: no such command\n# \"help\" lists them\n"
			    "@error xyzzyplugh: no such command\n");
}

static void test_number_of_arguments(void **state)
{
	assert_non_null(strstr(run("stats now"), "@error stats now: too many arguments\n"));
	assert_string_equal(box.ran, "");
	assert_non_null(strstr(run("run"), "@error run: needs an argument\n"));
	assert_non_null(strstr(run("cat"), "@error cat: needs an argument\n"));
	assert_non_null(strstr(run("cat 1 2 3 4 5 6 7 8 9 a b c d e f g"),
			       ": too many arguments\n"));
	assert_null(strstr(run("cat 1 2 3 4 5 6 7 8 9 a b c d e f"), "too many"));
}

static void test_help(void **state)
{
	const char *out = run("help");
	static const char *const all[] = {
		"help", "ls", "cat", "clear", "stats", "tests", "run", "guests", "console",
		"type", "save", "send", "restore", "vm", "cpu", "mem", "continue", "reboot",
		"poweroff",
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char want[32];

		snprintf(want, sizeof(want), "  %s ", all[i]);
		assert_non_null(strstr(out, want));
	}
	out = run("help ls");
	assert_non_null(strstr(out, "  ls [PATH...]"));
	assert_null(strstr(out, "cat"));
	assert_non_null(strstr(run("help sl"), "@error help sl: no such command\n"));
}

static void test_tests(void **state)
{
	const char *out = run("tests");

	assert_non_null(strstr(out, "  common.cpuid_exit "));
	assert_non_null(strstr(out, " APM2 15.9\n"));
	assert_non_null(strstr(out, "  common.hlt\n"));
	assert_non_null(strstr(out, "# 3 tests\n@ok tests\n"));
	assert_null(strstr(run("tests svm.*"), "common"));
	assert_non_null(strstr(run("tests vmx.*"), "@error tests vmx.*: no such test\n"));
}

static void test_run(void **state)
{
	run("run common.* svm.vmrun");
	assert_string_equal(box.ran, "run common.*\nrun svm.vmrun\n");
	/* One wrong name: nothing runs. */
	assert_string_equal(run("run common.* common.hlr"),
			    "# error: run: common.hlr: no such test\n"
			    "# did you mean common.hlt?\n"
			    "@error run common.* common.hlr: common.hlr: no such test\n");
	assert_string_equal(box.ran, "");
	box.run_error = -ENOMEM;
	assert_non_null(strstr(run("run common.hlt"), "@error run common.hlt: out of memory\n"));
	box.run_error = -EIO;
	assert_non_null(strstr(run("run common.hlt"), "@error run common.hlt: failed\n"));
}

static void test_guests(void **state)
{
	run("guests lin*");
	assert_string_equal(box.ran, "run lin*\n");
	assert_non_null(strstr(run("guests xen"), "@error guests xen: no such guest\n"));
	assert_string_equal(box.ran, "");
}

static void test_leaving(void **state)
{
	assert_true(shell_exec(&sh, "continue"));
	assert_string_equal(box.out, "# going on: the run\n@ok continue\n");
	box.out[0] = '\0';
	assert_true(shell_exec(&sh, "reboot"));
	assert_string_equal(box.out, "@ok reboot\n");
	assert_string_equal(box.ran, "power reboot\n");
	box.out[0] = box.ran[0] = '\0';
	assert_true(shell_exec(&sh, " poweroff "));
	assert_string_equal(box.out, "@ok poweroff\n");
	assert_string_equal(box.ran, "power off\n");
	box.env.go_on = NULL;
	assert_non_null(strstr(run("continue"), "@error continue: the run is over\n"));
}

static void test_without_statistics(void **state)
{
	box.env.tree = NULL;
	assert_non_null(strstr(run("stats"), "@error stats: no statistics\n"));
	assert_string_equal(box.ran, "");
	assert_non_null(strstr(run("ls"), "@error ls: no statistics\n"));
}

static void test_long_line(void **state)
{
	char line[2000];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	run(line);
	assert_non_null(strstr(box.out, "@error xxx"));
	memcpy(line, "cat ", 4);
	run(line);
	assert_non_null(strstr(box.out, "@error cat xxx"));
}

static struct {
	char text[1000];
	int n;
} list;

static void found(void *ctx, const char *text, char end)
{
	size_t n = strlen(list.text);

	snprintf(list.text + n, sizeof(list.text) - n, "%s%c,", text, end);
	list.n++;
}

static u32 candidates(const char *line)
{
	memset(&list, 0, sizeof(list));
	return shell_candidates(&sh, line, (u32)strlen(line), found, NULL);
}

static void test_candidates(void **state)
{
	static const struct { const char *line, *list; u32 start; } row[] = {
		{ "re", "restore ,reboot ,", 0 },
		{ "  c", "cat ,clear ,console ,cpu ,continue ,", 2 },
		{ "help reb", "reboot ,", 5 },
		{ "cat /k", "kvm/,", 5 },
		{ "cat k", "kvm/,", 4 },
		{ "cat /mm/free /kvm/vm", "vm0/,vm1/,", 18 },
		{ "cat /kvm/exits/h", "hlt ,", 15 },
		{ "cat /none/x", "", 0 },
		{ "run common.h", "common.hlt ,", 4 },
		{ "tests s", "svm.vmrun ,", 6 },
		{ "guests ", "linux ,", 7 },
		{ "vm ", "", 3 },
		{ "nonsense x", "", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		u32 start = candidates(row[i].line);

		assert_string_equal(list.text, row[i].list);
		if (list.n)
			assert_int_equal(start, row[i].start);
	}
	candidates("");
	assert_int_equal(list.n, 19);
	/* Only what is left of the cursor counts. */
	memset(&list, 0, sizeof(list));
	assert_int_equal(shell_candidates(&sh, "poweroff", 2, found, NULL), 0);
	assert_string_equal(list.text, "poweroff ,");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty_lines_have_no_answer, setup),
		cmocka_unit_test_setup(test_answers, setup),
		cmocka_unit_test_setup(test_unknown_command, setup),
		cmocka_unit_test_setup(test_number_of_arguments, setup),
		cmocka_unit_test_setup(test_help, setup),
		cmocka_unit_test_setup(test_tests, setup),
		cmocka_unit_test_setup(test_run, setup),
		cmocka_unit_test_setup(test_guests, setup),
		cmocka_unit_test_setup(test_leaving, setup),
		cmocka_unit_test_setup(test_without_statistics, setup),
		cmocka_unit_test_setup(test_long_line, setup),
		cmocka_unit_test_setup(test_candidates, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
