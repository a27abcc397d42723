/* SPDX-License-Identifier: MIT */
#include "tests/machine.h"

#include "core/lib/string.h"
#include "core/mm/host.h"
#include "core/x86/insn.h"
#include "core/x86/percpu.h"
#include "core/x86/regs.h"

#define MACHINE_PAGES	(ALIGN_UP(sizeof(struct machine), PAGE_SIZE) / PAGE_SIZE)

/* What a machine does by itself: everything but the host's own events stops. */
#define HOST_EVENTS	(BIT(EXIT_INTR) | BIT(EXIT_NMI) | BIT(EXIT_SMI) | BIT(EXIT_PREEMPT_TIMER))

static const u64 guest_gdt[] = {
	[0x00 / 8] = 0,
	[G_SEL_CODE64 / 8] = 0x00af9b000000ffffULL,
	[G_SEL_DATA / 8] = 0x00cf93000000ffffULL,
	[G_SEL_CODE32 / 8] = 0x00cf9b000000ffffULL,
	[G_SEL_CODE16 / 8] = 0x00009b000000ffffULL,
	[G_SEL_DATA16 / 8] = 0x000093000000ffffULL,
	/* APM2 4.8.3: busy 32/64-bit TSS at G_TSS. */
	[G_SEL_TSS / 8] = 0x00008b0000000067ULL | (u64)G_TSS << 16,
	[G_SEL_USER_DATA / 8] = 0x00cff3000000ffffULL,
	[G_SEL_USER_CODE / 8] = 0x00affb000000ffffULL,
	[G_SEL_TSS2 / 8] = 0x0000890000000067ULL | (u64)(G_TSS + 0x800) << 16,
};

struct seg_set {
	u16 cs_sel, cs_attr, ds_sel, ds_attr;
	u32 cs_limit, ds_limit;
};

static const struct seg_set segs[] = {
	[MODE_REAL16] = { 0, 0x09b, 0, 0x093, 0xffff, 0xffff },
	[MODE_PROT32] = { G_SEL_CODE32, 0xc9b, G_SEL_DATA, 0xc93, ~0u, ~0u },
	[MODE_PAGED32] = { G_SEL_CODE32, 0xc9b, G_SEL_DATA, 0xc93, ~0u, ~0u },
	[MODE_LONG64] = { G_SEL_CODE64, 0xa9b, G_SEL_DATA, 0xc93, ~0u, ~0u },
};

void machine_memory(struct machine *m)
{
	u64 *pml4 = machine_ptr(m, G_PML4, PAGE_SIZE);
	u64 *pdpt = machine_ptr(m, G_PDPT, PAGE_SIZE);
	u64 *pd = machine_ptr(m, G_PD, 4 * PAGE_SIZE);
	u32 *pd32 = machine_ptr(m, G_PT32, PAGE_SIZE);

	memcpy(machine_ptr(m, G_GDT, sizeof(guest_gdt)), guest_gdt, sizeof(guest_gdt));
	*(u16 *)machine_ptr(m, G_TSS + 0x66, 2) = 0x68;
	pml4[0] = G_PDPT | 7;
	for (u64 i = 0; i < 4; i++)
		pdpt[i] = (G_PD + i * PAGE_SIZE) | 7;
	for (u64 i = 0; i < 2048; i++)
		pd[i] = i * SIZE_2M | 0x87;
	for (u32 i = 0; i < 1024; i++)
		pd32[i] = i << 22 | 0x87;
}

static void set_segments(struct vcpu *v, enum machine_mode mode)
{
	const struct seg_set *s = &segs[mode];
	struct vsegment seg = { .selector = s->ds_sel, .attr = s->ds_attr, .limit = s->ds_limit };

	for (enum vseg r = VSEG_ES; r <= VSEG_GS; r++)
		if (r != VSEG_CS)
			virt->set_seg(v, r, &seg);
	seg = (struct vsegment){ .selector = s->cs_sel, .attr = s->cs_attr, .limit = s->cs_limit };
	if (mode == MODE_REAL16) {
		seg.selector = G_CODE >> 4;
		seg.base = G_CODE;
	}
	virt->set_seg(v, VSEG_CS, &seg);
	seg = (struct vsegment){ .attr = 0x82, .limit = 0xffff };
	virt->set_seg(v, VSEG_LDTR, &seg);
	seg = (struct vsegment){ .selector = G_SEL_TSS, .attr = 0x8b, .limit = 0x67,
				 .base = G_TSS };
	virt->set_seg(v, VSEG_TR, &seg);
	seg = (struct vsegment){ .base = G_GDT, .limit = sizeof(guest_gdt) + 7 };
	virt->set_seg(v, VSEG_GDTR, &seg);
	/* No IDT: an exception is a triple fault until machine_idt. */
	seg = (struct vsegment){ .limit = mode == MODE_REAL16 ? 0x3ff : 0 };
	virt->set_seg(v, VSEG_IDTR, &seg);
}

static void set_control(struct vcpu *v, enum machine_mode mode)
{
	u64 cr0 = CR0_ET | CR0_NE;

	if (mode != MODE_REAL16)
		cr0 |= CR0_PE;
	if (mode == MODE_PAGED32) {
		virt->set(v, VREG_CR3, G_PT32);
		virt->set(v, VREG_CR4, CR4_PSE);
		cr0 |= CR0_PG | CR0_WP;
	} else if (mode == MODE_LONG64) {
		virt->set(v, VREG_CR3, G_PML4);
		virt->set(v, VREG_CR4, CR4_PAE | CR4_OSFXSR);
		virt->set(v, VREG_EFER, EFER_LME | EFER_LMA | EFER_NXE);
		cr0 |= CR0_PG | CR0_WP;
	}
	virt->set(v, VREG_CR0, cr0);
	virt->set(v, VREG_DR6, DR6_FIXED1);
	virt->set(v, VREG_DR7, DR7_FIXED1);
	v->rflags = RFLAGS_FIXED;
	v->rip = mode == MODE_REAL16 ? 0 : G_CODE;
	v->gpr[VREG_RSP] = mode == MODE_REAL16 ? 0xfff0 : G_STACK_TOP;
}

void machine_enter(struct vcpu *v, enum machine_mode mode)
{
	set_segments(v, mode);
	set_control(v, mode);
}

void machine_code(struct machine *m, u64 gpa, const struct guest_code *code)
{
	u64 len = (u64)(code->end - code->start);

	memcpy(machine_ptr(m, gpa, len), code->start, len);
}

static void give_up(struct machine *m, const char *what, int err)
{
	TEST_ERROR(m->t, "machine: %s failed (error %d)", what, err);
}

struct machine *machine_new(struct test_ctx *t, enum machine_mode mode,
			    const struct guest_code *code)
{
	struct machine *m = host_alloc(MACHINE_PAGES, t->owner);
	int err;

	if (!m)
		TEST_ERROR(t, "machine: no memory");
	m->t = t;
	err = vm_init(&m->vm, t->cpu, t->owner);
	if (err)
		give_up(m, "vm_init", err);
	m->next = t->machine;
	t->machine = m;
	vm_stats_label(&m->vm, "test", t->test->id);
	err = vm_add_ram(&m->vm, 0, G_RAM_SIZE);
	if (err)
		give_up(m, "vm_add_ram", err);
	err = vcpu_create(&m->vm, &m->v);
	if (err)
		give_up(m, "vcpu_create", err);
	m->v->deadline = t->deadline;
	machine_memory(m);
	machine_code(m, G_CODE, code);
	machine_enter(m->v, mode);
	return m;
}

void machine_free(struct machine *m)
{
	struct machine **p = &m->t->machine;

	while (*p && *p != m)
		p = &(*p)->next;
	if (*p)
		*p = m->next;
	vm_fini(&m->vm);
	host_free(m, MACHINE_PAGES);
}

void machines_release(struct test_ctx *t, bool abandoned)
{
	struct percpu *cpu = this_cpu();
	struct machine *m, *next;

	if (abandoned) {
		cpu->current = NULL;
		if (cpu->loaded)
			virt->put(cpu->loaded);
		cpu->loaded = NULL;
	}
	for (m = t->machine; m; m = next) {
		next = m->next;
		if (!abandoned)
			vm_fini(&m->vm);
		else if (m->v)
			virt->vcpu_fini(m->v);
	}
	t->machine = NULL;
}

/*
 * Each vector has a stub of 16 bytes at G_HANDLERS: push 0 if the CPU pushed
 * no error code, push the vector, jump to the common part, which fills
 * struct guest_exception and makes a hypercall.
 */
GUEST64(exc_common,
	"push %rax; push %rbx\n\t"
	"mov $0x2f000, %ebx\n\t"
	"mov 16(%rsp), %rax; mov %rax, 0(%rbx)\n\t"
	"mov 24(%rsp), %rax; mov %rax, 8(%rbx)\n\t"
	"mov 32(%rsp), %rax; mov %rax, 16(%rbx)\n\t"
	"mov 40(%rsp), %rax; mov %rax, 24(%rbx)\n\t"
	"mov 48(%rsp), %rax; mov %rax, 32(%rbx)\n\t"
	"mov 56(%rsp), %rax; mov %rax, 40(%rbx)\n\t"
	"mov 64(%rsp), %rax; mov %rax, 48(%rbx)\n\t"
	"mov %cr2, %rax; mov %rax, 56(%rbx)\n\t"
	"mov %dr6, %rax; mov %rax, 64(%rbx)\n\t"
	"pop %rbx; pop %rax\n\t"
	/* Both encodings, the machine's own is chosen by patching. */
	"vmmcall\n\t"
	"add $16, %rsp\n\t"
	"iretq");

static void emit_stub(u8 *p, u32 addr, u8 vector, u32 common)
{
	u8 *s = p;
	s32 rel;

	if (!exc_has_error(vector)) {
		*s++ = 0x6a;		/* push imm8 */
		*s++ = 0;
	}
	*s++ = 0x68;			/* push imm32 */
	*s++ = vector;
	*s++ = 0;
	*s++ = 0;
	*s++ = 0;
	*s++ = 0xe9;			/* jmp rel32 */
	rel = (s32)(common - (addr + (u32)(s - p) + 4));
	memcpy(s, &rel, 4);
}

void machine_gate(struct machine *m, u8 vector, u32 addr)
{
	u64 *gate = machine_ptr(m, G_IDT + vector * 16, 16);

	/* Present interrupt gate, DPL 3 so that INT n works from anywhere. */
	gate[0] = (addr & 0xffff) | (u64)G_SEL_CODE64 << 16 | 0xeeULL << 40 |
		  (u64)(addr >> 16) << 48;
	gate[1] = 0;
}

void machine_idt(struct machine *m)
{
	u32 common = G_HANDLERS + 256 * 16;
	u64 len = (u64)(exc_common.end - exc_common.start);
	struct vsegment idtr = { .base = G_IDT, .limit = 0xfff };
	u8 *code = machine_ptr(m, G_HANDLERS, 256 * 16 + len);

	memcpy(code + 256 * 16, exc_common.start, len);
	if (virt->vendor == VIRT_VMX)
		/* 0F 01 D9 -> 0F 01 C1, 6 bytes before the end (add, iretq). */
		code[256 * 16 + len - 7] = 0xc1;
	for (u32 i = 0; i < 256; i++) {
		u32 addr = G_HANDLERS + i * 16;

		emit_stub(code + i * 16, addr, (u8)i, common);
		machine_gate(m, (u8)i, addr);
	}
	virt->set_seg(m->v, VSEG_IDTR, &idtr);
}

const struct guest_exception *machine_exception(struct machine *m)
{
	return machine_ptr(m, G_EXC, sizeof(struct guest_exception));
}

enum exit_reason machine_run_handling(struct machine *m, u64 handle_mask)
{
	struct test_ctx *t = m->t;

	m->v->deadline = t->deadline;
	m->vm.stop_mask = ~(handle_mask | HOST_EVENTS);
	vcpu_run(m->v);
	if (m->v->stop == STOP_TIMEOUT && !(t->test->flags & TEST_ANY_END)) {
		t->timed_out = true;
		test_report(t, OUTCOME_FAIL, "timed out: guest hung at rip 0x%llx",
			    (unsigned long long)m->v->rip);
		test_leave(t);
	}
	return m->v->exit.reason;
}

enum exit_reason machine_run(struct machine *m)
{
	return machine_run_handling(m, 0);
}

enum exit_reason machine_next(struct machine *m)
{
	int err = vcpu_advance(m->v);

	if (err)
		TEST_ERROR(m->t, "cannot step over the %s at rip 0x%llx",
			   exit_reason_name(m->v->exit.reason), (unsigned long long)m->v->rip);
	return machine_run(m);
}

u64 machine_get(struct machine *m, enum vreg r)
{
	return virt->get(m->v, r);
}

void machine_set(struct machine *m, enum vreg r, u64 val)
{
	virt->set(m->v, r, val);
}

void *machine_ptr(struct machine *m, u64 gpa, u64 len)
{
	void *p = gmem_ptr(&m->vm.mem, gpa, len);

	if (!p)
		TEST_ERROR(m->t, "guest address 0x%llx is no memory", (unsigned long long)gpa);
	return p;
}

u64 machine_read64(struct machine *m, u64 gpa)
{
	return *(u64 *)machine_ptr(m, gpa, 8);
}

void machine_write64(struct machine *m, u64 gpa, u64 val)
{
	*(u64 *)machine_ptr(m, gpa, 8) = val;
}
