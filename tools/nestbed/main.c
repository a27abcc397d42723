// SPDX-License-Identifier: MIT
#include "tools/nestbed/cmds.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *about;
} commands[] = {
	{ "run", cmd_run, "boot nestbed on an emulated machine and report" },
	{ "attach", cmd_attach, "follow a real machine's serial line, or a log, and report" },
	{ "report", cmd_report, "make reports again from their serial logs" },
	{ "stats", cmd_stats, "read statistics: of a log or of a running machine" },
};

/* The table of commands, for people. */
static void help(FILE *f)
{
	fputs("usage: nestbed COMMAND [options]\n\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].about);
	fputs("\nnestbed COMMAND --help tells more.\n", f);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help(stdout);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "nestbed: unknown command %s\n", argv[1]);
	help(stderr);
	return EXIT_USAGE;
}
