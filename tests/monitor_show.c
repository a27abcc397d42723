/* SPDX-License-Identifier: MIT */
#include "tests/monitor_show.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/vm/vcpu.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/nmi_watchdog.h"
#include "core/x86/percpu.h"
#include "core/x86/time.h"
#include "stats/stat.h"
#include "stats/statsfs_path.h"

static void line(const char *fmt, ...) __printf(1, 2);

/* Indented by two: never a line of KTAP, nor one for programs. */
static void line(const char *fmt, ...)
{
	char text[VIRT_DESCRIPTION_MAX + 100];
	va_list ap;

	va_start(ap, fmt);
	nb_vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ktap_line("  %s", text);
}

/* A machine that is counted: its exits, and what it is for. */
static void show_counted_vm(const char *name)
{
	struct stats_fs_node n;
	const char *test;
	char path[160];
	u64 exits;

	nb_snprintf(path, sizeof(path), "/kvm/%s/", name);
	if (stats_fs_lookup(stat_fs, path, &n))
		return;
	test = stats_fs_source_get_label(n.src, "test");
	if (stats_fs_source_get_value_by_name(n.src, "exits", &exits))
		exits = 0;
	line("%s: %llu exits%s%s", name, (unsigned long long)exits, test ? ", " : "",
	     test ? test : "");
	stats_fs_node_put(&n);
}

/* All of /kvm/vm<N> in the statistics; how many. */
static u32 show_counted(void)
{
	struct stats_fs_entry e;
	struct stats_fs_node kvm;
	u32 n = 0;

	if (stats_fs_lookup(stat_fs, "/kvm/", &kvm))
		return 0;
	for (u32 i = 0; !stats_fs_node_entry(&kvm, i, &e); i++) {
		if (e.mode != 0755 || strncmp(e.name, "vm", 2))
			continue;
		show_counted_vm(e.name);
		n++;
	}
	stats_fs_node_put(&kvm);
	return n;
}

static void show_vm(const struct run_env *env)
{
	char text[VIRT_DESCRIPTION_MAX];

	if (!virt) {
		line("no virtualization: %s", virt_why);
		return;
	}
	virt->describe(text, sizeof(text));
	line("%s: %s", virt->name, text);
	for (u32 i = 0; i < cpu_count; i++) {
		const struct percpu *p = percpu_table[i];

		line("cpu%u: %s %s%s", i, virt->name, p->virt_on ? "on" : "off",
		     p->loaded ? ", a vCPU is loaded" : "");
	}
	if (!show_counted())
		line("no virtual machine exists now: each lives as long as its test or guest");
}

static void show_cpu(const struct run_env *env)
{
	const char *watchdog = "";
	bool nmi = nmi_watchdog_available(&watchdog);

	line("%s, family %u model %u stepping %u", env->caps.brand, env->caps.family,
	     env->caps.model, env->caps.stepping);
	line("%u CPUs, %s, TSC %llu kHz (%s), local APIC timer %llu kHz", cpu_count,
	     lapic_is_x2apic() ? "x2APIC" : "xAPIC", (unsigned long long)tsc_khz(), tsc_source(),
	     (unsigned long long)lapic_timer_khz());
	line("NMI watchdog: %s%s", nmi ? "" : "none: ", watchdog);
	line("cpu apic_id acpi_uid state    interrupts      nmis  unknown");
	for (u32 i = 0; i < cpu_count; i++) {
		const struct percpu *p = percpu_table[i];

		line("%3u %7u %8u %-8s %10llu %9llu %8llu", i, p->apic_id, p->acpi_uid,
		     p->panicking ? "panic" : p->work_busy ? "busy" : p->online ? "online" : "off",
		     (unsigned long long)p->irqs, (unsigned long long)p->nmis,
		     (unsigned long long)p->nmis_unknown);
	}
}

static void show_pages(const char *what, u64 pages)
{
	line("%-12s %9llu pages %8llu MiB", what, (unsigned long long)pages,
	     (unsigned long long)(pages >> (20 - PAGE_SHIFT)));
}

static void show_mem(const struct run_env *env)
{
	struct page_alloc_stats s;
	const char *why = "";

	line("physical memory map:");
	for (u32 i = 0; i < host_map.n; i++) {
		const struct mem_range *r = &host_map.range[i];

		line("%016llx-%016llx %8llu KiB %s", (unsigned long long)r->base,
		     (unsigned long long)(r->base + r->size - 1),
		     (unsigned long long)(r->size >> 10), mem_type_name(r->type));
	}
	page_alloc_get_stats(&host_pages, &s);
	line("page allocator:");
	show_pages("managed", s.total_pages);
	show_pages("free", s.free_pages);
	show_pages("nestbed's", page_owner_pages(&host_pages, PA_OWNER_CORE));
	show_pages("bookkeeping", s.meta_pages);
	show_pages("left out", s.unused_pages);
	line("%llu allocations, %llu frees, %llu failures, %llu refused frees",
	     (unsigned long long)s.allocs, (unsigned long long)s.frees,
	     (unsigned long long)s.failures, (unsigned long long)s.bugs);
	if (page_alloc_check(&host_pages, &why))
		line("bookkeeping is damaged: %s", why);
	else
		line("bookkeeping is consistent");
}

void monitor_show(const struct run_env *env, enum mon_show what)
{
	static void (*const show[])(const struct run_env *env) = {
		[MON_SHOW_VM] = show_vm, [MON_SHOW_CPU] = show_cpu, [MON_SHOW_MEM] = show_mem,
	};

	show[what](env);
}
