// SPDX-License-Identifier: MIT
#include "tools/nestbed/serial_parse.h"

#include <string.h>

#define MARK "@nestbed"

/* What follows the verb of a machine line. */
enum verb_form {
	FORM_FIELDS,	/* words, then key=value */
	FORM_RAW,	/* one word, then free text to the end of the line */
};

struct verb {
	const char *name;
	const char *second;	/* "stats" has two: begin and end; NULL: any or none */
	enum serial_event_type type;
	enum verb_form form;
	unsigned int words;	/* at least, not counting the second verb */
};

/* clang-format off */
static const struct verb verbs[] = {
	/* name     second   type                form         words */
	{ "begin",  NULL,    SERIAL_BEGIN,       FORM_FIELDS, 0 },
	{ "info",   NULL,    SERIAL_INFO,        FORM_RAW,    1 },
	{ "plan",   NULL,    SERIAL_PLAN,        FORM_FIELDS, 1 },
	{ "decl",   NULL,    SERIAL_DECL,        FORM_FIELDS, 1 },
	{ "start",  NULL,    SERIAL_START,       FORM_FIELDS, 1 },
	{ "test",   NULL,    SERIAL_TEST,        FORM_FIELDS, 2 },
	{ "bench",  NULL,    SERIAL_BENCH,       FORM_FIELDS, 1 },
	{ "stats",  "begin", SERIAL_STATS_BEGIN, FORM_FIELDS, 0 },
	{ "stats",  "end",   SERIAL_STATS_END,   FORM_FIELDS, 0 },
	{ "stat",   NULL,    SERIAL_STAT,        FORM_FIELDS, 2 },
	{ "label",  NULL,    SERIAL_LABEL,       FORM_FIELDS, 1 },
	{ "blob",   "begin", SERIAL_BLOB_BEGIN,  FORM_FIELDS, 0 },
	{ "blob",   "end",   SERIAL_BLOB_END,    FORM_FIELDS, 0 },
	{ "blob",   "abort", SERIAL_BLOB_ABORT,  FORM_FIELDS, 0 },
	{ "blob",   NULL,    SERIAL_BLOB,        FORM_RAW,    1 },
	{ "monitor", NULL,   SERIAL_MONITOR,     FORM_RAW,    1 },
	{ "end",    NULL,    SERIAL_END,         FORM_FIELDS, 0 },
};
/* clang-format on */

const char *serial_value(const struct serial_event *ev, const char *key)
{
	for (unsigned int i = 0; i < ev->npairs; i++) {
		if (!strcmp(ev->pair[i].key, key))
			return ev->pair[i].value;
	}
	return NULL;
}

bool serial_is_id(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.");

	return n && n <= 128 && !s[n];
}

/* 0 to 15, or -1. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_hex(const char *s)
{
	return hex_digit(s[0]) >= 0 && hex_digit(s[1]) >= 0;
}

/*
 * Takes the quoted text behind p (which points past the opening quote),
 * writes it unescaped and terminated to *out and moves *out behind it.
 * Returns the position after the closing quote, or NULL.
 */
static char *unquote(char *p, char **out)
{
	char *o = *out;

	while (*p && *p != '"') {
		if (*p != '\\') {
			*o++ = *p++;
		} else if (p[1] == '\\' || p[1] == '"') {
			*o++ = p[1];
			p += 2;
		} else if (p[1] == 'x' && is_hex(p + 2)) {
			char c = (char)(hex_digit(p[2]) << 4 | hex_digit(p[3]));

			/* A NUL would end the C string early. */
			*o++ = c ? c : '?';
			p += 4;
		} else {
			return NULL;
		}
	}
	if (!*p)
		return NULL;
	*o++ = '\0';
	*out = o;
	return p + 1;
}

/* Keys are narrow on purpose: "/a=b" and "<x>=" are words, not pairs. */
static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-';
}

/* One key=value; p is at the key, *eq at the '='.  As unquote() returns. */
static char *take_pair(struct serial_event *ev, char *p, char *eq)
{
	struct serial_pair *pair = NULL;
	char *value = eq + 1;
	char *end;

	*eq = '\0';
	if (*value == '"') {
		char *out = value;

		end = unquote(value + 1, &out);
		if (!end || (*end && *end != ' '))
			return NULL;
	} else {
		end = value + strcspn(value, " ");
	}
	if (ev->npairs < SERIAL_PAIRS_MAX)
		pair = &ev->pair[ev->npairs++];
	if (*end)
		*end++ = '\0';
	if (pair)
		*pair = (struct serial_pair){ p, value };
	return end;
}

/* Splits "word word key=value key="v v""; NULL or what is wrong. */
static const char *take_fields(struct serial_event *ev, char *p)
{
	while (*p) {
		char *q = p;

		if (*p == ' ') {
			p++;
			continue;
		}
		while (is_key_char(*q))
			q++;
		if (*q == '=' && q > p) {
			p = take_pair(ev, p, q);
			if (!p)
				return "a quoted value that is not closed or not escaped";
			continue;
		}
		if (ev->nwords == SERIAL_WORDS_MAX)
			return "too many words";
		ev->word[ev->nwords++] = p;
		p += strcspn(p, " ");
		if (*p)
			*p++ = '\0';
	}
	return NULL;
}

/* The word at *p, terminated; *p moves to the next one. */
static char *take_word(char **p)
{
	char *word = *p;

	*p += strcspn(*p, " ");
	while (**p == ' ')
		*(*p)++ = '\0';
	return word;
}

/* The row for a verb, or NULL; *p moves behind the second word of "stats begin". */
static const struct verb *find_verb(const char *name, char **p)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const struct verb *v = &verbs[i];
		char *rest = *p;
		size_t n;

		if (strcmp(v->name, name))
			continue;
		if (!v->second)
			return v;
		n = strlen(v->second);
		if (strncmp(rest, v->second, n) || (rest[n] && rest[n] != ' '))
			continue;
		take_word(p);
		return v;
	}
	return NULL;
}

/* Takes apart the copy of the line at p; ev->text stays whole for messages. */
static void parse_machine(struct serial_event *ev, char *p)
{
	const struct verb *verb;

	ev->type = SERIAL_BAD;
	if (memchr(ev->text, '\0', ev->len)) {
		ev->error = "a NUL byte";
		return;
	}
	if (ev->cut) {
		ev->error = "too long";
		return;
	}
	p += strlen(MARK);
	while (*p == ' ')
		p++;
	verb = find_verb(take_word(&p), &p);
	if (!verb) {
		ev->type = SERIAL_UNKNOWN;
		return;
	}
	if (verb->form == FORM_RAW) {
		ev->word[0] = take_word(&p);
		ev->word[1] = p;
		ev->nwords = *ev->word[0] ? 2 : 0;
	} else {
		ev->error = take_fields(ev, p);
	}
	if (!ev->error && ev->nwords < verb->words)
		ev->error = "words are missing";
	if (!ev->error)
		ev->type = verb->type;
}

/* "vm0| text", the prefix of whatever a guest writes. */
static bool is_guest_line(const char *s)
{
	size_t digits;

	if (strncmp(s, "vm", 2))
		return false;
	digits = strspn(s + 2, "0123456789");
	return digits && !strncmp(s + 2 + digits, "| ", 2);
}

/*
 * KTAP v1 (Linux Documentation/dev-tools/ktap.rst): version, plan, result and
 * diagnostic lines, subtests indented by two spaces a level.
 */
static bool is_ktap_line(const char *s)
{
	static const char *const starts[] = {
		"KTAP version ", "TAP version ", "ok ", "not ok ", "Bail out!", "# ",
	};
	size_t digits;

	s += strspn(s, " ");
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		if (!strncmp(s, starts[i], strlen(starts[i])))
			return true;
	}
	digits = strspn(s, "0123456789");
	return digits == 1 && *s == '1' && !strncmp(s + 1, "..", 2);
}

static bool is_machine_line(const char *s)
{
	size_t n = strlen(MARK);

	/* Column 0 only: what a guest prints has a prefix, so it cannot forge one. */
	return !strncmp(s, MARK, n) && (s[n] == ' ' || !s[n]);
}

/* The line in p->buf is complete: classify it, emit it, start the next one. */
static void end_line(struct serial_parser *p, bool partial)
{
	struct serial_event ev = { .type = SERIAL_TEXT };

	while (p->len && p->buf[p->len - 1] == '\r')
		p->len--;
	p->buf[p->len] = '\0';
	memcpy(p->scratch, p->buf, p->len + 1);
	ev.offset = p->line_offset;
	ev.next = p->offset;
	ev.line = ++p->line;
	ev.text = p->buf;
	ev.len = p->len;
	ev.cut = p->cut;
	ev.partial = partial;
	if (is_machine_line(p->scratch))
		parse_machine(&ev, p->scratch);
	else if (is_guest_line(p->scratch))
		ev.type = SERIAL_GUEST;
	else if (is_ktap_line(p->scratch))
		ev.type = SERIAL_KTAP;
	p->emit(p->ctx, &ev);
	p->line_offset = p->offset;
	p->len = 0;
	p->cut = false;
}

void serial_init(struct serial_parser *p,
		 void (*emit)(void *ctx, const struct serial_event *ev), void *ctx)
{
	memset(p, 0, sizeof(*p));
	p->emit = emit;
	p->ctx = ctx;
}

void serial_feed(struct serial_parser *p, const void *data, size_t n)
{
	const char *s = data;

	for (size_t i = 0; i < n; i++) {
		p->offset++;
		if (s[i] == '\n')
			end_line(p, false);
		else if (p->len < SERIAL_LINE_MAX)
			p->buf[p->len++] = s[i];
		else
			p->cut = true;
	}
}

void serial_finish(struct serial_parser *p)
{
	if (p->len || p->cut)
		end_line(p, true);
}
