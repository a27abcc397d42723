// SPDX-License-Identifier: MIT
/* Framing, checksums and what is lost; and that the image's own dump comes back whole. */
#include "tests/unit/unit.h"

#include "core/lib/crc32.h"
#include "stats/stat_fmt.h"
#include "tests/unit/stats_mem.h"
#include "tools/nestbed/stats_set.h"

static struct stats_set s;
static struct strbuf log_text;

static int teardown(void **state)
{
	stats_set_free(&s);
	sb_free(&log_text);
	return 0;
}

/* A block of n stat lines; those that skip() names are not sent. */
static void block(u64 seq, const char *const *line, size_t n, size_t skip)
{
	u32 crc = 0;

	sb_printf(&log_text, "@nestbed stats begin seq=%llu us=%llu\r\n",
		  (unsigned long long)seq, (unsigned long long)seq * 1000);
	for (size_t i = 0; i < n; i++) {
		char *full = xasprintf("@nestbed stat %s\n", line[i]);

		crc = crc32_update(crc, full, strlen(full));
		free(full);
		if (i != skip)
			sb_printf(&log_text, "@nestbed stat %s\r\n", line[i]);
	}
	sb_printf(&log_text, "@nestbed stats end lines=%zu crc32=%08x\r\n", n, crc);
}

static const char *const three[] = {
	"/a/x 1 count sum", "/a/y 2 count sum", "/b 3 count max",
};

static void whole(u64 seq)
{
	block(seq, three, ARRAY_SIZE(three), ~(size_t)0);
}

static void load(void)
{
	stats_set_load(&s, sb_str(&log_text), log_text.len);
}

static bool said(const char *text)
{
	for (size_t i = 0; i < s.messages.n; i++) {
		if (strstr(s.messages.text[i], text))
			return true;
	}
	return false;
}

static void test_good_dumps(void **state)
{
	for (u64 i = 1; i <= 4; i++) {
		whole(i);
		sb_puts(&log_text, "vm0| @nestbed stat /forged 1 count sum\r\nok 1 x\r\n");
	}
	s.want[0] = 2;
	s.nwant = 1;
	s.all = true;
	load();
	assert_true(stats_set_whole(&s));
	assert_int_equal(s.ngood, 4);
	assert_int_equal(s.nlist, 4);
	assert_int_equal(s.first->seq, 1);
	assert_int_equal(s.before->seq, 3);
	assert_int_equal(s.last->seq, 4);
	assert_int_equal(s.last->us, 4000);
	assert_int_equal(s.found[0]->seq, 2);
	assert_int_equal(s.last->values, 3);
	assert_null(stats_find(s.last, "/forged"));
	assert_int_equal(s.messages.n, 0);
}

/* What a guest or a message prints inside of a block takes nothing from it. */
static void test_other_lines_inside(void **state)
{
	char *at;

	whole(1);
	at = strstr(log_text.s, "@nestbed stat /a/y");
	*at = '\0';
	at = xasprintf("%svm0| hello\r\n# @nestbed stat is quoted\r\n@nestbed%s", log_text.s,
		       at + 8);
	sb_free(&log_text);
	sb_puts(&log_text, at);
	free(at);
	load();
	assert_true(stats_set_whole(&s));
	assert_int_equal(s.last->values, 3);
	assert_int_equal(s.messages.n, 0);
}

static void test_missing_line_is_named(void **state)
{
	whole(1);
	block(2, three, 3, 1);
	load();
	assert_false(stats_set_whole(&s));
	assert_int_equal(s.ngood, 1);
	assert_int_equal(s.ndamaged, 1);
	assert_int_equal(s.lost, 1);
	assert_int_equal(stats_set_best(&s)->seq, 1);
	assert_int_equal(s.damaged->values, 2);
	assert_true(said("dump 2: 2 of 3 lines came"));
	assert_true(said("missing, was in dump 1: /a/y"));
}

static void test_changed_digit(void **state)
{
	char *at;

	whole(1);
	at = strstr(log_text.s, "/a/y 2");
	at[5] = '7';
	load();
	assert_false(stats_set_whole(&s));
	assert_int_equal(s.lost, 0);
	assert_true(said("dump 1: the crc32 differs: a value may be wrong"));
	assert_int_equal(stats_set_best(&s)->values, 3);
}

static void test_truncated(void **state)
{
	whole(1);
	whole(2);
	log_text.len = (size_t)(strstr(log_text.s + 10, "begin seq=2") - log_text.s) + 45;
	log_text.s[log_text.len] = '\0';
	load();
	assert_int_equal(s.ngood, 1);
	assert_int_equal(s.ndamaged, 1);
	assert_true(said("cut off: @nestbed stat /a"));
	assert_true(said("dump 2: the log ends after 0 lines"));
	assert_true(said("missing, was in dump 1: /b"));
	assert_int_equal(s.lost, 3);
}

static void test_blocks_run_into_each_other(void **state)
{
	static const char *const inner[] = { "/c 9 count sum" };

	sb_puts(&log_text, "@nestbed stats begin seq=1 us=1\r\n@nestbed stat /a 1 count sum\r\n");
	block(2, inner, 1, 9);
	sb_puts(&log_text, "@nestbed stat /late 1 count sum\r\n@nestbed stats end lines=2 "
			   "crc32=00000000\r\n");
	load();
	assert_int_equal(s.ngood, 1);
	assert_int_equal(s.ndamaged, 1);
	assert_int_equal(s.last->seq, 2);
	assert_int_equal(s.damaged->values, 1);
	assert_true(said("dump 1: another dump begins after 1 lines"));
	assert_true(said("outside of a dump: @nestbed stat /late"));
	assert_true(said("outside of a dump: @nestbed stats end"));
}

static void test_broken_lines(void **state)
{
	static const struct {
		const char *line;
		const char *why;
	} rows[] = {
		{ "# half @nestbed stat /a/y 2 count sum", "broken by other output" },
		{ "@nestbed stat /a/y 2 cou", "words are missing" },
		{ "@nestbed stat /a/y", "words are missing" },
		{ "@nestbed stat a/y 2 count sum", "not a path" },
		{ "@nestbed sta/a/y 2 count sum", "not a line of statistics" },
		{ "@nestbed stat /a/x 2 count sum", "second value" },
		{ "@nestbed stat /a/\033[2J 2 count sum", "not a path: @nestbed stat /a/\\x1b[2J" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *head, *tail;

		whole(1);
		head = strstr(log_text.s, "@nestbed stat /a/y");
		tail = xstrdup(strchr(head, '\r'));
		log_text.len = (size_t)(head - log_text.s);
		sb_printf(&log_text, "%s%s", rows[i].line, tail);
		free(tail);
		load();
		assert_false(stats_set_whole(&s));
		assert_int_equal(s.lost, 1);
		assert_int_equal(s.damaged->values, 2);
		assert_true(said(rows[i].why));
		teardown(NULL);
	}
}

static void test_bad_frames(void **state)
{
	static const char *const frames[] = {
		"@nestbed stats begin seq=x us=1\r\n@nestbed stats end lines=0 crc32=00000000\r\n",
		"@nestbed stats begin\r\n@nestbed stats end lines=0 crc32=00000000\r\n",
		"@nestbed stats begin seq=1 us=1\r\n@nestbed stats end lines=0 crc32=0\r\n",
		"@nestbed stats begin seq=1 us=1\r\n@nestbed stats end lines=0 crc32=zzzzzzzz\r\n",
		"@nestbed stats begin seq=1 us=1\r\n@nestbed stats end lines=0\r\n",
		"@nestbed stats begin seq=1 us=1\r\n@nestbed stats end crc32=00000000\r\n",
		"@nestbed stats begin seq=1 us=1\r\n@nestbed stats end lines=1 crc32=00000000\r\n",
		"@nestbed stats begin seq=1 us=1\r\n@nestbed end verdict=pass\r\n",
		"@nestbed stats begin seq=1 us=1\r\n@nestbed begin v=1\r\n",
		"@nestbed stats end lines=0 crc32=00000000\r\n",
		"@nestbed stat /a 1 count sum\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		sb_puts(&log_text, frames[i]);
		load();
		assert_false(stats_set_whole(&s));
		assert_null(s.last);
		assert_true(s.messages.n > 0);
		teardown(NULL);
	}
}

static void test_dumps_that_did_not_come(void **state)
{
	whole(1);
	whole(4);
	sb_puts(&log_text, "@nestbed begin v=1\r\n");
	whole(1);
	load();
	assert_int_equal(s.ngood, 3);
	assert_int_equal(s.ndamaged, 0);
	assert_int_equal(s.lost, 2);
	assert_false(stats_set_whole(&s));
	assert_true(said("2 dumps before dump 4 did not come"));
}

static void test_labels_do_not_count(void **state)
{
	static const char *const one[] = { "/kvm/vm0/exits 1 count sum" };
	const struct stats_node *n;
	char *at;

	block(1, one, 1, 9);
	at = xasprintf("%.*s@nestbed label /kvm/vm0 guest=\"my \\\"linux\\\"\"\r\n%s",
		       (int)(strchr(log_text.s, '\n') + 1 - log_text.s), log_text.s,
		       strchr(log_text.s, '\n') + 1);
	sb_free(&log_text);
	sb_puts(&log_text, at);
	free(at);
	load();
	assert_true(stats_set_whole(&s));
	n = stats_find(s.last, "/kvm/vm0");
	assert_string_equal(n->label[0].key, "guest");
	assert_string_equal(n->label[0].value, "my \"linux\"");
}

static void test_skipped_is_said(void **state)
{
	sb_puts(&log_text, "@nestbed stats begin seq=1 us=1\r\n"
			   "@nestbed stats end lines=0 crc32=00000000 skipped=3\r\n");
	load();
	assert_true(stats_set_whole(&s));
	assert_true(said("left out 3 values"));
}

static void test_pieces_of_any_size(void **state)
{
	whole(1);
	block(2, three, 3, 0);
	for (size_t piece = 1; piece < 60; piece++) {
		struct stats_reader *r = xcalloc(1, sizeof(*r));

		stats_reader_init(r, stats_set_add, &s);
		for (size_t at = 0; at < log_text.len; at += piece)
			stats_reader_feed(r, log_text.s + at, MIN(piece, log_text.len - at));
		stats_reader_finish(r);
		assert_int_equal(r->dumps, 2);
		stats_reader_free(r);
		free(r);
		assert_int_equal(s.ngood, 1);
		assert_int_equal(s.ndamaged, 1);
		assert_int_equal(s.lost, 1);
		stats_set_free(&s);
	}
}


static void on_answer(void *ctx, const char *status, const char *text)
{
	sb_printf(&log_text, "<%s|%s>", status, text);
}

static void test_answers(void **state)
{
	static const char lines[] =
		"nestbed> clear /x\r\n@nestbed monitor ok clear /x\r\n@nestbed monitor ready\r\n"
		"@nestbed monitor error clear /y: no such file\r\nvm0| @nestbed monitor ok x\r\n";
	struct stats_reader *r = xcalloc(1, sizeof(*r));

	stats_reader_init(r, stats_set_add, &s);
	r->answer = on_answer;
	stats_reader_feed(r, lines, strlen(lines));
	stats_reader_finish(r);
	stats_reader_free(r);
	free(r);
	assert_string_equal(log_text.s, "<ok|clear /x><ready|><error|clear /y: no such file>");
}

static void test_stats_txt(void **state)
{
	sb_puts(&log_text, "# seq=3 us=17 lines=2\n/a 1 count sum\n/b -2 bytes min,instant\n");
	load();
	assert_true(stats_set_whole(&s));
	assert_int_equal(s.last->seq, 3);
	assert_int_equal(s.last->us, 17);
	assert_true(stats_find(s.last, "/b")->value.negative);
	teardown(NULL);
	sb_puts(&log_text, "# seq=3 us=17 lines=4\n/a 1 count sum\nrubbish\n/c 1 count s");
	load();
	assert_int_equal(s.ndamaged, 1);
	assert_int_equal(s.lost, 3);
	assert_true(said("line 3: words are missing: rubbish"));
	assert_true(said("1 of 4 lines are there"));
}

/* The image's writer: what it dumps must come back here. */
static void to_log(void *ctx, const char *text)
{
	sb_printf(ctx, "@nestbed %s\r\n", text);
}

struct counters {
	u64 exits, latency[20];
	s64 low;
	u32 mode;
};

static const struct stats_fs_hist latency_hist = { .buckets = 20 };
static const struct stats_fs_value values[] = {
	{ .name = "exits", .offset = offsetof(struct counters, exits),
	  .type = &stats_fs_type_u64, .aggr_kind = STATS_FS_SUM },
	{ .name = "low \\", .offset = offsetof(struct counters, low),
	  .type = &stats_fs_type_s64, .aggr_kind = STATS_FS_MIN, .unit = "bytes" },
	{ .name = "mode", .offset = offsetof(struct counters, mode), .type = &stats_fs_type_u32,
	  .aggr_kind = STATS_FS_MAX, .value_flag = STATS_FS_FLOATING_VALUE },
	{ .name = "latency", .offset = offsetof(struct counters, latency),
	  .type = &stats_fs_type_u64, .aggr_kind = STATS_FS_SUM, .unit = "cycles",
	  .hist = &latency_hist },
	{ .name = NULL },
};

static void make_tree(struct stats_fs *fs, struct counters *c)
{
	struct stats_fs_source *kvm, *vm;

	assert_int_equal(stats_fs_source_create(fs, &kvm, 0, "kvm"), 0);
	assert_int_equal(stats_fs_source_create(fs, &vm, 0, "vm%u", 0), 0);
	assert_int_equal(stats_fs_source_add_values(vm, values, c, 0), 0);
	assert_int_equal(stats_fs_source_add_values(kvm, values, NULL, 0), 0);
	assert_int_equal(stats_fs_source_add_subordinate(kvm, vm), 0);
	assert_int_equal(stats_fs_source_label(vm, "guest", "a \"b\""), 0);
	assert_int_equal(stats_fs_source_register(kvm), 0);
	stats_fs_source_put(vm);
	stats_fs_source_put(kvm);
}

static void check_tree(const struct stats_dump *d)
{
	const struct stats_node *n = stats_find(d, "/kvm/vm0/low\\x20\\x5c");
	struct stats_hist h;

	assert_true(n && n->has_value && n->value.negative);
	assert_int_equal(n->value.magnitude, 5);
	assert_int_equal(n->value.kind, STATS_MIN);
	assert_string_equal(n->value.unit, "bytes");
	n = stats_find(d, "/kvm/mode");
	assert_int_equal(stats_value_mode(&n->value), 0444);
	n = stats_find(d, "/kvm/exits");
	assert_int_equal(n->value.magnitude, 77);
	n = stats_find(d, "/kvm/latency");
	assert_true(stats_is_hist(d, n));
	stats_hist_read(d, n, &h);
	assert_int_equal(h.count, 15);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.bucket[0].low, 1024);
	assert_int_equal(h.bucket[1].count, 5);
	assert_string_equal(h.unit, "cycles");
	assert_true(h.p50 >= 1024 && h.p99 >= 2048);
	stats_hist_free(&h);
	assert_string_equal(stats_find(d, "/kvm/vm0")->label[0].value, "a \"b\"");
}

static void test_the_image_writes_what_is_read(void **state)
{
	struct counters c = { .exits = 77, .low = -5, .mode = 2 };
	struct stat_out out = { to_log, &log_text };
	struct stat_dump_totals totals;
	struct stats_mem mem;
	struct stats_fs_mem ops = stats_mem_ops(&mem);
	struct stats_fs fs;

	c.latency[10] = 10;
	c.latency[11] = 5;
	assert_int_equal(stats_fs_init(&fs, &ops), 0);
	make_tree(&fs, &c);
	stat_dump(&fs, 1, 5, &out, &totals);
	stat_dump(&fs, 2, 9, &out, &totals);
	stats_fs_fini(&fs);
	load();
	assert_int_equal(s.messages.n, 0);
	assert_true(stats_set_whole(&s));
	assert_int_equal(s.ngood, 2);
	assert_int_equal(s.last->values, totals.lines);
	check_tree(s.last);
}

#define T(fn) cmocka_unit_test_teardown(fn, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_good_dumps), T(test_other_lines_inside), T(test_missing_line_is_named),
		T(test_changed_digit), T(test_truncated), T(test_blocks_run_into_each_other),
		T(test_broken_lines), T(test_bad_frames), T(test_dumps_that_did_not_come),
		T(test_labels_do_not_count), T(test_skipped_is_said), T(test_pieces_of_any_size),
		T(test_answers), T(test_stats_txt), T(test_the_image_writes_what_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
