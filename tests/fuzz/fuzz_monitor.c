// SPDX-License-Identifier: MIT
/*
 * Any bytes as what is typed at the monitor.  The terminal gets printable
 * bytes and few control bytes, a line of output is printable, each command has
 * one answer, and the editor's state is consistent after every byte.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mon/lineedit.h"
#include "core/mon/shell.h"
#include "tests/unit/mon_box.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mon_box box;
static struct shell sh;
static struct line_edit edit;
static unsigned int answers, candidates;

static void check_text(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < ' ' || s[i] > '~')
			abort();
}

static void put(void *ctx, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((s[i] < ' ' || s[i] > '~') && s[i] != '\r' && s[i] != '\x1b')
			abort();
}

static void print(void *ctx, const char *line)
{
	check_text(line, strlen(line));
	if (!strncmp(line, "@nestbed", 8) || !strncmp(line, "ok ", 3) ||
	    !strncmp(line, "not ok", 6))
		abort();
}

static void answer(void *ctx, const char *text)
{
	check_text(text, strlen(text));
	if (strncmp(text, "ok ", 3) && strncmp(text, "error ", 6))
		abort();
	answers++;
}

static void found(void *ctx, const char *text, char end)
{
	check_text(text, strlen(text));
	if (end != ' ' && end != '/')
		abort();
	candidates++;
}

static void complete(void *ctx)
{
	if (shell_candidates(&sh, edit.buf, edit.pos, found, NULL) > edit.pos)
		abort();
	/* What a completion would insert. */
	line_edit_insert(&edit, "exits", candidates % 6);
}

static void check_editor(void)
{
	if (edit.len >= LINE_EDIT_MAX || edit.pos > edit.len || edit.first > edit.pos)
		abort();
	if (strlen(edit.buf) != edit.len)
		abort();
	check_text(edit.buf, edit.len);
}

static void check_command(const char *line)
{
	unsigned int want = answers + (strspn(line, " ") != strlen(line));

	shell_exec(&sh, line);
	if (answers != want)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct line_edit_ops ops = { .put = put, .complete = complete };

	box_init(&box);
	box.env.print = print;
	box.env.answer = answer;
	shell_init(&sh, &box.env);
	line_edit_init(&edit, "nestbed> ", &ops);
	line_edit_start(&edit);
	for (size_t i = 0; i < size; i++) {
		bool done = line_edit_byte(&edit, data[i]);

		check_editor();
		if (!done)
			continue;
		check_command(edit.buf);
		line_edit_start(&edit);
	}
	return 0;
}
