// SPDX-License-Identifier: MIT
#include "tools/nestbed/stats_live.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/nestbed/files.h"
#include "tools/nestbed/line.h"

/* How long a monitor that is closed takes to open. */
#define OPEN_SECONDS	1.0

struct stats_live {
	int fd;
	int stop_fd;		/* written to end the thread */
	bool ask;
	bool started;
	pthread_t thread;
	pthread_mutex_t command;	/* one command at a time */
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t changed;
	struct stats_reader reader;
	struct stats_dump *last, *before;
	u64 count;
	const char *expected;	/* the command that was typed; NULL: none */
	u64 answers;		/* to such commands */
	u64 readies;
	char *answer;		/* the last one: "ok ...", "error ..." */
	bool open;		/* the monitor waits for commands, as far as is known */
	bool closed;
	bool repeating;
	double pause;
	pthread_t repeater;
};

static struct timespec deadline_in(double seconds)
{
	double at = now_seconds() + seconds;
	time_t whole = (time_t)at;

	return (struct timespec){ whole, (long)((at - (double)whole) * 1e9) };
}

bool stats_live_is(const char *target)
{
	struct stat st;

	if (!strncmp(target, "unix:", 5) || !strncmp(target, "tcp:", 4))
		return true;
	return !stat(target, &st) && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode));
}

/* In the thread, with the lock. */
static void on_dump(void *ctx, struct stats_dump *d)
{
	struct stats_live *l = ctx;

	/* The first one may have begun before this tool came. */
	stats_dump_put(l->before);
	l->before = l->last;
	l->last = d;
	l->count++;
	pthread_cond_broadcast(&l->changed);
}

static void on_answer(void *ctx, const char *status, const char *text)
{
	struct stats_live *l = ctx;

	if (!strcmp(status, "ready")) {
		l->readies++;
	} else if (l->expected && !strncmp(text, l->expected, strlen(l->expected))) {
		free(l->answer);
		l->answer = xasprintf("%s %s", status, text);
		l->answers++;
	}
	l->open = strncmp(text, "continue", 8) != 0;
	pthread_cond_broadcast(&l->changed);
}

static void *read_line(void *arg)
{
	struct stats_live *l = arg;
	struct pollfd p[2] = { { .fd = l->fd, .events = POLLIN },
			       { .fd = l->stop_fd, .events = POLLIN } };
	char buf[4096];
	ssize_t n = 1;

	while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents)
			break;
		n = read(l->fd, buf, sizeof(buf));
		if (n > 0) {
			pthread_mutex_lock(&l->lock);
			stats_reader_feed(&l->reader, buf, (size_t)n);
			pthread_mutex_unlock(&l->lock);
		}
	}
	pthread_mutex_lock(&l->lock);
	stats_reader_finish(&l->reader);
	l->closed = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

int stats_live_open(struct stats_live **out, const char *target, u64 speed, bool ask)
{
	struct stats_live *l = xcalloc(1, sizeof(*l));
	pthread_condattr_t attr;
	bool file;

	l->ask = ask;
	l->fd = ask ? line_open_duplex(target, speed, &file) : line_open(target, speed, &file);
	l->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (l->fd < 0 || l->stop_fd < 0) {
		int err = l->fd < 0 ? l->fd : -errno;

		if (l->fd >= 0)
			close(l->fd);
		free(l);
		return err;
	}
	pthread_mutex_init(&l->command, NULL);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	stats_reader_init(&l->reader, on_dump, l);
	l->reader.answer = on_answer;
	*out = l;
	return 0;
}

int stats_live_start(struct stats_live *l)
{
	int err = pthread_create(&l->thread, NULL, read_line, l);

	l->started = !err;
	if (err)
		fprintf(stderr, "nestbed: no thread: %s\n", strerror(err));
	return -err;
}

static void *repeat(void *arg)
{
	struct stats_live *l = arg;

	while (!stats_live_closed(l)) {
		struct timespec until;

		stats_live_refresh(l, 30);
		until = deadline_in(l->pause);
		pthread_mutex_lock(&l->lock);
		while (!l->closed && !pthread_cond_timedwait(&l->changed, &l->lock, &until))
			;
		pthread_mutex_unlock(&l->lock);
	}
	return NULL;
}

int stats_live_repeat(struct stats_live *l, double pause)
{
	int err;

	l->pause = pause;
	err = pthread_create(&l->repeater, NULL, repeat, l);
	l->repeating = !err;
	return -err;
}

static void stop_repeating(struct stats_live *l)
{
	if (!l->repeating)
		return;
	pthread_mutex_lock(&l->lock);
	l->closed = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->repeater, NULL);
}

void stats_live_close(struct stats_live *l)
{
	if (!l)
		return;
	stop_repeating(l);
	if (l->started) {
		if (eventfd_write(l->stop_fd, 1))
			perror("nestbed: eventfd");
		pthread_join(l->thread, NULL);
	}
	stats_reader_free(&l->reader);
	stats_dump_put(l->last);
	stats_dump_put(l->before);
	free(l->answer);
	close(l->fd);
	close(l->stop_fd);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->command);
	free(l);
}

struct stats_dump *stats_live_dump(struct stats_live *l, u64 *count, struct stats_dump **before)
{
	struct stats_dump *d;

	pthread_mutex_lock(&l->lock);
	d = l->last ? stats_dump_get(l->last) : NULL;
	if (before)
		*before = l->before ? stats_dump_get(l->before) : NULL;
	*count = l->count;
	pthread_mutex_unlock(&l->lock);
	return d;
}

bool stats_live_closed(struct stats_live *l)
{
	bool closed;

	pthread_mutex_lock(&l->lock);
	closed = l->closed;
	pthread_mutex_unlock(&l->lock);
	return closed;
}

/* Two numbers that rise; either will do.  The second may be NULL. */
struct wanted {
	const u64 *n, *or;
	u64 was, or_was;
};

static bool came(const struct wanted *w)
{
	return *w->n > w->was || (w->or && *w->or > w->or_was);
}

/* With the lock: until what is wanted came.  0, -EIO, -ETIMEDOUT. */
static int wait_for(struct stats_live *l, const struct wanted *w, double seconds)
{
	struct timespec until = deadline_in(seconds);
	int err = 0;

	while (!came(w) && !l->closed && !err)
		err = pthread_cond_timedwait(&l->changed, &l->lock, &until);
	if (came(w))
		return 0;
	return l->closed ? -EIO : -ETIMEDOUT;
}

bool stats_live_wait(struct stats_live *l, u64 count, double seconds)
{
	int err;

	pthread_mutex_lock(&l->lock);
	err = wait_for(l, &(struct wanted){ .n = &l->count, .was = count }, seconds);
	pthread_mutex_unlock(&l->lock);
	return !err;
}

/* All of it; the line may be slow. */
static int type(struct stats_live *l, const char *text)
{
	size_t n = strlen(text);

	while (n) {
		struct pollfd p = { .fd = l->fd, .events = POLLOUT };
		ssize_t done = write(l->fd, text, n);

		if (done > 0) {
			text += done;
			n -= (size_t)done;
		} else if (errno != EAGAIN && errno != EINTR) {
			return -EIO;
		} else if (poll(&p, 1, 2000) <= 0) {
			return -ETIMEDOUT;
		}
	}
	return 0;
}

/* With the lock.  A CR opens a monitor that is closed, and is nothing to an open one. */
static int open_monitor(struct stats_live *l, bool *opened)
{
	struct wanted w = { .n = &l->readies, .was = l->readies };
	int err;

	*opened = false;
	if (l->open)
		return 0;
	err = type(l, "\r");
	if (!err)
		err = wait_for(l, &w, OPEN_SECONDS);
	*opened = !err;
	/* No answer: it is open already, which the command will show. */
	return err == -ETIMEDOUT ? 0 : err;
}

/* With the lock: types a line and waits for the answer to it. */
static int type_command(struct stats_live *l, const char *command, double seconds)
{
	bool dump = !strcmp(command, "stats");
	struct wanted w = { .n = &l->answers, .was = l->answers,
			    .or = dump ? &l->count : NULL, .or_was = l->count };
	char *line = xasprintf("%s\r", command);
	int err;

	l->expected = command;
	err = type(l, line);
	free(line);
	/* A dump that comes by itself, without a monitor, is as good. */
	if (!err)
		err = wait_for(l, &w, seconds);
	l->expected = NULL;
	return err;
}

static int command_once(struct stats_live *l, const char *command, double seconds, bool *opened)
{
	int err = open_monitor(l, opened);

	return err ? err : type_command(l, command, seconds);
}

/*
 * A run that was stopped for a command goes on.  Waits until it does: a line
 * that is closed at once may lose what was typed last.
 */
static void close_monitor(struct stats_live *l)
{
	int err = type_command(l, "continue", OPEN_SECONDS);

	if (!err || err == -ETIMEDOUT)
		l->open = false;
}

int stats_live_command(struct stats_live *l, const char *command, double seconds, char **why)
{
	bool opened = false;
	int err;

	*why = NULL;
	if (!l->ask)
		return -EROFS;
	pthread_mutex_lock(&l->command);
	pthread_mutex_lock(&l->lock);
	err = command_once(l, command, seconds, &opened);
	if (err == -ETIMEDOUT && l->open) {
		/* What was thought to be open was left by somebody else. */
		l->open = false;
		err = command_once(l, command, seconds, &opened);
	}
	if (err == -ETIMEDOUT)
		l->open = false;
	if (!err && l->answer && strncmp(l->answer, "ok", 2)) {
		*why = xstrdup(l->answer);
		err = -EPROTO;
	}
	if (opened)
		close_monitor(l);
	free(l->answer);
	l->answer = NULL;
	pthread_mutex_unlock(&l->lock);
	pthread_mutex_unlock(&l->command);
	return err;
}

int stats_live_refresh(struct stats_live *l, double seconds)
{
	char *why;
	u64 was;
	int err;

	pthread_mutex_lock(&l->lock);
	was = l->count;
	pthread_mutex_unlock(&l->lock);
	err = l->ask ? stats_live_command(l, "stats", seconds, &why) : 0;
	if (l->ask)
		free(why);
	if (err)
		return err;
	if (stats_live_wait(l, was, l->ask ? 1 : seconds))
		return 0;
	return stats_live_closed(l) ? -EIO : -ETIMEDOUT;
}
