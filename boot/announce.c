/* SPDX-License-Identifier: MIT */
/* The begin line and the inventory of the machine. */
#include "boot/setup.h"

#include "build_id.h"
#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/vm/virt_ops.h"
#include "core/x86/insn.h"
#include "core/x86/nmi_watchdog.h"
#include "core/x86/percpu.h"
#include "core/x86/power.h"
#include "core/x86/time.h"

/* Hypervisor signatures and what we call the platform. */
static const struct {
	const char *signature, *name;
} platforms[] = {
	{ "TCGTCGTCGTCG", "tcg" }, { "KVMKVMKVM", "kvm" }, { "VMwareVMware", "vmware" },
	{ "Microsoft Hv", "hyperv" }, { "XenVMMXenVMM", "xen" }, { "nestbed", "nestbed" },
	{ "bhyve bhyve ", "bhyve" },
};

/*
 * Bochs has no hypervisor leaf.  Its board is known by three signs at once:
 * the firmware's OEM id, its VGA's PCI id and the port 0xe9 that echoes.
 */
static bool is_bochs(const struct run_env *env)
{
	bool vga = false;

	if (env->caps.hypervisor || strncmp(env->acpi.oem_id, "BOCHS", 5))
		return false;
	for (u32 i = 0; i < env->pci.count; i++)
		vga |= env->pci.dev[i].vendor == 0x1234 && env->pci.dev[i].device == 0x1111;
	return vga || inb(0xe9) == 0xe9;
}

/* A guest of nestbed's has the name of the CPU below: QEMU's says whose it is. */
static bool is_on_tcg(const struct run_env *env)
{
	return !strncmp(env->caps.brand, "QEMU TCG CPU", 12);
}

void setup_platform(struct run_env *env)
{
	const char *name = env->caps.hypervisor ? "hypervisor" : "bare";

	for (size_t i = 0; i < ARRAY_SIZE(platforms); i++)
		if (!strcmp(env->caps.hypervisor_id, platforms[i].signature))
			name = platforms[i].name;
	if (is_bochs(env))
		name = "bochs";
	if (!strcmp(name, "nestbed") && is_on_tcg(env))
		name = "nestbed_tcg";
	str_copy(env->platform, name, sizeof(env->platform));
	/* Differs between boots: time passed in firmware, and clock. */
	env->boot_id = (rdtsc() * 0x9e3779b97f4a7c15ULL) ^ env->start_tsc << 17;
}

static void announce_pci(const struct run_env *env)
{
	for (u32 i = 0; i < env->pci.count; i++) {
		const struct pci_dev *d = &env->pci.dev[i];

		machine_line("info pci %02x:%02x.%x %04x:%04x class %02x%02x %s",
			     PCI_BUS(d->addr), PCI_DEV(d->addr), PCI_FN(d->addr),
			     d->vendor, d->device, d->class_code, d->subclass,
			     pci_class_name(d->class_code));
	}
}

static void announce_virt(const struct run_env *env)
{
	char text[VIRT_DESCRIPTION_MAX];

	if (!virt) {
		machine_line("info virt_reason %s", virt_why);
		return;
	}
	virt->describe(text, sizeof(text));
	machine_line("info %s %s", virt->name, text);
}

void setup_announce(const struct run_env *env)
{
	const struct cpu_caps *c = &env->caps;
	const char *watchdog;

	machine_line("begin v=1 boot=%016llx build=%s cpu=\"%s\" vendor=%s virt=%s fw=%s cpus=%u "
		     "mem=%u platform=%s tsc_khz=%llu tsc_source=%s",
		     (unsigned long long)env->boot_id, NESTBED_BUILD_ID, c->brand,
		     cpu_vendor_name(c->vendor), virt ? virt->name : "none",
		     env->info.firmware == BOOT_FW_UEFI ? "uefi" : "bios", cpu_count, env->mem_mib,
		     env->platform, (unsigned long long)tsc_khz(), tsc_source());
	ktap_line("KTAP version 1");
	machine_line("info cpuid family %x model %x stepping %x", c->family, c->model, c->stepping);
	machine_line("info hypervisor %s", c->hypervisor_id[0] ? c->hypervisor_id : "none");
	machine_line("info loader %s, multiboot %u", env->info.loader, env->info.protocol);
	machine_line("info cmdline %s", env->info.cmdline);
	nmi_watchdog_available(&watchdog);
	machine_line("info watchdog %s", watchdog);
	for (u32 i = 0; i < env->acpi.n_tables; i++)
		machine_line("info acpi %s revision %u length %u", env->acpi.tables[i].signature,
			     env->acpi.tables[i].revision, env->acpi.tables[i].length);
	announce_virt(env);
	announce_pci(env);
}
