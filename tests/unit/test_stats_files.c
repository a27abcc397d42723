// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "tools/nestbed/stats_files.h"

static struct stats_dump *d;

static int setup(void **state)
{
	static const char *const lines[] = {
		"/kvm/exits 1203 count sum", "/kvm/exits/cpuid 900 count sum",
		"/kvm/guest_mode 1 bool sum,instant", "/kvm/low -5 count min",
		"/kvm/both 1 count sum", "/kvm/both/in 2 count sum",
		"/kvm/both.d 3 count sum", "/kvm/both.d/in 4 count sum",
		"/kvm/both.d.d 5 count sum",
		"/kvm/odd\\x20name 6 count sum", "/kvm/vm0.d/x 7 count sum",
	};

	d = stats_dump_new(1, 1);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_null(stats_dump_add_line(d, lines[i], strlen(lines[i])));
	assert_null(stats_dump_label(d, "/kvm/vm9", "guest", "x"));
	return 0;
}

static int teardown(void **state)
{
	stats_dump_put(d);
	return 0;
}

/* Mode and contents: "100644 1203", "40755". */
static const char *look(const char *path)
{
	static char buf[64];
	struct stats_file f;
	size_t n;
	int err = stats_file_find(d, path, &f);

	if (err) {
		snprintf(buf, sizeof(buf), "%d", -err);
		return buf;
	}
	n = (size_t)snprintf(buf, sizeof(buf), "%o", stats_file_mode(&f));
	if (!f.dir) {
		buf[n++] = ' ';
		n += stats_file_text(&f, buf + n, sizeof(buf) - n);
		assert_int_equal(buf[n - 1], '\n');
		buf[n - 1] = '\0';
	}
	return buf;
}

static void test_modes_and_texts(void **state)
{
	assert_string_equal(look("/"), "40700");
	assert_string_equal(look("/kvm"), "40755");
	assert_string_equal(look("/kvm/"), "40755");
	assert_string_equal(look("/kvm/exits"), "100644 1203");
	assert_string_equal(look("/kvm/guest_mode"), "100444 1");
	assert_string_equal(look("/kvm/low"), "100644 -5");
	assert_string_equal(look("/kvm/odd name"), "100644 6");
	assert_string_equal(look("/kvm/vm0.d"), "40755");
	/* A source without values. */
	assert_string_equal(look("/kvm/vm9"), "40755");
	assert_string_equal(look("/nothing"), "2");
	assert_string_equal(look("/kvm/vm9/x"), "2");
	assert_string_equal(look("/kvm/low/x"), "20");
}

static void test_shared_names(void **state)
{
	assert_string_equal(look("/kvm/exits.d"), "40755");
	assert_string_equal(look("/kvm/exits.d/cpuid"), "100644 900");
	assert_string_equal(look("/kvm/exits/cpuid"), "20");
	assert_string_equal(look("/kvm/low.d"), "2");
	assert_string_equal(look("/kvm.d"), "2");
	assert_string_equal(look("/.d"), "2");
	/* both.d and both.d.d are names of others. */
	assert_string_equal(look("/kvm/both"), "100644 1");
	assert_string_equal(look("/kvm/both.d"), "100644 3");
	assert_string_equal(look("/kvm/both.d.d"), "100644 5");
	assert_string_equal(look("/kvm/both.d.d.d"), "2");
	assert_string_equal(look("/kvm/both\u00b7d/in"), "100644 2");
	assert_string_equal(look("/kvm/both.d\u00b7d/in"), "100644 4");
}

struct seen {
	char text[512];
	size_t n, entries;
};

/* Every listed name leads back to its file. */
static void check_entry(void *ctx, const char *name, const struct stats_file *f)
{
	struct seen *s = ctx;
	char path[128];
	struct stats_file again;

	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n, "%s%s ", name,
				 f->dir ? "/" : "");
	s->entries++;
	snprintf(path, sizeof(path), "/kvm/%s", name);
	assert_int_equal(stats_file_find(d, path, &again), 0);
	assert_ptr_equal(again.node, f->node);
	assert_int_equal(again.dir, f->dir);
}

static void test_list(void **state)
{
	struct seen s = { .n = 0 };
	struct stats_file f;

	assert_int_equal(stats_file_find(d, "/kvm", &f), 0);
	stats_file_list(d, &f, check_entry, &s);
	assert_string_equal(s.text, "exits exits.d/ guest_mode low both both\u00b7d/ both.d "
			    "both.d\u00b7d/ both.d.d odd name vm0.d/ vm9/ ");
}

static void test_write(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		int err;
	} rows[] = {
		{ "0", 1, 0 }, { "0\n", 2, 0 }, { " 0 \n", 4, 0 }, { "00", 2, 0 }, { "0x0", 3, 0 },
		{ "1", 1, -EINVAL }, { "", 0, -EINVAL }, { "\n", 1, -EINVAL }, { "-0", 2, -EINVAL },
		{ "0a", 2, -EINVAL }, { "0 1", 3, -EINVAL }, { "zero", 4, -EINVAL },
		{ "0\0" "1", 3, -EINVAL }, { "18446744073709551616", 20, -EINVAL },
		{ "0000000000000000000000000000000000000", 37, -EINVAL },
	};
	struct stats_file f;

	assert_int_equal(stats_file_find(d, "/kvm/exits", &f), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(stats_file_write(&f, rows[i].text, rows[i].n), rows[i].err);
	assert_int_equal(stats_file_find(d, "/kvm/guest_mode", &f), 0);
	assert_int_equal(stats_file_write(&f, "0", 1), -EPERM);
	assert_int_equal(stats_file_find(d, "/kvm", &f), 0);
	assert_int_equal(stats_file_write(&f, "0", 1), -EISDIR);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_modes_and_texts), T(test_shared_names), T(test_list), T(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
