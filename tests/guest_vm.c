/* SPDX-License-Identifier: MIT */
#include "tests/guest_vm.h"

#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/mon/log.h"
#include "core/x86/regs.h"

#define GUEST_VM_PAGES	(ALIGN_UP(sizeof(struct guest_vm), PAGE_SIZE) / PAGE_SIZE)

static void console_putc(void *ctx, u8 c)
{
	const struct vm *vm = ctx;

	guest_putc(vm->id, c);
}

/*
 * There is no interrupt controller, and nobody sends to these guests: a UART
 * that only polls needs neither lines nor time.
 */
static u64 no_time(void *ctx)
{
	return 0;
}

static void no_line(void *ctx, u8 irq, bool level)
{
}

static void no_event(void *ctx)
{
}

static const struct dev_env uart_env = { NULL, no_time, no_line, no_event };

/* The ranges of a PC with mem bytes: 640 KiB, up to the hole, above 4 GiB. */
static void build_map(struct guest_vm *g, u64 mem)
{
	u64 high_end = MIN(mem, GUEST_HOLE);

	g->map[g->n_map++] = (struct mem_range){ 0, GUEST_LOW_END, MEM_RAM };
	g->map[g->n_map++] = (struct mem_range){ GUEST_HIGH, high_end - GUEST_HIGH, MEM_RAM };
	if (mem > GUEST_HOLE)
		g->map[g->n_map++] = (struct mem_range){ 1ULL << 32, mem - GUEST_HOLE, MEM_RAM };
}

struct guest_vm *guest_vm_new(struct test_ctx *t, u32 id, u64 mem, const char **why)
{
	struct guest_vm *g = host_alloc(GUEST_VM_PAGES, t->owner);
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
	build_map(g, mem);
	err = vtest_init(&g->vtest, &m->vm.bus, console_putc, &m->vm);
	if (!err)
		err = vuart_init(&g->vuart, &m->vm.bus, &uart_env, console_putc, &m->vm);
	if (!err)
		err = vcpu_create(&m->vm, &m->v);
	if (err)
		TEST_ERROR(t, "cannot make the vCPU (error %d)", err);
	for (u32 i = 0; i < g->n_map; i++) {
		if (vm_add_ram(&m->vm, g->map[i].base, g->map[i].size)) {
			*why = "this machine has not that much memory free";
			return NULL;
		}
	}
	return g;
}

/*
 * Multiboot 0.6.96, 3.2: flat 32-bit segments, paging off, A20 on, interrupts
 * off.  The descriptor tables may be anything: none here.
 */
static void enter_prot32(struct vcpu *v, const struct load_entry *e)
{
	const struct vsegment code = { .selector = 8, .attr = 0xc9b, .limit = ~0u };
	const struct vsegment data = { .selector = 16, .attr = 0xc93, .limit = ~0u };
	const struct vsegment ldt = { .attr = 0x82, .limit = 0xffff };
	const struct vsegment tss = { .attr = 0x8b, .limit = 0xffff };
	const struct vsegment none = { .limit = 0 };

	for (enum vseg s = VSEG_ES; s <= VSEG_GS; s++)
		virt->set_seg(v, s, s == VSEG_CS ? &code : &data);
	virt->set_seg(v, VSEG_LDTR, &ldt);
	virt->set_seg(v, VSEG_TR, &tss);
	virt->set_seg(v, VSEG_GDTR, &none);
	virt->set_seg(v, VSEG_IDTR, &none);
	virt->set(v, VREG_CR0, CR0_PE | CR0_ET | CR0_NE);
	virt->set(v, VREG_CR4, 0);
	virt->set(v, VREG_EFER, 0);
	virt->set(v, VREG_DR6, DR6_FIXED1);
	virt->set(v, VREG_DR7, DR7_FIXED1);
	memset(v->gpr, 0, sizeof(v->gpr));
	v->gpr[VREG_RAX] = e->eax;
	v->gpr[VREG_RBX] = e->ebx;
	v->rip = e->rip;
	v->rflags = RFLAGS_FIXED;
}

int guest_vm_load(struct guest_vm *g, struct load_image *img, const struct diag *d)
{
	struct load_entry e;
	int err;

	img->map = g->map;
	img->n_map = g->n_map;
	err = load_guest(img, &g->m.vm.mem, &e, d);
	if (!err)
		enter_prot32(g->m.v, &e);
	return err;
}
