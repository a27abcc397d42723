// SPDX-License-Identifier: MIT
#include "tools/nestbed/stats_set.h"

#include <stdlib.h>

static void replace(struct stats_dump **at, struct stats_dump *d)
{
	stats_dump_put(*at);
	*at = d ? stats_dump_get(d) : NULL;
}

static void take_messages(struct messages *to, const struct messages *from)
{
	for (size_t i = 0; i < from->n; i++)
		messages_add(to, "%s", from->text[i]);
	to->dropped += from->dropped;
}

static void add_good(struct stats_set *s, struct stats_dump *d)
{
	s->ngood++;
	if (!s->first)
		replace(&s->first, d);
	replace(&s->before, s->last);
	replace(&s->last, d);
	if (!s->all || s->nlist == STATS_SET_ALL_MAX)
		return;
	if (!(s->nlist & (s->nlist - 1)))
		s->list = xrealloc(s->list, s->nlist ? s->nlist * 2 : 1, sizeof(*s->list));
	s->list[s->nlist++] = stats_dump_get(d);
}

void stats_set_add(void *ctx, struct stats_dump *d)
{
	struct stats_set *s = ctx;

	/* A number that comes again, after a reset: the newest counts. */
	for (size_t i = 0; i < s->nwant; i++) {
		if (s->want[i] == d->seq)
			replace(&s->found[i], d);
	}
	take_messages(&s->messages, &d->messages);
	s->lost += d->lost;
	if (d->damaged) {
		s->ndamaged++;
		replace(&s->damaged, d);
	} else {
		add_good(s, d);
	}
	stats_dump_put(d);
}

void stats_set_load(struct stats_set *s, const char *text, size_t n)
{
	struct stats_reader *r;

	if (stats_text_is(text, n)) {
		stats_set_add(s, stats_text_read(text, n));
		return;
	}
	r = xcalloc(1, sizeof(*r));
	stats_reader_init(r, stats_set_add, s);
	stats_reader_feed(r, text, n);
	stats_reader_finish(r);
	take_messages(&s->messages, &r->messages);
	s->lost += r->lost;
	stats_reader_free(r);
	free(r);
}

void stats_set_free(struct stats_set *s)
{
	replace(&s->first, NULL);
	replace(&s->before, NULL);
	replace(&s->last, NULL);
	replace(&s->damaged, NULL);
	replace(&s->found[0], NULL);
	replace(&s->found[1], NULL);
	for (size_t i = 0; i < s->nlist; i++)
		stats_dump_put(s->list[i]);
	free(s->list);
	messages_free(&s->messages);
	*s = (struct stats_set){ 0 };
}

struct stats_dump *stats_set_best(const struct stats_set *s)
{
	return s->last ? s->last : s->damaged;
}

bool stats_set_whole(const struct stats_set *s)
{
	return !s->ndamaged && !s->lost;
}
