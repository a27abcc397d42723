// SPDX-License-Identifier: MIT
#include "tools/nestbed/machines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/nestbed/files.h"

/* Where distributions keep the UEFI firmware, in the order we try them. */
static const struct {
	const char *code;
	const char *vars;
} ovmf[] = {
	{ "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd" },
	{ "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd" },
	{ "/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd" },
	{ "/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd" },
};

/* In QEMU's option lists a comma inside a value is written twice. */
static char *escape_commas(const char *s)
{
	struct strbuf b = { 0 };

	for (; *s; s++)
		sb_add(&b, *s == ',' ? ",," : s, *s == ',' ? 2 : 1);
	return b.s ? b.s : xstrdup("");
}

/* A flash chip: unit 0 the code, unit 1 the variables. */
static void add_flash(struct argv *argv, int unit, const char *file, const char *more)
{
	char *escaped = escape_commas(file);

	argv_add(argv, "-drive");
	argv_addf(argv, "if=pflash,format=raw,unit=%d,%sfile=%s", unit, more, escaped);
	free(escaped);
}

/* The variable store is written by the firmware: each run has its own copy. */
static int add_uefi(struct argv *argv, const struct boot_spec *spec)
{
	for (size_t i = 0; i < ARRAY_SIZE(ovmf); i++) {
		char *vars = xasprintf("%s/OVMF_VARS.fd", spec->work);
		struct mapped m;
		int err;

		if (!file_exists(ovmf[i].code) || map_file(ovmf[i].vars, &m)) {
			free(vars);
			continue;
		}
		err = write_file(vars, m.data, m.len);
		unmap_file(&m);
		if (err)
			fprintf(stderr, "nestbed: %s: %s\n", vars, strerror(-err));
		add_flash(argv, 0, ovmf[i].code, "readonly=on,");
		add_flash(argv, 1, vars, "");
		free(vars);
		return err;
	}
	fprintf(stderr, "nestbed: no UEFI firmware for QEMU found; install package ovmf\n");
	return -ENOENT;
}

static void add_serial(struct argv *argv, const struct boot_spec *spec)
{
	if (spec->input) {
		argv_add(argv, "-chardev");
		argv_addf(argv, "socket,id=line,fd=%d", SERIAL_FD);
	}
	argv_add(argv, "-serial");
	argv_add(argv, spec->input ? "chardev:line" : "file:" SERIAL_DEV);
}

int qemu_prepare(const struct machine *m, const struct boot_spec *spec, struct argv *argv)
{
	/*
	 * Nothing that the image does not use.  A reset is left to happen: the
	 * second begin line on the serial line is what shows it.
	 */
	static const char *const fixed[] = {
		"-nodefaults", "-no-user-config", "-display", "none", "-vga", "std",
		"-machine", "q35",
	};
	char *iso;

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		argv_add(argv, fixed[i]);
	add_serial(argv, spec);
	argv_add(argv, "-accel");
	argv_add(argv, m->accel);
	if (spec->icount) {
		/* sleep=off: idle time passes at once. */
		argv_add(argv, "-icount");
		argv_add(argv, "shift=0,sleep=off");
	}
	argv_add(argv, "-cpu");
	argv_add(argv, m->cpu);
	argv_add(argv, "-m");
	argv_addf(argv, "%llu", (unsigned long long)spec->mem_mib);
	argv_add(argv, "-smp");
	argv_addf(argv, "%u", spec->cpus);
	if (spec->uefi && add_uefi(argv, spec))
		return -ENOENT;
	if (spec->iso) {
		iso = escape_commas(spec->iso);
		argv_add(argv, "-drive");
		argv_addf(argv, "media=cdrom,format=raw,readonly=on,file=%s", iso);
		free(iso);
		return 0;
	}
	argv_add(argv, "-kernel");
	argv_add(argv, spec->kernel);
	if (spec->append) {
		argv_add(argv, "-append");
		argv_add(argv, spec->append);
	}
	if (spec->initrd) {
		argv_add(argv, "-initrd");
		argv_add(argv, spec->initrd);
	}
	return 0;
}
