/* SPDX-License-Identifier: MIT */
/*
 * A whole machine on the host, for core/vm/state.c and core/vm/snapshot.c: the
 * real devices, memory from malloc, and a vendor that only remembers what was
 * set.  What the image's other files would define is defined here: include it
 * once in a program.
 */
#ifndef TESTS_UNIT_VM_BOX_H
#define TESTS_UNIT_VM_BOX_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mm/host.h"
#include "core/mm/pt.h"
#include "core/vm/run.h"
#include "core/vm/snapshot.h"
#include "core/x86/regs.h"

#define BOX_XSAVE	832
#define BOX_XSAVE_MAX	1024	/* of a CPU with more */
#define BOX_MEM_MAX	(1ULL << 20)

struct fake_arch {
	u64 reg[VREG_COUNT];
	struct vsegment seg[VSEG_COUNT];
};

struct vm_box {
	struct vm vm;
	struct pc pc;
	u64 guest_now;		/* what the devices take for the time */
};

/* Pages that are allocated now; the test wants none at its end. */
static u64 box_pages;
/* Allocations until one fails; 0: none does. */
static u32 box_fail_at;
/* Streams can be read once only: nothing is looked at before it is made. */
static bool box_once;

void *host_alloc(u64 count, u16 owner)
{
	void *p;

	(void)owner;
	if (box_fail_at && !--box_fail_at)
		return NULL;
	p = aligned_alloc(PAGE_SIZE, count * PAGE_SIZE);
	if (p) {
		memset(p, 0, count * PAGE_SIZE);
		box_pages += count;
	}
	return p;
}

void host_free(void *p, u64 count)
{
	box_pages -= p ? count : 0;
	free(p);
}

static u64 fake_get(struct vcpu *v, enum vreg r)
{
	if (r <= VREG_R15)
		return v->gpr[r];
	if (r == VREG_RIP || r == VREG_RFLAGS)
		return r == VREG_RIP ? v->rip : v->rflags;
	return ((struct fake_arch *)v->arch)->reg[r];
}

static void fake_set(struct vcpu *v, enum vreg r, u64 val)
{
	((struct fake_arch *)v->arch)->reg[r] = val;
}

static void fake_get_seg(struct vcpu *v, enum vseg s, struct vsegment *out)
{
	*out = ((struct fake_arch *)v->arch)->seg[s];
}

static void fake_set_seg(struct vcpu *v, enum vseg s, const struct vsegment *in)
{
	((struct fake_arch *)v->arch)->seg[s] = *in;
}

static void fake_flush(struct vcpu *v)
{
	v->flush = true;
}

static const struct virt_ops fake_ops = {
	.name = "fake", .vendor = VIRT_SVM, .get = fake_get, .set = fake_set,
	.get_seg = fake_get_seg, .set_seg = fake_set_seg, .flush = fake_flush,
};
const struct virt_ops *virt = &fake_ops;

u64 vcpu_tsc_at(struct vcpu *v, u64 host)
{
	return host + virt->get(v, VREG_TSC_OFFSET);
}

void vcpu_set_tsc_at(struct vcpu *v, u64 tsc, u64 host)
{
	virt->set(v, VREG_TSC_OFFSET, tsc - host);
}

static int box_add(struct vm *vm, u64 gpa, u64 size, u64 alias, u32 flags)
{
	u8 *p = host_alloc(size / PAGE_SIZE, 0);
	int err = p ? gmem_add(&vm->mem, gpa, size, p, 0, flags) : -ENOMEM;

	if (err)
		host_free(p, size / PAGE_SIZE);
	else if (alias)
		err = gmem_add(&vm->mem, alias, size, p, 0, flags | GMEM_ALIAS);
	return err;
}

int vm_add_ram(struct vm *vm, u64 gpa, u64 size)
{
	return box_add(vm, gpa, size, 0, 0);
}

int vm_add_rom(struct vm *vm, u64 gpa, u64 size, u64 alias, u8 **host)
{
	int err = box_add(vm, gpa, size, alias, GMEM_RO);

	*host = err ? NULL : gmem_ptr(&vm->mem, gpa, size);
	return err;
}

int vm_add_ones(struct vm *vm, u64 gpa, u64 size)
{
	(void)vm;
	(void)gpa;
	(void)size;
	return 0;
}

/* APICs that were put at their places. */
static u32 box_placed;

void vcpu_apic_place(struct vcpu *v)
{
	box_placed |= 1U << v->id;
}

static u64 box_now(void *ctx)
{
	return ((struct vm_box *)ctx)->guest_now;
}

static u64 box_tsc(void *ctx, u32 id)
{
	return 0;
}

static void box_send(void *ctx, struct vlapic *from, const struct apic_msg *m)
{
}

static void box_eoi(void *ctx, u8 vector)
{
}

static void box_set_irq(void *ctx, u8 irq, bool level)
{
}

static void box_rearm(void *ctx)
{
}

static void box_rearm_apic(void *ctx, u32 id)
{
}

static bool box_deliver(void *ctx, const struct apic_msg *m)
{
	return true;
}

static void box_intr(void *ctx, bool level)
{
}

static void box_putc(void *ctx, u8 c)
{
}

/* As core/vm/pc.c: the vCPU is that after reset, as far as the state knows one. */
int vcpu_create(struct vm *vm, struct vcpu **out)
{
	struct vcpu *v = calloc(1, sizeof(*v));
	struct fake_arch *a = calloc(1, sizeof(*a));

	if (!v || !a)
		abort();
	a->reg[VREG_CR0] = CR0_ET;
	a->reg[VREG_DR6] = DR6_FIXED1;
	a->reg[VREG_DR7] = DR7_FIXED1;
	a->reg[VREG_PAT] = PT_PAT_RESET;
	a->reg[VREG_XCR0] = 1;
	*v = (struct vcpu){ .vm = vm, .id = vm->vcpu_count, .arch = a,
			    .apic = &vm->pc->apic[vm->vcpu_count] };
	v->xsave = calloc(1, BOX_XSAVE_MAX);
	vlapic_init(v->apic, v->id, v->id == 0, &vm->pc->apic_env);
	vm->vcpu[vm->vcpu_count++] = v;
	*out = v;
	return 0;
}

/* Devices alone; memory and vCPUs are the caller's. */
static inline struct vm_box *vm_box_new(u64 ram, u32 cpus)
{
	struct vm_box *b = calloc(1, sizeof(*b));
	struct vm *vm = b ? &b->vm : NULL;
	struct pc *pc = b ? &b->pc : NULL;

	if (!b)
		abort();
	b->guest_now = 5000000000;
	*pc = (struct pc){ .vm = vm, .cfg = { .mem = ram, .cpus = cpus } };
	pc->env = (struct dev_env){ b, box_now, box_set_irq, box_rearm };
	pc->apic_env = (struct vlapic_env){ .ctx = b, .now = box_now, .tsc = box_tsc,
					    .send = box_send, .eoi = box_eoi,
					    .rearm = box_rearm_apic };
	vm->pc = pc;
	gmem_init(&vm->mem);
	bus_init(&vm->bus);
	if (vpic_init(&pc->pic, &vm->bus, box_intr, b) ||
	    vioapic_init(&pc->ioapic, &vm->bus, box_deliver, b) ||
	    vpit_init(&pc->pit, &vm->bus, &pc->env) ||
	    vuart_init(&pc->uart, &vm->bus, &pc->env, box_putc, b) ||
	    vrtc_init(&pc->rtc, &vm->bus, &pc->env, 0, ram) ||
	    vpm_init(&pc->pm, &vm->bus, &pc->env) ||
	    vfwcfg_init(&pc->fwcfg, &vm->bus, ram, (u16)cpus) ||
	    vpci_init(&pc->pci, &vm->bus) || vtest_init(&pc->test, &vm->bus, box_putc, b))
		abort();
	return b;
}

static inline void vm_box_free(struct vm_box *b)
{
	struct gmem *g = &b->vm.mem;

	for (u32 i = 0; i < b->vm.vcpu_count; i++) {
		free(b->vm.vcpu[i]->arch);
		free(b->vm.vcpu[i]->xsave);
		free(b->vm.vcpu[i]);
	}
	for (u32 i = 0; i < g->n; i++)
		if (!(g->slot[i].flags & GMEM_ALIAS))
			host_free(g->slot[i].host, g->slot[i].size / PAGE_SIZE);
	free(b);
}

/* RAM in two parts, a ROM that is seen twice, as guests have. */
static inline struct vm_box *vm_box_whole(u32 cpus)
{
	struct vm_box *b = vm_box_new(24 * PAGE_SIZE, cpus);
	struct vcpu *v;
	u8 *rom;

	if (vm_add_ram(&b->vm, 0, 20 * PAGE_SIZE) ||
	    vm_add_ram(&b->vm, 0x100000, 4 * PAGE_SIZE) ||
	    vm_add_rom(&b->vm, 0xe0000, 2 * PAGE_SIZE, 0xffffe000, &rom))
		abort();
	memcpy(rom + PAGE_SIZE, "read only", 9);
	for (u32 i = 0; i < cpus; i++)
		if (vcpu_create(&b->vm, &v))
			abort();
	return b;
}

static const struct guest_cpu box_cpu = {
	.word = { 0x80202000, 0x178bfbff }, .sizes = 0x3028, .xcr0 = 7, .xsave_size = BOX_XSAVE,
	.state = { [2] = { 256, 576 } },
};

static const struct save_host box_host = {
	.now = 1000000000000, .tsc_khz = 2000000, .vendor = VIRT_SVM, .cpu = &box_cpu,
	.lim = {
		.xcr0_allowed = 7, .efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
		.cr4_allowed = CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE, .xsave_size = BOX_XSAVE,
		.mxcsr_mask = 0xffff, .maxphyaddr = 40,
	},
};

/* A stream in memory.  Writing fails with -E2BIG at limit. */
struct box_stream {
	u8 *p;
	size_t len, at, limit;
};

static inline int box_write(void *ctx, const void *buf, u64 len)
{
	struct box_stream *s = ctx;

	if (len > s->limit - s->len)
		return -E2BIG;
	s->p = realloc(s->p, s->len + len);
	if (!s->p)
		abort();
	memcpy(s->p + s->len, buf, len);
	s->len += len;
	return 0;
}

static inline int box_read(void *ctx, void *buf, u64 len)
{
	struct box_stream *s = ctx;

	if (len > s->len - s->at)
		return -EIO;
	if (len)
		memcpy(buf, s->p + s->at, len);
	s->at += len;
	return 0;
}

static inline void box_seek(void *ctx, u64 at)
{
	((struct box_stream *)ctx)->at = (size_t)at;
}

/* All of b, which must be possible. */
static inline struct box_stream box_save(struct vm_box *b, const struct save_host *h)
{
	struct box_stream s = { .limit = SIZE_MAX };
	const struct save_sink out = { box_write, &s };

	if (vm_snapshot_write(&b->vm, h, &out))
		abort();
	return s;
}

/* Into a new machine: *out, or an error with the reason in why. */
static inline int box_restore(struct box_stream *s, const struct save_host *h, struct vm_box **out,
		       char *why, size_t why_size)
{
	const struct save_source src = { box_read, s, box_once ? NULL : box_seek };
	struct vm_snapshot snap;
	struct vm_box *b;
	int err;

	s->at = 0;
	err = vm_snapshot_open(&snap, &src, h, BOX_MEM_MAX, 1, why, why_size);
	if (err)
		return err;
	err = vm_snapshot_verify(&snap, why, why_size);
	if (err) {
		vm_snapshot_close(&snap);
		return err;
	}
	b = vm_box_new(snap.m.layout.ram, snap.m.vm.vcpus);
	err = vm_snapshot_load(&snap, &b->vm, h, why, why_size);
	if (!err)
		vm_snapshot_start(&snap, &b->vm, h);
	vm_snapshot_close(&snap);
	if (err)
		vm_box_free(b);
	else
		*out = b;
	return err;
}

#endif
