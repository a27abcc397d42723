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

/* Stays in the monitor, or leaves it. */
static const char *run(const char *line, bool leave)
{
	box.out[0] = box.ran[0] = '\0';
	assert_int_equal(shell_exec(&sh, line), leave);
	return box.out;
}

static bool nothing(void *ctx, size_t i, struct mon_item *item)
{
	return false;
}

static bool nobody(void *ctx, size_t i, struct mon_running *r)
{
	return false;
}

static void test_list(void **state)
{
	assert_string_equal(run("guests", false),
			    "  linux\n"
			    "  vm0: linux is running\n"
			    "  vm3: xen is running, 17 typed bytes wait, 2 lost\n"
			    "@ok guests\n");
	assert_string_equal(box.ran, "");
	box.env.guest = nothing;
	box.env.running = nobody;
	assert_string_equal(run("guests", false),
			    "# no guests: the boot loader brought no modules\n@ok guests\n");
}

static void test_console(void **state)
{
	assert_string_equal(run("console linux", true),
			    "# vm0 has the line, Ctrl-] takes it back\n@ok console linux\n");
	assert_string_equal(box.ran, "attach 0\n");
	run("console 3", true);
	assert_string_equal(box.ran, "attach 3\n");
	assert_string_equal(run("console bsd", false),
			    "# error: console: bsd: no such guest is running\n"
			    "@error console bsd: no such guest is running\n");
	assert_string_equal(box.ran, "");
	assert_non_null(strstr(run("console", false), "@error console: needs an argument\n"));
	assert_non_null(strstr(run("console linux now", false), "too many arguments\n"));
	/* It ended between the two questions. */
	box.type_error = -ENOENT;
	assert_non_null(strstr(run("console linux", false),
			       "@error console linux: it has just ended\n"));
}

static void test_type(void **state)
{
	assert_string_equal(run("type linux ls -l", true), "@ok type linux ls -l\n");
	assert_string_equal(box.ran, "type 0 ls -l\n");
	/* What was typed, and as much of it as there is. */
	run("  type   3   a  b c d e f g h i j k l m n o p q r s  ", true);
	assert_string_equal(box.ran, "type 3   a  b c d e f g h i j k l m n o p q r s\n");
	run("type 3", true);
	assert_string_equal(box.ran, "type 3 \n");
	assert_non_null(strstr(run("type", false), "@error type: needs an argument\n"));
	assert_non_null(strstr(run("type bsd x", false),
			       "@error type bsd x: bsd: no such guest is running\n"));
	assert_string_equal(box.ran, "");
	box.type_error = -ENOSPC;
	assert_non_null(strstr(run("type 3 x", false), ": 3: it does not read what is typed\n"));
	box.type_error = -ENOENT;
	assert_non_null(strstr(run("type 3 x", false), ": 3: it has just ended\n"));
}

static void test_save_and_restore(void **state)
{
	assert_string_equal(run("restore", false), "# error: restore: no guest was saved\n"
						   "@error restore: no guest was saved\n");
	assert_string_equal(run("send", false), "# error: send: no guest was saved\n"
						"@error send: no guest was saved\n");
	assert_string_equal(box.ran, "");
	box.save_error = -EBUSY;
	assert_string_equal(run("save xen", false),
			    "# error: save: xen: no such guest is running\n"
			    "@error save xen: no such guest is running\n");
	assert_string_equal(run("save 3", false), "# error: save: 3: it does not stop\n"
						  "@error save 3: it does not stop\n");
	box.save_error = 0;
	assert_string_equal(run("save 3", false), "# vm3 is kept in memory, 4711 bytes\n"
						  "@ok save 3\n");
	assert_string_equal(box.ran, "save 3\n");
	assert_non_null(strstr(run("save", false), "@error save: needs an argument\n"));
	assert_string_equal(run("restore", false), "@ok restore\n");
	assert_string_equal(box.ran, "restore\n");
	assert_string_equal(run("send", false), "# sent xen, 4711 bytes in 9 lines\n@ok send\n");
	assert_string_equal(box.ran, "send\n");
	box.send_error = -ECANCELED;
	assert_string_equal(run("send", false), "# error: send: stopped behind line 5\n"
						"@error send: stopped behind line 5\n");
	box.send_error = 0;
	box.env.inside = true;
	run("send", false);
	assert_string_equal(box.ran, "send\n");
	assert_non_null(strstr(run("restore", false), "@error restore: a guest is running\n"));
	assert_string_equal(box.ran, "");
}

static void test_inside_a_guest_s_run(void **state)
{
	box.env.inside = true;
	assert_string_equal(run("run common.hlt", false),
			    "# error: run: a guest is running\n"
			    "@error run common.hlt: a guest is running\n");
	assert_non_null(strstr(run("guests linux", false),
			       "@error guests linux: a guest is running\n"));
	assert_string_equal(box.ran, "");
	assert_non_null(strstr(run("guests", false), "@ok guests\n"));
	run("console linux", true);
	assert_string_equal(box.ran, "attach 0\n");
}

static char list[100];

static void found(void *ctx, const char *text, char end)
{
	size_t n = strlen(list);

	snprintf(list + n, sizeof(list) - n, "%s%c,", text, end);
}

static void test_completion(void **state)
{
	list[0] = '\0';
	assert_int_equal(shell_candidates(&sh, "console ", 8, found, NULL), 8);
	assert_string_equal(list, "linux ,xen ,");
	list[0] = '\0';
	shell_candidates(&sh, "type x", 6, found, NULL);
	assert_string_equal(list, "xen ,");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_list, setup),
		cmocka_unit_test_setup(test_console, setup),
		cmocka_unit_test_setup(test_type, setup),
		cmocka_unit_test_setup(test_save_and_restore, setup),
		cmocka_unit_test_setup(test_inside_a_guest_s_run, setup),
		cmocka_unit_test_setup(test_completion, setup),
	};

	return cmocka_run_group_tests_name("shell_guest", tests, NULL, NULL);
}
