// SPDX-License-Identifier: MIT
#include "tools/nestbed/stats_reader.h"

#include <stdlib.h>
#include <string.h>

#include "core/lib/crc32.h"

/* How much of a broken line a message quotes. */
#define QUOTE	120

#define ULL(v)	((unsigned long long)(v))

/* One line of the block cannot be used, or looks as if it were one. */
static void lose(struct stats_reader *r, const struct serial_event *ev, const char *why)
{
	struct stats_dump *d = r->current;

	d->lost++;
	messages_add(&d->messages, "line %llu: %s: %.*s", ULL(ev->line), why, QUOTE, ev->text);
}

/* A line of statistics that belongs to no block. */
static void lose_stray(struct stats_reader *r, const struct serial_event *ev)
{
	r->lost++;
	messages_add(&r->messages, "line %llu: outside of a dump: %.*s", ULL(ev->line), QUOTE,
		     ev->text);
}

/* Names what the last good dump had and this one has not; how many that are. */
static u64 name_missing(struct stats_dump *d, const struct stats_dump *before)
{
	u64 missing = 0;

	for (size_t i = 1; before && i < before->n; i++) {
		const struct stats_node *n = &before->node[i], *now;

		/* An empty bucket is left out, so that it is not missing. */
		if (!n->has_value || n->value.kind == STATS_BUCKET)
			continue;
		now = stats_find(d, n->path);
		if (now && now->has_value)
			continue;
		messages_add(&d->messages, "missing, was in dump %llu: %s", ULL(before->seq),
			     n->path);
		missing++;
	}
	return missing;
}

/* The block is over: hands it out. */
static void give(struct stats_reader *r)
{
	struct stats_dump *d = r->current;
	u64 missing;

	r->current = NULL;
	if (d->damaged) {
		missing = name_missing(d, r->previous);
		d->lost = MAX(d->lost, missing);
	} else {
		stats_dump_put(r->previous);
		r->previous = stats_dump_get(d);
	}
	r->dumps++;
	r->dump(r->ctx, d);
}

/* The block has no end line. */
static void truncate(struct stats_reader *r, const char *why)
{
	struct stats_dump *d = r->current;

	if (!d)
		return;
	d->damaged = true;
	messages_add(&d->messages, "dump %llu: %s after %llu lines", ULL(d->seq), why,
		     ULL(r->lines));
	give(r);
}

static void on_begin_block(struct stats_reader *r, const struct serial_event *ev)
{
	const char *seq = serial_value(ev, "seq");
	const char *us = serial_value(ev, "us");
	u64 nseq = 0, nus = 0;
	bool bad = !seq || decimal_u64(seq, &nseq) || !us || decimal_u64(us, &nus);

	truncate(r, "another dump begins");
	r->current = stats_dump_new(nseq, nus);
	r->crc = 0;
	r->lines = 0;
	r->bad = bad;
	if (bad) {
		messages_add(&r->current->messages, "line %llu: the dump's number or time is bad",
			     ULL(ev->line));
		return;
	}
	/* Counted from 1 in each run; a lower number is another run. */
	if (r->last_seq && nseq > r->last_seq + 1) {
		r->lost += nseq - r->last_seq - 1;
		messages_add(&r->messages, "line %llu: %llu dumps before dump %llu did not come",
			     ULL(ev->line), ULL(nseq - r->last_seq - 1), ULL(nseq));
	}
	r->last_seq = nseq;
}

static void on_stat(struct stats_reader *r, const struct serial_event *ev)
{
	const char *why = "words are missing";

	if (!r->current) {
		lose_stray(r, ev);
		return;
	}
	r->lines++;
	r->crc = crc32_update(r->crc, ev->text, ev->len);
	r->crc = crc32_update(r->crc, "\n", 1);
	if (ev->nwords >= 4)
		why = stats_dump_add(r->current, ev->word[0], ev->word[1], ev->word[2],
				     ev->word[3]);
	if (why) {
		r->bad = true;
		lose(r, ev, why);
	}
}

static void on_label(struct stats_reader *r, const struct serial_event *ev)
{
	const char *why = NULL;

	for (unsigned int i = 0; r->current && !why && i < ev->npairs; i++)
		why = stats_dump_label(r->current, ev->word[0], ev->pair[i].key,
				       ev->pair[i].value);
	if (why)
		messages_add(&r->current->messages, "line %llu: %s: %.*s", ULL(ev->line), why,
			     QUOTE, ev->text);
}

/* False, and said, if not all lines came. */
static bool count_agrees(struct stats_reader *r, const char *text)
{
	struct stats_dump *d = r->current;
	u64 n;

	if (!text || decimal_u64(text, &n)) {
		messages_add(&d->messages, "dump %llu: its end does not say how many lines it has",
			     ULL(d->seq));
		return false;
	}
	if (n > d->values)
		d->lost = n - d->values;
	if (n == r->lines)
		return true;
	messages_add(&d->messages, "dump %llu: %llu of %llu lines came", ULL(d->seq),
		     ULL(r->lines), ULL(n));
	return false;
}

/* False, and said, if a byte of the lines that came is not what was sent. */
static bool crc_agrees(struct stats_reader *r, const char *text)
{
	struct stats_dump *d = r->current;

	if (text && strlen(text) == 8 && strspn(text, "0123456789abcdefABCDEF") == 8 &&
	    strtoul(text, NULL, 16) == r->crc)
		return true;
	messages_add(&d->messages, "dump %llu: the crc32 differs: a value may be wrong",
		     ULL(d->seq));
	return false;
}

static void on_end_block(struct stats_reader *r, const struct serial_event *ev)
{
	const char *skipped = serial_value(ev, "skipped");
	struct stats_dump *d = r->current;
	u64 n;

	if (!d) {
		lose_stray(r, ev);
		return;
	}
	/* When lines are missing the sum must differ: that need not be said. */
	d->damaged = !count_agrees(r, serial_value(ev, "lines")) ||
		     !crc_agrees(r, serial_value(ev, "crc32")) || r->bad;
	if (!d->damaged) {
		/* All came: what looked like a broken line of it was none. */
		messages_free(&d->messages);
		d->lost = 0;
	}
	if (skipped && !decimal_u64(skipped, &n) && n)
		messages_add(&d->messages, "dump %llu: the machine left out %llu values with "
			     "long paths", ULL(d->seq), ULL(n));
	give(r);
}

/* Another run: its numbers start again. */
static void on_begin_run(struct stats_reader *r, const struct serial_event *ev)
{
	truncate(r, "the machine reset");
	r->last_seq = 0;
}

static void on_end_run(struct stats_reader *r, const struct serial_event *ev)
{
	truncate(r, "the run ended");
}

static bool holds(const struct serial_event *ev, const char *what)
{
	return memmem(ev->text, ev->len, what, strlen(what));
}

/* Two writers at once: a line of statistics with something else in front or inside. */
static void on_other(struct stats_reader *r, const struct serial_event *ev)
{
	if (r->current && holds(ev, "@nestbed stat"))
		lose(r, ev, "broken by other output");
}

static void on_bad(struct stats_reader *r, const struct serial_event *ev)
{
	if (r->current)
		lose(r, ev, ev->error ? ev->error : "not a line of statistics");
}

static void on_monitor(struct stats_reader *r, const struct serial_event *ev)
{
	if (r->answer)
		r->answer(r->ctx, ev->word[0], ev->word[1]);
}

static void (*const handlers[SERIAL_NR])(struct stats_reader *r, const struct serial_event *ev) = {
	[SERIAL_TEXT] = on_other,
	[SERIAL_KTAP] = on_other,
	[SERIAL_BEGIN] = on_begin_run,
	[SERIAL_STATS_BEGIN] = on_begin_block,
	[SERIAL_STAT] = on_stat,
	[SERIAL_LABEL] = on_label,
	[SERIAL_STATS_END] = on_end_block,
	[SERIAL_MONITOR] = on_monitor,
	[SERIAL_END] = on_end_run,
	[SERIAL_UNKNOWN] = on_bad,
	[SERIAL_BAD] = on_bad,
};

static void on_event(void *ctx, const struct serial_event *ev)
{
	struct stats_reader *r = ctx;

	if (ev->partial) {
		/* It may have been cut anywhere, even inside its number. */
		if (r->current && holds(ev, "@nestbed"))
			lose(r, ev, "cut off");
		return;
	}
	if (handlers[ev->type])
		handlers[ev->type](r, ev);
}

void stats_reader_init(struct stats_reader *r, void (*dump)(void *ctx, struct stats_dump *d),
		       void *ctx)
{
	memset(r, 0, sizeof(*r));
	r->dump = dump;
	r->ctx = ctx;
	serial_init(&r->parser, on_event, r);
}

void stats_reader_feed(struct stats_reader *r, const void *data, size_t n)
{
	serial_feed(&r->parser, data, n);
}

void stats_reader_finish(struct stats_reader *r)
{
	serial_finish(&r->parser);
	truncate(r, "the log ends");
}

void stats_reader_free(struct stats_reader *r)
{
	stats_dump_put(r->current);
	stats_dump_put(r->previous);
	messages_free(&r->messages);
	memset(r, 0, sizeof(*r));
}

static const char text_head[] = "# seq=";

bool stats_text_is(const char *text, size_t n)
{
	return n >= sizeof(text_head) - 1 && !memcmp(text, text_head, sizeof(text_head) - 1);
}

/* The number behind key in s[0..n), or 0. */
static u64 number_after(const char *s, size_t n, const char *key)
{
	char *copy = xstrndup(s, n);
	const char *at = strstr(copy, key);
	u64 v = at ? strtoull(at + strlen(key), NULL, 10) : 0;

	free(copy);
	return v;
}

/* The line that begins at *text, without its end; *text moves behind it. */
static const char *take_line(const char **text, const char *end, size_t *len)
{
	const char *line = *text;
	const char *lf = memchr(line, '\n', (size_t)(end - line));

	*len = (size_t)((lf ? lf : end) - line);
	*text = lf ? lf + 1 : end;
	return line;
}

struct stats_dump *stats_text_read(const char *text, size_t n)
{
	const char *end = text + n, *line, *why;
	struct stats_dump *d;
	u64 number = 1, lines;
	size_t len;

	line = take_line(&text, end, &len);
	d = stats_dump_new(number_after(line, len, "seq="), number_after(line, len, "us="));
	lines = number_after(line, len, "lines=");
	while (text < end) {
		line = take_line(&text, end, &len);
		number++;
		why = stats_dump_add_line(d, line, len);
		if (!why)
			continue;
		d->damaged = true;
		d->lost++;
		messages_add(&d->messages, "line %llu: %s: %.*s", ULL(number), why,
			     (int)MIN(len, (size_t)QUOTE), line);
	}
	if (d->values + d->lost != lines) {
		d->damaged = true;
		if (lines > d->values)
			d->lost = lines - d->values;
		messages_add(&d->messages, "%llu of %llu lines are there", ULL(d->values),
			     ULL(lines));
	}
	return d;
}
