/* SPDX-License-Identifier: MIT */
/* The machines that `nestbed run --on` knows, and how each is started. */
#ifndef TOOLS_NESTBED_MACHINES_H
#define TOOLS_NESTBED_MACHINES_H

#include <stdio.h>
#include "tools/nestbed/launch.h"

/* What to boot, ready for the emulator; paths are absolute. */
struct boot_spec {
	unsigned int cpus;
	u64 mem_mib;
	bool uefi;
	bool icount;		/* time counts instructions (QEMU; Bochs always does) */
	bool input;		/* the serial line takes input, too */
	u16 serial_port;	/* with input and serial_tcp: where the line goes */
	char *work;		/* directory for what the emulator needs, exists */
	char *iso;		/* or NULL */
	char *kernel;		/* multiboot ELF, or NULL */
	char *append;		/* with kernel; or NULL */
	char *initrd;		/* with kernel: QEMU's list of modules; or NULL */
	char *modules_dir;	/* where the names in initrd are found; or NULL */
};

struct machine {
	const char *name;
	const char *about;
	const char *program;	/* the emulator */
	const char *override;	/* environment variable that names another one */
	const char *package;	/* Debian package of the emulator */
	const char *cpu;	/* model, in the emulator's words */
	const char *accel;	/* QEMU only */
	bool kernel;		/* starts a multiboot ELF without an ISO */
	bool uefi;
	bool svm_shutdown_panics;	/* Bochs: see bochs.c */
	bool serial_tcp;	/* a serial line with input is a TCP connection to us */
	unsigned int cpus;	/* unless said otherwise */
	double timeout;		/* seconds for a run */
	double silence;		/* seconds without output that mean a hang */
	/* NULL, or why the machine cannot be used here (static text). */
	const char *(*unavailable)(void);
	/*
	 * Writes its configuration below spec->work and the command to argv
	 * (argv->word[0] is there already).  0 or -errno, after a message.
	 */
	int (*prepare)(const struct machine *m, const struct boot_spec *spec,
		       struct argv *argv);
};

const struct machine *machine_find(const char *name);
/* Prints the list. */
void machine_list(FILE *file);

/* The emulator's path; NULL after a message that names the package. */
char *machine_program(const struct machine *m);

int qemu_prepare(const struct machine *m, const struct boot_spec *spec, struct argv *argv);
int bochs_prepare(const struct machine *m, const struct boot_spec *spec, struct argv *argv);

#endif
