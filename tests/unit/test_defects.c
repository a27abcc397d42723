/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tests/defects.h"

#define ROW(i, p, r, e) { .id = i, .platform = p, .reason = r, .evidence = e }
static const struct defect table[] = {
	ROW("vmx.entry_ctl:row one", "bochs", "a", "x.cc:1"),
	ROW("vmx.entry_host_*:*canonical*", "bochs", "b", "x.cc:2"),
	ROW("svm.lbr", "tcg", "c", "y.c:3"),
	ROW("svm.nmi_?", "tcg", "d", "y.c:4"),
	ROW("svm.*:r:s", "tcg", "e", "y.c:5"),
	ROW("svm.deep", "*tcg", "f", "y.c:6"),
	ROW("svm.inner", "nestbed_tcg", "g", "y.c:7"),
	{ .id = NULL },
};

static const char *find(const char *platform, const char *id, const char *row)
{
	const struct defect *d = defect_find_in(table, platform, id, row);

	return d ? d->reason : "";
}

static void test_whole_tests(void **state)
{
	assert_string_equal(find("tcg", "svm.lbr", NULL), "c");
	assert_string_equal(find("tcg", "svm.nmi_1", NULL), "d");
	assert_string_equal(find("tcg", "svm.nmi_12", NULL), "");
	assert_string_equal(find("tcg", "svm.lbr2", NULL), "");
	assert_string_equal(find("tcg", "svm.lb", NULL), "");
	/* It speaks for the test, not for a row of it. */
	assert_string_equal(find("tcg", "svm.lbr", "some row"), "");
}

static void test_rows(void **state)
{
	assert_string_equal(find("bochs", "vmx.entry_ctl", "row one"), "a");
	assert_string_equal(find("bochs", "vmx.entry_ctl", "row on"), "");
	assert_string_equal(find("bochs", "vmx.entry_ctl2", "row one"), "");
	assert_string_equal(find("bochs", "vmx.entry_host_cr", "CR3 not canonical"), "b");
	assert_string_equal(find("bochs", "vmx.entry_host_cr", "CR3"), "");
	/* A row's defect does not excuse the whole test. */
	assert_string_equal(find("bochs", "vmx.entry_ctl", NULL), "");
	/* The first colon ends the test's id. */
	assert_string_equal(find("tcg", "svm.x", "r:s"), "e");
}

static void test_platforms(void **state)
{
	assert_string_equal(find("bochs", "svm.lbr", NULL), "");
	assert_string_equal(find("tcg", "vmx.entry_ctl", "row one"), "");
	assert_string_equal(find("hardware", "svm.lbr", NULL), "");
	assert_string_equal(find("", "svm.lbr", NULL), "");
	/* Below a nestbed only what that cannot mend is excused. */
	assert_string_equal(find("nestbed_tcg", "svm.lbr", NULL), "");
	assert_string_equal(find("nestbed_tcg", "svm.deep", NULL), "f");
	assert_string_equal(find("tcg", "svm.deep", NULL), "f");
	assert_string_equal(find("nestbed", "svm.deep", NULL), "");
	assert_string_equal(find("tcg", "svm.inner", NULL), "");
}

static void test_long_id(void **state)
{
	static char id[200];
	struct defect d[] = { { .id = id, .platform = "tcg" }, { .id = NULL } };

	memset(id, 'a', sizeof(id) - 4);
	strcpy(id + sizeof(id) - 4, ":b");
	assert_null(defect_find_in(d, "tcg", "aaa", "b"));
}

/* The product's own table. */
static void test_real_table(void **state)
{
	static const struct defect real[] = {
#define X(i, p, r, e) { .id = i, .platform = p, .reason = r, .evidence = e },
#define X_KILLS X
#include "tests/defects.def"
#undef X_KILLS
#undef X
	};

	assert_null(defect_find("tcg", "no.such_test", NULL));
	for (unsigned int i = 0; i < ARRAY_SIZE(real); i++) {
		const struct defect *d = &real[i];
		const char *colon = strchr(d->id, ':');
		char id[80] = "";

		assert_true(!strcmp(d->platform, "tcg") || !strcmp(d->platform, "bochs") ||
			    !strcmp(d->platform, "*tcg") || !strcmp(d->platform, "nestbed_tcg"));
		assert_true(strlen(d->reason) > 10);
		/* Evidence names a source file. */
		assert_true(strstr(d->evidence, ".c") || strstr(d->evidence, ".h"));
		/* An id matches itself, wildcards included. */
		assert_true(strlen(d->id) < 160);
		snprintf(id, sizeof(id), "%.*s", colon ? (int)(colon - d->id) : 79, d->id);
		assert_non_null(defect_find(d->platform, id, colon ? colon + 1 : NULL));
		assert_null(defect_find("other", id, colon ? colon + 1 : NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_tests),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_platforms),
		cmocka_unit_test(test_long_id),
		cmocka_unit_test(test_real_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
