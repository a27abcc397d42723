// SPDX-License-Identifier: MIT
/* The C library's header first: names of ours are macros that it also uses. */
#include <regex.h>

#include "tools/nestbed/stats_write.h"

#include <stdlib.h>

struct stats_filter {
	regex_t regex;
};

struct stats_filter *stats_filter_new(const char *pattern, char **why)
{
	struct stats_filter *f = xcalloc(1, sizeof(*f));
	int err = regcomp(&f->regex, pattern, REG_EXTENDED | REG_NOSUB);
	char text[128];

	*why = NULL;
	if (!err)
		return f;
	regerror(err, &f->regex, text, sizeof(text));
	*why = xstrdup(text);
	free(f);
	return NULL;
}

bool stats_filter_match(const struct stats_filter *f, const char *path)
{
	return !f || !regexec(&f->regex, path, 0, NULL, 0);
}

void stats_filter_free(struct stats_filter *f)
{
	if (!f)
		return;
	regfree(&f->regex);
	free(f);
}
