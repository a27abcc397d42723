// SPDX-License-Identifier: MIT
#include "tools/nestbed/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/nestbed/files.h"

#define BURST	(1 << 20)

void argv_add(struct argv *a, const char *word)
{
	a->word = xrealloc(a->word, a->n + 2, sizeof(*a->word));
	a->word[a->n++] = xstrdup(word);
	a->word[a->n] = NULL;
}

/* As argv_add, formatted. */
void argv_addf(struct argv *a, const char *fmt, ...)
{
	struct strbuf b = { 0 };
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(&b, fmt, ap);
	va_end(ap);
	argv_add(a, sb_str(&b));
	sb_free(&b);
}

void argv_free(struct argv *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->word[i]);
	free(a->word);
	*a = (struct argv){ 0 };
}

char *argv_line(const struct argv *a)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=.,:/@%";
	struct strbuf b = { 0 };

	for (size_t i = 0; i < a->n; i++) {
		const char *w = a->word[i];

		if (i)
			sb_puts(&b, " ");
		if (*w && strspn(w, plain) == strlen(w)) {
			sb_puts(&b, w);
			continue;
		}
		sb_puts(&b, "'");
		for (; *w; w++) {
			if (*w == '\'')
				sb_puts(&b, "'\\''");
			else
				sb_add(&b, w, 1);
		}
		sb_puts(&b, "'");
	}
	return b.s ? b.s : xstrdup("");
}

/* In the child.  Tells the parent the errno over report_fd if exec fails. */
static __noreturn void child_main(const struct launch *l, int serial, int report_fd, pid_t parent)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open(l->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int err;

	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	/* When the tool itself is killed, the emulator must not stay behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	if (in >= 0 && out >= 0 && dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(out, 2) >= 0 &&
	    (serial < 0 || serial == SERIAL_FD || dup2(serial, SERIAL_FD) >= 0) &&
	    (!l->dir || !chdir(l->dir)))
		execv(l->argv->word[0], l->argv->word);
	err = errno;
	if (write(report_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* A pipe or socket whose ends are above the descriptors that the child places. */
static int high_pipe(int fd[2], bool socket)
{
	int low[2];
	int err = 0;

	if (socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, low) :
		     pipe2(low, O_CLOEXEC))
		return -errno;
	fd[0] = fcntl(low[0], F_DUPFD_CLOEXEC, 10);
	fd[1] = fcntl(low[1], F_DUPFD_CLOEXEC, 10);
	if (fd[0] < 0 || fd[1] < 0)
		err = -errno;
	close(low[0]);
	close(low[1]);
	return err;
}

int launch(const struct launch *l, struct child *c)
{
	int report[2], serial[2] = { -1, -1 };
	pid_t parent = getpid();
	int err = high_pipe(report, false);
	int exec_err = 0;

	*c = (struct child){ .pid = -1, .serial = -1 };
	if (!err && l->serial != SERIAL_NONE)
		err = high_pipe(serial, l->serial == SERIAL_BOTH);
	if (err)
		return err;
	/* Room for a burst, so that the emulator need not wait for us. */
	if (l->serial == SERIAL_OUT)
		fcntl(serial[1], F_SETPIPE_SZ, BURST);
	if (l->serial == SERIAL_BOTH)
		setsockopt(serial[1], SOL_SOCKET, SO_SNDBUF, &(int){ BURST }, sizeof(int));
	c->pid = fork();
	if (!c->pid)
		child_main(l, serial[1], report[1], parent);
	err = c->pid < 0 ? -errno : 0;
	if (!err)
		setpgid(c->pid, c->pid);
	close(report[1]);
	if (l->serial != SERIAL_NONE)
		close(serial[1]);
	/* Closed without a word by a successful exec. */
	if (!err && read(report[0], &exec_err, sizeof(exec_err)) == sizeof(exec_err)) {
		err = -exec_err;
		waitpid(c->pid, NULL, 0);
	}
	close(report[0]);
	c->serial = serial[0];
	if (err && l->serial != SERIAL_NONE)
		close(serial[0]);
	return err;
}

int serial_listen(u16 *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd >= 0 && !bind(fd, (struct sockaddr *)&a, len) && !listen(fd, 1) &&
	    !getsockname(fd, (struct sockaddr *)&a, &len)) {
		*port = ntohs(a.sin_port);
		return fd;
	}
	err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* Without taking its status from whoever waits for it. */
static bool has_ended(const struct child *c)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

int serial_accept(int listener, const struct child *c, double seconds)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };
	double end = now_seconds() + seconds;
	int fd = -1;

	while (fd < 0 && now_seconds() < end && !has_ended(c)) {
		if (poll(&p, 1, 100) > 0)
			fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	}
	close(listener);
	return fd >= 0 ? fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int child_kill(struct child *c)
{
	int status = 0;

	kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

int child_wait(struct child *c, double seconds, bool *killed)
{
	double end = now_seconds() + seconds;
	int status = 0;

	*killed = false;
	do {
		pid_t pid = waitpid(c->pid, &status, WNOHANG);

		if (pid == c->pid || (pid < 0 && errno != EINTR)) {
			/* What it may have left behind in its group. */
			kill(-c->pid, SIGKILL);
			return status;
		}
		usleep(10000);
	} while (now_seconds() < end);
	*killed = true;
	return child_kill(c);
}

char *status_text(int status)
{
	if (WIFSIGNALED(status))
		return xasprintf("was killed by signal %d (%s)", WTERMSIG(status),
				 strsignal(WTERMSIG(status)));
	return xasprintf("ended with status %d", WEXITSTATUS(status));
}
