/* SPDX-License-Identifier: MIT */
#include "tests/defects.h"

#include "core/lib/string.h"

static const struct defect defects[] = {
#define X(i, p, r, e) { .id = i, .platform = p, .reason = r, .evidence = e },
#define X_KILLS(i, p, r, e) { .id = i, .platform = p, .reason = r, .evidence = e, .kills = true },
#include "tests/defects.def"
#undef X
#undef X_KILLS
	{ .id = NULL },
};

/* An entry without ':' speaks for the whole test, one with it for rows. */
static bool matches(const struct defect *d, const char *id, const char *row)
{
	const char *colon = strchr(d->id, ':');
	char test[80];

	if (!colon)
		return !row && glob_match(d->id, id);
	if (!row || (size_t)(colon - d->id) >= sizeof(test))
		return false;
	str_copy(test, d->id, (size_t)(colon - d->id) + 1);
	return glob_match(test, id) && glob_match(colon + 1, row);
}

const struct defect *defect_find_in(const struct defect *table, const char *platform,
				    const char *id, const char *row)
{
	for (const struct defect *d = table; d->id; d++)
		if (glob_match(d->platform, platform) && matches(d, id, row))
			return d;
	return NULL;
}

const struct defect *defect_find(const char *platform, const char *id, const char *row)
{
	return defect_find_in(defects, platform, id, row);
}
