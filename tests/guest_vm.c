// SPDX-License-Identifier: MIT
#include "tests/guest_vm.h"

#include "core/lib/printf.h"
#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/mon/log.h"
#include "core/vm/migrate.h"
#include "core/vm/run.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"
#include "core/x86/rtc_hw.h"
#include "tests/runner.h"

#define GUEST_VM_PAGES	(ALIGN_UP(sizeof(struct guest_vm), PAGE_SIZE) / PAGE_SIZE)
#define GUEST_4G	(1ULL << 32)

static void console_putc(void *ctx, u8 c)
{
	const struct vm *vm = ctx;

	guest_putc(vm->id, c);
}

static int console_getc(void *ctx)
{
	const struct vm *vm = ctx;

	return guest_console_getc(vm->id);
}

/* Memory for all of the map: what firmware says of it is another matter. */
static int add_memory(struct guest_vm *g, u64 mem, u32 cpus)
{
	struct vm *vm = &g->m.vm;
	u64 high_end = MIN(mem, GUEST_HOLE);
	const struct guest_config config = {
		.cpus = cpus, .lapic = VLAPIC_BASE, .ioapic = VIOAPIC_BASE, .ioapic_id = 0,
		.sci = VPM_SCI, .pm1_evt = VPM_PM1_EVT, .pm1_cnt = VPM_PM1_CNT,
		.pm_timer = VPM_TIMER, .smi_cmd = VPM_SMI_CMD,
		.acpi_enable = VPM_ACPI_ENABLE, .acpi_disable = VPM_ACPI_DISABLE,
		.com1 = VUART_PORT,
	};
	u8 *rom;
	int err = vm_add_ram(vm, 0, GUEST_LOW_SIZE);

	if (!err)
		err = vm_add_ram(vm, GUEST_HIGH, high_end - GUEST_HIGH);
	if (!err && mem > GUEST_HOLE)
		err = vm_add_ram(vm, GUEST_4G, mem - GUEST_HOLE);
	/* A CPU that INIT reset starts at the top of the 4 GiB. */
	if (!err)
		err = vm_add_rom(vm, GUEST_ROM, GUEST_ROM_SIZE, GUEST_4G - GUEST_ROM_SIZE, &rom);
	if (!err)
		err = vm_add_ones(vm, PC_ROM_SPACE, PC_ROM_SPACE_SIZE);
	if (!err)
		g->rsdp = guest_tables_build(rom, gmem_ptr(&vm->mem, 0, GUEST_LOW_SIZE), &config);
	return err;
}

static int add_vcpus(struct vm *vm, u32 n, struct vcpu **first)
{
	struct vcpu *v;
	int err = 0;

	for (u32 i = 0; i < n && !err; i++) {
		err = vcpu_create(vm, &v);
		if (!err && !i)
			*first = v;
	}
	return err;
}

/* Devices alone. */
static struct guest_vm *new_pc(struct test_ctx *t, u32 id, u64 mem, u32 cpus)
{
	struct guest_vm *g = host_alloc(GUEST_VM_PAGES, t->owner);
	struct pc_config pc = { .mem = mem, .cpus = cpus, .epoch = rtc_epoch(),
				.putc = console_putc, .getc = console_getc };
	struct machine *m;
	int err;

	if (!g)
		TEST_ERROR(t, "no memory for the guest's record");
	m = &g->m;
	m->t = t;
	err = vm_init(&m->vm, id, t->owner);
	if (err)
		TEST_ERROR(t, "vm_init failed (error %d)", err);
	m->next = t->machine;
	t->machine = m;
	vm_stats_label(&m->vm, "test", t->test->id);
	pc.ctx = &m->vm;
	m->vm.migrate = runner_migrate();
	m->vm.migrate_memory = runner_migrate_memory();
	err = pc_init(&g->pc, &m->vm, &pc);
	if (err)
		TEST_ERROR(t, "cannot make the devices (error %d)", err);
	return g;
}

struct guest_vm *guest_vm_new(struct test_ctx *t, const struct guest_vm_config *cfg,
			      const char **why)
{
	struct guest_vm *g = new_pc(t, cfg->id, cfg->mem, cfg->cpus);

	if (cfg->nested && !virt->nested) {
		*why = "this CPU's virtualization cannot be given to a guest";
		return NULL;
	}
	g->m.vm.nested = cfg->nested;
	g->n_map = guest_map_build(g->map, cfg->mem);
	*why = vm_set_tsc(&g->m.vm, cfg->tsc_khz);
	if (*why)
		return NULL;
	if (add_memory(g, cfg->mem, cfg->cpus) || add_vcpus(&g->m.vm, cfg->cpus, &g->m.v)) {
		*why = "mem=: this machine has not that much memory free";
		return NULL;
	}
	return g;
}

int guest_vm_save(struct guest_vm *g, const struct save_sink *out)
{
	struct save_host h;

	save_host_now(&h);
	return vm_snapshot_write(&g->m.vm, &h, out);
}

s64 guest_vm_saved_size(struct guest_vm *g)
{
	struct save_host h;

	save_host_now(&h);
	return vm_snapshot_size(&g->m.vm, &h);
}

/* The frequency that the guest was told where it comes from. */
static int set_tsc(struct vm *vm, u64 khz, char *why, size_t why_size)
{
	const char *refused = vm_set_tsc(vm, khz);

	if (!refused)
		return 0;
	nb_snprintf(why, why_size, "%s", refused);
	return -EOPNOTSUPP;
}

static bool no_memory(const struct vm_snapshot *s, char *why, size_t why_size)
{
	u64 need = save_layout_bytes(&s->m.layout);
	u64 have = READ_ONCE(host_pages.stats.free_pages) * PAGE_SIZE;

	if (need > have)
		nb_snprintf(why, why_size, "memory 0: takes %llu MiB, %llu MiB are free here",
			    (unsigned long long)(need >> 20), (unsigned long long)(have >> 20));
	return need > have;
}

struct guest_vm *guest_vm_restore(struct test_ctx *t, u32 id, const struct save_source *src,
				  char *why, size_t why_size)
{
	struct vm_snapshot s;
	struct guest_vm *g;
	struct save_host h;
	int err;

	save_host_now(&h);
	if (vm_snapshot_open(&s, src, &h, GUEST_MEM_MAX, t->owner, why, why_size))
		return NULL;
	if (vm_snapshot_verify(&s, why, why_size) || no_memory(&s, why, why_size)) {
		vm_snapshot_close(&s);
		return NULL;
	}
	g = new_pc(t, id, s.m.layout.ram, s.m.vm.vcpus);
	err = set_tsc(&g->m.vm, s.m.vm.guest_khz, why, why_size);
	if (!err)
		err = vm_snapshot_load(&s, &g->m.vm, &h, why, why_size);
	if (!err) {
		vm_snapshot_start(&s, &g->m.vm, &h);
		/* Guest time stood still while its memory came in. */
		vm_snapshot_clock(&s, &g->m.vm, rdtsc(), h.tsc_khz);
		g->m.v = g->m.vm.vcpu[0];
	}
	vm_snapshot_close(&s);
	return err ? NULL : g;
}

/* The first CPU as core/load/load.h says for each mode. */
static const struct {
	u16 cs_attr;
	u64 cr0, cr4, efer;
} entry_modes[] = {
	[LOAD_MODE_PROT32] = { 0xc9b, CR0_PE | CR0_ET | CR0_NE, 0, 0 },
	[LOAD_MODE_LONG64] = { 0xa9b, CR0_PE | CR0_ET | CR0_NE | CR0_PG, CR4_PAE,
			       EFER_LME | EFER_LMA },
};

static void enter_segments(struct vcpu *v, const struct load_entry *e, u16 cs_attr)
{
	const struct vsegment code = { .selector = e->cs, .attr = cs_attr, .limit = ~0u };
	const struct vsegment data = { .selector = e->ds, .attr = 0xc93, .limit = ~0u };
	const struct vsegment ldt = { .attr = 0x82, .limit = 0xffff };
	const struct vsegment tss = { .attr = 0x8b, .limit = 0xffff };
	const struct vsegment gdt = { .base = e->gdt_base, .limit = e->gdt_limit };
	const struct vsegment none = { .limit = 0 };

	for (enum vseg s = VSEG_ES; s <= VSEG_GS; s++)
		virt->set_seg(v, s, s == VSEG_CS ? &code : &data);
	virt->set_seg(v, VSEG_LDTR, &ldt);
	virt->set_seg(v, VSEG_TR, &tss);
	virt->set_seg(v, VSEG_GDTR, &gdt);
	virt->set_seg(v, VSEG_IDTR, &none);
}

static void enter(struct vcpu *v, const struct load_entry *e)
{
	enter_segments(v, e, entry_modes[e->mode].cs_attr);
	virt->set(v, VREG_CR3, e->cr3);
	virt->set(v, VREG_CR4, entry_modes[e->mode].cr4);
	virt->set(v, VREG_EFER, entry_modes[e->mode].efer);
	virt->set(v, VREG_CR0, entry_modes[e->mode].cr0);
	virt->set(v, VREG_DR6, DR6_FIXED1);
	virt->set(v, VREG_DR7, DR7_FIXED1);
	memset(v->gpr, 0, sizeof(v->gpr));
	v->gpr[VREG_RAX] = e->eax;
	v->gpr[VREG_RBX] = e->ebx;
	v->gpr[VREG_RSI] = e->rsi;
	v->rip = e->rip;
	v->rflags = RFLAGS_FIXED;
}

/*
 * What the firmware of a PC leaves in the first CPU's local APIC: on, "virtual
 * wire" (Intel MP 1.4, 3.6.2.2): the 8259 on LINT0, NMI on LINT1.
 */
static void enter_apic(struct vlapic *a)
{
	vlapic_mmio_write(a, 0xf0, 4, 0x1ff);
	vlapic_mmio_write(a, 0x350, 4, 0x700);
	vlapic_mmio_write(a, 0x360, 4, 0x400);
}

/*
 * And in the rest of the machine: the 8259s with the vectors of real mode, of
 * which only the timer is let through, and the timer at 18.2 Hz.  A kernel that
 * begins in real mode counts on that tick.
 */
static int enter_devices(struct vm *vm)
{
	static const struct { u8 port, val; } writes[] = {
		{ 0x20, 0x11 }, { 0x21, 0x08 }, { 0x21, 0x04 }, { 0x21, 0x01 },
		{ 0xa0, 0x11 }, { 0xa1, 0x70 }, { 0xa1, 0x02 }, { 0xa1, 0x01 },
		{ 0x21, 0xfa }, { 0xa1, 0xff },
		{ 0x43, 0x34 }, { 0x40, 0x00 }, { 0x40, 0x00 },
	};
	u32 vectors[GUEST_VECTORS];

	for (unsigned int i = 0; i < ARRAY_SIZE(writes); i++) {
		u32 val = writes[i].val;

		bus_io(&vm->bus, writes[i].port, 1, false, &val);
	}
	guest_vectors_build(vectors);
	return gmem_write(&vm->mem, 0, vectors, sizeof(vectors));
}

int guest_vm_load(struct guest_vm *g, struct load_image *img, const struct diag *d)
{
	struct load_entry e;
	int err;

	img->map = g->map;
	img->n_map = g->n_map;
	img->rsdp = g->rsdp;
	/* First: the image may lie where the vectors are. */
	err = enter_devices(&g->m.vm);
	if (!err)
		err = load_guest(img, &g->m.vm.mem, &e, d);
	if (err)
		return err;
	enter(g->m.v, &e);
	enter_apic(g->m.v->apic);
	return 0;
}

static void guest_job(struct test_ctx *t)
{
	sched_loop(t->job);
}

/* vCPUs that share a CPU may wait for each other. */
static void intercept_pause(struct vm *vm, u32 total, u32 cpus)
{
	for (u32 i = 0; i < vm->vcpu_count && total > cpus; i++)
		(void)!virt->intercept(vm->vcpu[i], ICPT_PAUSE, 0, true);
}

void guest_vms_run_on(struct test_ctx *t, u32 max_cpus, struct guest_vm *const *g, u32 n,
		      const u64 *deadline)
{
	u64 pages = ALIGN_UP(sizeof(struct sched), PAGE_SIZE) / PAGE_SIZE;
	struct sched *s = host_alloc(pages, t->owner);
	u32 total = 0;

	if (!s)
		TEST_ERROR(t, "no memory for the scheduler");
	for (u32 i = 0; i < n; i++)
		total += g[i]->m.vm.vcpu_count;
	sched_init(s, total, max_cpus);
	for (u32 i = 0; i < n; i++) {
		struct vm *vm = &g[i]->m.vm;

		for (u32 k = 0; k < vm->vcpu_count; k++)
			vm->vcpu[k]->deadline = deadline[i];
		intercept_pause(vm, total, s->cpus - s->first_cpu);
		sched_add(s, vm);
	}
	test_on_cpus(t, s->cpus, guest_job, s);
}

void guest_vms_run(struct test_ctx *t, struct guest_vm *const *g, u32 n, const u64 *deadline)
{
	guest_vms_run_on(t, cpu_count, g, n, deadline);
}
