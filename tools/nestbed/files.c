// SPDX-License-Identifier: MIT
#include "tools/nestbed/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int map_file(const char *path, struct mapped *m)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	*m = (struct mapped){ .data = "" };
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	if (st.st_size) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED) {
			int err = -errno;

			close(fd);
			return err;
		}
		*m = (struct mapped){ p, (size_t)st.st_size, true };
	}
	close(fd);
	return 0;
}

void unmap_file(struct mapped *m)
{
	if (m->mmapped)
		munmap((void *)m->data, m->len);
	*m = (struct mapped){ .data = "" };
}

/* Through a second file and rename: a reader never sees half of it. */
int write_file(const char *path, const char *data, size_t n)
{
	char *tmp = xasprintf("%s.new", path);
	FILE *f = fopen(tmp, "we");
	int err = 0;

	if (!f) {
		err = -errno;
		free(tmp);
		return err;
	}
	if (n && fwrite(data, 1, n, f) != n)
		err = -EIO;
	if (fclose(f))
		err = -EIO;
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
	free(tmp);
	return err;
}

int make_dirs(const char *path)
{
	char *copy = xstrdup(path);
	int err = 0;

	for (char *p = copy + 1; !err && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0777) && errno != EEXIST)
			err = -errno;
		*p = '/';
	}
	if (!err && mkdir(copy, 0777) && errno != EEXIST)
		err = -errno;
	if (!err && !is_dir(path))
		err = -ENOTDIR;
	free(copy);
	return err;
}

bool file_exists(const char *path)
{
	return !access(path, R_OK) && !is_dir(path);
}

bool is_dir(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

char *absolute_path(const char *path)
{
	char *real = realpath(path, NULL);
	char *copy = real ? xstrdup(real) : NULL;

	free(real);
	return copy;
}

char *program_dir(void)
{
	char *self = absolute_path("/proc/self/exe");
	char *slash = self ? strrchr(self, '/') : NULL;

	if (slash)
		*slash = '\0';
	return self ? self : xstrdup(".");
}

char *find_program(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return access(name, X_OK) ? NULL : absolute_path(name);
	while (path && *path) {
		size_t n = strcspn(path, ":");
		char *full = xasprintf("%.*s/%s", (int)n, path, name);

		if (!access(full, X_OK) && !is_dir(full))
			return full;
		free(full);
		path += n + (path[n] == ':');
	}
	return NULL;
}

double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

char *utc_now(void)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return xstrdup(text);
}
