// SPDX-License-Identifier: MIT
#include "tools/nestbed/talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* One escape at s (behind the backslash): its length, or 0 when there is no such. */
static size_t unescape(const char *s, char *out)
{
	static const char names[] = "nrt\\", values[] = "\n\r\t\\";
	const char *p = *s ? strchr(names, *s) : NULL;

	if (p) {
		*out = values[p - names];
		return 1;
	}
	if (*s != 'x' || hex_digit(s[1]) < 0 || hex_digit(s[2]) < 0)
		return 0;
	*out = (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
	return 3;
}

static int add_text(struct strbuf *b, const char *s)
{
	while (*s) {
		char c = *s++;

		if (c == '\\') {
			size_t n = unescape(s, &c);

			if (!n)
				return -EINVAL;
			s += n;
		}
		sb_add(b, &c, 1);
	}
	return 0;
}

/* The length of the pattern in REGEX=TEXT; out gets it with "\=" as "=". */
static size_t take_pattern(const char *spec, struct strbuf *out)
{
	size_t i = 0;

	while (spec[i] && spec[i] != '=') {
		if (spec[i] == '\\' && spec[i + 1] == '=') {
			i++;
		} else if (spec[i] == '\\' && spec[i + 1]) {
			/* Any other escape is the expression's own. */
			sb_add(out, spec + i++, 1);
		}
		sb_add(out, spec + i++, 1);
	}
	return i;
}

int talk_add(struct talk *t, const char *spec)
{
	struct talk_rule r = { 0 };
	struct strbuf pattern = { 0 };
	size_t n = take_pattern(spec, &pattern);
	char why[200] = "";
	int err = 0;

	if (!n || !spec[n])
		snprintf(why, sizeof(why), "must be REGEX=TEXT");
	else if (add_text(&r.text, spec + n + 1))
		snprintf(why, sizeof(why), "after a backslash there may be n r t \\ and xNN");
	else if ((err = regcomp(&r.re, pattern.s, REG_EXTENDED)))
		regerror(err, &r.re, why, sizeof(why));
	sb_free(&pattern);
	if (*why) {
		fprintf(stderr, "nestbed: --send %s: %s\n", spec, why);
		sb_free(&r.text);
		return -EINVAL;
	}
	r.pattern = xstrndup(spec, n);
	t->rule = xrealloc(t->rule, t->n + 1, sizeof(*t->rule));
	t->rule[t->n++] = r;
	return 0;
}

/* Behind n bytes of the line. */
static void drop(struct talk *t, size_t n)
{
	t->line.len -= n;
	memmove(t->line.s, t->line.s + n, t->line.len + 1);
	t->inside |= n > 0;
}

/* The rules that the line matches, each behind the one before. */
static void match(struct talk *t, struct strbuf *out)
{
	while (t->next < t->n && t->line.len) {
		struct talk_rule *r = &t->rule[t->next];
		regmatch_t m;

		if (regexec(&r->re, t->line.s, 1, &m, t->inside ? REG_NOTBOL : 0))
			return;
		sb_add(out, sb_str(&r->text), r->text.len);
		t->next++;
		drop(t, (size_t)m.rm_eo);
	}
}

static void end_line(struct talk *t)
{
	t->line.len = 0;
	t->inside = false;
	if (t->line.s)
		t->line.s[0] = '\0';
}

void talk_heard(struct talk *t, const char *s, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n && t->next < t->n; i++) {
		if (s[i] == '\n') {
			match(t, out);
			end_line(t);
		} else if (s[i] && s[i] != '\r') {
			sb_add(&t->line, s + i, 1);
		}
		if (t->line.len == TALK_LINE_MAX) {
			match(t, out);
			drop(t, t->line.len / 2);
		}
	}
	match(t, out);
}

const char *talk_waits_for(const struct talk *t)
{
	return t->next < t->n ? t->rule[t->next].pattern : NULL;
}

void talk_restart(struct talk *t)
{
	t->next = 0;
	end_line(t);
}

void talk_free(struct talk *t)
{
	for (size_t i = 0; i < t->n; i++) {
		regfree(&t->rule[i].re);
		sb_free(&t->rule[i].text);
		free(t->rule[i].pattern);
	}
	free(t->rule);
	sb_free(&t->line);
	*t = (struct talk){ 0 };
}
