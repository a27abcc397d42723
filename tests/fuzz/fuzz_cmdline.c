// SPDX-License-Identifier: MIT
/* Any bytes as the kernel's command line and as a module's. */
#include <stdlib.h>
#include <string.h>

#include "core/lib/cmdline.h"

static void check_line(void *ctx, const char *line)
{
	size_t n = strlen(line);

	if (n > 200 || strspn(line, " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") != n)
		abort();
}

static void check_list(const struct nb_options *o, const struct name_list *list)
{
	if (list->count > CMDLINE_LIST_MAX)
		abort();
	for (u32 i = 0; i < list->count; i++) {
		if (list->item[i] < o->text || list->item[i] >= o->text + sizeof(o->text))
			abort();
		/* At least readable to its end. */
		if (strlen(list->item[i]) >= sizeof(o->text))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct nb_options o;
	const struct diag d = { check_line, NULL };
	struct guest_options g;
	/* Exactly as long as the input, so that ASan sees a read behind it. */
	char *line = malloc(size + 1);

	memcpy(line, data, size);
	line[size] = '\0';
	cmdline_parse(line, &o, &d);
	check_list(&o, &o.tests);
	check_list(&o, &o.skip);
	check_list(&o, &o.guests);
	if (strlen(o.profile) + strlen(o.console) + strlen(o.console_in) >= 3 * sizeof(o.text))
		abort();
	if (!guest_options_parse(line, 7, &g, &d) && (g.cpus < 1 || g.cpus > GUEST_CPUS_MAX))
		abort();
	if (g.modules.count > GUEST_MODULES_MAX)
		abort();
	for (u32 i = 0; i < g.modules.count; i++)
		if (!g.modules.name[i][0] || !guest_options_use(&g, g.modules.name[i]))
			abort();
	if (!g.name[0] || strnlen(g.name, sizeof(g.name)) == sizeof(g.name))
		abort();
	if (g.args < line || g.args > line + size)
		abort();
	free(line);
	return 0;
}
