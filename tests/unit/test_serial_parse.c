// SPDX-License-Identifier: MIT
#include "tests/unit/unit.h"

#include "tests/unit/rng.h"
#include "tools/nestbed/serial_parse.h"
#include "tools/nestbed/text.h"

/* Each event as one line of text: type, place, words, pairs or the text. */
static struct strbuf seen;
static struct serial_parser parser;

static void add_event(void *ctx, const struct serial_event *ev)
{
	struct strbuf *b = ctx;

	sb_printf(b, "%d@%llu-%llu#%llu%s%s", (int)ev->type, (unsigned long long)ev->offset,
		  (unsigned long long)ev->next, (unsigned long long)ev->line,
		  ev->cut ? " cut" : "", ev->partial ? " partial" : "");
	for (unsigned int i = 0; i < ev->nwords; i++)
		sb_printf(b, " [%s]", ev->word[i]);
	for (unsigned int i = 0; i < ev->npairs; i++)
		sb_printf(b, " {%s=%s}", ev->pair[i].key, ev->pair[i].value);
	if (ev->type == SERIAL_TEXT || ev->type == SERIAL_KTAP || ev->type == SERIAL_GUEST) {
		sb_puts(b, " ");
		sb_clean(b, ev->text, ev->len);
	}
	sb_puts(b, "\n");
}

static const char *parse_n(const char *text, size_t n)
{
	sb_free(&seen);
	serial_init(&parser, add_event, &seen);
	serial_feed(&parser, text, n);
	serial_finish(&parser);
	return sb_str(&seen);
}

static const char *parse(const char *text)
{
	return parse_n(text, strlen(text));
}

static enum serial_event_type type_of(const char *line)
{
	return (enum serial_event_type)atoi(parse(line));
}

static void test_every_verb(void **state)
{
	static const struct {
		const char *line;
		enum serial_event_type type;
	} rows[] = {
		{ "@nestbed begin v=1\r\n", SERIAL_BEGIN },
		{ "@nestbed info key some text\r\n", SERIAL_INFO },
		{ "@nestbed plan 3\r\n", SERIAL_PLAN },
		{ "@nestbed decl a.b\r\n", SERIAL_DECL },
		{ "@nestbed start a.b\r\n", SERIAL_START },
		{ "@nestbed test a.b pass\r\n", SERIAL_TEST },
		{ "@nestbed bench x min=1 median=2 max=3 unit=us\r\n", SERIAL_BENCH },
		{ "@nestbed stats begin seq=1 us=2\r\n", SERIAL_STATS_BEGIN },
		{ "@nestbed stat /a 1 count sum\r\n", SERIAL_STAT },
		{ "@nestbed stats end lines=1 crc32=0\r\n", SERIAL_STATS_END },
		{ "@nestbed blob begin seq=1\r\n", SERIAL_BLOB_BEGIN },
		{ "@nestbed blob 1 00000000 AA==\r\n", SERIAL_BLOB },
		{ "@nestbed blob beginning\r\n", SERIAL_BLOB },
		{ "@nestbed blob end seq=1\r\n", SERIAL_BLOB_END },
		{ "@nestbed blob abort seq=1\r\n", SERIAL_BLOB_ABORT },
		{ "@nestbed blob\r\n", SERIAL_BAD },
		{ "@nestbed end verdict=pass\r\n", SERIAL_END },
		{ "@nestbed tomorrow x=1\r\n", SERIAL_UNKNOWN },
		{ "@nestbed stats later\r\n", SERIAL_UNKNOWN },
		{ "@nestbed stats beginning\r\n", SERIAL_UNKNOWN },
		{ "@nestbed\r\n", SERIAL_UNKNOWN },
		{ "@nestbed test a.b\r\n", SERIAL_BAD },
		{ "@nestbed plan\r\n", SERIAL_BAD },
		{ "@nestbed info\r\n", SERIAL_BAD },
		{ "vm0| text\r\n", SERIAL_GUEST },
		{ "vm12| \r\n", SERIAL_GUEST },
		{ "vm| text\r\n", SERIAL_TEXT },
		{ "vm0 | text\r\n", SERIAL_TEXT },
		{ "KTAP version 1\r\n", SERIAL_KTAP },
		{ "1..3\r\n", SERIAL_KTAP },
		{ "    ok 1 sub\r\n", SERIAL_KTAP },
		{ "not ok 2 x # TIMEOUT\r\n", SERIAL_KTAP },
		{ "# why\r\n", SERIAL_KTAP },
		{ "11..3\r\n", SERIAL_TEXT },
		{ "okay\r\n", SERIAL_TEXT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (type_of(rows[i].line) != rows[i].type)
			print_error("# %s", rows[i].line);
		assert_int_equal(type_of(rows[i].line), rows[i].type);
	}
}

static void test_machine_lines_start_at_column_0(void **state)
{
	static const char *const forged[] = {
		" @nestbed test a pass\n", "x@nestbed test a pass\n", "\r@nestbed test a pass\n",
		"\x1b[0m@nestbed test a pass\n", "@nestbedtest a pass\n",
		"@NESTBED test a pass\n", "\t@nestbed test a pass\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(forged); i++)
		assert_int_equal(type_of(forged[i]), SERIAL_TEXT);
	assert_int_equal(type_of("vm0| @nestbed test a pass\n"), SERIAL_GUEST);
}

static void test_words_pairs_and_quotes(void **state)
{
	assert_string_equal(parse("@nestbed test a.b fail reason=\"x \\\"y\\\" \\\\ \\x41\\x00\" "
				  "us=12  ref=\"APM2 15.9\" empty= none=\"\"\r\n"),
			    "8@0-91#1 [a.b] [fail] {reason=x \"y\" \\ A?} {us=12} "
			    "{ref=APM2 15.9} {empty=} {none=}\n");
	assert_string_equal(parse("@nestbed   stat   /a/b=c  -1\n"), "11@0-29#1 [/a/b=c] [-1]\n");
	assert_string_equal(parse("@nestbed info cpu a=\"b  c\n"), "4@0-26#1 [cpu] [a=\"b  c]\n");
	assert_string_equal(parse("@nestbed info cpu\n"), "4@0-18#1 [cpu] []\n");
}

static void test_bad_quotes_are_bad_lines(void **state)
{
	static const char *const bad[] = {
		"@nestbed test a pass r=\"open\n", "@nestbed test a pass r=\"\\\n",
		"@nestbed test a pass r=\"\\q\"\n", "@nestbed test a pass r=\"\\x4\"\n",
		"@nestbed test a pass r=\"\\xgg\"\n", "@nestbed test a pass r=\"a\"b\n",
		"@nestbed test a pass r=\"a\\\"\n",
		"@nestbed test 1 2 3 4 5 6 7 8 9\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(type_of(bad[i]), SERIAL_BAD);
	parse_n("@nestbed test a pa\0ss\n", 22);
	assert_int_equal(atoi(sb_str(&seen)), SERIAL_BAD);
}

static void test_line_ends(void **state)
{
	assert_string_equal(parse("a\nb\r\nc\r\r\n\nd\re\nf"),
			    "0@0-2#1 a\n0@2-5#2 b\n0@5-9#3 c\n0@9-10#4 \n"
			    "0@10-14#5 d\\x0de\n0@14-15#6 partial f\n");
	assert_string_equal(parse(""), "");
	assert_string_equal(parse("\n"), "0@0-1#1 \n");
}

static void test_long_lines_are_cut_and_said_so(void **state)
{
	size_t n = SERIAL_LINE_MAX + 100;
	char *text = malloc(n + 32);
	static const char head[] = "@nestbed test a pass pad=";

	memset(text, 'x', n);
	memcpy(text + n, "\nafter\n", 8);
	parse(text);
	assert_non_null(strstr(sb_str(&seen), " cut "));
	assert_non_null(strstr(sb_str(&seen), "#2 after\n"));
	memcpy(text, head, sizeof(head) - 1);
	assert_int_equal(type_of(text), SERIAL_BAD);
	/* One that fits exactly is whole. */
	text[SERIAL_LINE_MAX] = '\n';
	text[SERIAL_LINE_MAX + 1] = '\0';
	assert_int_equal(type_of(text), SERIAL_TEST);
	free(text);
}

static void test_pairs_beyond_the_limit_are_dropped(void **state)
{
	struct strbuf b = { 0 };

	sb_puts(&b, "@nestbed begin");
	for (int i = 0; i < SERIAL_PAIRS_MAX + 5; i++)
		sb_printf(&b, " k%d=%d", i, i);
	sb_puts(&b, "\n");
	parse(sb_str(&b));
	assert_non_null(strstr(sb_str(&seen), "{k31=31}"));
	assert_null(strstr(sb_str(&seen), "{k32=32}"));
	sb_free(&b);
}

static void test_ids(void **state)
{
	char longest[130];

	assert_true(serial_is_id("svm.vmrun_2.a"));
	assert_true(serial_is_id("x"));
	assert_false(serial_is_id(""));
	assert_false(serial_is_id("A"));
	assert_false(serial_is_id("a b"));
	assert_false(serial_is_id("a-b"));
	memset(longest, 'a', 129);
	longest[129] = '\0';
	assert_false(serial_is_id(longest));
	assert_true(serial_is_id(longest + 1));
}

/* However the bytes are cut into pieces, the events are the same. */
static void test_pieces_of_any_size_give_the_same_events(void **state)
{
	static const char *const parts[] = {
		"@nestbed ", "test a.b pass ", "reason=\"", "\"", "\\", "\r", "\n", "\r\n",
		"vm0| ", "ok 1 x", "x41", " ", "us=1", "@nestbed begin v=1 ", "\x1b[31m", "#",
	};
	struct rng r = rng_seed(1);

	for (int round = 0; round < 300; round++) {
		struct strbuf text = { 0 }, whole = { 0 };

		for (u64 n = rng_below(&r, 60); n; n--)
			sb_puts(&text, parts[rng_below(&r, ARRAY_SIZE(parts))]);
		sb_puts(&whole, parse(sb_str(&text)));
		sb_free(&seen);
		serial_init(&parser, add_event, &seen);
		for (size_t at = 0, n; at < text.len; at += n) {
			n = 1 + rng_below(&r, 7);
			n = MIN(n, text.len - at);
			serial_feed(&parser, text.s + at, n);
		}
		serial_finish(&parser);
		assert_string_equal(sb_str(&seen), sb_str(&whole));
		sb_free(&text);
		sb_free(&whole);
	}
}

static int teardown(void **state)
{
	sb_free(&seen);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_verb),
		cmocka_unit_test(test_machine_lines_start_at_column_0),
		cmocka_unit_test(test_words_pairs_and_quotes),
		cmocka_unit_test(test_bad_quotes_are_bad_lines),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_long_lines_are_cut_and_said_so),
		cmocka_unit_test(test_pairs_beyond_the_limit_are_dropped),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_pieces_of_any_size_give_the_same_events),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
