// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "core/mon/montree.h"
#include "tests/unit/mon_box.h"

struct seen {
	char text[2048];
	int stop_at;
	int n;
};

static int see(struct mon_walk *w, u32 mode)
{
	struct seen *s = w->ctx;

	assert_int_equal(w->len, strlen(w->path));
	assert_int_equal(mon_is_dir(mode), w->path[w->len - 1] == '/');
	box_add(s->text, sizeof(s->text), "", w->path);
	return ++s->n == s->stop_at ? -ECANCELED : 0;
}

static struct mon_box box;
static struct mon_walk walk;
static struct seen seen;

static int expand(const char *arg)
{
	box_init(&box);
	memset(&seen, 0, sizeof(seen));
	walk = (struct mon_walk){ .tree = &box.tree, .visit = see, .ctx = &seen };
	return mon_expand(&walk, arg);
}

#define assert_expands(arg, want) do {				\
	assert_int_equal(expand(arg), 0);			\
	assert_string_equal(seen.text, want);			\
} while (0)

static void test_char(void **state)
{
	const char *s = "a\\x2a\\x0\\xZ\\";
	const struct { u8 c; bool literal; } want[] = {
		{ 'a', false }, { '*', true }, { '\\', false }, { 'x', false }, { '0', false },
		{ '\\', false }, { 'x', false }, { 'Z', false }, { '\\', false }, { 0, false },
		{ 0, false },
	};
	bool literal;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(mon_char(&s, &literal), want[i].c);
		assert_int_equal(literal, want[i].literal);
	}
	s = "\\x00";
	assert_int_equal(mon_char(&s, &literal), 0xff);
}

static void test_match(void **state)
{
	static const struct { const char *pat, *name; bool want; } row[] = {
		{ "", "", true }, { "", "a", false }, { "*", "", true }, { "*", "abc", true },
		{ "a*c", "abc", true }, { "a*c", "ac", true }, { "a*c", "abcd", false },
		{ "a?c", "abc", true }, { "a?c", "ac", false }, { "?", "", false },
		{ "*b*b*", "abab", true }, { "*b*b*b", "abab", false }, { "***", "x", true },
		{ "\\x2a", "*", true }, { "\\x2a", "x", false }, { "\\x3F", "?", true },
		{ "\\x3F", "a", false }, { "a\\x20b", "a b", true }, { "*\\x2a", "ab*", true },
		{ "*\\x2a", "abc", false }, { "*aab", "aaaaab", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(mon_match(row[i].pat, row[i].pat + strlen(row[i].pat),
					   row[i].name), row[i].want);
}

static void test_match_stops_at_end(void **state)
{
	const char *pat = "ab/cd";

	assert_true(mon_match(pat, pat + 2, "ab"));
	assert_false(mon_match(pat, pat + 2, "ab/cd"));
}

static void test_escape(void **state)
{
	char buf[32] = "";
	size_t len = 0;

	mon_escape(buf, sizeof(buf), &len, "a b\\*?/~");
	assert_string_equal(buf, "a\\x20b\\x5c\\x2a\\x3f/~");
	assert_int_equal(len, strlen(buf));
}

static void test_exact(void **state)
{
	assert_expands("/kvm/exits", "/kvm/exits\n");
	/* The directory of that name. */
	assert_expands("/kvm/exits/", "/kvm/exits/\n");
	assert_expands("/mm", "/mm/\n");
	assert_expands("mm", "/mm/\n");
	assert_expands("/", "/\n");
	assert_expands("/kvm/a\\x20b", "/kvm/a b\n");
	assert_int_equal(expand("/kvm/none"), -ENOENT);
	assert_int_equal(expand("/kvm/exits/cpuid/x"), -ENOENT);
	assert_int_equal(expand(""), 0);
}

static void test_patterns(void **state)
{
	assert_expands("/kvm/vm?/exits", "/kvm/vm0/exits\n/kvm/vm1/exits\n");
	assert_expands("/*", "/kvm/\n/mm/\n");
	assert_expands("kvm/ex*", "/kvm/exits\n/kvm/exits/\n");
	assert_expands("/kvm/ex*/", "/kvm/exits/\n");
	assert_expands("/*/vm1//exits", "/kvm/vm1/exits\n");
	assert_expands("/kvm/*/cpuid", "/kvm/exits/cpuid\n");
	assert_int_equal(expand("/kvm/zz*"), -ENOENT);
	assert_int_equal(expand("/*/*/*/*/*"), -ENOENT);
}

static void test_a_name_with_a_star_is_itself_first(void **state)
{
	assert_expands("/kvm/x*", "/kvm/x*\n");
	assert_expands("/kvm/x\\x2a", "/kvm/x*\n");
	assert_expands("/kvm/x?", "/kvm/x*\n/kvm/xy\n");
}

static void test_too_long(void **state)
{
	char arg[MON_PATH_MAX + 8];

	memset(arg, 'a', sizeof(arg));
	arg[0] = '/';
	arg[sizeof(arg) - 1] = '\0';
	assert_int_equal(expand(arg), -E2BIG);
	arg[MON_PATH_MAX - 1] = '\0';
	assert_int_equal(expand(arg), -ENOENT);
}

static void test_visit_stops(void **state)
{
	box_init(&box);
	seen = (struct seen){ .stop_at = 1 };
	walk = (struct mon_walk){ .tree = &box.tree, .visit = see, .ctx = &seen };
	assert_int_equal(mon_expand(&walk, "/kvm/*"), -ECANCELED);
	assert_int_equal(seen.n, 1);
}

static void test_subtree(void **state)
{
	assert_int_equal(expand("/kvm/"), 0);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(mon_subtree(&walk), 0);
	assert_string_equal(seen.text, "/kvm/exits\n/kvm/guests\n/kvm/a b\n/kvm/x*\n/kvm/xy\n"
			    "/kvm/exits/cpuid\n/kvm/exits/hlt\n/kvm/vm0/exits\n"
			    "/kvm/vm1/exits\n/kvm/hist/count\n/kvm/hist/ge_1\n"
			    "/kvm/hist/ge_2\n");
	assert_string_equal(walk.path, "/kvm/");
}

/* A tree that contains itself: the walk ends. */
static int endless_entry(void *ctx, const char *path, u32 index, struct mon_entry *e)
{
	strcpy(e->name, "d");
	e->mode = 0755;
	return index ? -ENOENT : 0;
}

static void test_endless_tree(void **state)
{
	const struct mon_tree t = { .entry = endless_entry, .stat = box_stat, .ctx = &box };

	box_init(&box);
	memset(&seen, 0, sizeof(seen));
	walk = (struct mon_walk){ .tree = &t, .visit = see, .ctx = &seen, .path = "/", .len = 1 };
	assert_int_equal(mon_subtree(&walk), -E2BIG);
	assert_string_equal(walk.path, "/");
}

static void found(void *ctx, const char *name, bool dir)
{
	box_add(ctx, sizeof(seen.text), dir ? "d " : "f ", name);
}

static void test_candidates(void **state)
{
	box_init(&box);
	memset(&seen, 0, sizeof(seen));
	walk = (struct mon_walk){ .tree = &box.tree };
	assert_int_equal(mon_candidates(&walk, "/kvm/e", found, seen.text), 0);
	assert_string_equal(seen.text, "f exits\nd exits\n");
	seen.text[0] = '\0';
	assert_int_equal(mon_candidates(&walk, "/kvm/a\\x20", found, seen.text), 0);
	assert_string_equal(seen.text, "f a\\x20b\n");
	seen.text[0] = '\0';
	assert_int_equal(mon_candidates(&walk, "m", found, seen.text), 0);
	assert_int_equal(mon_candidates(&walk, "/none/m", found, seen.text), 0);
	assert_string_equal(seen.text, "d mm\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_char),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_match_stops_at_end),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_a_name_with_a_star_is_itself_first),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_visit_stops),
		cmocka_unit_test(test_subtree),
		cmocka_unit_test(test_endless_tree),
		cmocka_unit_test(test_candidates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
