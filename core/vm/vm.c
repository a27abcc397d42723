/* SPDX-License-Identifier: MIT */
#include "core/vm/vcpu.h"

#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/vm/pc.h"
#include "core/vm/run.h"
#include "core/vm/xcr0.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"

#define VCPU_PAGES	(ALIGN_UP(sizeof(struct vcpu), PAGE_SIZE) / PAGE_SIZE)

static u64 npt_alloc(void *ctx)
{
	const struct vm *vm = ctx;

	return page_alloc(&host_pages, 0, PA_ZERO | PA_OWNER(vm->owner));
}

static void npt_free(void *ctx, u64 pa)
{
	page_free(&host_pages, pa, 0);
}

static void *npt_virt(void *ctx, u64 pa)
{
	return (void *)pa;
}

/* Freed memory of a machine must not be what makes the new one work. */
#define POISON	0xa5

void vm_npt_config(struct vm *vm, struct pt_config *cfg)
{
	*cfg = (struct pt_config){
		.format = virt->npt_format(), .alloc_page = npt_alloc, .free_page = npt_free,
		.to_virt = npt_virt, .ctx = vm, .pat = PT_PAT_RESET, .nx = true,
	};
}

static int npt_init(struct vm *vm, struct pt *npt)
{
	struct pt_config cfg;

	vm_npt_config(vm, &cfg);
	return pt_init(npt, &cfg);
}

int vm_init(struct vm *vm, u32 id, u16 owner)
{
	int err;

	memset(vm, 0, sizeof(*vm));
	vm->id = id;
	vm->owner = owner;
	gmem_init(&vm->mem);
	bus_init(&vm->bus);
	err = npt_init(vm, &vm->npt);
	if (!err)
		vm_stats_begin(vm);
	return err;
}

static void vcpu_destroy(struct vcpu *v)
{
	if (v->loaded)
		vcpu_put(v);
	virt->vcpu_fini(v);
	host_free(v->xsave, XSAVE_AREA_SIZE / PAGE_SIZE);
	host_free(v, VCPU_PAGES);
}

static void free_memory(struct gmem *mem, struct pt *npt, bool poison)
{
	pt_free(npt);
	for (u32 i = 0; i < mem->n; i++) {
		struct gmem_slot *s = &mem->slot[i];

		if (!s->mem_size || s->flags & GMEM_ALIAS)
			continue;
		if (poison)
			memset(s->host, POISON, s->size);
		host_free(s->host, s->size / PAGE_SIZE);
	}
	gmem_init(mem);
}

void vm_fini(struct vm *vm)
{
	vm_stats_end(vm);
	for (u32 i = 0; i < vm->vcpu_count; i++)
		vcpu_destroy(vm->vcpu[i]);
	vm->vcpu_count = 0;
	free_memory(&vm->mem, &vm->npt, false);
	host_free(vm->ones, 1);
	vm->ones = NULL;
}

int vm_memory_take(struct vm *vm, struct vm_memory *old)
{
	struct pt npt;
	int err = npt_init(vm, &npt);

	if (err)
		return err;
	*old = (struct vm_memory){ vm->mem, vm->npt };
	gmem_init(&vm->mem);
	vm->npt = npt;
	return 0;
}

void vm_memory_free(struct vm_memory *m, bool poison)
{
	free_memory(&m->mem, &m->npt, poison);
}

int vm_add_ram(struct vm *vm, u64 gpa, u64 size)
{
	unsigned int align = size >= SIZE_2M ? 9 : 0;
	u64 pages = size / PAGE_SIZE;
	u64 pa;
	int err;

	if (!size || !IS_ALIGNED(gpa | size, PAGE_SIZE))
		return -EINVAL;
	pa = page_alloc_contig(&host_pages, pages, align, PA_ZERO | PA_OWNER(vm->owner));
	if (!pa)
		return -ENOMEM;
	err = gmem_add(&vm->mem, gpa, size, (void *)pa, pa, 0);
	if (!err && !vm->lazy)
		err = pt_map(&vm->npt, gpa, pa, size, PT_RWX | PT_U,
			     vm->npt_page_max ? vm->npt_page_max : SIZE_1G);
	if (err)
		page_free_contig(&host_pages, pa, pages);
	return err;
}

int vm_add_rom(struct vm *vm, u64 gpa, u64 size, u64 alias, u8 **host)
{
	u64 pages = size / PAGE_SIZE;
	u64 pa;
	int err;

	if (!size || !IS_ALIGNED(gpa | alias | size, PAGE_SIZE))
		return -EINVAL;
	pa = page_alloc_contig(&host_pages, pages, 0, PA_ZERO | PA_OWNER(vm->owner));
	if (!pa)
		return -ENOMEM;
	*host = (u8 *)pa;
	err = gmem_add(&vm->mem, gpa, size, (void *)pa, pa, GMEM_RO);
	if (err) {
		page_free_contig(&host_pages, pa, pages);
		return err;
	}
	/* From here on the slot owns the pages. */
	if (alias)
		err = gmem_add(&vm->mem, alias, size, (void *)pa, pa, GMEM_RO | GMEM_ALIAS);
	if (!err && !vm->lazy)
		err = pt_map(&vm->npt, gpa, pa, size, PT_R | PT_X | PT_U, PAGE_SIZE);
	if (!err && !vm->lazy && alias)
		err = pt_map(&vm->npt, alias, pa, size, PT_R | PT_X | PT_U, PAGE_SIZE);
	return err;
}

int vm_add_ones(struct vm *vm, u64 gpa, u64 size)
{
	int err = 0;

	if (!vm->ones)
		vm->ones = host_alloc(1, vm->owner);
	if (!vm->ones)
		return -ENOMEM;
	memset(vm->ones, 0xff, PAGE_SIZE);
	for (u64 end = gpa + size; gpa < end && !err; gpa += PAGE_SIZE)
		if (!gmem_slot(&vm->mem, gpa) && !bus_mmio_claimed(&vm->bus, gpa))
			err = pt_map(&vm->npt, gpa, (u64)vm->ones, PAGE_SIZE,
				     PT_R | PT_X | PT_U, PAGE_SIZE);
	return err;
}

int vcpu_create(struct vm *vm, struct vcpu **out)
{
	struct vcpu *v;
	int err;

	if (vm->vcpu_count == VM_MAX_VCPUS)
		return -ENOSPC;
	v = host_alloc(VCPU_PAGES, vm->owner);
	if (!v)
		return -ENOMEM;
	v->vm = vm;
	v->id = vm->vcpu_count;
	v->xcr0 = XCR0_X87;
	v->msrs.misc_enable = 1;	/* fast strings */
	v->xsave = host_alloc(XSAVE_AREA_SIZE / PAGE_SIZE, vm->owner);
	err = v->xsave ? virt->vcpu_init(v) : -ENOMEM;
	if (err) {
		host_free(v->xsave, XSAVE_AREA_SIZE / PAGE_SIZE);
		host_free(v, VCPU_PAGES);
		return err;
	}
	/* FXSAVE area of a CPU after reset: FCW 37Fh as FNINIT, MXCSR 1F80h. */
	*(u16 *)v->xsave = 0x37f;
	*(u32 *)((u8 *)v->xsave + 24) = 0x1f80;
	if (vm->pc)
		pc_add_vcpu(vm->pc, v);
	vm->vcpu[vm->vcpu_count++] = v;
	vm_stats_add_vcpu(v);
	*out = v;
	return 0;
}

int vcpu_rebuild(struct vcpu *v)
{
	int err;

	virt->vcpu_fini(v);
	v->in_l2 = v->l2_paging = v->init_waits = v->smi_waits = false;
	v->l2_gen = v->l2_tsc_offset = 0;
	v->l2_tsc = (struct tsc_ratio){ 0 };
	v->l2_line = (struct tsc_line){ 0 };
	memset(v->gpr, POISON, sizeof(v->gpr));
	memset(v->dr, POISON, sizeof(v->dr));
	memset(v->xsave, 0, XSAVE_AREA_SIZE);
	v->rip = v->rflags = ~0ULL;
	v->xcr0 = XCR0_X87;
	v->msrs = (struct vcpu_msrs){ .misc_enable = 1 };
	v->windows = 0;
	v->events = (struct event_queue){ 0 };
	v->exit = (struct vm_exit){ 0 };
	vcpu_forget_code(v);
	err = virt->vcpu_init(v);
	if (!err && v->vm->pc)
		pc_add_vcpu(v->vm->pc, v);
	return err;
}

static bool have_xsave(void)
{
	return read_cr4() & CR4_OSXSAVE;
}

/* All states that a guest may have changed, whatever its XCR0 is now. */
static void fpu_save(void *area)
{
	if (have_xsave()) {
		xsetbv(0, run_policy.xcr0_allowed);
		__asm__ volatile("xsave64 (%0)" :: "r"(area), "a"(~0U), "d"(~0U) : "memory");
	} else {
		__asm__ volatile("fxsave64 (%0)" :: "r"(area) : "memory");
	}
}

static void fpu_restore(const void *area)
{
	if (have_xsave()) {
		xsetbv(0, run_policy.xcr0_allowed);
		__asm__ volatile("xrstor64 (%0)" :: "r"(area), "a"(~0U), "d"(~0U) : "memory");
	} else {
		__asm__ volatile("fxrstor64 (%0)" :: "r"(area) : "memory");
	}
}

void vcpu_load(struct vcpu *v)
{
	struct percpu *cpu = this_cpu();

	if (cpu->loaded == v)
		return;
	if (cpu->loaded)
		vcpu_put(cpu->loaded);
	fpu_restore(v->xsave);
	if (have_xsave())
		xsetbv(0, v->xcr0);
	write_dr7(DR7_FIXED1);
	write_dr0(v->dr[0]);
	write_dr1(v->dr[1]);
	write_dr2(v->dr[2]);
	write_dr3(v->dr[3]);
	virt->load(v);
	v->stat.fpu_reload++;
	cpu->loaded = v;
	v->loaded = true;
}

void vcpu_put(struct vcpu *v)
{
	virt->put(v);
	v->dr[0] = read_dr0();
	v->dr[1] = read_dr1();
	v->dr[2] = read_dr2();
	v->dr[3] = read_dr3();
	if (have_xsave())
		v->xcr0 = xgetbv(0);
	fpu_save(v->xsave);
	v->stat.host_state_reload++;
	this_cpu()->loaded = NULL;
	v->loaded = false;
}
