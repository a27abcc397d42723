// SPDX-License-Identifier: MIT
#include "core/mon/monitor.h"

#include "core/lib/string.h"
#include "core/mon/log.h"

#define PROMPT		"nestbed> "
#define LIST_MAX	60	/* candidates shown at once */

static void put(void *ctx, const char *s, size_t len)
{
	log_raw(s, len);
}

/* The screen shows lines alone: it gets prompt and command when they are done. */
static void end_line(struct monitor *m)
{
	char text[sizeof(PROMPT) + LINE_EDIT_MAX];

	str_copy(text, PROMPT, sizeof(text));
	str_copy(text + sizeof(PROMPT) - 1, m->edit.buf, LINE_EDIT_MAX);
	log_raw_end(text);
}

/* First pass: what all candidates have in common. */
static void fold(void *ctx, const char *text, char end)
{
	struct monitor *m = ctx;
	u32 n = 0;

	if (!m->found++) {
		m->common_len = (u32)MIN(str_copy(m->common, text, sizeof(m->common)),
					 sizeof(m->common) - 1);
		m->end = end;
		return;
	}
	while (n < m->common_len && m->common[n] == text[n])
		n++;
	m->common_len = n;
	/* A file and a directory of one name: either may be meant. */
	if (end != m->end)
		m->end = 0;
}

/* A cut inside "\xNN" goes back before it. */
static void whole_escapes(struct monitor *m)
{
	for (u32 k = 1; k <= 3 && m->found > 1 && k <= m->common_len; k++) {
		if (m->common[m->common_len - k] == '\\') {
			m->common_len -= k;
			return;
		}
	}
}

static void show(void *ctx, const char *text, char end)
{
	struct monitor *m = ctx;

	if (m->shown++ < LIST_MAX)
		shell_print(&m->shell, "  %s%s", text, end == '/' ? "/" : "");
}

static void complete(void *ctx)
{
	struct monitor *m = ctx;
	struct line_edit *e = &m->edit;
	u32 start, have;

	m->found = 0;
	start = shell_candidates(&m->shell, e->buf, e->pos, fold, m);
	have = e->pos - start;
	/* What was typed may spell the name in another way. */
	if (!m->found || strncmp(m->common, e->buf + start, MIN(have, m->common_len)))
		return;
	whole_escapes(m);
	if (m->common_len > have || m->found == 1) {
		if (m->common_len > have)
			line_edit_insert(e, m->common + have, m->common_len - have);
		if (m->found == 1)
			line_edit_insert(e, &m->end, 1);
		return;
	}
	m->shown = 0;
	end_line(m);
	shell_candidates(&m->shell, e->buf, e->pos, show, m);
	if (m->shown > LIST_MAX)
		shell_print(&m->shell, "  ... and %u more", m->shown - LIST_MAX);
	line_edit_redraw(e);
}

void monitor_init(struct monitor *m, const struct monitor_env *env,
		  const struct monitor_input *input)
{
	memset(m, 0, sizeof(*m));
	m->input = input;
	m->ops = (struct line_edit_ops){ .put = put, .complete = complete, .ctx = m };
	line_edit_init(&m->edit, PROMPT, &m->ops);
	shell_init(&m->shell, env);
}

void monitor_run(struct monitor *m)
{
	const struct monitor_env *env = m->shell.env;
	bool used = false;
	int c;

	env->answer(env->ctx, "ready");
	line_edit_start(&m->edit);
	for (;;) {
		c = m->input->getc(m->input->ctx);
		/* Somebody printed a line below the prompt. */
		if (!log_raw_open())
			line_edit_redraw(&m->edit);
		if (c < 0) {
			if (!used && m->input->give_up && m->input->give_up(m->input->ctx))
				break;
			continue;
		}
		used = true;
		if (!line_edit_byte(&m->edit, (u8)c))
			continue;
		end_line(m);
		if (shell_exec(&m->shell, m->edit.buf))
			return;
		line_edit_start(&m->edit);
	}
	end_line(m);
	env->answer(env->ctx, "ok continue");
}
