// SPDX-License-Identifier: MIT
#include "tools/nestbed/machines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/nestbed/files.h"

static const char *const bios_files[] = {
	"/usr/share/bochs/BIOS-bochs-latest",
	"/usr/local/share/bochs/BIOS-bochs-latest",
	NULL,
};
static const char *const vga_files[] = {
	"/usr/share/bochs/VGABIOS-lgpl-latest",
	"/usr/local/share/bochs/VGABIOS-lgpl-latest",
	"/usr/share/vgabios/vgabios.bin",
	NULL,
};

/* NULL when none does. */
static const char *first_that_exists(const char *const *list)
{
	while (*list && !file_exists(*list))
		list++;
	return *list;
}

/* bochsrc has no way to quote these. */
static int check_path(const char *path)
{
	if (!strpbrk(path, ",\"\n"))
		return 0;
	fprintf(stderr, "nestbed: Bochs cannot use a path with a comma or quote: %s\n", path);
	return -EINVAL;
}

/* The configuration: a PC with a CD drive, one serial port and no window. */
static void write_rc(struct strbuf *rc, const struct machine *m, const struct boot_spec *spec)
{
	/* More than 2 GiB of host memory is refused; the rest it swaps to a file. */
	u64 host = MIN(spec->mem_mib, (u64)2048);

	sb_puts(rc, "config_interface: textconfig\n"
		    /* A display without a window; it takes the first free port from 5900 on. */
		    "display_library: rfb, options=\"timeout=0\"\n"
		    "plugin_ctrl: speaker=0\n");
	sb_printf(rc, "romimage: file=%s\n", first_that_exists(bios_files));
	sb_printf(rc, "vgaromimage: file=%s\n", first_that_exists(vga_files));
	sb_printf(rc, "cpu: model=%s, count=%u, ips=50000000%s\n", m->cpu, spec->cpus,
		  m->svm_shutdown_panics ? ", reset_on_triple_fault=0" : "");
	sb_printf(rc, "memory: guest=%llu, host=%llu\n", (unsigned long long)spec->mem_mib,
		  (unsigned long long)host);
	sb_puts(rc, "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n");
	sb_printf(rc, "ata0-master: type=cdrom, path=\"%s\", status=inserted\n", spec->iso);
	sb_puts(rc, "boot: cdrom\n");
	if (spec->serial_port)
		sb_printf(rc, "com1: enabled=1, mode=socket-client, dev=127.0.0.1:%u\n",
			  spec->serial_port);
	else
		sb_puts(rc, "com1: enabled=1, mode=file, dev=" SERIAL_DEV "\n");
	/* Emulated time follows the instructions: runs repeat exactly. */
	sb_puts(rc, "clock: sync=none\n"
		    "port_e9_hack: enabled=1\n"
		    "panic: action=fatal");
	/*
	 * Bochs 2.7, cpu/exception.cc:950: a triple fault of an SVM guest resets
	 * the machine, or, when told not to, panics before it exits to the host.
	 */
	for (unsigned int i = 0; m->svm_shutdown_panics && i < spec->cpus; i++)
		sb_printf(rc, ", CPU%u=report", i);
	sb_puts(rc, "\n"
		    "error: action=report\n"
		    "info: action=ignore\n");
	sb_printf(rc, "log: %s/bochs.log\n", spec->work);
}

/*
 * A Bochs with debugger waits for a command at the start, after each reset and
 * at each panic that is reported: continue.  A machine that resets in a loop
 * before it says anything runs out of commands, and so comes to an end.
 */
static int write_continues(const struct machine *m, const char *path)
{
	int times = m->svm_shutdown_panics ? 500 : 4;
	struct strbuf text = { 0 };
	int err;

	for (int i = 0; i < times; i++)
		sb_puts(&text, "c\n");
	err = write_file(path, text.s, text.len);
	sb_free(&text);
	return err;
}

int bochs_prepare(const struct machine *m, const struct boot_spec *spec, struct argv *argv)
{
	char *rc_path = xasprintf("%s/bochsrc", spec->work);
	char *dbg_path = xasprintf("%s/debugger.rc", spec->work);
	struct strbuf rc = { 0 };
	int err = 0;

	if (!first_that_exists(bios_files) || !first_that_exists(vga_files)) {
		fprintf(stderr, "nestbed: the BIOS of Bochs is missing; install packages "
				"bochsbios and vgabios\n");
		err = -ENOENT;
	}
	if (!err && (check_path(spec->work) || check_path(spec->iso)))
		err = -EINVAL;
	if (!err) {
		write_rc(&rc, m, spec);
		err = write_file(rc_path, rc.s, rc.len);
		if (!err)
			err = write_continues(m, dbg_path);
		if (err)
			fprintf(stderr, "nestbed: %s: %s\n", spec->work, strerror(-err));
	}
	argv_add(argv, "-q");
	argv_add(argv, "-f");
	argv_add(argv, rc_path);
	argv_add(argv, "-rc");
	argv_add(argv, dbg_path);
	sb_free(&rc);
	free(rc_path);
	free(dbg_path);
	return err;
}
