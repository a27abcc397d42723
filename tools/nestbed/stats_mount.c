// SPDX-License-Identifier: MIT
#define FUSE_USE_VERSION 31

#include "tools/nestbed/stats_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/nestbed/files.h"
#include "tools/nestbed/stats_files.h"

/* How long a file waits for the machine before it shows an older number. */
#define ANSWER_SECONDS	10.0

/* Callbacks find it by fuse_get_context(); they are called one at a time. */
struct mounted {
	struct stats_mount *m;
	double asked;		/* when the newest dump was asked for; 0: never */
	double took;
	time_t start;
};

static struct mounted *mounted(void)
{
	return fuse_get_context()->private_data;
}

/* Asks again if what is there is too old; a slow line is not asked all the time. */
static void freshen(struct mounted *x)
{
	double now = now_seconds();

	if (x->asked && now - x->asked < MAX(x->m->age, x->took))
		return;
	stats_live_refresh(x->m->live, ANSWER_SECONDS);
	x->asked = now_seconds();
	x->took = x->asked - now;
}

/* The dump to look into, with a reference; NULL: none came yet. */
static struct stats_dump *current_dump(struct mounted *x)
{
	u64 count;

	if (x->m->dump)
		return stats_dump_get(x->m->dump);
	freshen(x);
	return stats_live_dump(x->m->live, &count, NULL);
}

/* The file of a path; *d is to be put.  0 or -errno. */
static int find(const char *path, struct stats_dump **d, struct stats_file *f)
{
	int err;

	*d = current_dump(mounted());
	if (!*d)
		return -EIO;
	err = stats_file_find(*d, path, f);
	if (err)
		stats_dump_put(*d);
	return err;
}

static void fill_stat(struct stat *st, const struct stats_file *f)
{
	char text[32];

	*st = (struct stat){ .st_mode = stats_file_mode(f), .st_nlink = f->dir ? 2 : 1,
			     .st_uid = getuid(), .st_gid = getgid(), .st_blksize = 4096 };
	st->st_mtime = st->st_ctime = st->st_atime = mounted()->start;
	if (!f->dir)
		st->st_size = (off_t)stats_file_text(f, text, sizeof(text));
}

static int do_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	struct stats_dump *d;
	struct stats_file f;
	int err = find(path, &d, &f);

	if (err)
		return err;
	fill_stat(st, &f);
	stats_dump_put(d);
	return 0;
}

struct listing {
	void *buf;
	fuse_fill_dir_t filler;
};

static void list_entry(void *ctx, const char *name, const struct stats_file *f)
{
	struct listing *l = ctx;
	struct stat st;

	fill_stat(&st, f);
	l->filler(l->buf, name, &st, 0, (enum fuse_fill_dir_flags)0);
}

static int do_readdir(const char *path, void *buf, fuse_fill_dir_t filler, off_t off,
		      struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	struct listing l = { buf, filler };
	struct stats_dump *d;
	struct stats_file f;
	int err = find(path, &d, &f);

	if (err)
		return err;
	if (f.dir) {
		filler(buf, ".", NULL, 0, (enum fuse_fill_dir_flags)0);
		filler(buf, "..", NULL, 0, (enum fuse_fill_dir_flags)0);
		stats_file_list(d, &f, list_entry, &l);
	}
	stats_dump_put(d);
	return f.dir ? 0 : -ENOTDIR;
}

static int may_write(void)
{
	return mounted()->m->live ? 0 : -EROFS;
}

static int do_open(const char *path, struct fuse_file_info *fi)
{
	struct stats_dump *d;
	struct stats_file f;
	int err = find(path, &d, &f);

	if (err)
		return err;
	stats_dump_put(d);
	/* The size may be another when it is read. */
	fi->direct_io = 1;
	return (fi->flags & O_ACCMODE) == O_RDONLY ? 0 : may_write();
}

static int do_read(const char *path, char *buf, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct stats_dump *d;
	struct stats_file f;
	char text[32];
	size_t n;
	int err = find(path, &d, &f);

	if (err)
		return err;
	n = f.dir ? 0 : stats_file_text(&f, text, sizeof(text));
	stats_dump_put(d);
	if (f.dir)
		return -EISDIR;
	if (off < 0 || (size_t)off >= n)
		return 0;
	n = MIN(n - (size_t)off, size);
	memcpy(buf, text + off, n);
	return (int)n;
}

/* A shell's ">" does this before it writes. */
static int do_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	return may_write();
}

/* What the monitor says, as an error. */
static int answer_errno(const char *why)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{ "not permitted", -EPERM },
		{ "no such", -ENOENT },
		{ "is a directory", -EISDIR },
		{ "out of memory", -ENOMEM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strstr(why, rows[i].text))
			return rows[i].err;
	}
	return -EIO;
}

static int clear(struct mounted *x, const char *path)
{
	char *command = xasprintf("clear %s", path), *why;
	int err = stats_live_command(x->m->live, command, ANSWER_SECONDS, &why);

	if (err == -EPROTO)
		err = answer_errno(why);
	free(why);
	free(command);
	/* The next read must see it. */
	x->asked = 0;
	return err;
}

static int do_write(const char *path, const char *data, size_t n, off_t off,
		    struct fuse_file_info *fi)
{
	struct stats_dump *d;
	struct stats_file f;
	int err = may_write();

	if (!err)
		err = find(path, &d, &f);
	if (err)
		return err;
	err = off ? -EINVAL : stats_file_write(&f, data, n);
	if (!err)
		err = clear(mounted(), f.node->path);
	stats_dump_put(d);
	return err ? err : (int)n;
}

/* What is there is up to the machine. */
static int refuse_mknod(const char *path, mode_t mode, dev_t dev)
{
	return -EPERM;
}

static int refuse_mkdir(const char *path, mode_t mode)
{
	return -EPERM;
}

static int refuse_path(const char *path)
{
	return -EPERM;
}

static int refuse_rename(const char *from, const char *to, unsigned int flags)
{
	return -EPERM;
}

static int refuse_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
	return -EPERM;
}

static void *do_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	/* Numbers change behind the kernel's back. */
	if (mounted()->m->live)
		cfg->attr_timeout = cfg->entry_timeout = 0;
	return mounted();
}

static const struct fuse_operations operations = {
	.getattr = do_getattr,
	.readdir = do_readdir,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.truncate = do_truncate,
	.mknod = refuse_mknod,
	.mkdir = refuse_mkdir,
	.unlink = refuse_path,
	.rmdir = refuse_path,
	.rename = refuse_rename,
	.chmod = refuse_chmod,
	.init = do_init,
};

/* In the background: 0 tells the waiting parent that all is well. */
static void report(int fd, unsigned char code)
{
	int null;

	if (fd < 0)
		return;
	if (write(fd, &code, 1) != 1)
		perror("nestbed: pipe");
	close(fd);
	null = code ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; null >= 0 && i < 3; i++)
		dup2(null, i);
}

/* From the mount to the unmount; fd: the parent waits there, or -1. */
static int serve(struct stats_mount *m, int fd)
{
	struct mounted x = { .m = m, .start = time(NULL) };
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	char *opts = xasprintf("-ofsname=nestbed,subtype=stats,default_permissions%s",
			       m->live ? "" : ",ro");
	struct fuse *fuse = NULL;
	int err = 1;

	if (!fuse_opt_add_arg(&args, "nestbed") && !fuse_opt_add_arg(&args, opts))
		fuse = fuse_new(&args, &operations, sizeof(operations), &x);
	if (fuse && !fuse_mount(fuse, m->dir)) {
		if (!fuse_set_signal_handlers(fuse_get_session(fuse)) &&
		    (!m->live || !stats_live_start(m->live))) {
			report(fd, 0);
			fd = -1;
			err = fuse_loop(fuse) < 0;
			fuse_remove_signal_handlers(fuse_get_session(fuse));
		}
		fuse_unmount(fuse);
	}
	report(fd, 1);
	if (fuse)
		fuse_destroy(fuse);
	fuse_opt_free_args(&args);
	free(opts);
	return err;
}

int stats_mount_run(struct stats_mount *m)
{
	unsigned char code = 1;
	char *dir = absolute_path(m->dir);
	int pipes[2], err;
	pid_t pid;

	if (!dir || !is_dir(dir)) {
		fprintf(stderr, "nestbed: %s: not a directory\n", m->dir);
		free(dir);
		return 2;
	}
	m->dir = dir;
	if (m->foreground || pipe2(pipes, O_CLOEXEC)) {
		err = serve(m, -1);
		free(dir);
		return err ? 2 : 0;
	}
	pid = fork();
	if (!pid) {
		setsid();
		close(pipes[0]);
		err = serve(m, pipes[1]);
		free(dir);
		_exit(err);
	}
	close(pipes[1]);
	if (pid < 0 || read(pipes[0], &code, 1) != 1)
		code = 1;
	close(pipes[0]);
	if (code)
		fprintf(stderr, "nestbed: %s: cannot be mounted\n", dir);
	free(dir);
	return code ? 2 : 0;
}
