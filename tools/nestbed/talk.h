/* SPDX-License-Identifier: MIT */
/*
 * A conversation with the serial line: when a line matches, something is
 * typed, one rule after the other.  Pure.
 */
#ifndef TOOLS_NESTBED_TALK_H
#define TOOLS_NESTBED_TALK_H

#include <regex.h>
#include "tools/nestbed/text.h"

/* Text without a line end beyond this is no line that anybody waits for. */
#define TALK_LINE_MAX	4096

struct talk_rule {
	char *pattern;		/* as it was given, for messages */
	regex_t re;
	struct strbuf text;	/* what is typed; may hold any byte */
};

struct talk {
	struct talk_rule *rule;
	size_t n;
	size_t next;		/* the rule that waits */
	struct strbuf line;	/* what came of the line, behind the last match */
	bool inside;		/* line does not start at column 0 */
};

/*
 * Adds the rule REGEX=TEXT: an extended regular expression up to the first '='
 * that has no backslash, and text with \n \r \t \\ \xNN.  0, or -EINVAL after
 * a message.
 */
__must_check int talk_add(struct talk *t, const char *spec);

/* Back to the first rule. */
void talk_restart(struct talk *t);

/*
 * What came over the line; what is to be typed for it is added to out.  The
 * last line counts as far as it has come, since prompts have no end.  Behind a
 * match the rest of the line is left for the next rule.
 */
void talk_heard(struct talk *t, const char *s, size_t n, struct strbuf *out);

/* The pattern that no line has matched yet; NULL: all rules are done. */
const char *talk_waits_for(const struct talk *t);

void talk_free(struct talk *t);

#endif
