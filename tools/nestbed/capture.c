// SPDX-License-Identifier: MIT
#include "tools/nestbed/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/nestbed/files.h"

#define TICK_MS		100

static volatile sig_atomic_t interrupted;

/* Only notes it: the loop ends the run and writes the report. */
static void on_signal(int sig)
{
	interrupted = sig;
}

void capture_catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool capture_interrupted(void)
{
	return interrupted;
}

/* A capture while it runs. */
struct session {
	struct capture *c;
	struct serial_parser parser;
	struct blob_reader blobs;
	double start;
	double last_byte;
	double ended_at;	/* when the end line came; 0: not yet */
	u64 bytes;
	bool eof;
	char *stopped;
};

/* The model first: progress shows what it knows by then. */
static void on_event(void *ctx, const struct serial_event *ev)
{
	struct session *s = ctx;

	model_event(s->c->m, ev);
	blob_event(&s->blobs, ev);
	progress_event(s->c->progress, s->c->m, ev);
}

/* A guest that was sent over the line, whole and checked. */
static void write_guest(void *ctx, const char *file, const char *data, size_t len)
{
	struct session *s = ctx;
	char *path = xasprintf("%s/%s", s->c->dir, file);
	int err = write_file(path, data, len);

	if (err)
		model_problem(s->c->m, "%s: %s", path, strerror(-err));
	free(path);
}

/* The raw bytes, before anything looks at them. */
static void write_log(struct session *s, const char *buf, size_t n)
{
	while (n) {
		ssize_t done = write(s->c->log_fd, buf, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			if (!s->stopped)
				s->stopped = xasprintf("cannot write the serial log: %s",
						       strerror(errno));
			return;
		}
		buf += done;
		n -= (size_t)done;
	}
}

/* What has come by now; the line may also have been closed. */
static void take_bytes(struct session *s)
{
	char buf[16384];
	ssize_t n = read(s->c->fd, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		s->eof = true;
		return;
	}
	s->last_byte = now_seconds();
	s->bytes += (u64)n;
	write_log(s, buf, (size_t)n);
	serial_feed(&s->parser, buf, (size_t)n);
	if (s->c->typing)
		typing_heard(s->c->typing, buf, (size_t)n);
	if (s->c->m->ended && s->ended_at <= 0)
		s->ended_at = s->last_byte;
}

/* For messages: where it was when it was stopped. */
static const char *last_test(const struct run_model *m)
{
	return m->last_started ? m->test[m->last_started - 1].id : "none";
}

/* The person at the terminal has had enough. */
static bool quit(const struct session *s)
{
	return s->c->typing && s->c->typing->quit;
}

/* Sets s->stopped when a limit is passed. */
static void check_limits(struct session *s)
{
	const struct capture_limits *l = &s->c->limits;
	const struct run_model *m = s->c->m;
	double now = now_seconds();
	bool counts = l->silence_from_start || m->begun;

	if (m->ended)
		return;
	if (quit(s))
		s->stopped = xstrdup("ended from the terminal");
	else if (interrupted)
		s->stopped = xasprintf("interrupted by signal %d", (int)interrupted);
	else if (l->total > 0 && now - s->start > l->total)
		s->stopped = xasprintf("not ended after %.0f s (last started test: %s)", l->total,
				       last_test(m));
	else if (l->silence > 0 && counts && now - s->last_byte > l->silence)
		s->stopped = xasprintf("silent for %.0f s: the machine hangs (last started "
				       "test: %s)", l->silence, last_test(m));
	else if (l->log_bytes && s->bytes > l->log_bytes)
		s->stopped = xasprintf("wrote more than %llu MiB (last started test: %s)",
				       (unsigned long long)(l->log_bytes >> 20), last_test(m));
}

/* Ended, reset, cut off or told to stop. */
static bool over(const struct session *s)
{
	const struct run_model *m = s->c->m;

	if (s->eof || s->stopped || m->reset || m->again || quit(s))
		return true;
	return s->ended_at > 0 && s->c->limits.after_end > 0 &&
	       now_seconds() - s->ended_at > s->c->limits.after_end;
}

/* What the emulator said last, for a message. */
static char *last_words(const char *path)
{
	/* Bochs goes on after its reason with where it was. */
	static const char bochs[] = "exiting with the following message:\n";
	/* Its debugger stops at each reset and has no more commands. */
	static const char resets[] = "fgets() returned ERROR";
	struct mapped f;
	const char *end, *line;
	char *text;

	if (!path || map_file(path, &f))
		return xstrdup("");
	end = f.data + f.len;
	if (memmem(f.data, f.len, resets, sizeof(resets) - 1)) {
		unmap_file(&f);
		return xstrdup("the machine reset or shut down (triple fault) again and again");
	}
	line = memmem(f.data, f.len, bochs, sizeof(bochs) - 1);
	if (line) {
		line += sizeof(bochs) - 1;
		line = memchr(line, '\n', (size_t)(end - line));
		end = line ? line : end;
	}
	while (end > f.data && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		end--;
	line = end;
	while (line > f.data && line[-1] != '\n' && end - line < 300)
		line--;
	text = clean_dup(line, (size_t)(end - line));
	unmap_file(&f);
	return text;
}

/* The emulator is gone after this, whatever state it was in. */
static void end_child(struct session *s)
{
	struct capture *c = s->c;
	bool killed = false;
	int status;
	char *how, *words;

	if (!s->eof || s->stopped) {
		child_kill(c->child);
		if (s->ended_at > 0 && !s->stopped && !c->m->again && !quit(s))
			model_note(c->m, "the machine did not power off after the end line");
		return;
	}
	/* The line is closed: it should be on its way out. */
	status = child_wait(c->child, 5, &killed);
	if (c->m->ended)
		return;
	how = killed ? xstrdup("closed its serial line and went on") : status_text(status);
	words = WIFSIGNALED(status) ? xstrdup("") : last_words(c->child_output);
	s->stopped = xasprintf("%s %s%s%s", c->child_name, how, *words ? ": " : "", words);
	free(how);
	free(words);
}

/* Waits for bytes in either direction, not for long. */
static void wait_bytes(struct session *s)
{
	struct typing *t = s->c->typing;
	struct pollfd p[2] = {
		{ .fd = s->c->fd, .events = POLLIN },
		{ .fd = t ? typing_source(t, s->c->m->begun) : -1, .events = POLLIN },
	};

	if (t && typing_pending(t))
		p[0].events |= POLLOUT;
	if (poll(p, 2, TICK_MS) <= 0)
		return;
	if (p[0].revents & ~POLLOUT)
		take_bytes(s);
	if (p[1].revents)
		typing_read(t);
	if (p[0].revents & POLLOUT)
		typing_write(t, s->c->fd);
}

/* A conversation that did not come to its end proves nothing. */
static void check_talk(struct session *s)
{
	const char *waits = s->c->typing ? talk_waits_for(&s->c->typing->o->talk) : NULL;

	if (waits)
		model_problem(s->c->m, "--send: no line matched %s", waits);
}

char *capture_run(struct capture *c)
{
	struct session *s = xcalloc(1, sizeof(*s));
	char *stopped;

	s->c = c;
	s->start = s->last_byte = now_seconds();
	/* A line that takes no bytes must not stop the reading of it. */
	if (c->typing)
		fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
	serial_init(&s->parser, on_event, s);
	blob_init(&s->blobs, c->m, write_guest, s);
	while (!over(s)) {
		wait_bytes(s);
		if (!s->stopped)
			check_limits(s);
		progress_tick(c->progress, c->m);
	}
	serial_finish(&s->parser);
	blob_finish(&s->blobs);
	check_talk(s);
	progress_done(c->progress);
	if (c->child)
		end_child(s);
	stopped = s->stopped;
	free(s);
	return stopped;
}
