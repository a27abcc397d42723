// SPDX-License-Identifier: MIT
#include "tools/nestbed/line.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

static const struct {
	u64 speed;
	speed_t code;
} speeds[] = {
	{ 1200, B1200 },     { 2400, B2400 },	  { 4800, B4800 },     { 9600, B9600 },
	{ 19200, B19200 },   { 38400, B38400 },	  { 57600, B57600 },   { 115200, B115200 },
	{ 230400, B230400 }, { 460800, B460800 }, { 921600, B921600 }, { 1500000, B1500000 },
};

/* A message, and the error for the caller. */
static int say(const char *target, const char *why)
{
	fprintf(stderr, "nestbed: %s: %s\n", target, why);
	return -EINVAL;
}

/* 8N1, no flow control, nothing translated; the modem lines are ignored. */
static int set_raw(int fd, const char *target, u64 speed)
{
	struct termios t;
	size_t i = 0;

	while (i < ARRAY_SIZE(speeds) && speeds[i].speed != speed)
		i++;
	if (i == ARRAY_SIZE(speeds))
		return say(target, "this speed is not one that serial ports have");
	if (tcgetattr(fd, &t))
		return say(target, strerror(errno));
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (cfsetispeed(&t, speeds[i].code) || cfsetospeed(&t, speeds[i].code) ||
	    tcsetattr(fd, TCSANOW, &t))
		return say(target, strerror(errno));
	return 0;
}

static int open_path(const char *target, u64 speed, int access, bool *file)
{
	/* Without O_NONBLOCK a TTY would wait for a carrier. */
	int fd = open(target, access | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		say(target, strerror(errno));
	} else if (S_ISDIR(st.st_mode)) {
		say(target, "a directory; use nestbed report");
	} else if (isatty(fd) && set_raw(fd, target, speed)) {
		/* said */
	} else {
		*file = S_ISREG(st.st_mode);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -EINVAL;
}

static int open_unix(const char *target, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path))
		return say(target, "the path is too long for a socket");
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	say(target, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -EINVAL;
}

/* The first address that answers; errno of the last one otherwise. */
static int connect_any(const struct addrinfo *list)
{
	for (; list; list = list->ai_next) {
		int fd = socket(list->ai_family, list->ai_socktype | SOCK_CLOEXEC,
				list->ai_protocol);

		if (fd < 0)
			continue;
		if (!connect(fd, list->ai_addr, list->ai_addrlen))
			return fd;
		close(fd);
	}
	return -1;
}

static int open_tcp(const char *target, const char *rest)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(rest, ':');
	struct addrinfo *list;
	char *host;
	size_t n;
	int fd, err;

	if (!colon || colon == rest || !colon[1])
		return say(target, "must be tcp:HOST:PORT");
	n = (size_t)(colon - rest);
	/* [::1]:23 */
	host = rest[0] == '[' && rest[n - 1] == ']' ? xstrndup(rest + 1, n - 2) :
						      xstrndup(rest, n);
	err = getaddrinfo(host, colon + 1, &hints, &list);
	free(host);
	if (err)
		return say(target, gai_strerror(err));
	fd = connect_any(list);
	if (fd < 0)
		fd = say(target, strerror(errno));
	freeaddrinfo(list);
	return fd;
}

static int open_any(const char *target, u64 speed, int access, bool *file)
{
	*file = false;
	if (!strcmp(target, "-")) {
		*file = true;
		return dup(STDIN_FILENO);
	}
	if (!strncmp(target, "unix:", 5))
		return open_unix(target, target + 5);
	if (!strncmp(target, "tcp:", 4))
		return open_tcp(target, target + 4);
	return open_path(target, speed, access, file);
}

int line_open(const char *target, u64 speed, bool *file)
{
	return open_any(target, speed, O_RDONLY, file);
}

int line_open_duplex(const char *target, u64 speed, bool *file)
{
	return open_any(target, speed, O_RDWR, file);
}

char *line_name(const char *target)
{
	const char *slash = strrchr(target, '/');
	const char *base = slash && slash[1] ? slash + 1 : target;
	char *name = xstrdup(!strcmp(base, "-") ? "stdin" : base);

	for (char *p = name; *p; p++) {
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		      (*p >= '0' && *p <= '9') || *p == '.' || *p == '-'))
			*p = '_';
	}
	/* Neither "" nor "." nor "..". */
	if (name[strspn(name, ".")])
		return name;
	free(name);
	return xstrdup("line");
}
