// SPDX-License-Identifier: MIT
#include "tools/nestbed/typing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* No more is read ahead of what the line takes. */
#define OUT_MAX		4096

/* What the terminal was like; exit() must find it. */
static struct termios saved;
static bool is_raw;

static void restore_terminal(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	is_raw = false;
}

static int raw_terminal(void)
{
	static bool registered;
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &saved))
		return -errno;
	if (!registered)
		atexit(restore_terminal);
	registered = true;
	t = saved;
	cfmakeraw(&t);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &t))
		return -errno;
	is_raw = true;
	return 0;
}

bool typing_wanted(const struct typing_options *o)
{
	return o->talk.n || o->input || o->interactive;
}

int typing_check(const struct typing_options *o, size_t machines)
{
	const char *why = NULL;

	if (o->interactive && o->input)
		why = "--interactive and --input exclude each other";
	else if (o->interactive && machines > 1)
		why = "--interactive is for one machine";
	else if (o->interactive && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		why = "--interactive needs a terminal; use --input or --send";
	else if (o->input && !strcmp(o->input, "-") && machines > 1)
		why = "--input - is for one machine";
	if (!why)
		return 0;
	fprintf(stderr, "nestbed: %s\n", why);
	return -EINVAL;
}

int typing_start(struct typing *t, struct typing_options *o)
{
	int err = 0;

	*t = (struct typing){ .o = o, .source = -1 };
	talk_restart(&o->talk);
	if (o->interactive) {
		fprintf(stderr, "nestbed: this terminal is the serial line; Ctrl-A x ends the "
				"run, Ctrl-] leaves a guest's console\n");
		err = raw_terminal();
		t->source = STDIN_FILENO;
	} else if (o->input && !strcmp(o->input, "-")) {
		t->source = STDIN_FILENO;
	} else if (o->input) {
		t->source = open(o->input, O_RDONLY | O_CLOEXEC);
		err = t->source < 0 ? -errno : 0;
	}
	if (err)
		fprintf(stderr, "nestbed: %s: %s\n", o->interactive ? "the terminal" : o->input,
			strerror(-err));
	return err;
}

bool typing_pending(const struct typing *t)
{
	return t->sent < t->out.len;
}

int typing_source(const struct typing *t, bool begun)
{
	if (t->source < 0 || t->out.len - t->sent >= OUT_MAX)
		return -1;
	if (t->o->interactive)
		return t->source;
	/* The file is what comes after the conversation. */
	return begun && !talk_waits_for(&t->o->talk) ? t->source : -1;
}

/* One that is not Ctrl-A's goes with it. */
static void command_key(struct typing *t, char c)
{
	static const char prefix = TYPING_PREFIX;

	if (c == 'x' || c == 'X') {
		t->quit = true;
		return;
	}
	sb_add(&t->out, &prefix, 1);
	if (c != prefix)
		sb_add(&t->out, &c, 1);
}

void typing_keys(struct typing *t, const char *s, size_t n)
{
	for (size_t i = 0; i < n && !t->quit; i++) {
		if (t->prefix) {
			command_key(t, s[i]);
			t->prefix = false;
		} else if (s[i] == TYPING_PREFIX) {
			t->prefix = true;
		} else {
			sb_add(&t->out, s + i, 1);
		}
	}
}

void typing_read(struct typing *t)
{
	char buf[1024];
	ssize_t n = read(t->source, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		if (t->source != STDIN_FILENO)
			close(t->source);
		t->source = -1;
	} else if (t->o->interactive) {
		typing_keys(t, buf, (size_t)n);
	} else {
		sb_add(&t->out, buf, (size_t)n);
	}
}

void typing_write(struct typing *t, int fd)
{
	ssize_t n = write(fd, t->out.s + t->sent, t->out.len - t->sent);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* Nobody reads any more; that the line is closed, reading it will show. */
	t->sent = n < 0 ? t->out.len : t->sent + (size_t)n;
	if (t->sent == t->out.len)
		t->sent = t->out.len = 0;
}

/* A person sees the bytes as they are: escapes of firmware and monitor work. */
static void show(const char *s, size_t n)
{
	while (n) {
		ssize_t done = write(STDOUT_FILENO, s, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		s += done;
		n -= (size_t)done;
	}
}

void typing_heard(struct typing *t, const char *s, size_t n)
{
	talk_heard(&t->o->talk, s, n, &t->out);
	if (t->o->interactive)
		show(s, n);
}

void typing_end(struct typing *t)
{
	restore_terminal();
	if (t->source >= 0 && t->source != STDIN_FILENO)
		close(t->source);
	sb_free(&t->out);
}
