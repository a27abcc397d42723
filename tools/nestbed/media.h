/* SPDX-License-Identifier: MIT */
/*
 * From what the user asked for to something that the machine can boot:
 * finds the image, and makes an ISO of this run's own when the command line
 * or the guests differ or the machine cannot start an ELF directly.
 */
#ifndef TOOLS_NESTBED_MEDIA_H
#define TOOLS_NESTBED_MEDIA_H

#include "tools/nestbed/machines.h"

/* A guest: FILE[:key=value,...][ ARGS...] of the command line, taken apart. */
struct guest_arg {
	char *path;		/* absolute */
	char *name;		/* "NAME[:key=value,...]" for the module's command line */
	char *args;		/* or NULL */
};

struct media_request {
	const char *iso;	/* or NULL */
	const char *kernel;	/* or NULL */
	const char *append;	/* or NULL */
	const struct guest_arg *guest;
	size_t nguests;
};

/* 0, or -EINVAL or -ENOENT after a message. */
__must_check int guest_parse(const char *text, struct guest_arg *g);
/*
 * The same for FILE[:key=value,...] with a saved guest, which is looked at: it
 * has the name of the file without ".save".
 */
__must_check int restore_parse(const char *text, struct guest_arg *g);
void guest_free(struct guest_arg *g);

/*
 * Splits "FILE[:opts][ ARGS]": *file_len and *opts_len are the lengths of
 * the file and of what follows it up to the first space (with the colon).
 * Pure.
 */
void guest_split(const char *text, size_t *file_len, size_t *opts_len);

/*
 * Fills iso or kernel with append and initrd in spec; spec->work, uefi are
 * given.  0 or -errno, after a message.
 */
__must_check int media_prepare(const struct machine *m, const struct media_request *req,
			       struct boot_spec *spec);

void boot_spec_free(struct boot_spec *spec);

/* GRUB's menu file of a run's own ISO; pure. */
void media_grub_cfg(const struct media_request *req, bool uefi, struct strbuf *out);

#endif
