// SPDX-License-Identifier: MIT
#include "tools/nestbed/machines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/nestbed/files.h"

/* KVM must offer nesting, or the image would find no virtualization. */
static const char *kvm_missing(void)
{
	static const char *const params[] = {
		"/sys/module/kvm_amd/parameters/nested",
		"/sys/module/kvm_intel/parameters/nested",
	};
	char value = 'N';

	if (access("/dev/kvm", R_OK | W_OK))
		return "/dev/kvm cannot be opened: no KVM here, or no right to use it";
	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		FILE *f = fopen(params[i], "re");
		int c = f ? fgetc(f) : EOF;

		if (f)
			fclose(f);
		if (c != EOF)
			value = (char)c;
	}
	if (value != 'Y' && value != '1')
		return "the host's KVM does not offer nested virtualization (kvm_amd or "
		       "kvm_intel with nested=1)";
	return NULL;
}

static const char *psp_missing(void)
{
	return "the model of the secure processor is not part of this version; it comes with "
	       "SEV support";
}

/* clang-format off */
static const struct machine machines[] = {
	{ .name = "qemu-svm",
	  .about = "QEMU's own emulation (TCG), AMD-like: SVM with nested paging",
	  .program = "qemu-system-x86_64", .override = "NESTBED_QEMU",
	  .package = "qemu-system-x86", .cpu = "max,+svm", .accel = "tcg",
	  .kernel = true, .uefi = true, .cpus = 3, .timeout = 300, .silence = 120,
	  .prepare = qemu_prepare },
	{ .name = "qemu-novirt",
	  .about = "QEMU's own emulation (TCG) without virtualization",
	  .program = "qemu-system-x86_64", .override = "NESTBED_QEMU",
	  .package = "qemu-system-x86", .cpu = "qemu64,-svm", .accel = "tcg",
	  .kernel = true, .uefi = true, .cpus = 2, .timeout = 300, .silence = 120,
	  .prepare = qemu_prepare },
	{ .name = "bochs-vmx",
	  .about = "Bochs, Intel-like (Skylake-X): VMX with EPT",
	  .program = "bochs", .override = "NESTBED_BOCHS",
	  .package = "bochs", .cpu = "corei7_skylake_x", .serial_tcp = true,
	  .cpus = 1, .timeout = 600, .silence = 240, .prepare = bochs_prepare },
	{ .name = "bochs-svm",
	  .about = "Bochs, AMD-like (Ryzen): SVM with nested paging",
	  .program = "bochs", .override = "NESTBED_BOCHS",
	  .package = "bochs", .cpu = "ryzen", .svm_shutdown_panics = true, .serial_tcp = true,
	  .cpus = 1, .timeout = 600, .silence = 240, .prepare = bochs_prepare },
	{ .name = "qemu-kvm",
	  .about = "the host's CPU through KVM, where that offers nested virtualization",
	  .program = "qemu-system-x86_64", .override = "NESTBED_QEMU",
	  .package = "qemu-system-x86", .cpu = "host", .accel = "kvm",
	  .kernel = true, .uefi = true, .cpus = 2, .timeout = 300, .silence = 120,
	  .unavailable = kvm_missing, .prepare = qemu_prepare },
	{ .name = "qemu-psp",
	  .about = "qemu-svm with a model of the secure processor",
	  .program = "qemu-system-x86_64", .override = "NESTBED_QEMU",
	  .package = "qemu-system-x86", .cpu = "max,+svm", .accel = "tcg",
	  .kernel = true, .uefi = true, .cpus = 2, .timeout = 300, .silence = 120,
	  .unavailable = psp_missing, .prepare = qemu_prepare },
};
/* clang-format on */

const struct machine *machine_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		if (!strcmp(machines[i].name, name))
			return &machines[i];
	}
	return NULL;
}

void machine_list(FILE *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		const struct machine *m = &machines[i];
		const char *why = m->unavailable ? m->unavailable() : NULL;

		fprintf(file, "  %-12s %s\n", m->name, m->about);
		if (why)
			fprintf(file, "  %-12s (not available: %s)\n", "", why);
	}
}

char *machine_program(const struct machine *m)
{
	const char *other = getenv(m->override);
	char *path = find_program(other ? other : m->program);

	if (!path && other)
		fprintf(stderr, "nestbed: %s=%s: no such program\n", m->override, other);
	else if (!path)
		fprintf(stderr, "nestbed: %s is not installed; install package %s\n", m->program,
			m->package);
	return path;
}
