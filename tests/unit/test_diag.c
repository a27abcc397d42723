// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/lib/diag.h"

struct capture {
	char line[256];
	int count;
};

static void capture_line(void *ctx, const char *line)
{
	struct capture *c = ctx;

	strcpy(c->line, line);
	c->count++;
}

static void test_formats_one_line(void **state)
{
	struct capture c = { .count = 0 };
	struct diag d = { capture_line, &c };

	diag_printf(&d, "%s: bad value %d", "cpus", 7);
	assert_int_equal(c.count, 1);
	assert_string_equal(c.line, "cpus: bad value 7");
}

static void test_long_line_is_cut_at_200(void **state)
{
	struct capture c = { .count = 0 };
	struct diag d = { capture_line, &c };

	diag_printf(&d, "%0500d", 0);
	assert_int_equal(c.count, 1);
	assert_int_equal(strlen(c.line), 200);
}

static void test_foreign_bytes_become_question_marks(void **state)
{
	struct capture c = { .count = 0 };
	struct diag d = { capture_line, &c };

	diag_printf(&d, "a%sb", "\n@\x01\x7f\x80\xff~");
	assert_string_equal(c.line, "a?@????~b");
}

static void test_null_drops_the_message(void **state)
{
	struct capture c = { .count = 0 };
	struct diag d = { NULL, &c };

	diag_printf(NULL, "x");
	diag_printf(&d, "x");
	assert_int_equal(c.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats_one_line),
		cmocka_unit_test(test_long_line_is_cut_at_200),
		cmocka_unit_test(test_foreign_bytes_become_question_marks),
		cmocka_unit_test(test_null_drops_the_message),
	};

	return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
