/* SPDX-License-Identifier: MIT */
/* Collects what pure code says through its struct diag, for inspection. */
#ifndef TESTS_UNIT_CAPTURE_H
#define TESTS_UNIT_CAPTURE_H

#include "core/lib/diag.h"
#include "tests/unit/unit.h"

struct capture {
	int lines;
	char text[8192];	/* each line with '\n' */
	struct diag diag;
};

static void capture_emit(void *ctx, const char *line)
{
	struct capture *c = ctx;

	assert_true(strlen(c->text) + strlen(line) + 2 < sizeof(c->text));
	strcat(c->text, line);
	strcat(c->text, "\n");
	c->lines++;
}

/* Empties c and returns the diag to hand to the code under test. */
static inline const struct diag *capture_start(struct capture *c)
{
	memset(c, 0, sizeof(*c));
	c->diag.emit = capture_emit;
	c->diag.ctx = c;
	return &c->diag;
}

/* Exactly one message, and it contains this. */
#define assert_one_message(c, part)					\
	do {								\
		if ((c)->lines != 1 || !strstr((c)->text, part))	\
			print_error("messages:\n%s", (c)->text);	\
		assert_int_equal((c)->lines, 1);			\
		assert_non_null(strstr((c)->text, part));		\
	} while (0)

#endif
