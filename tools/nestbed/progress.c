// SPDX-License-Identifier: MIT
#include "tools/nestbed/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/nestbed/files.h"

#define REDRAW_SECONDS	0.1
#define PLAIN_SECONDS	10.0

void progress_init(struct progress *p, const char *machine, bool quiet, bool verbose)
{
	*p = (struct progress){ .machine = machine, .start = now_seconds() };
	p->drawn = p->start;
	p->mode = isatty(STDERR_FILENO) ? PROGRESS_LINE : PROGRESS_PLAIN;
	if (verbose)
		p->mode = PROGRESS_VERBOSE;
	if (quiet)
		p->mode = PROGRESS_QUIET;
}

double progress_left(const struct run_model *m, double testing)
{
	size_t done = model_done(m);

	if (!m->has_plan || done < 3 || done >= m->plan)
		return -1;
	return testing / (double)done * (double)(m->plan - done);
}

/* A line that wraps could not be taken back. */
static int columns(void)
{
	struct winsize w;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) || w.ws_col < 20)
		return 79;
	return w.ws_col - 1;
}

static void clear_line(struct progress *p)
{
	if (p->on_screen)
		fputs("\r\033[K", stderr);
	p->on_screen = false;
}

/* "qemu-svm: 12/140, 1 failed, 8 s, about 30 s left: svm.cpuid" */
static void state_line(const struct progress *p, const struct run_model *m, struct strbuf *b)
{
	double now = now_seconds();
	double left = p->first > 0 ? progress_left(m, now - p->first) : -1;
	size_t bad = m->count[RESULT_FAIL] + m->count[RESULT_ERROR];

	sb_printf(b, "%s: ", p->machine);
	if (!m->begun) {
		sb_printf(b, "starting, %.0f s", now - p->start);
		return;
	}
	if (m->has_plan)
		sb_printf(b, "%zu/%llu, ", model_done(m), (unsigned long long)m->plan);
	if (bad)
		sb_printf(b, "%zu failed, ", bad);
	sb_printf(b, "%.0f s", now - p->start);
	if (left >= 0)
		sb_printf(b, ", about %.0f s left", left + 0.5);
	if (m->current)
		sb_printf(b, ": %s", m->test[m->current - 1].id);
	else if (m->ended)
		sb_puts(b, ": ended");
}

/* Rewrites the live line, or adds a line where there is none. */
static void draw(struct progress *p, const struct run_model *m)
{
	struct strbuf b = { 0 };

	state_line(p, m, &b);
	if (p->mode == PROGRESS_LINE)
		fprintf(stderr, "\r\033[K%.*s", columns(), sb_str(&b));
	else
		fprintf(stderr, "%s\n", sb_str(&b));
	fflush(stderr);
	p->on_screen = p->mode == PROGRESS_LINE;
	p->drawn = now_seconds();
	sb_free(&b);
}

/* A line that stays. */
static void say(struct progress *p, const char *text)
{
	clear_line(p);
	fprintf(stderr, "%s: %s\n", p->machine, text);
}

/* Tells at once whether the right machine answered. */
static void say_begin(struct progress *p, const struct run_model *m)
{
	const char *cpu = model_begin(m, "cpu"), *virt = model_begin(m, "virt");
	const char *cpus = model_begin(m, "cpus"), *fw = model_begin(m, "fw");
	char *text = xasprintf("%s, %s CPUs, virtualization %s, firmware %s", cpu ? cpu : "?",
			       cpus ? cpus : "?", virt ? virt : "?", fw ? fw : "?");

	say(p, text);
	free(text);
	p->said_begin = true;
}

/* Failures are shown when they happen; nobody waits for the end to stop a run. */
static void say_result(struct progress *p, const struct run_model *m,
		       const struct serial_event *ev)
{
	const struct test_case *t = NULL;
	char *text;

	/* Its result came just now: it is the one that the line names. */
	for (size_t i = 0; i < m->ntests && !t; i++) {
		if (!strcmp(m->test[i].id, ev->word[0]))
			t = &m->test[i];
	}
	if (!t || !result_is_bad(t->result))
		return;
	text = xasprintf("%s %s%s%s", result_words(t->result), t->id, t->reason ? ": " : "",
			 t->reason ? t->reason : "");
	say(p, text);
	free(text);
}

/* Cleaned: a guest must not drive the terminal. */
static void echo_line(const struct serial_event *ev)
{
	struct strbuf b = { 0 };

	sb_clean(&b, ev->text, ev->len);
	fprintf(stderr, "%s\n", sb_str(&b));
	sb_free(&b);
}

void progress_event(struct progress *p, const struct run_model *m,
		    const struct serial_event *ev)
{
	size_t bad = m->count[RESULT_FAIL] + m->count[RESULT_ERROR];

	if (p->mode == PROGRESS_QUIET)
		return;
	if (p->mode == PROGRESS_VERBOSE) {
		echo_line(ev);
		return;
	}
	if (ev->type == SERIAL_START && p->first <= 0)
		p->first = now_seconds();
	if (ev->type == SERIAL_BEGIN && !p->said_begin)
		say_begin(p, m);
	if (ev->type == SERIAL_TEST && bad > p->told) {
		p->told = bad;
		say_result(p, m, ev);
	}
	progress_tick(p, m);
}

void progress_tick(struct progress *p, const struct run_model *m)
{
	double since = now_seconds() - p->drawn;

	if ((p->mode == PROGRESS_LINE && since >= REDRAW_SECONDS) ||
	    (p->mode == PROGRESS_PLAIN && since >= PLAIN_SECONDS))
		draw(p, m);
}

void progress_done(struct progress *p)
{
	clear_line(p);
	fflush(stderr);
}
