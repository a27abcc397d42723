/* SPDX-License-Identifier: MIT */
#include "boot/setup.h"

#include "core/lib/log.h"
#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/mon/log.h"
#include "core/vm/virt_ops.h"
#include "core/vm/vcpu.h"
#include "core/x86/env.h"
#include "core/x86/insn.h"
#include "core/x86/ioapic_hw.h"
#include "core/x86/lapic_hw.h"
#include "core/x86/msr.h"
#include "core/x86/nmi_watchdog.h"
#include "core/x86/panic.h"
#include "core/x86/percpu.h"
#include "core/x86/power.h"
#include "core/x86/smp.h"
#include "core/x86/time.h"
#include "core/x86/trap.h"



extern u8 image_start[], image_end[], boot_stack_top[];

static struct percpu boot_cpu;
static u8 boot_ist[IST_COUNT][IST_STACK_SIZE] __aligned(16);
static struct x86_env x86_env;
static u32 virt_failed;			/* CPUs on which enabling failed */

static u32 current_cpu_id(void)
{
	return this_cpu()->id;
}

/* A panic before the console is chosen: say it on COM1, then stop. */
static void early_panic(const char *reason)
{
	static struct uart uart;
	struct console_config c;

	console_default(&c);
	if (!uart_init(&uart, &c, 0))
		log_add_sink(&uart.sink);
	uart_drain(&uart);
	power_halt();
}

void setup_boot_cpu(void)
{
	panic_end = early_panic;
	boot_cpu.stack_top = (u64)boot_stack_top;
	for (unsigned int i = 0; i < IST_COUNT; i++)
		boot_cpu.ist_top[i] = (u64)boot_ist[i] + IST_STACK_SIZE;
	boot_cpu.online = 1;
	percpu_table[0] = &boot_cpu;
	trap_init();
	percpu_load(&boot_cpu);
	log_set_cpu_id(current_cpu_id);
	panic_dump_exits = exit_trace_dump;
}

/* Before the host page table: start.S mapped the first 4 GiB. */
static const void *early_map(void *ctx, u64 pa, u64 len)
{
	return pa && len <= (1ULL << 32) && pa <= (1ULL << 32) - len ? (const void *)pa : NULL;
}

/*
 * Now, because it asks the BIOS data area, and page 0 is not mapped later so
 * that a NULL pointer is caught.
 */
static void find_rsdp(struct run_env *env, const struct phys_view *view)
{
	u64 pa = acpi_find_rsdp(view);
	const void *p = pa ? phys_map(view, pa, 36) : NULL;

	if (env->info.has_rsdp_v1 || env->info.has_rsdp_v2 || !p)
		return;
	memcpy(env->info.rsdp_v1, p, sizeof(env->info.rsdp_v1));
	env->info.has_rsdp_v1 = true;
	memcpy(env->info.rsdp_v2, p, sizeof(env->info.rsdp_v2));
	env->info.has_rsdp_v2 = env->info.rsdp_v2[15] >= 2;
}

void setup_bootinfo(struct run_env *env, u32 magic, u64 info)
{
	static const enum log_level level[] = { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };
	const struct phys_view view = { early_map, NULL };
	int err = bootinfo_parse(magic, info, &view, &env->info, &log_diag);

	if (err)
		log_printf(LOG_WARN, "boot loader data unusable (magic %x)", magic);
	find_rsdp(env, &view);
	cmdline_parse(env->info.cmdline, &env->opts, &log_diag);
	log_set_level(level[env->opts.loglevel & 3]);
	caps_read(&env->caps);
}

/* Without a memory map: what every PC has had since 1995. */
static void default_map(void)
{
	log_printf(LOG_WARN, "no memory map from the boot loader: assuming 64 MiB");
	memmap_add(&host_map, 0, 0x9f000, MEM_RAM);
	memmap_add(&host_map, 0x100000, 63 << 20, MEM_RAM);
}

void setup_memory(struct run_env *env)
{
	const struct bootinfo *b = &env->info;

	memmap_init(&host_map, &log_diag);
	for (u32 i = 0; i < b->n_ranges; i++)
		memmap_add(&host_map, b->ranges[i].base, b->ranges[i].size, b->ranges[i].type);
	if (!memmap_bytes(&host_map, MEM_RAM))
		default_map();
	env->mem_mib = (u32)(memmap_bytes(&host_map, MEM_RAM) >> 20);
	/* The BIOS data area, and what boot loader and image occupy. */
	memmap_reserve(&host_map, 0, 0x1000);
	memmap_reserve(&host_map, (u64)image_start, (u64)(image_end - image_start));
	for (u32 i = 0; i < b->n_modules; i++)
		memmap_reserve(&host_map, b->modules[i].start, b->modules[i].size);
	x86_env.low_page = memmap_place(&host_map, PAGE_SIZE, PAGE_SIZE, 0x1000, 0xa0000);
	if (x86_env.low_page == MEMMAP_LIMIT)
		x86_env.low_page = 0;
	else
		memmap_reserve(&host_map, x86_env.low_page, PAGE_SIZE);
	host_mem_init(&env->caps);
	host_x86_env(&x86_env);
}

/* Tables may lie in any kind of memory: RAM is mapped, the rest gets mapped. */
static const void *table_map(void *ctx, u64 pa, u64 len)
{
	if (!pa || pa + len < pa || len > (64ULL << 20))
		return NULL;
	for (u64 p = ALIGN_DOWN(pa, PAGE_SIZE); p < pa + len; p += PAGE_SIZE) {
		const struct mem_range *r = memmap_find(&host_map, p);

		if (p < 0x1000 || (p >= 0xe0000 && p < 0x100000))
			continue;
		if (r && (r->type == MEM_RAM || r->type == MEM_TAKEN))
			continue;
		if (!host_map_device(p, PAGE_SIZE, MT_WB))
			return NULL;
	}
	return (const void *)pa;
}

static const void *rsdp_of(const struct run_env *env, size_t *len)
{
	if (env->info.has_rsdp_v2 && acpi_rsdp_valid(env->info.rsdp_v2, 36)) {
		*len = 36;
		return env->info.rsdp_v2;
	}
	if (env->info.has_rsdp_v1 && acpi_rsdp_valid(env->info.rsdp_v1, 20)) {
		*len = 20;
		return env->info.rsdp_v1;
	}
	return NULL;
}

void setup_acpi(struct run_env *env)
{
	const struct phys_view view = { table_map, NULL };
	size_t len;
	const void *rsdp = rsdp_of(env, &len);

	if (!rsdp || acpi_parse(rsdp, len, &view, &env->acpi, &log_diag))
		log_printf(LOG_WARN, "no usable ACPI tables: one CPU, legacy devices only");
	power_init(&env->acpi, &env->caps, &x86_env);
	if (env->acpi.n_mcfg && env->acpi.mcfg[0].segment == 0) {
		const struct acpi_mcfg *m = &env->acpi.mcfg[0];
		u64 first = m->base + ((u64)m->first_bus << 20);
		u64 size = (u64)(m->last_bus - m->first_bus + 1) << 20;
		u64 va = host_map_device(first, size, MT_UC) ? m->base : 0;

		pci_hw_init(&env->pci_access, va, m->first_bus, m->last_bus);
	} else {
		pci_hw_init(&env->pci_access, 0, 0, 255);
	}
	pci_enumerate(&env->pci_access, &env->pci);
	if (env->acpi.hpet.present)
		env->hpet_va = host_map_device(env->acpi.hpet.address, 0x400, MT_UC);
}

static void setup_screen(struct run_env *env)
{
	const struct boot_framebuffer *fb = &env->info.fb;
	struct screen_mode m = { .kind = SCREEN_VGA_TEXT, .mem = (void *)0xb8000,
				 .pitch = 160, .width = 80, .height = 25 };

	if (fb->type == BOOT_FB_RGB) {
		m = (struct screen_mode){
			.kind = SCREEN_FRAMEBUFFER, .pitch = fb->pitch, .width = fb->width,
			.height = fb->height, .bpp = fb->bpp,
			.red_pos = fb->red.position, .red_size = fb->red.size,
			.green_pos = fb->green.position, .green_size = fb->green.size,
			.blue_pos = fb->blue.position, .blue_size = fb->blue.size,
			.mem = (void *)host_map_device(fb->addr, (u64)fb->pitch * fb->height,
						       MT_WC),
		};
		if (!m.mem)
			return;
	} else if (env->info.firmware == BOOT_FW_UEFI) {
		return;
	}
	if (!screen_init(&env->screen, &m))
		log_add_sink(&env->screen.sink);
}

static int serial_config(const struct acpi_serial *s, struct console_config *c)
{
	const struct console_spcr spcr = {
		.interface_type = s->interface_type, .address_space = s->reg.space,
		.bit_width = s->reg.bit_width, .bit_offset = s->reg.bit_offset,
		.access_size = s->reg.access_size, .address = s->reg.address,
		.baud_code = s->baud_code,
	};

	return console_from_spcr(&spcr, c);
}

static void pick_console(const struct run_env *env, struct console_config *c)
{
	console_default(c);
	if (env->acpi.has_spcr && serial_config(&env->acpi.spcr, c))
		log_printf(LOG_WARN, "SPCR names a console that is no 16550: using COM1");
	if (env->opts.console[0] && console_parse(env->opts.console, c, &log_diag))
		log_printf(LOG_WARN, "console=%s not understood", env->opts.console);
}

/* A serial card: the first BAR that is assigned. */
static int pci_console(struct run_env *env, struct console_config *c)
{
	const struct pci_dev *d = pci_find_addr(&env->pci, PCI_ADDR(c->bus, c->dev, c->fn));
	struct pci_bar bar;

	for (u32 i = 0; d && i < 6; i++) {
		if (pci_bar_read(&env->pci_access, d, i, &bar))
			continue;
		c->kind = bar.io ? CONSOLE_IO : CONSOLE_MMIO;
		c->addr = bar.addr;
		pci_enable(&env->pci_access, d);
		return 0;
	}
	return -ENODEV;
}

/* 0 when a UART answers there; it is then a sink of the log. */
static int open_uart(struct run_env *env, struct console_config *c)
{
	u64 va = 0;

	if (c->kind == CONSOLE_PCI && pci_console(env, c))
		return -ENODEV;
	if (c->kind == CONSOLE_MMIO) {
		va = host_map_device(c->addr, 0x100, MT_UC);
		if (!va)
			return -ENODEV;
	}
	if (uart_init(&env->uart, c, va))
		return -ENODEV;
	log_add_sink(&env->uart.sink);
	return 0;
}

/* Nobody chose a port and the usual one is silent: firmware's debug ports. */
static int open_debug_port(struct run_env *env)
{
	struct console_config c;

	if (env->opts.console[0] || env->acpi.has_spcr)
		return -ENODEV;
	for (u32 i = 0; i < env->acpi.n_dbg2; i++)
		if (!serial_config(&env->acpi.dbg2[i], &c) && !open_uart(env, &c))
			return 0;
	return -ENODEV;
}

void setup_console(struct run_env *env)
{
	struct console_config c;

	pick_console(env, &c);
	if (c.kind != CONSOLE_NONE)
		setup_screen(env);
	if (c.kind == CONSOLE_NONE || c.kind == CONSOLE_SCREEN)
		return;
	if (open_uart(env, &c) && open_debug_port(env))
		log_printf(LOG_WARN, "no serial port answers at the console's address %llx",
			   (unsigned long long)c.addr);
}

void setup_timers(struct run_env *env)
{
	const struct acpi_gas *pm = &env->acpi.fadt.pm_timer;
	struct time_sources src = { .hpet_va = env->hpet_va };

	if (pm->address && pm->space == ACPI_SPACE_IO)
		src.pm_timer_port = (u16)pm->address;
	src.pm_timer_32 = env->acpi.fadt.pm_timer_32bit;
	pic8259_mask_all();
	if (time_init(&env->caps, &src, &log_diag))
		log_printf(LOG_WARN, "no timer to calibrate the TSC with: assuming 1 GHz");
	if (lapic_setup(&env->acpi, &x86_env, &log_diag))
		panic("no usable local APIC: nestbed needs one");
	smp_init_boot_cpu(&env->acpi);
	lapic_enable(this_cpu()->acpi_uid);
	if (lapic_timer_calibrate(env->caps.tsc_deadline))
		log_printf(LOG_WARN, "the local APIC timer does not count");
	ioapic_setup(&env->acpi, &x86_env, &log_diag);
	nmi_watchdog_init(&env->acpi, env->hpet_va, &log_diag);
	sti();
}

void setup_smp(struct run_env *env)
{
	smp_start(&env->acpi, &x86_env, 0, &log_diag);
}

static void enable_virt(void *arg)
{
	if (this_cpu()->virt_on)
		return;
	if (virt->cpu_on(this_cpu()))
		__sync_fetch_and_add(&virt_failed, 1);
}

void setup_virt(struct run_env *env)
{
	virt_init(&env->caps);
	if (!virt || cpu_count == 1)
		return;
	if (smp_call_all(enable_virt, NULL, 1000000) || virt_failed)
		log_printf(LOG_ERR, "%s could not be enabled on %u of %u CPUs", virt->name,
			   virt_failed, cpu_count);
}
