/* SPDX-License-Identifier: MIT */
/*
 * A strict reader of OpenMetrics text, for tests: knows nothing of the writer.
 * OpenMetrics 1.0: "ABNF", "Overall structure", "Counter", "Histogram".
 * strict false: families of counters are named as their samples, as
 * Prometheus' own text format has it.
 */
#ifndef TESTS_UNIT_OM_CHECK_H
#define TESTS_UNIT_OM_CHECK_H

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/nestbed/text.h"

struct om {
	const char *at;
	bool strict;
	char *seen;		/* names of families, each between newlines */
	char *series;		/* names with labels, the same way */
	char family[512];
	char type[16];
	bool in_hist;
	char hist[2048];	/* labels of the histogram without le */
	double le, inf;
	unsigned long long below;
};

static inline bool om_name(const char **p, bool colon)
{
	const char *s = *p;

	if (!isalpha((unsigned char)*s) && *s != '_' && !(colon && *s == ':'))
		return false;
	while (isalnum((unsigned char)*s) || *s == '_' || (colon && *s == ':'))
		s++;
	*p = s;
	return true;
}

/* Adds text to a list; false if it is there. */
static inline bool om_once(char **list, const char *text)
{
	char *line = xasprintf("\n%s\n", text), *old = *list;
	bool fresh = !old || !strstr(old, line);

	*list = xasprintf("%s%s", old ? old : "", line);
	free(old);
	free(line);
	return fresh;
}

/* {a="b",...}; le is taken out of the copy. */
static inline bool om_labels(const char **p, char *rest, size_t size, char *le, size_t le_size)
{
	const char *s = *p;
	size_t n = 0;

	*rest = *le = '\0';
	if (*s != '{')
		return true;
	do {
		const char *key = ++s, *value;
		size_t len;

		if (!om_name(&s, false) || s[0] != '=' || s[1] != '"')
			return false;
		value = s += 2;
		for (; *s && *s != '"' && *s != '\n'; s++) {
			if (*s == '\\' && !strchr("\\\"n", *++s))
				return false;
		}
		if (*s != '"')
			return false;
		len = (size_t)(s++ - key) + 1;
		if (!strncmp(key, "le=", 3))
			snprintf(le, le_size, "%.*s", (int)(s - value - 1), value);
		else if (n + len + 2 < size)
			n += (size_t)snprintf(rest + n, size - n, "%.*s,", (int)len, key);
	} while (*s == ',');
	if (*s != '}')
		return false;
	*p = s + 1;
	return true;
}

static inline bool om_number(const char *s, double *v)
{
	char *end;

	if (!strcmp(s, "+Inf")) {
		*v = INFINITY;
		return true;
	}
	if (*s != '-' && !isdigit((unsigned char)*s))
		return false;
	*v = strtod(s, &end);
	return end != s && !*end && isfinite(*v) && !strchr(s, 'x');
}

/* The end of a histogram: it must have had its +Inf bucket and its count. */
static inline bool om_close_hist(struct om *o)
{
	bool ok = !o->in_hist || isinf(o->le);

	o->in_hist = false;
	return ok;
}

static inline const char *om_hist_line(struct om *o, const char *suffix, const char *labels,
				       const char *le, double v)
{
	double bound;

	if (!strcmp(suffix, "_bucket")) {
		if (!om_number(le, &bound))
			return "a bucket without a bound";
		if (!o->in_hist || strcmp(o->hist, labels)) {
			if (!om_close_hist(o))
				return "a histogram without +Inf";
			snprintf(o->hist, sizeof(o->hist), "%s", labels);
			o->in_hist = true;
			o->below = 0;
		} else if (bound <= o->le) {
			return "bounds do not rise";
		}
		if (v < (double)o->below)
			return "buckets do not add up";
		o->le = bound;
		o->below = (unsigned long long)v;
		o->inf = v;
		return NULL;
	}
	if (strcmp(o->hist, labels) || !o->in_hist || !isinf(o->le))
		return "a sum or count before +Inf";
	if (!strcmp(suffix, "_sum"))
		return v < 0 ? "a sum below 0" : NULL;
	if (strcmp(suffix, "_count"))
		return "not a sample of a histogram";
	return v != o->inf ? "count is not +Inf" : NULL;
}

static inline const char *om_sample(struct om *o, const char *line)
{
	size_t family = strlen(o->family);
	char labels[2048], le[64], series[4096];
	const char *s = line, *suffix;
	double v;

	if (!om_name(&s, true))
		return "not a name";
	if (strncmp(line, o->family, family))
		return "a sample outside of its family";
	suffix = xstrndup(line + family, (size_t)(s - line) - family);
	if (!om_labels(&s, labels, sizeof(labels), le, sizeof(le)))
		return "bad labels";
	snprintf(series, sizeof(series), "%.*s", (int)(s - line), line);
	if (!om_once(&o->series, series))
		return "a series twice";
	if (*s++ != ' ' || !om_number(s, &v))
		return "not a number";
	if (!strcmp(o->type, "histogram"))
		line = om_hist_line(o, suffix, labels, le, v);
	else if (!strcmp(o->type, "counter"))
		line = strcmp(suffix, o->strict ? "_total" : "") || v < 0 ? "bad counter" : NULL;
	else
		line = *suffix ? "a suffix on a gauge" : NULL;
	free((char *)suffix);
	return line;
}

static inline const char *om_type(struct om *o, const char *line)
{
	static const char *const ends[] = { "_total", "_count", "_sum", "_bucket", "_info" };
	const char *s = line;

	if (!om_close_hist(o))
		return "a histogram without +Inf";
	if (!om_name(&s, true) || *s != ' ' || (size_t)(s - line) >= sizeof(o->family))
		return "bad TYPE";
	snprintf(o->family, sizeof(o->family), "%.*s", (int)(s - line), line);
	snprintf(o->type, sizeof(o->type), "%s", s + 1);
	if (strcmp(o->type, "counter") && strcmp(o->type, "gauge") && strcmp(o->type, "histogram"))
		return "unknown type";
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t n = strlen(ends[i]), len = strlen(o->family);
		bool ours = !o->strict && !i && !strcmp(o->type, "counter");

		if (len >= n && !strcmp(o->family + len - n, ends[i]) && !ours)
			return "a family with a reserved ending";
	}
	return om_once(&o->seen, o->family) ? NULL : "a family twice";
}

static inline const char *om_line(struct om *o, const char *line)
{
	size_t n = strlen(o->family);

	if (!strncmp(line, "# TYPE ", 7))
		return om_type(o, line + 7);
	if (!strncmp(line, "# HELP ", 7) || !strncmp(line, "# UNIT ", 7)) {
		if (strncmp(line + 7, o->family, n) || line[7 + n] != ' ')
			return "metadata of another family";
		if (line[2] == 'U' && (n < strlen(line + 8 + n) ||
				       strcmp(o->family + n - strlen(line + 8 + n), line + 8 + n)))
			return "the unit is not the family's ending";
		return NULL;
	}
	if (*line == '#')
		return "an unknown comment";
	return om_sample(o, line);
}

/* NULL: it is valid; else what is wrong, with the line (to be freed). */
static inline char *om_check(const char *text, bool strict)
{
	struct om o = { .strict = strict };
	char *why = NULL;

	while (*text && !why) {
		size_t n = strcspn(text, "\n");
		char *line = xstrndup(text, n);
		const char *bad;

		if (!strcmp(line, "# EOF")) {
			if (strcmp(text, "# EOF\n") || !om_close_hist(&o))
				why = xstrdup("something behind # EOF, or a histogram open");
			free(line);
			free(o.seen);
			free(o.series);
			return why;
		}
		bad = om_line(&o, line);
		if (bad || text[n] != '\n')
			why = xasprintf("%s: %s", bad ? bad : "no line end", line);
		text += n + 1;
		free(line);
	}
	free(o.seen);
	free(o.series);
	return why ? why : xstrdup("no # EOF");
}

#endif
