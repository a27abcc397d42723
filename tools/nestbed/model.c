// SPDX-License-Identifier: MIT
#include "tools/nestbed/model.h"

#include <stdlib.h>
#include <string.h>

#include "core/lib/crc32.h"

/* clang-format off */
static const struct {
	const char *name;
	const char *words;
	bool bad;
	bool from_image;	/* may stand in a test line */
} results[RESULT_NR] = {
	[RESULT_NONE]    = { "none",    "no result", true,  false },
	[RESULT_PASS]    = { "pass",    "passed",    false, true },
	[RESULT_FAIL]    = { "fail",    "failed",    true,  true },
	[RESULT_SKIP]    = { "skip",    "skipped",   false, true },
	[RESULT_ERROR]   = { "error",   "error",     true,  true },
	[RESULT_KNOWN]   = { "known",   "known",     false, true },
	[RESULT_CRASHED] = { "crashed", "crashed",   true,  false },
	[RESULT_MISSING] = { "missing", "missing",   true,  false },
};
/* clang-format on */

const char *result_name(enum test_result r)
{
	return results[r].name;
}

const char *result_words(enum test_result r)
{
	return results[r].words;
}

bool result_is_bad(enum test_result r)
{
	return results[r].bad;
}

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = { "pass", "fail", "incomplete" };

	return names[v];
}

size_t group_len(const char *id)
{
	const char *one = strchr(id, '.');
	const char *two = one ? strchr(one + 1, '.') : NULL;

	if (two)
		return (size_t)(two - id);
	return one ? (size_t)(one - id) : strlen(id);
}

/* Bounded, and cleaned: messages quote lines that came from the machine. */
static void add_message(struct messages *list, const char *fmt, va_list ap)
{
	struct strbuf raw = { 0 };

	if (list->n == MODEL_MESSAGES_MAX) {
		list->dropped++;
		return;
	}
	sb_vprintf(&raw, fmt, ap);
	list->text[list->n++] = clean_dup(sb_str(&raw), raw.len);
	sb_free(&raw);
}

void messages_add(struct messages *list, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_message(list, fmt, ap);
	va_end(ap);
}

void model_problem(struct run_model *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_message(&m->problems, fmt, ap);
	va_end(ap);
}

void model_note(struct run_model *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_message(&m->notes, fmt, ap);
	va_end(ap);
}

void model_init(struct run_model *m)
{
	memset(m, 0, sizeof(*m));
	m->hash_size = 256;
	m->hash = xcalloc(m->hash_size, sizeof(*m->hash));
}

static void free_named(struct named *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].text);
	}
	free(list);
}

void messages_free(struct messages *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->text[i]);
	*list = (struct messages){ 0 };
}

void model_free(struct run_model *m)
{
	free_named(m->begin, m->nbegin);
	free_named(m->info, m->ninfo);
	free_named(m->end, m->nend);
	for (size_t i = 0; i < m->ntests; i++) {
		free(m->test[i].id);
		free(m->test[i].reason);
		free(m->test[i].ref);
	}
	free(m->test);
	free(m->hash);
	for (size_t i = 0; i < m->nbench; i++) {
		free(m->bench[i].name);
		free(m->bench[i].unit);
	}
	free(m->bench);
	sb_free(&m->receiving.text);
	sb_free(&m->stats.text);
	messages_free(&m->problems);
	messages_free(&m->notes);
	memset(m, 0, sizeof(*m));
}

/* Makes room for one more element of a list whose length is n. */
static void *grow(void *list, size_t n, size_t size)
{
	if (n & (n - 1))
		return list;
	return xrealloc(list, n ? n * 2 : 1, size);
}

/* Appends a copy; what is beyond the bound is dropped silently, it is only inventory. */
static void add_named(struct named **list, size_t *n, const char *name, const char *text)
{
	if (*n == MODEL_PAIRS_MAX)
		return;
	*list = grow(*list, *n, sizeof(**list));
	(*list)[*n].name = clean_dup(name, strlen(name));
	(*list)[*n].text = clean_dup(text, strlen(text));
	++*n;
}

static const char *find_named(const struct named *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(list[i].name, name))
			return list[i].text;
	}
	return NULL;
}

const char *model_begin(const struct run_model *m, const char *key)
{
	return find_named(m->begin, m->nbegin, key);
}

size_t model_done(const struct run_model *m)
{
	size_t n = 0;

	for (int r = 0; r < RESULT_NR; r++)
		n += results[r].from_image ? m->count[r] : 0;
	return n;
}

/* The slot of an id: holds its index + 1, or 0 where it would go. */
static size_t *hash_slot(const struct run_model *m, const char *id)
{
	u32 h = crc32_update(0, id, strlen(id));

	for (size_t i = h & (m->hash_size - 1);; i = (i + 1) & (m->hash_size - 1)) {
		size_t *slot = &m->hash[i];

		if (!*slot || !strcmp(m->test[*slot - 1].id, id))
			return slot;
	}
}

/* Keeps the table at most half full, so that probing stays short. */
static void hash_double(struct run_model *m)
{
	free(m->hash);
	m->hash_size *= 2;
	m->hash = xcalloc(m->hash_size, sizeof(*m->hash));
	for (size_t i = 0; i < m->ntests; i++)
		*hash_slot(m, m->test[i].id) = i + 1;
}

/* A machine line that cannot be used: the run cannot be complete. */
static void bad_line(struct run_model *m, const struct serial_event *ev, const char *what)
{
	if (++m->bad_lines <= 8)
		model_problem(m, "line %llu: %s: %.100s", (unsigned long long)ev->line, what,
			      ev->text);
}

/* The test of that name, made when it is new; NULL (and said) if it cannot be. */
static struct test_case *get_test(struct run_model *m, const struct serial_event *ev)
{
	const char *id = ev->word[0];
	struct test_case *t;
	size_t *slot;

	if (!serial_is_id(id)) {
		bad_line(m, ev, "not a test id");
		return NULL;
	}
	slot = hash_slot(m, id);
	if (*slot)
		return &m->test[*slot - 1];
	if (m->ntests == MODEL_TESTS_MAX) {
		bad_line(m, ev, "too many tests");
		return NULL;
	}
	m->test = grow(m->test, m->ntests, sizeof(*m->test));
	t = &m->test[m->ntests++];
	*t = (struct test_case){ .id = xstrdup(id) };
	*slot = m->ntests;
	if (m->ntests * 2 > m->hash_size)
		hash_double(m);
	return t;
}

/* The run starts here; a later begin line never reaches this. */
static void on_begin(struct run_model *m, const struct serial_event *ev)
{
	const char *v = serial_value(ev, "v");

	m->begun = true;
	for (unsigned int i = 0; i < ev->npairs; i++)
		add_named(&m->begin, &m->nbegin, ev->pair[i].key, ev->pair[i].value);
	if (!v || strcmp(v, "1"))
		model_problem(m, "the begin line says version \"%s\"; this tool reads version 1",
			      v ? v : "");
	if (m->stray)
		model_note(m, "%llu machine lines before the begin line were not used",
			   (unsigned long long)m->stray);
}

static void on_info(struct run_model *m, const struct serial_event *ev)
{
	add_named(&m->info, &m->ninfo, ev->word[0], ev->word[1]);
}

static void on_plan(struct run_model *m, const struct serial_event *ev)
{
	if (m->has_plan)
		bad_line(m, ev, "a second plan");
	else if (decimal_u64(ev->word[0], &m->plan))
		bad_line(m, ev, "not a number");
	else
		m->has_plan = true;
}

/* A test that is to report: without a result it will be named as missing. */
static void on_decl(struct run_model *m, const struct serial_event *ev)
{
	struct test_case *t = get_test(m, ev);

	if (!t)
		return;
	if (t->declared)
		bad_line(m, ev, "declared twice");
	else
		m->declared++;
	t->declared = true;
}

/* From here on this test is to blame when the line goes dead. */
static void on_start(struct run_model *m, const struct serial_event *ev)
{
	struct test_case *t = get_test(m, ev);

	if (!t)
		return;
	if (t->started || t->result)
		bad_line(m, ev, "started twice");
	t->started = true;
	t->has_log = true;
	t->log_from = ev->offset;
	t->log_to = ev->next;
	m->current = (size_t)(t - m->test) + 1;
	m->last_started = m->current;
}

/* RESULT_NONE for a word that no test line may use. */
static enum test_result result_from(const char *name)
{
	for (int r = 0; r < RESULT_NR; r++) {
		if (results[r].from_image && !strcmp(results[r].name, name))
			return (enum test_result)r;
	}
	return RESULT_NONE;
}

static char *dup_value(const struct serial_event *ev, const char *key)
{
	const char *value = serial_value(ev, key);

	return value ? clean_dup(value, strlen(value)) : NULL;
}

static void on_test(struct run_model *m, const struct serial_event *ev)
{
	enum test_result result = result_from(ev->word[1]);
	struct test_case *t;
	const char *us = serial_value(ev, "us");

	if (!result) {
		bad_line(m, ev, "not a result");
		return;
	}
	t = get_test(m, ev);
	if (!t)
		return;
	if (m->current == (size_t)(t - m->test) + 1)
		m->current = 0;
	if (t->result) {
		/* The first result stays: counts stay those of lines with a result. */
		bad_line(m, ev, "a second result");
		return;
	}
	t->result = result;
	m->count[result]++;
	t->reason = dup_value(ev, "reason");
	t->ref = dup_value(ev, "ref");
	t->has_us = us && !decimal_u64(us, &t->us);
	if (!t->has_log)
		t->log_from = ev->offset;
	t->has_log = true;
	t->log_to = ev->next;
}

/* All three numbers or nothing. */
static void on_bench(struct run_model *m, const struct serial_event *ev)
{
	const char *min = serial_value(ev, "min");
	const char *median = serial_value(ev, "median");
	const char *max = serial_value(ev, "max");
	const char *unit = serial_value(ev, "unit");
	struct bench b = { 0 };

	if (!min || !median || !max || !unit || decimal_u64(min, &b.min) ||
	    decimal_u64(median, &b.median) || decimal_u64(max, &b.max)) {
		bad_line(m, ev, "not a measurement");
		return;
	}
	if (m->nbench == MODEL_PAIRS_MAX)
		return;
	b.name = clean_dup(ev->word[0], strlen(ev->word[0]));
	b.unit = clean_dup(unit, strlen(unit));
	m->bench = grow(m->bench, m->nbench, sizeof(*m->bench));
	m->bench[m->nbench++] = b;
}

/* Statistics do not decide a verdict: a damaged block is a note. */
static void stats_damaged(struct run_model *m, const struct serial_event *ev, const char *what)
{
	if (++m->stats_damaged <= 4)
		model_note(m, "line %llu: statistics dropped: %s", (unsigned long long)ev->line,
			   what);
	m->in_stats = false;
}

/* Sums run over the line as it came, before anything is taken out of it. */
static void on_stats_begin(struct run_model *m, const struct serial_event *ev)
{
	struct stats_block *b = &m->receiving;
	const char *seq = serial_value(ev, "seq");
	const char *us = serial_value(ev, "us");

	if (m->in_stats)
		stats_damaged(m, ev, "the block before has no end");
	sb_free(&b->text);
	*b = (struct stats_block){ 0 };
	m->in_stats = true;
	if (!seq || decimal_u64(seq, &b->seq) || !us || decimal_u64(us, &b->us))
		b->damaged = true;
}

static bool is_integer(const char *s)
{
	u64 v;

	return !decimal_u64(s + (*s == '-'), &v);
}

static void on_stat(struct run_model *m, const struct serial_event *ev)
{
	struct stats_block *b = &m->receiving;

	if (!m->in_stats) {
		stats_damaged(m, ev, "a line outside of a block");
		return;
	}
	b->lines++;
	b->crc = crc32_update(b->crc, ev->text, ev->len);
	b->crc = crc32_update(b->crc, "\n", 1);
	if (ev->word[0][0] != '/' || !is_integer(ev->word[1]) || b->lines > MODEL_STATS_MAX) {
		b->damaged = true;
		return;
	}
	for (unsigned int i = 0; i < MIN(ev->nwords, 4u); i++) {
		if (i)
			sb_puts(&b->text, " ");
		sb_clean(&b->text, ev->word[i], strlen(ev->word[i]));
	}
	sb_puts(&b->text, "\n");
}

/* Only a block whose count and checksum agree replaces the last good one. */
static void on_stats_end(struct run_model *m, const struct serial_event *ev)
{
	struct stats_block *b = &m->receiving;
	const char *lines = serial_value(ev, "lines");
	const char *crc = serial_value(ev, "crc32");
	u64 n;

	if (!m->in_stats) {
		stats_damaged(m, ev, "an end without a begin");
		return;
	}
	if (!lines || decimal_u64(lines, &n) || n != b->lines) {
		stats_damaged(m, ev, "the number of lines differs");
		return;
	}
	if (!crc || !*crc || strspn(crc, "0123456789abcdefABCDEF") != strlen(crc) ||
	    strlen(crc) > 8 || strtoul(crc, NULL, 16) != b->crc) {
		stats_damaged(m, ev, "the crc32 differs");
		return;
	}
	if (b->damaged) {
		stats_damaged(m, ev, "a line is not a statistic");
		return;
	}
	sb_free(&m->stats.text);
	m->stats = *b;
	m->stats_good++;
	*b = (struct stats_block){ 0 };
	m->in_stats = false;
}

/* Everything behind it is another run or noise. */
static void on_end(struct run_model *m, const struct serial_event *ev)
{
	m->ended = true;
	for (unsigned int i = 0; i < ev->npairs; i++)
		add_named(&m->end, &m->nend, ev->pair[i].key, ev->pair[i].value);
	if (m->in_stats)
		stats_damaged(m, ev, "the block has no end");
}

static void on_unknown(struct run_model *m, const struct serial_event *ev)
{
	model_note(m, "line %llu: not known to this tool: %.100s", (unsigned long long)ev->line,
		   ev->text);
}

static void on_bad(struct run_model *m, const struct serial_event *ev)
{
	bad_line(m, ev, ev->error);
}

static void (*const handlers[SERIAL_NR])(struct run_model *m, const struct serial_event *ev) = {
	[SERIAL_BEGIN] = on_begin,
	[SERIAL_INFO] = on_info,
	[SERIAL_PLAN] = on_plan,
	[SERIAL_DECL] = on_decl,
	[SERIAL_START] = on_start,
	[SERIAL_TEST] = on_test,
	[SERIAL_BENCH] = on_bench,
	[SERIAL_STATS_BEGIN] = on_stats_begin,
	[SERIAL_STAT] = on_stat,
	[SERIAL_STATS_END] = on_stats_end,
	[SERIAL_END] = on_end,
	[SERIAL_UNKNOWN] = on_unknown,
	[SERIAL_BAD] = on_bad,
};

/* False for a line that belongs to no run or to the next one. */
static bool line_counts(struct run_model *m, const struct serial_event *ev)
{
	if (m->reset || m->again)
		return false;
	if (ev->partial) {
		m->cut_off = true;
		return false;
	}
	if (ev->type == SERIAL_BEGIN) {
		m->reset = m->begun && !m->ended;
		m->again = m->begun && m->ended;
		return !m->begun;
	}
	m->stray += !m->begun;
	return m->begun && !m->ended;
}

void model_event(void *ctx, const struct serial_event *ev)
{
	struct run_model *m = ctx;

	m->lines++;
	if (!m->reset && !m->again && ev->type != SERIAL_BEGIN)
		m->log_end = ev->next;
	if (handlers[ev->type] && line_counts(m, ev))
		handlers[ev->type](m, ev);
}
